//! A whole master, and minions that ask it for files, pillar and the mine over real connections.

use std::{fs, path::Path, time::Duration};

use proto::{
    Hash, JobId, Map, MinionId, Packed, Question, codec,
    manifest::Manifest,
    message::{FromMinion, Hello, Lane, MinionHello, ToMinion},
    net::{Receiver, Sender, connect, tcp},
    question::{ANSWER, BLOB, Kind, MineAnswer, MineEntry, Unanswered},
    session::{Local, Peer},
    sign::{Identity, StaticKey},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// A master in a folder of its own, with one state file and a pillar for each of two minions.
struct Fleet {
    folder: TempDir,
    address: String,
    stop: Option<oneshot::Sender<()>>,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl Fleet {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["salt", "pillar", "root"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut fleet = Self { folder, address: String::new(), stop: None, running: None };
        fleet.write("salt/web/init.sls", &"x".repeat(300_000));
        fleet.write("pillar/top.sls", "base:\n  '*': [common]\n  db: [secret]\n  'G@role:db': [secret]\n");
        fleet.write("pillar/common.sls", "me: {{ grains.id }}\nrole: {name: of-{{ grains.id }}}\n");
        fleet.write("pillar/secret.sls", "password: hunter2\n");
        fleet.start().await;
        fleet
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    async fn start(&mut self) {
        let root = self.path("root");
        let roots = |folder: &str| [("base".to_owned(), vec![self.path(folder)])].into();
        let config = master::Config {
            interface: [127, 0, 0, 1].into(),
            port: 0,
            root_dir: root.clone(),
            auto_accept: true,
            file_roots: roots("salt"),
            pillar_roots: roots("pillar"),
            ..master::Config::default()
        };
        let _ = fs::remove_file(root.join("run/port"));
        let (stop, stopped) = oneshot::channel::<()>();
        let folder = self.folder.path().to_owned();
        self.running = Some(tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            let (_reload, reloads) = mpsc::channel(1);
            master::run(&folder, config, shutdown, reloads).await.unwrap();
        }));
        self.stop = Some(stop);
        self.address = format!("127.0.0.1:{}", port(&root.join("run/port")).await);
    }

    async fn restart(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.running.take().unwrap().await.unwrap();
        self.start().await;
    }

    async fn minion(&self, id: &str) -> Minion {
        Minion::new(&self.address, id, &Identity::generate()).await
    }
}

async fn port(file: &Path) -> String {
    loop {
        match fs::read_to_string(file) {
            Ok(port) if port.ends_with('\n') => return port.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

struct Minion {
    sender: Sender,
    receiver: Receiver,
    next: u32,
}

impl Minion {
    async fn new(address: &str, id: &str, identity: &Identity) -> Self {
        let local = Local::new(identity, StaticKey::generate());
        let channel = connect(tcp::dial(address).await.unwrap(), &local, &Peer::default()).await.unwrap();
        let (sender, mut receiver) = channel.split();
        let grains = Map::from_iter([("id".to_owned(), id.into()), ("os".to_owned(), "Debian".into())]);
        let hello = MinionHello {
            id: id.parse().unwrap(),
            version: "1".into(),
            token: None,
            grains: Packed::new(&grains).unwrap(),
            now: 0,
            running: Vec::<JobId>::new(),
            spooled: Vec::new(),
        };
        sender.send(Lane::Control, &Hello::Minion(Box::new(hello))).await.unwrap();
        let welcome = receiver.recv::<ToMinion>().await.unwrap().unwrap();
        assert!(matches!(welcome, ToMinion::Welcome { .. }), "{welcome:?}");
        Self { sender, receiver, next: 0 }
    }

    async fn ask(&mut self, question: Question) -> Result<Vec<u8>, Unanswered> {
        self.next += 1;
        self.sender.send(Lane::Control, &FromMinion::Ask { id: self.next, question }).await.unwrap();
        let mut answer = Vec::new();
        loop {
            match self.receiver.recv::<ToMinion>().await.unwrap().unwrap() {
                ToMinion::Part { id, bytes, last } if id == self.next => {
                    answer.extend_from_slice(&bytes);
                    if last {
                        return Ok(answer);
                    }
                }
                ToMinion::Failed { id, why } if id == self.next => return Err(why),
                _ => {}
            }
        }
    }

    async fn pillar_with(&mut self, overrides: Value) -> Value {
        let overrides = Packed::new(overrides.as_object().unwrap()).unwrap();
        let bytes = self.ask(Question::Pillar { saltenv: None, pillarenv: None, overrides }).await.unwrap();
        codec::decode(&bytes, ANSWER).unwrap()
    }

    async fn pillar(&mut self) -> Value {
        self.pillar_with(json!({})).await
    }

    async fn put(&mut self, name: &str, value: Value, allow: Option<&str>) -> Result<(), Unanswered> {
        let data = codec::encode(&value).unwrap();
        let entry = MineEntry { name: name.parse().unwrap(), data, allow_tgt: allow.map(Into::into) };
        self.ask(Question::MineUpdate { entries: vec![entry], clear: false })
            .await
            .map(|empty| assert!(empty.is_empty()))
    }

    /// Whose entries under that name it gets.
    async fn mine(&mut self, target: &str, name: &str) -> Result<Vec<String>, Unanswered> {
        let names = vec![name.parse().unwrap()];
        let bytes = self.ask(Question::Mine { target: target.into(), names }).await?;
        let answer: MineAnswer = codec::decode(&bytes, ANSWER).unwrap();
        Ok(answer[name].keys().map(MinionId::to_string).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_come_by_hash_in_pieces_and_one_that_changed_fails_by_name() {
    let fleet = Fleet::new().await;
    let mut minion = fleet.minion("h1").await;
    let bytes = minion.ask(Question::Manifest { tree: None }).await.unwrap();
    let manifest = Manifest::decode(&bytes, None).unwrap();
    let file = manifest.environments["base"].files["web/init.sls"];
    let blob = |offset, length| Question::Blob { hash: file.hash, offset, length };
    let mut whole = minion.ask(blob(0, 100_000)).await.unwrap();
    assert_eq!(whole.len(), 100_000);
    whole.extend(minion.ask(blob(100_000, BLOB)).await.unwrap());
    assert_eq!((whole.len() as u64, Hash::of(&whole)), (file.size, file.hash));
    assert_eq!(minion.ask(blob(u64::MAX, BLOB)).await.unwrap(), b"");
    assert_eq!(minion.ask(blob(0, BLOB + 1)).await.unwrap_err().kind, Kind::Malformed);
    let unknown = Question::Blob { hash: Hash::of(b"?"), offset: 0, length: 1 };
    assert_eq!(minion.ask(unknown).await.unwrap_err().kind, Kind::NotFound);

    fleet.write("salt/web/init.sls", "other");
    let changed = minion.ask(blob(0, 10)).await.unwrap_err();
    assert_eq!(changed.kind, Kind::Changed);
    assert!(changed.message.contains("web/init.sls of the environment base"), "{changed}");
    let again = minion.ask(Question::Manifest { tree: Some(Hash::of(&bytes)) }).await.unwrap();
    assert_eq!(again, bytes, "the tree itself is kept");
    let gone = Question::Manifest { tree: Some(Hash::of(b"never")) };
    assert_eq!(minion.ask(gone).await.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minion_gets_its_own_pillar_and_no_message_gets_anothers() {
    let fleet = Fleet::new().await;
    let (mut db, mut web) = (fleet.minion("db").await, fleet.minion("web").await);
    assert_eq!(db.pillar().await["password"], "hunter2");
    let own = web.pillar().await;
    assert_eq!((&own["me"], own.get("password")), (&json!("web"), None));
    // Whatever it says of itself in the question: its name comes from its key.
    let given = web.pillar_with(json!({"id": "db", "me": "db", "grains": {"id": "db"}})).await;
    assert_eq!((&given["me"], given.get("password")), (&json!("db"), None), "its own words come back, nothing else");
    assert_eq!(web.pillar().await["me"], "web", "what was given is not kept");
    // Nor by feeling its way through targets.
    db.put("test.ping", json!(true), None).await.unwrap();
    assert_eq!(web.mine("I@password:h*", "test.ping").await.unwrap_err().kind, Kind::Malformed);
    assert_eq!(web.mine("J@password:h.*", "test.ping").await.unwrap_err().kind, Kind::Malformed);
    assert_eq!(web.mine("I@role:name:of-db", "test.ping").await.unwrap(), ["db"], "as in Salt, a whole value");
    // Another key cannot take the name.
    let local = Local::new(&Identity::generate(), StaticKey::generate());
    let channel = connect(tcp::dial(&fleet.address).await.unwrap(), &local, &Peer::default()).await.unwrap();
    let (sender, mut receiver) = channel.split();
    let hello = MinionHello {
        id: "db".parse().unwrap(),
        version: "1".into(),
        token: None,
        grains: Packed::default(),
        now: 0,
        running: Vec::new(),
        spooled: Vec::new(),
    };
    sender.send(Lane::Control, &Hello::Minion(Box::new(hello))).await.unwrap();
    let question = Question::Pillar { saltenv: None, pillarenv: None, overrides: Packed::default() };
    let _ = sender.send(Lane::Control, &FromMinion::Ask { id: 1, question }).await;
    let answer = receiver.recv::<ToMinion>().await.unwrap().unwrap();
    assert!(matches!(answer, ToMinion::Refused { .. }), "{answer:?}");
    assert!(!matches!(receiver.recv::<ToMinion>().await, Ok(Some(_))), "and nothing after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn pillar_follows_its_files_and_its_errors_quote_nothing() {
    let fleet = Fleet::new().await;
    let mut minion = fleet.minion("web").await;
    assert_eq!(minion.pillar().await["me"], "web");
    fleet.write("pillar/common.sls", "me: changed\n");
    let mut seen = minion.pillar().await;
    // A look at the roots is as good as new for a moment.
    while seen["me"] == "web" {
        tokio::time::sleep(Duration::from_millis(10)).await;
        seen = minion.pillar().await;
    }
    assert_eq!(seen["me"], "changed");
    fleet.write("pillar/common.sls", "a: {{ salt['cmd.run']('id') }}\n# key of db: 0xSECRET {{ nothing.there }}\n");
    while seen.get("_errors").is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
        seen = minion.pillar().await;
    }
    let errors = seen["_errors"].to_string();
    assert!(errors.contains("common"), "{errors}");
    assert!(!errors.contains("SECRET") && !errors.contains("uid="), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mine_is_for_whom_it_is_meant_and_outlives_the_master() {
    let mut fleet = Fleet::new().await;
    let keys = ["a", "b", "c"].map(|_| Identity::generate());
    let mut a = Minion::new(&fleet.address, "a", &keys[0]).await;
    let mut b = Minion::new(&fleet.address, "b", &keys[1]).await;
    let mut c = Minion::new(&fleet.address, "c", &keys[2]).await;
    a.put("x", json!({"n": 1}), Some("b")).await.unwrap();
    b.put("x", json!(2), None).await.unwrap();
    assert_eq!(b.mine("*", "x").await.unwrap(), ["a", "b"]);
    assert_eq!(c.mine("*", "x").await.unwrap(), ["b"], "allow_tgt leaves it out");
    assert_eq!(a.mine("a", "x").await.unwrap(), ["a"], "one's own is always there");
    assert_eq!(c.mine("G@os:Debian and not b", "x").await.unwrap(), [""; 0]);
    assert_eq!(c.mine("((", "x").await.unwrap_err().kind, Kind::Malformed);
    assert_eq!(a.put("big", json!("x".repeat(300_000)), None).await.unwrap_err().kind, Kind::Malformed);
    let bad = MineEntry { name: "bad".parse().unwrap(), data: vec![0xc1].into(), allow_tgt: None };
    let bad = a.ask(Question::MineUpdate { entries: vec![bad], clear: false }).await;
    assert_eq!(bad.unwrap_err().kind, Kind::Malformed);

    drop((a, b, c));
    fleet.restart().await;
    let mut b = Minion::new(&fleet.address, "b", &keys[1]).await;
    assert_eq!(b.mine("*", "x").await.unwrap(), ["a", "b"], "also of one that is away");
    b.ask(Question::MineDelete { names: vec!["x".parse().unwrap()] }).await.unwrap();
    assert_eq!(b.mine("*", "x").await.unwrap(), ["a"]);
}
