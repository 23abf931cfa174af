//! Many minions: the real agent, many times in one process of its own (see [`crate::agents`]).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use proto::Outcome;
use tests::fleet::{Fleet, Transport};
use tokio::runtime::Runtime;

use super::{Options, at_most, timed};
use crate::{
    agents::{Home, Swarm},
    figures::{Figure, Goal, Row},
    operator::Operator,
    process, raw,
};

fn master_only() -> Fleet {
    Fleet::new(Transport::Tcp).minions(0).start()
}

pub(super) async fn operator(fleet: &Fleet) -> Operator {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        match Operator::connect(&fleet.address(), &fleet.master_dir().join("root")).await {
            Ok(operator) => return operator,
            Err(why) => assert!(Instant::now() < limit, "no master: {why}"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the master's status says `count` under `name`; seconds since `start`.
pub(super) async fn until(fleet: &Fleet, name: &str, count: usize, start: Instant) -> f64 {
    let mut operator = operator(fleet).await;
    let limit = Instant::now() + Duration::from_secs(600);
    loop {
        let status = operator.status().await;
        if status[name] == count {
            return start.elapsed().as_secs_f64();
        }
        assert!(Instant::now() < limit, "waited in vain for {count} {name}: {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// `test.ping` of a swarm, and what the master needs for each connection.
pub fn swarm(options: &Options) -> Vec<Row> {
    let sizes: &[(usize, f64)] =
        if options.quick { &[(200, 120.0), (1000, 120.0)] } else { &[(1000, 120.0), (10_000, 1000.0)] };
    sizes.iter().flat_map(|&(count, limit)| ping(count, limit, options.runs(9))).collect()
}

fn ping(count: usize, limit: f64, runs: usize) -> Vec<Row> {
    let runtime = Runtime::new().expect("a runtime");
    let raw = raw::fan_out(count, 10).times(1e3);
    let (fleet, home) = (master_only(), Home::new());
    std::thread::sleep(Duration::from_secs(1));
    let empty = process::memory(fleet.master.pid() as u32);
    let swarm = Swarm::start(&fleet.address(), count, &home, &[]);
    runtime.block_on(until(&fleet, "connected", count, Instant::now()));
    std::thread::sleep(Duration::from_secs(5));
    let each = (process::memory(fleet.master.pid() as u32) - empty) / count as f64;
    let ours = timed(&fleet, &["run", "*", "test.ping", "--out", "quiet"], runs).times(1e3);
    drop(swarm);
    vec![
        Row {
            what: format!("`ctl run '*' test.ping` on {count} swarm minions, from Enter to the last answer"),
            unit: "ms",
            ours,
            goal: at_most(limit),
            peers: vec![("raw TCP".into(), raw)],
        },
        Row {
            what: format!("the master's memory for each of {count} connected idle minions"),
            unit: "KiB",
            ours: Figure::one(each),
            goal: at_most(40.0),
            peers: Vec::new(),
        },
    ]
}

/// Returns stored a second, while a swarm that was away empties its spools.
pub fn drain(options: &Options) -> Vec<Row> {
    let (count, jobs) = if options.quick { (100, 20) } else { (1000, 100) };
    let runtime = Runtime::new().expect("a runtime");
    let one = |_| {
        let (fleet, home) = (master_only(), Home::new());
        let swarm = Swarm::start(&fleet.address(), count, &home, &[]);
        runtime.block_on(until(&fleet, "connected", count, Instant::now()));
        drop(swarm);
        let jids = runtime.block_on(async {
            until(&fleet, "connected", 0, Instant::now()).await;
            let mut operator = operator(&fleet).await;
            let mut jids = Vec::new();
            for _ in 0..jobs {
                jids.push(operator.begin("*", "test.ping", 3600).await);
            }
            jids
        });
        let swarm = Swarm::start(&fleet.address(), count, &home, &jids);
        let seconds = runtime.block_on(until(&fleet, "open_pairs", 0, swarm.began));
        (count * jobs) as f64 / seconds
    };
    vec![Row {
        what: format!(
            "returns stored a second while {count} minions send {jobs} each from their spools (reconnecting included)"
        ),
        unit: "returns/s",
        ours: Figure::of((0..options.runs(3)).map(one).collect()),
        goal: Some(Goal::AtLeast(20_000.0)),
        peers: Vec::new(),
    }]
}

/// How long until everybody is back after the master was killed.
pub fn reconnect(options: &Options) -> Vec<Row> {
    let count = if options.quick { 500 } else { 10_000 };
    let runtime = Runtime::new().expect("a runtime");
    let (mut fleet, home) = (master_only(), Home::new());
    let _swarm = Swarm::start(&fleet.address(), count, &home, &[]);
    runtime.block_on(until(&fleet, "connected", count, Instant::now()));
    let mut seconds = Vec::new();
    for _ in 0..options.runs(3) {
        fleet.master.kill();
        let start = Instant::now();
        fleet.master.start();
        seconds.push(runtime.block_on(until(&fleet, "connected", count, start)));
    }
    vec![Row {
        what: format!("{count} minions connected again after `kill -9` of the master"),
        unit: "s",
        ours: Figure::of(seconds),
        goal: at_most(15.0),
        peers: Vec::new(),
    }]
}

/// Many jobs, one after the other, on many minions: nothing is lost and memory does not grow.
pub fn endurance(options: &Options) -> Vec<Row> {
    let (count, jobs) = if options.quick { (200, 50) } else { (1000, 1000) };
    let runtime = Runtime::new().expect("a runtime");
    let (fleet, home) = (master_only(), Home::new());
    let _swarm = Swarm::start(&fleet.address(), count, &home, &[]);
    let pid = fleet.master.pid() as u32;
    let (answered, early, seconds) = runtime.block_on(async {
        until(&fleet, "connected", count, Instant::now()).await;
        let mut operator = operator(&fleet).await;
        let start = Instant::now();
        let (mut answered, mut early) = (0, 0.0);
        for job in 0..jobs {
            let counts: HashMap<Outcome, usize> = operator.run("*", "test.ping").await;
            answered += counts.get(&Outcome::Ok).copied().unwrap_or_default();
            if job == jobs / 10 {
                early = process::memory(pid);
            }
        }
        (answered, early, start.elapsed().as_secs_f64())
    });
    let all = count * jobs;
    vec![
        Row {
            what: format!(
                "answers lost of {all} ({jobs} jobs back to back on {count} minions, {:.0} a second)",
                all as f64 / seconds
            ),
            unit: "answers",
            ours: Figure::one((all - answered) as f64),
            goal: at_most(0.0),
            peers: Vec::new(),
        },
        Row {
            what: "the master's memory at the end of it, against a tenth of the way".into(),
            unit: "MiB",
            ours: Figure::one(process::memory(pid) / 1024.0),
            goal: None,
            peers: vec![("at a tenth".into(), Figure::one(early / 1024.0))],
        },
    ]
}
