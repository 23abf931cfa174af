//! Health checks amid trouble: what is wrong is named, on the host where it is, and nothing else
//! suffers from it.

use std::{collections::BTreeMap, fs, net::TcpListener, time::Instant};

use serde_json::{Value, json};
use tests::{
    Fleet, Ran, Transport, needs, preload,
    wait::{self, secs},
};

/// Ended on the first day of 2021.
const EXPIRED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGjCBwaADAgECAgEBMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDHRlc3QuZXhh
bXBsZTAeFw0yMDAxMDEwMDAwMDBaFw0yMTAxMDEwMDAwMDBaMBcxFTATBgNVBAMM
DHRlc3QuZXhhbXBsZTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPoJgv5OJjC6
5HNXuTkGZlpRxX+Zgfqj9kYc+R/sWFlsHCufq5W0lBcp2H7zK4TA4iWLltCQYxUE
iogiKcl8Vp4wCgYIKoZIzj0EAwIDSAAwRQIhAPaRI8AvTT0bszBBEVyhHlhYSDJy
0qnOprh84yEOeLFEAiAdJRO6NeIq91Pn5udNYupOVp9PVTF5l91aRqelCgorlA==
-----END CERTIFICATE-----
";

/// Ends on the first day of 2099.
const VALID: &str = "\
-----BEGIN CERTIFICATE-----
MIIBGzCBw6ADAgECAgEBMAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDHRlc3QuZXhh
bXBsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMDk5MDEwMTAwMDAwMFowFzEVMBMGA1UE
AwwMdGVzdC5leGFtcGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAELrzHaebJ
jAE0Ni59jwXCgBUzXnXdX0UuYEq463WNBGulx7d8lXEnke9364ANgpnDHUMB1mII
wXz3U38ze6pXczAKBggqhkjOPQQDAgNHADBEAiAg09YVEp4IyfDn0oBfZMoY4GMG
6JF4OL6LKE1prNYkoAIgf+ybAmeQFZ+xlGIH/6w3y6Uah+V8lbS6BXrc/f6qIbc=
-----END CERTIFICATE-----
";

/// A fleet with these checks on each minion, not started. They are due so seldom that they run
/// when they are asked for.
pub fn laid_out(minions: usize, checks: impl Fn(&Fleet) -> Value) -> Fleet {
    let fleet = Fleet::new(Transport::Tcp).minions(minions).lay_out();
    let mut checks = checks(&fleet);
    let each = checks.as_object_mut().expect("checks by name").values_mut();
    each.for_each(|check| check["interval"] = json!(3600));
    for minion in &fleet.minions {
        let file = minion.dir.join("minion");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}checks: {checks}\n")).unwrap();
    }
    fleet
}

pub fn started(mut fleet: Fleet) -> Fleet {
    fleet.start_master();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(fleet.minions.len());
    fleet
}

/// What `ctl check '*' '*'` says (checks that are named are those of minions alone): status and output, by host and check; and how it ended.
pub struct Checked {
    pub found: BTreeMap<(String, String), (String, String)>,
    ran: Ran,
}

impl Checked {
    pub fn now(fleet: &Fleet) -> Self {
        Self::of(fleet.ctl(&["check", "*", "*", "--out", "json"]))
    }

    pub fn of(ran: Ran) -> Self {
        let report = ran.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut found = BTreeMap::new();
        for (host, rows) in report.as_object().unwrap_or_else(|| panic!("no hosts: {ran}")) {
            for row in rows.as_array().into_iter().flatten() {
                let what = (text(&row["status"]), text(&row["output"]));
                found.insert((host.clone(), text(&row["name"])), what);
            }
        }
        Self { found, ran }
    }

    /// Asserts this status, and that the output has these parts.
    #[track_caller]
    pub fn says(&self, host: &str, check: &str, status: &str, parts: &[&str]) -> &Self {
        let found = self.found.get(&(host.to_owned(), check.to_owned()));
        let (is, output) = found.unwrap_or_else(|| panic!("nothing of {check} on {host}: {}", self.ran));
        assert_eq!(is, status, "{check} on {host}: {}", self.ran);
        for part in parts {
            assert!(output.contains(part), "{check} on {host} lacks {part:?}: {output}");
        }
        self
    }

    #[track_caller]
    pub fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.ran.code, code, "exit code of {}", self.ran);
        self
    }
}

#[test]
fn a_full_disk_is_named_with_its_host() {
    let mut fleet = laid_out(2, |fleet| {
        let disk = fleet.path().join("disk").display().to_string();
        json!({"data": {"check": "disk", "path": disk, "warning": "80%", "critical": "95%"}, "uptime": {"warning": "0:"}})
    });
    let disk = fleet.path().join("disk");
    fs::create_dir(&disk).unwrap();
    for minion in &mut fleet.minions {
        minion.daemon.recipe_mut().wrap = needs::small_disk(&disk, 4 << 20);
    }
    let fleet = started(fleet);
    Checked::now(&fleet).expect(0).says("h1", "data", "OK", &[]).says("h2", "data", "OK", &[]);

    let ballast = fleet.minions[0].daemon.path_inside(&disk.join("ballast"));
    fs::write(&ballast, vec![0; 5 << 20]).expect_err("there is no room for all of it");
    let disk = disk.display().to_string();
    Checked::now(&fleet).expect(2).says("h1", "data", "CRITICAL", &[&disk, "%"]).says("h1", "uptime", "OK", &[]).says(
        "h2",
        "data",
        "OK",
        &[],
    );
    fleet.ctl(&["check", "*", "*"]).expect(2).says(&["h1", &disk, "CRITICAL"]);

    fs::remove_file(&ballast).unwrap();
    Checked::now(&fleet).expect(0);
}

#[test]
fn an_expired_certificate_is_critical_and_a_good_one_is_not() {
    let fleet = started(laid_out(1, |fleet| {
        let file = |name: &str, text: &str| {
            let path = fleet.path().join(name);
            fs::write(&path, text).unwrap();
            json!({"check": "cert", "path": path.display().to_string()})
        };
        json!({"old": file("old.pem", EXPIRED), "good": file("good.pem", VALID), "both": file("both.pem", &[VALID, EXPIRED].concat())})
    }));
    Checked::now(&fleet).expect(2).says("h1", "old", "CRITICAL", &["old.pem"]).says("h1", "good", "OK", &[]).says(
        "h1",
        "both",
        "CRITICAL",
        &["both.pem"],
    );
}

#[test]
fn a_port_that_is_closed_is_critical_from_then_on() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let fleet = started(laid_out(
        1,
        |_| json!({"web": {"check": "tcp", "host": "127.0.0.1", "port": port}, "listens": {"check": "port", "port": port}}),
    ));
    Checked::now(&fleet).expect(0).says("h1", "web", "OK", &[]).says("h1", "listens", "OK", &[]);
    drop(listener);
    let place = port.to_string();
    Checked::now(&fleet).expect(2).says("h1", "web", "CRITICAL", &[&place]).says(
        "h1",
        "listens",
        "CRITICAL",
        &[&place],
    );
}

#[test]
fn a_plugin_that_hangs_is_killed_with_its_children_and_harms_no_other() {
    let fleet = started(laid_out(1, |fleet| {
        let pids = fleet.path().join("pids").display().to_string();
        let hang =
            format!("echo of it $$ >> {pids}; setsid sleep 1000 & sleep 1000 & echo of it $! >> {pids}; sleep 1000");
        let well = |n: usize| json!({"check": "plugin", "command": ["sh", "-c", format!("echo well {n}")]});
        let mut checks = json!({"hangs": {"check": "plugin", "command": ["sh", "-c", hang], "timeout": 2}, "uptime": {"warning": "0:"}});
        (0..20).for_each(|n| checks[format!("well{n}")] = well(n));
        checks
    }));
    let begun = Instant::now();
    let checked = Checked::now(&fleet);
    let took = begun.elapsed();
    checked.expect(3).says("h1", "hangs", "UNKNOWN", &["killed after 2 s"]).says("h1", "uptime", "OK", &[]);
    for n in 0..20 {
        checked.says("h1", &format!("well{n}"), "OK", &[&format!("well {n}")]);
    }
    assert!(took < secs(20), "{took:?}");

    let pids = fs::read_to_string(fleet.path().join("pids")).unwrap();
    // The minion may have looked on its interval as well. A child that leaves its session is a daemon of its
    // own making, and nobody's child any more.
    let pids: Vec<&str> = pids.lines().filter_map(|line| line.strip_prefix("of it ")).collect();
    assert!(pids.len() >= 2, "{pids:?}");
    for pid in pids {
        wait::until(secs(10), &format!("{pid} to be gone"), || (!alive(pid)).then_some(()));
    }
}

/// Whether a process is there, and is no zombie.
fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_plugin_that_prints_a_hundred_megabytes_is_cut_and_memory_stays_bounded() {
    let fleet = started(laid_out(1, |_| {
        let flood = |then: &str| {
            let line = format!("echo 'FLOOD says so'; head -c 100000000 /dev/zero | tr '\\0' 'x'{then}");
            json!({"check": "plugin", "command": ["sh", "-c", line], "timeout": 60})
        };
        json!({"flood": flood(""), "critical": flood("; exit 2"), "uptime": {"warning": "0:"}})
    }));
    let idle = fleet.minions[0].daemon.memory("VmHWM");
    let checked = Checked::now(&fleet);
    checked
        .expect(2)
        .says("h1", "flood", "OK", &["FLOOD says so"])
        .says("h1", "critical", "CRITICAL", &["FLOOD says so"])
        .says("h1", "uptime", "OK", &[]);
    assert!(checked.ran.stdout.len() < 1 << 20, "{} bytes of answer", checked.ran.stdout.len());
    let (minion, master) = (fleet.minions[0].daemon.memory("VmHWM"), fleet.master.memory("VmHWM"));
    assert!(minion < idle + 24 * 1024, "the minion grew from {idle} to {minion} KiB");
    assert!(master < 128 * 1024, "the master has {master} KiB");
}

#[test]
fn a_clock_ten_minutes_off_is_critical_there_alone() {
    let mut fleet = laid_out(2, |_| json!({"clock": {"warning": 5, "critical": 60}}));
    let library = preload::clock(fleet.path(), 600);
    fleet.minions[0].daemon.recipe_mut().env.push(("LD_PRELOAD".into(), library.display().to_string()));
    let fleet = started(fleet);
    Checked::now(&fleet).expect(2).says("h1", "clock", "CRITICAL", &["ahead of the master's"]).says(
        "h2",
        "clock",
        "OK",
        &[],
    );
}

#[test]
fn a_dead_host_is_unknown_and_says_since_when() {
    let mut fleet = started(laid_out(2, |_| json!({"uptime": {"warning": "0:"}})));
    fleet.minion("h2").daemon.kill();
    fleet.wait_presence("h2", false, secs(60));
    let checked = Checked::now(&fleet);
    checked.expect(3).says("h1", "uptime", "OK", &[]);
    let silent: Vec<_> = checked.found.iter().filter(|((host, _), _)| host == "h2").collect();
    assert!(!silent.is_empty() && silent.iter().all(|(_, (status, _))| status == "UNKNOWN"), "{silent:?}");
    fleet.ctl(&["check", "*", "*"]).expect(3).says(&["h2", "offline since"]);
}

/// With namespaces and roots, which `tests/run` looks for by this name.
mod hosts_with_roots {
    use tests::hosts::Net;

    use super::*;

    /// As Debian starts services where there is no systemd.
    const SCRIPT: &str = r#"#!/bin/sh
### BEGIN INIT INFO
# Provides: beacon
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
file=/run/beacon.pid
case "$1" in
start) setsid sleep 100000 >/dev/null 2>&1 </dev/null & echo $! > $file ;;
stop) kill "$(cat $file)" ;;
status) kill -0 "$(cat $file)" ;;
esac
"#;

    #[test]
    fn a_service_that_stops_is_critical() {
        let names = ["master.test", "alpha.test", "beta.test"];
        let checks = json!({"beacon": {"check": "service", "name": "beacon", "interval": 3600}});
        let lines = move |_| format!("checks: {checks}\n");
        let fleet = Fleet::new(Transport::Tcp).named(&names[1..]).on(Net::with_roots(&names)).minion(lines).start();
        let run = |target: &str, command: &str| fleet.ctl(&["run", target, "cmd.run", command]).expect(0);
        let checked = Checked::now(&fleet);
        checked.expect(2).says("alpha.test", "beacon", "CRITICAL", &["no such service"]);

        let script = fleet.path().join("beacon");
        fs::write(&script, SCRIPT).unwrap();
        let install = format!("install -m 755 {} /etc/init.d/beacon && service beacon start", script.display());
        run("*", &install);
        Checked::now(&fleet).expect(0).says("alpha.test", "beacon", "OK", &["beacon runs"]);
        run("beta.test", "service beacon stop");
        Checked::now(&fleet).expect(2).says("alpha.test", "beacon", "OK", &[]).says(
            "beta.test",
            "beacon",
            "CRITICAL",
            &["does not run"],
        );
    }
}
