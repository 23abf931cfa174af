//! What a finished command means: Salt's rules for success, and its return shapes.

use std::sync::atomic::Ordering;

use proto::Value;
use serde_json::json;
use states::{CallError, Context, Output};

use crate::exec::bind::{Bound, text_of};

/// Which ends count as success.
pub struct Judgement {
    retcodes: Vec<i64>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    ignore_retcode: bool,
    rstrip: bool,
}

impl Judgement {
    pub fn of(bound: &Bound) -> Result<Self, CallError> {
        let texts = |name| bound.list(name).iter().map(text_of).collect();
        let wrong = |_| CallError::arguments("success_retcodes must be a list of integers");
        let mut retcodes = bound
            .list("success_retcodes")
            .iter()
            .map(|code| text_of(code).parse())
            .collect::<Result<Vec<i64>, _>>()
            .map_err(wrong)?;
        if !bound.has("success_retcodes") {
            retcodes.push(0);
        }
        Ok(Self {
            retcodes,
            stdout: texts("success_stdout"),
            stderr: texts("success_stderr"),
            ignore_retcode: bound.flag("ignore_retcode", false),
            rstrip: bound.flag("rstrip", true),
        })
    }

    /// Judges an output and tells the job's return code.
    pub fn apply(&self, context: &Context<'_>, output: &Output, timed_out: Option<String>) -> Finished {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            if self.rstrip { text.trim_end().to_owned() } else { text.into_owned() }
        };
        let mut finished = Finished {
            pid: output.pid,
            retcode: output.code,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        if let Some(message) = timed_out {
            finished.retcode = 1;
            finished.stdout = format!("{message}\n{}", finished.stdout).trim_end().to_owned();
        } else if self.succeeded(&finished) {
            finished.retcode = 0;
        }
        let told = if self.ignore_retcode { 0 } else { finished.retcode };
        context.retcode.store(told, Ordering::Relaxed);
        finished
    }

    fn succeeded(&self, finished: &Finished) -> bool {
        self.retcodes.contains(&i64::from(finished.retcode))
            || self.stdout.iter().any(|part| finished.stdout.contains(part))
            || self.stderr.iter().any(|part| finished.stderr.contains(part))
    }
}

/// A command that has ended, judged.
pub struct Finished {
    pub pid: u32,
    pub retcode: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// An output as the caller wants to see it.
    pub fn shown(&self, bound: &Bound, output: &str) -> Value {
        if bound.flag("hide_output", false) { "".into() } else { output.into() }
    }

    /// What `cmd.run` gives.
    pub fn stdout_or_error(&self, bound: &Bound) -> Result<Value, CallError> {
        let raise = bound.flag("raise_err", false) && !bound.flag("ignore_retcode", false) && self.retcode != 0;
        match self.shown(bound, &self.stdout) {
            Value::String(text) if raise => Err(CallError::Failed(text)),
            shown => Ok(shown),
        }
    }

    /// What `cmd.run_all` gives.
    pub fn all(&self, bound: &Bound) -> Value {
        json!({
            "pid": self.pid,
            "retcode": self.retcode,
            "stdout": self.shown(bound, &self.stdout),
            "stderr": self.shown(bound, &self.stderr),
        })
    }
}
