//! What a minion must not forget: which jobs it began, and the returns that the master has not
//! stored yet.
//!
//! One `redb` file beneath `root_dir/spool`, opened when it is first needed: an agent that is only
//! ever asked `Reads` has none. Writes that come together are committed together.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use proto::{
    JobId, PackedValue, Return,
    codec::{self, Limits},
};
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

const MARKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("marks");
const RETURNS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("returns");
const NONCES: TableDefinition<'_, &[u8], u64> = TableDefinition::new("nonces");
const FACTS: TableDefinition<'_, &str, u64> = TableDefinition::new("facts");

/// Until when the requests are valid whose nonces were forgotten; none of them is taken again.
const FLOOR: &str = "floor";
/// redb's own default would be 1 GiB.
const CACHE: usize = 1024 * 1024;
/// Marks and nonces are kept this long after they can matter, in microseconds: two clocks may
/// differ.
pub const GRACE: u64 = 2 * 3_600_000_000;

/// That a job was begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    pub nonce: [u8; 16],
    /// When it began, in microseconds since 1970 on the master's clock.
    pub started: u64,
    pub expires: u64,
    pub valid_until: u64,
    pub function: String,
    /// Its return is or was in the spool.
    pub ended: bool,
}

/// Why the spool could not keep something.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the spool {path} cannot be written: {why}")]
pub struct SpoolError {
    pub path: String,
    pub why: String,
}

/// What was found when the spool was opened.
#[derive(Debug, Default)]
pub struct Found {
    pub marks: HashMap<JobId, Mark>,
    /// Returns that wait for the master, oldest first, with their weight.
    pub returns: Vec<(JobId, u64)>,
    pub floor: u64,
}

enum Op {
    Mark(JobId, Mark),
    /// Ends its mark as well, if it has one: a `Reads` has none.
    Return(Box<Return<PackedValue>>),
    Drop(Vec<JobId>),
    Prune(u64),
}

/// The spool of one agent. Clones share it.
#[derive(Clone)]
pub struct Spool(Arc<Shared>);

struct Shared {
    path: PathBuf,
    limit: u64,
    queue: Mutex<Queue>,
    database: Mutex<Store>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Op, oneshot::Sender<Result<(), SpoolError>>)>,
    /// Somebody is committing, and will take what comes.
    busy: bool,
}

#[derive(Default)]
struct Store {
    database: Option<Database>,
    /// Bytes of returns in it.
    bytes: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spool {
    /// A spool beneath `root`, holding at most `limit` bytes of returns. Nothing is opened yet.
    pub fn new(root: &Path, limit: u64) -> Self {
        let path = root.join("spool/jobs.redb");
        Self(Arc::new(Shared { path, limit, queue: Mutex::default(), database: Mutex::default() }))
    }

    /// What an earlier run left. Touches nothing when there was none.
    pub fn found(&self) -> Result<Found, SpoolError> {
        if !self.0.path.exists() {
            return Ok(Found::default());
        }
        let mut store = lock(&self.0.database);
        self.0.open(&mut store).and_then(found).map_err(|error| self.0.failed(&mut store, &error))
    }

    /// Says that a job is begun. When this has come back the mark is on the disk.
    pub async fn mark(&self, jid: JobId, mark: Mark) -> Result<(), SpoolError> {
        self.submit(Op::Mark(jid, mark)).await
    }

    /// Keeps a return. When this has come back it is on the disk.
    pub async fn keep(&self, ret: Return<PackedValue>) -> Result<(), SpoolError> {
        self.submit(Op::Return(Box::new(ret))).await
    }

    /// Forgets returns that the master has stored.
    pub async fn forget(&self, jids: Vec<JobId>) -> Result<(), SpoolError> {
        self.submit(Op::Drop(jids)).await
    }

    /// Forgets marks that can matter no more at `now` (the earlier of the master's clock and ours).
    pub async fn prune(&self, now: u64) -> Result<(), SpoolError> {
        match self.0.path.exists() {
            true => self.submit(Op::Prune(now)).await,
            false => Ok(()),
        }
    }

    /// Returns that were kept, in this order: those that come after `most` bytes are left for
    /// another time.
    pub fn read(&self, jids: Vec<JobId>, most: usize) -> Result<Vec<Option<Return<PackedValue>>>, SpoolError> {
        let mut store = lock(&self.0.database);
        let read = self.0.open(&mut store).and_then(|database| read(database, &jids, most));
        read.map_err(|error| self.0.failed(&mut store, &error))
    }

    async fn submit(&self, op: Op) -> Result<(), SpoolError> {
        let (done, outcome) = oneshot::channel();
        let begin = {
            let mut queue = lock(&self.0.queue);
            queue.waiting.push((op, done));
            !std::mem::replace(&mut queue.busy, true)
        };
        if begin {
            let shared = self.0.clone();
            tokio::task::spawn_blocking(move || shared.work());
        }
        outcome.await.unwrap_or_else(|_| Err(self.0.error("the writer stopped")))
    }
}

impl Shared {
    /// Commits groups until nothing waits any more.
    fn work(&self) {
        loop {
            let group = {
                let mut queue = lock(&self.queue);
                let group = std::mem::take(&mut queue.waiting);
                queue.busy = !group.is_empty();
                group
            };
            if group.is_empty() {
                return;
            }
            let (ops, waiting): (Vec<_>, Vec<_>) = group.into_iter().unzip();
            let outcome = self.commit(&ops);
            for done in waiting {
                // Who gave up waiting does not need the answer.
                let _ = done.send(outcome.clone());
            }
        }
    }

    fn commit(&self, ops: &[Op]) -> Result<(), SpoolError> {
        let mut store = lock(&self.database);
        let bytes = store.bytes;
        let outcome = self.open(&mut store).and_then(|database| commit(database, ops, bytes, self.limit));
        match outcome {
            Ok(bytes) => {
                store.bytes = bytes;
                Ok(())
            }
            Err(error) => Err(self.failed(&mut store, &error)),
        }
    }

    fn open<'a>(&self, store: &'a mut Store) -> Result<&'a Database, redb::Error> {
        if store.database.is_none() {
            if let Some(folder) = self.path.parent() {
                crate::pki::private_folder(folder)?;
            }
            let database = Database::builder().set_cache_size(CACHE).create(&self.path)?;
            store.bytes = prepare(&database)?;
            store.database = Some(database);
        }
        store.database.as_ref().ok_or_else(|| redb::Error::Io(io::Error::other("the spool did not open")))
    }

    /// After an error `redb` takes nothing more: the file is opened anew the next time, when the
    /// disk may have room again.
    fn failed(&self, store: &mut Store, error: &redb::Error) -> SpoolError {
        store.database = None;
        self.error(&error.to_string())
    }

    fn error(&self, why: &str) -> SpoolError {
        SpoolError { path: self.path.display().to_string(), why: why.to_owned() }
    }
}

/// Makes the tables where they are missing, and counts the bytes of the returns. A spool that has
/// them is not written to: on a full disk it can still be read.
fn prepare(database: &Database) -> Result<u64, redb::Error> {
    if database.begin_read()?.open_table(FACTS).is_err() {
        let transaction = database.begin_write()?;
        transaction.open_table(MARKS)?;
        transaction.open_table(NONCES)?;
        transaction.open_table(FACTS)?;
        transaction.open_table(RETURNS)?;
        transaction.commit()?;
    }
    let returns = database.begin_read()?.open_table(RETURNS)?;
    Ok(returns.iter()?.try_fold(0, |sum, row| row.map(|(_, value)| sum + value.value().len() as u64))?)
}

fn found(database: &Database) -> Result<Found, redb::Error> {
    let transaction = database.begin_read()?;
    let mut found = Found::default();
    for row in transaction.open_table(MARKS)?.iter()? {
        let (jid, mark) = row?;
        if let Ok(mark) = codec::decode(mark.value(), Limits::SMALL) {
            found.marks.insert(JobId::from_micros(jid.value()), mark);
        }
    }
    for row in transaction.open_table(RETURNS)?.iter()? {
        let (jid, ret) = row?;
        let weight = codec::decode::<Return<PackedValue>>(ret.value(), Limits::MESSAGE).map_or(0, |ret| ret.weight());
        found.returns.push((JobId::from_micros(jid.value()), weight));
    }
    found.floor = transaction.open_table(FACTS)?.get(FLOOR)?.map_or(0, |floor| floor.value());
    Ok(found)
}

fn read(database: &Database, jids: &[JobId], most: usize) -> Result<Vec<Option<Return<PackedValue>>>, redb::Error> {
    let table = database.begin_read()?.open_table(RETURNS)?;
    let (mut found, mut bytes) = (Vec::new(), 0);
    for jid in jids {
        let row = table.get(jid.micros())?;
        bytes += row.as_ref().map_or(0, |row| row.value().len());
        found.push(row.and_then(|row| codec::decode(row.value(), Limits::MESSAGE).ok()));
        if bytes > most {
            break;
        }
    }
    Ok(found)
}

/// Carries out a group in one transaction. Gives the bytes of returns there are now.
fn commit(database: &Database, ops: &[Op], mut bytes: u64, limit: u64) -> Result<u64, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Only what is promised must be on the disk: forgetting may be forgotten.
    if ops.iter().all(|op| matches!(op, Op::Drop(_))) {
        transaction.set_durability(Durability::None).map_err(|error| redb::Error::Io(io::Error::other(error)))?;
    }
    {
        let mut tables = Tables {
            marks: transaction.open_table(MARKS)?,
            returns: transaction.open_table(RETURNS)?,
            nonces: transaction.open_table(NONCES)?,
            facts: transaction.open_table(FACTS)?,
        };
        for op in ops {
            bytes = tables.apply(op, bytes, limit)?;
        }
    }
    transaction.commit()?;
    Ok(bytes)
}

struct Tables<'t> {
    marks: redb::Table<'t, u64, &'static [u8]>,
    returns: redb::Table<'t, u64, &'static [u8]>,
    nonces: redb::Table<'t, &'static [u8], u64>,
    facts: redb::Table<'t, &'static str, u64>,
}

impl Tables<'_> {
    fn apply(&mut self, op: &Op, bytes: u64, limit: u64) -> Result<u64, redb::Error> {
        match op {
            Op::Mark(jid, mark) => {
                self.marks.insert(jid.micros(), encode(mark)?.as_ref())?;
                self.nonces.insert(&mark.nonce[..], mark.valid_until)?;
                Ok(bytes)
            }
            Op::Return(ret) => self.keep(ret, bytes, limit),
            Op::Drop(jids) => jids.iter().try_fold(bytes, |bytes, jid| self.drop(*jid, bytes)),
            Op::Prune(now) => self.prune(*now).map(|()| bytes),
        }
    }

    fn keep(&mut self, ret: &Return<PackedValue>, bytes: u64, limit: u64) -> Result<u64, redb::Error> {
        let mut encoded = encode(ret);
        if encoded.as_ref().map_or(true, |encoded| bytes + encoded.len() as u64 > limit) {
            encoded = encode(&ret.cut());
        }
        let encoded = encoded?;
        let before = self.returns.insert(ret.jid.micros(), encoded.as_ref())?.map_or(0, |old| old.value().len());
        self.end_mark(ret.jid)?;
        Ok((bytes + encoded.len() as u64).saturating_sub(before as u64))
    }

    fn end_mark(&mut self, jid: JobId) -> Result<(), redb::Error> {
        let mark = self.marks.get(jid.micros())?.and_then(|row| codec::decode::<Mark>(row.value(), Limits::SMALL).ok());
        if let Some(mark) = mark.filter(|mark| !mark.ended) {
            self.marks.insert(jid.micros(), encode(&Mark { ended: true, ..mark })?.as_ref())?;
        }
        Ok(())
    }

    /// The master has it. Its mark is ended here if its return could not be kept before.
    fn drop(&mut self, jid: JobId, bytes: u64) -> Result<u64, redb::Error> {
        self.end_mark(jid)?;
        let gone = self.returns.remove(jid.micros())?.map_or(0, |old| old.value().len() as u64);
        Ok(bytes.saturating_sub(gone))
    }

    fn prune(&mut self, now: u64) -> Result<(), redb::Error> {
        let past = now.saturating_sub(GRACE);
        let over = |bytes: &[u8]| {
            codec::decode::<Mark>(bytes, Limits::SMALL).map_or(true, |mark| mark.ended && mark.expires < past)
        };
        self.marks.retain(|_, mark| !over(mark))?;
        let mut floor = self.facts.get(FLOOR)?.map_or(0, |floor| floor.value());
        self.nonces.retain(|_, valid_until| {
            let keep = valid_until >= past;
            floor = if keep { floor } else { floor.max(valid_until) };
            keep
        })?;
        self.facts.insert(FLOOR, floor)?;
        Ok(())
    }
}

fn encode<T: Serialize>(value: &T) -> Result<bytes::Bytes, redb::Error> {
    codec::encode(value).map_err(|error| redb::Error::Io(io::Error::other(error)))
}

#[cfg(test)]
mod tests {
    use proto::Outcome;

    use super::*;

    fn mark(nonce: u8, expires: u64) -> Mark {
        Mark { nonce: [nonce; 16], started: 1, expires, valid_until: expires, function: "cmd.run".into(), ended: false }
    }

    fn ret(jid: u64, text: &str) -> Return<PackedValue> {
        Return {
            jid: JobId::from_micros(jid),
            outcome: Outcome::Failed,
            value: PackedValue::text(text),
            retcode: 3,
            started: 1,
            duration: 2,
            truncated: false,
        }
    }

    fn one(spool: &Spool, jid: u64) -> Option<Return<PackedValue>> {
        spool.read(vec![JobId::from_micros(jid)], 0).unwrap().remove(0)
    }

    #[tokio::test]
    async fn many_are_read_at_once_within_bounds() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(root.path(), u64::MAX);
        for n in 1..=3 {
            spool.keep(ret(n, &"x".repeat(1000))).await.unwrap();
        }
        let jids = || [1, 9, 2, 3].map(JobId::from_micros).to_vec();
        let all = spool.read(jids(), 1 << 20).unwrap();
        assert_eq!(all.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true, true]);
        assert_eq!(spool.read(jids(), 1500).unwrap().len(), 3, "the second goes over the bound");
    }

    #[tokio::test]
    async fn what_was_kept_is_there_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(root.path(), 1 << 20);
        assert!(spool.found().unwrap().marks.is_empty() && !root.path().join("spool").exists());
        spool.mark(JobId::from_micros(1), mark(1, 50)).await.unwrap();
        spool.mark(JobId::from_micros(2), mark(2, 50)).await.unwrap();
        spool.keep(ret(2, "out")).await.unwrap();
        // The writer has answered, and may not have let go yet.
        while Arc::strong_count(&spool.0) > 1 {
            tokio::task::yield_now().await;
        }
        drop(spool);
        let spool = Spool::new(root.path(), 1 << 20);
        let found = spool.found().unwrap();
        assert!(!found.marks[&JobId::from_micros(1)].ended && found.marks[&JobId::from_micros(2)].ended);
        assert_eq!(found.returns, [(JobId::from_micros(2), ret(2, "out").weight())]);
        assert_eq!(one(&spool, 2), Some(ret(2, "out")));
        spool.forget(vec![JobId::from_micros(2)]).await.unwrap();
        assert_eq!(one(&spool, 2), None);
    }

    #[tokio::test]
    async fn a_full_spool_cuts_output_and_keeps_verdicts() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(root.path(), 2000);
        spool.keep(ret(1, &"x".repeat(1500))).await.unwrap();
        spool.keep(ret(2, &"y".repeat(1500))).await.unwrap();
        let kept = one(&spool, 2).unwrap();
        assert!(kept.truncated && kept.outcome == Outcome::Failed && kept.retcode == 3);
        assert!(kept.value.read::<String>().unwrap().len() < 600);
        spool.forget(vec![JobId::from_micros(1)]).await.unwrap();
        spool.keep(ret(3, &"z".repeat(1000))).await.unwrap();
        assert!(!one(&spool, 3).unwrap().truncated);
    }

    #[tokio::test]
    async fn pruning_forgets_the_past_and_remembers_how_far_it_forgot() {
        let root = tempfile::tempdir().unwrap();
        let spool = Spool::new(root.path(), 1 << 20);
        for (jid, expires) in [(1, 100), (2, 200), (3, 10 * GRACE)] {
            spool.mark(JobId::from_micros(jid), mark(jid as u8, expires)).await.unwrap();
            spool.keep(ret(jid, "")).await.unwrap();
        }
        spool.prune(GRACE + 1000).await.unwrap();
        let found = spool.found().unwrap();
        assert_eq!(found.marks.into_keys().collect::<Vec<_>>(), [JobId::from_micros(3)]);
        assert_eq!(found.floor, 200);
    }

    #[tokio::test]
    async fn a_spool_that_cannot_be_written_says_so_and_tries_again() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("spool"), "in the way").unwrap();
        let spool = Spool::new(root.path(), 1 << 20);
        let error = spool.mark(JobId::from_micros(1), mark(1, 5)).await.unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        std::fs::remove_file(root.path().join("spool")).unwrap();
        spool.mark(JobId::from_micros(1), mark(1, 5)).await.unwrap();
    }
}
