//! Real minion processes.

use std::time::Duration;

use tests::fleet::{Fleet, Transport};

use super::{Options, at_most, timed};
use crate::{
    figures::{Figure, Row},
    process, raw,
};

/// As many hosts as in the story that set the mark.
pub(super) const HOSTS: usize = 129;

pub fn fleet(options: &Options) -> Vec<Row> {
    let hosts = if options.quick { 20 } else { HOSTS };
    let raw = raw::fan_out(hosts, 20).times(1e3);
    let fleet = Fleet::new(Transport::Tcp).minions(hosts).start();
    let row = |what: &str, limit: f64, args: &[&str]| Row {
        what: format!("{what} on {hosts} real minions, from Enter to the last answer"),
        unit: "ms",
        ours: timed(&fleet, args, options.runs(11)).times(1e3),
        goal: at_most(limit),
        peers: vec![("raw TCP".into(), raw.clone())],
    };
    vec![
        row("`ctl run '*' test.ping`", 60.0, &["run", "*", "test.ping", "--out", "quiet"]),
        row("`ctl run '*' cmd.run true`", 200.0, &["run", "*", "cmd.run", "true", "--out", "quiet"]),
    ]
}

/// What a minion costs that has nothing to do.
pub fn idle(options: &Options) -> Vec<Row> {
    let watched = if options.quick { 10 } else { 60 };
    let fleet = Fleet::new(Transport::Tcp).minions(5).start();
    std::thread::sleep(Duration::from_secs(2));
    let pids: Vec<u32> = fleet.minions.iter().map(|minion| minion.daemon.pid() as u32).collect();
    let before: Vec<f64> = pids.iter().map(|pid| process::cpu(*pid)).collect();
    std::thread::sleep(Duration::from_secs(watched));
    let used = pids.iter().zip(before).map(|(pid, before)| (process::cpu(*pid) - before) / watched as f64 * 100.0);
    let memory = pids.iter().map(|pid| process::memory(*pid) / 1024.0);
    vec![
        Row {
            what: "resident memory of an idle minion".into(),
            unit: "MiB",
            ours: Figure::of(memory.collect()),
            goal: at_most(10.0),
            peers: Vec::new(),
        },
        Row {
            what: format!("processor time of an idle minion, over {watched} s"),
            unit: "% of a core",
            ours: Figure::of(used.collect()),
            goal: at_most(0.1),
            peers: Vec::new(),
        },
    ]
}
