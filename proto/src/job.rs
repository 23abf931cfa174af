//! A job on its way: what the operator signs, what the master publishes, what a minion returns.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Args, Carried, FunctionName, JobId, MinionId, OperatorName, PackedValue, Value, codec::CodecError};

/// What an operator asks for. `ctl` signs the msgpack bytes of this with the operator's key
/// (context [`REQUEST`](crate::sign::REQUEST)); the master passes those very bytes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Chosen at random for each request: the same one is never carried out twice.
    #[serde(with = "crate::codec::array")]
    pub nonce: [u8; 16],
    pub operator: OperatorName,
    /// The target expression as text; parsed by everyone who reads it.
    pub target: String,
    pub function: FunctionName,
    pub args: Args,
    /// Microseconds since 1970; the master refuses the request later than this.
    pub valid_until: u64,
    pub options: RunOptions,
}

/// How a request is to be carried out; signed with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunOptions {
    /// How many minions run it at once: a sliding window.
    pub batch: Option<Batch>,
    /// Only this many of the matching minions, chosen at random by the master.
    pub subset: Option<u32>,
    /// How long an absent minion may still pick the job up, in seconds.
    pub ttl: Option<u32>,
    /// Send output lines while the job runs.
    pub stream: bool,
    /// End the job for minions not yet started when one fails.
    pub fail_fast: bool,
    /// Kept in the audit log.
    pub comment: Option<String>,
    /// Hash of the state tree this request was made against (hex blake3), where it matters.
    pub tree: Option<String>,
}

/// `--batch 10` or `--batch 25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    Count(u32),
    Percent(u8),
}

impl Batch {
    /// The window's size among `total` minions; never 0.
    pub fn window(self, total: usize) -> usize {
        let size = match self {
            Batch::Count(count) => count as usize,
            Batch::Percent(percent) => total * usize::from(percent) / 100,
        };
        size.max(1)
    }
}

/// What the master signs (context [`PUBLISH`](crate::sign::PUBLISH)) around an operator's signed
/// request; once a wave, whatever the number of minions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    pub jid: JobId,
    /// The signed [`Request`], byte for byte as the operator signed it.
    pub request: crate::sign::Signed,
    /// Microseconds since 1970 on the master's clock: not to be started later than this.
    pub expires: u64,
    /// 0 for the first wave of a batch, then counting.
    pub wave: u32,
    /// The state tree (hex blake3 of its manifest) that this run uses.
    pub tree: Option<String>,
    /// For a stage of an orchestration: the operator's signed request for the whole. `request` is
    /// then signed by the master, in that operator's name.
    #[serde(default)]
    pub authority: Option<crate::sign::Signed>,
}

/// A verified job, as a minion runs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub jid: JobId,
    pub request: Request,
    pub expires: u64,
    pub tree: Option<String>,
}

/// How a (job, minion) pair ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    Failed,
    /// The minion or the master would not run it.
    Refused,
    /// It was not started within its time to live.
    Expired,
    /// The minion was not connected and did not come within the time to live.
    Offline,
    /// It was started, and no return can ever come.
    Lost,
}

impl Outcome {
    pub const ALL: [Self; 6] = [Self::Ok, Self::Failed, Self::Refused, Self::Expired, Self::Offline, Self::Lost];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Offline => "offline",
            Self::Lost => "lost",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Outcome {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Ok, Self::Failed, Self::Refused, Self::Expired, Self::Offline, Self::Lost]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or(())
    }
}

/// What one minion has to say at the end of one job. The minion's name is not in it: it comes
/// from the connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: Carried")]
pub struct Return<V = Value> {
    pub jid: JobId,
    pub outcome: Outcome,
    /// What the function gave; for other ends, the reason as a string.
    #[serde(with = "crate::packed::carried")]
    pub value: V,
    /// Salt's `retcode`: 0 when all is well.
    pub retcode: i32,
    /// When it started, in microseconds since 1970 on the master's clock.
    pub started: u64,
    /// How long it took, in microseconds.
    pub duration: u64,
    /// Output went over its bound and was cut.
    #[serde(default)]
    pub truncated: bool,
}

impl Return {
    /// The same with its value as bytes. Of a value that fits into no message there is what
    /// [`cut`](Self::cut) leaves.
    pub fn pack(&self) -> Return<PackedValue> {
        match PackedValue::new(&self.value) {
            Ok(value) => self.with(value),
            Err(_) => self.cut(),
        }
    }
}

impl<V: Carried> Return<V> {
    /// What this return counts against credit, on both sides: see [`message`](crate::message).
    pub fn weight(&self) -> u64 {
        64 + self.value.size()
    }

    /// The verdict, with as little of its output as says what happened: the start of a text.
    pub fn cut(&self) -> Return<PackedValue> {
        let start = self.value.start(512);
        let value = PackedValue::text(format!("{start}\n[the output was cut: it did not fit]").trim_start());
        Return { truncated: true, ..self.with(value) }
    }

    fn with<W>(&self, value: W) -> Return<W> {
        let Self { jid, outcome, retcode, started, duration, truncated, .. } = *self;
        Return { jid, outcome, value, retcode, started, duration, truncated }
    }
}

/// About how many bytes a value takes, encoded or in memory.
pub fn size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 9,
        Value::String(text) => 5 + text.len() as u64,
        Value::Array(items) => 5 + items.iter().map(size).sum::<u64>(),
        Value::Object(map) => 5 + map.iter().map(|(key, value)| 5 + key.len() as u64 + size(value)).sum::<u64>(),
    }
}

/// How a pair ended, as the ledger and `ctl` know it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(bound = "V: Carried")]
pub struct PairEnd<V = Value> {
    pub minion: MinionId,
    pub ret: Return<V>,
    /// When the master had it, in microseconds since 1970.
    pub at: u64,
}

impl PairEnd<PackedValue> {
    /// The same with its value opened.
    ///
    /// # Errors
    /// The bytes are no value.
    pub fn open(&self) -> Result<PairEnd, CodecError> {
        let ret = self.ret.with(self.ret.value.open()?);
        Ok(PairEnd { minion: self.minion.clone(), ret, at: self.at })
    }
}
