//! Many minions, or much traffic: these load the machine and take turns.

use std::{collections::BTreeMap, time::Instant};

use serde_json::json;
use tests::{
    Fleet, Ran, Transport, heavy, over_both,
    wait::{self, secs},
};

over_both! {
    a_master_killed_during_a_job_on_50_minions_loses_nothing,
    a_master_killed_while_it_stores_returns_loses_nothing,
    returns_of_a_thousand_mebibytes_at_once_arrive_and_memory_stays_bounded,
    two_hundred_minions_come_back_at_once_each_once_and_with_what_it_ran,
}

fn a_master_killed_during_a_job_on_50_minions_loses_nothing(transport: Transport) {
    let _turn = heavy::turn();
    let mut fleet = Fleet::new(transport).minions(50).start();
    let command = format!("sleep 4; {}; echo done", fleet.mark("ran"));
    let run = fleet.begin(&["run", "*", "cmd.run", &command, "--out", "jsonl"]);
    let jid = wait::until(secs(20), "the job", || {
        let jobs = fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
        Some(jobs.as_array()?.first()?["jid"].as_str()?.to_owned())
    });
    fleet.master.kill();
    fleet.start_master();
    // Whoever followed the job has all of it, without doing anything.
    let run = Ran::of(&["run", "*", "cmd.run", "…"], run.wait(secs(90))).expect(0);
    assert_each_once(&run, &fleet);
    let job = fleet.wait_job(&jid, secs(60));
    assert_eq!((job.ends.len(), job.count("ok")), (50, 50), "{:?}", job.ends);
    fleet.assert_marks("ran", 1);
}

fn assert_each_once(run: &Ran, fleet: &Fleet) {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for line in run.json_lines() {
        for id in line.as_object().unwrap().keys() {
            *times.entry(id.clone()).or_default() += 1;
        }
    }
    let expected: BTreeMap<String, usize> = fleet.minions.iter().map(|minion| (minion.id.clone(), 1)).collect();
    assert_eq!(times, expected, "{run}");
}

fn a_master_killed_while_it_stores_returns_loses_nothing(transport: Transport) {
    let _turn = heavy::turn();
    let mut fleet = Fleet::new(transport).minions(50).start();
    // Returns trickle in over three seconds; twice the master dies amid them.
    let command =
        format!("sleep 1.$(shuf -i 0-9 -n 1); sleep 0.$(shuf -i 0-9 -n 1); {}; echo $TEST_MINION", fleet.mark("ran"));
    let run = fleet.begin(&["run", "*", "cmd.run", &command, "--out", "jsonl"]);
    for stored in [3, 25] {
        wait::until(secs(60), "returns", || (run.stdout().lines().count() >= stored).then_some(()));
        fleet.master.kill();
        fleet.start_master();
    }
    let run = Ran::of(&["run", "*", "cmd.run", "…"], run.wait(secs(90))).expect(0);
    assert_each_once(&run, &fleet);
    let jobs = fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
    let job = fleet.wait_job(jobs[0]["jid"].as_str().unwrap(), secs(60));
    let right = job.ends.iter().filter(|(id, (outcome, value))| outcome == "ok" && *value == json!(id)).count();
    assert_eq!((job.ends.len(), right), (50, 50), "{:?}", job.ends);
    fleet.assert_marks("ran", 1);
}

fn returns_of_a_thousand_mebibytes_at_once_arrive_and_memory_stays_bounded(transport: Transport) {
    let _turn = heavy::turn();
    let fleet = Fleet::new(transport).minions(50).start();
    fleet.ctl(&["run", "*", "test.ping"]).expect(0);
    let idle = fleet.master.memory("VmRSS");
    let jids: Vec<String> = (0..20)
        .map(|_| fleet.launch(&["*", "cmd.run", "sleep 2; head -c 1048576 /dev/zero | tr '\\0' x", "--ttl", "600"]))
        .collect();
    let mut whole = 0;
    for jid in &jids {
        wait::until(secs(240), "all answers", || {
            let row = fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
            let row = row.as_array().unwrap().iter().find(|row| row["jid"] == json!(jid)).cloned().unwrap();
            (row["ends"] == json!({"ok": 50})).then_some(())
        });
        let job = fleet.job(jid);
        whole += job
            .ends
            .values()
            .filter(|(outcome, value)| outcome == "ok" && value.as_str().is_some_and(|v| v.len() == 1 << 20))
            .count();
    }
    assert_eq!(whole, 1000);
    let highest = fleet.master.memory("VmHWM");
    assert!(highest < idle + 400 * 1024, "the master took {highest} KiB at most, {idle} KiB when idle");
}

fn two_hundred_minions_come_back_at_once_each_once_and_with_what_it_ran(transport: Transport) {
    let _turn = heavy::turn();
    let mut fleet = Fleet::new(transport).minions(200).start();
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["200 targeted: 200 ok"]);
    // A job is under way while they are without a master.
    let command = format!("sleep 6; {}; echo $TEST_MINION", fleet.mark("ran"));
    let run = fleet.begin(&["run", "*", "cmd.run", &command, "--ttl", "300", "--out", "jsonl"]);
    wait::until(secs(60), "the job to be everywhere", || {
        let jobs = fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
        let jid = jobs.as_array()?.first().filter(|job| job["function"] == "cmd.run")?["jid"].as_str()?.to_owned();
        fleet.job(&jid).open.values().all(|state| state == "running").then_some(())
    });
    fleet.master.kill();
    let down = Instant::now();
    fleet.start_master();
    fleet.wait_connected(200);
    let took = down.elapsed();
    let run = Ran::of(&["run", "*", "cmd.run", "…"], run.wait(secs(120))).expect(0);
    assert_each_once(&run, &fleet);
    fleet.assert_marks("ran", 1);
    let mut connected = fleet.connected();
    connected.sort();
    let mut all: Vec<String> = fleet.minions.iter().map(|minion| minion.id.clone()).collect();
    all.sort();
    assert_eq!(connected, all, "each is there, and once");
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["200 targeted: 200 ok"]);
    assert!(took < secs(60), "it took {took:?}");
}
