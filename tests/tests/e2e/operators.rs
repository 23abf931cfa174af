//! Who may give orders, which, and to whom.

use std::{fs, path::PathBuf};

use serde_json::json;
use tests::{Fleet, Ran, Transport, process::Running, wait::secs};

tests::over_both! {
    an_unknown_operator_is_told_so,
    an_operator_may_do_what_its_rules_say_and_no_more,
    rules_in_the_masters_file_count_as_well,
    a_minion_obeys_only_the_operators_that_it_lists,
}

/// A folder for an operator who is not root on the master's host, with a key of its own.
fn new_operator(fleet: &Fleet, transport: Transport, name: &str) -> (PathBuf, String) {
    let dir = fleet.path().join(name);
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("ctl"), format!("transport: {}\n", transport.name())).unwrap();
    let ran = ctl(fleet, &dir, &["operator", "keygen", "--out", "json"]).expect(0);
    let public = ran.json()["key"].as_str().unwrap_or_else(|| panic!("no key in {ran}")).to_owned();
    (dir, public)
}

fn ctl(fleet: &Fleet, dir: &std::path::Path, args: &[&str]) -> Ran {
    let address = fleet.address();
    let all: Vec<&str> = ["--master", &address].iter().chain(args).copied().collect();
    Ran::of(&all, Running::start(fleet.command_from(dir, &all)).wait(secs(60)))
}

fn an_unknown_operator_is_told_so(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let (dir, _) = new_operator(&fleet, transport, "eve");
    ctl(&fleet, &dir, &["run", "*", "test.ping"]).expect(2).says(&["error:"]);
    assert_eq!(fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json(), json!([]));
}

fn an_operator_may_do_what_its_rules_say_and_no_more(transport: Transport) {
    let fleet = Fleet::new(transport).named(&["web1", "web2", "db1"]).start();
    let (dir, key) = new_operator(&fleet, transport, "alice");
    fleet.ctl(&["operator", "add", "alice", &key, "--allow", "test.*:web*"]).expect(0);

    let run = |args: &[&str]| ctl(&fleet, &dir, args);
    assert_eq!(
        run(&["run", "web*", "test.ping", "--out", "json"]).expect(0).json(),
        json!({"web1": true, "web2": true})
    );
    run(&["run", "web*", "cmd.run", "id"]).expect(2).says(&["alice", "cmd.run"]);
    run(&["run", "*", "test.ping"]).expect(2).says(&["alice", "db1"]);
    run(&["run", "db1", "test.ping"]).expect(2);
    run(&["key", "accept", "*"]).expect(2).says(&["alice"]);
    run(&["operator", "list"]).expect(2);
    let jobs = fleet.ctl(&["job", "list", "--operator", "alice", "--out", "json"]).expect(0).json();
    assert_eq!(jobs.as_array().unwrap().len(), 1, "{jobs}");

    fleet.ctl(&["operator", "list"]).expect(0).says(&["alice"]);
    fleet.ctl(&["operator", "revoke", "alice"]).expect(0);
    run(&["run", "web1", "test.ping"]).expect(2);
}

fn rules_in_the_masters_file_count_as_well(transport: Transport) {
    let mut fleet = Fleet::new(transport).named(&["web1", "db1"]).lay_out();
    let (dir, key) = new_operator(&fleet, transport, "bob");
    let rules = format!("{{bob: {{key: '{key}', allow: [{{functions: ['cmd.*'], targets: 'db*'}}]}}}}");
    fleet.configure_master("operators", &rules);
    fleet.start_master();
    for minion in &mut fleet.minions {
        minion.daemon.start();
    }
    fleet.wait_connected(2);
    ctl(&fleet, &dir, &["run", "db1", "cmd.run", "echo bob"]).expect(0).says(&["bob"]);
    ctl(&fleet, &dir, &["run", "web1", "cmd.run", "echo bob"]).expect(2);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0);
}

fn a_minion_obeys_only_the_operators_that_it_lists(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).lay_out();
    let (_, key) = new_operator(&fleet, transport, "carol");
    let file = fleet.minions[1].dir.join("minion");
    let text = fs::read_to_string(&file).unwrap() + &format!("operators: {{carol: '{key}'}}\n");
    fs::write(&file, text).unwrap();
    fleet.start_master();
    for minion in &mut fleet.minions {
        minion.daemon.start();
    }
    fleet.wait_connected(2);
    // The operator is permitted by the master, which could be in an enemy's hands.
    let jid = fleet.launch(&["*", "cmd.run", &fleet.mark("ran")]);
    let job = fleet.wait_job(&jid, secs(20));
    assert_eq!((job.ends["h1"].0.as_str(), job.ends["h2"].0.as_str()), ("ok", "refused"), "{job:?}");
    assert_eq!(fleet.marks("ran")["h2"], 0);
}
