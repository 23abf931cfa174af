//! What a command of `ctl` printed, and how it ended.

use std::time::Duration;

use serde_json::Value;

use crate::process::Finished;

/// What a run of `ctl` gave.
#[derive(Debug, Clone)]
pub struct Ran {
    args: Vec<String>,
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Ran {
    /// The end of the command line `ctl ARGS…`.
    pub fn of(args: &[&str], finished: Finished) -> Self {
        Self {
            args: args.iter().map(|&arg| arg.to_owned()).collect(),
            code: finished.code,
            stdout: String::from_utf8_lossy(&finished.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&finished.stderr).into_owned(),
            took: finished.took,
        }
    }

    /// Itself, if the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code of {self}");
        self
    }

    /// Standard output as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self}"))
    }

    /// Standard output as one JSON value a line.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// Asserts that both streams together contain each of these.
    #[track_caller]
    pub fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stdout.contains(part) || self.stderr.contains(part), "{part:?} is not said by {self}");
        }
        self
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`ctl {}`: exit {} after {:?}", self.args.join(" "), self.code, self.took)?;
        write!(f, "\n-- stdout\n{}\n-- stderr\n{}", tail(&self.stdout, 60), tail(&self.stderr, 60))
    }
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
