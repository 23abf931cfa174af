//! Checks that nobody asks for: what minions find by themselves, and what the master knows of it.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde_json::json;
use tests::{
    Booted, Fleet, Transport,
    wait::{self, secs},
};

use crate::checks::{Checked, laid_out, started};

/// What the master knows of the checks that run all the time.
pub fn known(fleet: &Fleet) -> Checked {
    Checked::of(fleet.ctl(&["check", "*", "*", "--last", "--out", "json"]))
}

/// Waits until the master knows this of a check.
#[track_caller]
pub fn wait_known(fleet: &Fleet, host: &str, check: &str, status: &str, limit: Duration) {
    wait::until(limit, &format!("{check} of {host} to be {status}"), || {
        let found = known(fleet).found.remove(&(host.to_owned(), check.to_owned()));
        found.is_some_and(|(is, _)| is == status).then_some(())
    });
}

#[test]
fn a_managed_file_that_is_changed_is_drift_and_named_within_seconds() {
    let fleet = laid_out(2, |_| json!({"drift": {}}));
    let (tree, target) = (fleet.path().join("states"), fleet.path().join("motd"));
    fs::create_dir(&tree).unwrap();
    fleet.configure_master("file_roots", &format!("{{base: ['{}']}}", tree.display()));
    fs::write(tree.join("top.sls"), "base: {'h1': [motd], 'h2': [other]}\n").unwrap();
    let managed = |path: &str| format!("the motd:\n  file.managed:\n    - name: {path}\n    - contents: welcome\n");
    let path = target.display().to_string();
    fs::write(tree.join("motd.sls"), managed(&path)).unwrap();
    fs::write(tree.join("other.sls"), managed(&format!("{path}.other"))).unwrap();
    let fleet = started(fleet);
    fleet.ctl(&["apply", "*"]).expect(0);
    Checked::now(&fleet).expect(0).says("h1", "drift", "OK", &[]).says("h2", "drift", "OK", &[]);
    for host in ["h1", "h2"] {
        wait_known(&fleet, host, "drift", "OK", secs(90));
    }
    let events = fleet.begin(&["event", "watch", "overstate/check/*", "--out", "jsonl"]);
    std::thread::sleep(secs(2));
    // Nobody asks; the minion sees it by itself. 5 s are promised, of a host that has time: the best of three.
    let told = |status: &str, before: usize| {
        let tag = format!("overstate/check/h1/drift/{status}");
        wait::until(secs(60), &tag, || (events.stdout().matches(&tag).count() > before).then_some(()));
    };
    let mut took = Vec::new();
    for round in 0..3 {
        let changed = Instant::now();
        fs::write(&target, format!("by hand {round}\n")).unwrap();
        told("critical", round);
        took.push(changed.elapsed());
        let now = known(&fleet);
        now.expect(2).says("h1", "drift", "CRITICAL", &["file.managed", "motd.sls:2"]).says("h2", "drift", "OK", &[]);
        if took[round] <= secs(5) {
            break;
        }
        fs::write(&target, "welcome\n").unwrap();
        told("ok", round);
    }
    assert!(took.iter().any(|took| *took <= secs(5)), "{took:?}");
    assert!(!events.stdout().contains("overstate/check/h2/"), "{}", events.stdout());

    fleet.ctl(&["apply", "h1"]).expect(0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "welcome\n");
    wait_known(&fleet, "h1", "drift", "OK", secs(60));
}

#[test]
fn a_host_that_falls_silent_is_unknown_within_45_seconds_and_back_when_it_speaks() {
    let fleet = started(laid_out(2, |_| json!({"uptime": {"warning": "0:"}})));
    for host in ["h1", "h2"] {
        wait_known(&fleet, host, "uptime", "OK", secs(60));
    }
    fleet.minions[1].daemon.freeze();
    let silent = Instant::now();
    wait::until(secs(60), "h2 to be unknown", || {
        let known = known(&fleet);
        let of_h2: Vec<_> = known.found.iter().filter(|((host, _), _)| host == "h2").collect();
        (!of_h2.is_empty() && of_h2.iter().all(|(_, (status, _))| status == "UNKNOWN")).then_some(())
    });
    let took = silent.elapsed();
    assert!(took <= secs(47), "{took:?}");
    known(&fleet).expect(3).says("h1", "uptime", "OK", &[]);

    fleet.minions[1].daemon.thaw();
    wait_known(&fleet, "h2", "uptime", "OK", secs(60));
}

#[test]
fn a_host_without_checks_of_its_own_is_known_soon_after_its_start() {
    let mut fleet = Fleet::new(Transport::Tcp).minions(2).lay_out();
    fleet.start_master();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(2);
    let connected = Instant::now();
    for host in ["h1", "h2"] {
        wait::until(secs(60), &format!("what is looked at on {host}"), || {
            known(&fleet).found.contains_key(&(host.to_owned(), "memory".to_owned())).then_some(())
        });
    }
    // About 5 s, on a host that has time for it.
    let took = connected.elapsed();
    assert!(took < secs(20), "{took:?}");
}

/// On machines with a systemd of their own, which `tests/run` looks for by this name.
mod booted_hosts {
    use super::*;

    const UNIT: &str = "[Unit]\nDescription=beacon\n[Service]\nExecStart=/bin/sleep 100000\n";

    #[test]
    fn a_service_that_stops_is_drift_and_named_with_its_line() {
        let mut fleet = laid_out(1, |_| json!({"drift": {}}));
        let tree = fleet.path().join("states");
        fs::create_dir(&tree).unwrap();
        fleet.configure_master("file_roots", &format!("{{base: ['{}']}}", tree.display()));
        fs::write(tree.join("top.sls"), "base: {'*': [role.beacon]}\n").unwrap();
        fs::create_dir(tree.join("role")).unwrap();
        let sls =
            "# What this role has.\nthe unit:\n  test.nop: []\n\nbeacon:\n  service.running:\n    - enable: false\n";
        fs::write(tree.join("role/beacon.sls"), sls).unwrap();
        let booted = Booted::sharing(&[fleet.path()]);
        fleet.live_in(booted.wrap());
        fs::write(fleet.path().join("beacon.service"), UNIT).unwrap();
        let place = fleet.path().display().to_string();
        booted.shell(&place, "ip link set lo up; cp beacon.service /etc/systemd/system/; systemctl daemon-reload");
        let fleet = started(fleet);
        let run = |line: &str| booted.shell(&place, line);
        fleet.ctl(&["apply", "*"]).expect(0);
        assert_eq!(run("systemctl is-active beacon"), "active\n");
        wait_known(&fleet, "h1", "drift", "OK", secs(90));

        // Stopped by hand, and ended by itself: nobody asks.
        for (ends, is) in [("systemctl stop beacon", "inactive\n"), ("systemctl kill -s KILL beacon", "failed\n")] {
            run(ends);
            let stopped = Instant::now();
            wait::until(secs(10), ends, || (run("systemctl is-active beacon") == is).then_some(()));
            wait_known(&fleet, "h1", "drift", "CRITICAL", secs(60));
            let took = stopped.elapsed();
            let named = ["1 state differs: service.running beacon", "role/beacon.sls:6"];
            known(&fleet).expect(2).says("h1", "drift", "CRITICAL", &named);
            Checked::now(&fleet).expect(2).says("h1", "drift", "CRITICAL", &named);
            assert!(took < secs(20), "{ends}: {took:?}");
            run("systemctl reset-failed beacon; systemctl start beacon");
            wait_known(&fleet, "h1", "drift", "OK", secs(60));
            Checked::now(&fleet).expect(0).says("h1", "drift", "OK", &[]);
        }
    }
}
