//! What is said on a connection, once its Noise session stands.
//!
//! A connection begins with the initiator's hello ([`MinionHello`] or [`OperatorHello`]), which
//! the master answers with `Welcome` or `Refused` before anything else. Nothing said in a Noise
//! handshake has an effect: its first message could be a replay.
//!
//! # Delivery between a master and a minion
//! Sequence numbers count from 1 on each connection; what went before is settled by the hello.
//!
//! * *Down*: `Publish` carries `seq`; the minion acknowledges (cumulatively) what it has in memory,
//!   verified: with its next return, or by `Received {up_to}` when there is none soon. At most [`DOWN_JOBS`] publishes or [`DOWN_BYTES`] are
//!   unacknowledged on a connection.
//! * *Up*: `Return` carries its `seq`; the master answers `Stored {up_to}` (cumulative) once it is
//!   on disk; only then the minion drops it from its spool. A return counts with its
//!   [`weight`](crate::Return::weight), and is sent only if all returns of this connection together stay within what
//!   `Credit` has granted (cumulative since the connection began, [`UP_BYTES`] at the start). The
//!   master tops it up by itself as it stores, so small returns never wait; a minion whose next
//!   return does not fit asks `Want {bytes}` once and gets its `Credit` in its turn, from a pool
//!   that all minions share: ten thousand answers of 1 MiB come in one after the other.
//! * On (re)connecting a minion names the jobs that it is running and those whose returns are in
//!   its spool (it sends these again at once). For every open pair of that minion that is not
//!   among them the master sends the job again if it is within its TTL (the minion dedupes by
//!   jid), and asks `Fate` otherwise.
//! * A minion's own questions (`Ask`) are a matter apart: [`question`](crate::question).

mod operator;
pub mod orchestration;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::{
    Carried, JobId, Map, MinionId, Packed, Question, Return, Value,
    checks::CheckRow,
    codec::{self, CodecError},
    question::Unanswered,
    sign::Signed,
};

pub use operator::*;
pub use orchestration::ORCHESTRATE;

pub const DOWN_JOBS: u64 = 64;
pub const DOWN_BYTES: u64 = 256 * 1024;
/// What a minion may send up unasked. 10,000 of them together stay within the master's bounds.
pub const UP_BYTES: u64 = 8 * 1024;
/// Seconds between heartbeats, each way; [`DEAD_AFTER`] of them missed mean a dead peer.
pub const HEARTBEAT: u64 = 15;
pub const DEAD_AFTER: u64 = 3;

/// Which of a connection's lanes a message takes; lower ones go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    Control = 0,
    Returns = 1,
    Files = 2,
}

/// A minion's first word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinionHello {
    /// The name it would like; it is its name only if its *key* is known by it.
    pub id: MinionId,
    pub version: String,
    /// A one-time enrolment token, for a key that the master does not know yet.
    pub token: Option<String>,
    pub grains: Packed,
    /// The minion's clock, in microseconds since 1970.
    pub now: u64,
    /// Jobs that it has and that have not ended.
    pub running: Vec<JobId>,
    /// Jobs whose returns are in its spool.
    pub spooled: Vec<JobId>,
}

/// An operator's first word. The name comes from the key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorHello {
    pub version: String,
}

/// The first message on any connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Hello {
    Minion(Box<MinionHello>),
    Operator(OperatorHello),
}

/// Why the master will not talk to a peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refusal {
    /// The key waits for `ctl key accept`.
    Pending,
    Rejected,
    /// The key was deleted while it was connected.
    Deleted,
    /// Another key already has this name.
    NameTaken,
    /// The key is known by another name.
    OtherName(MinionId),
    BadToken,
    UnknownOperator,
    /// The same key connected again; the newer connection stays.
    Replaced,
    /// Too many connections at once, or too many refusals from there.
    Busy,
    Version(String),
    ShuttingDown,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pending => f.write_str("the key is pending: accept it with `ctl key accept`"),
            Self::Rejected => f.write_str("the key was rejected"),
            Self::Deleted => f.write_str("the key was deleted"),
            Self::NameTaken => f.write_str("another key already has this name"),
            Self::OtherName(id) => write!(f, "this key is known as {id}"),
            Self::BadToken => f.write_str("the enrolment token is unknown, used or expired"),
            Self::UnknownOperator => f.write_str("no operator has this key"),
            Self::Replaced => f.write_str("the same key connected again"),
            Self::Busy => f.write_str("the master is busy"),
            Self::Version(why) => write!(f, "versions do not fit: {why}"),
            Self::ShuttingDown => f.write_str("the master is shutting down"),
        }
    }
}

/// Which of a running job's outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    Stdout,
    Stderr,
    /// Progress that is not output: a state that ended, as JSON.
    Progress,
}

/// What a minion says.
pub type FromMinion = FromMinionWith<Value>;

/// `V` is how a return's value is held: a master reads it as its bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: Carried")]
pub enum FromMinionWith<V> {
    /// Every `Publish` up to and with this one is in memory, verified and deduplicated.
    Received { up_to: u64 },
    /// The job runs now.
    Started { jid: JobId },
    /// `received` acknowledges publishes as `Received` does: an answer that comes quickly is its
    /// own acknowledgement.
    Return { seq: u64, ret: Box<Return<V>>, received: u64 },
    /// The next return needs this much credit in all (cumulative, as `Credit` counts).
    Want { bytes: u64 },
    /// Output of a job that runs with `stream`; not kept, not acknowledged.
    Output { jid: JobId, stream: Stream, text: String },
    /// An event from `event.send`.
    Event { tag: String, data: Value },
    /// Grains have changed.
    Grains(Packed),
    /// What became of a job the master asked about: nothing known of it, so it never started.
    Unknown { jid: JobId },
    Ping {
        now: u64,
        /// The [`digest`](crate::checks::digest) of its checks; 0: none run by themselves.
        #[serde(default)]
        checks: u64,
    },
    /// What it found of its checks: of all of them, in place of all that the master knows of it, or
    /// of those whose status changed. At most [`MOST_ROWS`](crate::checks::MOST_ROWS) rows.
    Checks { all: bool, rows: Vec<CheckRow> },
    /// For files, pillar or the mine: see [`question`](crate::question).
    Ask { id: u32, question: Question },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum ToMinion {
    Welcome {
        /// The master's clock, in microseconds since 1970.
        now: u64,
        /// Grains that the master fixed for this minion (`ctl key accept --grain`).
        fixed_grains: Map,
        /// How many minions this master has: they may all have started with this one. 0: it does not say.
        #[serde(default)]
        minions: u32,
    },
    Refused {
        why: Refusal,
        /// Seconds to wait before the next try.
        retry_after: u32,
    },
    /// `publish` is a signed [`Publish`](crate::Publish).
    Publish { seq: u64, publish: Signed },
    /// Returns up to and with this one are on the master's disk.
    Stored { up_to: u64 },
    /// Bytes of returns granted since the connection began.
    Credit { bytes: u64 },
    /// Report on this job: run it on, send its return, or say `Unknown`.
    Fate { jid: JobId },
    Ping {
        /// The master's clock, in microseconds since 1970.
        now: u64,
        /// `now` of the minion's last heartbeat, and when it was heard by the master's clock; 0 before any: the
        /// way there and back says how well the minion knows the master's clock.
        #[serde(default)]
        echo: u64,
        #[serde(default)]
        heard: u64,
    },
    /// All rows of its checks, please: the digest in its heartbeat is not that of the master's.
    Checks,
    /// A piece of the answer to question `id`, at most [`PART`](crate::question::PART) bytes.
    Part { id: u32, bytes: Bytes, last: bool },
    /// Question `id` has no answer, or no more of it.
    Failed { id: u32, why: Unanswered },
}

/// A [`Publish`](ToMinion::Publish) that is encoded once for all connections: only its number
/// differs.
#[derive(Debug, Clone)]
pub struct Published(Bytes);

impl Published {
    /// # Errors
    /// It is larger than any message may be.
    pub fn new(publish: &Signed) -> Result<Self, CodecError> {
        codec::encode(publish).map(Self)
    }

    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The message's bytes with this number.
    pub fn numbered(&self, seq: u64) -> Bytes {
        // A mapping of one: the variant's name, and its two fields.
        let mut bytes = BytesMut::with_capacity(20 + self.0.len());
        bytes.put_slice(b"\x81\xa7Publish\x92\xcf");
        bytes.put_u64(seq);
        bytes.put_slice(&self.0);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::Limits,
        sign::{Identity, PUBLISH},
    };

    #[test]
    fn a_publish_that_is_encoded_once_is_the_same_message() {
        let publish = Identity::generate().sign(PUBLISH, vec![7; 300]);
        let published = Published::new(&publish).unwrap();
        for seq in [1, 127, 70_000, u64::MAX] {
            let message: ToMinion = codec::decode(&published.numbered(seq), Limits::SMALL).unwrap();
            assert_eq!(message, ToMinion::Publish { seq, publish: publish.clone() });
        }
    }
}
