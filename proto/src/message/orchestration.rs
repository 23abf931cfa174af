//! Overstates and orchestrate SLS between `ctl` and the master.
//!
//! 1. `Query::Plan` with an [`Orchestration`]; answered with `Reply::Plan`: the stages, who matches now,
//!    and the calls that they will make.
//! 2. The operator signs a [`Request`](crate::Request) for [`ORCHESTRATE`] that [`Orchestration::request`]
//!    makes, the calls of the plan within, and sends it as `Query::Orchestrate`. Answered with
//!    `Reply::Orchestration` (jid and plan), then `Reply::Stage` as things happen, `Reply::Orchestrated`
//!    with the rows, `Reply::Done`.
//! 3. `Query::Follow` of its jid: the same from `Reply::Orchestration` on, what was first. `Query::Job`:
//!    `Reply::OrchestrationDetail`. `Query::Kill`: `Reply::Stopped`.
//!
//! Each call of a stage is a job of its own, with the operator's signed orchestration as its
//! [`authority`](crate::Publish::authority).

use serde::{Deserialize, Serialize};

use super::{Absent, JobRow};
use crate::{Args, FunctionName, Hash, JobId, Map, MinionId, Outcome, Value, codec, codec::CodecError};

/// The function of a request that starts an orchestration; access rules see it by this name.
pub const ORCHESTRATE: &str = "state.orchestrate";

/// What to orchestrate, and how: the named arguments of the operator's signed request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orchestration {
    pub source: Source,
    pub saltenv: Option<String>,
    /// Over the pillar, for templates of the orchestration itself.
    pub pillar: Map,
    /// Nothing is changed on any host.
    pub test: bool,
    /// Only this stage and those that wait for it; the others count as done.
    pub from: Option<String>,
    /// Only this stage; the others count as done.
    pub only: Option<String>,
    /// Takes over the good rows of this one.
    pub resume: Option<JobId>,
    /// Also while another run of the same is under way.
    pub concurrent: bool,
    /// The calls that the operator has seen in the plan, by [`Call::hash`]: a minion that trusts
    /// listed operators alone runs no others.
    pub calls: Vec<Hash>,
}

/// Where the stages are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An overstate in the tree of the environment, by path.
    Overstate(String),
    /// An overstate's text, and what to call its file.
    Text { name: String, text: String },
    /// Orchestrate SLS of the tree.
    Sls(Vec<String>),
    /// That of the orchestration that is resumed.
    Resumed,
}

impl Default for Source {
    fn default() -> Self {
        Self::Overstate("overstate.sls".into())
    }
}

impl Source {
    /// What the orchestration is called; two of one name and environment do not run at once.
    pub fn name(&self) -> String {
        match self {
            Self::Overstate(path) => path.clone(),
            Self::Text { name, .. } => name.clone(),
            Self::Sls(names) => names.join(","),
            Self::Resumed => String::new(),
        }
    }
}

impl Orchestration {
    /// The arguments of the request that carries it.
    pub fn args(&self) -> Args {
        match serde_json::to_value(self) {
            Ok(Value::Object(named)) => Args { positional: Vec::new(), named },
            _ => Args::default(),
        }
    }

    /// # Errors
    /// The arguments are not those of an orchestration.
    pub fn from_args(args: &Args) -> Result<Self, serde_json::Error> {
        serde_json::from_value(Value::Object(args.named.clone()))
    }
}

/// What a stage calls on the minions that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// A compound expression.
    pub target: String,
    pub function: FunctionName,
    pub args: Args,
}

impl Call {
    /// What names a call in [`Orchestration::calls`]: target, function and arguments alone.
    ///
    /// # Errors
    /// It is larger than any message may be.
    pub fn hash(&self) -> Result<Hash, CodecError> {
        codec::encode(&(&self.target, &self.function, &self.args)).map(|bytes| Hash::of(&bytes))
    }
}

/// The stages of an orchestration, in an order in which they could run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    pub saltenv: String,
    pub test: bool,
    pub stages: Vec<PlanStage>,
    /// What the operator signs: every call that is known before anything runs.
    pub calls: Vec<Call>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanStage {
    pub id: String,
    /// The key of its row in the end.
    pub tag: String,
    /// `salt.state`.
    pub function: String,
    /// For people: `highstate`, `sls web, db`, `pkg.install http`.
    pub what: String,
    /// For people: `25% at once`, `expect any`.
    pub rules: Vec<String>,
    pub target: Option<String>,
    pub needs: Vec<Need>,
    /// How many match now, and the first of them.
    pub matched: u32,
    pub minions: Vec<MinionId>,
    /// How many of these are not connected, and the first of them.
    pub offline: u32,
    pub absent: Vec<Absent>,
    /// Why it will not run (`--from`, `--only`, taken over from an earlier run).
    pub skipped: Option<String>,
    /// What is wrong with it that is known already, such as a target that nobody matches.
    pub fault: Option<String>,
    /// Where it is written.
    pub place: String,
}

/// That a stage waits for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// `require`, `onfail`, `watch` …, as in Salt.
    pub kind: String,
    /// Which of [`Plan::stages`].
    pub stage: u32,
}

/// An orchestration was recorded and runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrchestrationStart {
    pub jid: JobId,
    pub plan: Plan,
}

/// Something happened to one stage of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageNote {
    /// Which of [`Plan::stages`].
    pub stage: u32,
    /// Microseconds since 1970.
    pub at: u64,
    pub what: StageEvent,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum StageEvent {
    /// It was published to these minions as job `jid`. A stage with `retry` or checks has several.
    Job { jid: JobId, function: String, expected: u32, absent: Vec<Absent> },
    /// How its newest job stands. Said when it changes, a few times a second at most.
    Counts { ends: Vec<(Outcome, u32)>, open: u32 },
    /// The first error of a host.
    Failed { minion: MinionId, why: String },
    /// Something to know while it waits: who is absent, which attempt failed.
    Says(String),
    Ended {
        /// `None`: a dry run that would change something.
        result: Option<bool>,
        /// Whether it was started at all.
        ran: bool,
        changed: bool,
        comment: String,
        /// Microseconds.
        duration: u64,
    },
}

/// How an orchestration ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrchestrationEnd {
    pub jid: JobId,
    /// `Ok`, `Failed`, or `Refused` when it was killed.
    pub outcome: Outcome,
    /// Salt's shape of `state.orchestrate`: `{"data": {"HOST_master": {tag: row}}, "outputter":
    /// "highstate", "retcode": 0}`.
    pub value: Value,
}

/// All about an orchestration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrchestrationDetail {
    pub row: JobRow,
    pub plan: Plan,
    /// As many as the plan has.
    pub stages: Vec<StageDetail>,
    /// Once it has ended.
    pub outcome: Option<Outcome>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StageDetail {
    /// The jobs that it published, oldest first; `Query::Job` tells each.
    pub jobs: Vec<JobId>,
    /// Its row in Salt's shape, once it has ended.
    pub row: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Limits;

    fn call() -> Call {
        let args = Args::positional(["web".into()]).with("test", true);
        Call { target: "web*".into(), function: "state.sls".parse().unwrap(), args }
    }

    #[test]
    fn an_orchestration_survives_its_request() {
        let orchestration = Orchestration {
            source: Source::Text { name: "o.sls".into(), text: "a:\n  match: '*'\n".into() },
            resume: Some(JobId::from_micros(7)),
            calls: vec![call().hash().unwrap()],
            from: Some("a".into()),
            ..Orchestration::default()
        };
        let bytes = codec::encode(&orchestration.args()).unwrap();
        let args: Args = codec::decode(&bytes, Limits::SMALL).unwrap();
        assert_eq!(Orchestration::from_args(&args).unwrap(), orchestration);
        assert!(Orchestration::from_args(&Args::default().with("sauce", 1)).is_err());
    }

    #[test]
    fn a_call_is_known_by_all_that_it_does() {
        let hash = call().hash().unwrap();
        assert_eq!(hash, call().hash().unwrap());
        let others = [
            Call { target: "*".into(), ..call() },
            Call { function: "state.apply".parse().unwrap(), ..call() },
            Call { args: Args::positional(["web".into()]), ..call() },
        ];
        assert!(others.iter().all(|other| other.hash().unwrap() != hash));
    }
}
