//! An operator without a `ctl` process: for questions that are asked a thousand times.

use std::{collections::HashMap, path::Path};

use proto::{
    JobId, Outcome, Request, RunOptions, Value, layout,
    message::{
        Ask, Hello, Lane, OperatorHello, Query, Reply, ToOperator,
        orchestration::{Orchestration, Plan},
    },
    net::{Receiver, Sender, connect, tcp},
    session::{Local, Peer},
    sign::{self, Identity, StaticKey},
};

pub struct Operator {
    identity: Identity,
    sender: Sender,
    receiver: Receiver,
    next: u32,
}

impl Operator {
    /// The first operator of the master beneath `root_dir`.
    pub async fn connect(address: &str, root_dir: &Path) -> Result<Self, String> {
        let pem = std::fs::read_to_string(root_dir.join(layout::FIRST_OPERATOR_KEY)).map_err(|e| e.to_string())?;
        let identity = Identity::from_pem(&pem).map_err(|e| e.to_string())?;
        let local = Local::new(&identity, StaticKey::generate());
        let link = tcp::dial(address).await.map_err(|e| e.to_string())?;
        let channel = connect(link, &local, &Peer::default()).await.map_err(|e| e.to_string())?;
        let (sender, mut receiver) = channel.split();
        let hello = Hello::Operator(OperatorHello { version: "bench".into() });
        sender.send(Lane::Control, &hello).await.map_err(|e| e.to_string())?;
        match receiver.recv::<ToOperator>().await {
            Ok(Some(ToOperator::Welcome { .. })) => Ok(Self { identity, sender, receiver, next: 0 }),
            other => Err(format!("no welcome: {other:?}")),
        }
    }

    async fn ask(&mut self, query: Query) {
        self.next += 1;
        self.sender.send(Lane::Control, &Ask { id: self.next, query }).await.expect("the master listens");
    }

    async fn reply(&mut self) -> Reply {
        loop {
            match self.receiver.recv::<ToOperator>().await.expect("the master answers") {
                Some(ToOperator::Answer { id, reply }) if id == self.next => return reply,
                Some(_) => {}
                None => panic!("the master closed the connection"),
            }
        }
    }

    /// What the master is doing.
    pub async fn status(&mut self) -> Value {
        self.ask(Query::Status).await;
        match self.reply().await {
            Reply::Value(value) => value,
            other => panic!("no status: {other:?}"),
        }
    }

    /// What an orchestration would do.
    pub async fn plan(&mut self, wanted: Orchestration) -> Plan {
        self.ask(Query::Plan(Box::new(wanted))).await;
        match self.reply().await {
            Reply::Plan(plan) => *plan,
            other => panic!("no plan: {other:?}"),
        }
    }

    fn request(&self, target: &str, function: &str, ttl: Option<u32>) -> sign::Signed {
        let now = jiff::Timestamp::now().as_microsecond() as u64;
        let request = Request {
            nonce: rand::random(),
            operator: layout::FIRST_OPERATOR.parse().expect("a name"),
            target: target.into(),
            function: function.parse().expect("a function"),
            args: proto::Args::default(),
            valid_until: now + 3_600_000_000,
            options: RunOptions { ttl, ..RunOptions::default() },
        };
        self.identity.sign_value(sign::REQUEST, &request).expect("a request")
    }

    /// Starts a job and does not wait for it.
    pub async fn begin(&mut self, target: &str, function: &str, ttl: u32) -> JobId {
        let request = self.request(target, function, Some(ttl));
        self.ask(Query::Run { request, follow: false }).await;
        match self.reply().await {
            Reply::Job(start) => start.jid,
            other => panic!("not begun: {other:?}"),
        }
    }

    /// Runs a job to its end; how many pairs ended how.
    pub async fn run(&mut self, target: &str, function: &str) -> HashMap<Outcome, usize> {
        let request = self.request(target, function, None);
        self.ask(Query::Run { request, follow: true }).await;
        let mut counts = HashMap::new();
        loop {
            match self.reply().await {
                Reply::Ends(ends) => {
                    for end in ends {
                        *counts.entry(end.ret.outcome).or_default() += 1;
                    }
                }
                Reply::Done => return counts,
                Reply::Error(fault) => panic!("not run: {fault:?}"),
                _ => {}
            }
        }
    }
}
