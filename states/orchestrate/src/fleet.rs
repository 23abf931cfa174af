//! The fleet as an orchestration sees it.

use std::{sync::Arc, time::Duration};

use proto::{
    JobId, MinionId, RunOptions, Value,
    event::Event,
    job::PairEnd,
    message::{Absent, orchestration::Call},
};

/// Why something was not done. Its text is for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub enum Refused {
    /// Nobody matches the target.
    NoMatch(String),
    /// The orchestration was killed.
    Killed(String),
    /// Not permitted, malformed, or the store does not take it.
    Other(String),
}

/// Who a target means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Matched {
    /// All of them, sorted.
    pub minions: Vec<MinionId>,
    /// Those that are not connected.
    pub absent: Vec<(MinionId, Option<u64>)>,
}

/// A job of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Child {
    pub jid: JobId,
    pub expected: Vec<MinionId>,
    /// Those of `expected` that are not connected now.
    pub absent: Vec<Absent>,
}

/// What becomes of a job.
#[derive(Debug, Clone)]
pub enum Note {
    Ended(Arc<PairEnd>),
    Absent(Absent),
    Present(MinionId),
    /// Every pair has ended.
    Done,
    /// Nothing has happened for as long as was waited.
    Quiet,
}

/// A job that is followed: first what was, then what comes.
pub trait Follow {
    /// The next note, or [`Note::Quiet`] after `patience`.
    ///
    /// # Errors
    /// The orchestration was killed, or the job cannot be followed any more.
    fn next(&mut self, patience: Duration) -> Result<Note, Refused>;
}

/// Events that are listened to.
pub trait Listen {
    /// The next event; `None` after `patience`.
    ///
    /// # Errors
    /// The orchestration was killed.
    fn next(&mut self, patience: Duration) -> Result<Option<Arc<Event>>, Refused>;
}

/// Functions of the master itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Runner,
    Wheel,
}

/// What steps ask of the minions. The master implements it, and a fake in tests.
///
/// `step` is always the tag of the low chunk that asks.
pub trait Fleet: Send + Sync {
    /// Who matches now.
    fn resolve(&self, target: &str) -> Result<Matched, Refused>;

    /// The same for many targets, in their order.
    fn survey(&self, targets: &[String]) -> Vec<Result<Matched, Refused>> {
        targets.iter().map(|target| self.resolve(target)).collect()
    }

    /// Publishes a job of a step and gives it; or the one that this step published at the same
    /// point before an interruption, which is never published twice.
    fn publish(&self, step: &str, call: &Call, options: &RunOptions) -> Result<Child, Refused>;

    fn follow(&self, child: &Child) -> Result<Box<dyn Follow + '_>, Refused>;

    /// Lets nobody else of a job's batch start.
    fn stop(&self, child: JobId);

    /// Listens from now on.
    fn listen(&self) -> Box<dyn Listen + '_>;

    /// Calls a runner or wheel function.
    fn call(&self, step: &str, side: Side, function: &str, args: &proto::Args) -> Result<Value, Refused>;

    /// Calls a runner or wheel function that only looks, for a template.
    ///
    /// # Errors
    /// It does more than look, is not known or not permitted, or has failed.
    fn look(&self, _side: Side, function: &str, _args: &proto::Args) -> Result<Value, Refused> {
        Err(Refused::Other(format!("{function} is not available here")))
    }

    /// A pause of a step; none where an interruption is made up for.
    ///
    /// # Errors
    /// The orchestration was killed.
    fn pause(&self, step: &str, length: Duration) -> Result<(), Refused>;

    /// How the step's newest job stands.
    fn counts(&self, step: &str, ends: &[(proto::Outcome, u32)], open: u32);

    /// The first error of a host.
    fn failed(&self, step: &str, minion: &MinionId, why: &str);

    /// Something to know while a step waits.
    fn says(&self, step: &str, text: String);

    fn send_event(&self, tag: &str, data: Value) -> Result<(), Refused>;
}
