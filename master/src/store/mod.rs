//! What the master keeps: jobs and how their pairs ended, keys, operators, what is known of
//! minions, the audit log. Embedded SQLite beneath `root_dir`.
//!
//! All writes go through one task ([`writer`]), which puts everything that waits into one
//! transaction: the disk is asked to sync once for many returns. Reads have connections of
//! their own.

mod read;
mod writer;

use std::{path::Path, sync::Arc, time::Duration};

use proto::{
    Args, FunctionName, Hash, JobId, Map, MinionId, OperatorName, Outcome, Packed, codec,
    manifest::{EnvName, Revision},
    message::{KeyRow, OperatorEntry},
    question::MineEntry,
    sign::Signed,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tokio::sync::{mpsc, oneshot};

use crate::{checks::Kept, wire::PairEnd};

/// Writes that may wait for the writer before senders have to.
const QUEUE: usize = 16_384;

#[derive(Debug, Clone, thiserror::Error)]
#[error("the master's store: {0}")]
pub struct StoreError(pub String);

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

/// A job as the ledger keeps it.
#[derive(Debug, Clone)]
pub struct JobRecord {
    pub jid: JobId,
    pub operator: OperatorName,
    /// Where the operator asked from.
    pub origin: String,
    pub target: String,
    pub function: FunctionName,
    pub args: Args,
    pub comment: Option<String>,
    /// The signed request, byte for byte.
    pub request: Signed,
    pub expected: Arc<[MinionId]>,
    /// Microseconds since 1970.
    pub expires: u64,
    /// The tree that all of its minions use, if it needs one.
    pub tree: Option<Hash>,
    /// For a stage of an orchestration: the operator's signed request for the whole, and its job.
    pub authority: Option<Signed>,
    pub parent: Option<JobId>,
    /// The stage, as the tag of its step, where the job is made now.
    pub step: Option<String>,
}

/// What is remembered of a minion while it is away.
#[derive(Debug, Clone)]
pub struct MinionRecord {
    pub id: MinionId,
    pub last_seen: u64,
    pub version: String,
    pub address: String,
    pub grains: Packed,
}

/// An audit row.
#[derive(Debug, Clone)]
pub struct Audit {
    pub at: u64,
    pub operator: String,
    pub origin: String,
    pub action: String,
    pub outcome: String,
}

/// One thing to write. Those without an answer are kept trying until they are on disk.
pub(crate) enum Write {
    Job(Arc<JobRecord>, Answer),
    End(Arc<PairEnd>, Callback),
    /// Calls back once everything before it is on disk.
    After(Callback),
    Summary(JobId, Vec<(Outcome, u32)>),
    /// The row of an orchestration, with its steps as JSON.
    Orchestration(Arc<JobRecord>, String, Answer),
    /// How a step of an orchestration ended, as JSON. Whoever waits for an answer hears of a failure;
    /// what nobody waits for is tried again.
    Step {
        of: JobId,
        step: String,
        row: String,
        answer: Option<Answer>,
    },
    /// An orchestration has ended.
    Orchestrated(JobId, Outcome, Answer),
    Key(KeyRow, Answer),
    KeyGone(MinionId, Answer),
    Token {
        hash: [u8; 32],
        id: Option<MinionId>,
        expires: u64,
        answer: Answer,
    },
    TokenUsed([u8; 32], Answer),
    Operator(OperatorEntry, Answer),
    OperatorGone(OperatorName, Answer),
    Minion(MinionRecord),
    Seen(MinionId, u64),
    MinionGone(MinionId, Answer),
    /// All that a minion keeps in the mine.
    Mine(MinionId, Vec<MineEntry>, Answer),
    /// What minions told of their checks last; `None`: nothing any more.
    Checks(Vec<Kept>),
    /// A row that is written and removed again.
    Probe(Answer),
    /// Which commits a tree was made of, as JSON.
    Tree(Hash, String),
    Audit(Audit),
    Prune {
        before: JobId,
    },
}

/// Called when something is on disk. `Sync` only so that a group may be looked at across an await.
pub(crate) type Callback = Box<dyn FnOnce() + Send + Sync>;
pub(crate) type Answer = oneshot::Sender<Result<(), StoreError>>;

/// The handle that everyone holds; cheap to clone.
#[derive(Clone)]
pub struct Store {
    read: sqlx::SqlitePool,
    write: mpsc::Sender<Write>,
}

impl Store {
    /// Opens or makes the store at `path` and starts its writer.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(10));
        let one = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await?;
        sqlx::raw_sql(include_str!("schema.sql")).execute(&one).await?;
        add_column(&one, "jobs", "tree", "TEXT").await?;
        add_column(&one, "jobs", "parent", "INTEGER").await?;
        let read = SqlitePoolOptions::new().max_connections(2).connect_with(options.read_only(true)).await?;
        let (write, queue) = mpsc::channel(QUEUE);
        tokio::spawn(writer::run(one, queue));
        Ok(Self { read, write })
    }

    /// Writes the job down, and as which step's if it is one's; when this returns, it is on disk.
    pub async fn job(&self, job: Arc<JobRecord>) -> Result<(), StoreError> {
        self.ask(|answer| Write::Job(job, answer)).await
    }

    /// Keeps how a pair ended; `stored` is called when it is on disk, in the order of calls.
    /// Waits while the queue is full, which is what holds back the minions.
    pub async fn end(&self, end: Arc<PairEnd>, stored: impl FnOnce() + Send + Sync + 'static) {
        self.tell(Write::End(end, Box::new(stored))).await;
    }

    /// Calls `stored` when everything that was handed over before is on disk.
    pub async fn after_ends(&self, stored: impl FnOnce() + Send + Sync + 'static) {
        self.tell(Write::After(Box::new(stored))).await;
    }

    /// Every pair of the job has ended.
    pub async fn summary(&self, jid: JobId, counts: Vec<(Outcome, u32)>) {
        self.tell(Write::Summary(jid, counts)).await;
    }

    /// Writes an orchestration down, with its steps as JSON.
    pub async fn orchestration(&self, job: Arc<JobRecord>, steps: String) -> Result<(), StoreError> {
        self.ask(|answer| Write::Orchestration(job, steps, answer)).await
    }

    /// Keeps how a step of an orchestration ended, as JSON; when this returns, it is on disk.
    pub async fn step(&self, of: JobId, step: String, row: String) -> Result<(), StoreError> {
        self.ask(|answer| Write::Step { of, step, row, answer: Some(answer) }).await
    }

    /// The same, in its turn: whatever is handed over later is on disk no sooner.
    pub async fn step_in_turn(&self, of: JobId, step: String, row: String) {
        self.tell(Write::Step { of, step, row, answer: None }).await;
    }

    pub async fn orchestrated(&self, jid: JobId, outcome: Outcome) -> Result<(), StoreError> {
        self.ask(|answer| Write::Orchestrated(jid, outcome, answer)).await
    }

    pub async fn key(&self, row: KeyRow) -> Result<(), StoreError> {
        self.ask(|answer| Write::Key(row, answer)).await
    }

    pub async fn key_gone(&self, id: MinionId) -> Result<(), StoreError> {
        self.ask(|answer| Write::KeyGone(id, answer)).await
    }

    pub async fn token(&self, hash: [u8; 32], id: Option<MinionId>, expires: u64) -> Result<(), StoreError> {
        self.ask(|answer| Write::Token { hash, id, expires, answer }).await
    }

    pub async fn token_used(&self, hash: [u8; 32]) -> Result<(), StoreError> {
        self.ask(|answer| Write::TokenUsed(hash, answer)).await
    }

    pub async fn operator(&self, entry: OperatorEntry) -> Result<(), StoreError> {
        self.ask(|answer| Write::Operator(entry, answer)).await
    }

    pub async fn operator_gone(&self, name: OperatorName) -> Result<(), StoreError> {
        self.ask(|answer| Write::OperatorGone(name, answer)).await
    }

    pub async fn minion(&self, record: MinionRecord) {
        self.tell(Write::Minion(record)).await;
    }

    /// When the minion was last heard, in microseconds since 1970.
    pub async fn seen(&self, id: MinionId, at: u64) {
        self.tell(Write::Seen(id, at)).await;
    }

    pub async fn minion_gone(&self, id: MinionId) -> Result<(), StoreError> {
        self.ask(|answer| Write::MinionGone(id, answer)).await
    }

    /// Replaces what a minion keeps in the mine.
    pub async fn set_mine(&self, id: MinionId, entries: Vec<MineEntry>) -> Result<(), StoreError> {
        self.ask(|answer| Write::Mine(id, entries, answer)).await
    }

    /// Keeps what minions told of their checks.
    pub async fn set_checks(&self, kept: Vec<Kept>) {
        self.tell(Write::Checks(kept)).await;
    }

    /// Writes something and removes it again: when this returns, the disk has taken it.
    pub async fn probe(&self) -> Result<(), StoreError> {
        self.ask(Write::Probe).await
    }

    /// Writes that wait for the writer, and how many may.
    pub fn queued(&self) -> (usize, usize) {
        (QUEUE - self.write.capacity(), QUEUE)
    }

    /// Remembers which commits a tree was made of.
    pub async fn tree(&self, tree: Hash, revisions: &[(EnvName, Revision)]) {
        self.tell(Write::Tree(tree, json(revisions))).await;
    }

    pub async fn audit(&self, audit: Audit) {
        self.tell(Write::Audit(audit)).await;
    }

    /// Removes jobs older than `before` whose pairs have all ended.
    pub async fn prune(&self, before: JobId) {
        self.tell(Write::Prune { before }).await;
    }

    /// Waits until everything that was handed over so far is on disk.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        let tell = || {
            // Nobody waits any more after a time-out at shutdown.
            let _ = done.send(());
        };
        self.after_ends(tell).await;
        let _ = flushed.await;
    }

    async fn ask(&self, write: impl FnOnce(Answer) -> Write) -> Result<(), StoreError> {
        let (answer, result) = oneshot::channel();
        self.tell(write(answer)).await;
        result.await.unwrap_or_else(|_| Err(StoreError("the writer has stopped".into())))
    }

    async fn tell(&self, write: Write) {
        if self.write.send(write).await.is_err() {
            tracing::error!("the store's writer has stopped");
        }
    }
}

/// For stores that were made before there was this column.
async fn add_column(pool: &sqlx::SqlitePool, table: &str, column: &str, kind: &str) -> Result<(), StoreError> {
    let known = sqlx::query("SELECT 1 FROM pragma_table_info($1) WHERE name = $2").bind(table).bind(column);
    if known.fetch_optional(pool).await?.is_none() {
        let sql = format!("ALTER TABLE {table} ADD COLUMN {column} {kind}");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await?;
    }
    Ok(())
}

/// Fixed grains, arguments and summaries are kept as JSON, for whoever looks with `sqlite3`.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn map(text: &str) -> Map {
    serde_json::from_str(text).unwrap_or_default()
}

/// Msgpack, for what only we read. What was taken from the wire is within its limits.
fn pack<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, StoreError> {
    Ok(codec::encode(value).map_err(|error| StoreError(error.to_string()))?.to_vec())
}

fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    codec::decode(bytes, codec::Limits::MESSAGE).map_err(|error| StoreError(error.to_string()))
}
