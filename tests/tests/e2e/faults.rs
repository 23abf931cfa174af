//! Crashes, silence, full disks, wrong clocks: every (job, minion) pair is accounted for, and
//! every return arrives exactly once.

use std::{collections::BTreeMap, fs, path::Path, time::Instant};

use serde_json::{Value, json};
use tests::{
    Fleet, Transport, needs, over_both,
    preload::{self, Point},
    wait::{self, secs},
};

over_both! {
    a_minion_killed_in_a_job_is_reported_lost_when_it_comes_back,
    a_minion_that_is_frozen_for_a_minute_comes_back,
    a_job_that_ends_while_the_master_is_down_arrives,
    a_crash_between_mark_and_start_is_lost_and_not_run,
    a_crash_between_end_and_spool_is_lost_and_not_run_twice,
    a_full_disk_of_the_minion_is_said_and_survived,
    a_full_disk_of_the_master_is_said_and_survived,
    a_clock_an_hour_off_works_and_is_reported,
}

/// One line a minion, and none twice.
fn a_minion_killed_in_a_job_is_reported_lost_when_it_comes_back(transport: Transport) {
    let mut fleet = Fleet::new(transport).start();
    let command = format!("{}; sleep 5", fleet.mark("ran"));
    let jid = fleet.launch(&["*", "cmd.run", &command, "--ttl", "300"]);
    wait::until(secs(20), "the job to run", || fleet.marks("ran").values().all(|&n| n == 1).then_some(()));
    fleet.minion("h2").daemon.kill();
    fleet.minion("h2").daemon.start();
    let job = fleet.wait_job(&jid, secs(40));
    assert_eq!((job.count("ok"), job.ends["h2"].0.as_str()), (2, "lost"), "{job:?}");
    // Even though it came back well within the job's time to live, nothing is run twice.
    fleet.wait_connected(3);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0);
    fleet.assert_marks("ran", 1);
}

fn a_minion_that_is_frozen_for_a_minute_comes_back(transport: Transport) {
    let fleet = Fleet::new(transport).start();
    let frozen = Instant::now();
    fleet.minions[1].daemon.freeze();
    let in_time = fleet.launch(&["*", "cmd.run", &fleet.mark("in-time"), "--ttl", "300"]);
    let too_late = fleet.launch(&["*", "cmd.run", &fleet.mark("too-late"), "--ttl", "10"]);
    // Missed heartbeats tell: 3 of 15 s each.
    fleet.wait_presence("h2", false, secs(58));
    let run = fleet.ctl(&["run", "*", "test.ping"]).expect(3);
    assert!(run.stderr.contains("1 no answer (h2 offline since"), "{run}");
    std::thread::sleep(secs(60).saturating_sub(frozen.elapsed()));
    fleet.minions[1].daemon.thaw();

    let job = fleet.wait_job(&in_time, secs(60));
    assert_eq!(job.count("ok"), 3, "{job:?}");
    let job = fleet.wait_job(&too_late, secs(60));
    assert_eq!((job.count("ok"), job.ends["h2"].0.as_str()), (2, "expired"), "{job:?}");
    fleet.assert_marks("in-time", 1);
    assert_eq!(fleet.marks("too-late"), BTreeMap::from([("h1".into(), 1), ("h2".into(), 0), ("h3".into(), 1)]));
    fleet.wait_connected(3);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0);
}

fn a_job_that_ends_while_the_master_is_down_arrives(transport: Transport) {
    let mut fleet = Fleet::new(transport).start();
    let command = format!("sleep 2; {}; echo done", fleet.mark("ran"));
    let jid = fleet.launch(&["*", "cmd.run", &command]);
    wait::until(secs(20), "the job to run", || {
        let open = fleet.job(&jid).open;
        open.values().all(|state| state == "running").then_some(())
    });
    fleet.master.kill();
    wait::until(secs(20), "the job's end", || fleet.marks("ran").values().all(|&n| n == 1).then_some(()));
    fleet.start_master();
    let job = fleet.wait_job(&jid, secs(60));
    assert_eq!(job.count("ok"), 3, "{job:?}");
    assert!(job.ends.values().all(|(_, value)| *value == json!("done")), "{job:?}");
    fleet.assert_marks("ran", 1);
}

fn a_crash_between_mark_and_start_is_lost_and_not_run(transport: Transport) {
    let (mut fleet, arm) = fleet_that_crashes(transport);
    fs::write(&arm, Point::AfterSync.letter().to_string()).unwrap();
    let jid = fleet.launch(&["h1", "cmd.run", &fleet.mark("ran"), "--ttl", "300"]);
    restart_after_crash(&mut fleet);
    let job = fleet.wait_job(&jid, secs(40));
    assert_eq!(job.ends["h1"].0, "lost", "{job:?}");
    assert_eq!(fleet.marks("ran")["h1"], 0, "it had not started, and it never will");
}

fn a_crash_between_end_and_spool_is_lost_and_not_run_twice(transport: Transport) {
    let (mut fleet, arm) = fleet_that_crashes(transport);
    let command = format!("{}; printf {} > {}", fleet.mark("ran"), Point::BeforeWrite.letter(), arm.display());
    let jid = fleet.launch(&["h1", "cmd.run", &command, "--ttl", "300"]);
    restart_after_crash(&mut fleet);
    let job = fleet.wait_job(&jid, secs(40));
    assert_eq!(job.ends["h1"].0, "lost", "{job:?}");
    fleet.assert_marks("ran", 1);
}

/// One minion that crashes where the file says, and is idle otherwise.
fn fleet_that_crashes(transport: Transport) -> (Fleet, std::path::PathBuf) {
    let mut fleet = Fleet::new(transport).minions(1).lay_out();
    let arm = fleet.path().join("arm");
    let library = preload::crash(fleet.path(), &arm);
    preload(&mut fleet, 0, &library);
    fleet.start_master();
    fleet.minions[0].daemon.start();
    fleet.wait_connected(1);
    // What the first start writes is over.
    fleet.ctl(&["run", "h1", "cmd.run", "true"]).expect(0);
    (fleet, arm)
}

fn preload(fleet: &mut Fleet, minion: usize, library: &Path) {
    let recipe = fleet.minions[minion].daemon.recipe_mut();
    recipe.env.push(("LD_PRELOAD".into(), library.display().to_string()));
}

fn restart_after_crash(fleet: &mut Fleet) {
    let minion = &mut fleet.minions[0].daemon;
    wait::until(secs(20), "the crash", || minion.exit_status());
    minion.start();
}

fn a_full_disk_of_the_minion_is_said_and_survived(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).lay_out();
    let root = fleet.minions[0].dir.join("root");
    fs::create_dir_all(&root).unwrap();
    fleet.minions[0].daemon.recipe_mut().wrap = needs::small_disk(&root, 24 << 20);
    fleet.start_master();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(2);
    fleet.ctl(&["run", "*", "cmd.run", "echo before"]).expect(0);

    let ballast = fleet.minions[0].daemon.path_inside(&root.join("ballast"));
    fill(&ballast);
    // What cannot be marked must not be run: it says why, and nobody else is harmed.
    let run = fleet.ctl(&["run", "*", "cmd.run", &fleet.mark("ran"), "--out", "json", "--timeout", "20"]).expect(1);
    let marks = fleet.marks("ran");
    assert_eq!(marks["h2"], 1, "{run}");
    let said = run.stdout.to_lowercase() + &run.stderr.to_lowercase();
    assert!(said.contains("space") || said.contains("disk") || said.contains("spool"), "{run}");
    assert!(fleet.minions[0].daemon.is_running());
    fleet.ctl(&["run", "h1", "test.ping"]).expect(0);

    fs::remove_file(ballast).unwrap();
    fleet.ctl(&["run", "*", "cmd.run", "echo after"]).expect(0);
    assert!(fleet.marks("ran")["h1"] <= 1);
}

fn a_full_disk_of_the_master_is_said_and_survived(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).lay_out();
    let root = fleet.master_dir().join("root");
    fs::create_dir_all(&root).unwrap();
    fleet.master.recipe_mut().wrap = needs::small_disk(&root, 24 << 20);
    fleet.master.start();
    // `ctl` finds the operator's key where only the master has mounted its disk.
    let inside = fleet.master.path_inside(&root);
    wait::until(secs(20), "the master's files", || inside.join("run/port").exists().then_some(()));
    let config = fs::read_to_string(fleet.master_dir().join("master")).unwrap();
    fleet.ctl_dir = fleet.path().join("ctl");
    fs::create_dir(&fleet.ctl_dir).unwrap();
    let config = config.replace(&root.display().to_string(), &inside.display().to_string());
    fs::write(fleet.ctl_dir.join("master"), config).unwrap();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(2);
    fleet.ctl(&["run", "*", "cmd.run", "echo before"]).expect(0);
    // A return that comes while the disk is full stays with its minion.
    let slow = fleet.launch(&["h2", "cmd.run", &format!("sleep 3; {}; echo kept", fleet.mark("slow"))]);

    let ballast = inside.join("ballast");
    fill(&ballast);
    let run = fleet.ctl(&["run", "*", "cmd.run", &fleet.mark("ran")]).expect(2).says(&["error:"]);
    assert_eq!(fleet.marks("ran").values().sum::<usize>(), 0, "nothing was begun: {run}");
    assert!(fleet.master.is_running());
    wait::until(secs(20), "the job's end", || (fleet.marks("slow")["h2"] == 1).then_some(()));
    fleet.ctl(&["minion", "list"]).expect(0);

    fs::remove_file(ballast).unwrap();
    let job = fleet.wait_job(&slow, secs(60));
    assert_eq!(job.ends["h2"], ("ok".into(), json!("kept")), "{job:?}");
    fleet.ctl(&["run", "*", "cmd.run", "echo after"]).expect(0);
}

/// Fills a file system to its last byte.
fn fill(ballast: &Path) {
    use std::io::Write;
    let mut file = fs::File::create(ballast).unwrap();
    let mut size = 1 << 20;
    while size > 0 {
        match file.write(&vec![0; size]) {
            Ok(written) if written > 0 => {}
            _ => size /= 2,
        }
    }
}

fn a_clock_an_hour_off_works_and_is_reported(transport: Transport) {
    for hours in [-1, 1] {
        let mut fleet = Fleet::new(transport).minions(2).lay_out();
        let library = preload::clock(fleet.path(), hours * 3600);
        preload(&mut fleet, 0, &library);
        fleet.start_master();
        fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
        fleet.wait_connected(2);
        fleet.ctl(&["run", "*", "cmd.run", &fleet.mark("ran"), "--ttl", "20"]).expect(0);
        fleet.assert_marks("ran", 1);
        let rows = fleet.ctl(&["minion", "list", "--out", "json"]).expect(0).json();
        let offset = |id: &str| {
            rows.as_array().unwrap().iter().find(|row| row["id"] == id).unwrap()["clock_offset_seconds"]
                .as_f64()
                .unwrap()
        };
        assert!((offset("h1") / 3600.0 - hours as f64).abs() < 0.01, "{rows}");
        assert!(offset("h2").abs() < 2.0, "{rows}");
        fleet
            .ctl(&["minion", "list"])
            .expect(0)
            .says(&["h1: its clock is", if hours > 0 { "ahead" } else { "behind" }]);
        let jobs: Value = fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json();
        let job = fleet.job(jobs[0]["jid"].as_str().unwrap());
        let started =
            |id: &str| job.detail["minions"][id]["started"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        assert!(
            started("h1").duration_since(started("h2")).abs() < jiff::SignedDuration::from_mins(1),
            "times are told by the master's clock"
        );
    }
}
