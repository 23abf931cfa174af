//! What is measured: one scene for each kind of load, in a table.

mod check;
mod compile;
mod fleet;
mod orchestrate;
mod states;
mod swarm;

use std::{path::PathBuf, time::Instant};

use tests::fleet::{Fleet, Ran};

use crate::{
    figures::{Figure, Goal, Row, table},
    salt::Salt,
};

/// What the command line asked for.
pub struct Options {
    pub scenes: Vec<String>,
    pub quick: bool,
    pub salt: bool,
    pub write: bool,
}

impl Options {
    pub fn parse(words: &[&str]) -> Self {
        let has = |word: &str| words.contains(&word);
        let named: Vec<String> = words.iter().filter(|word| !word.starts_with("--")).map(ToString::to_string).collect();
        let all = || SCENES.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self {
            scenes: if named.is_empty() { all() } else { named },
            quick: has("--quick"),
            salt: !has("--no-salt"),
            write: has("--write"),
        }
    }

    pub fn runs(&self, full: usize) -> usize {
        if self.quick { 3 } else { full }
    }
}

type Scene = fn(&Options) -> Vec<Row>;

const SCENES: &[(&str, Scene)] = &[
    ("salt", salt),
    ("compile", compile::compile),
    ("fleet", fleet::fleet),
    ("idle", fleet::idle),
    ("apply", states::apply),
    ("highstate", states::highstate),
    ("files", states::files),
    ("pillar", states::pillar),
    ("orchestrate", orchestrate::orchestrate),
    ("check", check::built_in),
    ("plugins", check::plugins),
    ("check-swarm", check::swarm),
    ("check-quiet", check::quiet),
    ("watch", check::continuous),
    ("swarm", swarm::swarm),
    ("drain", swarm::drain),
    ("reconnect", swarm::reconnect),
    ("endurance", swarm::endurance),
];

pub fn find(name: &str) -> Option<Scene> {
    SCENES.iter().find(|(known, _)| *known == name).map(|(_, scene)| *scene)
}

pub fn run(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    for scene in options.scenes.iter().filter_map(|name| Some((name, find(name)?))) {
        eprintln!("scene {} …", scene.0);
        let new = scene.1(options);
        // A scene that panics must not take with it what others have measured.
        eprintln!("{}", table(&new));
        rows.extend(new);
    }
    rows
}

/// Salt and we, with the same small number of minions, one after the other.
fn salt(options: &Options) -> Vec<Row> {
    if !options.salt {
        eprintln!("left out: Salt (--no-salt)");
        return Vec::new();
    }
    let salt = Salt::install(&target());
    let one = |minions: usize| {
        let theirs = salt.ping(minions, options.runs(5));
        let fleet = Fleet::new(tests::fleet::Transport::Tcp).minions(minions).start();
        let ours = timed(&fleet, &["run", "*", "test.ping", "--out", "quiet"], options.runs(9));
        Row {
            what: format!("test.ping of {minions} minion(s)"),
            unit: "ms",
            ours: ours.times(1e3),
            goal: None,
            peers: vec![(format!("Salt {}", crate::salt::VERSION), theirs.times(1e3))],
        }
    };
    [1, 20].into_iter().map(one).collect()
}

/// Seconds from the start of a `ctl` process to its end, after one run to warm up. Every run must
/// end well: a lost answer is no speed.
pub fn timed(fleet: &Fleet, args: &[&str], runs: usize) -> Figure {
    let one = |_| {
        let start = Instant::now();
        let ran: Ran = fleet.ctl(args);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(ran.code, 0, "ctl {args:?} failed: {}", ran.stderr);
        seconds
    };
    Figure::of((0..=runs).map(one).skip(1).collect())
}

pub fn target() -> PathBuf {
    let exe = std::env::current_exe().expect("this program");
    exe.parent().and_then(|profile| profile.parent()).expect("a target folder").to_owned()
}

pub fn at_most(limit: f64) -> Option<Goal> {
    Some(Goal::AtMost(limit))
}
