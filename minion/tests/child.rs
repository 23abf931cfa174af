//! Jobs in a process of their own. This program is its own child: it runs the job that it is started
//! for, and the tests otherwise; so it has a `main` of its own.

mod support;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode},
};

use libtest_mimic::{Arguments, Trial};
use minion::agent::Parts;
use proto::{Args, JobId, Outcome, Question, Value, message::FromMinion};
use serde_json::json;
use support::{Line, Master, Minion, goods::Goods, parts, start};

/// Names the master that this program is to be an agent of.
const AGENT: &str = "OVERSTATE_TEST_AGENT";

fn main() -> ExitCode {
    if let Some(code) = minion::child::main() {
        return ExitCode::from(code as u8);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    if let Ok(master) = std::env::var(AGENT) {
        let root = PathBuf::from(std::env::args_os().nth(1).unwrap());
        // Its children are this program as well, and must not take themselves for agents.
        let exit = runtime.block_on(async { start(with_child(&root, &master)).task.await }).unwrap();
        panic!("the agent ended by itself: {exit:?}");
    }
    drop(runtime);
    libtest_mimic::run(&Arguments::from_args(), tests()).exit_code()
}

fn tests() -> Vec<Trial> {
    vec![
        test("files_come_by_way_of_the_agent", files_come_by_way_of_the_agent),
        test("a_job_says_that_its_agent_has_gone", a_job_says_that_its_agent_has_gone),
        test("half_a_file_is_never_seen", half_a_file_is_never_seen),
        test(
            "a_state_run_that_dies_between_two_states_is_lost_and_the_next_one_converges",
            a_state_run_that_dies_between_two_states_is_lost_and_the_next_one_converges,
        ),
    ]
}

fn test<F: Future<Output = ()> + 'static>(name: &str, body: fn() -> F) -> Trial {
    Trial::test(name, move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(body());
        Ok(())
    })
}

fn with_child(root: &Path, master: &str) -> Parts {
    Parts { child: Some(std::env::current_exe().unwrap()), ..parts(root, master) }
}

struct Scene {
    master: Master,
    minion: Option<Minion>,
    line: Line,
    goods: Goods,
    root: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        Self::with(with_child).await
    }

    async fn with(parts: impl FnOnce(&Path, &str) -> Parts) -> Self {
        let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
        let minion = start(parts(root.path(), &master.address()));
        let (line, _) = master.welcome().await;
        let minion = Some(minion);
        Self { master, minion, line, goods: Goods::new(&[("a/motd", "hello")], json!({})), root }
    }

    async fn stop(mut self) {
        if let Some(minion) = self.minion.take() {
            minion.stop().await;
        }
    }

    async fn get_file(&mut self, jid: u64, dest: &Path) {
        let args = ["salt://a/motd", dest.to_str().unwrap()].map(Value::from);
        self.line.publish(self.master.job(jid, "cp.get_file", Args::positional(args))).await;
    }
}

async fn files_come_by_way_of_the_agent() {
    let mut scene = Scene::new().await;
    let dest = scene.root.path().join("motd");
    scene.get_file(1, &dest).await;
    let ret = scene.line.served(&mut scene.goods).await;
    assert_eq!((ret.outcome, ret.value), (Outcome::Ok, dest.to_str().unwrap().into()));
    assert_eq!(fs::read(&dest).unwrap(), b"hello");
    assert!(!job_folder(scene.root.path(), 1).exists(), "nothing of the job is left");
    // What the master will not give is said in its words.
    scene.goods.files.clear();
    scene.master.tree = Some("ab".repeat(32));
    scene.get_file(2, &dest).await;
    let ret = scene.line.served(&mut scene.goods).await;
    assert_eq!((ret.outcome, ret.value), (Outcome::Failed, "there is no such tree any more".into()));
    scene.stop().await;
}

/// The agent is killed while its job waits for a file: the job ends with an error, not never, and
/// the next agent tells of it.
async fn a_job_says_that_its_agent_has_gone() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let mut first = agent_in_a_process(root.path(), &master.address());
    let (line, _) = master.welcome().await;
    let minion = None;
    let mut scene = Scene { master, minion, line, goods: Goods::new(&[("a/motd", "hello")], json!({})), root };
    let dest = scene.root.path().join("motd");
    scene.get_file(1, &dest).await;
    loop {
        match scene.line.next().await {
            FromMinion::Ask { question: Question::Blob { .. }, .. } => break,
            FromMinion::Ask { id, question } => scene.line.answer(&mut scene.goods, id, question).await,
            _ => {}
        }
    }
    first.kill().unwrap();
    first.wait().unwrap();
    let minion = start(with_child(scene.root.path(), &scene.master.address()));
    (scene.line, _) = scene.master.welcome().await;
    let ret = scene.line.served(&mut scene.goods).await;
    assert_eq!((ret.jid, ret.outcome), (JobId::from_micros(1), Outcome::Failed), "{ret:?}");
    assert!(!dest.exists());
    minion.stop().await;
}

fn agent_in_a_process(root: &Path, master: &str) -> Child {
    let me = std::env::current_exe().unwrap();
    Command::new(me).env(AGENT, master).arg(root).spawn().unwrap()
}

/// The job's process dies between writing the new file and giving it its name.
async fn half_a_file_is_never_seen() {
    let mut scene = Scene::with(|root, master| {
        let (me, script) = (std::env::current_exe().unwrap(), root.join("child.sh"));
        fs::write(&script, format!("#!/bin/sh\nOVERSTATE_CRASH_AT=mid-write exec '{}'\n", me.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        Parts { child: Some(script), ..parts(root, master) }
    })
    .await;
    let folder = scene.root.path().join("host");
    fs::create_dir(&folder).unwrap();
    let dest = folder.join("motd");
    fs::write(&dest, "old").unwrap();
    scene.get_file(1, &dest).await;
    let ret = scene.line.served(&mut scene.goods).await;
    assert_eq!((ret.jid, ret.outcome), (JobId::from_micros(1), Outcome::Lost), "{ret:?}");
    assert_eq!(fs::read(&dest).unwrap(), b"old");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "and nothing lies about");
    scene.stop().await;
}

async fn a_state_run_that_dies_between_two_states_is_lost_and_the_next_one_converges() {
    let mut scene = Scene::new().await;
    let host = scene.root.path().join("host");
    fs::create_dir(&host).unwrap();
    let (here, sls) = (
        host.display(),
        "first:\n  file.managed: [{name: HERE/first}, {contents: a}]\n\
        dies:\n  cmd.run: [{name: 'test -e HERE/flag || { touch HERE/flag; kill -9 $PPID; }'}]\n\
        last:\n  file.managed: [{name: HERE/last}, {contents: b}]\n",
    );
    scene.goods.files.insert("three.sls".into(), sls.replace("HERE", &here.to_string()).into_bytes());
    let apply = |scene: &Scene, jid| scene.master.job(jid, "state.apply", Args::positional(["three".into()]));
    scene.line.publish(apply(&scene, 1)).await;
    let died = scene.line.served(&mut scene.goods).await;
    assert_eq!(died.outcome, Outcome::Lost, "{died:?}");
    assert!(host.join("first").exists() && !host.join("last").exists());
    // Nobody holds the right to run states any more.
    scene.line.publish(apply(&scene, 2)).await;
    let again = scene.line.served(&mut scene.goods).await;
    assert_eq!(again.outcome, Outcome::Ok, "{again:?}");
    let rows = again.value.as_object().unwrap();
    assert!(rows.len() == 3 && rows.values().all(|row| row["result"] == true), "{rows:?}");
    assert_eq!(fs::read(host.join("last")).unwrap(), b"b\n");
    scene.stop().await;
}

fn job_folder(root: &Path, jid: u64) -> PathBuf {
    root.join("jobs").join(JobId::from_micros(jid).to_string())
}
