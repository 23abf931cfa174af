//! The master's front door: connections come in, and each is served by a task of its own.

mod admin;
mod checks;
mod minion;
mod operator;
pub(crate) mod questions;
mod room;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use proto::{
    frame::LaneLimits,
    message::{Hello, Lane, Refusal},
    net::{Acceptor, Channel, Counters, Link, Listener, Pass, Receiver, Refused, Sender},
};
use serde_json::json;
use tokio::sync::Semaphore;

pub(crate) use admin::change_keys;
pub(crate) use operator::Caller;

use crate::{
    checks::Checks,
    clock,
    events::Events,
    files::{Files, Git, Received},
    fleet::{Acks, Fleet},
    jobs::Jobs,
    keys::Keys,
    mine::Mine,
    operators::Operators,
    orchestrations::Orchestrations,
    pillar::Pillars,
    store::{Audit, Store},
    wire::ToOperator,
};

/// How long a peer that has shaken hands may take to say what it wants.
const HELLO_DEADLINE: Duration = Duration::from_secs(10);

/// How long a peer that was told to go may take to do so.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything that a connection's task may use.
pub struct Master {
    pub name: String,
    pub store: Store,
    pub keys: Keys,
    pub operators: Operators,
    pub fleet: Arc<Fleet>,
    pub jobs: Jobs,
    pub events: Events,
    /// Bytes of returns that may be on their way to disk beyond what each minion may send unasked.
    pub return_pool: Arc<Semaphore>,
    /// How often each kind of thing was refused, before and within sessions.
    pub counters: Arc<Counters>,
    /// What minions push here.
    pub received: Arc<Received>,
    /// What minions ask for.
    pub files: Arc<Files>,
    pub git: Option<Arc<Git>>,
    pub pillars: Arc<Pillars>,
    pub mine: Mine,
    /// Parts of files that are on their way from the disk to minions.
    pub parts: Semaphore,
    /// Acknowledgements that are in no hurry.
    pub acks: Acks,
    pub started: Instant,
    pub orchestrations: Orchestrations,
    pub checks: Arc<Checks>,
}

impl Master {
    /// Serves one authenticated connection to its end.
    pub async fn serve(self: Arc<Self>, channel: Channel) {
        let (key, address) = (channel.peer, channel.address.clone());
        let (sender, mut receiver) = channel.split();
        // Until it is admitted, a peer may say little.
        receiver.set_limits(LaneLimits::GREETING);
        let hello = match tokio::time::timeout(HELLO_DEADLINE, receiver.recv::<Hello>()).await {
            Ok(Ok(Some(hello))) => hello,
            Ok(Ok(None)) => return,
            Ok(Err(error)) => {
                self.counters.note(&error);
                return tracing::info!(%address, %error, "a peer said no hello");
            }
            Err(_) => return tracing::info!(%address, "a peer said nothing"),
        };
        match hello {
            Hello::Minion(hello) => {
                Box::pin(minion::serve(self, minion::Peer { key, address }, *hello, sender, receiver)).await
            }
            Hello::Operator(_) => match self.operators.by_key(&key) {
                Some(operator) => {
                    let caller = operator::Caller { operator, origin: address };
                    Box::pin(operator::serve(self, caller, sender, receiver)).await
                }
                None => {
                    let why = Refusal::UnknownOperator;
                    tracing::warn!(%address, key = %key.fingerprint(), "{why}");
                    self.keys.turned_away("(operator)", host(&address), &why.to_string(), clock::now());
                    farewell(&ToOperator::Refused { why }, &sender, &mut receiver).await;
                }
            },
        }
    }

    pub(crate) async fn audit(&self, caller: &operator::Caller, action: &str, outcome: &str) {
        let audit = Audit {
            at: clock::now(),
            operator: caller.operator.name.to_string(),
            origin: caller.origin.clone(),
            action: action.to_owned(),
            outcome: outcome.to_owned(),
        };
        self.store.audit(audit).await;
    }

    /// What the master is doing, for `ctl` and for the curious.
    fn status(&self) -> proto::Value {
        let (minions, connected) = self.fleet.counts();
        let (jobs, pairs) = self.jobs.load_now();
        json!({
            "version": env!("CARGO_PKG_VERSION"), "uptime": self.started.elapsed().as_secs(), "minions": minions,
            "connected": connected, "open_jobs": jobs, "open_pairs": pairs,
            "orchestrations": self.orchestrations.count(),
            "return_pool_free": self.return_pool.available_permits(),
            "refused": self.counters.all().map(|(name, count)| (name.to_owned(), count.into())).collect::<proto::Map>(),
        })
    }
}

/// The last word to a peer: sends it, and waits a little for the peer to go.
async fn farewell<M: serde::Serialize>(message: &M, sender: &Sender, receiver: &mut Receiver) {
    if sender.send(Lane::Control, message).await.is_ok() {
        sender.close();
        // Whatever still comes is not for us any more; the time-out is for peers that stay.
        let gone = async { while matches!(receiver.recv_bytes().await, Ok(Some(_))) {} };
        let _ = tokio::time::timeout(FAREWELL, gone).await;
    }
}

/// Lets peers in until the task is dropped.
pub async fn accept(master: Arc<Master>, mut listener: Listener, acceptor: Arc<Acceptor>) {
    loop {
        let link = match listener.accept().await {
            Ok(link) => link,
            Err(error) => {
                // Too many open files, or a peer that hung up at once: both pass.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        match acceptor.enter(link.ip) {
            Ok(pass) => tokio::spawn(welcome(master.clone(), acceptor.clone(), link, pass)),
            Err(turned) => {
                let acceptor = acceptor.clone();
                tokio::spawn(async move { acceptor.turn_away(link, turned).await })
            }
        };
    }
}

async fn welcome(master: Arc<Master>, acceptor: Arc<Acceptor>, link: Link, pass: Pass) {
    let address = link.address.clone();
    // Boxed, so that a connection that stands holds nothing of what its handshake took.
    match Box::pin(acceptor.accept(link, pass)).await {
        Ok(channel) => Box::pin(master.serve(channel)).await,
        Err(error) if Refused::of(&error).is_some() => {
            let count = master.keys.turned_away("(stranger)", host(&address), &error.to_string(), clock::now());
            // One line for the first of them, then one for each doubling.
            if count.is_power_of_two() {
                tracing::warn!(%address, %error, count, "a stranger was turned away");
            }
        }
        Err(error) => tracing::debug!(%address, %error, "a stranger went away"),
    }
}

/// An address without its port, which is another one with each connection.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}
