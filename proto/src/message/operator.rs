//! What `ctl` asks, and what the master answers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Refusal, Stream,
    orchestration::{Orchestration, OrchestrationDetail, OrchestrationEnd, OrchestrationStart, Plan, StageNote},
};
use crate::{
    Args, Carried, Hash, JobId, Map, MinionId, OperatorName, Value,
    checks::CheckPage,
    job::{Outcome, PairEnd},
    manifest::{EnvName, Revision},
    sign::{PublicKey, Signed},
};

/// A question of `ctl`; answers carry the same `id`, and a question may have many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    pub id: u32,
    pub query: Query,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Query {
    /// `request` is a signed [`Request`](crate::Request). Answered with `Job`, then (when
    /// `follow`) the pairs as they end, then `Done`.
    Run {
        request: Signed,
        follow: bool,
    },
    /// What an orchestration would do: see [`orchestration`](super::orchestration).
    Plan(Box<Orchestration>),
    /// `request` is a signed [`Request`](crate::Request) for [`ORCHESTRATE`](super::ORCHESTRATE).
    Orchestrate {
        request: Signed,
        follow: bool,
    },
    /// The job's pairs that ended, then those that end, then `Done`.
    Follow {
        jid: JobId,
    },
    /// No more answers to question `id`, please.
    Forget {
        id: u32,
    },
    /// Who would match.
    Resolve {
        target: String,
    },
    /// Ends the job's pairs that were not sent yet, and tells whose those were (`Changed`). Where
    /// it may run, only the minion can end it: that is a job of its own.
    Kill {
        jid: JobId,
    },
    Jobs(JobFilter),
    /// All about one job: the pairs that ended in as many `Ends` as they need, then `JobDetail`
    /// with all else.
    Job {
        jid: JobId,
    },
    Minions {
        id: Option<MinionId>,
    },
    ForgetMinion {
        id: MinionId,
    },
    Keys,
    Refused,
    KeyAccept {
        id: String,
        grains: Map,
        include_rejected: bool,
    },
    KeyReject {
        id: String,
    },
    KeyDelete {
        id: String,
    },
    /// A one-time enrolment token, valid for this many seconds.
    Token {
        id: Option<MinionId>,
        valid_for: u32,
    },
    Operators,
    OperatorAdd(OperatorEntry),
    OperatorRevoke {
        name: OperatorName,
    },
    /// Events whose tag matches the glob, from now on.
    Events {
        tag: String,
    },
    SendEvent {
        tag: String,
        data: Value,
    },
    /// What the master knows of the checks of those who match, without asking them; without a target,
    /// of its own alone. Answered with [`Reply::Checks`] until one is complete, and with `follow` with
    /// more of them as checks change.
    Checks {
        target: Option<String>,
        follow: bool,
    },
    /// What the master is doing: counters, queues, store.
    Status,
}

/// Which jobs to list. Times in microseconds since 1970; globs elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct JobFilter {
    pub since: Option<u64>,
    pub until: Option<u64>,
    pub operator: Option<String>,
    pub function: Option<String>,
    /// Jobs that went to a minion whose id matches, or whose target text is this.
    pub target: Option<String>,
    pub limit: u32,
}

/// What a master says to an operator.
pub type ToOperator = ToOperatorWith<Value>;
/// What a master answers.
pub type Reply = ReplyWith<Value>;

/// `V` is how returns' values are held: a master passes on their bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: Carried")]
pub enum ToOperatorWith<V> {
    Welcome { master: String, version: String, operator: OperatorName, now: u64 },
    Refused { why: Refusal },
    Answer { id: u32, reply: ReplyWith<V> },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: Carried")]
pub enum ReplyWith<V> {
    /// A run was recorded, and is being sent.
    Job(JobStart),
    /// Pairs that ended, each once; as many at a time as there are.
    Ends(Vec<Arc<PairEnd<V>>>),
    /// A minion with an open pair lost its connection.
    Absent(Absent),
    /// A minion with an open pair is connected again.
    Present {
        minion: MinionId,
    },
    Output {
        minion: MinionId,
        stream: Stream,
        text: String,
    },
    /// Every pair has ended.
    Done,
    Matched {
        connected: Vec<MinionId>,
        absent: Vec<Absent>,
    },
    Jobs(Vec<JobRow>),
    JobDetail(Box<JobDetail>),
    Minions(Vec<MinionRow>),
    Keys(Vec<KeyRow>),
    Refusals(Vec<RefusedRow>),
    Token(String),
    Operators(Vec<OperatorEntry>),
    Event {
        tag: String,
        data: Value,
    },
    Value(Value),
    Checks(Box<CheckPage>),
    Plan(Box<Plan>),
    Orchestration(Box<OrchestrationStart>),
    Stage(Box<StageNote>),
    Orchestrated(Box<OrchestrationEnd>),
    OrchestrationDetail(Box<OrchestrationDetail>),
    /// An orchestration starts no more stages, and these are its open jobs: what was sent of them only
    /// the minions can end.
    Stopped {
        jobs: Vec<JobId>,
    },
    /// Done, and what it was done to.
    Changed(Vec<String>),
    Error(Fault),
}

/// A refusal of a question, for the operator's eyes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FaultKind {
    NoMatch,
    NotPermitted,
    /// Target, function or arguments were malformed.
    Usage,
    NotFound,
    /// The store could not keep it, so it was not begun.
    Store,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobStart {
    pub jid: JobId,
    pub expected: Vec<MinionId>,
    /// Those of `expected` that are not connected now.
    pub absent: Vec<Absent>,
}

/// A minion that is not connected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Absent {
    pub minion: MinionId,
    /// Since when, in microseconds since 1970; `None` if it was never seen.
    pub since: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobRow {
    pub jid: JobId,
    pub operator: OperatorName,
    /// Address that the operator asked from.
    pub from: String,
    pub target: String,
    pub function: String,
    pub args: Args,
    pub comment: Option<String>,
    /// The tree that all of its minions used, if it needed one.
    pub tree: Option<Hash>,
    /// The orchestration that it is a part of.
    pub parent: Option<JobId>,
    pub expected: u32,
    /// How many pairs ended how.
    pub ends: Vec<(Outcome, u32)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDetail {
    pub row: JobRow,
    /// Empty on the wire: they come before, in `Ends`.
    pub ends: Vec<PairEnd>,
    /// Pairs that have not ended, with what is known of each.
    pub open: Vec<(MinionId, PairState)>,
    /// The commits that its tree was made of, by environment.
    pub revisions: Vec<(EnvName, Revision)>,
}

/// How far an open pair has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairState {
    Targeted,
    Sent,
    Received,
    Running,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinionRow {
    pub id: MinionId,
    pub connected: bool,
    /// When its present state (connected or not) began, in microseconds since 1970.
    pub since: Option<u64>,
    pub last_seen: Option<u64>,
    pub address: Option<String>,
    pub version: Option<String>,
    /// The minion's clock minus the master's, in microseconds.
    pub clock_offset: Option<i64>,
    /// Only when one minion was asked for.
    pub grains: Option<Map>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Pending,
    Accepted,
    Rejected,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeyRow {
    pub id: MinionId,
    pub key: PublicKey,
    pub state: KeyState,
    pub since: u64,
    pub fixed_grains: Map,
}

/// A peer that was turned away, for `ctl key list --refused`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RefusedRow {
    pub id: String,
    pub address: String,
    pub reason: String,
    pub count: u64,
    pub last: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorEntry {
    pub name: OperatorName,
    pub key: PublicKey,
    pub rules: Vec<Rule>,
}

/// What an operator may do: every listed function (globs) on minions that match.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    pub functions: Vec<String>,
    pub targets: String,
}
