//! Connections to the master: making one, serving it, coming back.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use proto::{
    JobId, Outcome, Return,
    message::{DEAD_AFTER, FromMinion, HEARTBEAT, Hello, Lane, MinionHello, Refusal, ToMinion, UP_BYTES},
    net::{self, Channel, NetError, Receiver, Sender},
    session::SessionError,
    sign::PublicKey,
};
use rand::RngExt;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};

use super::{Inner, lock, run};
use crate::{
    clock::local_now,
    config::Transport,
    job,
    pki::{self, Pinned},
    spool::SpoolError,
};

/// The longest wait between two tries, whoever asks for it.
const LONGEST: Duration = Duration::from_secs(300);
/// The first wait; it doubles with each failure, up to [`USUAL`].
const SHORTEST: Duration = Duration::from_millis(250);
const USUAL: Duration = Duration::from_secs(20);

/// How long a publish waits for a return to acknowledge it …
const ACK_AFTER: Duration = Duration::from_millis(50);
/// … and how many may.
const ACK_EVERY: u64 = 16;

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
    let ended = Connection {
        inner,
        sender: sender.clone(),
        master,
        flow: Mutex::new(Flow::new()),
        unacknowledged: Notify::new(),
    }
    .serve(receiver)
    .await;
    *lock(&inner.sender) = None;
    sender.close();
    ended
}

async fn connect(inner: &Arc<Inner>) -> Result<(Sender, Receiver, PublicKey), Ended> {
    let known = lock(&inner.pinned).clone();
    let peer = pki::expected(inner.config.master_fingerprint, known.as_ref());
    let transport = match inner.config.keys.transport {
        Transport::Tcp => net::Transport::Tcp,
        Transport::Zeromq => net::Transport::ZeroMq,
    };
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
        grains: (*inner.grains()).clone(),
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

struct Connection<'a> {
    inner: &'a Arc<Inner>,
    sender: Sender,
    master: PublicKey,
    flow: Mutex<Flow>,
    /// A publish came that nothing has acknowledged.
    unacknowledged: Notify,
}

/// How far the returns of this connection have come.
struct Flow {
    seq: u64,
    /// Weight of all returns sent.
    sent: u64,
    credit: u64,
    wanted: u64,
    /// The last publish that is in memory, and the last that was acknowledged.
    received: u64,
    acked: u64,
    /// Sent and not stored: number and place in the ledger.
    unstored: VecDeque<(u64, u64)>,
    heard: Instant,
}

impl Flow {
    fn new() -> Self {
        Self {
            seq: 0,
            sent: 0,
            credit: UP_BYTES,
            wanted: 0,
            received: 0,
            acked: 0,
            unstored: VecDeque::new(),
            heard: Instant::now(),
        }
    }
}

impl Connection<'_> {
    async fn serve(&self, receiver: Receiver) -> Ended {
        tokio::select! {
            ended = self.read(receiver) => ended,
            ended = self.upload() => ended,
            ended = self.acknowledgements() => ended,
            ended = self.beat() => ended,
            ended = self.finish() => ended,
        }
    }

    async fn read(&self, mut receiver: Receiver) -> Ended {
        loop {
            let message = match receiver.recv::<ToMinion>().await {
                Ok(Some(message)) => message,
                Ok(None) => return Ended::Closed,
                Err(error) => return error.into(),
            };
            lock(&self.flow).heard = Instant::now();
            if let Err(ended) = self.take(message).await {
                return ended;
            }
        }
    }

    async fn take(&self, message: ToMinion) -> Result<(), Ended> {
        match message {
            // What is not acknowledged comes again, to the minion that starts next.
            ToMinion::Publish { .. } if self.inner.stopping() => {}
            ToMinion::Publish { seq, publish } => {
                run::receive(self.inner, &publish, &self.master);
                self.received(seq).await?;
            }
            ToMinion::Stored { up_to } => self.stored(up_to).await,
            ToMinion::Credit { bytes } => {
                let mut flow = lock(&self.flow);
                flow.credit = flow.credit.max(bytes);
                self.inner.wake.notify_one();
            }
            ToMinion::Fate { jid } => self.fate(jid).await?,
            ToMinion::Ping { now } => self.inner.clock.told(now),
            ToMinion::Welcome { now, fixed_grains } => {
                self.inner.clock.told(now);
                self.inner.fix_grains(fixed_grains);
            }
            ToMinion::Refused { why, retry_after } => {
                return Err(Ended::Refused { why, retry_after: Duration::from_secs(retry_after.into()) });
            }
        }
        Ok(())
    }

    /// A publish is in memory. It is acknowledged with the next return, or a little later; at once
    /// when many wait for it.
    async fn received(&self, seq: u64) -> Result<(), Ended> {
        let waiting = {
            let mut flow = lock(&self.flow);
            flow.received = seq;
            seq.saturating_sub(flow.acked)
        };
        match waiting {
            0..ACK_EVERY => self.unacknowledged.notify_one(),
            _ => self.acknowledge().await?,
        }
        Ok(())
    }

    async fn acknowledge(&self) -> Result<(), Ended> {
        let up_to = {
            let mut flow = lock(&self.flow);
            if flow.acked == flow.received {
                return Ok(());
            }
            flow.acked = flow.received;
            flow.received
        };
        Ok(self.sender.send(Lane::Control, &FromMinion::Received { up_to }).await?)
    }

    /// Acknowledges what no return has acknowledged.
    async fn acknowledgements(&self) -> Ended {
        loop {
            self.unacknowledged.notified().await;
            sleep(ACK_AFTER).await;
            if let Err(ended) = self.acknowledge().await {
                return ended;
            }
        }
    }

    async fn stored(&self, up_to: u64) {
        let mut jids = Vec::new();
        {
            let mut flow = lock(&self.flow);
            let mut ledger = lock(&self.inner.ledger);
            while let Some(&(seq, place)) = flow.unstored.front()
                && seq <= up_to
            {
                flow.unstored.pop_front();
                jids.extend(ledger.stored(place).filter(|pending| pending.spooled).map(|pending| pending.jid));
            }
        }
        if !jids.is_empty() {
            let spool = self.inner.spool.clone();
            // Nobody waits for it: what is not forgotten is sent again after a restart.
            tokio::spawn(async move {
                if let Err(error) = spool.forget(jids).await {
                    tracing::warn!(%error, "stored returns stay in the spool for now");
                }
            });
        }
    }

    /// The master wants to know what became of a job.
    async fn fate(&self, jid: JobId) -> Result<(), Ended> {
        let (running, pending, known) = {
            let ledger = lock(&self.inner.ledger);
            (ledger.running(jid).is_some(), ledger.is_pending(jid), ledger.knows(jid))
        };
        if !self.inner.is_recovered().await {
            // What is not known here may yet have been begun.
            return Ok(());
        }
        let answer = match (running, pending, known) {
            (true, ..) => FromMinion::Started { jid },
            // Its return is on its way.
            (_, true, _) => return Ok(()),
            (.., true) => {
                let why = "the job ended, and its return was acknowledged before";
                self.inner.finish(job::ended(jid, Outcome::Lost, why, self.inner.clock.now()), false).await;
                return Ok(());
            }
            _ => FromMinion::Unknown { jid },
        };
        Ok(self.sender.send(Lane::Control, &answer).await?)
    }

    /// Sends returns as they come, as far as the credit goes.
    async fn upload(&self) -> Ended {
        let mut cursor = 0;
        loop {
            let next = lock(&self.inner.ledger).pending_from(cursor);
            let Some((place, pending)) = next else {
                self.inner.wake.notified().await;
                continue;
            };
            let ret = match pending.ret {
                Some(ret) => Some((*ret).clone()),
                None => match self.fetch_spooled(pending.jid).await {
                    Ok(ret) => ret,
                    Err(error) => return error.into(),
                },
            };
            cursor = place + 1;
            if let Err(ended) = self.send_return(place, pending.jid, ret).await {
                return ended;
            }
        }
    }

    async fn fetch_spooled(&self, jid: JobId) -> Result<Option<Return>, SpoolError> {
        let spool = self.inner.spool.clone();
        let read = tokio::task::spawn_blocking(move || spool.read(jid)).await;
        read.unwrap_or_else(|error| Err(SpoolError { path: "spool".into(), why: error.to_string() }))
    }

    async fn send_return(&self, place: u64, jid: JobId, ret: Option<Return>) -> Result<(), Ended> {
        let Some(ret) = ret else {
            tracing::error!(%jid, "a return is gone from the spool");
            lock(&self.inner.ledger).stored(place);
            return Ok(());
        };
        let needed = {
            let flow = lock(&self.flow);
            flow.sent + ret.weight()
        };
        self.await_credit(needed).await?;
        let (seq, received) = {
            let mut flow = lock(&self.flow);
            flow.sent = needed;
            flow.seq += 1;
            let seq = flow.seq;
            flow.unstored.push_back((seq, place));
            flow.acked = flow.received;
            (seq, flow.received)
        };
        let message = FromMinion::Return { seq, ret: Box::new(ret), received };
        Ok(self.sender.send(Lane::Returns, &message).await?)
    }

    async fn await_credit(&self, needed: u64) -> Result<(), Ended> {
        loop {
            let ask = {
                let mut flow = lock(&self.flow);
                if flow.credit >= needed {
                    return Ok(());
                }
                std::mem::replace(&mut flow.wanted, needed) != needed
            };
            if ask {
                self.sender.send(Lane::Control, &FromMinion::Want { bytes: needed }).await?;
            }
            self.inner.wake.notified().await;
        }
    }

    /// Says that we are here, and notices when the master is not.
    async fn beat(&self) -> Ended {
        let mut beats = interval(Duration::from_secs(HEARTBEAT));
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats.tick().await;
        loop {
            beats.tick().await;
            let silence = lock(&self.flow).heard.elapsed().as_secs();
            if silence > HEARTBEAT * DEAD_AFTER {
                return Ended::Silent(silence);
            }
            if let Err(error) = self.sender.try_send(Lane::Control, &FromMinion::Ping { now: local_now() })
                && error != NetError::Full
            {
                return error.into();
            }
        }
    }

    /// When the agent stops: lets the jobs end and the master have their returns, for a while.
    async fn finish(&self) -> Ended {
        self.inner.stop.cancelled().await;
        let deadline = Instant::now() + super::DRAIN;
        while Instant::now() < deadline && (self.inner.at_work() || lock(&self.inner.ledger).has_pending()) {
            sleep(Duration::from_millis(10)).await;
        }
        Ended::Stopping
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
