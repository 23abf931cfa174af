//! Overstates among failing hosts, cables and masters: each stage is published once, each host is
//! accounted for, and what went wrong is named.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{
    Fleet, Ran, Transport, heavy,
    wait::{self, secs},
};

/// Writes an overstate beside the fleet's folders and gives its path.
fn written(fleet: &Fleet, text: &str) -> String {
    let file = fleet.path().join("order.sls");
    fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// A stage that runs a command on every host; `more` are further lines of it.
fn running(id: &str, command: &str, more: &[&str]) -> String {
    let more: String = more.iter().map(|line| format!("  {line}\n")).collect();
    format!("{id}:\n  match: '*'\n  function: {{cmd.run: ['{command}']}}\n{more}")
}

/// One that leaves a mark of its name on each host each time it is run.
fn marking(fleet: &Fleet, id: &str, more: &[&str]) -> String {
    running(id, &fleet.mark(id), more)
}

/// A stage that waits for the event `NAME`, so that a test can do something between two stages.
fn gate(name: &str, after: &str) -> String {
    format!("{name}:\n  wait_for_event: {{tag: {name}, timeout: 300}}\n  require: [{after}]\n")
}

/// Opens a gate, once the stage before it has gone well on everyone that it is for.
fn open(fleet: &Fleet, jid: &str, name: &str, before: &str, meanwhile: impl FnOnce()) {
    wait::until(secs(60), before, || (stage(fleet, jid, before)["result"] == true).then_some(()));
    meanwhile();
    fleet.ctl(&["event", "send", name]).expect(0);
}

/// Starts an overstate that nobody follows, and gives its id.
fn started(fleet: &Fleet, args: &[&str]) -> String {
    let all: Vec<&str> = ["overstate"].iter().chain(args).chain(&["--async", "--out", "json"]).copied().collect();
    let answer = fleet.ctl(&all).expect(0).json();
    answer["jid"].as_str().unwrap_or_else(|| panic!("no jid in {answer}")).to_owned()
}

/// Follows it to its end.
fn followed(fleet: &Fleet, jid: &str) -> Ran {
    let args = ["job", "follow", jid];
    Ran::of(&args, fleet.begin(&args).wait(secs(180)))
}

/// The row of one of its stages, as the ledger has it; null as long as there is none.
fn stage(fleet: &Fleet, jid: &str, id: &str) -> Value {
    stages(fleet, jid).remove(id).unwrap_or_default()["row"].take()
}

/// All stages by id: their rows, and their jobs with each host.
fn stages(fleet: &Fleet, jid: &str) -> BTreeMap<String, Value> {
    let detail = fleet.ctl(&["job", "show", jid, "--out", "json"]).expect(0).json();
    let all = detail["stages"].as_array().unwrap_or_else(|| panic!("no stages in {detail}")).clone();
    all.into_iter().map(|stage| (stage["id"].as_str().unwrap_or_default().to_owned(), stage)).collect()
}

const STAGES: usize = 6;
/// What all of them run in a run without disturbance: five on 50 hosts, one on 11.
const RUNS: usize = 261;

/// Of all kinds: functions, a state run, a batch, two side by side.
fn six_stages(fleet: &Fleet) -> String {
    let stage = |number: usize, more: &[&str]| {
        running(&format!("s{number}"), &fleet.mark(&format!("r{{{{ pillar.run }}}}s{number}")), more)
    };
    let states = "s4:\n  match: 'h1*'\n  sls: [mark]\n  pillar: {run: {{ pillar.run }}}\n  require: [s2, s3]\n";
    [
        stage(1, &[]),
        stage(2, &["require: [s1]"]),
        stage(3, &["require: [s1]", "batch: 20"]),
        states.to_owned(),
        stage(5, &["require: [s4]", "check: [test.ping]"]),
        stage(6, &["require: [s5]"]),
    ]
    .concat()
}

#[test]
fn a_master_killed_at_ten_random_points_completes_and_runs_nothing_twice() {
    let _turn = heavy::turn();
    let tree = tempfile::tempdir().unwrap();
    let roots = format!("file_roots: {{base: ['{}']}}", tree.path().display());
    let mut fleet = Fleet::new(Transport::Tcp).minions(50).master(&roots).start();
    let mark = fleet.mark("r{{ pillar.run }}s4");
    fs::write(tree.path().join("mark.sls"), format!("mark:\n  cmd.run:\n    - name: '{mark}'\n")).unwrap();
    let text = six_stages(&fleet);
    let file = written(&fleet, &text);

    for run in 1..=10 {
        let jid = started(&fleet, &[&file, &format!("pillar={{run: {run}}}")]);
        // One point in each tenth of the work, so that they are spread.
        let point = (f64::from(run) - rand::random::<f64>()) / 10.0 * 0.95;
        wait_for_marks(&fleet, run, (point * RUNS as f64) as usize);
        fleet.master.kill();
        fleet.start_master();
        let ran = followed(&fleet, &jid);
        assert_eq!(ran.code, 0, "killed {point:.3} into run {run}: {ran}");
        assert_complete(&fleet, &jid, run);
    }
    let amid = fleet.master.log().matches("goes on with an orchestration").count();
    assert!(amid >= 7, "only {amid} of the kills came amid a run");
}

/// Waits until so many of a run's commands were run, without a pause in which the run could end.
fn wait_for_marks(fleet: &Fleet, run: i32, count: usize) {
    let limit = Instant::now() + secs(60);
    let marks = |number| fleet.marks(&format!("r{run}s{number}")).into_values().sum::<usize>();
    while (1..=STAGES).map(marks).sum::<usize>() < count {
        assert!(Instant::now() < limit, "run {run} does not come to {count} commands");
    }
}

/// Every stage went well, with each of its hosts accounted for, and run once.
fn assert_complete(fleet: &Fleet, jid: &str, run: i32) {
    let stages = stages(fleet, jid);
    for number in 1..=STAGES {
        let stage = &stages[&format!("s{number}")];
        assert_eq!(stage["row"]["result"], true, "run {run}: {stage:#}");
        let hosts = if number == 4 { 11 } else { 50 };
        let job = &stage["jobs"][0];
        let well = job["minions"].as_object().unwrap().values().filter(|end| end["outcome"] == "ok").count();
        assert_eq!((well, &job["open"]), (hosts, &serde_json::json!({})), "run {run}, stage {number}: {job:#}");
        let marks = fleet.marks(&format!("r{run}s{number}"));
        let wrong: Vec<_> =
            marks.iter().filter(|(id, count)| **count != usize::from(number != 4 || id.starts_with("h1"))).collect();
        assert!(wrong.is_empty(), "run {run}, stage {number} did not run once on {wrong:?}");
    }
    // The checks of a stage are calls that may be made again; marks are not.
    assert!(stages.values().all(|stage| stage["row"]["result"] == true), "run {run}: {stages:#?}");
}

#[test]
fn a_minion_killed_during_its_stage_is_named_and_what_needs_it_is_not_run() {
    let mut fleet = Fleet::new(Transport::Tcp).start();
    let slow = |id: &str, more: &[&str]| running(id, &format!("{}; sleep 3", fleet.mark(id)), more);
    let text = [
        slow("strict", &[]),
        slow("lenient", &["expect: 2"]),
        marking(&fleet, "after-strict", &["require: [strict]"]),
        marking(&fleet, "after-lenient", &["require: [lenient]"]),
        marking(&fleet, "cleanup", &["onfail: [strict]"]),
    ]
    .concat();
    let file = written(&fleet, &text);
    let jid = started(&fleet, &[&file]);
    wait::until(secs(30), "both stages to run", || {
        ["strict", "lenient"].iter().all(|name| fleet.marks(name)["h2"] == 1).then_some(())
    });
    fleet.minion("h2").daemon.kill();
    fleet.minion("h2").daemon.start();

    let ran = followed(&fleet, &jid).expect(1).says(&["✗ strict", "h2", "lost", "✓ lenient", "✓ cleanup"]);
    let stages = stages(&fleet, &jid);
    let strict = &stages["strict"];
    assert_eq!(strict["row"]["result"], false, "{ran}");
    assert!(strict["row"]["comment"].as_str().is_some_and(|said| said.contains("h2")), "{strict:#}");
    let outcomes = &strict["jobs"][0]["minions"];
    let outcome = |id: &str| outcomes[id]["outcome"].as_str().unwrap_or_default().to_owned();
    assert_eq!([outcome("h1"), outcome("h2"), outcome("h3")], ["ok", "lost", "ok"], "{outcomes:#}");
    assert_eq!(stages["lenient"]["row"]["result"], true, "{ran}");
    assert_eq!(stages["after-strict"]["row"]["__state_ran__"], false, "{:#}", stages["after-strict"]);
    for (name, times) in [("strict", 1), ("lenient", 1), ("after-strict", 0), ("after-lenient", 1), ("cleanup", 1)] {
        fleet.assert_marks(name, times);
    }

    // Whoever is back is gone on with, and nobody else runs twice.
    fleet.wait_connected(3);
    followed(&fleet, &started(&fleet, &["--resume", &jid])).expect(0);
    for (name, times) in [("strict", 2), ("lenient", 1), ("after-strict", 1), ("after-lenient", 1)] {
        fleet.assert_marks(name, times);
    }
}

/// With network namespaces, which `tests/run` looks for by this name.
mod hosts {
    use tests::hosts::Net;

    use super::*;

    #[test]
    fn stages_across_a_partition_wait_or_name_who_is_cut_off() {
        let names = ["master.test", "alpha.test", "beta.test", "gamma.test"];
        let fleet = Fleet::new(Transport::Tcp).named(&names[1..]).on(Net::new(&names)).start();
        let net = fleet.net.as_ref().unwrap();
        let text = [
            marking(&fleet, "one", &[]),
            gate("first", "one"),
            marking(&fleet, "two", &["require: [first]"]),
            gate("second", "two"),
            marking(&fleet, "three", &["require: [second]"]),
            marking(&fleet, "four", &["require: [three]"]),
        ]
        .concat();
        let file = written(&fleet, &text);
        let jid = started(&fleet, &[&file]);

        // A short one is only waited for.
        open(&fleet, &jid, "first", "one", || net.cut(2));
        wait::until(secs(30), "the others to run", || {
            let marks = fleet.marks("two");
            (marks["alpha.test"] == 1 && marks["gamma.test"] == 1).then_some(())
        });
        assert_eq!(fleet.marks("two")["beta.test"], 0);
        net.mend(2);

        // One that lasts is the stage's failure.
        open(&fleet, &jid, "second", "two", || {
            fleet.assert_marks("two", 1);
            net.cut(2);
        });
        let ran = followed(&fleet, &jid).expect(1).says(&["✗ three", "beta.test"]);
        let stages = stages(&fleet, &jid);
        let comment = stages["three"]["row"]["comment"].as_str().unwrap_or_default().to_owned();
        assert!(
            comment.contains("No answer from beta.test") || comment.contains("beta.test: not connected since"),
            "{ran}"
        );
        assert_eq!(stages["four"]["row"]["__state_ran__"], false, "{ran}");
        fleet.assert_marks("four", 0);

        net.mend(2);
        fleet.wait_presence("beta.test", true, secs(90));
        followed(&fleet, &started(&fleet, &["--resume", &jid])).expect(0);
        fleet.assert_marks("one", 1);
        fleet.assert_marks("two", 1);
        fleet.assert_marks("four", 1);
        assert_eq!(fleet.marks("three")["beta.test"], 1, "what came too late for its stage is not run after all");
    }
}

#[test]
fn a_stage_that_matches_nobody_fails_and_says_so() {
    let fleet = Fleet::new(Transport::Tcp).minions(1).start();
    let text = [
        "nobody:\n  match: 'web*'\n  function: test.ping\n".to_owned(),
        "any of nobody:\n  match: 'web*'\n  expect: any\n  sls: [web]\n".to_owned(),
        marking(&fleet, "after", &["require: [nobody]"]),
        marking(&fleet, "beside", &[]),
    ]
    .concat();
    let file = written(&fleet, &text);
    fleet.ctl(&["overstate", &file]).expect(1).says(&[
        "→ no minion matches 'web*'",
        "✗ nobody",
        "✗ any of nobody",
        "✗ after  not run",
        "✓ beside",
    ]);
    fleet.assert_marks("after", 0);
    fleet.assert_marks("beside", 1);
}

#[test]
fn a_host_that_joins_between_stages_is_in_the_next_one() {
    let mut fleet = Fleet::new(Transport::Tcp).lay_out();
    fleet.start_master();
    fleet.minions[..2].iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(2);
    let text =
        [marking(&fleet, "one", &[]), gate("joined", "one"), marking(&fleet, "two", &["require: [joined]"])].concat();
    let file = written(&fleet, &text);
    let jid = started(&fleet, &[&file]);
    wait::until(secs(60), "the first stage", || (stage(&fleet, &jid, "one")["result"] == true).then_some(()));
    fleet.minion("h3").daemon.start();
    fleet.wait_connected(3);
    fleet.ctl(&["event", "send", "joined"]).expect(0);

    followed(&fleet, &jid).expect(0);
    assert_eq!(fleet.marks("one"), BTreeMap::from([("h1".into(), 1), ("h2".into(), 1), ("h3".into(), 0)]));
    fleet.assert_marks("two", 1);
}

#[test]
fn two_runs_of_the_same_overstate_are_refused_unless_told() {
    let fleet = Fleet::new(Transport::Tcp).minions(1).start();
    let text = [marking(&fleet, "one", &[]), gate("go", "one"), marking(&fleet, "two", &["require: [go]"])].concat();
    let file = written(&fleet, &text);
    let first = started(&fleet, &[&file]);
    let refused = fleet.ctl(&["overstate", &file]).expect(2).says(&["runs already", &first, "--concurrent"]);
    assert!(refused.took < Duration::from_secs(30), "it does not wait: {refused}");
    // A plan changes nothing, and is in nobody's way.
    fleet.ctl(&["overstate", &file, "--test", "--only", "one"]).expect(0);
    let second = started(&fleet, &[&file, "--concurrent"]);
    for jid in [&first, &second] {
        wait::until(secs(60), "its first stage", || (stage(&fleet, jid, "one")["result"] == true).then_some(()));
    }
    fleet.ctl(&["event", "send", "go"]).expect(0);
    for jid in [&first, &second] {
        followed(&fleet, jid).expect(0);
    }
    fleet.assert_marks("two", 2);
    // Once they are over, nothing stands in the way.
    let third = started(&fleet, &[&file]);
    fleet.ctl(&["job", "kill", &third]).expect(0);
}
