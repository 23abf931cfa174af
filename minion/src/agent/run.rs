//! From a publish to a return.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use proto::{
    Job, Outcome, Return,
    message::{FromMinion, Lane, Stream},
    sign::{PublicKey, Signed},
};
use states::{Effect, call::Progress};
use tokio::sync::SemaphorePermit;

use super::{Inner, SMALL, calls::JobAgent, lock, provision::Provision};
use crate::{
    child, exec,
    fault::crash_point,
    job::{self, Running, Site},
    ledger::Admission,
    spool::Mark,
    verify::{Expectations, verify},
};

/// A job that takes longer is said to run.
const SOON: Duration = Duration::from_millis(200);

/// Takes a publish that came on the connection of the master `master`. Whether its return is
/// already on its way.
pub fn receive(inner: &Arc<Inner>, publish: &Signed, master: &PublicKey) -> bool {
    let now = inner.clock.now();
    let grains = inner.grains();
    let expect = Expectations {
        master,
        operators: inner.config.operators.as_deref(),
        id: &inner.config.id,
        grains: &grains,
        now,
    };
    match verify(publish, &expect) {
        Ok(job) => admit(inner, job),
        Err((jid, unfit)) => {
            inner.counters.unfit.fetch_add(1, Relaxed);
            match unfit.is_alarming() {
                true => tracing::error!(?jid, reason = %unfit, "refused a job"),
                false => tracing::info!(?jid, reason = %unfit, "did not start a job"),
            }
            // A claim that is not signed must not end a job that is.
            if let Some(jid) = jid.filter(|&jid| !lock(&inner.ledger).knows(jid)) {
                inner.finish_small(job::ended(jid, unfit.outcome(), unfit.to_string(), now));
            }
            false
        }
    }
}

fn admit(inner: &Arc<Inner>, job: Job) -> bool {
    let (jid, now) = (job.jid, inner.clock.now());
    let effect = job::effect(&job);
    let mut ledger = lock(&inner.ledger);
    let refusal = match ledger.admit(&job) {
        Admission::Here => return false,
        Admission::Begin if exec::is_instant(job.request.function.as_str()) => {
            let running = Arc::new(Running::new(job, None));
            ledger.begin(running.clone(), true);
            drop(ledger);
            inner.counters.jobs.fetch_add(1, Relaxed);
            return answer_at_once(inner, &running, now);
        }
        Admission::Begin => {
            let live = job.request.options.stream.then(|| live(inner, jid));
            let running = Arc::new(Running::new(job, live));
            ledger.begin(running.clone(), job::is_repeatable(&running.job));
            drop(ledger);
            inner.counters.jobs.fetch_add(1, Relaxed);
            tokio::spawn(execute(inner.clone(), running, effect));
            return false;
        }
        Admission::Over => job::ended(jid, Outcome::Lost, "the job ran, and its return was acknowledged before", now),
        Admission::Replayed => {
            inner.counters.replayed.fetch_add(1, Relaxed);
            tracing::error!(%jid, "refused a job whose request was carried out before");
            job::ended(jid, Outcome::Refused, "this request was carried out before, or is too old to tell", now)
        }
        Admission::Full => {
            job::ended(jid, Outcome::Refused, "the minion has too many jobs; ask again when some have ended", now)
        }
    };
    drop(ledger);
    inner.finish_small(refusal);
    true
}

/// Runs what answers out of memory, here and now: no thread, no task, no timer.
fn answer_at_once(inner: &Arc<Inner>, running: &Arc<Running>, started: u64) -> bool {
    let ret = perform_with(inner, running, &inner.at_hand(), started);
    let small = ret.weight() <= SMALL;
    if small {
        inner.finish_small(ret);
    } else {
        let inner = inner.clone();
        tokio::spawn(async move { inner.finish(ret, false).await });
    }
    small
}

/// Waits until few enough jobs of this kind run.
pub async fn permit<'a>(inner: &'a Inner, running: &Running, effect: Effect) -> Option<SemaphorePermit<'a>> {
    let gate = match effect {
        // What manages jobs must get through when jobs fill everything.
        _ if running.job.request.function.module() == "saltutil" => return None,
        Effect::Reads => &inner.reads,
        Effect::Runs => &inner.runs,
        Effect::Writes => &inner.writes,
    };
    // The semaphores are never closed.
    gate.acquire().await.ok()
}

async fn execute(inner: Arc<Inner>, running: Arc<Running>, effect: Effect) {
    let _permit = permit(&inner, &running, effect).await;
    let durable = !job::is_repeatable(&running.job);
    let ret = match begin(&inner, &running, durable).await {
        Ok(started) => carry_out(&inner, &running, effect, started).await,
        Err(refusal) => return inner.finish(refusal, false).await,
    };
    crash_point("before-spool");
    inner.finish(ret, durable).await;
    if effect == Effect::Writes {
        child::forget(inner.root(), running.job.jid);
        // What only looked has changed nothing.
        if !running.job.request.args.named.get("test").is_some_and(exec::bind::truth) {
            inner.checks.may_be_others();
        }
    }
}

/// The last look before a job starts, and its mark. Gives when it started, or the end it came to.
async fn begin(inner: &Arc<Inner>, running: &Running, durable: bool) -> Result<u64, Return> {
    let (job, started) = (&running.job, inner.clock.now());
    let ended = |outcome, why: String| Err(job::ended(job.jid, outcome, why, started));
    if job.expires < started {
        return ended(Outcome::Expired, "the job expired before it could start".into());
    }
    if running.is_stopped() {
        return ended(Outcome::Failed, "the job was killed before it started".into());
    }
    if durable {
        let mark = Mark {
            nonce: job.request.nonce,
            started,
            expires: job.expires,
            valid_until: job.request.valid_until,
            function: job.request.function.to_string(),
            ended: false,
        };
        if !inner.is_recovered().await {
            // This very job may be among those that were begun before.
            let why = match inner.recover().await {
                Ok(()) => "it has only now read what it did before; ask again".into(),
                Err(error) => error.to_string(),
            };
            return ended(Outcome::Refused, format!("the minion cannot tell whether it began the job before: {why}"));
        }
        let marked = inner.spool.mark(job.jid, mark).await;
        if let Err(error) = marked {
            tracing::error!(jid = %job.jid, %error, "refused a job that could not be marked");
            return ended(Outcome::Refused, format!("the minion cannot note that it begins the job: {error}"));
        }
        crash_point("after-mark");
        inner.tell(&FromMinion::Started { jid: job.jid });
    }
    Ok(started)
}

pub async fn carry_out(inner: &Arc<Inner>, running: &Arc<Running>, effect: Effect, started: u64) -> Return {
    if effect == Effect::Writes && inner.child.is_some() {
        return child::run(inner, running, started).await;
    }
    let jid = running.job.jid;
    let mut work = tokio::task::spawn_blocking({
        let (inner, running) = (inner.clone(), running.clone());
        move || perform(&inner, &running, started)
    });
    let ended = if job::is_repeatable(&running.job) && !running.is_own {
        tokio::select! {
            ended = &mut work => ended,
            () = tokio::time::sleep(SOON) => {
                inner.tell(&FromMinion::Started { jid });
                work.await
            }
        }
    } else {
        work.await
    };
    ended.unwrap_or_else(|error| job::ended(jid, Outcome::Failed, format!("the job's thread ended: {error}"), started))
}

fn perform(inner: &Arc<Inner>, running: &Arc<Running>, started: u64) -> Return {
    match inner.provide(&running.job) {
        Ok(provision) => perform_with(inner, running, &provision, started),
        Err(error) => job::failed(running.job.jid, &error, started),
    }
}

fn perform_with(inner: &Arc<Inner>, running: &Arc<Running>, provision: &Provision, started: u64) -> Return {
    let agent = JobAgent { inner: inner.clone(), running: running.clone() };
    let site = Site {
        id: &inner.config.id,
        system: inner.system.clone(),
        grains: inner.grains(),
        tree: &*provision.tree,
        pillar: &provision.pillar,
        opts: &inner.config.opts,
        agent: Some(&agent),
    };
    job::perform(running, &site, started)
}

/// Takes over a child that an earlier run of this agent started.
pub fn adopt(inner: &Arc<Inner>, child: child::Adopted, started: u64) {
    let running = child.running();
    lock(&inner.ledger).readopt(running.clone());
    let inner = inner.clone();
    tokio::spawn(async move {
        let ret = child.wait(started).await;
        inner.finish(ret, true).await;
        child::forget(inner.root(), running.job.jid);
    });
}

/// Sends a job's output lines as they come. What cannot be sent within a second is dropped: the
/// return has all of it.
fn live(inner: &Arc<Inner>, jid: proto::JobId) -> job::Live {
    let inner = Arc::downgrade(inner);
    Box::new(move |progress| {
        let Some(inner) = inner.upgrade() else { return };
        let (stream, text) = match progress {
            Progress::Stdout(text) => (Stream::Stdout, text),
            Progress::Stderr(text) => (Stream::Stderr, text),
            Progress::State(state) => (Stream::Progress, state.to_string()),
        };
        // The same lane as returns: the last line comes before the end.
        let message = FromMinion::Output { jid, stream, text };
        for _ in 0..200 {
            let Some(sender) = lock(&inner.sender).clone() else { break };
            match sender.try_send(Lane::Returns, &message) {
                Ok(()) => return,
                Err(proto::net::NetError::Full) => std::thread::sleep(Duration::from_millis(5)),
                Err(_) => break,
            }
        }
        inner.counters.lost_lines.fetch_add(1, Relaxed);
    })
}

impl Inner {
    /// Tells the master something that it need not hear: not when there is no connection, or no
    /// room in it.
    pub(super) fn tell(&self, message: &FromMinion) {
        let sender = lock(&self.sender).clone();
        if let Some(sender) = sender {
            let _ = sender.try_send(Lane::Control, message);
        }
    }
}
