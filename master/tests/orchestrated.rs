//! A whole master with an operator and minions of values: orchestrations over real connections.

mod checks;

use std::{fs, path::Path, time::Duration};

use proto::{
    JobId, Map, Outcome, Packed, Publish, Request, Return, RunOptions,
    message::{
        Ask, Fault, FaultKind, FromMinion, Hello, Lane, MinionHello, ORCHESTRATE, OperatorHello, Query, Reply,
        ToMinion, ToOperator,
        orchestration::{Orchestration, OrchestrationEnd, Plan, Source, StageEvent},
    },
    net::{Receiver, Sender, connect, tcp},
    session::{Local, Peer},
    sign::{self, Identity, StaticKey},
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};

/// A master; `ops` may do what the rules beneath say, `root` everything.
struct House {
    folder: TempDir,
    address: String,
    ops: Identity,
    _stop: oneshot::Sender<()>,
}

const OVERSTATE: &str = "
db:
  match: 'db*'
  sls: [db]
web:
  match: 'web*'
  function: {test.echo: [up]}
  require: [db]
";

/// What templates see, and runners under Salt's names.
const ORCH: &str = "
{% set up = salt['saltutil.runner']('manage.up') %}
told {{ pillar['release'] }} {{ pillar['keep'] }} {{ up | join(',') }} {{ salt['mine.get']('*', 'x') | length }} {{ grains['id'][-7:] }}:
  test.nop: []
{% for runner in ['manage.status', 'jobs.list_jobs', 'jobs.active', 'cache.grains', 'cache.mine', 'fileserver.envs',
                  'saltutil.sync_all', 'key.list_all'] %}
{{ runner }}:
  salt.{{ 'wheel' if runner.startswith('key') else 'runner' }}: []
{% endfor %}
salt.cmd:
  salt.runner:
    - arg: [grains.get, kernel]
http.query:
  salt.runner:
    - url: http://127.0.0.1/
key.accept:
  salt.wheel:
    - match: nobody
changed by what failed:
  test.nop:
    - onchanges:
      - salt: http.query
only if:
  test.succeed_with_changes:
    - onlyif:
      - fun: test.true
";

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["salt", "root", "pillar"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join("salt/overstate.sls"), OVERSTATE).unwrap();
        fs::write(folder.path().join("salt/orch.sls"), ORCH).unwrap();
        fs::write(folder.path().join("pillar/top.sls"), "base:\n  '*_master':\n  - own\n").unwrap();
        fs::write(folder.path().join("pillar/own.sls"), "release: 7\nkeep: yes\n").unwrap();
        let ops = Identity::generate();
        let operators = json!({"ops": {
            "key": ops.public().to_string(),
            "allow": [{"functions": ["state.*"], "targets": "*"}, {"functions": ["test.*"], "targets": "db*"}],
        }});
        let config = json!({
            "interface": "127.0.0.1", "port": 0, "root_dir": folder.path().join("root"), "auto_accept": true,
            "file_roots": {"base": [folder.path().join("salt")]},
            "pillar_roots": {"base": [folder.path().join("pillar")]}, "operators": operators,
        });
        fs::write(folder.path().join("master"), config.to_string()).unwrap();
        let config = master::Config::load(folder.path()).unwrap().config;
        let (stop, stopped) = oneshot::channel::<()>();
        let path = folder.path().to_owned();
        tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            let (_reload, reloads) = mpsc::channel(1);
            master::run(&path, config, shutdown, reloads).await.unwrap();
        });
        let address = format!("127.0.0.1:{}", port(&folder.path().join("root").join(proto::layout::PORT_FILE)).await);
        Self { folder, address, ops, _stop: stop }
    }

    fn root(&self) -> Identity {
        let pem = self.folder.path().join("root").join(proto::layout::FIRST_OPERATOR_KEY);
        Identity::from_pem(&fs::read_to_string(pem).unwrap()).unwrap()
    }

    /// A minion that answers every job; where `good` is false, with a failure.
    async fn minion(&self, id: &str, good: bool) -> mpsc::UnboundedReceiver<Publish> {
        let (sender, mut receiver) = dial(&self.address, &Identity::generate()).await;
        let hello = MinionHello {
            id: id.parse().unwrap(),
            version: "1".into(),
            token: None,
            grains: Packed::new(&Map::new()).unwrap(),
            now: 0,
            running: Vec::new(),
            spooled: Vec::new(),
        };
        sender.send(Lane::Control, &Hello::Minion(Box::new(hello))).await.unwrap();
        let (seen, jobs) = mpsc::unbounded_channel();
        let (ready, welcomed) = oneshot::channel();
        tokio::spawn(async move {
            let mut ready = Some(ready);
            let mut returns = 0;
            while let Ok(Some(message)) = receiver.recv::<ToMinion>().await {
                match message {
                    ToMinion::Welcome { .. } => ready.take().unwrap().send(()).unwrap(),
                    ToMinion::Publish { seq, publish } => {
                        let publish: Publish = publish.open_as(sign::PUBLISH, None).unwrap();
                        returns += 1;
                        let ret = Box::new(answer(publish.jid, good));
                        let _ = seen.send(publish);
                        let message = FromMinion::Return { seq: returns, ret, received: seq };
                        sender.send(Lane::Returns, &message).await.unwrap();
                    }
                    _ => {}
                }
            }
        });
        welcomed.await.unwrap();
        jobs
    }
}

fn answer(jid: JobId, good: bool) -> Return {
    let row = json!({"result": good, "changes": {}, "comment": "as said", "__id__": "conf", "__run_num__": 0});
    let outcome = if good { Outcome::Ok } else { Outcome::Failed };
    let value = json!({"file_|-conf_|-conf_|-managed": row});
    Return { jid, outcome, value, retcode: i32::from(!good), started: 0, duration: 1, truncated: false }
}

async fn port(file: &Path) -> String {
    loop {
        match fs::read_to_string(file) {
            Ok(port) if port.ends_with('\n') => return port.trim().to_owned(),
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn dial(address: &str, identity: &Identity) -> (Sender, Receiver) {
    let local = Local::new(identity, StaticKey::generate());
    let channel = connect(tcp::dial(address).await.unwrap(), &local, &Peer::default()).await.unwrap();
    channel.split()
}

struct Operator {
    name: String,
    identity: Identity,
    sender: Sender,
    receiver: Receiver,
    asked: u32,
    now: u64,
}

/// What an orchestration told from its start to its end.
#[derive(Debug)]
struct Told {
    jid: JobId,
    /// Stage, result, comment.
    stages: Vec<(u32, Option<bool>, String)>,
    failed: Vec<String>,
    end: OrchestrationEnd,
}

impl Operator {
    async fn new(house: &House, identity: Identity) -> Self {
        let (sender, mut receiver) = dial(&house.address, &identity).await;
        let hello = Hello::Operator(OperatorHello { version: "1".into() });
        sender.send(Lane::Control, &hello).await.unwrap();
        let Some(ToOperator::Welcome { operator, now, .. }) = receiver.recv::<ToOperator>().await.unwrap() else {
            panic!("no welcome");
        };
        Self { name: operator.to_string(), identity, sender, receiver, asked: 0, now }
    }

    async fn ask(&mut self, query: Query) {
        self.asked += 1;
        self.sender.send(Lane::Control, &Ask { id: self.asked, query }).await.unwrap();
    }

    async fn reply(&mut self) -> Reply {
        loop {
            match self.receiver.recv::<ToOperator>().await.unwrap().unwrap() {
                ToOperator::Answer { id, reply } if id == self.asked => return reply,
                _ => {}
            }
        }
    }

    async fn plan(&mut self, wanted: &Orchestration) -> Result<Plan, Fault> {
        self.ask(Query::Plan(Box::new(wanted.clone()))).await;
        match self.reply().await {
            Reply::Plan(plan) => Ok(*plan),
            Reply::Error(fault) => Err(fault),
            other => panic!("{other:?}"),
        }
    }

    async fn run(&mut self, mut wanted: Orchestration) -> Result<Told, Fault> {
        let plan = self.plan(&wanted).await?;
        wanted.calls = plan.calls.iter().map(|call| call.hash().unwrap()).collect();
        self.asked += 1;
        let mut nonce = [0; 16];
        nonce[..4].copy_from_slice(&self.asked.to_be_bytes());
        nonce[4] = self.name.len() as u8;
        let request = Request {
            nonce,
            operator: self.name.parse().unwrap(),
            target: wanted.source.name(),
            function: ORCHESTRATE.parse().unwrap(),
            args: wanted.args(),
            valid_until: self.now + 60_000_000,
            options: RunOptions::default(),
        };
        let request = self.identity.sign_value(sign::REQUEST, &request).unwrap();
        self.ask(Query::Orchestrate { request, follow: true }).await;
        self.told().await
    }

    async fn told(&mut self) -> Result<Told, Fault> {
        let (mut jid, mut stages, mut failed, mut end) = (None, Vec::new(), Vec::new(), None);
        loop {
            match self.reply().await {
                Reply::Orchestration(start) => jid = Some(start.jid),
                Reply::Stage(note) => match note.what {
                    StageEvent::Ended { result, comment, .. } => stages.push((note.stage, result, comment)),
                    StageEvent::Failed { minion, why } => failed.push(format!("{minion}: {why}")),
                    _ => {}
                },
                Reply::Orchestrated(of) => end = Some(*of),
                Reply::Done => {
                    return Ok(Told { jid: jid.unwrap(), stages, failed, end: end.unwrap() });
                }
                Reply::Error(fault) => return Err(fault),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stages_run_in_order_each_as_a_job_with_the_operators_word() {
    let house = House::new().await;
    let (mut db, mut web) = (house.minion("db1", true).await, house.minion("web1", true).await);
    let mut root = Operator::new(&house, house.root()).await;
    let told = root.run(Orchestration::default()).await.unwrap();
    assert_eq!(
        told.stages.iter().map(|(stage, result, _)| (*stage, *result)).collect::<Vec<_>>(),
        [(0, Some(true)), (1, Some(true))]
    );
    assert_eq!(told.end.outcome, Outcome::Ok);
    assert_eq!(told.end.value["retcode"], 0);
    let (first, second) = (db.recv().await.unwrap(), web.recv().await.unwrap());
    assert!(first.jid < second.jid && told.jid < first.jid);
    let authority: Request = first.authority.unwrap().open_as(sign::REQUEST, Some(&house.root().public())).unwrap();
    assert_eq!(authority.function.as_str(), ORCHESTRATE);
    assert_eq!(first.tree, second.tree.clone().or(first.tree.clone()), "one tree for all stages");

    // Who comes later hears the same.
    root.ask(Query::Follow { jid: told.jid }).await;
    let again = root.told().await.unwrap();
    assert_eq!((again.stages, again.end), (told.stages, told.end));
    root.ask(Query::Job { jid: told.jid }).await;
    let Reply::OrchestrationDetail(detail) = root.reply().await else { panic!("no detail") };
    assert_eq!(detail.stages.iter().map(|stage| stage.jobs.len()).collect::<Vec<_>>(), [1, 1]);
    assert_eq!(detail.outcome, Some(Outcome::Ok));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_stage_keeps_the_next_from_starting_and_is_resumed_from() {
    let house = House::new().await;
    let (mut db, mut web) = (house.minion("db1", true).await, house.minion("web1", false).await);
    let mut root = Operator::new(&house, house.root()).await;
    let told = root.run(Orchestration::default()).await.unwrap();
    assert_eq!(told.end.outcome, Outcome::Failed);
    assert_eq!(told.failed, ["web1: conf: as said"]);
    let resumed = Orchestration { source: Source::Resumed, resume: Some(told.jid), ..Orchestration::default() };
    let again = root.run(resumed).await.unwrap();
    assert_eq!(again.stages.iter().map(|(stage, ..)| *stage).collect::<Vec<_>>(), [1], "the first stage was good");
    assert!(db.recv().await.is_some() && db.try_recv().is_err());
    assert!(web.recv().await.is_some() && web.recv().await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_stage_is_held_against_the_operators_own_rules() {
    let house = House::new().await;
    let (mut db, mut web) = (house.minion("db1", true).await, house.minion("web1", true).await);
    let mut ops = Operator::new(&house, Identity::from_pem(&house.ops.to_pem().unwrap()).unwrap()).await;
    let told = ops.run(Orchestration::default()).await.unwrap();
    assert_eq!(told.end.outcome, Outcome::Failed);
    assert_eq!(told.stages[0].1, Some(true));
    assert!(told.stages[1].2.contains("ops may not call test.echo on web1"), "{}", told.stages[1].2);
    assert!(db.recv().await.is_some() && web.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_before_anything_runs() {
    let house = House::new().await;
    let mut root = Operator::new(&house, house.root()).await;
    let text = "a:\n  match: '*'\n  require: [b]\n";
    let source = Source::Text { name: "o.sls".into(), text: text.into() };
    let fault = root.plan(&Orchestration { source, ..Orchestration::default() }).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Usage);
    assert!(fault.message.contains("there is no stage b") && fault.message.contains("o.sls:3:13"), "{}", fault.message);
    let sls = Orchestration { source: Source::Sls(vec!["overstat".into()]), ..Orchestration::default() };
    assert!(root.plan(&sls).await.unwrap_err().message.contains("did you mean overstate?"));
    let resume = Orchestration { resume: Some(JobId::from_micros(7)), ..Orchestration::default() };
    assert_eq!(root.plan(&resume).await.unwrap_err().kind, FaultKind::NotFound);
    // An ordinary run of the function reaches no minion.
    let plan = root.plan(&Orchestration::default()).await.unwrap();
    assert_eq!(plan.stages[0].fault.as_deref().map(|why| why.contains("no minion matches 'db*'")), Some(true));
    assert_eq!(plan.calls.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn orchestrate_sls_sees_the_master_and_calls_its_functions() {
    let house = House::new().await;
    let _db = house.minion("db1", true).await;
    let mut root = Operator::new(&house, house.root()).await;
    let source = Source::Sls(vec!["orch".into()]);
    let pillar = Map::from_iter([("release".to_owned(), json!(8))]);
    let told = root.run(Orchestration { source, pillar, ..Orchestration::default() }).await.unwrap();
    let rows = told.end.value["data"].as_object().unwrap().values().next().unwrap().as_object().unwrap();
    let row = |id: &str| rows.values().find(|row| row["__id__"] == id).unwrap_or_else(|| panic!("{id}: {rows:#?}"));
    assert_eq!(row("told 8 True db1 0 _master")["result"], true);
    let gave = |id: &str| row(id)["changes"]["return"].clone();
    assert_eq!(gave("manage.status"), json!({"up": ["db1"], "down": []}));
    assert_eq!(gave("key.list_all")["minions"], json!(["db1"]));
    let listed = gave("jobs.list_jobs");
    assert_eq!(listed[told.jid.to_string()]["Function"], ORCHESTRATE);
    // A minion without grains has its id all the same: that is the master's word.
    assert_eq!((gave("cache.grains"), gave("cache.mine")), (json!({"db1": {"id": "db1"}}), json!({})));
    assert_eq!((gave("fileserver.envs"), gave("salt.cmd")), (json!(["base"]), json!("Linux")));
    assert_eq!(row("saltutil.sync_all")["result"], true);
    assert_eq!((row("key.accept")["result"].clone(), gave("key.accept")), (json!(true), json!({})));
    assert_eq!(row("http.query")["result"], false, "what there is not is refused, with what to do instead");
    assert_eq!(row("only if")["comment"], "Success!");
    assert_eq!(row("http.query")["changes"], json!({}));
    assert!(row("http.query")["comment"].as_str().unwrap().contains("on a minion with salt.function"));
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_look_and_do_nothing() {
    let house = House::new().await;
    let mut root = Operator::new(&house, house.root()).await;
    let text = "{% do salt['saltutil.runner']('event.send', arg=['a/b']) %}\na:\n  match: '*'\n";
    let source = Source::Text { name: "o.sls".into(), text: text.into() };
    let fault = root.plan(&Orchestration { source, ..Orchestration::default() }).await.unwrap_err();
    assert!(fault.message.contains("templates are rendered before anything runs"), "{}", fault.message);
    let text = "a:\n  match: '*'\n  timeout: 30h\n";
    let source = Source::Text { name: "o.sls".into(), text: text.into() };
    let fault = root.plan(&Orchestration { source, ..Orchestration::default() }).await.unwrap_err();
    assert!(fault.message.contains("longer than a day") && fault.message.contains("o.sls:1:1"), "{}", fault.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_over_soon_starts_nothing() {
    let house = House::new().await;
    let mut db = house.minion("db1", true).await;
    let mut root = Operator::new(&house, house.root()).await;
    // The request of the tests is good for a minute from then on.
    root.now = root.now.saturating_sub(45_000_000);
    let fault = root.run(Orchestration::default()).await.unwrap_err();
    assert!(fault.message.contains("over in less than"), "{}", fault.message);
    assert!(db.try_recv().is_err());
}
