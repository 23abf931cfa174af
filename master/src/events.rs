//! Facts, told to whoever listens: `ctl event watch`, the local event bus.
//!
//! Building an event costs something, and a run makes one for each return; so nothing is built
//! while nobody listens.

use std::sync::Arc;

use proto::{
    MinionId, Value,
    event::{self, Event},
    message::Refusal,
    sign::PublicKey,
};
use serde_json::json;
use tokio::sync::broadcast;

use crate::{checks::Change, clock, store::JobRecord, wire::PairEnd};

/// Events that a listener may be behind before it misses some (and is told how many).
const BACKLOG: usize = 16_384;

#[derive(Clone)]
pub struct Events(broadcast::Sender<Arc<Event>>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Events {
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.0.subscribe()
    }

    fn tell(&self, tag: impl FnOnce() -> String, data: impl FnOnce() -> Value) {
        if self.0.receiver_count() == 0 {
            return;
        }
        let now = clock::now();
        let mut data = data();
        if let Value::Object(map) = &mut data {
            map.entry("_stamp").or_insert_with(|| stamp(now).into());
        }
        // The last listener may have gone meanwhile.
        let _ = self.0.send(Arc::new(Event { tag: tag(), data, stamp: now }));
    }

    /// An event from an operator or from the local bus.
    pub fn send(&self, tag: String, data: Value) {
        self.tell(|| tag, || data);
    }

    /// An event from a minion, as Salt shapes it: who sent it is the master's word.
    pub fn of_minion(&self, id: &MinionId, tag: String, data: Value) {
        let text = tag.clone();
        self.tell(|| tag, || json!({ "id": id, "tag": text, "data": data, "cmd": "_minion_event" }));
    }

    /// `salt/job/JID/new`.
    pub fn started(&self, job: &JobRecord) {
        self.tell(
            || event::job_new(job.jid),
            || {
                json!({
                    "jid": job.jid.to_string(), "tgt": job.target, "tgt_type": "compound", "fun": job.function,
                    "arg": job.args.to_salt(), "minions": job.expected, "user": job.operator,
                })
            },
        );
    }

    /// `salt/job/JID/ret/ID`.
    pub fn ended(&self, job: &JobRecord, end: &PairEnd) {
        self.tell(
            || event::job_ret(job.jid, &end.minion),
            || {
                json!({
                    "jid": job.jid.to_string(), "id": end.minion, "fun": job.function, "fun_args": job.args.to_salt(),
                    "return": end.ret.value.open().unwrap_or_default(), "retcode": end.ret.retcode,
                    "success": end.ret.outcome == proto::Outcome::Ok, "outcome": end.ret.outcome,
                })
            },
        );
    }

    pub fn minion_start(&self, id: &MinionId) {
        self.tell(|| event::minion_start(id), || json!({ "id": id, "data": "Minion started", "cmd": "_minion_event" }));
        self.tell(|| event::PRESENCE_CHANGE.to_owned(), || json!({ "new": [id], "lost": [] }));
    }

    pub fn minion_gone(&self, id: &MinionId) {
        self.tell(|| event::PRESENCE_CHANGE.to_owned(), || json!({ "new": [], "lost": [id] }));
    }

    /// A check of a minion, or of the master itself, has another status.
    pub fn check(&self, id: &MinionId, change: &Change) {
        let Change { row, before } = change;
        self.tell(
            || event::check(id, &row.name, row.status),
            || {
                json!({
                    "id": id, "check": row.name, "status": row.status, "before": before, "output": row.output,
                    "since": row.since, "flapping": row.flapping,
                })
            },
        );
    }

    /// How many events the slowest listener is behind, and how many it may be before it misses some.
    pub fn lag(&self) -> (usize, usize) {
        (self.0.len(), BACKLOG)
    }

    pub fn key(&self, act: &str, id: &MinionId) {
        self.tell(|| event::KEY.to_owned(), || json!({ "id": id, "act": act, "result": true }));
    }

    /// A peer that was turned away.
    pub fn auth(&self, id: &MinionId, key: &PublicKey, why: &Refusal) {
        let act = match why {
            Refusal::Pending => "pend",
            Refusal::Rejected => "reject",
            _ => "denied",
        };
        let data = || json!({ "id": id, "act": act, "result": false, "pub": key.fingerprint().to_string(), "why": why.to_string() });
        self.tell(|| event::AUTH.to_owned(), data);
    }
}

/// An event's data on the local bus, with its time as Salt writes it.
pub fn stamp(micros: u64) -> String {
    let time = i64::try_from(micros).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok()).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%S.%6f").to_string()
}
