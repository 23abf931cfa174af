//! What orchestration itself costs, and a small one beside Salt's.

use std::{fmt::Write as _, fs, path::Path, time::Instant};

use proto::message::orchestration::{Orchestration, Source};
use tests::fleet::{Fleet, Transport};
use tokio::runtime::Runtime;

use super::{
    Options, at_most,
    swarm::{operator, until},
    target, timed,
};
use crate::{
    agents::{Home, Swarm},
    figures::{Figure, Goal, Row},
    salt::{Salt, VERSION},
};

pub fn orchestrate(options: &Options) -> Vec<Row> {
    let mut rows = vec![chained(options), planned(options)];
    rows.extend(beside_salt(options));
    rows
}

/// Stages one after the other that do next to nothing.
fn chained(options: &Options) -> Row {
    let (stages, minions): (usize, usize) = if options.quick { (5, 5) } else { (20, 100) };
    let fleet = Fleet::new(Transport::Tcp).minions(minions).start();
    let file = fleet.path().join("overstate.sls");
    let stage = |n: usize| {
        let require = n.checked_sub(1).map_or(String::new(), |before| format!("  require: [s{before}]\n"));
        format!("s{n}:\n  match: '*'\n  function: test.ping\n{require}")
    };
    fs::write(&file, (0..stages).map(stage).collect::<String>()).expect("an overstate");
    let args = ["overstate", &file.display().to_string(), "--out", "quiet"];
    Row {
        what: format!("`ctl overstate` of {stages} chained stages of test.ping on {minions} real minions"),
        unit: "s",
        ours: timed(&fleet, &args, options.runs(7)),
        goal: at_most(2.0),
        peers: Vec::new(),
    }
}

/// Targets of many kinds, looked up among many minions.
fn planned(options: &Options) -> Row {
    let (stages, minions): (usize, usize) = if options.quick { (20, 200) } else { (200, 10_000) };
    let runtime = Runtime::new().expect("a runtime");
    let (fleet, home) = (Fleet::new(Transport::Tcp).minions(0).start(), Home::new());
    let _swarm = Swarm::start(&fleet.address(), minions, &home, &[]);
    let mut text = String::new();
    for n in 0..stages {
        let target = match n % 4 {
            0 => "'*'".to_owned(),
            1 => format!("'s{n}*'"),
            2 => "'G@kernel:Linux'".to_owned(),
            _ => format!("'E@s\\d*{} and not s{n}'", n % 10),
        };
        let require = n.checked_sub(4).map_or(String::new(), |before| format!("  require: [p{before}]\n"));
        let _ = write!(text, "p{n}:\n  match: {target}\n  function: test.ping\n{require}");
    }
    let wanted = || Orchestration {
        source: Source::Text { name: "bench".into(), text: text.clone() },
        ..Orchestration::default()
    };
    let seconds = runtime.block_on(async {
        until(&fleet, "connected", minions, Instant::now()).await;
        let mut operator = operator(&fleet).await;
        let mut seconds = Vec::new();
        for _ in 0..options.runs(7) {
            let start = Instant::now();
            let plan = operator.plan(wanted()).await;
            seconds.push(start.elapsed().as_secs_f64());
            assert_eq!((plan.stages.len(), plan.stages[0].matched as usize), (stages, minions));
        }
        seconds
    });
    Row {
        what: format!("the plan of {stages} stages with {minions} minions known, from question to answer"),
        unit: "s",
        ours: Figure::of(seconds),
        goal: at_most(0.5),
        peers: Vec::new(),
    }
}

/// Orchestrate SLS of two stages that both understand.
const TWO: [(&str, &str); 2] = [
    (
        "functions",
        "one:\n  salt.function: [{name: test.ping}, {tgt: '*'}]\ntwo:\n  salt.function: [{name: test.ping}, {tgt: '*'}, {require: [{salt: one}]}]\n",
    ),
    (
        "states",
        "one:\n  salt.state: [{tgt: '*'}, {sls: nop}]\ntwo:\n  salt.state: [{tgt: '*'}, {sls: nop}, {require: [{salt: one}]}]\n",
    ),
];

/// Two stages on as many hosts as Salt gets, one after the other in one run.
fn beside_salt(options: &Options) -> Vec<Row> {
    let minions = if options.quick { 3 } else { 20 };
    let tree = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in TWO.iter().chain(&[("nop", "nop:\n  test.nop: []\n")]) {
        fs::write(tree.path().join(format!("{name}.sls")), text).expect("an SLS");
    }
    let ours = ours(options, minions, tree.path());
    if !options.salt {
        eprintln!("left out: Salt (--no-salt)");
        return TWO.iter().zip(ours).map(|((name, _), ours)| row(name, minions, ours, Vec::new())).collect();
    }
    let names = TWO.map(|(name, _)| name);
    let theirs = Salt::install(&target()).orchestrations(minions, tree.path(), &names, options.runs(5));
    let both = names.iter().zip(ours).zip(theirs);
    both.flat_map(|((name, ours), theirs)| {
        let factor = Row {
            what: format!("two stages of {name} on {minions} minions, beside salt-run state.orchestrate"),
            unit: "times as fast",
            ours: Figure::one(theirs.median / ours.median),
            goal: Some(Goal::AtLeast(10.0)),
            peers: Vec::new(),
        };
        let peers = vec![(format!("salt-run {VERSION}"), theirs.times(1e3))];
        [row(name, minions, ours, peers), factor]
    })
    .collect()
}

fn row(name: &str, minions: usize, ours: Figure, peers: Vec<(String, Figure)>) -> Row {
    Row {
        what: format!("`ctl orchestrate` of two stages of {name} on {minions} real minions"),
        unit: "ms",
        ours: ours.times(1e3),
        goal: None,
        peers,
    }
}

fn ours(options: &Options, minions: usize, tree: &Path) -> Vec<Figure> {
    let roots = format!("file_roots: {{base: ['{}']}}", tree.display());
    let fleet = Fleet::new(Transport::Tcp).minions(minions).master(&roots).start();
    TWO.iter().map(|(name, _)| timed(&fleet, &["orchestrate", name, "--out", "quiet"], options.runs(9))).collect()
}
