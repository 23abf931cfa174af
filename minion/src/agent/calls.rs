//! What a function may ask of the agent that runs it.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use nix::sys::signal::Signal;
use proto::{
    Packed, Question, Value, event,
    message::{FromMinion, Lane},
    net::NetError,
};
use states::{CallError, call::Agent};

use super::{Inner, drift, lock};
use crate::{
    checks::{self, Drifts},
    clock::Offset,
    job::Running,
};

/// The agent as one of its jobs sees it.
pub struct JobAgent {
    pub inner: Arc<Inner>,
    pub running: Arc<Running>,
}

impl Agent for JobAgent {
    fn send_event(&self, tag: &str, data: Value) -> Result<(), CallError> {
        self.inner.send_event(tag, data)
    }

    fn running(&self) -> Vec<Value> {
        let jobs = lock(&self.inner.ledger).all_running();
        // As in Salt, a job does not list itself.
        jobs.iter().filter(|job| job.job.jid != self.running.job.jid).map(|job| job.describe()).collect()
    }

    fn signal(&self, jid: &str, signal: i32) -> bool {
        let running = jid.parse().ok().and_then(|jid| lock(&self.inner.ledger).running(jid));
        match (running, Signal::try_from(signal)) {
            (Some(running), Ok(signal)) => {
                running.signal(signal);
                true
            }
            _ => false,
        }
    }

    fn restart(&self) {
        self.inner.restart.store(true, Relaxed);
        self.inner.stop.cancel();
    }

    fn refresh_grains(&self) {
        self.inner.refresh_grains();
    }

    fn refresh_pillar(&self) {
        self.inner.forget_pillar();
    }

    fn ask(&self, question: Question) -> Result<Vec<u8>, CallError> {
        Ok(self.inner.stock().ask(question)?)
    }

    fn cancelled(&self) -> bool {
        self.running.is_stopped()
    }

    fn beyond(&self) -> Option<&dyn std::any::Any> {
        Some(self)
    }
}

impl JobAgent {
    /// How far this host's clock is off the master's.
    pub fn clock_offset(&self) -> Option<Offset> {
        self.inner.clock.offset()
    }

    /// The checks that it has read.
    pub fn known_checks(&self) -> &checks::Memo {
        &self.inner.checks.memo
    }

    /// Whom to ask for drift, where checks run on their intervals.
    pub fn drifts(&self) -> Option<Drifts> {
        drift::drifts(&self.inner)
    }

    /// Whether drift was looked for, and a top file has something for this host.
    pub fn knows_drift(&self) -> bool {
        self.inner.checks.drift.is_declared()
    }
}

impl Inner {
    pub(super) fn send_event(&self, tag: &str, data: Value) -> Result<(), CallError> {
        if event::is_reserved(tag) {
            return Err(CallError::arguments(format!("the tag {tag} is one of the bus's own; use another")));
        }
        let sender = lock(&self.sender).clone();
        let sender = sender.ok_or_else(|| CallError::failed("the minion is not connected to its master"))?;
        let event = FromMinion::Event { tag: tag.to_owned(), data };
        sender.try_send(Lane::Control, &event).map_err(|error| CallError::failed(format!("event not sent: {error}")))
    }

    /// The same, not on this thread: detection asks programs.
    pub(crate) fn refresh_grains_soon(self: &Arc<Self>) {
        let inner = self.clone();
        tokio::task::spawn_blocking(move || inner.refresh_grains());
    }

    /// Detects the grains anew and tells the master.
    pub(super) fn refresh_grains(&self) {
        if let Some(detect) = self.detect {
            self.set_grains(detect(&self.config));
        }
        let sender = lock(&self.sender).clone();
        if let Some(sender) = sender {
            let sent = Packed::new(&self.grains())
                .map_err(NetError::from)
                .and_then(|grains| sender.try_send(Lane::Control, &FromMinion::Grains(grains)));
            if let Err(error) = sent {
                tracing::warn!(%error, "the master was not told the new grains");
            }
        }
    }
}
