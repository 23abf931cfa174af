//! Another minion's pillar. The enemy is an accepted minion with a key of its own, which says
//! everything that a minion can say; what the master ever told it is looked through at the end.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use nix::sys::signal::Signal;
use proto::{
    Hash, JobId, Map, Outcome, Packed, Question, Return, Value, codec,
    manifest::Manifest,
    message::{Ask, FromMinion, Hello, Lane, OperatorHello, Query, Stream, ToMinion, ToOperator},
    question::{ANSWER, BLOB, Kind, MineEntry, MineName, Unanswered},
};
use serde::Serialize;
use serde_json::json;
use tests::{
    Transport,
    enemy::{Me, Talk, now},
    over_both,
    wait::{self, secs},
};

use crate::{
    states::{Site, all_well, files_with, plan},
    victim::bridge,
};

over_both! {
    another_minions_pillar_cannot_be_had_by_any_message,
    what_was_overheard_opens_no_pillar,
}

/// How every secret begins. Each file of pillar that is h1's alone has one.
const SECRET: &[u8] = b"s3cr3t-of-h1";
const ONE: &str = "password: s3cr3t-of-h1-by-its-name\ndeep: {er: [s3cr3t-of-h1-in-a-list]}\n";

/// A fleet of one, `h1`, which is given secrets in every way that goes by its name.
fn site(transport: Transport) -> Site {
    let debug = || "log_level: debug";
    let site = Site::start(plan(transport).minions(1).master(debug()).minion(move |_| debug().into()));
    let top = "base: {h1: [one], 'G@id:h1': [named], 'E@^h1$': [matched], '*': [common]}\n";
    for (file, text) in [
        ("top.sls", top),
        ("one.sls", ONE),
        ("named.sls", "named: s3cr3t-of-h1-by-the-grain-of-its-name\n"),
        ("matched.sls", "matched: s3cr3t-of-h1-by-a-pattern\n"),
        ("of/h1.sls", "included: s3cr3t-of-h1-by-a-template\n"),
        ("of/enemy.sls", "included: nothing much\n"),
        ("common.sls", "include: ['of.{{ grains.id }}']\nme: {{ grains.id }}\nopts: {{ opts.id }}\n"),
    ] {
        site.write(&format!("pillar/{file}"), text);
    }
    let words = ["password", "named", "matched", "included"].map(|key| format!("{{{{ pillar.{key} }}}}")).join(" ");
    site.write(
        "states/s.sls",
        &format!("a: {{file.managed: [{{name: '@OUT@/a'}}, {{contents: '{words}'}}, {{show_changes: false}}]}}\n"),
    );
    site.write("states/harmless", "nothing much\n");
    site
}

/// The secrets reach the one whose they are.
#[track_caller]
fn reaches_its_own(site: &Site) {
    let _ = std::fs::remove_file(site.fleet.path().join("out/a"));
    all_well(&site.apply("h1", &["s"]));
    let by = ["its-name", "the-grain-of-its-name", "a-pattern", "a-template"];
    assert_eq!(site.read("a"), by.map(|by| format!("s3cr3t-of-h1-by-{by}")).join(" ") + "\n");
}

#[track_caller]
fn nothing_of_it(what: &str, bytes: &[u8]) {
    let found = bytes.windows(SECRET.len()).position(|window| window == SECRET);
    assert!(found.is_none(), "{what}: {:?}", found.map(|at| String::from_utf8_lossy(&bytes[at..])));
}

/// All that one enemy says and hears.
struct Enemy {
    me: Me,
    address: String,
    talk: Talk,
    next: u32,
}

impl Enemy {
    /// Comes in under this name with these grains, and says that it has this job.
    fn new(me: Me, address: &str, id: &str, grains: &Value, has: &[JobId]) -> Self {
        let mut talk = me.shake(address).expect("a session");
        let Hello::Minion(mut hello) = me.hello(id) else { unreachable!("a minion's") };
        hello.grains = packed(grains);
        (hello.running, hello.spooled) = (has.to_vec(), has.to_vec());
        talk.say(Lane::Control, &Hello::Minion(hello));
        let answer = talk.hear::<ToMinion>();
        assert!(matches!(answer, Some(ToMinion::Welcome { .. })), "{id}: {answer:?}");
        Self { me, address: address.to_owned(), talk, next: 0 }
    }

    #[track_caller]
    fn ask(&mut self, question: Question) -> Result<Vec<u8>, Unanswered> {
        self.next += 1;
        self.talk.question(self.next, question).expect("it is answered")
    }

    /// Its own pillar, in which nothing of another's may be, whatever it gave with the question.
    #[track_caller]
    fn pillar(&mut self, saltenv: Option<&str>, pillarenv: Option<&str>, given: &Value) -> Map {
        let env = |env: Option<&str>| env.map(|env| env.parse().expect("a good name"));
        let (saltenv, pillarenv) = (env(saltenv), env(pillarenv));
        let bytes = self.ask(Question::Pillar { saltenv, pillarenv, overrides: packed(given) }).expect("a pillar");
        nothing_of_it("the pillar", &bytes);
        codec::decode(&bytes, ANSWER).expect("a mapping")
    }

    fn say(&mut self, message: &FromMinion) {
        self.talk.say(Lane::Control, message);
    }

    /// Something that its session may not survive, in one of its own; gives all that came back.
    fn apart<T>(&self, id: &str, say: impl FnOnce(&mut Talk) -> T) {
        let mut talk = self.me.shake(&self.address).expect("a session");
        talk.say(Lane::Control, &self.me.hello(id));
        say(&mut talk);
        // Whoever is not dropped for it is answered a question after it.
        talk.say(Lane::Control, &FromMinion::Ask { id: 99, question: Question::Manifest { tree: None } });
        while let Some(message) = talk.hear::<ToMinion>() {
            if matches!(message, ToMinion::Part { id: 99, last: true, .. } | ToMinion::Failed { id: 99, .. }) {
                break;
            }
        }
        nothing_of_it(id, &talk.all);
    }
}

fn packed(value: &Value) -> Packed {
    Packed::new(value.as_object().expect("a mapping")).expect("it can be encoded")
}

fn plain() -> Question {
    Question::Pillar { saltenv: None, pillarenv: None, overrides: Packed::default() }
}

/// What a question would be that has room for another's name.
#[derive(Serialize)]
enum Forged {
    Ask { id: u32, question: ForgedQuestion, minion: &'static str },
    Pillar { id: &'static str },
}

#[derive(Serialize)]
enum ForgedQuestion {
    Pillar { saltenv: Option<u8>, pillarenv: Option<u8>, overrides: Packed, minion: &'static str },
}

fn another_minions_pillar_cannot_be_had_by_any_message(transport: Transport) {
    let site = site(transport);
    let bridge = bridge(transport, &site.fleet.address());
    let door = bridge.as_ref().map_or_else(|| site.fleet.address(), |bridge| bridge.address());
    let watch = site.fleet.begin(&["event", "watch", "--out", "jsonl"]);
    reaches_its_own(&site);
    let jid = site.fleet.launch(&["h1", "test.arg", "for h1 alone"]);
    let job: JobId = jid.parse().unwrap();
    site.fleet.wait_job(&jid, secs(20));

    // It is h1 in all that it says of itself, from its first word on.
    let claims = json!({"id": "h1", "host": "h1", "nodename": "h1", "localhost": "h1", "fqdn": "h1", "fqdns": ["h1"]});
    let mut enemy = Enemy::new(Me::new(), &door, "enemy", &claims, &[job]);
    let own = enemy.pillar(None, None, &json!({}));
    assert_eq!([&own["me"], &own["opts"], &own["included"]], ["enemy", "enemy", "nothing much"], "{own:?}");
    enemy.say(&FromMinion::Grains(packed(&claims)));
    let own = enemy.pillar(Some("base"), Some("base"), &json!({}));
    assert_eq!(own["me"], "enemy", "{own:?}");
    for given in [
        claims.clone(),
        json!({"grains": claims, "opts": {"id": "h1"}, "__opts__": {"id": "h1"}, "id": "h1", "minion_id": "h1"}),
        json!({"include": ["one", "of.h1"], "_errors": [], "pillar": {"id": "h1"}, "ext_pillar": []}),
    ] {
        enemy.pillar(None, None, &given);
    }
    enemy.pillar(Some("h1"), Some("pillar"), &json!({}));

    gropes_for_files(&mut enemy, &site);
    gropes_in_the_mine(&mut enemy);
    speaks_for_h1(&mut enemy, job);
    forges(&enemy);
    comes_as_somebody_else(&enemy, &door);

    // All of it again: what it said before has changed nothing for it.
    let heard = std::mem::take(&mut enemy.talk.all);
    let mut enemy = Enemy::new(enemy.me, &door, "enemy", &claims, &[job]);
    enemy.pillar(None, None, &json!({}));
    let heard = [heard, enemy.talk.all].concat();
    nothing_of_it("all that it heard", &heard);
    assert!(!String::from_utf8_lossy(&heard).contains("for h1 alone"), "nor does it hear of h1's jobs");
    reaches_its_own(&site);
    nowhere_else(&site, watch);
}

/// Files of pillar have hashes too.
fn gropes_for_files(enemy: &mut Enemy, site: &Site) {
    let bytes = enemy.ask(Question::Manifest { tree: None }).expect("the tree");
    let tree = Manifest::decode(&bytes, None).expect("a manifest");
    let known: Vec<&str> =
        tree.environments.values().flat_map(|env| env.files.keys()).map(|path| path.as_str()).collect();
    assert!(known.contains(&"harmless") && !known.iter().any(|path| path.contains("one")), "{known:?}");
    let text = |file: &str| std::fs::read(site.fleet.path().join(file)).unwrap();
    let harmless = Question::Blob { hash: Hash::of(&text("states/harmless")), offset: 0, length: BLOB };
    assert_eq!(enemy.ask(harmless).expect("what is in the tree"), b"nothing much\n");
    for file in ["pillar/one.sls", "pillar/of/h1.sls", "pillar/named.sls", "pillar/top.sls", "m/master"] {
        for offset in [0, 3, u64::MAX] {
            let blob = Question::Blob { hash: Hash::of(&text(file)), offset, length: BLOB };
            assert_eq!(enemy.ask(blob).unwrap_err().kind, Kind::NotFound, "{file} from {offset}");
        }
        let tree = Question::Manifest { tree: Some(Hash::of(&text(file))) };
        assert_eq!(enemy.ask(tree).unwrap_err().kind, Kind::NotFound, "{file} as a tree");
    }
}

/// What others keep in the mine is asked for by targets, and targets can look at pillar.
fn gropes_in_the_mine(enemy: &mut Enemy) {
    let names = ["pillar.items", "pillar.get", "pillar", "password", "grains.items"];
    let names: Vec<MineName> = names.iter().map(|name| name.parse().expect("a good name")).collect();
    let mut keep = |allow: &str| {
        let data = codec::encode(&true).expect("it can be encoded");
        let entry = MineEntry { name: names[0].clone(), data, allow_tgt: Some(allow.into()) };
        enemy.ask(Question::MineUpdate { entries: vec![entry], clear: false })
    };
    assert_eq!(keep("h1 or I@password:s3cr3t*").unwrap_err().kind, Kind::Malformed);
    keep("h1").expect("its own to keep");
    for target in ["h1", "*", "G@id:h1", "I@me:h1"] {
        let found = enemy.ask(Question::Mine { target: target.into(), names: names.clone() });
        nothing_of_it(target, &found.expect("an answer"));
    }
    for target in ["I@password:s3cr3t*", "J@password:s3cr.*", "h1 and not (I@password:*)", "*1 or P@x:y or I@*:s3cr3t*"]
    {
        let found = enemy.ask(Question::Mine { target: target.into(), names: names.clone() });
        assert_eq!(found.unwrap_err().kind, Kind::Malformed, "{target}");
    }
    enemy.ask(Question::MineDelete { names }).expect("its own to delete");
}

/// It says of a job of h1's all that could be said of it.
fn speaks_for_h1(enemy: &mut Enemy, jid: JobId) {
    for jid in [jid, JobId::from_micros(now())] {
        enemy.say(&FromMinion::Started { jid });
        enemy.say(&FromMinion::Output { jid, stream: Stream::Stdout, text: "h1".into() });
        enemy.say(&FromMinion::Unknown { jid });
    }
    let value = json!("forged");
    let ret = Return { jid, outcome: Outcome::Ok, value, retcode: 0, started: 1, duration: 1, truncated: false };
    enemy.talk.say(Lane::Returns, &FromMinion::Return { seq: 1, ret: Box::new(ret), received: 0 });
    for tag in ["minion_pillar", "_pillar", "salt/minion/h1/start", "overstate/check/h1/x/ok", "pillar/refresh"] {
        enemy.say(&FromMinion::Event { tag: tag.into(), data: json!({"id": "h1", "cmd": "_pillar"}) });
    }
    enemy.say(&FromMinion::Checks { all: true, rows: Vec::new() });
    enemy.say(&FromMinion::Ping { now: now(), checks: 1 });
    enemy.say(&FromMinion::Ping { now: 0, checks: u64::MAX });
}

/// What no honest minion would say.
fn forges(enemy: &Enemy) {
    let id = "enemy";
    let question =
        || ForgedQuestion::Pillar { saltenv: None, pillarenv: None, overrides: Packed::default(), minion: "h1" };
    enemy.apart(id, |talk| talk.say(Lane::Control, &Forged::Ask { id: 1, question: question(), minion: "h1" }));
    enemy.apart(id, |talk| talk.say(Lane::Control, &Forged::Pillar { id: "h1" }));
    // Numbers that another may use, twice each; more questions than may be open; on every lane.
    enemy.apart(id, |talk| {
        for number in [0, 1, 1, u32::MAX, u32::MAX, 2, 3, 4, 5, 6, 7, 8] {
            talk.say(Lane::Control, &FromMinion::Ask { id: number, question: plain() });
        }
    });
    for lane in [Lane::Returns, Lane::Files] {
        enemy.apart(id, |talk| talk.say(lane, &FromMinion::Ask { id: 1, question: plain() }));
    }
    // An acknowledgement of what was never sent, and room for more than there is.
    enemy.apart(id, |talk| talk.say(Lane::Control, &FromMinion::Received { up_to: u64::MAX }));
    enemy.apart(id, |talk| talk.say(Lane::Control, &FromMinion::Want { bytes: u64::MAX }));
    // What operators may ask, and a second hello in h1's name.
    enemy.apart(id, |talk| talk.say(Lane::Control, &Ask { id: 1, query: Query::Status }));
    enemy.apart(id, |talk| {
        talk.say(Lane::Control, &enemy.me.hello("h1"));
        talk.say(Lane::Control, &FromMinion::Ask { id: 1, question: plain() });
    });
}

/// Names that are h1's, or nearly.
fn comes_as_somebody_else(enemy: &Enemy, door: &str) {
    for me in [&enemy.me, &Me::new()] {
        let (mut talk, answer) = me.as_minion(door, "h1").expect("a session");
        assert!(matches!(answer, ToMinion::Refused { .. }), "{answer:?}");
        talk.say(Lane::Control, &FromMinion::Ask { id: 1, question: plain() });
        while talk.hear::<ToMinion>().is_some() {}
        nothing_of_it("h1's name", &talk.all);
    }
    let mut talk = enemy.me.shake(door).expect("a session");
    talk.say(Lane::Control, &Hello::Operator(OperatorHello { version: "enemy".into() }));
    let answer = talk.hear::<ToOperator>();
    assert!(matches!(answer, Some(ToOperator::Refused { .. })), "{answer:?}");
    // Not `H1`: to `G@id:h1` that is the same, as all grains are compared in Salt.
    for name in ["h1.", "h11", "xh1", "h1.h1"] {
        let mut near = Enemy::new(Me::new(), door, name, &json!({"id": "h1"}), &[]);
        near.pillar(None, None, &json!({}));
        nothing_of_it(name, &near.talk.all);
    }
}

/// Neither events nor jobs nor anything that was written tell a secret.
fn nowhere_else(site: &Site, watch: tests::process::Running) {
    let control = "a word to find";
    site.fleet.ctl(&["run", "h1", "test.echo", control]).expect(0);
    wait::until(secs(20), "events", || watch.stdout().contains(control).then_some(()));
    nothing_of_it("events", watch.stdout().as_bytes());
    watch.signal(Signal::SIGINT);
    let jobs = site.fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
    let shown: Vec<String> =
        jobs.as_array().unwrap().iter().map(|job| job["jid"].as_str().unwrap().to_owned()).collect();
    let shown: String = shown.iter().map(|jid| site.fleet.ctl(&["job", "show", jid]).expect(0).stdout).collect();
    assert!(shown.contains(control) && shown.contains("state.apply"), "{shown}");
    nothing_of_it("jobs", shown.as_bytes());
    // Ledgers, the audit, logs at their most talkative, caches: of the master, and of the minion too.
    let written = |needle: &[u8]| files_with(&site.fleet.path().join("m"), needle);
    wait::until(secs(20), "the ledger", || (!written(control.as_bytes()).is_empty()).then_some(()));
    assert!(!site.fleet.master.log().is_empty());
    assert_eq!(written(SECRET), Vec::<std::path::PathBuf>::new());
    assert_eq!(files_with(&site.fleet.path().join("h1"), SECRET), Vec::<std::path::PathBuf>::new());
}

/// All that went over one wire, by who said it.
#[derive(Default, Clone)]
struct Overheard {
    up: Arc<Mutex<Vec<Vec<u8>>>>,
    down: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// Listens between a minion and its master.
fn overhear(master: String) -> (String, Overheard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, heard) = (listener.local_addr().unwrap().to_string(), Overheard::default());
    let all = heard.clone();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let Ok(far) = TcpStream::connect(&master) else { continue };
            let other = |stream: &TcpStream| stream.try_clone().expect("a socket can be shared");
            for (from, to, said) in [(other(&near), other(&far), &all.up), (far, near, &all.down)] {
                let said = said.clone();
                let place = {
                    let mut said = said.lock().unwrap();
                    said.push(Vec::new());
                    said.len() - 1
                };
                thread::spawn(move || pass_on(from, to, |bytes| said.lock().unwrap()[place].extend_from_slice(bytes)));
            }
        }
    });
    (address, heard)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, heard: impl Fn(&[u8])) {
    let mut buffer = vec![0; 65_536];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        heard(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn what_was_overheard_opens_no_pillar(transport: Transport) {
    let mut site = site(transport);
    let (address, heard) = overhear(site.fleet.address());
    let h1 = site.fleet.minion("h1");
    h1.daemon.stop();
    let file = h1.dir.join("minion");
    let text = std::fs::read_to_string(&file).unwrap();
    let through: String =
        text.lines().filter(|line| !line.starts_with("master:")).flat_map(|line| [line, "\n"]).collect();
    std::fs::write(&file, format!("{through}master: '{address}'\n")).unwrap();
    h1.daemon.start();
    site.fleet.wait_connected(1);
    reaches_its_own(&site);
    site.fleet.minion("h1").daemon.stop();
    site.fleet.wait_presence("h1", false, secs(30));
    for said in [&heard.up, &heard.down] {
        let said = said.lock().unwrap();
        assert!(said.iter().map(Vec::len).sum::<usize>() > 1000, "nothing went this way");
        said.iter().for_each(|bytes| nothing_of_it("the wire", bytes));
    }
    // All of it again, as it was and without its last part; from the enemy's own address.
    let said = heard.up.lock().unwrap().clone();
    for bytes in said.iter().filter(|bytes| !bytes.is_empty()) {
        for part in [&bytes[..], &bytes[..bytes.len() / 2]] {
            let mut stream = TcpStream::connect(site.fleet.address()).unwrap();
            stream.set_read_timeout(Some(secs(15))).unwrap();
            // The master may have hung up on the way.
            let _ = stream.write_all(part);
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer);
            nothing_of_it("a replay", &answer);
            assert!(answer.len() < 4096, "{} bytes are more than a handshake", answer.len());
            assert!(ended.is_ok() || site.fleet.connected().is_empty(), "a replay is no session");
        }
    }
    assert_eq!(site.fleet.connected(), Vec::<String>::new());
}
