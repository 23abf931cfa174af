//! Jobs that a minion starts by itself.

mod support;

use std::path::Path;

use minion::{
    agent::Parts,
    config::{Config, Keys},
};
use proto::{
    Args, Map, Value,
    message::{FromMinion, MinionHello},
};
use serde_json::json;
use support::{Line, Master, goods::Goods, parts, start};

fn configured(root: &Path, master: &str, change: impl FnOnce(&mut Keys)) -> Parts {
    let mut keys =
        Keys { id: Some("web1".into()), master: master.into(), root_dir: root.to_owned(), ..Keys::default() };
    change(&mut keys);
    Parts { config: Config::new(root, keys, Map::new()).unwrap(), ..parts(root, master) }
}

impl Line {
    async fn event(&mut self) -> (String, Value) {
        self.until(|message| match message {
            FromMinion::Event { tag, data } => Some((tag, data)),
            _ => None,
        })
        .await
    }

    /// Answers a question, or takes a return; gives an event.
    async fn serve_one(&mut self, goods: &mut Goods) -> Option<(String, Value)> {
        match self.next().await {
            FromMinion::Ask { id, question } => self.answer(goods, id, question).await,
            FromMinion::Event { tag, data } => return Some((tag, data)),
            _ => {}
        }
        None
    }

    async fn told(&mut self, goods: &mut Goods, wanted: &str) -> Value {
        loop {
            match self.serve_one(goods).await {
                Some((tag, data)) if tag == wanted => return data,
                _ => {}
            }
        }
    }
}

#[tokio::test]
async fn a_schedule_runs_jobs_and_tells_how_they_ended() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let schedule = json!({
        "hello": {"function": "test.echo", "args": ["hi"], "seconds": 1, "metadata": {"why": "test"}},
        "silent": {"function": "test.fail", "hours": 1, "return_job": false},
    });
    let minion = start(configured(root.path(), &master.address(), |keys| keys.schedule = schedule));
    let (mut line, hello): (Line, MinionHello) = master.welcome().await;
    assert!(hello.running.is_empty());
    let mut jids = Vec::new();
    for _ in 0..2 {
        let (tag, event) = line.event().await;
        assert_eq!(tag, "minion/schedule/hello");
        assert_eq!(
            (&event["return"], &event["success"], &event["fun"]),
            (&json!("hi"), &json!(true), &json!("test.echo"))
        );
        assert_eq!(
            (&event["fun_args"], &event["metadata"], &event["id"]),
            (&json!(["hi"]), &json!({"why": "test"}), &json!("web1"))
        );
        jids.push(event["jid"].clone());
    }
    assert_ne!(jids[0], jids[1]);
    // The bus goes on beside it.
    assert_eq!(line.ask(&master, 1, "test.ping", Args::default()).await.value, true);
    minion.stop().await;
}

#[tokio::test]
async fn a_new_machine_applies_its_states_at_start() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let file = root.path().join("made");
    let web = format!("made:\n  file.managed: [{{name: {}}}, {{contents_pillar: word}}]\n", file.display());
    let top = "base:\n  '*': [web]\n";
    let mut goods = Goods::new(&[("top.sls", top), ("web.sls", &web)], json!({"word": "hello"}));
    let highstate = |keys: &mut Keys| keys.startup_states = Some("highstate".into());
    let minion = start(configured(root.path(), &master.address(), highstate));
    let (mut line, _) = master.welcome().await;
    let event = loop {
        match line.next().await {
            FromMinion::Ask { id, question } => line.answer(&mut goods, id, question).await,
            FromMinion::Event { tag, data } => break (tag, data),
            _ => {}
        }
    };
    assert_eq!((event.0.as_str(), &event.1["success"]), ("minion/schedule/startup_states", &json!(true)), "{event:?}");
    assert_eq!(std::fs::read(&file).unwrap(), b"hello\n");
    minion.stop().await;
}

#[tokio::test]
async fn a_schedule_and_a_mine_of_the_pillar_follow_it() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let own = json!({"both": {"function": "test.echo", "args": ["config"], "hours": 1, "run_on_start": true}});
    let minion = start(configured(root.path(), &master.address(), |keys| keys.schedule = own));
    let (mut line, _) = master.welcome().await;
    let entry = |text: &str| json!({"function": "test.echo", "args": [text], "hours": 1, "run_on_start": true});
    let mut goods = Goods::new(
        &[],
        json!({
            "schedule": {"both": entry("pillar"), "extra": entry("first")},
            "mine_functions": {"test.ping": []},
        }),
    );
    assert_eq!(line.event().await.1["return"], "config");
    // Whatever has the pillar compiled brings its schedule.
    line.publish(master.job(1, "pillar.items", Args::default())).await;
    let told = line.told(&mut goods, "minion/schedule/extra").await;
    assert_eq!(told["return"], "first");
    while goods.mine.is_empty() {
        line.serve_one(&mut goods).await;
    }
    goods.pillar = json!({"schedule": {"extra": entry("second")}});
    line.publish(master.job(2, "saltutil.refresh_pillar", Args::default())).await;
    let told = line.told(&mut goods, "minion/schedule/extra").await;
    assert_eq!(told["return"], "second", "it is compiled without anybody asking");
    minion.stop().await;
}

#[tokio::test]
async fn files_are_pushed_in_pieces() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let folder = root.path().join("out").canonicalize().unwrap_or_else(|_| root.path().join("out"));
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    let large: Vec<u8> = (0..300_000u32).map(|n| n as u8).collect();
    for (name, bytes) in [("large.log", &large[..]), ("empty.log", b""), ("sub/x.txt", b"x")] {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let minion = start(configured(root.path(), &master.address(), |_| {}));
    let (mut line, _) = master.welcome().await;
    let mut goods = Goods::new(&[], Value::Null);
    let mut jid = 0;
    let mut push = async |function: &str, args: Args| {
        jid += 1;
        line.publish(master.job(jid, function, args)).await;
        loop {
            match line.next().await {
                FromMinion::Ask { id, question } => line.answer(&mut goods, id, question).await,
                FromMinion::Return { ret, .. } => break (ret.value, std::mem::take(&mut goods.pushed)),
                _ => {}
            }
        }
    };
    let path = |name: &str| Value::from(folder.join(name).display().to_string());
    let (done, kept) = push("cp.push", Args::positional([path("large.log")])).await;
    assert_eq!((done, kept.values().next() == Some(&large)), (json!(true), true));
    assert!(kept.keys().all(|name| name.ends_with("out/large.log") && !name.starts_with('/')), "{:?}", kept.keys());
    let named = Args::positional([path("empty.log")]).with("upload_path", "/a/b").with("remove_source", true);
    let (done, kept) = push("cp.push", named).await;
    assert_eq!((done, kept), (json!(true), [("a/b".to_owned(), Vec::new())].into()));
    assert!(!folder.join("empty.log").exists());
    let all = Args::positional([path("")]).with("upload_path", "up").with("glob", "*.txt");
    assert_eq!(push("cp.push_dir", all).await, (json!(true), [("up/sub/x.txt".to_owned(), b"x".to_vec())].into()));
    for bad in ["etc/fstab", "/etc/../etc/fstab", "/no/such/file", "/etc"] {
        assert_eq!(push("cp.push", Args::positional([bad.into()])).await.0, json!(false), "{bad}");
    }
    minion.stop().await;
}
