//! Connections to the master: making one, and coming back when it has ended.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use proto::{
    Packed,
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

/// The longest wait between two tries, whoever asks for it.
const LONGEST: Duration = Duration::from_secs(300);
/// The first wait; it doubles with each failure, up to [`USUAL`].
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
    let mut failures = 0u32;
    while !inner.stopping() {
        let before = inner.counters.connections.load(Relaxed);
        let ended = once(inner).await;
        if inner.counters.connections.load(Relaxed) > before {
            failures = 0;
        }
        report(inner, &ended);
        let wait = pause(&ended, failures);
        failures = failures.saturating_add(1);
        tokio::select! {
            () = sleep(wait) => {}
            () = inner.stop.cancelled() => {}
        }
    }
}

/// How long to wait before the next try: full jitter, or as the master says.
fn pause(ended: &Ended, failures: u32) -> Duration {
    let jitter = |most: Duration| most.mul_f64(rand::rng().random_range(0.0..1.0));
    match ended {
        Ended::Refused { retry_after, .. } => (*retry_after).min(LONGEST).mul_f64(rand::rng().random_range(0.9..1.1)),
        Ended::Net(NetError::Session(SessionError::Busy(seconds))) => {
            Duration::from_secs(u64::from(*seconds)).min(LONGEST) + jitter(Duration::from_secs(2))
        }
        // Only a person can mend these; the memory of a stale session key is mended at once.
        Ended::Net(NetError::Session(SessionError::WrongPeer { .. })) => jitter(Duration::from_secs(60)) + USUAL,
        Ended::Net(NetError::Session(SessionError::OtherKey)) if failures == 0 => Duration::ZERO,
        _ => jitter(USUAL.min(SHORTEST * 2u32.saturating_pow(failures.min(10)))),
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
        let net = || Ended::Net(NetError::Closed);
        assert!(pause(&net(), 0) <= SHORTEST);
        assert!((0..100).all(|failures| pause(&net(), failures) <= USUAL));
        let refused = |seconds| Ended::Refused { why: Refusal::Pending, retry_after: Duration::from_secs(seconds) };
        assert!((9.0..=11.0).contains(&pause(&refused(10), 0).as_secs_f64()));
        assert!(pause(&refused(100_000), 0) <= LONGEST.mul_f64(1.1));
    }
}
