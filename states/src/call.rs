//! Functions that can be called: by an operator, by a template, by a state.

use proto::{Args, FunctionName, Map, MinionId, Value};

pub use template::CallError;

use crate::{Host, Look, Tree};

/// What calling a function may do. Declared by each function, relied upon by the minion
/// (where it runs, what survives a crash) and by dry runs (what may be called).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing; may be asked again after a crash.
    Reads,
    /// Starts what the caller names (`cmd.*`). Runs at most once.
    Runs,
    /// Changes the host. Runs at most once, in a child of its own.
    Writes,
}

/// What a job that is still running has to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// One line of output.
    Stdout(String),
    Stderr(String),
    /// A state that has ended, as one JSON object: `id`, `name`, `function`, `sls`, `result`,
    /// `changed`, `number`, `of`, `duration` (in milliseconds). Or one that has not ended, and says in
    /// `waiting` what it waits for.
    State(Value),
}

/// One parameter of a function, as `sys.argspec` and `ctl doc` show it.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    /// How the default is written in Salt's documentation (`None`, `True`, `'/bin/sh'`);
    /// `None` for a required parameter.
    pub default: Option<&'static str>,
}

/// A function: its name, its documentation (Markdown; the first line is the summary, and a
/// line that starts with `ctl run` is the example), its parameters, and what it does.
pub struct Function {
    pub name: &'static str,
    pub doc: &'static str,
    pub params: &'static [Param],
    pub effect: Effect,
    pub call: fn(&Context<'_>, Args) -> Result<Value, CallError>,
}

impl Function {
    /// One that only reads.
    pub const fn reads(
        name: &'static str,
        params: &'static [Param],
        call: fn(&Context<'_>, Args) -> Result<Value, CallError>,
        doc: &'static str,
    ) -> Self {
        Self { name, doc, params, effect: Effect::Reads, call }
    }
}

/// What can be called by name. Templates (`salt['m.f']()`), states and functions themselves
/// call through this.
pub trait Functions: Send + Sync {
    fn find(&self, name: &str) -> Option<&'static Function>;
    /// All of them, for `sys.list_functions` and "did you mean".
    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_>;
}

/// Where a call happens.
pub struct Context<'a> {
    pub id: &'a MinionId,
    pub look: &'a dyn Look,
    /// `None` where nothing may be started or changed: on the master, and in dry runs.
    pub host: Option<&'a dyn Host>,
    pub functions: &'a dyn Functions,
    /// Where `salt://` files come from; [`NoTree`](crate::tree::NoTree) where there are none.
    pub tree: &'a dyn Tree,
    pub pillar: &'a Map,
    /// The configuration as Salt's `__opts__`.
    pub opts: &'a Map,
    /// What the agent can do that a function alone cannot (send an event, list its jobs).
    pub agent: Option<&'a dyn Agent>,
    /// Called with each line of output while the job runs.
    pub progress: &'a (dyn Fn(Progress) + Sync),
    /// A function that ended well and still failed (`test.retcode 3`, `cmd.run false`) says so here.
    pub retcode: &'a std::sync::atomic::AtomicI32,
}

/// What a function may ask of the agent that runs it. All of it is refused politely where
/// there is no agent (`ctl call`).
pub trait Agent: Send + Sync {
    /// `salt/…` and `overstate/…` are refused: facts about the bus are the bus's own to tell.
    fn send_event(&self, tag: &str, data: Value) -> Result<(), CallError>;
    /// The jobs that run now, as `saltutil.running` shows them.
    fn running(&self) -> Vec<Value>;
    /// Sends a signal to a job's process group. Gives whether there was such a job.
    fn signal(&self, jid: &str, signal: i32) -> bool;
    fn restart(&self);
    fn refresh_grains(&self);
    /// Has the pillar compiled anew when it is needed next.
    fn refresh_pillar(&self) {}
    /// Asks the master, waits, and gives the answer's bytes.
    fn ask(&self, _question: proto::Question) -> Result<Vec<u8>, CallError> {
        Err(CallError::NoAgent)
    }
    /// The job that is calling, where it is one of the bus's.
    fn jid(&self) -> Option<proto::JobId> {
        None
    }
    /// Puts a line into the agent's log.
    fn log(&self, _line: &str) {}
    /// Whether the job that is calling was killed; what waits for long asks this now and then.
    fn cancelled(&self) -> bool {
        false
    }
    /// What only modules of other crates know how to ask (an orchestration's fleet).
    fn beyond(&self) -> Option<&dyn std::any::Any> {
        None
    }
}

impl<'a> Context<'a> {
    /// The same once more, to change a part of it.
    pub fn copy(&self) -> Self {
        Context { ..*self }
    }

    /// The writing door, or the error that says why it is shut.
    pub fn host(&self) -> Result<&'a dyn Host, CallError> {
        self.host.ok_or(CallError::NotHere)
    }

    pub fn agent(&self) -> Result<&'a dyn Agent, CallError> {
        self.agent.ok_or(CallError::NoAgent)
    }

    /// Tells whoever follows the run, and the log, what a state waits for: a row of progress whose
    /// `waiting` is a sentence.
    pub fn wait_for(&self, low: &Map, what: &str) {
        let text = |key: &str| low.get(key).and_then(Value::as_str).unwrap_or_default();
        let function = format!("{}.{}", text("state"), text("fun"));
        if let Some(agent) = self.agent {
            agent.log(&format!("{function} {} waits: {what}", text("__id__")));
        }
        (self.progress)(Progress::State(serde_json::json!({
            "id": text("__id__"), "name": text("name"), "function": function, "sls": text("__sls__"),
            "result": null, "changed": false, "waiting": what,
        })));
    }

    /// Calls another function by name, as Salt's `__salt__` does.
    pub fn call(&self, name: &FunctionName, args: Args) -> Result<Value, CallError> {
        let function = self
            .functions
            .find(name.as_str())
            .ok_or_else(|| CallError::unknown(name.as_str(), self.functions.all().map(|f| f.name)))?;
        (function.call)(self, args)
    }
}
