//! Drift of this host, looked for by a process of its own that gives way to all else.
//!
//! What was found holds until a file that it was about changes, states have run here, or its interval
//! is over.

use std::{
    io,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use proto::{Args, Outcome};
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
        drift::{Drift, NOTHING},
    },
    turn,
};

/// After a change it is waited this long for others …
const SOON: Duration = Duration::from_millis(500);
/// … this long at most where nobody has asked for drift by name, since a whole fleet may just have been
/// changed at once …
const UNASKED: Duration = Duration::from_secs(20);
/// … and this long, once many changes in a row have come to nothing.
const PATIENT: Duration = Duration::from_secs(30);
const MANY: u32 = 10;
/// How long states that are being applied are waited for, and how often it is looked.
const APPLYING: Duration = Duration::from_secs(600);
const LOOK: Duration = Duration::from_millis(500);

/// What is known of drift.
#[derive(Default)]
pub struct Desk {
    /// Set where checks run by interval; otherwise nothing is kept here.
    runtime: OnceLock<Handle>,
    latest: Mutex<Option<Result<Option<Drift>, String>>>,
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

    pub fn has_begun(&self) -> bool {
        self.runtime.get().is_some()
    }

    /// Whether a top file has something for this host, as far as is known.
    pub fn is_declared(&self) -> bool {
        matches!(&*lock(&self.latest), Some(Ok(Some(_))))
    }

    /// A master is there again: what could not be had without it may be had now.
    pub fn connected(&self) {
        if matches!(&*lock(&self.latest), Some(Err(_))) {
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
        let desk = &inner.checks.drift;
        let known = lock(&desk.latest).clone().filter(|_| !desk.stale.load(SeqCst));
        let found = match known {
            Some(known) => known,
            None => runtime.block_on(async {
                timeout(patience, refresh(&inner)).await.map_err(|_| "it did not end in time".to_owned())?
            }),
        };
        found.map(|drift| shown(drift.as_ref()))
    }))
}

fn shown(drift: Option<&Drift>) -> Found {
    drift.map_or_else(|| Found::new(crate::checks::Status::Ok, NOTHING), Drift::found)
}

/// Looks anew. Who asks while another look is under way gets what the next one finds.
async fn refresh(inner: &Arc<Inner>) -> Result<Option<Drift>, String> {
    let desk = &inner.checks.drift;
    let before = desk.looks.load(SeqCst);
    let _turn = desk.turn.lock().await;
    if desk.looks.load(SeqCst) > before + 1
        && let Some(known) = lock(&desk.latest).clone()
    {
        return known;
    }
    while_states_run(inner).await?;
    desk.stale.store(false, SeqCst);
    let found = ask(inner).await;
    *lock(&desk.latest) = Some(found.clone());
    desk.looks.fetch_add(1, SeqCst);
    found
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
        (Outcome::Ok, value) => Drift::from_value(value).map(Some).ok_or_else(|| "it gave no answer".to_owned()),
        (_, value) => {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Err(text.lines().next().unwrap_or("it gave no reason").to_owned())
        }
    }
}

/// Looks on the interval, and whenever something may be different.
pub async fn keep_looking(inner: &Arc<Inner>, check: &Configured, first: Duration) {
    let desk = &inner.checks.drift;
    inner.master_was_met().await;
    let mut due = Instant::now() + first;
    let mut files: Option<AsyncFd<Watcher>> = None;
    let (mut before, mut in_vain) = (None, 0);
    loop {
        let by_change = tokio::select! {
            () = sleep_until(due) => false,
            () = desk.applied.notified(), if before.is_some() => true,
            () = changed(files.as_ref()) => true,
        };
        if by_change {
            desk.stale.store(true, SeqCst);
            let patience = match check.source {
                _ if in_vain >= MANY => PATIENT,
                Source::Default => SOON + UNASKED.mul_f64(random()),
                _ => SOON,
            };
            sleep(patience).await;
        }
        // Changes until now are seen by this look; those that come while it looks are not.
        if let Some(files) = &files {
            let _ = files.get_ref().happened();
        }
        let found = match timeout(check.timeout + APPLYING, refresh(inner)).await {
            Ok(found) => found,
            Err(_) => Err("it did not end in time".into()),
        };
        let again = files.as_ref().is_some_and(|files| files.get_ref().happened().unwrap_or(false));
        match &found {
            Ok(None) if check.source == Source::Default => inner.found_nothing(check),
            Ok(drift) => inner.found(check, &shown(drift.as_ref())),
            Err(why) => inner.found(check, &Found::unknown(why.clone())),
        }
        in_vain = if by_change && before.as_ref() == Some(&found) { in_vain + 1 } else { 0 };
        if let Ok(Some(drift)) = &found {
            files = watcher(&drift.watch);
        }
        before = Some(found);
        due = Instant::now() + check.interval;
        if again {
            desk.applied();
        }
    }
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

/// Ends when something happened to a file that is watched.
async fn changed(files: Option<&AsyncFd<Watcher>>) {
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
            Err(_) => {}
        }
    }
}
