//! Connections to the master: making one, and coming back when it has ended.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
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

/// The longest first wait; it doubles with each failure, up to [`USUAL`].
const SHORTEST: Duration = Duration::from_millis(250);
const USUAL: Duration = Duration::from_secs(20);

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
    let mut backoff = Backoff::new(SHORTEST, USUAL);
    let mut stale = false;
    while !inner.stopping() {
        let before = inner.counters.connections.load(Relaxed);
        let ended = once(inner).await;
        if inner.counters.connections.load(Relaxed) > before {
            backoff.reset();
        }
        report(inner, &ended);
        // The memory of a session key that the master renewed is mended at once, but once only.
        let renewed = matches!(ended, Ended::Net(NetError::Session(SessionError::OtherKey)));
        let wait = match renewed && !stale {
            true => Duration::ZERO,
            false => pause(&ended, &mut backoff, rand::rng().random_range(0.0..1.0)),
        };
        stale = renewed;
        tokio::select! {
            () = sleep(wait) => {}
            () = inner.stop.cancelled() => {}
        }
    }
}

/// How long to wait before the next try.
fn pause(ended: &Ended, backoff: &mut Backoff, random: f64) -> Duration {
    match ended {
        // The master knows how often it has said so, and asks for more patience each time.
        Ended::Refused { why: Refusal::Pending | Refusal::Busy | Refusal::ShuttingDown, retry_after } => {
            backoff.reset();
            backoff.refused(*retry_after, random)
        }
        Ended::Refused { retry_after, .. } => backoff.refused(*retry_after, random),
        Ended::Net(NetError::Session(SessionError::Busy(seconds))) => {
            Duration::from_secs(u64::from(*seconds)).min(Backoff::REFUSED) + backoff.failed(random)
        }
        // Only a person can mend this.
        Ended::Net(NetError::Session(SessionError::WrongPeer { .. })) => backoff.refused(USUAL, random),
        _ => backoff.failed(random),
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
    tracing::info!(master = %inner.config.master, id = %inner.config.id, offset_us = inner.clock.offset(), "connected");
    *lock(&inner.sender) = Some(sender.clone());
    let ended = Connection::new(inner, sender.clone(), master).serve(receiver).await;
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
        (ledger.all_running().iter().map(|running| running.job.jid).collect(), ledger.pending_jids())
    };
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
        Some(ToMinion::Welcome { now, fixed_grains }) => {
            inner.clock.told(now);
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
        let mut backoff = Backoff::new(SHORTEST, USUAL);
        let broken = Ended::Net(NetError::Closed);
        assert_eq!(pause(&broken, &mut backoff, 1.0), SHORTEST);
        assert!((0..100).all(|_| pause(&broken, &mut backoff, 0.9) <= USUAL));
        let refused = |why| Ended::Refused { why, retry_after: Duration::from_secs(10) };
        let waits =
            |why: Refusal, backoff: &mut Backoff| [0; 3].map(|_| pause(&refused(why.clone()), backoff, 0.0).as_secs());
        assert_eq!(waits(Refusal::Pending, &mut backoff), [10, 10, 10]);
        backoff.reset();
        assert_eq!(waits(Refusal::Rejected, &mut backoff), [10, 20, 40]);
        let crowded = Ended::Net(NetError::Session(SessionError::Busy(u16::MAX)));
        assert!(pause(&crowded, &mut backoff, 1.0) <= Backoff::REFUSED + USUAL);
    }
}
