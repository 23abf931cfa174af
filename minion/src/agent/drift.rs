//! Drift of this host, looked for by a process of its own that gives way to all else.
//!
//! What was found holds while nothing changes that it was found by: the master's files, pillar and grains, the
//! files of this host that were looked at, the services. What cannot be watched is looked at on the interval.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime},
};

use proto::{Args, Outcome};
use serde::Deserialize;
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
    sync::Notify,
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{Inner, lock, own, watching::random};
use crate::{
    checks::{
        Configured, Drifts, Found, Source, Watcher,
        drift::{Drift, NOTHING, Seen},
    },
    config::FileClient,
    turn,
};

/// After a change it is waited this long for others …
const SOON: Duration = Duration::from_millis(500);
/// … this long at most where states have run and nobody has asked for drift by name, since a whole fleet may
/// just have been changed at once …
const UNASKED: Duration = Duration::from_secs(20);
/// … and this long, and longer each time, once many changes in a row have come to nothing.
const PATIENT: Duration = Duration::from_secs(30);
const MANY: u32 = 10;
/// How long it is told again what may have changed without a word.
const FRESH: Duration = Duration::from_secs(60);
/// However sure it is that nothing has changed, it is looked again after this long.
const AT_LEAST: Duration = Duration::from_secs(3600);
/// How often it is looked whether services have begun or ended: a few calls of the kernel.
const SERVICES: Duration = Duration::from_secs(2);
/// How long it is not read what happens in the folders, after something that does not matter.
const BUSY: Duration = Duration::from_millis(250);
/// How long states that are being applied are waited for, and how often it is looked.
const APPLYING: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(500);

/// What a look has found, and what that holds for.
#[derive(Clone)]
struct Looked {
    found: Result<Option<Drift>, String>,
    basis: Option<Basis>,
    at: Instant,
}

impl Looked {
    fn seen(&self) -> Option<&Seen> {
        Some(&self.found.as_ref().ok()?.as_ref()?.seen)
    }

    /// Whether it may be told again: what cannot be watched does not hold for long.
    fn is_fresh(&self) -> bool {
        !self.seen().is_some_and(|seen| seen.loose) || self.at.elapsed() < FRESH
    }
}

/// What is known of drift.
#[derive(Default)]
pub struct Desk {
    /// Set where checks run by interval; otherwise nothing is kept here.
    runtime: OnceLock<Handle>,
    latest: Mutex<Option<Looked>>,
    /// What is known may not hold any more.
    stale: AtomicBool,
    /// How many looks have ended.
    looks: AtomicU64,
    turn: tokio::sync::Mutex<()>,
    /// States have run on this host.
    applied: Notify,
}

impl Desk {
    pub fn begin(&self) {
        let _ = self.runtime.set(Handle::current());
    }

    /// Whether a top file has something for this host, as far as is known.
    pub fn is_declared(&self) -> bool {
        matches!(&*lock(&self.latest), Some(Looked { found: Ok(Some(_)), .. }))
    }

    /// A master is there again: what could not be had without it may be had now.
    pub fn connected(&self) {
        if matches!(&*lock(&self.latest), Some(Looked { found: Err(_), .. })) {
            self.applied();
        }
    }

    /// States have run here, or may have.
    pub fn applied(&self) {
        self.stale.store(true, SeqCst);
        self.applied.notify_one();
    }
}

/// For those who ask on a thread of their own: what is known, or a new look.
pub fn drifts(inner: &Arc<Inner>) -> Option<Drifts> {
    let (runtime, inner) = (inner.checks.drift.runtime.get()?.clone(), inner.clone());
    Some(Drifts::new(move |patience| {
        runtime.block_on(async {
            let looked = match current(&inner).await {
                Some(known) => known,
                None => timeout(patience, refresh(&inner)).await.map_err(|_| "it did not end in time".to_owned())?,
            };
            looked.found.map(|drift| shown(drift.as_ref()))
        })
    }))
}

/// What is known, if it holds still.
async fn current(inner: &Arc<Inner>) -> Option<Looked> {
    let desk = &inner.checks.drift;
    // What is looked for just now is probably something else.
    drop(desk.turn.try_lock().ok()?);
    let known = lock(&desk.latest).clone().filter(|known| known.is_fresh() && !desk.stale.load(SeqCst))?;
    let basis = Basis::now(inner).await;
    Some(known).filter(|known| basis.is_some() && known.basis == basis)
}

fn shown(drift: Option<&Drift>) -> Found {
    drift.map_or_else(|| Found::new(crate::checks::Status::Ok, NOTHING), Drift::found)
}

/// Looks anew. Who asks while another look is under way gets what the next one finds.
async fn refresh(inner: &Arc<Inner>) -> Looked {
    let desk = &inner.checks.drift;
    let before = desk.looks.load(SeqCst);
    let _turn = desk.turn.lock().await;
    if desk.looks.load(SeqCst) > before + 1
        && let Some(known) = lock(&desk.latest).clone()
    {
        return known;
    }
    let (found, basis) = match while_states_run(inner).await {
        Ok(()) => {
            desk.stale.store(false, SeqCst);
            let basis = Basis::now(inner).await;
            (ask(inner).await, basis)
        }
        Err(why) => (Err(why), None),
    };
    let looked = Looked { found, basis, at: Instant::now() };
    *lock(&desk.latest) = Some(looked.clone());
    desk.looks.fetch_add(1, SeqCst);
    looked
}

/// Half a state run is no drift.
async fn while_states_run(inner: &Inner) -> Result<(), String> {
    let until = Instant::now() + APPLYING;
    while turn::holder(&inner.config.opts).is_some() {
        if Instant::now() > until {
            return Err("states have been running for ten minutes".into());
        }
        sleep(LOOK).await;
    }
    Ok(())
}

async fn ask(inner: &Arc<Inner>) -> Result<Option<Drift>, String> {
    let function = "check.drift".parse().map_err(|error: proto::IdError| error.to_string())?;
    let ret = own::run_own(inner, function, Args::default().with("low", true)).await;
    match (ret.outcome, &ret.value) {
        (Outcome::Ok, proto::Value::Null) => Ok(None),
        (Outcome::Ok, value) => {
            Drift::deserialize(value).map(Some).map_err(|error| format!("it gave no answer: {error}"))
        }
        (_, value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Err(text.lines().next().unwrap_or("it gave no reason").to_owned())
        }
    }
}

/// Why it is looked again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Why {
    Due,
    /// Something of the host has changed.
    Changed,
    /// States have run here, or may have.
    Applied,
}

/// What is known, and what would tell that it holds no more.
struct Known {
    looked: Looked,
    files: Option<AsyncFd<Watcher>>,
}

/// What a look depends on besides this host.
#[derive(Clone, PartialEq)]
struct Basis {
    tree: proto::Hash,
    pillar: Arc<proto::Map>,
    grains: Arc<proto::Map>,
}

impl Basis {
    /// Nothing where the files lie on this host, or the master cannot be asked.
    async fn now(inner: &Arc<Inner>) -> Option<Self> {
        if inner.config.keys.file_client == FileClient::Local {
            return None;
        }
        let asking = inner.clone();
        let asked = tokio::task::spawn_blocking(move || {
            if lock(&asking.pillar).is_none() {
                asking.compile_pillar().ok()?;
            }
            asking.stock().manifest(None).ok()
        });
        let (tree, pillar) = (asked.await.ok()??, lock(&inner.pillar).clone()?);
        Some(Self { tree, pillar, grains: inner.grains() })
    }
}

impl Known {
    fn seen(&self) -> Option<&Seen> {
        self.looked.seen()
    }

    /// Whether nothing of this host can have changed that would not have been noticed.
    fn is_watched(&self) -> bool {
        let watched = self.files.as_ref().is_some_and(|files| files.get_ref().complete);
        let nothing_declared = matches!(self.looked.found, Ok(None));
        let all = nothing_declared || self.seen().is_some_and(|seen| watched && !seen.loose);
        all && self.looked.at.elapsed() < AT_LEAST
    }

    /// Whether something happened since the last time.
    fn happened(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.get_ref().happened().unwrap_or(false))
    }
}

/// Looks on the interval, and whenever something may be different.
pub async fn keep_looking(inner: &Arc<Inner>, check: &Configured, first: Duration) {
    let desk = &inner.checks.drift;
    inner.master_was_met().await;
    let mut due = Instant::now() + first;
    let mut known: Option<Known> = None;
    let mut in_vain = 0;
    loop {
        let why = tokio::select! {
            () = sleep_until(due) => Why::Due,
            () = desk.applied.notified(), if known.is_some() => Why::Applied,
            () = changed(known.as_ref()) => Why::Changed,
        };
        if why != Why::Due {
            desk.stale.store(true, SeqCst);
            settle(inner, check, why, in_vain).await;
        }
        if why == Why::Due
            && let Some(known) = known.as_ref().filter(|known| known.is_watched())
            && current(inner).await.is_some_and(|current| current.basis == known.looked.basis)
        {
            tell(inner, check, &known.looked);
        } else {
            // Changes until now are seen by this look; those that come while it looks are not.
            let before = known.take();
            let _ = before.as_ref().is_some_and(Known::happened);
            let now = look(inner, check).await;
            if before.as_ref().is_some_and(Known::happened) {
                desk.applied();
            }
            let same = before.is_some_and(|before| before.looked.found == now.looked.found);
            in_vain = if why != Why::Due && same { in_vain + 1 } else { 0 };
            known = Some(now);
        }
        due = Instant::now() + check.interval;
    }
}

async fn look(inner: &Arc<Inner>, check: &Configured) -> Known {
    let (at, begun) = (Instant::now(), SystemTime::now());
    let looked = match timeout(check.timeout + APPLYING, refresh(inner)).await {
        Ok(looked) => looked,
        Err(_) => Looked { found: Err("it did not end in time".into()), basis: None, at },
    };
    tell(inner, check, &looked);
    let mut known = Known { looked, files: None };
    known.files = known.seen().and_then(|seen| watcher(&seen.watch));
    // Before they were watched.
    if known.seen().is_some_and(|seen| touched(&seen.watch, begun)) {
        inner.checks.drift.applied();
    }
    known
}

fn tell(inner: &Inner, check: &Configured, looked: &Looked) {
    match &looked.found {
        Ok(None) if check.source == Source::Default => inner.found_nothing(check),
        Ok(drift) => inner.found(check, &shown(drift.as_ref())),
        Err(why) => inner.found(check, &Found::unknown(why.clone())),
    }
}

/// Whether one of these files was changed since `begun`, when they were not watched yet.
fn touched(paths: &[String], begun: SystemTime) -> bool {
    let since = begun.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let since = (since.as_secs() as i64, i64::from(since.subsec_nanos()));
    let changed = |meta: fs::Metadata| (meta.ctime(), meta.ctime_nsec()) >= since;
    paths.iter().any(|path| fs::symlink_metadata(path).is_ok_and(changed))
}

/// Waits until others have probably changed what they change now.
async fn settle(inner: &Inner, check: &Configured, why: Why, in_vain: u32) {
    sleep(SOON).await;
    let by_states = why == Why::Applied || turn::holder(&inner.config.opts).is_some();
    let patience = match check.source {
        _ if in_vain >= MANY => check.interval.min(PATIENT * 2u32.saturating_pow((in_vain - MANY).min(8))),
        Source::Default if by_states => UNASKED.mul_f64(random()),
        _ => Duration::ZERO,
    };
    sleep(patience).await;
}

fn watcher(paths: &[String]) -> Option<AsyncFd<Watcher>> {
    let made = Watcher::new(paths).and_then(register);
    made.inspect_err(|error| tracing::debug!(%error, "files cannot be watched; drift is found on its interval")).ok()
}

fn register(watcher: Watcher) -> io::Result<AsyncFd<Watcher>> {
    #[allow(unsafe_code, reason = "unsafe by signature, since a type may lie about its descriptor; this one cannot")]
    // SAFETY: a watcher owns its descriptor, which is never replaced and closed only when it is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(watcher, Interest::READABLE) };
    Ok(registered?)
}

/// Ends when something happened to what was looked at.
async fn changed(known: Option<&Known>) {
    let Some(known) = known else { return std::future::pending().await };
    tokio::select! {
        () = files_changed(known.files.as_ref()) => {}
        () = services_changed(known.seen()) => {}
    }
}

/// Ends when a service has begun or ended.
async fn services_changed(seen: Option<&Seen>) {
    let groups = seen.map_or(&[][..], |seen| &seen.groups);
    if groups.is_empty() {
        return std::future::pending().await;
    }
    while groups.iter().all(|(group, there)| Path::new(group).exists() == *there) {
        sleep(SERVICES).await;
    }
}

/// Ends when something happened to a file that is watched.
async fn files_changed(files: Option<&AsyncFd<Watcher>>) {
    let Some(files) = files else { return std::future::pending().await };
    loop {
        let happened = match files.readable().await {
            Ok(mut ready) => ready.try_io(|files| match files.get_ref().happened() {
                Ok(true) => Ok(true),
                Ok(false) => Err(io::ErrorKind::WouldBlock.into()),
                Err(error) => Err(error),
            }),
            Err(_) => return std::future::pending().await,
        };
        match happened {
            Ok(Ok(true)) => return,
            // Of no use any more.
            Ok(Ok(false) | Err(_)) => return std::future::pending().await,
            // Something else in these folders. Where that goes on all the time, it is not to cost much.
            Err(_) => sleep(BUSY).await,
        }
    }
}
