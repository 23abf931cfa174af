//! The agent: what a minion is between its connections.
//!
//! An agent has no thread of its own and no global state: any number of them run on one runtime.
//! `connection` finds the master, `serving` speaks with it, `run` carries out jobs, `provision` gets
//! what they need of the master, `calls` is what functions may ask of the agent.

mod calls;
mod connection;
mod drift;
mod own;
mod provision;
mod run;
mod serving;
mod watching;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use nix::sys::signal::Signal;
use proto::{JobId, Map, Outcome, Return, net::Sender, session};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::{MasterClock, local_now},
    config::Config,
    host::System,
    job,
    ledger::{Ledger, Pending},
    pki::Pinned,
    spool::{Spool, SpoolError},
    supply::Store,
};

pub(crate) use calls::JobAgent;
pub use connection::Ended;
pub(crate) use own::MINE;

/// `Reads` that run at once; what is more waits.
const READS: usize = 16;
/// `Runs` that run at once.
const RUNS: usize = 64;
/// `Writes` that run at once.
const WRITES: usize = 4;
/// Returns up to this weight are kept in memory until the master has stored them …
const SMALL: u64 = 16 * 1024;
/// How long a stopping agent waits for its jobs, and then for the master to take their returns.
const DRAIN: Duration = Duration::from_secs(5);

/// How long a stored return waits for others before the spool drops them together.
const LINGER: Duration = Duration::from_millis(100);
/// How often what can matter no more is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);

/// Why an agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Stopped,
    /// `minion.restart` asked for it.
    Restart,
}

/// What an agent is made of.
pub struct Parts {
    pub config: Config,
    /// Its keys; see [`crate::pki::local`].
    pub local: session::Local,
    /// The master it has trusted before; see [`Pinned::load`].
    pub pinned: Option<Pinned>,
    pub system: Arc<dyn System>,
    pub grains: Map,
    /// Detects the grains anew; `None` leaves them as they are.
    pub detect: Option<fn(&Config) -> Map>,
    /// The program that runs `Writes`; `None` runs them on a thread of this process.
    pub child: Option<PathBuf>,
}

/// One minion. Clones are the same one.
#[derive(Clone)]
pub struct Agent(Arc<Inner>);

pub(crate) struct Inner {
    config: Config,
    local: session::Local,
    pinned: Mutex<Option<Pinned>>,
    system: Arc<dyn System>,
    grains: Mutex<Arc<Map>>,
    /// Grains that the master fixed; they stand above all others.
    fixed: Mutex<Map>,
    detect: Option<fn(&Config) -> Map>,
    /// The pillar as it was compiled last, unless it is to be compiled anew.
    pillar: Mutex<Option<Arc<Map>>>,
    store: Arc<Store>,
    own: own::Own,
    checks: watching::Watching,
    child: Option<PathBuf>,
    clock: MasterClock,
    ledger: Mutex<Ledger>,
    spool: Spool,
    /// Jobs whose returns the master has; the spool forgets them a little later, many at once.
    forgotten: Mutex<Vec<JobId>>,
    /// Whether what an earlier run left is known.
    recovered: tokio::sync::Mutex<bool>,
    /// A return is new, or credit for one: the connection has something to do.
    wake: Notify,
    /// The connection that is open.
    sender: Mutex<Option<Sender>>,
    reads: Semaphore,
    runs: Semaphore,
    writes: Semaphore,
    stop: CancellationToken,
    restart: AtomicBool,
    pub(crate) counters: Counters,
}

/// How often what happened.
#[derive(Debug, Default)]
pub struct Counters {
    pub jobs: AtomicU64,
    pub returns: AtomicU64,
    pub unfit: AtomicU64,
    pub replayed: AtomicU64,
    pub lost_lines: AtomicU64,
    pub connections: AtomicU64,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    pub fn new(parts: Parts) -> Self {
        let spool = Spool::new(&parts.config.keys.root_dir, parts.config.keys.spool_limit.saturating_mul(1 << 20));
        let store = provision::store(&parts.config);
        Self(Arc::new(Inner {
            config: parts.config,
            local: parts.local,
            pinned: Mutex::new(parts.pinned),
            system: parts.system,
            grains: Mutex::new(Arc::new(parts.grains)),
            fixed: Mutex::default(),
            detect: parts.detect,
            pillar: Mutex::default(),
            store,
            own: own::Own::default(),
            checks: watching::Watching::default(),
            child: parts.child,
            clock: MasterClock::default(),
            ledger: Mutex::default(),
            spool,
            forgotten: Mutex::default(),
            recovered: tokio::sync::Mutex::new(false),
            wake: Notify::new(),
            sender: Mutex::default(),
            reads: Semaphore::new(READS),
            runs: Semaphore::new(RUNS),
            writes: Semaphore::new(WRITES),
            stop: CancellationToken::new(),
            restart: AtomicBool::new(false),
            counters: Counters::default(),
        }))
    }

    /// Serves the master until told to stop, coming back whenever the connection ends. Must be
    /// called within a tokio runtime that has time and I/O.
    pub async fn run(&self, stop: CancellationToken) -> Exit {
        let inner = &self.0;
        inner.recover_at_start().await;
        tokio::select! {
            () = connection::forever(inner) => {}
            () = inner.keep_house() => {}
            () = own::schedule(inner) => {}
            () = async { stop.cancelled().await; inner.stop.cancel(); std::future::pending().await } => {}
        }
        inner.drain().await;
        if inner.restart.load(Relaxed) { Exit::Restart } else { Exit::Stopped }
    }

    /// Runs the health checks on their intervals, beside [`run`](Self::run). Never ends.
    pub async fn watch_checks(&self) {
        watching::watch(&self.0).await;
    }

    /// Whether it is connected and welcome now.
    pub fn is_connected(&self) -> bool {
        lock(&self.0.sender).is_some()
    }

    /// Whether no job runs.
    pub fn is_idle(&self) -> bool {
        lock(&self.0.ledger).all_running().is_empty()
    }

    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }
}

impl Inner {
    fn grains(&self) -> Arc<Map> {
        lock(&self.grains).clone()
    }

    /// Takes new grains; those that the master fixed stay above them.
    fn set_grains(&self, mut grains: Map) {
        grains.extend(lock(&self.fixed).clone());
        *lock(&self.grains) = Arc::new(grains);
    }

    fn fix_grains(&self, fixed: Map) {
        if !fixed.is_empty() {
            *lock(&self.fixed) = fixed;
            self.set_grains((*self.grains()).clone());
        }
    }

    /// Takes up what an earlier run of this minion left behind. Until this has succeeded nothing
    /// is run that must not run twice.
    pub(crate) async fn recover(self: &Arc<Self>) -> Result<(), SpoolError> {
        let mut recovered = self.recovered.lock().await;
        if *recovered {
            return Ok(());
        }
        let spool = self.spool.clone();
        let found = tokio::task::spawn_blocking(move || spool.found()).await;
        let found = found.unwrap_or_else(|error| Err(SpoolError { path: "spool".into(), why: error.to_string() }))?;
        let open = lock(&self.ledger).restore(found);
        *recovered = true;
        drop(recovered);
        self.sweep(&open);
        for (jid, started) in open {
            self.resume(jid, started).await;
        }
        self.prune().await;
        Ok(())
    }

    pub(crate) async fn is_recovered(&self) -> bool {
        *self.recovered.lock().await
    }

    /// Clears away what jobs of the minion's own left that died with it.
    fn sweep(&self, open: &[(JobId, u64)]) {
        let known: Vec<JobId> = {
            let ledger = lock(&self.ledger);
            let running = ledger.all_running().into_iter().map(|running| running.job.jid);
            running.chain(open.iter().map(|(jid, _)| *jid)).collect()
        };
        crate::child::sweep(self.root(), &known);
    }

    /// The first try, with a little patience: a predecessor may still be letting go of the spool.
    async fn recover_at_start(self: &Arc<Self>) {
        for _ in 0..40 {
            match self.recover().await {
                Ok(()) => return,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        if let Err(error) = self.recover().await {
            tracing::error!(
                %error,
                hint = "is another minion at work with this root_dir?",
                "what was left of earlier jobs cannot be read: only functions that change nothing will be run"
            );
        }
    }

    /// Never ends.
    async fn keep_house(&self) {
        loop {
            tokio::time::sleep(HOUSEKEEPING).await;
            self.prune().await;
        }
    }

    /// Clears old marks away. This also brings to the disk what was forgotten before.
    async fn prune(&self) {
        let now = self.clock.now().min(local_now());
        lock(&self.ledger).prune(now);
        if let Err(error) = self.spool.prune(now).await {
            tracing::warn!(%error, "old marks were not cleared away");
        }
    }

    /// A job was begun and has no return: its child may still be at work, or have left one.
    async fn resume(self: &Arc<Self>, jid: JobId, started: u64) {
        if let Some(child) = crate::child::Adopted::find(self.root(), jid) {
            return run::adopt(self, child, started);
        }
        tracing::warn!(%jid, "a job was begun before this minion stopped, and no return of it can come");
        let why = "the minion stopped while the job ran; it is not run again";
        self.finish(job::ended(jid, Outcome::Lost, why, started), true).await;
    }

    /// Keeps a return until the master has stored it. `durable`: the job has a mark, so its end
    /// must be on the disk before anybody is told.
    async fn finish(&self, ret: Return, durable: bool) {
        let jid = ret.jid;
        let ret = ret.pack();
        let weight = ret.weight();
        let mut pending = Pending { jid, ret: Some(ret.clone()), spooled: false, marked: durable };
        if durable || weight > SMALL {
            match self.spool.keep(ret).await {
                Ok(()) => pending.spooled = true,
                // It stays in memory: it is lost only if this process dies before the master has it.
                Err(error) => tracing::error!(%jid, %error, "a return could not be kept on the disk"),
            }
        }
        if pending.spooled && weight > SMALL {
            pending.ret = None;
        }
        self.owe(pending);
    }

    /// The same for a return of at most [`SMALL`] whose job has no mark: nothing of it is kept on
    /// the disk, so there is nothing to wait for.
    fn finish_small(&self, ret: Return) {
        self.owe(Pending { jid: ret.jid, ret: Some(ret.pack()), spooled: false, marked: false });
    }

    fn owe(&self, pending: Pending) {
        lock(&self.ledger).end(pending, self.clock.now());
        self.counters.returns.fetch_add(1, Relaxed);
        self.wake.notify_one();
    }

    /// Drops stored returns from the spool. Nobody waits for it: what is not forgotten is sent
    /// again after a restart.
    fn forget(self: &Arc<Self>, jids: Vec<JobId>) {
        if jids.is_empty() {
            return;
        }
        let mut forgotten = lock(&self.forgotten);
        let first = forgotten.is_empty();
        forgotten.extend(jids);
        drop(forgotten);
        if first {
            let inner = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(LINGER).await;
                inner.forget_now().await;
            });
        }
    }

    async fn forget_now(&self) {
        let jids = std::mem::take(&mut *lock(&self.forgotten));
        if !jids.is_empty()
            && let Err(error) = self.spool.forget(jids).await
        {
            tracing::warn!(%error, "stored returns stay in the spool for now");
        }
    }

    pub(crate) fn root(&self) -> &std::path::Path {
        &self.config.keys.root_dir
    }

    /// The program that runs `Writes`.
    pub(crate) fn child_program(&self) -> &std::path::Path {
        self.child.as_deref().unwrap_or(std::path::Path::new("/proc/self/exe"))
    }

    /// Sends on what a child wants to tell.
    pub(crate) fn pass_event(&self, tag: &str, data: proto::Value) {
        if let Err(error) = self.send_event(tag, data) {
            tracing::warn!(tag, %error, "an event was not sent");
        }
    }

    fn stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Jobs that end with this process, unlike those in a child.
    fn at_work(&self) -> bool {
        lock(&self.ledger).all_running().iter().any(|running| running.session.load(Relaxed) == 0)
    }

    /// Waits for the jobs of this process, then ends them.
    async fn drain(&self) {
        let deadline = tokio::time::Instant::now() + DRAIN;
        while self.at_work() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let left = lock(&self.ledger).all_running();
        for running in left.iter().filter(|running| running.session.load(Relaxed) == 0) {
            tracing::warn!(jid = %running.job.jid, "ending a job because the minion stops");
            running.signal(Signal::SIGKILL);
        }
        let last = deadline + Duration::from_secs(2);
        while self.at_work() && tokio::time::Instant::now() < last {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.forget_now().await;
        self.prune().await;
    }
}
