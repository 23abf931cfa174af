//! What the master remembers of jobs, and what can be done with one that runs.

use serde_json::{Value, json};
use tests::{
    Fleet, Transport,
    wait::{self, secs},
};

tests::over_both! {
    the_ledger_tells_who_ran_what_on_whom_and_when,
    a_killed_job_ends_with_all_its_processes,
    a_killed_batch_sends_no_further_wave,
    what_runs_can_be_asked_and_ended_from_the_minion_too,
    a_job_can_be_repeated_and_followed,
    the_ledger_survives_a_restart,
}

fn the_ledger_tells_who_ran_what_on_whom_and_when(transport: Transport) {
    let fleet = Fleet::new(transport).named(&["gmail1", "gmail2", "web1"]).start();
    fleet.ctl(&["run", "gmail*", "cmd.run", "echo hello", "--comment", "ticket 42"]).expect(0);
    fleet.ctl(&["run", "web1", "test.ping"]).expect(0);
    fleet.ctl(&["run", "gmail1", "cmd.run", "exit 3"]).expect(1);

    let list = |filter: &[&str]| {
        let all: Vec<&str> = ["job", "list", "--out", "json"].iter().chain(filter).copied().collect();
        fleet.ctl(&all).expect(0).json().as_array().unwrap().clone()
    };
    assert_eq!(list(&[]).len(), 3);
    assert_eq!(list(&["--target", "gmail*"]).len(), 2);
    assert_eq!(list(&["--function", "test.*"]).len(), 1);
    assert_eq!(list(&["--target", "gmail*", "--since", "1h"]).len(), 2);
    assert_eq!(list(&["--until", "2020-01-01"]).len(), 0);
    assert_eq!(list(&["--operator", "nobody"]).len(), 0);

    let jid = list(&["--target", "gmail2"])[0]["jid"].as_str().unwrap().to_owned();
    let job = fleet.job(&jid);
    assert_eq!(job.ends["gmail2"], ("ok".into(), json!("hello")));
    let shown = fleet.ctl(&["job", "show", &jid]).expect(0);
    shown.says(&["ticket 42", "cmd.run", "gmail*", "127."]);
    let bad = list(&["--function", "cmd.*", "--target", "gmail1"]);
    assert_eq!(bad.len(), 2, "{bad:?}");
}

fn a_killed_job_ends_with_all_its_processes(transport: Transport) {
    let fleet = Fleet::new(transport).minions(2).start();
    // Its children would go on if only the shell were killed.
    let command = format!("{}; (sleep 40; {}) & sleep 40", fleet.mark("began"), fleet.mark("survived"));
    let jid = fleet.launch(&["*", "cmd.run", &command]);
    wait::until(secs(20), "the job to run on both", || fleet.marks("began").values().all(|&n| n == 1).then_some(()));
    fleet.ctl(&["job", "kill", &jid]).expect(0);
    let job = fleet.wait_job(&jid, secs(20));
    assert_eq!(job.count("failed"), 2, "{job:?}");
    assert_eq!(sleepers(&fleet), 0, "no process of the job is left");
}

fn a_killed_batch_sends_no_further_wave(transport: Transport) {
    let fleet = Fleet::new(transport).minions(5).start();
    let command = format!("{}; sleep 40", fleet.mark("began"));
    let jid = fleet.launch(&["*", "cmd.run", &command, "--batch", "2"]);
    let began = || fleet.marks("began").values().sum::<usize>();
    wait::until(secs(20), "the first wave to run", || (began() == 2).then_some(()));
    fleet.ctl(&["job", "kill", &jid]).expect(0);
    let job = fleet.wait_job(&jid, secs(20));
    assert_eq!((job.ends.len(), job.count("failed"), job.count("ok")), (5, 2, 0), "all are accounted for: {job:?}");
    assert_eq!(began(), 2, "nobody began after the kill");
    assert_eq!(sleepers(&fleet), 0, "no process of the job is left");
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["5 targeted: 5 ok"]);
}

/// Processes of this fleet that sleep.
fn sleepers(fleet: &Fleet) -> usize {
    let tag = format!("OVERSTATE_TEST_FLEET={}", fleet.path().display());
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ours = processes.filter(|process| {
        let read = |name| std::fs::read(process.path().join(name)).unwrap_or_default();
        let tagged = read("environ").split(|&byte| byte == 0).any(|entry| entry == tag.as_bytes());
        tagged && read("comm").starts_with(b"sleep")
    });
    ours.count()
}

fn what_runs_can_be_asked_and_ended_from_the_minion_too(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let jid = fleet.launch(&["h1", "cmd.run", "sleep 60"]);
    let running = wait::until(secs(20), "the job to be listed", || {
        let running = fleet.ctl(&["run", "h1", "saltutil.running", "--out", "json"]).expect(0).json();
        let jobs = running["h1"].as_array().unwrap().clone();
        jobs.into_iter().find(|job| job["fun"] == "cmd.run")
    });
    assert_eq!(running["jid"], json!(jid));
    let found = fleet.ctl(&["run", "h1", "saltutil.find_job", &jid, "--out", "json"]).expect(0).json();
    assert_eq!(found["h1"]["jid"], json!(jid));
    fleet.ctl(&["run", "h1", "saltutil.kill_job", &jid]).expect(0);
    let job = fleet.wait_job(&jid, secs(20));
    assert_eq!(job.ends["h1"].0, "failed", "{job:?}");
}

fn a_job_can_be_repeated_and_followed(transport: Transport) {
    let fleet = Fleet::new(transport).minions(2).start();
    let jid = fleet.launch(&["*", "cmd.run", &format!("sleep 1; {}", fleet.mark("ran"))]);
    fleet.ctl(&["job", "follow", &jid]).expect(0).says(&["2 targeted: 2 ok"]);
    fleet.assert_marks("ran", 1);
    fleet.ctl(&["job", "repeat", &jid]).expect(0).says(&["2 targeted: 2 ok"]);
    fleet.assert_marks("ran", 2);
    fleet.ctl(&["job", "follow", &jid]).expect(0).says(&["2 targeted: 2 ok"]);
}

fn the_ledger_survives_a_restart(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).start();
    fleet.ctl(&["run", "*", "test.echo", "kept"]).expect(0);
    let jobs = |fleet: &Fleet| -> Value { fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json() };
    let before = jobs(&fleet);
    fleet.master.stop();
    fleet.start_master();
    assert_eq!(jobs(&fleet), before);
    let job = fleet.job(before[0]["jid"].as_str().unwrap());
    assert_eq!(job.ends["h1"].1, json!("kept"));
    fleet.wait_connected(2);
}
