//! Values of pillar that are encrypted with `age`: the master alone has the key, and decrypts them for the
//! minion that asks. And pillar that an operator gives with a call.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
};

use nix::sys::signal::Signal;
use serde_json::json;
use tests::{
    Transport, needs, over_both,
    wait::{self, secs},
};

use crate::states::{Site, files_with, plan};

over_both! {
    encrypted_values_are_decrypted_by_the_master_and_lie_nowhere,
    pillar_of_a_call_is_shown_to_nobody_by_its_values,
}

const SECRET: &str = "s3cret-that-age-keeps";

fn said(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn encrypted_values_are_decrypted_by_the_master_and_lie_nowhere(transport: Transport) {
    needs::program("age", "age");
    let keys = tempfile::tempdir().unwrap();
    let key = keys.path().join("key");
    said(Command::new("age-keygen").arg("-o").arg(&key), "");
    let recipient = said(Command::new("age-keygen").arg("-y").arg(&key), "");
    let message = said(Command::new("age").args(["--armor", "-r", recipient.trim()]), SECRET);
    let block: String = message.lines().map(|line| format!("  {line}\n")).collect();

    let config = format!("age_identity: {}\nlog_level: debug", key.display());
    let site = Site::start(plan(transport).minions(2).master(&config).minion(|_| "log_level: debug".into()));
    site.write("pillar/top.sls", "base: {h1: [s]}\n");
    site.write("pillar/s.sls", &format!("#!yaml|age\npassword: |\n{block}"));
    let managed = "a: {file.managed: [{name: '@OUT@/a'}, {contents_pillar: password}, {mode: '0600'}, \
                   {show_changes: false}]}\n";
    site.write("states/s.sls", managed);
    let ran = site.fleet.ctl(&["apply", "h1", "s", "--out", "json"]);
    assert_eq!((ran.code, site.read("a")), (0, format!("{SECRET}\n")), "{ran}");
    let of_other = site.fleet.ctl(&["run", "h2", "pillar.items", "--out", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&of_other.stdout).unwrap()["h2"], json!({}), "{of_other}");

    assert!(!format!("{ran}{of_other}").contains(SECRET));
    fs::remove_file(site.fleet.path().join("out/a")).unwrap();
    let found = Command::new("grep").args(["-rlaF", SECRET]).arg(site.fleet.path()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "in a log, a store or a cache");
}

fn pillar_of_a_call_is_shown_to_nobody_by_its_values(transport: Transport) {
    let site = Site::start(plan(transport).minions(1));
    let watch = site.fleet.begin(&["event", "watch", "--out", "jsonl"]);
    site.write(
        "states/s.sls",
        "a: {file.managed: [{name: '@OUT@/a'}, {contents_pillar: pw}, {show_changes: false}]}\n",
    );
    let ran = site.fleet.ctl(&["run", "h1", "state.apply", "s", &format!("pillar={{pw: {SECRET}}}"), "--out", "json"]);
    assert_eq!((ran.code, site.read("a")), (0, format!("{SECRET}\n")), "{ran}");
    let revision = site.fleet.ctl(&["run", "h1", "state.revision", "--out", "json"]).expect(0);
    let jid = serde_json::from_str::<serde_json::Value>(&revision.stdout).unwrap()["h1"]["last"]["jid"].clone();
    let jid = jid.as_str().expect("a jid").to_owned();
    wait::until(secs(20), "events", || watch.stdout().contains(&format!("{jid}/ret/h1")).then_some(()));
    watch.signal(Signal::SIGINT);
    let mut seen = vec![ran.stdout + &ran.stderr, revision.stdout, watch.stdout()];
    for words in [&["job", "show", &jid][..], &["job", "show", &jid, "--out", "json"], &["job", "list"]] {
        seen.push(site.fleet.ctl(words).expect(0).stdout);
    }
    assert!(seen[2..].iter().all(|text| text.contains("pillar") && !text.contains(SECRET)), "{seen:?}");
    assert!(!seen.concat().contains(SECRET), "{seen:?}");
    assert_eq!(files_with(&site.fleet.path().join("h1"), SECRET.as_bytes()), Vec::<std::path::PathBuf>::new());
}
