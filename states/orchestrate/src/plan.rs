//! What an orchestration would do: its stages, who matches now, and the calls that the operator signs.

use std::collections::{BTreeSet, HashMap};

use proto::{
    Map, Value,
    message::{
        Absent,
        orchestration::{Call, Need, Plan, PlanStage},
    },
};
use states::{
    compile::{Chunk, Kind, Step},
    functions::truth,
    run::Row,
    value::python_str,
};

use crate::{
    Fleet,
    fleet::{Matched, Refused},
    module, wish,
};

/// How many minions a plan names for each stage.
const NAMED: usize = 100;

/// The plan of some steps. `skipped` are rows of those that will not run.
pub fn plan(steps: &[Step], skipped: &HashMap<String, Row>, fleet: &dyn Fleet, test: bool) -> Plan {
    let shown: Vec<usize> = (0..steps.len()).filter(|&index| !steps[index].trial).collect();
    let matched = survey(shown.iter().map(|&index| &steps[index]), fleet);
    let mut plan = Plan { test, ..Plan::default() };
    for &index in &shown {
        let step = &steps[index];
        let mut stage = stage(step, skipped);
        for &(kind, need) in &step.needs {
            if let Ok(of) = shown.binary_search(&need) {
                stage.needs.push(Need { kind: name(kind), stage: of as u32 });
            }
        }
        match stage.target.as_ref().and_then(|target| matched.get(target)) {
            Some(Ok(matched)) => count(&mut stage, matched),
            Some(Err(Refused::NoMatch(_)))
                if wish::rules(&step.chunk.data).is_ok_and(|rules| rules.may_be_nobody()) => {}
            Some(Err(why)) => stage.fault = Some(why.to_string()),
            None => {}
        }
        match calls(&step.chunk.data, test) {
            Ok(calls) if stage.skipped.is_none() => plan.calls.extend(calls),
            Ok(_) => {}
            Err(why) => stage.fault = Some(why),
        }
        plan.stages.push(stage);
    }
    plan.calls.dedup();
    plan
}

/// Whom the targets of all steps mean, each looked at once.
fn survey<'a>(steps: impl Iterator<Item = &'a Step>, fleet: &dyn Fleet) -> HashMap<String, Result<Matched, Refused>> {
    let of_fleet = steps.filter(|step| step.chunk.text("state") == "salt");
    let targets: BTreeSet<String> = of_fleet.filter_map(|step| wish::target(&step.chunk.data).ok()).collect();
    let targets: Vec<String> = targets.into_iter().collect();
    let matched = fleet.survey(&targets);
    targets.into_iter().zip(matched).collect()
}

fn count(stage: &mut PlanStage, matched: &Matched) {
    stage.matched = matched.minions.len() as u32;
    stage.offline = matched.absent.len() as u32;
    stage.minions = matched.minions.iter().take(NAMED).cloned().collect();
    let absent = matched.absent.iter().take(NAMED);
    stage.absent = absent.map(|(minion, since)| Absent { minion: minion.clone(), since: *since }).collect();
}

fn stage(step: &Step, skipped: &HashMap<String, Row>) -> PlanStage {
    let low = &step.chunk.data;
    let of_fleet = step.chunk.text("state") == "salt";
    let target = if of_fleet { wish::target(low).ok() } else { None };
    let tag = step.chunk.tag();
    PlanStage {
        id: step.chunk.text("__id__").to_owned(),
        function: format!("{}.{}", step.chunk.text("state"), step.chunk.text("fun")),
        what: what(&step.chunk),
        rules: rules(low),
        target,
        skipped: skipped.get(&tag).map(|row| row.comment.clone()),
        place: step.chunk.place.to_string(),
        tag,
        ..PlanStage::default()
    }
}

fn what(chunk: &Chunk) -> String {
    let low = &chunk.data;
    let text = |key: &str| low.get(key).map_or(String::new(), python_str);
    let list = |key: &str| match low.get(key) {
        Some(Value::Array(items)) => items.iter().map(python_str).collect::<Vec<_>>().join(", "),
        Some(one) => python_str(one),
        None => String::new(),
    };
    match (chunk.text("state"), chunk.text("fun")) {
        ("salt", "state") if low.get("highstate").is_some_and(truth) => "highstate".to_owned(),
        ("salt", "state") if low.get("top").is_some_and(truth) => format!("top {}", text("top")),
        ("salt", "state") => format!("sls {}", list("sls")),
        ("salt", "function") => format!("{} {}", text("name"), list("arg")).trim_end().to_owned(),
        ("salt", "wait_for_event") => format!("wait for the event {}", text("name")),
        ("salt", "check") => {
            format!("check {}", module::names_of_checks(low).join(", "))
        }
        (state, fun) => format!("{state}.{fun} {}", text("name")),
    }
}

fn rules(low: &Map) -> Vec<String> {
    type Word = fn(&str) -> String;
    let words: [(&str, Word); 6] = [
        ("batch", |value| format!("{value} at once")),
        ("expect", |value| format!("expect {value}")),
        ("max_fail", |value| format!("up to {value} may fail")),
        ("allow_fail", |value| format!("up to {value} may fail")),
        ("timeout", |value| format!("{value} s at most")),
        ("subset", |value| format!("{value} of them")),
    ];
    let told = words.iter().filter_map(|(key, word)| {
        let value = low.get(*key).filter(|value| !value.is_null()).map(python_str)?;
        (*key != "expect" || value != "all").then(|| word(&value))
    });
    told.collect()
}

/// The calls that a chunk will make, as far as they are known before.
fn calls(low: &Map, test: bool) -> Result<Vec<Call>, String> {
    let text = |key: &str| low.get(key).and_then(Value::as_str).unwrap_or_default();
    let calls = match (text("state"), text("fun")) {
        ("salt", "state") => wish::call(low, test).map(|(call, _)| vec![call]),
        ("salt", "function") if !test => wish::call(low, test).map(|(call, _)| vec![call]),
        ("salt", "check") if !test => module::calls_of_checks(low),
        _ => Ok(Vec::new()),
    };
    calls.map_err(|why| why.to_string())
}

fn name(kind: Kind) -> String {
    match serde_json::to_value(kind) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}
