//! Jobs: recorded, sent, watched to their end.
//!
//! The way of a job through here: [`Jobs::run`] (resolve, record, sign once a wave, send), then
//! what minions say ([`Jobs::received`], [`Jobs::returned`], …), until every pair has ended. What
//! is on disk is the row of the job, written before anything is sent, and a row for each pair
//! that ended; all between is in memory and is told again by minions that reconnect.

mod live;
mod run;
#[cfg(test)]
mod tests;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use proto::{
    JobId, MinionId, OperatorName, Outcome, Publish, Request, codec,
    message::{JobDetail, JobFilter, JobRow, PairState, Published, Stream, ToMinion},
    sign::{self, Identity, Signed},
};

use crate::{
    clock,
    events::Events,
    files::Files,
    fleet::Fleet,
    pillar::Pillars,
    store::{JobRecord, Store, StoreError},
    wire::{PairEnd, Return},
};
use live::{Again, LiveJob, verdict};
pub use run::{Part, Started};
pub(crate) use run::{fault, tree_gone};
pub use watch::{Note, Watch};

/// Jobs whose pairs have not all ended, at once.
pub const MOST_LIVE: usize = 20_000;
/// Requests that are remembered, so that none is carried out twice.
const MOST_NONCES: usize = 500_000;
/// The longest that a request may be valid, in microseconds: a day, and what clocks may differ.
const VALID_AT_MOST: u64 = 25 * 3_600 * 1_000_000;

pub struct Jobs {
    store: Store,
    fleet: Arc<Fleet>,
    events: Events,
    identity: Arc<Identity>,
    files: Arc<Files>,
    pillars: Arc<Pillars>,
    lost_after: u64,
    table: Mutex<Table>,
    counters: Counters,
}

/// What has happened since this master began.
#[derive(Default)]
struct Counters {
    recorded: AtomicU64,
    ends: [AtomicU64; Outcome::ALL.len()],
}

/// What else jobs need.
pub struct Beside {
    pub files: Arc<Files>,
    pub pillars: Arc<Pillars>,
}

#[derive(Default)]
struct Table {
    live: HashMap<JobId, LiveJob>,
    /// Which open jobs a minion has a pair in.
    by_minion: HashMap<MinionId, HashSet<JobId>>,
    last: Option<JobId>,
    /// Nonces of requests that are still valid, so that none is carried out twice.
    nonces: HashMap<[u8; 16], u64>,
}

impl Jobs {
    /// Takes up every job that the store holds open.
    pub async fn load(
        store: Store,
        fleet: Arc<Fleet>,
        events: Events,
        identity: Arc<Identity>,
        beside: Beside,
        lost_after: u64,
    ) -> Result<Self, StoreError> {
        let mut table = Table { last: store.newest_job().await?, ..Table::default() };
        let since = JobId::from_micros(clock::now().saturating_sub(VALID_AT_MOST));
        for request in store.requests(since, MOST_NONCES as u32).await?.iter().filter_map(request_of) {
            table.nonces.insert(request.nonce, request.valid_until);
        }
        for (record, ended) in store.open_jobs().await? {
            let Some(request) = request_of(&record.request) else {
                tracing::error!(jid = %record.jid, "the store holds a job that cannot be read");
                continue;
            };
            table.insert(LiveJob::restored(Arc::new(record), request.options, &ended));
        }
        let Beside { files, pillars } = beside;
        let table = Mutex::new(table);
        let counters = Counters::default();
        let jobs = Self { store, fleet, events, identity, files, pillars, lost_after, table, counters };
        jobs.finish_ended().await;
        Ok(jobs)
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Jobs whose last pair ended just before a crash lack nothing but their summary.
    async fn finish_ended(&self) {
        let ended: Vec<JobId> = self.table().live.values().filter(|job| job.is_done()).map(LiveJob::jid).collect();
        for jid in ended {
            self.finish(jid).await;
        }
    }

    /// Sends a job to these minions, signed once for all of them.
    fn send(&self, record: &JobRecord, wave: u32, minions: &[MinionId]) {
        if minions.is_empty() {
            return;
        }
        // In a batch, the time to live of each wave begins with it.
        let ttl = record.expires.saturating_sub(record.jid.micros());
        let expires = record.expires.max(clock::now() + if wave > 1 { ttl } else { 0 });
        let tree = record.tree.map(|tree| tree.to_string());
        let authority = record.authority.clone();
        let publish = Publish { jid: record.jid, request: record.request.clone(), expires, wave, tree, authority };
        let signed = self.identity.sign_value(sign::PUBLISH, &publish);
        match signed.and_then(|signed| Ok(Published::new(&signed)?)) {
            Ok(published) => self.fleet.publish(minions, record.jid, published),
            Err(error) => tracing::error!(jid = %record.jid, %error, "cannot publish"),
        }
    }

    /// These publishes are in the minion's memory.
    pub fn received(&self, minion: &MinionId, jids: impl IntoIterator<Item = JobId>) {
        let mut table = self.table();
        for jid in jids {
            if let Some(job) = table.live.get_mut(&jid) {
                job.step(minion, PairState::Received);
            }
        }
    }

    pub fn started(&self, minion: &MinionId, jid: JobId) {
        if let Some(job) = self.table().live.get_mut(&jid) {
            job.step(minion, PairState::Running);
        }
    }

    pub fn output(&self, minion: &MinionId, jid: JobId, stream: Stream, text: &str) {
        if let Some(job) = self.table().live.get_mut(&jid)
            && job.state(minion).is_some()
        {
            job.output(minion, stream, text);
        }
    }

    /// A minion's answer. `stored` is called when it is on disk, or at once when it need not be
    /// kept: it was before, or this minion was never asked.
    pub async fn returned(&self, minion: &MinionId, ret: Return, stored: impl FnOnce() + Send + Sync + 'static) {
        let end = Arc::new(PairEnd { minion: minion.clone(), ret, at: clock::now() });
        if self.close(&end).await {
            self.store.end(end.clone(), stored).await;
        } else if self.was_lost(&end).await {
            self.store.end(end.clone(), stored).await;
            self.recount(end.ret.jid).await;
        } else {
            tracing::debug!(%minion, jid = %end.ret.jid, "a return that nobody waits for");
            // Behind those that are still on their way to the disk.
            self.store.after_ends(stored).await;
        }
        self.finish_if_done(end.ret.jid).await;
    }

    /// Whether this pair was given up, so that its return, come after all, takes the place of that.
    async fn was_lost(&self, end: &PairEnd) -> bool {
        let known = self.store.end_of(end.ret.jid, &end.minion).await;
        known.is_ok_and(|known| known.is_some_and(|known| known.ret.outcome == Outcome::Lost))
            && end.ret.outcome != Outcome::Lost
    }

    async fn recount(&self, jid: JobId) {
        self.store.flush().await;
        match self.store.counts(jid).await {
            Ok(counts) if !self.table().live.contains_key(&jid) => self.store.summary(jid, counts).await,
            Ok(_) => {}
            Err(error) => tracing::error!(%jid, %error, "cannot count the job's ends again"),
        }
    }

    /// The minion knows nothing of the job, which it is too late to send.
    pub async fn unknown(&self, minion: &MinionId, jid: JobId) {
        let why = "it did not reach the minion within its time to live".to_owned();
        self.decide(jid, minion.clone(), Outcome::Expired, why).await;
    }

    /// Ends the pairs of a job that were not sent: those whose turn in a batch has not come, and
    /// those of absent minions. Gives whose they were; `None` if no such job is open.
    pub async fn kill(&self, jid: JobId, operator: &OperatorName) -> Option<Vec<MinionId>> {
        let waiting = self.table().live.get_mut(&jid)?.stop_sending();
        for minion in &waiting {
            let why = format!("killed by {operator} before it was sent");
            self.decide(jid, minion.clone(), Outcome::Refused, why).await;
        }
        // Whoever looks now sees them ended.
        self.store.flush().await;
        Some(waiting)
    }

    /// Whom an open job concerns.
    pub fn concerned(&self, jid: JobId) -> Option<Arc<[MinionId]>> {
        self.table().live.get(&jid).map(|job| job.record.expected.clone())
    }

    /// Ends a pair by the master's own verdict.
    async fn decide(&self, jid: JobId, minion: MinionId, outcome: Outcome, why: String) {
        let end = verdict(jid, minion, outcome, why, clock::now());
        if self.close(&end).await {
            self.store.end(end, || ()).await;
        }
        self.finish_if_done(jid).await;
    }

    /// Ends a pair in memory, tells who follows, and lets the next of a batch go. Gives false if
    /// there was no such pair.
    async fn close(&self, end: &Arc<PairEnd>) -> bool {
        let jid = end.ret.jid;
        let (record, next, wave, cut) = {
            let mut table = self.table();
            let Some(job) = table.live.get_mut(&jid) else { return false };
            if !job.end(end) {
                return false;
            }
            let cut = job.cut_short(end.ret.outcome);
            let next = job.next_wave();
            let found = (job.record.clone(), next, job.wave, cut);
            if let Some(jobs) = table.by_minion.get_mut(&end.minion) {
                jobs.remove(&jid);
            }
            found
        };
        self.counters.ends[end.ret.outcome as usize].fetch_add(1, Relaxed);
        self.events.ended(&record, end);
        self.send(&record, wave, &next);
        for minion in cut {
            let why = format!("not started: {} failed and --fail-fast was given", end.minion);
            Box::pin(self.decide(jid, minion, Outcome::Refused, why)).await;
        }
        true
    }

    async fn finish_if_done(&self, jid: JobId) {
        let done = self.table().live.get(&jid).is_some_and(LiveJob::is_done);
        if done {
            self.finish(jid).await;
        }
    }

    async fn finish(&self, jid: JobId) {
        let removed = self.table().live.remove(&jid);
        if let Some(job) = removed {
            self.store.summary(jid, job.counts().to_vec()).await;
        }
    }

    /// A minion is connected: sends it what it lacks. `has` are the jobs that it runs or whose
    /// returns it keeps.
    pub fn connected(&self, minion: &MinionId, has: &HashSet<JobId>) {
        let now = clock::now();
        let mut sends = Vec::new();
        let mut fates = Vec::new();
        {
            let mut table = self.table();
            let mut jids: Vec<JobId> = table.by_minion.get(minion).into_iter().flatten().copied().collect();
            jids.sort();
            for jid in jids {
                let Some(job) = table.live.get_mut(&jid) else { continue };
                match job.connected(minion, has.contains(&jid), now) {
                    Again::Wait => sends.push((job.record.clone(), job.next_wave(), job.wave)),
                    Again::Send => sends.push((job.record.clone(), vec![minion.clone()], job.wave.max(1))),
                    Again::Fate => fates.push(jid),
                }
            }
        }
        for (record, minions, wave) in sends {
            self.send(&record, wave, &minions);
        }
        for jid in fates {
            self.fleet.say(minion, ToMinion::Fate { jid });
        }
    }

    /// A minion's connection is gone; its pairs stay open.
    pub fn gone(&self, minion: &MinionId) {
        let now = clock::now();
        let mut table = self.table();
        let jids: Vec<JobId> = table.by_minion.get(minion).into_iter().flatten().copied().collect();
        for jid in jids {
            if let Some(job) = table.live.get_mut(&jid) {
                job.gone(minion, now);
            }
        }
    }

    /// A minion's key is gone: nothing will ever come from it.
    pub async fn deleted(&self, minion: &MinionId) {
        let jids: Vec<(JobId, PairState)> = {
            let table = self.table();
            let jids = table.by_minion.get(minion).into_iter().flatten();
            jids.filter_map(|jid| Some((*jid, table.live.get(jid)?.state(minion)?))).collect()
        };
        for (jid, state) in jids {
            let outcome = if state == PairState::Targeted { Outcome::Offline } else { Outcome::Lost };
            self.decide(jid, minion.clone(), outcome, "the minion's key was deleted".into()).await;
        }
    }

    /// Once a second: pairs that nobody came for in time.
    pub async fn tick(&self) {
        let now = clock::now();
        let overdue: Vec<(JobId, MinionId, Outcome)> = {
            let mut table = self.table();
            if table.nonces.len() >= MOST_NONCES / 2 {
                table.nonces.retain(|_, until| *until >= now);
            }
            let overdue = |job: &LiveJob| {
                let jid = job.jid();
                job.overdue(now, self.lost_after, |id| self.fleet.is_connected(id))
                    .into_iter()
                    .map(move |(id, outcome)| (jid, id, outcome))
            };
            table.live.values().flat_map(overdue).collect()
        };
        for (jid, minion, outcome) in overdue {
            let why = match outcome {
                Outcome::Lost => "no word of it since it was sent, for longer than job_lost_after".into(),
                _ => self.fleet.why_absent(&minion),
            };
            self.decide(jid, minion, outcome, why).await;
        }
    }

    /// Follows a job; `None` if there is none with that id.
    pub async fn follow(&self, jid: JobId) -> Result<Option<tokio::sync::mpsc::UnboundedReceiver<Note>>, StoreError> {
        let (watch, notes) = Watch::new(jid);
        if let Some(job) = self.table().live.get_mut(&jid) {
            job.watch(watch);
            return Ok(Some(notes));
        }
        let Some(record) = self.store.job_record(jid).await? else { return Ok(None) };
        record.expected.iter().for_each(|id| {
            watch.stored(id);
        });
        watch.done();
        Ok(Some(notes))
    }

    /// Jobs that fit, newest first, with how their pairs ended so far.
    pub async fn list(&self, filter: &JobFilter) -> Result<Vec<JobRow>, StoreError> {
        let mut rows = self.store.jobs(filter).await?;
        let table = self.table();
        for row in &mut rows {
            if let Some(job) = table.live.get(&row.jid) {
                row.ends = job.counts().to_vec();
            }
        }
        Ok(rows)
    }

    /// All about one job but its returns, and whose are on disk.
    pub async fn detail(&self, jid: JobId) -> Result<Option<(JobDetail, Vec<MinionId>)>, StoreError> {
        let filter =
            JobFilter { since: Some(jid.micros()), until: Some(jid.micros()), limit: 1, ..JobFilter::default() };
        let Some(row) = self.list(&filter).await?.pop() else { return Ok(None) };
        let states: HashMap<MinionId, PairState> = match self.table().live.get(&jid) {
            Some(job) => job.open().map(|(id, state)| (id.clone(), state)).collect(),
            None => HashMap::new(),
        };
        let expected = self.store.job_record(jid).await?.map(|record| record.expected);
        let ended = self.store.ended(jid).await?;
        let known: HashSet<&MinionId> = ended.iter().collect();
        // A pair whose end is on its way to the disk has not ended yet: every pair is named once.
        let state = |id: &MinionId| states.get(id).copied().unwrap_or(PairState::Running);
        let open = expected.iter().flat_map(|all| all.iter()).filter(|id| !known.contains(id));
        let open = open.map(|id| (id.clone(), state(id))).collect();
        let revisions = match &row.tree {
            Some(tree) => self.store.revisions(tree).await?,
            None => Vec::new(),
        };
        Ok(Some((JobDetail { row, ends: Vec::new(), open, revisions }, ended)))
    }

    /// The jobs that are open, oldest first.
    pub fn open_ids(&self) -> Vec<JobId> {
        let mut ids: Vec<JobId> = self.table().live.keys().copied().collect();
        ids.sort();
        ids
    }

    /// Jobs that were recorded since this master began.
    pub fn recorded(&self) -> u64 {
        self.counters.recorded.load(Relaxed)
    }

    /// How many pairs ended how since this master began.
    pub fn ended(&self) -> impl Iterator<Item = (Outcome, u64)> + '_ {
        Outcome::ALL.iter().map(|&outcome| (outcome, self.counters.ends[outcome as usize].load(Relaxed)))
    }

    /// How many jobs and pairs are open.
    pub fn load_now(&self) -> (usize, usize) {
        let table = self.table();
        (table.live.len(), table.live.values().map(|job| job.open().count()).sum())
    }
}

impl Table {
    fn insert(&mut self, job: LiveJob) {
        for (minion, _) in job.open() {
            self.by_minion.entry(minion.clone()).or_default().insert(job.jid());
        }
        self.live.insert(job.jid(), job);
    }
}

/// What is inside a signed request that was verified when it came.
fn request_of(signed: &Signed) -> Option<Request> {
    codec::decode(&signed.body, codec::Limits::SMALL).ok()
}
