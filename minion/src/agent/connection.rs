//! Connections to the master: making one, and coming back when it has ended.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use proto::{
    Packed,
    delivery::Backoff,
    message::{DEAD_AFTER, HEARTBEAT, Hello, Lane, MinionHello, Refusal, ToMinion},
    net::{self, Channel, NetError, Receiver, Sender},
    session::SessionError,
    sign::PublicKey,
};
use rand::RngExt;
use tokio::time::{sleep, timeout};

use super::{Inner, lock, serving::Connection};
use crate::{
    clock::local_now,
    pki::{self, Pinned},
    spool::SpoolError,
};

/// A master that was there a moment ago is tried soon …
const SOON: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(4));
/// … so many times, about a minute; then rarely.
const SOON_TRIES: u32 = 30;
const RARELY: (Duration, Duration) = (Duration::from_secs(4), Duration::from_secs(20));
/// Minions that were given the same slot spread over this long.
const SLOT: Duration = Duration::from_secs(1);

/// Why a connection ended, or did not come about.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error(transparent)]
    Net(#[from] NetError),
    #[error("the master refused: {why}")]
    Refused { why: Refusal, retry_after: Duration },
    #[error("nothing was heard of the master for {0} s")]
    Silent(u64),
    #[error("the master closed the connection")]
    Closed,
    #[error("the master's first word was neither welcome nor refusal")]
    Unexpected,
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Pki(#[from] pki::PkiError),
    #[error("the minion stops")]
    Stopping,
}

/// Keeps a connection until the agent is to stop.
pub async fn forever(inner: &Arc<Inner>) {
    let mut pauses = Pauses::default();
    let mut stale = false;
    while !inner.stopping() {
        let before = inner.counters.connections.load(Relaxed);
        let ended = once(inner).await;
        if inner.counters.connections.load(Relaxed) > before {
            pauses = Pauses::default();
        }
        report(inner, &ended);
        // The memory of a session key that the master renewed is mended at once, but once only.
        let renewed = matches!(ended, Ended::Net(NetError::Session(SessionError::OtherKey)));
        let wait = match renewed && !stale {
            true => Duration::ZERO,
            false => pauses.next(&ended, rand::rng().random_range(0.0..1.0)),
        };
        stale = renewed;
        tokio::select! {
            () = sleep(wait) => {}
            () = inner.stop.cancelled() => {}
        }
    }
}

/// How long to wait between tries.
struct Pauses {
    soon: Backoff,
    rarely: Backoff,
    failures: u32,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { soon: Backoff::new(SOON.0, SOON.1), rarely: Backoff::new(RARELY.0, RARELY.1), failures: 0 }
    }
}

impl Pauses {
    /// How long to wait before the next try. `random` is uniform in `0.0..1.0`.
    fn next(&mut self, ended: &Ended, random: f64) -> Duration {
        match ended {
            // A crowded master gives out slots, which are no failures.
            Ended::Net(NetError::Session(SessionError::Busy(seconds))) => {
                Duration::from_secs(u64::from(*seconds)).min(Backoff::REFUSED) + SLOT.mul_f64(random)
            }
            Ended::Refused { why: Refusal::Busy | Refusal::ShuttingDown, retry_after } => {
                (*retry_after).min(Backoff::REFUSED) + SLOT.mul_f64(random)
            }
            // The master knows how often it has said so, and asks for more patience each time.
            Ended::Refused { why: Refusal::Pending, retry_after } => {
                Backoff::new(SOON.0, SOON.1).refused(*retry_after, random)
            }
            Ended::Refused { retry_after, .. } => self.soon.refused(*retry_after, random),
            // Only a person can mend this.
            Ended::Net(NetError::Session(SessionError::WrongPeer { .. })) => self.soon.refused(RARELY.1, random),
            _ => {
                self.failures += 1;
                if self.failures <= SOON_TRIES { self.soon.failed(random) } else { self.rarely.failed(random) }
            }
        }
    }
}

fn report(inner: &Inner, ended: &Ended) {
    let master = &inner.config.master;
    match ended {
        Ended::Stopping => {}
        Ended::Net(NetError::Session(error @ SessionError::WrongPeer { .. })) => tracing::error!(
            %master,
            hint = error.hint(),
            "REFUSED: this is not the master that this minion trusts: {error}. Nothing it says is listened to"
        ),
        Ended::Refused { why: Refusal::Pending, retry_after } => {
            tracing::warn!(%master, id = %inner.config.id, key = %inner.local.identity.fingerprint(), ?retry_after, "{ended}");
        }
        Ended::Refused { .. } => tracing::error!(%master, id = %inner.config.id, "{ended}"),
        _ => tracing::warn!(%master, "{ended}"),
    }
}

async fn once(inner: &Arc<Inner>) -> Ended {
    let connected = tokio::select! {
        connected = connect(inner) => connected,
        () = inner.stop.cancelled() => return Ended::Stopping,
    };
    let (sender, receiver, master) = match connected {
        Ok(connected) => connected,
        Err(ended) => return ended,
    };
    inner.counters.connections.fetch_add(1, Relaxed);
    tracing::info!(master = %inner.config.master, id = %inner.config.id, offset_us = inner.clock.offset().map(|offset| offset.likely), "connected");
    *lock(&inner.sender) = Some(sender.clone());
    inner.store.questions.connected({
        let sender = sender.clone();
        Box::new(move |question| sender.try_send(Lane::Control, question))
    });
    inner.own.connected(inner);
    inner.checks_connected();
    let ended = Connection::new(inner, sender.clone(), master).serve(receiver).await;
    inner.store.questions.broken();
    *lock(&inner.sender) = None;
    sender.close();
    ended
}

async fn connect(inner: &Arc<Inner>) -> Result<(Sender, Receiver, PublicKey), Ended> {
    let known = lock(&inner.pinned).clone();
    let peer = pki::expected(inner.config.master_fingerprint, known.as_ref());
    let transport = inner.config.keys.transport;
    let link = timeout(Duration::from_secs(10), transport.dial(&inner.config.master.to_string()))
        .await
        .map_err(|_| NetError::Timeout("the connection"))??;
    let channel = net::connect(link, &inner.local, &peer).await.inspect_err(|error| {
        // The session key was renewed: next time the identity alone decides, as it must.
        if matches!(error, NetError::Session(SessionError::OtherKey))
            && let Some(pinned) = &mut *lock(&inner.pinned)
        {
            pinned.session = None;
        }
    })?;
    remember(inner, &channel, known.as_ref())?;
    greet(inner, channel).await
}

/// Trusts this master from now on, and no other.
fn remember(inner: &Inner, channel: &Channel, known: Option<&Pinned>) -> Result<(), Ended> {
    let pinned = Pinned { identity: channel.peer, session: Some(channel.peer_static) };
    if known != Some(&pinned) {
        if known.is_none_or(|known| known.identity != pinned.identity) {
            tracing::warn!(fingerprint = %pinned.identity.fingerprint(), "trusting this master from now on");
        }
        pinned.store(&inner.config.keys.root_dir)?;
        *lock(&inner.pinned) = Some(pinned);
    }
    Ok(())
}

async fn greet(inner: &Arc<Inner>, channel: Channel) -> Result<(Sender, Receiver, PublicKey), Ended> {
    let master = channel.peer;
    let (sender, mut receiver) = channel.split();
    let (running, spooled) = {
        let ledger = lock(&inner.ledger);
        let of_the_bus = ledger.all_running().into_iter().filter(|running| !running.is_own);
        (of_the_bus.map(|running| running.job.jid).collect(), ledger.pending_jids())
    };
    let asked = Instant::now();
    let hello = Hello::Minion(Box::new(MinionHello {
        id: inner.config.id.clone(),
        version: crate::VERSION.into(),
        token: inner.config.keys.enroll_token.clone(),
        grains: Packed::new(&inner.grains()).map_err(NetError::from)?,
        now: local_now(),
        running,
        spooled,
    }));
    sender.send(Lane::Control, &hello).await?;
    let patience = Duration::from_secs(HEARTBEAT * DEAD_AFTER);
    let answer = timeout(patience, receiver.recv::<ToMinion>()).await;
    match answer.map_err(|_| Ended::Silent(patience.as_secs()))?? {
        Some(ToMinion::Welcome { now, fixed_grains, minions }) => {
            inner.clock.answered(now, asked);
            inner.checks.is_one_of(minions);
            inner.fix_grains(fixed_grains);
            Ok((sender, receiver, master))
        }
        Some(ToMinion::Refused { why, retry_after }) => {
            Err(Ended::Refused { why, retry_after: Duration::from_secs(retry_after.into()) })
        }
        Some(_) => Err(Ended::Unexpected),
        None => Err(Ended::Closed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_obey_the_master() {
        let mut pauses = Pauses::default();
        let broken = Ended::Net(NetError::Closed);
        assert_eq!(pauses.next(&broken, 1.0), SOON.0);
        assert!((2..=SOON_TRIES).all(|_| pauses.next(&broken, 0.9) <= SOON.1));
        assert!((0..100).all(|_| pauses.next(&broken, 0.9) <= RARELY.1));
        let refused = |why| Ended::Refused { why, retry_after: Duration::from_secs(10) };
        let mut waits = |why: Refusal| [0; 3].map(|_| pauses.next(&refused(why.clone()), 0.0).as_secs());
        assert_eq!(waits(Refusal::Pending), [10, 10, 10]);
        assert_eq!(waits(Refusal::Busy), [10, 10, 10]);
        assert_eq!(waits(Refusal::Rejected), [10, 20, 40]);
    }

    #[test]
    fn a_slot_is_kept_and_is_no_failure() {
        let mut pauses = Pauses::default();
        let crowded = |seconds| Ended::Net(NetError::Session(SessionError::Busy(seconds)));
        assert!((0..100).all(|_| pauses.next(&crowded(3), 0.5) == Duration::from_millis(3500)));
        assert_eq!(pauses.next(&Ended::Net(NetError::Closed), 1.0), SOON.0);
        assert!(pauses.next(&crowded(u16::MAX), 1.0) <= Backoff::REFUSED + SLOT);
    }
}
