//! What a minion gets of its master: files, pillar, the mine. The master is made of `proto` alone.

mod support;

use std::{fs, path::Path, sync::atomic::Ordering::Relaxed};

use proto::{Args, Hash, Map, Outcome, Question, Return, Value, message::FromMinion};
use serde_json::json;
use support::{Line, Master, Minion, PATIENCE, goods::Goods, parts, start};
use tokio::time::timeout;

struct Scene {
    master: Master,
    minion: Minion,
    line: Line,
    goods: Goods,
    jobs: u64,
    _root: tempfile::TempDir,
}

impl Scene {
    async fn new(goods: Goods, configure: impl FnOnce(&mut Map, &Path)) -> Self {
        let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
        let mut parts = parts(root.path(), &master.address());
        configure(&mut parts.config.opts, root.path());
        let minion = start(parts);
        let (line, _) = master.welcome().await;
        Self { master, minion, line, goods, jobs: 0, _root: root }
    }

    async fn publish(&mut self, function: &str, args: Args) {
        self.jobs += 1;
        self.line.publish(self.master.job(self.jobs, function, args)).await;
    }

    async fn call(&mut self, function: &str, args: Args) -> Return {
        self.publish(function, args).await;
        self.line.served(&mut self.goods).await
    }
}

fn args<const N: usize>(given: [&str; N]) -> Args {
    Args::positional(given.map(Value::from))
}

const WEB: &[(&str, &str)] = &[
    ("web/init.sls", "motd:\n  file.managed:\n    - name: {{ pillar['path'] }}\n    - source: salt://web/motd\n"),
    ("web/motd", "hello"),
    ("top.sls", "base:\n  '*':\n    - web\n"),
];

#[tokio::test]
async fn a_tree_of_the_master_compiles_with_the_pillar_of_the_master() {
    let mut scene = Scene::new(Goods::new(WEB, json!({"path": "/etc/motd"})), |_, _| {}).await;
    let low = scene.call("state.show_low_sls", args(["web"])).await;
    assert_eq!((low.outcome, &low.value[0]["name"]), (Outcome::Ok, &json!("/etc/motd")), "{low:?}");
    assert_eq!(scene.goods.blobs.load(Relaxed), 1, "only what was read");
    let over = args(["web"]).with("pillar", json!({"path": "/etc/issue"}));
    let low = scene.call("state.show_low_sls", over).await;
    assert_eq!(low.value[0]["name"], "/etc/issue");
    assert_eq!(scene.goods.blobs.load(Relaxed), 1, "and that only once");
    scene.goods.files.remove("web/init.sls");
    let gone = scene.call("state.show_low_sls", args(["web"])).await;
    assert_eq!(gone.outcome, Outcome::Failed, "the newest tree counts: {gone:?}");
    scene.minion.stop().await;
}

#[tokio::test]
async fn a_job_keeps_to_the_tree_that_it_names() {
    let mut scene = Scene::new(Goods::new(WEB, json!({"path": "/a"})), |_, _| {}).await;
    let (_, hash) = scene.goods.manifest().encode().unwrap();
    scene.master.tree = Some(hash.to_string());
    assert_eq!(scene.call("cp.list_master", Args::default()).await.value.as_array().unwrap().len(), 3);
    // The tree changes; the minion has the old one still.
    scene.goods.files.insert("new".into(), b"x".to_vec());
    assert_eq!(scene.call("cp.list_master", Args::default()).await.value.as_array().unwrap().len(), 3);
    scene.master.tree = Some(Hash::of(b"another").to_string());
    let other = scene.call("cp.list_master", Args::default()).await;
    assert_eq!(other.outcome, Outcome::Failed);
    assert_eq!(other.value, "the state files cannot be had: there is no such tree any more");
    scene.minion.stop().await;
}

#[tokio::test]
async fn a_connection_that_breaks_while_files_are_fetched_costs_a_wait() {
    let mut scene = Scene::new(Goods::new(WEB, json!({"path": "/etc/motd"})), |_, _| {}).await;
    scene.publish("cp.get_file_str", args(["salt://web/motd"])).await;
    // The manifest is answered; the connection breaks when the file is asked for.
    loop {
        match scene.line.next().await {
            FromMinion::Ask { question: Question::Blob { .. }, .. } => break,
            FromMinion::Ask { id, question } => scene.line.answer(&mut scene.goods, id, question).await,
            _ => {}
        }
    }
    scene.line.sender.abort();
    let (line, hello) = timeout(PATIENCE, scene.master.welcome()).await.unwrap();
    assert_eq!(hello.running.len(), 1, "the job waits for the master");
    scene.line = line;
    let ret = scene.line.served(&mut scene.goods).await;
    assert_eq!((ret.outcome, ret.value), (Outcome::Ok, "hello".into()));
    scene.minion.stop().await;
}

#[tokio::test]
async fn a_pillar_is_kept_until_it_is_refreshed_and_its_errors_stop_states() {
    let mut scene = Scene::new(Goods::new(WEB, json!({"path": "/a"})), |_, _| {}).await;
    let key = || args(["path"]).with("unmask", true);
    let get = |scene: &Scene| scene.goods.pillars.load(Relaxed);
    assert_eq!(scene.call("pillar.get", key()).await.value, "/a");
    scene.goods.pillar = json!({"path": "/b"});
    assert_eq!(scene.call("pillar.get", key()).await.value, "/a");
    assert_eq!(get(&scene), 1);
    assert_eq!(scene.call("saltutil.refresh_pillar", Args::default()).await.value, true);
    assert_eq!(scene.call("pillar.get", key()).await.value, "/b");
    let items = Args::default().with("unmask", true).with("pillar", json!({"more": 1}));
    assert_eq!(scene.call("pillar.items", items).await.value, json!({"path": "/b", "more": 1}));
    assert_eq!(scene.call("pillar.get", args(["more"])).await.value, "", "what a call overrides is not kept");
    scene.goods.pillar = json!({"_errors": ["web/init.sls:3: it is broken"]});
    let refused = scene.call("state.show_low_sls", args(["web"])).await;
    assert_eq!(refused.outcome, Outcome::Failed);
    assert!(refused.value.as_str().unwrap().contains("it is broken"), "{refused:?}");
    scene.minion.stop().await;
}

#[tokio::test]
async fn files_are_put_where_they_are_wanted_and_nowhere_else() {
    let mut scene = Scene::new(Goods::new(WEB, json!({})), |_, _| {}).await;
    let host = tempfile::tempdir().unwrap();
    let dest = host.path().join("a/motd");
    let text = dest.to_str().unwrap();
    let refused = scene.call("cp.get_file", args(["salt://web/motd", text])).await;
    assert_eq!(refused.value, false, "the folder is missing");
    let made = scene.call("cp.get_file", args(["salt://web/motd", text]).with("makedirs", true)).await;
    assert_eq!((made.value.as_str(), fs::read(&dest).unwrap().as_slice()), (Some(text), &b"hello"[..]));
    let all = scene.call("cp.get_dir", args(["salt://web", host.path().to_str().unwrap()])).await;
    let shown = ["web/init.sls", "web/motd"].map(|file| host.path().join(file).to_str().unwrap().to_owned());
    assert_eq!(all.value, json!(shown));
    let kept = scene.call("cp.cache_file", args(["salt://web/motd"])).await.value;
    assert!(kept.as_str().unwrap().ends_with("cache/files/base/web/motd"), "{kept}");
    assert_eq!(fs::read(kept.as_str().unwrap()).unwrap(), b"hello");
    scene.goods.files.insert("run.sh".into(), b"#!/bin/sh\necho \"$1 from the tree\"\n".to_vec());
    let ran = scene.call("cmd.script", args(["salt://run.sh", "hello"])).await;
    assert_eq!(ran.value["stdout"], "hello from the tree", "{ran:?}");
    for bad in ["salt://../motd", "salt://web/../../motd", "salt://none"] {
        assert_eq!(scene.call("cp.cache_file", args([bad])).await.value, false, "{bad}");
    }
    let env = args(["salt://web/motd"]).with("saltenv", "../../..");
    assert_eq!(scene.call("cp.cache_dest", env).await.value, "");
    scene.minion.stop().await;
}

#[tokio::test]
async fn the_mine_is_filled_asked_and_emptied() {
    let functions = json!({"test.version": [], "os": [{"mine_function": "grains.get"}, "os"], "pkg.install": ["x"]});
    let configure = |opts: &mut Map, _: &Path| drop(opts.insert("mine_functions".into(), functions));
    let mut scene = Scene::new(Goods::new(&[], json!({})), configure).await;
    assert_eq!(scene.call("mine.update", Args::default()).await.value, true);
    let names: Vec<_> = scene.goods.mine.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names, ["test.version", "os"], "what does not exist or writes is left out");
    let get = |fun: Value| Args::positional(["os:Debian".into(), fun]).with("tgt_type", "grain");
    assert_eq!(scene.call("mine.get", get("os".into())).await.value, json!({"web1": "Debian"}));
    let several = scene.call("mine.get", get(json!(["os", "none"]))).await.value;
    assert_eq!(several, json!({"os": {"web1": "Debian"}, "none": {}}));
    let alone = get("os".into()).with("exclude_minion", true);
    assert_eq!(scene.call("mine.get", alone).await.value, json!({}));
    assert_eq!(scene.call("mine.send", args(["test.ping"]).with("allow_tgt", "db*")).await.value, true);
    assert_eq!(scene.goods.mine.last().unwrap().allow_tgt.as_deref(), Some("db*"));
    assert_eq!(scene.call("mine.delete", args(["os"])).await.value, true);
    assert_eq!(scene.goods.mine.len(), 2);
    assert_eq!(scene.call("mine.valid", Args::default()).await.value["os"], json!({"grains.get": ["os"]}));
    scene.minion.stop().await;
}
