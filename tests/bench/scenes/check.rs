//! Health checks of many hosts, and what the machine needs merely to run their plugins.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tests::fleet::{Fleet, Transport};
use tokio::runtime::Runtime;

use super::{Options, at_most, fleet::HOSTS, swarm::until};
use crate::{
    agents::{Home, Swarm},
    figures::{Figure, Goal, Row},
    process,
};

const PLUGINS: &str = "/usr/lib/nagios/plugins";

/// Thirteen of Debian's plugins, with thresholds that any host keeps.
const COMMANDS: [&str; 13] = [
    "check_load -w 9999,9999,9999 -c 9999,9999,9999",
    "check_users -w 9999 -c 9999",
    "check_procs -w 999999 -c 999999",
    "check_procs -w 999999 -c 999999 -s Z",
    "check_procs -w 1: -c 1: -C bench",
    "check_disk -w 0 -c 0 -p /",
    "check_disk -W 0% -K 0% -p /",
    "check_disk -w 0 -c 0 -p /dev/shm",
    "check_swap -n ok -w 2 -c 1",
    "check_file_age -w 4000000000 -c 4000000000 -f /etc/passwd",
    "check_dummy 0",
    "check_cluster -l bench -d 0,0,0 -w 1 -c 2",
    "check_tcp -H HOST -p PORT",
];

/// Debian's plugins, installed where they are not.
///
/// # Panics
/// When they cannot be: a scene that is left out must be left out aloud.
fn install() {
    if Path::new(PLUGINS).join("check_load").exists() {
        return;
    }
    eprintln!("installing Debian's monitoring-plugins-basic");
    let line = "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends monitoring-plugins-basic";
    let status = Command::new("sh").args(["-c", line]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "monitoring-plugins-basic cannot be installed");
}

/// The plugins as command lines; all of them look at the fleet's own master where they connect.
fn commands(address: &str) -> Vec<Vec<String>> {
    let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
    let word = |word: &str| word.replace("HOST", host).replace("PORT", port);
    let line = |line: &&str| format!("{PLUGINS}/{line}").split(' ').map(word).collect();
    COMMANDS.iter().map(line).collect()
}

/// What is asked for is to be measured, so nothing is due by itself.
const SELDOM: u64 = 86_400;

/// As many minions as `hosts`, with these checks by name, due every so many seconds.
fn fleet(hosts: usize, every: u64, checks: impl FnOnce(&str) -> BTreeMap<String, Value>) -> Fleet {
    let mut fleet = Fleet::new(Transport::Tcp).minions(hosts).lay_out();
    let mut checks = checks(&fleet.address());
    checks.values_mut().for_each(|check| check["interval"] = json!(every));
    let lines = format!("checks: {}\n", json!(checks));
    for minion in &fleet.minions {
        let file = minion.dir.join("minion");
        let text = std::fs::read_to_string(&file).expect("its configuration");
        std::fs::write(&file, text + &lines).expect("its configuration");
    }
    fleet.start_master();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(hosts);
    // What is done once after the start is over.
    std::thread::sleep(Duration::from_secs(5));
    fleet
}

/// Seconds of `ctl check '*'` from Enter to the summary. All results of all hosts must be there, and
/// good; the master's own are what they are.
fn timed(fleet: &Fleet, hosts: usize, each: usize, runs: usize) -> Figure {
    let ran = fleet.ctl(&["check", "*", "--out", "json"]);
    let report = ran.json();
    let minions = report.as_object().expect("hosts").iter().filter(|(host, _)| !host.ends_with("_master"));
    let rows: Vec<&Value> = minions.filter_map(|(_, rows)| rows.as_array()).flatten().collect();
    let bad: Vec<_> = rows.iter().filter(|row| row["status"] != "OK").take(3).collect();
    assert_eq!((rows.len(), bad.len()), (hosts * each, 0), "results; some that are not well: {bad:#?}");
    let one = |_| {
        let start = Instant::now();
        let again = fleet.ctl(&["check", "*"]);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(again.code, ran.code, "ctl check: {again}");
        seconds
    };
    Figure::of((0..runs).map(one).collect())
}

pub fn plugins(options: &Options) -> Vec<Row> {
    install();
    let hosts = if options.quick { 5 } else { HOSTS };
    let fleet = fleet(hosts, SELDOM, |address| {
        let check = |(n, command): (usize, Vec<String>)| {
            (format!("plugin{n}"), json!({"check": "plugin", "command": command, "timeout": 60}))
        };
        commands(address).into_iter().enumerate().map(check).collect()
    });
    let ours = timed(&fleet, hosts, COMMANDS.len(), options.runs(5));
    // With the same daemons about, which do nothing meanwhile.
    let commands = commands(&fleet.address());
    let (at_once, limit) = [1, 2, 4, 8]
        .map(|at_once| (at_once, Figure::of((0..options.runs(3)).map(|_| xargs(&commands, hosts, at_once)).collect())))
        .into_iter()
        .min_by(|(_, one), (_, other)| one.median.total_cmp(&other.median))
        .expect("there are four");
    let what = format!("{hosts} real minions × {} plugins of Debian's", COMMANDS.len());
    vec![
        Row {
            what: format!("`ctl check '*'` of {what}, from Enter to the summary"),
            unit: "s",
            ours: ours.clone(),
            goal: None,
            peers: vec![(format!("the same commands by xargs -P {at_once}, the best of 1, 2, 4, 8"), limit.clone())],
        },
        Row {
            what: format!("{what}, beside these commands without any bus"),
            unit: "times as long",
            ours: Figure::one(ours.median / limit.median),
            goal: at_most(1.3),
            peers: Vec::new(),
        },
    ]
}

/// Seconds that `xargs` needs to run each command `times` times, so many at once. No shell is
/// between it and the plugin: a line that it reads is a run, whatever is in it.
fn xargs(commands: &[Vec<String>], times: usize, at_once: usize) -> f64 {
    let lines = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(lines.path(), "run\n".repeat(times)).expect("a temporary file");
    let start = Instant::now();
    for command in commands {
        let status = Command::new("xargs")
            .args(["-P", &at_once.to_string(), "-I", "%none%"])
            .args(command)
            .stdin(std::fs::File::open(lines.path()).expect("the lines"))
            .stdout(Stdio::null())
            .status()
            .expect("xargs");
        assert!(status.success(), "{command:?}: {status}");
    }
    start.elapsed().as_secs_f64()
}

/// Thirteen that no process is started for.
fn of_our_own(address: &str) -> BTreeMap<String, Value> {
    let port: u16 = address.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("HOST:PORT");
    let host = address.rsplit_once(':').map(|(host, _)| host).expect("HOST:PORT");
    let checks = [
        ("load", json!({"warning": 9999, "critical": 9999})),
        ("memory", json!({"warning": "100%", "critical": "100%"})),
        ("swap", json!({"warning": "100%", "critical": "100%"})),
        (
            "disk",
            json!({"path": "/", "warning": "100%", "critical": "100%", "inodes_warning": "100%", "inodes_critical": "100%"}),
        ),
        ("process", json!({"name": "bench"})),
        ("uptime", json!({"warning": "0:", "critical": "0:"})),
        ("users", json!({"warning": 9999, "critical": 9999})),
        ("mount", json!({"path": "/proc"})),
        ("clock", json!({"warning": 9999, "critical": 9999})),
        ("file", json!({"path": "/etc/passwd"})),
        ("port", json!({"port": port})),
        ("tcp", json!({"host": host, "port": port})),
        ("log", json!({"path": "/etc/passwd", "pattern": "no such line"})),
    ];
    checks.map(|(name, check)| (name.to_owned(), check)).into()
}

pub fn built_in(options: &Options) -> Vec<Row> {
    let hosts = if options.quick { 5 } else { HOSTS };
    let fleet = fleet(hosts, SELDOM, of_our_own);
    vec![Row {
        what: format!("`ctl check '*'` of {hosts} real minions × 13 built-in checks, from Enter to the summary"),
        unit: "ms",
        ours: timed(&fleet, hosts, 13, options.runs(11)).times(1e3),
        goal: at_most(250.0),
        peers: Vec::new(),
    }]
}

/// The load of so many results, not of getting them: the checks of a swarm read nothing.
pub fn swarm(options: &Options) -> Vec<Row> {
    let minions = if options.quick { 100 } else { 10_000 };
    let runtime = Runtime::new().expect("a runtime");
    let (fleet, home) = (Fleet::new(Transport::Tcp).minions(0).start(), Home::new());
    let _swarm = Swarm::with_checks(&fleet.address(), minions, &home, &[], 13);
    runtime.block_on(until(&fleet, "connected", minions, Instant::now()));
    std::thread::sleep(Duration::from_secs(5));
    vec![Row {
        what: format!(
            "`ctl check '*'` of {minions} swarm minions with 13 built-in results each, from Enter to the summary"
        ),
        unit: "s",
        ours: timed(&fleet, minions, 13, options.runs(7)),
        goal: at_most(2.5),
        peers: Vec::new(),
    }]
}

/// What the master needs for a swarm whose checks say the same all the time: each minion has told its
/// table, and confirms it with every heartbeat.
pub fn quiet(options: &Options) -> Vec<Row> {
    let (minions, watched) = if options.quick { (100, 5) } else { (10_000, 120) };
    let runtime = Runtime::new().expect("a runtime");
    let (fleet, home) = (Fleet::new(Transport::Tcp).minions(0).start(), Home::new());
    let pid = fleet.master.pid() as u32;
    let empty = process::memory(pid);
    let _swarm = Swarm::with_checks(&fleet.address(), minions, &home, &[], 20);
    runtime.block_on(until(&fleet, "connected", minions, Instant::now()));
    tests::wait::until(Duration::from_secs(300), "the master to know all checks", || {
        let known = fleet.ctl(&["check", "*", "--last", "--out", "json"]);
        let known: Value = serde_json::from_str(&known.stdout).unwrap_or_default();
        let rows: Vec<usize> = known.as_object()?.values().map(|rows| rows.as_array().map_or(0, Vec::len)).collect();
        let all = rows.iter().filter(|rows| **rows == 20).count() == minions;
        all.then_some(()).or_else(|| {
            std::thread::sleep(Duration::from_secs(2));
            None
        })
    });
    // What was written down and who was late is over by then.
    std::thread::sleep(Duration::from_secs(if options.quick { 2 } else { 30 }));
    let before = process::cpu(pid);
    std::thread::sleep(Duration::from_secs(watched));
    let used = (process::cpu(pid) - before) / watched as f64 * 100.0;
    let what = format!("the master with {minions} swarm minions of 20 checks each when nothing changes");
    vec![
        Row {
            what: format!("processor time of {what}, over {watched} s"),
            unit: "% of a core",
            ours: Figure::one(used),
            goal: at_most(10.0),
            peers: Vec::new(),
        },
        Row {
            what: format!("resident memory of {what}"),
            unit: "MiB",
            ours: Figure::one(process::memory(pid) / 1024.0),
            goal: None,
            peers: vec![("before they came".into(), Figure::one(empty / 1024.0))],
        },
    ]
}

/// What a minion costs that runs twenty checks every half minute.
pub fn continuous(options: &Options) -> Vec<Row> {
    let (watched, every) = if options.quick { (10, 2) } else { (120, 30) };
    let fleet = fleet(5, every, |address| {
        let own = of_our_own(address);
        let check = |(n, (kind, check)): (usize, (&String, &Value))| {
            let mut check = check.clone();
            check["check"] = json!(kind);
            (format!("check{n}"), check)
        };
        own.iter().cycle().take(20).enumerate().map(check).collect()
    });
    // Only minions that do run them count.
    tests::wait::until(Duration::from_secs(3 * every + 30), "the master to know all checks", || {
        let known = fleet.ctl(&["check", "*", "--last", "--out", "json"]);
        let known: Value = serde_json::from_str(&known.stdout).unwrap_or_default();
        let minions = known.as_object()?.iter().filter(|(host, _)| !host.ends_with("_master"));
        let counts: Vec<usize> = minions.map(|(_, rows)| rows.as_array().map_or(0, Vec::len)).collect();
        (counts.len() == 5 && counts.iter().all(|count| *count >= 20)).then_some(())
    });
    let pids: Vec<u32> = fleet.minions.iter().map(|minion| minion.daemon.pid() as u32).collect();
    let before: Vec<f64> = pids.iter().map(|pid| process::cpu(*pid)).collect();
    std::thread::sleep(Duration::from_secs(watched));
    let used = pids.iter().zip(before).map(|(pid, before)| (process::cpu(*pid) - before) / watched as f64 * 100.0);
    let used = Figure::of(used.collect());
    let memory = Figure::of(pids.iter().map(|pid| process::memory(*pid) / 1024.0).collect());
    let what = format!("of a minion that runs 20 built-in checks every {every} s");
    vec![
        Row {
            what: format!("resident memory {what}"),
            unit: "MiB",
            ours: memory,
            goal: at_most(12.0),
            peers: Vec::new(),
        },
        Row {
            what: format!("processor time {what}, over {watched} s"),
            unit: "% of a core",
            ours: used,
            goal: Some(Goal::AtMost(0.3)),
            peers: Vec::new(),
        },
    ]
}
