//! The agent against a master made of `proto` alone, over real sockets.

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
    Args, JobId, Map, Outcome, Publish, Request, Return, RunOptions, Value,
    message::{FromMinion, Hello, Lane, MinionHello, ToMinion},
    net::{self, Channel, Receiver, Sender},
    session,
    sign::{Identity, PUBLISH, REQUEST, Signed, StaticKey},
};
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

/// Long enough for a busy machine; nothing waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(20);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64
}

struct Master {
    identity: Identity,
    local: session::Local,
    operator: Identity,
    listener: TcpListener,
    /// What this master takes for the time.
    now: fn() -> u64,
}

impl Master {
    async fn new() -> Self {
        Self::with(Identity::generate(), TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn with(identity: Identity, listener: TcpListener) -> Self {
        let local = session::Local::new(&identity, StaticKey::generate());
        Self { identity, local, operator: Identity::generate(), listener, now }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    async fn accept(&self) -> Result<Channel, net::NetError> {
        let link = net::tcp::accept(&self.listener).await.unwrap();
        net::accept(link, &self.local).await
    }

    /// Waits for the minion and welcomes it.
    async fn welcome(&self) -> (Line, MinionHello) {
        let (sender, mut receiver) = timeout(PATIENCE, self.accept()).await.unwrap().unwrap().split();
        let Some(Hello::Minion(hello)) = receiver.recv().await.unwrap() else { panic!("no hello") };
        let welcome = ToMinion::Welcome { now: (self.now)(), fixed_grains: Map::new() };
        sender.send(Lane::Control, &welcome).await.unwrap();
        (Line { sender, receiver, seq: 0 }, *hello)
    }

    fn request(&self, nonce: u8, function: &str, args: Args) -> Request {
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

    fn publish(&self, jid: u64, request: &Request) -> Signed {
        let request = self.operator.sign_value(REQUEST, request).unwrap();
        let expires = (self.now)() + 30_000_000;
        let publish = Publish { jid: JobId::from_micros(jid), request, expires, wave: 0, tree: None };
        self.identity.sign_value(PUBLISH, &publish).unwrap()
    }

    fn job(&self, jid: u64, function: &str, args: Args) -> Signed {
        self.publish(jid, &self.request(jid as u8, function, args))
    }
}

struct Line {
    sender: Sender,
    receiver: Receiver,
    seq: u64,
}

impl Line {
    async fn publish(&mut self, publish: Signed) {
        self.seq += 1;
        let message = ToMinion::Publish { seq: self.seq, publish };
        self.sender.send(Lane::Control, &message).await.unwrap();
    }

    async fn next(&mut self) -> FromMinion {
        timeout(PATIENCE, self.receiver.recv()).await.unwrap().unwrap().unwrap()
    }

    async fn until<T>(&mut self, wanted: impl Fn(FromMinion) -> Option<T>) -> T {
        loop {
            if let Some(found) = wanted(self.next().await) {
                return found;
            }
        }
    }

    async fn ret(&mut self) -> (u64, Return) {
        self.until(|message| match message {
            FromMinion::Return { seq, ret, .. } => Some((seq, *ret)),
            _ => None,
        })
        .await
    }

    /// The next return, which is then on our disk.
    async fn stored(&mut self) -> Return {
        let (seq, ret) = self.ret().await;
        self.sender.send(Lane::Control, &ToMinion::Stored { up_to: seq }).await.unwrap();
        ret
    }

    async fn ask(&mut self, master: &Master, jid: u64, function: &str, args: Args) -> Return {
        self.publish(master.job(jid, function, args)).await;
        self.stored().await
    }
}

struct Minion {
    agent: Agent,
    stop: CancellationToken,
    task: JoinHandle<Exit>,
}

fn parts(root: &Path, master: &str) -> Parts {
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

fn start(parts: Parts) -> Minion {
    let (agent, stop) = (Agent::new(parts), CancellationToken::new());
    let task = tokio::spawn({
        let (agent, stop) = (agent.clone(), stop.clone());
        async move { agent.run(stop).await }
    });
    Minion { agent, stop, task }
}

impl Minion {
    async fn stop(self) -> Exit {
        self.stop.cancel();
        timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_ping_is_answered_and_each_step_is_told() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, hello) = master.welcome().await;
    assert_eq!((hello.id.as_str(), hello.running, hello.spooled), ("web1", vec![], vec![]));
    assert_eq!(hello.grains.open().unwrap()["os"], "Debian");
    line.publish(master.job(1, "test.ping", Args::default())).await;
    // A quick answer is its own acknowledgement.
    let FromMinion::Return { seq: 1, ret, received: 1 } = line.next().await else { panic!("no return") };
    line.sender.send(Lane::Control, &ToMinion::Stored { up_to: 1 }).await.unwrap();
    assert_eq!((ret.jid, ret.outcome, ret.value), (JobId::from_micros(1), Outcome::Ok, true.into()));
    assert!(!root.path().join("spool").exists(), "what only reads needs no disk");
    assert_eq!(minion.stop().await, Exit::Stopped);
}

#[tokio::test]
async fn a_return_is_kept_until_the_master_has_stored_it() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(master.job(1, "cmd.run", Args::positional(["echo once".into()]))).await;
    assert_eq!(line.ret().await.1.value, "once");
    // Not stored: the connection breaks, and the minion itself starts anew.
    line.sender.abort();
    let (line, hello) = master.welcome().await;
    assert_eq!(hello.spooled, [JobId::from_micros(1)]);
    drop(line);
    minion.stop().await;
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, hello) = master.welcome().await;
    assert_eq!(hello.spooled, [JobId::from_micros(1)]);
    assert_eq!(line.stored().await.value, "once");
    // Now it is stored; a ping shows that nothing else comes.
    assert_eq!(line.ask(&master, 2, "test.ping", Args::default()).await.jid, JobId::from_micros(2));
    minion.stop().await;
}

#[tokio::test]
async fn a_job_runs_once_whatever_comes_again() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let file = root.path().join("count");
    let command = Args::positional([format!("echo x >> {}", file.display()).into()]);
    let (mut line, _) = master.welcome().await;
    let job = master.job(1, "cmd.run", command.clone());
    line.publish(job.clone()).await;
    line.publish(job.clone()).await;
    assert_eq!(line.stored().await.outcome, Outcome::Ok);
    line.publish(job.clone()).await;
    assert_eq!(line.stored().await.outcome, Outcome::Lost, "the master must not think that it ran again");
    // The same request under another jid, as a stolen master might try.
    let again = Publish {
        jid: JobId::from_micros(2),
        request: job.open_as::<Publish>(PUBLISH, None).unwrap().request,
        expires: now() + 30_000_000,
        wave: 0,
        tree: None,
    };
    line.publish(master.identity.sign_value(PUBLISH, &again).unwrap()).await;
    let refused = line.stored().await;
    assert_eq!((refused.jid, refused.outcome), (JobId::from_micros(2), Outcome::Refused));
    drop(line);
    minion.stop().await;
    // Not after a restart either.
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(job).await;
    assert_eq!(line.stored().await.outcome, Outcome::Lost);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "x\n");
    minion.stop().await;
}

#[tokio::test]
async fn forged_expired_and_misdirected_jobs_are_refused() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let trusted = Identity::generate();
    let mut parts = parts(root.path(), &master.address());
    parts.config.operators = Some(vec![trusted.public(), master.operator.public()]);
    let minion = start(parts);
    let (mut line, _) = master.welcome().await;
    let file = root.path().join("touched");
    let touch = Args::positional([format!("touch {}", file.display()).into()]);
    let request = master.request(1, "cmd.run", touch);
    let publish = |jid: u64, request: Signed, expires: u64| {
        let publish = Publish { jid: JobId::from_micros(jid), request, expires, wave: 0, tree: None };
        master.identity.sign_value(PUBLISH, &publish).unwrap()
    };
    let soon = now() + 30_000_000;
    let by = |who: &Identity, request: &Request| who.sign_value(REQUEST, request).unwrap();
    let elsewhere = Request { target: "db*".into(), ..request.clone() };
    let stale = Request { valid_until: now() - 1, ..request.clone() };
    let cases = [
        (publish(1, by(&Identity::generate(), &request), soon), Outcome::Refused),
        (publish(2, by(&master.identity, &request), soon), Outcome::Refused),
        (publish(3, by(&master.operator, &request), now() - 1), Outcome::Expired),
        (publish(4, by(&master.operator, &elsewhere), soon), Outcome::Refused),
        (publish(5, by(&master.operator, &stale), soon), Outcome::Expired),
        (Identity::generate().sign(PUBLISH, publish(6, by(&master.operator, &request), soon).body), Outcome::Refused),
    ];
    for (jid, (publish, outcome)) in (1..).zip(cases) {
        line.publish(publish).await;
        let ret = line.stored().await;
        assert_eq!((ret.jid, ret.outcome), (JobId::from_micros(jid), outcome), "{:?}", ret.value);
    }
    assert!(!file.exists());
    assert_eq!(minion.agent.counters().jobs.load(std::sync::atomic::Ordering::Relaxed), 0);
    minion.stop().await;
}

#[tokio::test]
async fn another_master_at_the_same_address_is_refused() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (line, _) = master.welcome().await;
    // From now on somebody else answers there.
    let impostor = Master::with(Identity::generate(), master.listener);
    drop(line);
    let refused = timeout(PATIENCE, impostor.accept()).await.unwrap();
    assert!(refused.is_err(), "the minion told an impostor who it is");
    assert!(!minion.agent.is_connected());
    minion.stop().await;
}

#[tokio::test]
async fn a_master_with_a_new_session_key_is_known_by_its_identity() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (line, _) = master.welcome().await;
    let pem = master.identity.to_pem().unwrap();
    let renewed = Master::with(Identity::from_pem(&pem).unwrap(), master.listener);
    drop(line);
    assert!(timeout(PATIENCE, renewed.accept()).await.unwrap().is_err(), "the old session key");
    let (mut line, _) = renewed.welcome().await;
    assert_eq!(line.ask(&renewed, 1, "test.ping", Args::default()).await.outcome, Outcome::Ok);
    minion.stop().await;
}

#[tokio::test]
async fn the_masters_clock_counts() {
    let (mut master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    master.now = || now() - 3_600_000_000;
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    let ret = line.ask(&master, 1, "cmd.run", Args::positional(["echo".into()])).await;
    assert_eq!(ret.outcome, Outcome::Ok);
    assert!(ret.started.abs_diff((master.now)()) < 60_000_000);
    minion.stop().await;
}

#[tokio::test]
async fn large_returns_wait_for_credit() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    line.publish(master.job(1, "test.echo", Args::positional(["x".repeat(100_000).into()]))).await;
    let wanted = line
        .until(|message| match message {
            FromMinion::Want { bytes } => Some(bytes),
            FromMinion::Return { .. } => panic!("sent without credit"),
            _ => None,
        })
        .await;
    line.sender.send(Lane::Control, &ToMinion::Credit { bytes: wanted }).await.unwrap();
    let ret = line.stored().await;
    assert_eq!(ret.value.as_str().map(str::len), Some(100_000));
    assert!(ret.weight() <= wanted);
    minion.stop().await;
}

#[tokio::test]
async fn output_comes_while_the_command_runs_and_a_kill_ends_its_group() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let minion = start(parts(root.path(), &master.address()));
    let (mut line, _) = master.welcome().await;
    let mut request = master.request(1, "cmd.run", Args::positional(["echo here; sleep 600 | sleep 600".into()]));
    request.options.stream = true;
    line.publish(master.publish(1, &request)).await;
    let text = line
        .until(|message| match message {
            FromMinion::Output { text, .. } => Some(text),
            _ => None,
        })
        .await;
    assert_eq!(text, "here");
    let jid = JobId::from_micros(1).to_string();
    line.publish(master.job(2, "saltutil.kill_job", Args::positional([jid.into()]))).await;
    let mut ends = [line.stored().await, line.stored().await];
    ends.sort_by_key(|ret| ret.jid);
    assert_eq!((ends[0].outcome, ends[0].retcode), (Outcome::Failed, 137));
    assert_eq!(ends[1].outcome, Outcome::Ok, "{}", ends[1].value);
    minion.stop().await;
}
