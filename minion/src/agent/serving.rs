//! Serving a connection: publishes down, returns up as far as the credit goes, heartbeats.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use proto::{
    JobId, Outcome, PackedValue, Return,
    message::{DEAD_AFTER, FromMinion, FromMinionWith, HEARTBEAT, Lane, ToMinion, UP_BYTES},
    net::{NetError, Receiver, Sender},
    sign::PublicKey,
};
use tokio::{
    sync::Notify,
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{Inner, connection::Ended, lock, run};
use crate::{job, spool::SpoolError};

/// How long a publish waits for a return to acknowledge it …
const ACK_AFTER: Duration = Duration::from_millis(50);
/// … and how many may.
const ACK_EVERY: u64 = 16;

/// Returns that are read from the spool in one go: so many …
const AHEAD: usize = 64;
/// … as long as they are not more bytes than this, the last one aside.
const AHEAD_BYTES: usize = 256 * 1024;

/// Returns that were read, with their places in the ledger.
type Ahead = VecDeque<(u64, Option<Sent>)>;

/// A return as it travels.
type Sent = Return<PackedValue>;

/// A connection that stands.
pub struct Connection<'a> {
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

impl<'a> Connection<'a> {
    pub fn new(inner: &'a Arc<Inner>, sender: Sender, master: PublicKey) -> Self {
        Self { inner, sender, master, flow: Mutex::new(Flow::new()), unacknowledged: Notify::new() }
    }

    /// Serves it until it ends.
    pub async fn serve(&self, receiver: Receiver) -> Ended {
        tokio::select! {
            // In this order: what was read is answered in the same turn.
            biased;
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
                // Set first: the return that is sent next acknowledges this publish.
                lock(&self.flow).received = seq;
                if !run::receive(self.inner, &publish, &self.master) {
                    self.received().await?;
                }
            }
            ToMinion::Stored { up_to } => self.stored(up_to),
            ToMinion::Credit { bytes } => {
                let mut flow = lock(&self.flow);
                flow.credit = flow.credit.max(bytes);
                self.inner.wake.notify_one();
            }
            ToMinion::Fate { jid } => self.fate(jid).await?,
            ToMinion::Checks => self.inner.tell_all_checks(),
            ToMinion::Ping { now, echo, heard } => self.inner.clock.told(now, echo, heard),
            ToMinion::Part { id, bytes, last } => self.inner.store.questions.part(id, bytes, last),
            ToMinion::Failed { id, why } => self.inner.store.questions.failed(id, why),
            ToMinion::Welcome { fixed_grains, .. } => self.inner.fix_grains(fixed_grains),
            ToMinion::Refused { why, retry_after } => {
                return Err(Ended::Refused { why, retry_after: Duration::from_secs(retry_after.into()) });
            }
        }
        Ok(())
    }

    /// A publish is in memory. It is acknowledged with the next return, or a little later; at once
    /// when many wait for it.
    async fn received(&self) -> Result<(), Ended> {
        let waiting = {
            let flow = lock(&self.flow);
            flow.received.saturating_sub(flow.acked)
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

    fn stored(&self, up_to: u64) {
        let mut jids = Vec::new();
        {
            let mut flow = lock(&self.flow);
            let mut ledger = lock(&self.inner.ledger);
            while let Some(&(seq, place)) = flow.unstored.front()
                && seq <= up_to
            {
                flow.unstored.pop_front();
                jids.extend(
                    ledger.stored(place).filter(|pending| pending.spooled || pending.marked).map(|pending| pending.jid),
                );
            }
        }
        self.inner.forget(jids);
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
        let mut ahead = VecDeque::new();
        loop {
            let next = lock(&self.inner.ledger).pending_from(cursor);
            let Some((place, pending)) = next else {
                self.inner.wake.notified().await;
                continue;
            };
            let ret = match pending.ret {
                Some(ret) => Some(ret),
                None => match self.spooled(place, &mut ahead).await {
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

    /// The return at this place, from the disk. Those behind it are read with it, in one go.
    async fn spooled(&self, place: u64, ahead: &mut Ahead) -> Result<Option<Sent>, SpoolError> {
        while let Some((at, ret)) = ahead.pop_front() {
            if at == place {
                return Ok(ret);
            }
        }
        let wanted = lock(&self.inner.ledger).spooled_from(place, AHEAD);
        let jids = wanted.iter().map(|&(_, jid)| jid).collect();
        let spool = self.inner.spool.clone();
        let read = tokio::task::spawn_blocking(move || spool.read(jids, AHEAD_BYTES)).await;
        let found = read.unwrap_or_else(|error| Err(SpoolError { path: "spool".into(), why: error.to_string() }))?;
        ahead.extend(wanted.into_iter().map(|(at, _)| at).zip(found));
        Ok(ahead.pop_front().and_then(|(_, ret)| ret))
    }

    async fn send_return(&self, place: u64, jid: JobId, ret: Option<Sent>) -> Result<(), Ended> {
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
        let message = FromMinionWith::Return { seq, ret: Box::new(ret), received };
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
                // No return will do it for now.
                self.acknowledge().await?;
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
            if let Err(error) = self.sender.try_send(
                Lane::Control,
                &FromMinion::Ping { now: self.inner.clock.asks(), checks: self.inner.checks.digest() },
            ) && error != NetError::Full
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
