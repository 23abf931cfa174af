//! A master made of `proto` alone, and agents that connect to it over real sockets.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod goods;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use minion::{
    agent::{Agent, Exit, Parts},
    config::{Config, Keys},
    host::Local,
    pki,
};
use proto::{
    Args, JobId, Map, Publish, Request, Return, RunOptions, Value,
    message::{FromMinion, Hello, Lane, MinionHello, ToMinion},
    net::{self, Channel, Receiver, Sender},
    session,
    sign::{Identity, PUBLISH, REQUEST, Signed, StaticKey},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine; nothing waits for it when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

pub struct Master {
    pub identity: Identity,
    pub local: session::Local,
    pub operator: Identity,
    pub listener: TcpListener,
    /// What this master takes for the time.
    pub now: fn() -> u64,
    /// The tree that its jobs name.
    pub tree: Option<String>,
}

impl Master {
    pub async fn new() -> Self {
        Self::with(Identity::generate(), TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn with(identity: Identity, listener: TcpListener) -> Self {
        let local = session::Local::new(&identity, StaticKey::generate());
        Self { identity, local, operator: Identity::generate(), listener, now, tree: None }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    pub async fn accept(&self) -> Result<Channel, net::NetError> {
        let link = net::tcp::accept(&self.listener).await.unwrap();
        net::accept(link, &self.local).await
    }

    /// Waits for the minion and welcomes it.
    pub async fn welcome(&self) -> (Line, MinionHello) {
        let (sender, mut receiver) = timeout(PATIENCE, self.accept()).await.unwrap().unwrap().split();
        let Some(Hello::Minion(hello)) = receiver.recv().await.unwrap() else { panic!("no hello") };
        let welcome = ToMinion::Welcome { now: (self.now)(), fixed_grains: Map::new(), minions: 1 };
        sender.send(Lane::Control, &welcome).await.unwrap();
        (Line { sender, receiver, seq: 0 }, *hello)
    }

    pub fn request(&self, nonce: u8, function: &str, args: Args) -> Request {
        Request {
            nonce: [nonce; 16],
            operator: "root".parse().unwrap(),
            target: "*".into(),
            function: function.parse().unwrap(),
            args,
            valid_until: (self.now)() + 60_000_000,
            options: RunOptions::default(),
        }
    }

    pub fn publish(&self, jid: u64, request: &Request) -> Signed {
        let request = self.operator.sign_value(REQUEST, request).unwrap();
        let expires = (self.now)() + 30_000_000;
        let publish = Publish {
            jid: JobId::from_micros(jid),
            request,
            expires,
            wave: 0,
            tree: self.tree.clone(),
            authority: None,
        };
        self.identity.sign_value(PUBLISH, &publish).unwrap()
    }

    pub fn job(&self, jid: u64, function: &str, args: Args) -> Signed {
        self.publish(jid, &self.request(jid as u8, function, args))
    }
}

pub struct Line {
    pub sender: Sender,
    pub receiver: Receiver,
    pub seq: u64,
}

impl Line {
    pub async fn publish(&mut self, publish: Signed) {
        self.seq += 1;
        let message = ToMinion::Publish { seq: self.seq, publish };
        self.sender.send(Lane::Control, &message).await.unwrap();
    }

    pub async fn next(&mut self) -> FromMinion {
        timeout(PATIENCE, self.receiver.recv()).await.unwrap().unwrap().unwrap()
    }

    pub async fn until<T>(&mut self, wanted: impl Fn(FromMinion) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    pub async fn ret(&mut self) -> (u64, Return) {
        self.until(|message| match message {
            FromMinion::Return { seq, ret, .. } => Some((seq, *ret)),
            _ => None,
        })
        .await
    }

    /// The next return, which is then on our disk.
    pub async fn stored(&mut self) -> Return {
        let (seq, ret) = self.ret().await;
        self.sender.send(Lane::Control, &ToMinion::Stored { up_to: seq }).await.unwrap();
        ret
    }

    pub async fn ask(&mut self, master: &Master, jid: u64, function: &str, args: Args) -> Return {
        self.publish(master.job(jid, function, args)).await;
        self.stored().await
    }
}

pub struct Minion {
    pub agent: Agent,
    pub stop: CancellationToken,
    pub task: JoinHandle<Exit>,
}

pub fn parts(root: &Path, master: &str) -> Parts {
    let keys = Keys { id: Some("web1".into()), master: master.into(), root_dir: root.to_owned(), ..Keys::default() };
    Parts {
        config: Config::new(root, keys, Map::new()).unwrap(),
        local: pki::local(root).unwrap(),
        pinned: pki::Pinned::load(root).unwrap(),
        system: Arc::new(Local::default()),
        grains: Map::from_iter([("os".to_owned(), Value::from("Debian"))]),
        detect: None,
        child: None,
    }
}

pub fn start(parts: Parts) -> Minion {
    let (agent, stop) = (Agent::new(parts), CancellationToken::new());
    let task = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop).await }
    });
    Minion { agent, stop, task }
}

impl Minion {
    pub async fn stop(self) -> Exit {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}
