//! What the README promises to whoever comes by.

use std::{path::PathBuf, process::Command};

use serde_json::json;
use tests::{
    Ran, binary,
    process::{Running, Signal},
    wait::{self, secs},
};

/// `ctl ARGS…` in a home of its own.
fn ctl(home: &tempfile::TempDir, args: &[&str]) -> Command {
    let mut command = Command::new(binary::ctl());
    command.args(args).env("HOME", home.path()).env("TMPDIR", home.path()).env("XDG_RUNTIME_DIR", home.path());
    command.env("NO_COLOR", "1");
    command
}

fn dev(args: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let ran = Ran::of(args, Running::start(ctl(&home, args)).wait(secs(60)));
    assert_eq!(left(&home), Vec::<PathBuf>::new(), "left behind by {ran}");
    ran
}

/// What there is beneath the temporary folder, but for the empty one that all clusters share.
fn left(home: &tempfile::TempDir) -> Vec<PathBuf> {
    let entries = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries(home.path().to_owned()).flat_map(entries).collect()
}

#[test]
fn one_command_makes_a_fleet_and_asks_it() {
    let ran = dev(&["dev", "--", "run", "*", "test.ping", "--out", "json"]).expect(0);
    let answers = ran.json();
    assert_eq!(answers.as_object().unwrap().len(), 3, "{ran}");
    assert!(answers.as_object().unwrap().values().all(|answer| *answer == json!(true)), "{ran}");
}

#[test]
fn it_has_as_many_minions_as_asked_for() {
    let ran = dev(&["dev", "--minions", "5", "--", "run", "*", "test.ping", "--out", "json"]).expect(0);
    assert_eq!(ran.json().as_object().unwrap().len(), 5, "{ran}");
}

#[test]
fn it_ends_with_the_exit_code_of_its_command() {
    dev(&["dev", "--", "run", "*", "cmd.run", "exit 7"]).expect(1);
    dev(&["dev", "--", "run", "nobody*", "test.ping"]).expect(2).says(&["no minion matches 'nobody*'"]);
}

#[test]
fn a_second_terminal_reaches_it_and_ctrl_c_ends_it_all() {
    let home = tempfile::tempdir().unwrap();
    let cluster = Running::start(ctl(&home, &["dev"]));
    wait::until(secs(30), "word of what to type next", || {
        (cluster.stdout() + &cluster.stderr()).contains("--dev run").then_some(())
    });
    let args = ["--dev", "run", "*", "cmd", "echo here", "--out", "json"];
    let ran = Ran::of(&args, Running::start(ctl(&home, &args)).wait(secs(30))).expect(0);
    assert!(ran.json().as_object().unwrap().values().all(|answer| *answer == json!("here")), "{ran}");

    cluster.signal(Signal::SIGINT);
    let ended = cluster.wait(secs(60));
    assert!([0, 130].contains(&ended.code), "exit code {}", ended.code);
    assert_eq!(left(&home), Vec::<PathBuf>::new(), "its folder is gone");
    let ran = Ran::of(&args, Running::start(ctl(&home, &args)).wait(secs(30)));
    ran.expect(2);
}
