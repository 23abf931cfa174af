//! Each sentence about the original overstate, and each of its faults that is mended.

use std::collections::HashMap;

use proto::{Batch, Outcome, Value};
use serde_json::json;

use crate::testing::{Fake, overstate, results, rows, run_steps, sls};

fn good() -> std::sync::Arc<Fake> {
    Fake::new(&["db1", "db2", "web1", "web2"], |_, call| {
        let value = if call.function.module() == "state" { rows(true, false) } else { Value::Bool(true) };
        Some((Outcome::Ok, value))
    })
}

fn wrong(text: &str) -> String {
    overstate(&good(), text).unwrap_err()
}

#[test]
fn a_stage_is_a_highstate_or_sls_or_a_function_in_this_order_of_precedence() {
    let fleet = good();
    let text = "mysql:\n  match: 'db*'\n  sls: [mysql.server, drbd]\n  function: {test.ping: []}\n\
                web:\n  match: 'web*'\n  require: [mysql]\n\
                http:\n  match: 'web*'\n  require: [web]\n  function:\n    pkg.install: [http, {refresh: true}]\n  batch: 25%\n\
                ping:\n  match: '*'\n  fun: test.ping\n  require: http\n";
    let steps = overstate(&fleet, text).unwrap();
    let ended = run_steps(&fleet, &steps, false, HashMap::new());
    assert!(ended.values().all(|(_, row)| row.result == Some(true)), "{ended:?}");
    assert_eq!(
        fleet.calls(),
        ["mysql state.sls db*", "web state.highstate web*", "http pkg.install web*", "ping test.ping *"]
    );
    let published = fleet.published.lock().unwrap();
    assert_eq!(published[0].1.args.positional, [json!("mysql.server,drbd")]);
    assert_eq!(published[2].1.args.positional, [json!("http")]);
    assert_eq!(published[2].1.args.named["refresh"], json!(true));
    assert_eq!(published[2].2.batch, Some(Batch::Percent(25)));
}

#[test]
fn a_list_of_matches_means_any_of_them() {
    let fleet = good();
    let steps = overstate(&fleet, "a:\n  match: [db1, 'web*']\n  fun: test.ping\n").unwrap();
    run_steps(&fleet, &steps, false, HashMap::new());
    assert_eq!(fleet.calls(), ["a test.ping ( db1 ) or ( web* )"]);
}

#[test]
fn a_failure_goes_on_to_what_requires_it_and_to_nothing_else() {
    let fleet = Fake::new(&["db1", "web1"], |id, _| Some((Outcome::Ok, rows(id != "db1", true))));
    let text = "z:\n  match: 'db*'\nb:\n  match: 'web*'\n  require: [z]\nc:\n  match: 'web*'\n  require: [b]\nother:\n  match: 'web*'\n\
                clean:\n  match: 'web*'\n  onfail: [z]\nnever:\n  match: 'web*'\n  onfail: [other]\n";
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    let found: HashMap<String, (Option<bool>, String)> =
        results(&ended).into_iter().map(|(id, result, comment)| (id, (result, comment))).collect();
    assert_eq!(found["z"].0, Some(false));
    assert_eq!(found["z"].1, "Run failed on minions: db1\ndb1: a: said (web.sls:2:3)");
    assert_eq!(found["b"], (Some(false), "One or more requisite failed: overstate.z".into()));
    assert_eq!(found["c"], (Some(false), "One or more requisite failed: overstate.b".into()));
    assert_eq!(found["other"].0, Some(true));
    assert!(found["clean"].0 == Some(true) && found["never"].1.contains("onfail"));
    let mut calls = fleet.calls();
    calls.sort();
    assert_eq!(calls, ["clean state.highstate web*", "other state.highstate web*", "z state.highstate db*"]);
    assert_eq!(*fleet.said.lock().unwrap(), ["z db1: a: said (web.sls:2:3)"]);
}

#[test]
fn who_does_not_answer_fails_the_stage_and_is_named_unless_fewer_are_expected() {
    let of = |rule: &str| {
        let fleet = std::sync::Arc::new(Fake::with(&["db1", "db2", "db3"], &["db2"], |_, _| {
            Some((Outcome::Ok, rows(true, false)))
        }));
        let text = format!("a:\n  match: 'db*'\n{rule}b:\n  match: 'db*'\n  require: [a]\n");
        let ended = run_steps(&fleet, &overstate(&fleet, &text).unwrap(), false, HashMap::new());
        let (_, result, comment) = results(&ended).swap_remove(0);
        (result, comment)
    };
    let (result, comment) = of("");
    assert_eq!(result, Some(false));
    assert_eq!(comment, "2 of 3 minions answered, 3 had to. No answer from db2.\ndb2: offline: gone");
    for enough in ["  expect: any\n", "  expect: 2\n", "  expect: 50%\n"] {
        let (result, comment) = of(enough);
        assert_eq!(result, Some(true), "{enough}: {comment}");
        assert!(comment.ends_with("No answer from db2."), "it is named all the same: {comment}");
    }
    assert_eq!(of("  expect: 3\n").0, Some(false));
}

#[test]
fn some_may_fail_where_that_is_said_and_a_batch_stops_when_more_do() {
    let of = |rule: &str| {
        let fleet = Fake::new(&["db1", "db2", "db3", "db4"], |id, _| Some((Outcome::Ok, rows(id > "db2", false))));
        let text = format!("a:\n  match: 'db*'\n  batch: 1\n{rule}");
        let ended = run_steps(&fleet, &overstate(&fleet, &text).unwrap(), false, HashMap::new());
        (ended[0].1.result, fleet.stopped.lock().unwrap().len())
    };
    assert_eq!(of("  max_fail: 2\n"), (Some(true), 0));
    assert_eq!(of("  max_fail: 50%\n"), (Some(true), 0));
    assert_eq!(of("").0, Some(false));
    let (result, stopped) = of("  max_fail: 25%\n");
    assert!(result == Some(false) && stopped > 0, "the rest of the batch does not start");
}

#[test]
fn a_stage_for_nobody_fails() {
    let fleet = good();
    let ended = run_steps(&fleet, &overstate(&fleet, "a:\n  match: 'x*'\n").unwrap(), false, HashMap::new());
    assert_eq!(ended[0].1.comment, "No minions returned: no minion matches 'x*'");
    assert_eq!(ended[0].1.result, Some(false));
}

#[test]
fn jinja_is_rendered() {
    let fleet = good();
    let text = "{% for role in ['db', 'web'] %}\n{{ role }}:\n  match: '{{ role }}*'\n  fun: test.ping\n{% endfor %}\n";
    run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    assert_eq!(fleet.calls().len(), 2);
}

#[test]
fn what_is_wrong_is_told_with_its_place_before_anything_runs() {
    let unknown = wrong("a:\n  match: '*'\n  requires: [b]\n");
    assert!(
        unknown.contains("the stage a has the unknown key requires") && unknown.contains("overstate.sls:3:3"),
        "{unknown}"
    );
    assert!(unknown.contains("did you mean require?"), "{unknown}");
    let stage = wrong("db:\n  match: '*'\nweb:\n  match: '*'\n  require: [dbs]\n");
    assert!(stage.contains("there is no stage dbs, which the stage web waits for"), "{stage}");
    assert!(stage.contains("overstate.sls:5:13") && stage.contains("did you mean db?"), "{stage}");
    let circle =
        wrong("a:\n  match: '*'\n  require: [b]\nb:\n  match: '*'\n  require: [c]\nc:\n  match: '*'\n  onfail: [a]\n");
    assert!(circle.contains("in a circle: a → b → c → a"), "{circle}");
    for place in ["overstate.sls:3:13", "b waits for c here", "overstate.sls:6:13", "overstate.sls:9:12"] {
        assert!(circle.contains(place), "{place}: {circle}");
    }
    assert!(wrong("a:\n  match: '*'\n  require: [a]\n").contains("a → a"));
    for (text, expected) in [
        ("a:\n  sls: x\n", "does not say which minions"),
        ("a:\n  match: 'G@os:x and'\n", "the match of the stage a"),
        ("a:\n  match: '*'\n  expect: most\n", "expect must be `all`, `any`"),
        ("a:\n  match: '*'\n  batch: x\n", "batch must be a number"),
        ("a:\n  match: '*'\n  timeout: soon\n", "timeout must be seconds"),
        ("a:\n  match: '*'\n  retry: {attempt: 2}\n", "did you mean attempts?"),
        ("a:\n  match: '*'\n  fun: ping\n", "module.function"),
        ("a:\n  match: '*'\n  pillar: x\n", "pillar must be a mapping"),
        ("a: 1\n", "must be a mapping with the key match"),
        ("- a\n", "an overstate is a mapping of stages"),
        ("a:\n  match: '*'\n  check: {service.status: x, b.c: y}\n", "is no function"),
        ("a:\n  wait_for_event: x/*\n  sls: y\n", "does nothing else"),
        ("{}\n", "no stages"),
        ("a:\n  match: '*'\n  test: maybe\n", "test must be True or False"),
    ] {
        let found = wrong(text);
        assert!(found.contains(expected) && found.contains("overstate.sls:"), "{text}: {found}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let both = wrong("a:\n  match: '*'\n  sla: x\nb:\n  match: '*'\n  require: [c]\n");
    assert!(both.contains("unknown key sla") && both.contains("no stage c"), "{both}");
}

#[test]
fn a_dry_run_asks_minions_with_test_and_calls_no_function() {
    let fleet = Fake::new(&["db1"], |_, _| Some((Outcome::Ok, rows(true, true))));
    let text = "a:\n  match: 'db*'\n  sls: x\n  test: False\nb:\n  match: 'db*'\n  fun: cmd.run\n  require: [a]\n  check: test.ping\n";
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), true, HashMap::new());
    assert_eq!(fleet.calls(), ["a state.sls db*"]);
    assert_eq!(fleet.published.lock().unwrap()[0].1.args.named["test"], json!(true));
    assert!(ended.values().all(|(_, row)| row.result.is_none()), "{:?}", results(&ended));
}

#[test]
fn a_stage_is_tried_again_and_its_checks_must_come_true() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let fleet = Fake::new(&["db1"], move |_, call| {
        let count = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(match call.function.module() {
            "state" => (Outcome::Ok, rows(count > 1, false)),
            _ => (Outcome::Ok, Value::Bool(count > 5)),
        })
    });
    let text = "a:\n  match: 'db*'\n  retry: {attempts: 5, interval: 0}\n  check:\n    - service.status: [pg]\n\
                b:\n  match: 'db*'\n  fun: test.ping\n  require: [a]\n";
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    assert!(ended.values().all(|(_, row)| row.result == Some(true)), "{:?}", results(&ended));
    let calls = fleet.calls();
    assert_eq!(calls.iter().filter(|call| call.starts_with("a state.")).count(), 3);
    assert_eq!(calls.iter().filter(|call| call.contains("service.status")).count(), 4);
    assert_eq!(calls.last().unwrap(), "b test.ping db*");
}

#[test]
fn a_check_that_stays_untrue_keeps_dependants_from_starting() {
    let fleet = Fake::new(&["db1"], |_, call| {
        Some((Outcome::Ok, if call.function.module() == "state" { rows(true, false) } else { Value::Bool(false) }))
    });
    let text = "a:\n  match: 'db*'\n  check: {fun: net.up, args: [1], within: 0}\nb:\n  match: 'db*'\n  require: [a]\n";
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    let found = results(&ended);
    assert_eq!(found[1].2, "Check net.up did not come true within 0 s:\ndb1: False");
    assert_eq!(found[2].2, "One or more requisite failed: overstate.a (check)");
    assert_eq!(fleet.calls(), ["a state.highstate db*", "a (check) net.up db*"]);
}

#[test]
fn health_checks_go_by_their_names_and_what_can_never_hold_fails_at_once() {
    let tries = std::sync::atomic::AtomicUsize::new(0);
    let fleet = Fake::new(&["db1"], move |_, call| {
        let row = |name: &str, status: &str, output: &str| json!({"name": name, "status": status, "output": output});
        let count = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Some(match (call.function.as_str(), call.args.positional.first().and_then(Value::as_str)) {
            ("check.run", Some("disk")) if count < 3 => (Outcome::Ok, json!([row("disk", "CRITICAL", "full")])),
            ("check.run", Some("disk")) => (Outcome::Ok, json!([row("disk", "WARNING", "nearly full")])),
            ("check.run", _) => (Outcome::Ok, json!([row("dsik", "UNKNOWN", "no check is named dsik")])),
            ("net.up", _) => (Outcome::Failed, json!("function net.up does not exist")),
            _ => (Outcome::Ok, Value::Bool(true)),
        })
    });
    let text = "a:\n  match: 'db*'\n  fun: test.ping\n  check: [{check: disk, every: 0}]\n\
                b:\n  match: 'db*'\n  fun: test.ping\n  require: [a]\n  check: dsik\n\
                c:\n  match: 'db*'\n  fun: test.ping\n  require: [a]\n  check: net.up\n";
    let begun = std::time::Instant::now();
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    let found: HashMap<String, (Option<bool>, String)> =
        results(&ended).into_iter().map(|(id, result, comment)| (id, (result, comment))).collect();
    assert_eq!(found["a (check)"], (Some(true), "Checks hold: disk".into()));
    assert_eq!(found["b (check)"].1, "Check dsik cannot come true:\ndb1: dsik UNKNOWN: no check is named dsik");
    assert_eq!(found["c (check)"].1, "Check net.up cannot come true:\ndb1: function net.up does not exist");
    assert!(begun.elapsed().as_secs() < 30, "nobody waits a minute for what cannot be");
    assert!(wrong("a:\n  match: '*'\n  check: {check: disk, args: [1]}\n").contains("a health check takes no args"));
}

#[test]
fn a_stage_may_say_that_nobody_need_match() {
    let fleet = good();
    let text = "a:\n  match: 'z*'\n  expect: 0\nb:\n  match: 'z*'\n  fun: test.ping\n  expect: 0\nc:\n  match: 'z*'\n  fun: test.ping\n";
    let steps = overstate(&fleet, text).unwrap();
    for test in [false, true] {
        let found = results(&run_steps(&fleet, &steps, test, HashMap::new()));
        assert!(found[0].1 != Some(false) && found[1].1 != Some(false), "{found:?}");
        assert_eq!(found[2].1, Some(false), "{found:?}");
    }
    let plan = crate::plan::plan(&steps, &HashMap::new(), &*fleet, false);
    assert_eq!(plan.stages.iter().map(|stage| stage.fault.is_some()).collect::<Vec<_>>(), [false, false, true]);
}

#[test]
fn a_stage_may_wait_for_an_event() {
    let fleet = good();
    fleet.events.lock().unwrap().push(("deploy/db1/ready".into(), json!({"id": "db1"})));
    let text = "ready:\n  wait_for_event: {tag: 'deploy/*/ready', id_list: [db1], timeout: 0.1}\n\
                any:\n  wait_for_event: deploy/*\nnever:\n  match: 'db*'\n  wait_for_event: {tag: 'deploy/*', timeout: 0.1}\n";
    let ended = run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    let found = results(&ended);
    assert_eq!((&found[0].1, &found[2].1), (&Some(true), &Some(true)), "{found:?}");
    assert_eq!(found[1].2, "Timeout value reached. No event came for db2.");
}

#[test]
fn stages_survive_being_kept_and_known_rows_are_not_run_for_again() {
    let fleet = good();
    let text = "a:\n  match: 'db*'\nb:\n  match: 'web*'\n  require: [a]\nc:\n  match: 'web*'\n  onfail: [b]\n";
    let steps = overstate(&fleet, text).unwrap();
    let again = crate::saved::restore(&crate::saved::save(&steps)).unwrap();
    assert_eq!(format!("{steps:?}"), format!("{again:?}"));
    assert_eq!(again[1].chunk.place.to_string(), "overstate.sls:3:1");
    let ended = run_steps(&fleet, &again, false, HashMap::new());
    let first: HashMap<_, _> = ended.iter().take(1).map(|(tag, (_, row))| (tag.clone(), row.clone())).collect();
    let fleet = good();
    let resumed = run_steps(&fleet, &again, false, first);
    assert_eq!(fleet.calls(), ["b state.highstate web*"]);
    assert_eq!(results(&resumed), results(&ended));
}

#[test]
fn from_and_only_leave_out_what_is_not_meant() {
    let fleet = good();
    let text = "a:\n  match: 'db*'\nb:\n  match: 'web*'\n  require: [a]\n  check: test.ping\nc:\n  match: 'web*'\n  require: [b]\nd:\n  match: '*'\n";
    let steps = overstate(&fleet, text).unwrap();
    let ran = |from, only| {
        let fleet = good();
        run_steps(&fleet, &steps, false, crate::run::leave_out(&steps, from, only).unwrap());
        fleet.calls()
    };
    assert_eq!(ran(Some("b"), None), ["b state.highstate web*", "b (check) test.ping web*", "c state.highstate web*"]);
    assert_eq!(ran(None, Some("b")), ["b state.highstate web*", "b (check) test.ping web*"]);
    assert!(crate::run::leave_out(&steps, Some("bb"), None).unwrap_err().hint.unwrap().contains("did you mean"));
}

#[test]
fn resuming_takes_over_what_was_good_and_still_holds() {
    let fleet = Fake::new(&["db1", "web1"], |id, _| Some((Outcome::Ok, rows(id == "db1", false))));
    let text = "a:\n  match: 'db*'\nb:\n  match: 'web*'\n  require: [a]\nc:\n  match: 'db*'\n  require: [b]\n";
    let steps = overstate(&fleet, text).unwrap();
    let ended = run_steps(&fleet, &steps, false, HashMap::new());
    let rows: HashMap<_, _> = ended.iter().map(|(tag, (_, row))| (tag.clone(), row.clone())).collect();
    let known = |new: &str| {
        let new = overstate(&good(), new).unwrap();
        let known = crate::run::take_over(&steps, &rows, &new);
        let fleet = good();
        run_steps(&fleet, &new, false, known);
        fleet.calls()
    };
    assert_eq!(known(text), ["b state.highstate web*", "c state.highstate db*"]);
    let changed = text.replace("a:\n  match: 'db*'", "a:\n  match: 'db1'");
    assert_eq!(known(&changed).len(), 3, "a stage that was written anew runs anew");
}

#[test]
fn a_plan_says_who_matches_and_what_is_called() {
    let fleet = std::sync::Arc::new(Fake::with(&["db1", "db2", "web1"], &["db2"], |_, _| None));
    let text = "a:\n  match: 'db*'\n  sls: [x, y]\n  batch: 1\nb:\n  match: 'app*'\n  fun: {cmd.run: [ls]}\n  onfail: [a]\n  check: test.ping\n";
    let steps = overstate(&fleet, text).unwrap();
    let plan = crate::plan::plan(&steps, &HashMap::new(), &*fleet, false);
    let a = &plan.stages[0];
    assert_eq!((a.what.as_str(), a.matched, a.offline, a.rules[0].as_str()), ("sls x, y", 2, 1, "1 at once"));
    let b = &plan.stages[1];
    assert_eq!((b.what.as_str(), b.needs[0].kind.as_str(), b.needs[0].stage), ("cmd.run ls", "onfail", 0));
    assert_eq!(b.fault.as_deref(), Some("no minion matches 'app*'"));
    assert_eq!(plan.stages[2].needs[0].stage, 1);
    let calls: Vec<String> = plan.calls.iter().map(|call| format!("{} {}", call.function, call.target)).collect();
    assert_eq!(calls, ["state.sls db*", "cmd.run app*", "test.ping app*"]);
    // What the plan shows is what is published.
    let fleet = good();
    run_steps(&fleet, &overstate(&fleet, text).unwrap(), false, HashMap::new());
    assert_eq!(fleet.published.lock().unwrap()[0].1, plan.calls[0]);
}

#[test]
fn orchestrate_sls_runs_with_salts_verdicts() {
    let fleet = Fake::new(&["a1", "a2", "b1"], |id, call| {
        Some(match (call.function.as_str(), id) {
            ("state.sls", "a1") => (Outcome::Ok, rows(true, true)),
            ("state.sls", "b1") => (Outcome::Failed, rows(false, false)),
            ("state.sls", _) => (Outcome::Ok, rows(true, false)),
            ("test.false", _) => (Outcome::Ok, Value::Bool(false)),
            ("cmd.run", _) => (Outcome::Failed, Value::String("boom".into())),
            _ => (Outcome::Ok, Value::Bool(true)),
        })
    });
    let text = "
good:
  salt.state: [{tgt: 'a*'}, {sls: x}]
bad:
  salt.state: [{tgt: '*'}, {sls: x}]
allowed:
  salt.state: [{tgt: '*'}, {sls: x}, {allow_fail: 1}]
forgiven:
  salt.state: [{tgt: '*'}, {sls: x}, {fail_minions: 'b1, c1'}]
nobody:
  salt.state: [{tgt: 'z*'}, {sls: x}]
nobody_expected:
  salt.state: [{tgt: 'z*'}, {sls: x}, {expect_minions: False}]
nothing:
  salt.state: [{tgt: '*'}]
fun:
  salt.function: [{name: test.ping}, {tgt: '*'}]
fun_false:
  salt.function: [{name: test.false}, {tgt: 'a*'}]
fun_false_forgiven:
  salt.function: [{name: test.false}, {tgt: 'a1'}, {fail_minions: [a1]}]
fun_error_unforgiven:
  salt.function: [{name: cmd.run}, {tgt: 'a1'}, {arg: [false]}, {fail_minions: [a1]}]
fun_nobody:
  salt.function: [{name: test.ping}, {tgt: 'z*'}]
run:
  salt.runner: [{name: test.arg}, {x: 1}]
run_bad:
  salt.runner: [{name: no.such}]
wheel:
  salt.wheel: [{name: key.list_all}]
both:
  salt.parallel_runners: [{runners: {one: [{name: test.arg}], two: [{name: state.orchestrate}]}}]
";
    let ended = run_steps(&fleet, &sls(&fleet, text), false, HashMap::new());
    let found: HashMap<String, (Option<bool>, String)> =
        results(&ended).into_iter().map(|(id, result, comment)| (id, (result, comment))).collect();
    let expected = [
        ("good", true, "States ran successfully. Updating a1. No changes made to a2."),
        ("bad", false, "Run failed on minions: b1\nb1: a: said (web.sls:2:3)"),
        ("allowed", true, "States ran successfully. Updating a1, b1. No changes made to a2."),
        ("forgiven", true, "States ran successfully. Updating a1, b1. No changes made to a2."),
        ("nobody", false, "No minions returned: no minion matches 'z*'"),
        ("nobody_expected", true, "States ran successfully."),
        ("nothing", false, "No highstate or sls specified, no execution made"),
        ("fun", true, "Function ran successfully. Function test.ping ran on a1, a2, b1."),
        (
            "fun_false",
            false,
            "Running function test.false failed on minions: a1, a2 Function test.false ran on a1, a2.\na1: False\na2: False",
        ),
        ("fun_false_forgiven", true, "Function ran successfully. Function test.false ran on a1."),
        (
            "fun_error_unforgiven",
            false,
            "Running function cmd.run failed on minions: a1 Function cmd.run ran on a1.\na1: boom",
        ),
        ("fun_nobody", false, "No minions responded: no minion matches 'z*'"),
        ("run", true, "Runner function 'test.arg' executed."),
        ("run_bad", false, "Runner function 'no.such' failed.\nthere is no no.such"),
        ("wheel", true, "Wheel function 'key.list_all' executed."),
        ("both", false, "Runner two failed."),
    ];
    for (id, result, comment) in expected {
        assert_eq!(found[id], (Some(result), comment.to_owned()), "{id}");
    }
    assert_eq!(found.len(), expected.len());
}

#[test]
fn salt_states_belong_to_orchestrations() {
    let fleet = good();
    let steps = sls(&fleet, "a:\n  salt.state: [{tgt: '*'}, {sls: x}]\n");
    let rows = crate::testing::within(&fleet, |context| {
        let alone = states::Context { agent: None, ..context.copy() };
        crate::run::run(&alone, &steps, false, HashMap::new(), &|_, _| ())
    });
    assert!(rows[0].1.comment.contains("is for orchestrations"), "{}", rows[0].1.comment);
}
