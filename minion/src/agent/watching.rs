//! Checks that run on their interval, each by a task of its own, and what the master hears of them:
//! changes, and with each heartbeat a digest of everything.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use proto::{
    Map, Value,
    checks::CheckRow,
    message::{FromMinion, Lane},
};
use rand::RngExt;
use tokio::{
    sync::{Notify, Semaphore},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{Inner, drift, lock};
use crate::checks::{Configured, Definition, Found, GRACE, Memo, STUCK, Scene, Source, Table, Work, carried};

/// Checks that run at once. What is late by a moment is no harm here.
const AT_ONCE: usize = 8;
/// The first looks are spread over this long at most: a whole fleet may have started with this minion.
const FIRST: Duration = Duration::from_secs(10);
/// What is spread so that a fleet does not do it all at once takes this long for each of its minions, and
/// at least …
const EACH: Duration = Duration::from_millis(5);
const LEAST: Duration = Duration::from_secs(2);
/// How long it is waited for the master's word of how large the fleet is.
const WORD: Duration = Duration::from_secs(1);
/// A drift that nobody has asked for waits until the start is over …
const QUIET: Duration = Duration::from_secs(20);
/// … and is spread over this long.
const SPREAD: Duration = Duration::from_secs(40);
/// So long after the start the pillar is compiled, if nothing has had it compiled before …
const PILLAR: Duration = Duration::from_secs(1);
/// … and so long after it could not be.
const AGAIN: Duration = Duration::from_secs(10);
/// How often it is looked whether states have brought or taken checks.
const RELOOK: Duration = Duration::from_secs(15);

/// What an agent keeps of the checks on their interval.
#[derive(Default)]
pub struct Watching {
    table: Mutex<Table>,
    /// Checks that have not been looked at for the first time.
    fresh: Mutex<BTreeSet<String>>,
    /// The first round is through.
    complete: AtomicBool,
    /// The connection that is open knows the table.
    told: AtomicBool,
    pillar: Mutex<Pillar>,
    /// It is known what is to be looked at.
    known: AtomicBool,
    hanging: AtomicUsize,
    /// How many minions the master has; 0: it has not said.
    fleet: AtomicU32,
    /// The checks may be others now.
    pub changed: Notify,
    pub memo: Memo,
    pub drift: drift::Desk,
}

/// What the pillar says of checks.
#[derive(Default)]
enum Pillar {
    #[default]
    NotYet,
    /// It cannot be had, and why.
    Never(String),
    /// `checks` of the pillar that was compiled last.
    Said(Option<Value>),
}

impl Watching {
    /// A job has changed the host: its checks, or what drift finds, may be others now.
    pub fn may_be_others(&self) {
        self.changed.notify_one();
        self.drift.applied();
    }

    /// Keeps what the pillar says: until it is compiled anew, that holds.
    fn learn(&self, pillar: Option<&Map>) {
        if let Some(pillar) = pillar {
            *lock(&self.pillar) = Pillar::Said(pillar.get("checks").cloned());
        }
    }

    fn no_pillar(&self, why: &str) {
        let mut pillar = lock(&self.pillar);
        if !matches!(*pillar, Pillar::Said(_)) {
            *pillar = Pillar::Never(why.to_owned());
        }
    }

    fn knows_pillar(&self) -> bool {
        matches!(*lock(&self.pillar), Pillar::Said(_))
    }

    /// The master has so many minions, which may all have started with this one.
    pub(super) fn is_one_of(&self, minions: u32) {
        self.fleet.store(minions, SeqCst);
    }

    /// Over how long a fleet of this size spreads what all of it does once, if not over `most`.
    fn spread(&self, most: Duration) -> Duration {
        match self.fleet.load(SeqCst) {
            0 => most,
            minions => EACH.saturating_mul(minions).max(LEAST).min(most),
        }
    }

    /// What the heartbeat carries; 0 before the first round is through.
    pub fn digest(&self) -> u64 {
        if self.complete.load(SeqCst) { lock(&self.table).digest() } else { 0 }
    }
}

/// Ends a check's task; a look that it has started goes on.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs the checks, until it is dropped. Never ends.
pub async fn watch(inner: &Arc<Inner>) {
    inner.checks.drift.begin();
    tokio::join!(keep_table(inner), know_pillar(inner));
}

async fn keep_table(inner: &Arc<Inner>) {
    // Quick ones go one after the other: one thread does for all of them.
    let gates = Arc::new([Semaphore::new(1), Semaphore::new(AT_ONCE)]);
    let first = random();
    // One that is away is not waited for: checks run without it.
    let _ = timeout(WORD, inner.master_was_met()).await;
    let mut running: HashMap<String, (String, AbortOnDrop)> = HashMap::new();
    loop {
        let carried = carried::stamp(inner.root());
        inner.checks.learn(lock(&inner.pillar).as_deref());
        let wanted = wanted(inner);
        let names: BTreeSet<String> = wanted.iter().map(|check| check.name.clone()).collect();
        running.retain(|name, (text, _)| wanted.iter().any(|check| check.name == *name && check.text == *text));
        {
            let mut fresh = lock(&inner.checks.fresh);
            fresh.retain(|name| names.contains(name));
            fresh.extend(
                wanted
                    .iter()
                    .filter(|check| !running.contains_key(&check.name) && !check.is_drift())
                    .map(|check| check.name.clone()),
            );
        }
        let off = inner.config.opts.get("checks") == Some(&Value::Bool(false));
        inner.checks.known.store(off || !names.is_empty() || inner.checks.knows_pillar(), SeqCst);
        if lock(&inner.checks.table).keep(&names) {
            inner.checks.told.store(false, SeqCst);
        }
        for check in wanted {
            running.entry(check.name.clone()).or_insert_with(|| {
                let text = check.text.clone();
                let task = tokio::spawn(keep_looking(inner.clone(), check, gates.clone(), first));
                (text, AbortOnDrop(task.abort_handle()))
            });
        }
        inner.round_is_through();
        loop {
            tokio::select! {
                () = inner.checks.changed.notified() => break,
                () = sleep(RELOOK) => if carried::stamp(inner.root()) != carried { break },
            }
        }
    }
}

pub fn random() -> f64 {
    rand::rng().random_range(0.0..1.0)
}

/// Has the pillar compiled where nobody else has done so for a while, and again until that succeeds.
async fn know_pillar(inner: &Arc<Inner>) {
    inner.master_was_met().await;
    let mut pause = PILLAR + inner.checks.spread(SPREAD).mul_f64(random());
    while !inner.checks.knows_pillar() {
        sleep(pause).await;
        pause = AGAIN + SPREAD.mul_f64(random());
        if lock(&inner.pillar).is_none() && !inner.checks.knows_pillar() {
            let compiling = inner.clone();
            let compiled = tokio::task::spawn_blocking(move || compiling.compile_pillar()).await;
            if let Ok(Err(why)) = compiled {
                let why = why.to_string();
                inner.checks.no_pillar(why.lines().next().unwrap_or_default());
            }
        }
        inner.checks.changed.notify_one();
    }
}

/// The checks that can be read; the others are told by name, as UNKNOWN. While nobody knows whether the pillar
/// has any, there are only those of the configuration.
fn wanted(inner: &Inner) -> Vec<Arc<Configured>> {
    let config = inner.config.opts.get("checks");
    let pillar = match &*lock(&inner.checks.pillar) {
        Pillar::Said(checks) => checks.clone(),
        _ if config.is_some_and(|checks| !checks.is_null()) => None,
        Pillar::NotYet => return Vec::new(),
        Pillar::Never(why) => {
            let why = format!("it is not known which checks the pillar has for this host: {why}");
            return vec![Arc::new(Configured::broken("checks".into(), why))];
        }
    };
    let carried = carried::read(inner.root());
    let all = inner.checks.memo.configured(config, pillar.as_ref(), &carried);
    let sound = |check: Definition| {
        let check = check.unwrap_or_else(|(name, why)| Arc::new(Configured::broken(name, why.to_string())));
        Some(check).filter(|check| CheckRow::is_name(&check.name))
    };
    all.into_iter().filter_map(sound).take(proto::checks::MOST_ROWS).collect()
}

/// Looks again and again.
async fn keep_looking(inner: Arc<Inner>, check: Arc<Configured>, gates: Arc<[Semaphore; 2]>, first: f64) {
    if check.is_drift() {
        return drift::keep_looking(&inner, &check, first_drift(&check, first)).await;
    }
    let gate = &gates[usize::from(check.kind.work != Work::Quick)];
    let mut due = Instant::now() + inner.checks.spread(FIRST).min(check.interval).mul_f64(first);
    let mut hung = None;
    loop {
        sleep_until(due).await;
        let found = look(&inner, &check, gate, &mut hung).await;
        inner.found(&check, &found);
        let late = due.elapsed().as_secs_f64() / check.interval.as_secs_f64();
        due += check.interval.mul_f64(late.floor() + 1.0);
    }
}

fn first_drift(check: &Configured, random: f64) -> Duration {
    match check.source {
        Source::Default => QUIET + SPREAD.mul_f64(random),
        _ => FIRST.min(check.interval).mul_f64(random),
    }
}

/// A look that did not end in time.
type Hung = Option<JoinHandle<Found>>;

async fn look(inner: &Arc<Inner>, check: &Arc<Configured>, gate: &Semaphore, hung: &mut Hung) -> Found {
    if let Some(before) = hung.take_if(|before| before.is_finished()) {
        drop(before);
        inner.checks.hanging.fetch_sub(1, SeqCst);
    }
    if hung.is_some() {
        return Found::unknown("it has not ended since its last time-out");
    }
    if inner.checks.hanging.load(SeqCst) >= STUCK {
        return Found::unknown("too many checks hang; restart the minion once their cause is mended");
    }
    let _permit = gate.acquire().await;
    let scene = inner.scene(check);
    let work = check.clone();
    let mut looking = tokio::task::spawn_blocking(move || work.look(&scene));
    match timeout(check.timeout + GRACE, &mut looking).await {
        Ok(found) => found.unwrap_or_else(|error| Found::unknown(error.to_string())),
        Err(_) => {
            inner.checks.hanging.fetch_add(1, SeqCst);
            *hung = Some(looking);
            Found::unknown("it did not end in time")
        }
    }
}

impl Inner {
    fn scene(&self, check: &Configured) -> Scene {
        Scene {
            offset: self.clock.offset(),
            timeout: check.timeout,
            // Lines of a log that an operator's check has seen are new to this one.
            memory: Some(self.root().join("run/checks-by-interval")),
            drift: None,
        }
    }

    /// Takes what a check has found, and tells the master if it is news.
    pub(super) fn found(&self, check: &Configured, found: &Found) {
        let interval = u32::try_from(check.interval.as_secs()).unwrap_or(u32::MAX).max(1);
        let row = lock(&self.checks.table).record(&check.name, interval, found, self.clock.now());
        lock(&self.checks.fresh).remove(&check.name);
        if let Some(row) = row.filter(|_| self.checks.told.load(SeqCst)) {
            self.tell_checks(false, vec![row]);
        }
        self.round_is_through();
    }

    /// There is nothing to be said of a check any more.
    pub(super) fn found_nothing(&self, check: &Configured) {
        if lock(&self.checks.table).forget(&check.name) {
            self.checks.told.store(false, SeqCst);
            self.round_is_through();
        }
    }

    /// Tells the whole table if the first round is through and this connection does not know it.
    fn round_is_through(&self) {
        if lock(&self.checks.fresh).is_empty() && self.checks.known.load(SeqCst) {
            self.checks.complete.store(true, SeqCst);
            if !self.checks.told.load(SeqCst) {
                self.tell_all_checks();
            }
        }
    }

    /// A connection stands, whose master knows nothing yet.
    pub(super) fn checks_connected(&self) {
        self.checks.told.store(false, SeqCst);
        self.tell_all_checks();
        self.checks.drift.connected();
    }

    pub(super) fn tell_all_checks(&self) {
        if self.checks.complete.load(SeqCst) {
            let rows = lock(&self.checks.table).rows();
            self.tell_checks(true, rows);
        }
    }

    /// What cannot be sent now is sent with the whole table a little later.
    fn tell_checks(&self, all: bool, rows: Vec<CheckRow>) {
        let sender = lock(&self.sender).clone();
        let message = FromMinion::Checks { all, rows };
        let sent = sender.is_some_and(|sender| sender.try_send(Lane::Control, &message).is_ok());
        match (sent, all) {
            (true, true) => self.checks.told.store(true, SeqCst),
            (true, false) => {}
            (false, _) => self.checks.told.store(false, SeqCst),
        }
    }
}
