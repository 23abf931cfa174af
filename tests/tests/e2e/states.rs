//! States over the bus, and what goes wrong on the way: crashes, full disks, a master that is gone, a
//! tree that changes, a template that fails on one host of fifty; and what must not get out.

use std::{fs, path::PathBuf, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use tests::{
    Fleet, Transport, fleet, heavy, needs, over_both,
    wait::{self, secs},
};

over_both! {
    a_highstate_changes_what_it_says_and_a_second_one_nothing,
    a_run_outlives_its_agent,
    a_crash_between_two_states_is_lost_and_the_next_run_converges,
    a_file_is_old_or_new_whenever_its_writer_dies,
    a_master_that_is_gone_while_files_are_fetched_is_waited_for,
    a_tree_that_changes_during_a_run_is_never_mixed,
    no_path_leaves_the_roots,
    secrets_are_nowhere_but_where_they_belong,
}

/// A fleet whose master serves `states` and `pillar` of its folder.
pub fn plan(transport: Transport) -> fleet::Plan {
    Fleet::new(transport).minion(|_| "grains: {role: web}".into())
}

pub struct Site {
    pub fleet: Fleet,
}

impl Site {
    pub fn start(plan: fleet::Plan) -> Self {
        let mut fleet = plan.lay_out();
        let at = |part: &str| fleet.path().join(part).display().to_string();
        let (states, pillar) = (at("states"), at("pillar"));
        fs::create_dir_all(&states).unwrap();
        fs::create_dir_all(&pillar).unwrap();
        fleet.configure_master("file_roots", &format!("{{base: ['{states}']}}"));
        fleet.configure_master("pillar_roots", &format!("{{base: ['{pillar}']}}"));
        fleet.start_master();
        for minion in &mut fleet.minions {
            minion.daemon.start();
        }
        fleet.wait_connected(fleet.minions.len());
        Self { fleet }
    }

    fn new(transport: Transport, minions: usize) -> Self {
        Self::start(plan(transport).minions(minions))
    }

    /// Writes a file of the tree; `@OUT@` in it is the folder that states may change.
    pub fn write(&self, part: &str, text: &str) {
        let path = self.fleet.path().join(part);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::create_dir_all(self.out("")).unwrap();
        fs::write(path, text.replace("@OUT@", &self.out("").display().to_string())).unwrap();
        // What the master saw of the tree is as good as new for half a second.
        std::thread::sleep(Duration::from_millis(550));
    }

    fn out(&self, part: &str) -> PathBuf {
        self.fleet.path().join("out").join(part)
    }

    pub fn read(&self, part: &str) -> String {
        fs::read_to_string(self.out(part)).unwrap_or_default()
    }

    /// The rows of a run on one minion.
    #[track_caller]
    pub fn apply(&self, id: &str, words: &[&str]) -> serde_json::Map<String, Value> {
        let all: Vec<&str> = ["apply", id].iter().chain(words).chain(&["--out", "json"]).copied().collect();
        let ran = self.fleet.ctl(&all);
        let rows = ran.json()[id].clone();
        rows.as_object().unwrap_or_else(|| panic!("no rows: {ran}")).clone()
    }

    fn launch(&self, id: &str, sls: &str) -> String {
        self.fleet.launch(&[id, "state.apply", sls, "--ttl", "300"])
    }

    /// Ends every process of a minion at once, its states' too, as a loss of power would.
    fn cut_off_power(&mut self, id: &str) {
        let ours = |variable: &str, value: &str| format!("{variable}={value}").into_bytes();
        let tags = [ours("OVERSTATE_TEST_FLEET", &self.fleet.path().display().to_string()), ours("TEST_MINION", id)];
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let environ = fs::read(process.path().join("environ")).unwrap_or_default();
            let is_ours = tags.iter().all(|tag| environ.split(|&byte| byte == 0).any(|entry| entry == tag));
            if let (true, Ok(pid)) = (is_ours, process.file_name().to_string_lossy().parse()) {
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        self.fleet.minion(id).daemon.kill();
    }

    fn begun(&self, file: &str) {
        wait::until(secs(60), &format!("{file} to be there"), || self.out(file).exists().then_some(()));
    }
}

fn changed(rows: &serde_json::Map<String, Value>) -> Vec<&String> {
    rows.iter().filter(|(_, row)| row["changes"] != json!({})).map(|(key, _)| key).collect()
}

#[track_caller]
pub fn all_well(rows: &serde_json::Map<String, Value>) {
    let bad: Vec<_> = rows.iter().filter(|(_, row)| row["result"] != json!(true)).collect();
    assert!(bad.is_empty() && !rows.is_empty(), "{bad:?}");
}

fn a_highstate_changes_what_it_says_and_a_second_one_nothing(transport: Transport) {
    let site = Site::new(transport, 2);
    site.write("states/top.sls", "base: {'h1': [web]}\n");
    site.write("pillar/top.sls", "base: {'*': [p]}\n");
    site.write("pillar/p.sls", "greeting: hello {{ grains.id }}\n");
    site.write("states/web/init.sls", "a: {file.managed: [{name: '@OUT@/a'}, {source: 'salt://web/a.jinja'}, {template: jinja}]}\nb: {cmd.run: [{name: touch @OUT@/b}, {creates: '@OUT@/b'}, {onchanges: [{file: a}]}]}\n");
    site.write("states/web/a.jinja", "{{ pillar.greeting }} {{ grains.role }}\n");
    let planned = site.apply("h1", &["--test"]);
    assert!(!site.out("a").exists() && planned.values().all(|row| row["result"].is_null()), "{planned:?}");
    let done = site.apply("h1", &[]);
    all_well(&done);
    assert_eq!((site.read("a").as_str(), site.out("b").exists()), ("hello h1 web\n", true));
    assert_eq!(changed(&planned).len(), 2, "{planned:?}");
    let again = site.apply("h1", &[]);
    all_well(&again);
    assert!(changed(&again).is_empty(), "{again:?}");
}

fn a_run_outlives_its_agent(transport: Transport) {
    let mut site = Site::new(transport, 1);
    site.write(
        "states/s.sls",
        "a: {cmd.run: [{name: 'touch @OUT@/a; sleep 3'}]}\nb: {file.managed: [{name: '@OUT@/b'}, {contents: b}]}\n",
    );
    let jid = site.launch("h1", "s");
    site.begun("a");
    site.fleet.minion("h1").daemon.kill();
    site.fleet.minion("h1").daemon.start();
    let job = site.fleet.wait_job(&jid, secs(60));
    assert_eq!(job.ends["h1"].0, "ok", "{job:?}");
    assert_eq!(site.read("b"), "b\n");
}

fn a_crash_between_two_states_is_lost_and_the_next_run_converges(transport: Transport) {
    let mut site = Site::new(transport, 1);
    site.write("states/s.sls", "a: {cmd.run: [{name: 'echo x >> @OUT@/a; sleep 20'}, {unless: test -e @OUT@/skip}]}\nb: {file.managed: [{name: '@OUT@/b'}, {contents: b}]}\n");
    let jid = site.launch("h1", "s");
    site.begun("a");
    site.cut_off_power("h1");
    assert!(!site.out("b").exists());
    site.fleet.minion("h1").daemon.start();
    let job = site.fleet.wait_job(&jid, secs(60));
    assert_eq!(job.ends["h1"].0, "lost", "{job:?}");
    assert_eq!(site.read("a"), "x\n", "what was begun is not begun again");
    fs::write(site.out("skip"), "").unwrap();
    all_well(&site.apply("h1", &["s"]));
    assert_eq!(site.read("b"), "b\n");
}

fn a_file_is_old_or_new_whenever_its_writer_dies(transport: Transport) {
    let mut site = Site::new(transport, 1);
    let text = |letter: &str| letter.repeat(24 << 20);
    site.write("states/s.sls", "begun: {cmd.run: [{name: touch @OUT@/begun}]}\nbig: {file.managed: [{name: '@OUT@/big'}, {source: 'salt://big'}]}\n");
    site.write("states/big", &text("o"));
    all_well(&site.apply("h1", &["s"]));
    site.write("states/big", &text("n"));
    let whole = |letter: char, found: &str| found.len() == 24 << 20 && found.chars().all(|found| found == letter);
    for wait in [0, 40, 80, 160, 320] {
        let _ = fs::remove_file(site.out("begun"));
        let jid = site.launch("h1", "s");
        site.begun("begun");
        std::thread::sleep(Duration::from_millis(wait));
        site.cut_off_power("h1");
        let found = site.read("big");
        assert!(whole('o', &found) || whole('n', &found), "{} bytes after {wait} ms", found.len());
        site.fleet.minion("h1").daemon.start();
        site.fleet.wait_job(&jid, secs(60));
        site.fleet.wait_connected(1);
    }
    all_well(&site.apply("h1", &["s"]));
    assert!(whole('n', &site.read("big")));
    let left: Vec<_> = fs::read_dir(site.out("")).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(left.len() <= 2 + 5, "each death leaves at most what it was writing: {left:?}");
}

fn a_master_that_is_gone_while_files_are_fetched_is_waited_for(transport: Transport) {
    let mut site = Site::new(transport, 1);
    let text = "0123456789abcdef".repeat(8 << 20);
    site.write("states/s.sls", "begun: {cmd.run: [{name: touch @OUT@/begun}]}\nbig: {file.managed: [{name: '@OUT@/big'}, {source: 'salt://big'}]}\n");
    site.write("states/big", &text);
    let jid = site.launch("h1", "s");
    site.begun("begun");
    std::thread::sleep(Duration::from_millis(150));
    site.fleet.master.kill();
    assert!(!site.out("big").exists(), "the file was there before the master could be killed");
    std::thread::sleep(secs(2));
    site.fleet.start_master();
    let job = site.fleet.wait_job(&jid, secs(120));
    assert_eq!(job.ends["h1"].0, "ok", "{:?}", job.ends);
    assert!(site.read("big") == text, "the file is not what the tree has");
}

fn a_tree_that_changes_during_a_run_is_never_mixed(transport: Transport) {
    let site = Site::new(transport, 1);
    let one =
        |name: &str| format!("{name}: {{file.managed: [{{name: '@OUT@/{name}'}}, {{source: 'salt://{name}'}}]}}\n");
    site.write(
        "states/s.sls",
        &format!("{}wait: {{cmd.run: [{{name: 'touch @OUT@/begun; sleep 3'}}]}}\n{}", one("a"), one("b")),
    );
    for name in ["a", "b"] {
        site.write(&format!("states/{name}"), "first\n");
    }
    let jid = site.launch("h1", "s");
    site.begun("begun");
    for name in ["a", "b"] {
        site.write(&format!("states/{name}"), "second\n");
    }
    let job = site.fleet.wait_job(&jid, secs(60));
    assert_eq!(site.read("a"), "first\n");
    // Of the revision that the run began with, or not at all and by name.
    match site.read("b").as_str() {
        "first\n" => assert_eq!(job.ends["h1"].0, "ok", "{job:?}"),
        "" => assert!(job.ends["h1"].1.to_string().contains("salt://b"), "{job:?}"),
        mixed => panic!("{mixed:?} of another revision: {job:?}"),
    }
    all_well(&site.apply("h1", &["s"]));
    assert_eq!((site.read("a").as_str(), site.read("b").as_str()), ("second\n", "second\n"));
}

fn no_path_leaves_the_roots(transport: Transport) {
    let site = Site::new(transport, 1);
    site.write("outside/secret", "not for the tree\n");
    site.write("states/inside", "fine\n");
    std::os::unix::fs::symlink(site.fleet.path().join("outside/secret"), site.fleet.path().join("states/link"))
        .unwrap();
    std::os::unix::fs::symlink("../outside", site.fleet.path().join("states/folder")).unwrap();
    let secret = site.fleet.path().join("outside/secret").display().to_string();
    let sources = [
        "salt://../outside/secret",
        "salt:///../outside/secret",
        "salt://x/../../outside/secret",
        &format!("salt://{secret}"),
        "salt://./../outside/secret",
        "salt://..%2foutside/secret",
    ];
    for (number, source) in sources.iter().enumerate() {
        let sls = format!("x: {{file.managed: [{{name: '@OUT@/x{number}'}}, {{source: '{source}'}}]}}\n");
        site.write("states/s.sls", &sls);
        let rows = site.apply("h1", &["s"]);
        assert!(rows.values().all(|row| row["result"] == json!(false)), "{source}: {rows:?}");
        let got = site.fleet.ctl(&["run", "h1", "cp.get_file_str", source, "--out", "json"]);
        assert!(!got.stdout.contains("not for the tree"), "{source}: {got}");
    }
    for sls in ["../outside/secret", "..outside.secret", &secret] {
        let ran = site.fleet.ctl(&["run", "h1", "state.show_sls", sls, "--out", "json"]);
        assert!(!ran.stdout.contains("not for the tree"), "{ran}");
    }
    // A link in a root is its owner's word: followed where it stays within, and else not served.
    let listed = site.fleet.ctl(&["run", "h1", "cp.list_master", "--out", "json"]).expect(0);
    assert!(listed.stdout.contains("inside") && !listed.stdout.contains("outside"), "{listed}");
    for source in ["salt://link", "salt://folder/secret"] {
        let got = site.fleet.ctl(&["run", "h1", "cp.get_file_str", source, "--out", "json"]);
        let followed = got.stdout.contains("not for the tree");
        assert!(!followed || listed.stdout.contains("link"), "{source} is served though it is not listed: {got}");
    }
}

fn secrets_are_nowhere_but_where_they_belong(transport: Transport) {
    let site = Site::start(plan(transport).minions(2).master("log_level: debug").minion(|_| "log_level: debug".into()));
    site.write("pillar/top.sls", "base: {'h1': [one], 'h2': [two]}\n");
    site.write("pillar/one.sls", "password: s3cr3t-of-h1\n");
    site.write("pillar/two.sls", "password: s3cr3t-of-h2\n");
    site.write("states/s.sls", "a: {file.managed: [{name: '@OUT@/{{ grains.id }}'}, {contents_pillar: password}, {mode: '0600'}, {show_changes: false}]}\nb: {cmd.run: [{name: 'test -n \"$P\"'}, {env: [{P: '{{ pillar.password }}'}]}, {hide_output: true}]}\n");
    let watch = site.fleet.begin(&["event", "watch", "--out", "jsonl"]);
    std::thread::sleep(secs(1));
    for id in ["h1", "h2"] {
        all_well(&site.apply(id, &["s"]));
        all_well(&site.apply(id, &["s"]));
        assert_eq!(site.read(id), format!("s3cr3t-of-{id}\n"));
    }
    let of_h2 = site.fleet.ctl(&["run", "h2", "pillar.items", "unmask=True", "--out", "json"]).expect(0);
    assert!(of_h2.stdout.contains("s3cr3t-of-h2") && !of_h2.stdout.contains("s3cr3t-of-h1"), "{of_h2}");
    let jobs = site.fleet.ctl(&["job", "list", "--out", "json", "--function", "state.apply"]).expect(0).json();
    for job in jobs.as_array().unwrap() {
        let shown = site.fleet.ctl(&["job", "show", job["jid"].as_str().unwrap(), "--out", "json"]).expect(0);
        assert!(!shown.stdout.contains("s3cr3t"), "{shown}");
    }
    assert!(!watch.stdout().contains("s3cr3t-of-h1") && watch.stdout().contains("salt/job/"), "{}", watch.stdout());
    watch.signal(Signal::SIGINT);
    // Whatever daemons have written: logs, ledgers, audit, caches. (`pillar.items` was asked of h2 alone.)
    for part in ["m", "h1", "h2"] {
        let found = files_with(&site.fleet.path().join(part), b"s3cr3t-of-h1");
        assert!(found.is_empty(), "{found:?}");
    }
}

pub fn files_with(folder: &std::path::Path, needle: &[u8]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files_with(&path, needle));
        } else if fs::read(&path).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle)) {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_template_that_fails_on_one_host_of_fifty_harms_no_other() {
    let _turn = heavy::turn();
    let site = Site::new(Transport::Tcp, 50);
    site.write("states/s.sls", "{% if grains.id == 'h17' %}{{ raise('not here') }}{% endif %}\na: {file.managed: [{name: '@OUT@/{{ grains.id }}'}, {contents: x}]}\n");
    let ran = site.fleet.ctl(&["apply", "*", "s", "--out", "json"]).expect(1).says(&["50 targeted: 49 ok, 1 failed"]);
    assert!(ran.json()["h17"].to_string().contains("not here"), "{ran}");
    assert_eq!(fs::read_dir(site.out("")).unwrap().count(), 49);
}

#[test]
fn a_full_disk_fails_the_state_by_name_and_leaves_the_old_file() {
    let mut fleet = plan(Transport::Tcp).minions(1).lay_out();
    let disk = fleet.path().join("disk");
    fs::create_dir_all(&disk).unwrap();
    fleet.minions[0].daemon.recipe_mut().wrap = needs::small_disk(&disk, 4 << 20);
    let states = fleet.path().join("states");
    fs::create_dir_all(&states).unwrap();
    fleet.configure_master("file_roots", &format!("{{base: ['{}']}}", states.display()));
    fleet.start_master();
    fleet.minions[0].daemon.start();
    fleet.wait_connected(1);
    let site = Site { fleet };
    let sls = |source: &str| {
        format!("f: {{file.managed: [{{name: '{}/f'}}, {{source: 'salt://{source}'}}]}}\n", disk.display())
    };
    site.write("states/small", "small\n");
    site.write("states/big", &"x".repeat(8 << 20));
    site.write("states/s.sls", &sls("small"));
    all_well(&site.apply("h1", &["s"]));
    site.write("states/s.sls", &sls("big"));
    let rows = site.apply("h1", &["s"]);
    let row = rows.values().next().unwrap();
    let comment = row["comment"].as_str().unwrap().to_lowercase();
    assert!(row["result"] == json!(false) && (comment.contains("space") || comment.contains("disk")), "{row}");
    let inside = site.fleet.minions[0].daemon.path_inside(&disk);
    assert_eq!(fs::read_to_string(inside.join("f")).unwrap(), "small\n");
    assert_eq!(fs::read_dir(&inside).unwrap().count(), 1, "nothing half-written is left");
    site.write("states/s.sls", &sls("small"));
    let again = site.apply("h1", &["s"]);
    all_well(&again);
    assert!(changed(&again).is_empty());
}
