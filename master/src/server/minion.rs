//! One minion's connection: admitted, told its jobs, heard, until it goes.

use std::{collections::HashSet, sync::Arc, time::Duration};

use proto::{
    JobId, MinionId, Question,
    delivery::Outbox,
    frame::LaneLimits,
    message::{DEAD_AFTER, DOWN_BYTES, DOWN_JOBS, HEARTBEAT, Lane, MinionHello, Published, Refusal, ToMinion},
    net::{Receiver, Sender},
    question::{self, Unanswered},
    sign::PublicKey,
};
use tokio::{
    sync::{Semaphore, mpsc::UnboundedReceiver},
    task::JoinSet,
    time::Instant,
};

use super::{
    Master, farewell, host,
    questions::{self, Answers},
    room::Room,
};
use crate::{
    clock,
    fleet::{Down, Link},
    keys::Admission,
    store::MinionRecord,
    wire::{FromMinion, Return},
};

/// Events that a minion may send between two heartbeats; more are dropped.
const EVENTS_PER_BEAT: u32 = 500;

/// A peer whose key and address are known, and which says that it is a minion.
pub(super) struct Peer {
    pub key: PublicKey,
    pub address: String,
}

/// Serves a minion from its hello to its end.
pub(super) async fn serve(master: Arc<Master>, peer: Peer, hello: MinionHello, sender: Sender, mut receiver: Receiver) {
    let now = clock::now();
    let admission = master.keys.admit(peer.key, &hello.id, hello.token.as_deref(), now).await;
    let fixed_grains = match admission {
        Ok(Admission::Accepted(fixed_grains)) => fixed_grains,
        Ok(Admission::Refused(why)) => {
            return Box::pin(turn_away(&master, &peer, &hello.id, why, &sender, &mut receiver)).await;
        }
        Err(error) => {
            tracing::error!(minion = %hello.id, %error, "cannot admit");
            let why = Refusal::Busy;
            return Box::pin(turn_away(&master, &peer, &hello.id, why, &sender, &mut receiver)).await;
        }
    };
    // One that has just been accepted is not among them yet.
    let minions = master.fleet.count().max(1);
    let welcome = ToMinion::Welcome { now, fixed_grains: fixed_grains.clone(), minions };
    if sender.send(Lane::Control, &welcome).await.is_err() {
        return;
    }
    receiver.set_limits(LaneLimits::default());
    let (link, orders) = Link::new(peer.address.clone(), hello.version.clone(), now);
    link.heard(now, Some(hello.now));
    if let Some(earlier) = master.fleet.connect(&hello.id, link.clone(), hello.grains.clone(), fixed_grains, now) {
        earlier.tell(Down::Close(Box::new(Refusal::Replaced)));
    }
    tracing::info!(minion = %hello.id, address = %peer.address, version = %hello.version, "minion connected");
    master.events.minion_start(&hello.id);
    let has: HashSet<JobId> = hello.running.iter().chain(&hello.spooled).copied().collect();
    master.jobs.connected(&hello.id, &has);
    let record = MinionRecord {
        id: hello.id.clone(),
        last_seen: now,
        version: hello.version,
        address: peer.address,
        grains: hello.grains,
    };
    master.store.minion(record).await;

    let connection = Connection::new(master.clone(), hello.id.clone(), link.clone(), sender);
    let why = connection.run(orders, receiver).await;
    let now = clock::now();
    if master.fleet.disconnect(&hello.id, &link, now) {
        master.store.seen(hello.id.clone(), now).await;
        master.jobs.gone(&hello.id);
        master.events.minion_gone(&hello.id);
        tracing::info!(minion = %hello.id, %why, "minion disconnected");
    }
}

/// Tells a peer why it is not welcome and how long to stay away: twice as long each time, up to
/// five minutes.
async fn turn_away(
    master: &Master,
    peer: &Peer,
    id: &MinionId,
    why: Refusal,
    sender: &Sender,
    receiver: &mut Receiver,
) {
    let count = master.keys.turned_away(id.as_str(), host(&peer.address), &why.to_string(), clock::now());
    let retry_after = match why {
        Refusal::Pending => 5 << count.saturating_sub(1).min(4),
        Refusal::Busy | Refusal::ShuttingDown => 1,
        _ => 10 << count.saturating_sub(1).min(5),
    }
    .min(300);
    // One line for the first of them, then one for each doubling.
    if count.is_power_of_two() {
        tracing::warn!(minion = %id, address = %peer.address, %why, count, "turned away");
        master.events.auth(id, &peer.key, &why);
    }
    farewell(&ToMinion::Refused { why, retry_after }, sender, receiver).await;
}

/// What one connection's task holds.
struct Connection {
    master: Arc<Master>,
    id: MinionId,
    link: Arc<Link>,
    sender: Sender,
    outbox: Outbox<Arc<(JobId, Published)>>,
    /// Bytes of returns, and the share of the pool that is held until they are on disk.
    room: Room,
    permit: Option<tokio::sync::OwnedSemaphorePermit>,
    /// It waits for room in the pool.
    wanting: bool,
    next_return: u64,
    events_left: u32,
    /// It was asked for its checks since the last heartbeat.
    checks_asked: bool,
    /// What its last heartbeat said of its clock, and when that was heard.
    echo: (u64, u64),
    /// Questions that are being answered; they end with the connection.
    asked: JoinSet<()>,
    answers: Answers,
    /// What is said last, when it is the master that ends the connection.
    farewell: Option<ToMinion>,
}

/// Why a connection ended.
type End = String;

impl Connection {
    fn new(master: Arc<Master>, id: MinionId, link: Arc<Link>, sender: Sender) -> Self {
        Self {
            master,
            id,
            link,
            outbox: Outbox::windowed(DOWN_JOBS, DOWN_BYTES),
            room: Room::new(),
            permit: None,
            wanting: false,
            next_return: 1,
            events_left: EVENTS_PER_BEAT,
            checks_asked: false,
            echo: (0, 0),
            asked: JoinSet::new(),
            answers: Answers { sender: sender.clone(), turn: Arc::new(Semaphore::new(1)) },
            sender,
            farewell: None,
        }
    }

    async fn run(mut self, mut orders: UnboundedReceiver<Down>, mut receiver: Receiver) -> End {
        let period = Duration::from_secs(HEARTBEAT);
        let mut beat = tokio::time::interval_at(Instant::now() + period, period);
        let mut heard = Instant::now();
        loop {
            let result = tokio::select! {
                message = receiver.recv::<FromMinion>() => match message {
                    Ok(Some(message)) => {
                        heard = Instant::now();
                        // Boxed: an idle connection holds nothing of it.
                        Box::pin(self.hear(message)).await
                    }
                    Ok(None) => Err("it closed the connection".into()),
                    Err(error) => {
                        self.master.counters.note(&error);
                        Err(error.to_string())
                    }
                },
                order = orders.recv() => match order {
                    Some(order) => Box::pin(self.obey(order)).await,
                    None => Err("forgotten".into()),
                },
                _ = beat.tick() => {
                    self.events_left = EVENTS_PER_BEAT;
                    self.checks_asked = false;
                    match heard.elapsed() > period * DEAD_AFTER as u32 {
                        true => Err("no heartbeat".into()),
                        false => Box::pin(self.beat(receiver.received())).await,
                    }
                }
            };
            if let Err(end) = result {
                if let Some(message) = &self.farewell {
                    Box::pin(farewell(message, &self.sender, &mut receiver)).await;
                }
                return end;
            }
        }
    }

    async fn beat(&mut self, received: u64) -> Result<(), End> {
        self.room.beat(received)?;
        let (echo, heard) = self.echo;
        self.say(ToMinion::Ping { now: clock::now(), echo, heard }).await
    }

    async fn say(&self, message: ToMinion) -> Result<(), End> {
        self.sender.send(Lane::Control, &message).await.map_err(|error| error.to_string())
    }

    async fn obey(&mut self, order: Down) -> Result<(), End> {
        match order {
            Down::Publish(job) => {
                let bytes = job.1.len() as u64;
                self.outbox.push(job, bytes);
                self.send_jobs().await
            }
            Down::Say(message) => self.say(*message).await,
            Down::Stored => self.on_disk().await,
            Down::Granted(permit) => {
                let bytes = self.room.grant(permit.num_permits() as u64);
                match &mut self.permit {
                    Some(held) => held.merge(permit),
                    None => self.permit = Some(permit),
                }
                self.wanting = false;
                self.say(ToMinion::Credit { bytes }).await
            }
            Down::Close(why) => {
                let text = why.to_string();
                self.farewell = Some(ToMinion::Refused { why: *why, retry_after: 1 });
                Err(text)
            }
        }
    }

    async fn send_jobs(&mut self) -> Result<(), End> {
        while let Some((seq, job)) = self.outbox.take_next() {
            let message = job.1.numbered(seq);
            self.sender.send_bytes(Lane::Control, message).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    async fn on_disk(&mut self) -> Result<(), End> {
        let (up_to, bytes) = self.link.take_stored();
        self.say(ToMinion::Stored { up_to }).await?;
        let needed = self.room.on_disk(bytes);
        self.give_back(needed as usize);
        match self.permit.is_none().then(|| self.room.top_up()).flatten() {
            Some(bytes) => self.say(ToMinion::Credit { bytes }).await,
            None => Ok(()),
        }
    }

    /// The pool has back what is on disk: no more of it is held than may still come, or has come and
    /// waits for the disk.
    fn give_back(&mut self, needed: usize) {
        if let Some(held) = &mut self.permit {
            drop(held.split(held.num_permits().saturating_sub(needed)));
        }
        self.permit.take_if(|held| held.num_permits() == 0);
    }

    async fn hear(&mut self, message: FromMinion) -> Result<(), End> {
        let now = clock::now();
        self.link.heard(now, None);
        match message {
            FromMinion::Received { up_to } => self.acknowledged(up_to).await?,
            FromMinion::Started { jid } => self.master.jobs.started(&self.id, jid),
            FromMinion::Return { seq, ret, received } => {
                self.acknowledged(received).await?;
                self.take_return(seq, *ret).await?;
            }
            FromMinion::Want { bytes } => self.want(bytes)?,
            FromMinion::Output { jid, stream, text } => self.master.jobs.output(&self.id, jid, stream, &text),
            FromMinion::Event { tag, data } => self.event(tag, data),
            FromMinion::Grains(grains) => {
                self.master.fleet.set_grains(&self.id, grains);
            }
            FromMinion::Unknown { jid } => self.master.jobs.unknown(&self.id, jid).await,
            FromMinion::Ping { now: theirs, checks } => {
                self.link.heard(now, Some(theirs));
                self.echo = (theirs, now);
                // Asked for once between two heartbeats of ours, however often it says so.
                if self.master.checks.beat(&self.id, checks) && !std::mem::replace(&mut self.checks_asked, true) {
                    self.say(ToMinion::Checks).await?;
                }
            }
            FromMinion::Checks { all, rows } => {
                if let Err(why) = self.master.checks.told(&self.id, all, rows) {
                    tracing::warn!(minion = %self.id, why, "what it told of its checks is dropped");
                }
            }
            FromMinion::Ask { id, question } => self.asked(id, question).await?,
        }
        Ok(())
    }

    /// The minion has these publishes: there is room for more.
    async fn acknowledged(&mut self, up_to: u64) -> Result<(), End> {
        let acked = self.outbox.ack(up_to).map_err(|error| error.to_string())?;
        if !acked.is_empty() {
            self.master.jobs.received(&self.id, acked.into_iter().map(|job| job.0));
            self.send_jobs().await?;
        }
        Ok(())
    }

    async fn take_return(&mut self, seq: u64, ret: Return) -> Result<(), End> {
        if seq != self.next_return {
            return Err(format!("return {seq} came where {} was due", self.next_return));
        }
        self.next_return += 1;
        let bytes = ret.weight();
        self.room.came(bytes)?;
        let (master, link, soon) = (self.master.clone(), self.link.clone(), self.room.is_pressing());
        self.master.jobs.returned(&self.id, ret, move || master.acks.stored(&link, seq, bytes, soon)).await;
        Ok(())
    }

    /// Queues for room in the pool that all connections share.
    fn want(&mut self, bytes: u64) -> Result<(), End> {
        let missing = self.room.missing(bytes)?;
        if std::mem::replace(&mut self.wanting, true) {
            return Err("it asks for room while it waits for some".into());
        }
        let (pool, link) = (self.master.return_pool.clone(), self.link.clone());
        tokio::spawn(async move {
            if let Ok(permit) = pool.acquire_many_owned(missing).await {
                link.tell(Down::Granted(permit));
            }
        });
        Ok(())
    }

    /// Answers beside all else, so many questions at a time.
    async fn asked(&mut self, id: u32, question: Question) -> Result<(), End> {
        while self.asked.try_join_next().is_some() {}
        if self.asked.len() >= question::MOST_OPEN {
            let why = format!("more than {} questions at once", question::MOST_OPEN);
            return self.say(ToMinion::Failed { id, why: Unanswered::new(question::Kind::Busy, why) }).await;
        }
        let (master, minion, answers) = (self.master.clone(), self.id.clone(), self.answers.clone());
        self.asked.spawn(questions::answer(master, minion, answers, id, question));
        Ok(())
    }

    fn event(&mut self, tag: String, data: proto::Value) {
        if proto::event::is_reserved(&tag) {
            tracing::warn!(minion = %self.id, %tag, "a minion may not send an event with this tag");
            return;
        }
        if self.events_left == 0 {
            return;
        }
        self.events_left -= 1;
        self.master.events.of_minion(&self.id, tag, data);
    }
}
