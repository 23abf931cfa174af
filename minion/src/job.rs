//! One job: calling its function, following it, ending it.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering},
    },
    time::Instant,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use proto::{Args, Job, Map, MinionId, Outcome, Return, Value, job};
use serde_json::json;
use states::{
    CallError, Context, Effect, Output, Tree,
    call::{Agent, Functions, Progress},
};

use crate::{
    applied,
    exec::{self, FROM_OPERATOR},
    host::{OUTPUT_LIMIT, Scoped, System, Watch},
    turn::{self, NoTurn},
};

/// Where a job sends its output lines while it runs.
pub type Live = Box<dyn Fn(Progress) + Send + Sync>;

/// A job that runs, as those see it who list or kill it.
pub struct Running {
    pub job: Job,
    /// Process groups of the commands that it has started.
    groups: Mutex<HashSet<u32>>,
    /// The re-executed child that runs it, which leads a session of its own.
    pub session: AtomicU32,
    stopped: AtomicBool,
    truncated: AtomicBool,
    live: Option<Live>,
    /// The minion started it by itself: the master knows nothing of it.
    pub is_own: bool,
}

impl Running {
    pub fn new(job: Job, live: Option<Live>) -> Self {
        // Who asks to hide the output does not want to see it while it comes either.
        let hidden = job.request.args.named.get("hide_output").is_some_and(exec::bind::truth);
        Self {
            job,
            groups: Mutex::default(),
            session: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            truncated: AtomicBool::new(false),
            live: live.filter(|_| !hidden),
            is_own: false,
        }
    }

    /// A job that the minion starts by itself.
    pub fn own(job: Job) -> Self {
        Self { is_own: true, ..Self::new(job, None) }
    }

    fn groups(&self) -> MutexGuard<'_, HashSet<u32>> {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a signal to all that the job has started. A deadly one ends the job too.
    pub fn signal(&self, signal: Signal) {
        if matches!(signal, Signal::SIGKILL | Signal::SIGTERM | Signal::SIGINT | Signal::SIGQUIT) {
            self.stopped.store(true, Ordering::SeqCst);
        }
        for &group in self.groups().iter() {
            // It may just have ended.
            let _ = killpg(Pid::from_raw(group as i32), signal);
        }
        match self.session.load(Ordering::SeqCst) {
            0 => {}
            session => crate::child::signal_session(session, signal),
        }
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub fn cut(&self) {
        self.truncated.store(true, Ordering::Relaxed);
    }

    pub fn show(&self, progress: Progress) {
        if let Some(live) = &self.live {
            live(progress);
        }
    }

    /// As `saltutil.running` shows it.
    pub fn describe(&self) -> Value {
        let session = self.session.load(Ordering::Relaxed);
        let pid =
            self.groups().iter().next().copied().unwrap_or(if session == 0 { std::process::id() } else { session });
        let request = &self.job.request;
        json!({
            "jid": self.job.jid.to_string(),
            "fun": request.function,
            "arg": request.args.to_salt(),
            "tgt": request.target,
            "tgt_type": "compound",
            "ret": "",
            "user": request.operator,
            "pid": pid,
        })
    }
}

impl Watch for Running {
    fn started(&self, group: u32) {
        self.groups().insert(group);
        // The kill may have come between the check and the start.
        if self.is_stopped() {
            let _ = killpg(Pid::from_raw(group as i32), Signal::SIGKILL);
        }
    }

    fn line(&self, line: Progress) {
        self.show(line);
    }

    fn ended(&self, group: u32, output: &Output) {
        self.groups().remove(&group);
        if output.truncated {
            self.cut();
        }
    }

    fn stopped(&self) -> bool {
        self.is_stopped()
    }
}

/// Where a job is run.
pub struct Site<'a> {
    pub id: &'a MinionId,
    pub system: Arc<dyn System>,
    pub grains: Arc<Map>,
    pub tree: &'a dyn Tree,
    pub pillar: &'a Map,
    pub opts: &'a Map,
    pub agent: Option<&'a dyn Agent>,
}

/// The effect of a job's function; what does not exist only reads.
pub fn effect(job: &Job) -> Effect {
    exec::Table.find(job.request.function.as_str()).map_or(Effect::Reads, |function| function.effect)
}

/// Whether a job may be asked again after a crash, so that nothing needs to be noted on the disk
/// before it begins: what only reads, and health checks, although they start plugins.
pub fn is_repeatable(job: &Job) -> bool {
    effect(job) == Effect::Reads || job.request.function.as_str() == "check.run"
}

/// Runs a job to its end, on this thread. Never panics: a function that does has failed.
pub fn perform(running: &Arc<Running>, site: &Site<'_>, started: u64) -> Return {
    perform_here(running, site, started).0
}

/// The same for a caller in this process, who also learns why there is no value.
pub fn perform_here(running: &Arc<Running>, site: &Site<'_>, started: u64) -> (Return, Option<CallError>) {
    let begun = Instant::now();
    let retcode = AtomicI32::new(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| call(running, site, &retcode))).unwrap_or_else(|panic| {
        let what = panic_text(&*panic);
        tracing::error!(jid = %running.job.jid, function = %running.job.request.function, what, "a function panicked");
        Err(CallError::failed(format!("the function panicked, which is a fault of ours: {what}")))
    });
    let error = outcome.as_ref().err().cloned();
    let mut ret = judge(running, outcome, retcode.into_inner());
    ret.started = started;
    ret.duration = begun.elapsed().as_micros() as u64;
    bound(&mut ret);
    (ret, error)
}

fn call(running: &Arc<Running>, site: &Site<'_>, retcode: &AtomicI32) -> Result<Value, CallError> {
    let host = Scoped::new(site.system.clone(), site.grains.clone(), running.clone());
    let progress = |line| running.show(line);
    let context = Context {
        id: site.id,
        look: &host,
        host: Some(&host),
        functions: &exec::Table,
        pillar: site.pillar,
        opts: site.opts,
        tree: site.tree,
        agent: site.agent,
        progress: &progress,
        retcode,
    };
    let request = &running.job.request;
    let _turn = match turn::take(&running.job, site.opts, &|| running.is_stopped()) {
        Ok(turn) => turn,
        Err(NoTurn::Failed(error)) => return Err(error),
        Err(NoTurn::Held(holder)) => {
            retcode.store(1, Ordering::Relaxed);
            return Ok(json!([holder.describe()]));
        }
    };
    let args = from_operator(&request.args, request.function.module(), &running.job);
    let outcome = context.call(&request.function, args).map(states::value::plain);
    if !running.is_stopped() {
        let succeeded = outcome.is_ok() && retcode.load(Ordering::Relaxed) == 0;
        applied::keep(&running.job, site.tree, site.opts, succeeded);
    }
    outcome
}

/// Commands that an operator types go through a shell; those of templates do not.
fn from_operator(args: &Args, module: &str, job: &Job) -> Args {
    match module {
        "cmd" => args.clone().with(FROM_OPERATOR, job.jid.to_string()),
        _ => args.clone(),
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Salt's rules: a return code that the function left, or a `result` or `success` that is false,
/// or an error, mean failure.
fn judge(running: &Running, outcome: Result<Value, CallError>, retcode: i32) -> Return {
    let (value, retcode) = match outcome {
        Ok(value) if retcode == 0 && denies(&value) => (value, 1),
        Ok(value) => (value, retcode),
        Err(error) => (why_not(&error), if retcode == 0 { 1 } else { retcode }),
    };
    Return {
        jid: running.job.jid,
        outcome: if retcode == 0 { Outcome::Ok } else { Outcome::Failed },
        value,
        retcode,
        started: 0,
        duration: 0,
        truncated: running.truncated.load(Ordering::Relaxed),
    }
}

fn denies(value: &Value) -> bool {
    ["result", "success"].iter().any(|key| value.get(key).is_some_and(|value| !exec::bind::truth(value)))
}

/// What a function that failed returns: a text, or a list of what is wrong with a tree, as Salt has it.
pub(crate) fn why_not(error: &CallError) -> Value {
    match error {
        CallError::Problems(all) => all.iter().map(|why| Value::String(why.to_string())).collect(),
        other => error_text(other).into(),
    }
}

/// An error as the operator sees it.
pub fn error_text(error: &CallError) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\n  hint: {hint}"),
        None => error.to_string(),
    }
}

/// A job that came to nothing before its function was called.
pub fn failed(job: proto::JobId, error: &CallError, now: u64) -> Return {
    ended(job, Outcome::Failed, error_text(error), now)
}

/// A pair that ends without a call.
pub fn ended(job: proto::JobId, outcome: Outcome, why: impl Into<String>, now: u64) -> Return {
    let value = Value::String(why.into());
    Return { jid: job, outcome, value, retcode: 1, started: now, duration: 0, truncated: false }
}

/// Cuts a return that is too large as a whole: long texts first lose their ends.
fn bound(ret: &mut Return) {
    if job::size(&ret.value) <= OUTPUT_LIMIT as u64 + 1024 {
        return;
    }
    ret.truncated = true;
    let mut room = OUTPUT_LIMIT;
    cut(&mut ret.value, &mut room);
}

fn cut(value: &mut Value, room: &mut usize) {
    match value {
        Value::String(text) if text.len() > *room => {
            let at = text.floor_char_boundary(*room);
            text.truncate(at);
            text.push_str("\n[cut]");
            *room = 0;
        }
        Value::String(text) => *room -= text.len(),
        Value::Array(items) => {
            items.retain_mut(|item| {
                *room = room.saturating_sub(9);
                *room > 0 && {
                    cut(item, room);
                    true
                }
            });
        }
        Value::Object(map) => map.retain(|key, item| {
            *room = room.saturating_sub(key.len() + 9);
            *room > 0 && {
                cut(item, room);
                true
            }
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proto::{JobId, Request, RunOptions};

    use super::*;
    use crate::host::Local;

    fn run(function: &str, args: Args) -> Return {
        let request = Request {
            nonce: [0; 16],
            operator: "root".parse().unwrap(),
            target: "*".into(),
            function: function.parse().unwrap(),
            args,
            valid_until: u64::MAX,
            options: RunOptions::default(),
        };
        let job = Job { jid: JobId::from_micros(1), request, expires: u64::MAX, tree: None };
        let id = "web1".parse().unwrap();
        let site = Site {
            id: &id,
            system: Arc::new(Local::default()),
            grains: Arc::default(),
            tree: &states::tree::NoTree,
            pillar: &Map::new(),
            opts: &Map::new(),
            agent: None,
        };
        perform(&Arc::new(Running::new(job, None)), &site, 7)
    }

    #[test]
    fn what_a_function_gives_decides_how_the_job_ended() {
        let ping = run("test.ping", Args::default());
        assert_eq!((ping.outcome, ping.value, ping.retcode, ping.started), (Outcome::Ok, true.into(), 0, 7));
        assert_eq!(run("test.false", Args::default()).outcome, Outcome::Ok);
        let coded = run("test.retcode", Args::positional([3.into()]));
        assert_eq!((coded.outcome, coded.retcode, coded.value), (Outcome::Failed, 3, true.into()));
        let raised = run("test.exception", Args::positional(["Oh noes!".into()]));
        assert_eq!((raised.outcome, raised.retcode, raised.value), (Outcome::Failed, 1, "Oh noes!".into()));
        let denied = run("test.echo", Args::positional([json!({"result": false})]));
        assert_eq!(denied.outcome, Outcome::Failed);
    }

    #[test]
    fn an_unknown_function_is_answered_with_the_nearest() {
        let ret = run("test.pnig", Args::default());
        assert_eq!(ret.outcome, Outcome::Failed);
        assert_eq!(ret.value, "function test.pnig does not exist\n  hint: did you mean test.ping?");
    }

    #[test]
    fn commands_of_operators_go_through_a_shell() {
        let ret = run("cmd.run", Args::positional(["echo a; exit 4".into()]));
        assert_eq!((ret.value, ret.retcode, ret.outcome), ("a".into(), 4, Outcome::Failed));
        let plain = run("cmd.run", Args::positional(["echo a; exit 4".into()]).with("python_shell", false));
        assert_eq!((plain.value, plain.retcode), ("a; exit 4".into(), 0));
    }

    #[test]
    fn what_is_too_large_is_cut_and_marked() {
        let text = "x".repeat(OUTPUT_LIMIT);
        let ret = run("test.echo", Args::positional([json!({"a": text, "b": text, "c": "d"})]));
        assert!(ret.truncated && job::size(&ret.value) < OUTPUT_LIMIT as u64 + 1024);
    }
}
