//! What can be said against steps before anything runs.

use std::time::Duration;

use proto::{Map, Value};
use states::{
    Diagnostic,
    compile::{Problems, Step, is_keyword},
    diag::did_you_mean,
    functions::truth,
    modules,
    plan::State,
};

use crate::{module::MODULES, wish::duration};

/// How long the operator's request is good for, and so the longest that a stage may take.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Everything that is wrong with the steps of an orchestration: states that there are not, arguments
/// that are missing, times that no request outlives.
pub fn problems(steps: &[Step]) -> Problems {
    let mut problems: Problems = steps.iter().filter(|step| !step.trial).flat_map(problems_of).collect();
    if problems.is_empty() {
        problems.extend(too_late(steps));
    }
    problems
}

fn problems_of(step: &Step) -> Problems {
    let chunk = &step.chunk;
    let (module, fun) = (chunk.text("state"), chunk.text("fun"));
    let Some(ours) = MODULES.iter().find(|ours| ours.name == module) else {
        if modules::find(module, fun).is_some() || modules::all().any(|(known, _)| known.name == module) {
            return Problems::new();
        }
        return near(module, fun).map(|hint| unknown(step).hint(hint)).into_iter().collect();
    };
    let Some(state) = ours.states.iter().find(|state| state.name == fun) else {
        let known: Vec<String> = ours.states.iter().map(|state| format!("{module}.{}", state.name)).collect();
        let full = format!("{module}.{fun}");
        let hint = did_you_mean(&full, known.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        return vec![unknown(step).hint(hint)];
    };
    let mut problems: Problems = missing(step, state).into_iter().collect();
    problems.extend(too_long(step));
    problems
}

fn unknown(step: &Step) -> Diagnostic {
    let (module, fun) = (step.chunk.text("state"), step.chunk.text("fun"));
    Diagnostic::new(format!("state {module}.{fun} does not exist")).at(&step.chunk.place)
}

/// A state of an orchestration that somebody may have meant. A module that is like none of ours may be
/// one of Salt's: what is to be said of it is said when it would run.
fn near(module: &str, fun: &str) -> Option<String> {
    let ours = MODULES.iter().flat_map(|ours| ours.states.iter().map(|state| format!("{}.{}", ours.name, state.name)));
    let ours: Vec<String> = ours.collect();
    did_you_mean(&format!("{module}.{fun}"), ours.iter().map(String::as_str))
}

/// The first argument that a state cannot do without.
fn missing(step: &Step, state: &State) -> Option<Diagnostic> {
    let low = &step.chunk.data;
    let lacks = |name: &&str| low.get(*name).is_none_or(Value::is_null);
    let needed = state.params.iter().filter(|param| param.default.is_none()).map(|param| param.name);
    // An event may be waited for without saying from whom: an overstate does.
    let name = needed.filter(|name| *name != "id_list").find(lacks)?;
    let others = low.keys().map(String::as_str).filter(|key| !is_keyword(key));
    let unknown: Vec<&str> = others.filter(|key| !state.params.iter().any(|param| param.name == *key)).collect();
    let meant = unknown.into_iter().find(|key| did_you_mean(key, [name]).is_some());
    let why = format!("{}.{} needs the argument {name}", step.chunk.text("state"), state.name);
    let hint = match meant {
        Some(written) => format!("it says {written}; did you mean {name}?"),
        None => format!("`ctl doc {}.{}` shows an example", step.chunk.text("state"), state.name),
    };
    Some(Diagnostic::new(why).at(&step.chunk.place).hint(hint))
}

/// Times beyond a day: by then, no minion would take the operator's request any more.
fn too_long(step: &Step) -> Problems {
    let low = &step.chunk.data;
    let long = |value: Option<&Value>| value.and_then(duration).filter(|length| *length > LONGEST);
    let mut found: Vec<&str> = ["timeout"].into_iter().filter(|key| long(low.get(*key)).is_some()).collect();
    if checks(low).any(|check| long(check.get("within")).is_some()) {
        found.push("within");
    }
    if retries(low).is_some_and(|(_, pauses)| pauses > LONGEST) {
        found.push("retry");
    }
    let one = |key: &str| {
        let id = step.chunk.text("__id__");
        let why = format!("{key} of {id} is longer than a day, for which an operator's request is good");
        Diagnostic::new(why).at(&step.chunk.place).hint(IN_TWO)
    };
    found.into_iter().map(one).collect()
}

const IN_TWO: &str = "make two orchestrations of it; `--resume JID` goes on from where one ended";

fn checks(low: &Map) -> impl Iterator<Item = &Value> {
    low.get("checks").and_then(Value::as_array).into_iter().flatten()
}

/// How many attempts there are after the first, and what the pauses between them come to.
fn retries(low: &Map) -> Option<(u32, Duration)> {
    let retry = low.get("retry")?.as_object()?;
    let number = |key: &str, default: u64| retry.get(key).and_then(Value::as_u64).unwrap_or(default);
    let more = number("attempts", 2).saturating_sub(1);
    let pauses = Duration::from_secs(more.saturating_mul(number("interval", 30)));
    Some((u32::try_from(more).unwrap_or(u32::MAX), pauses))
}

/// How long a step may take by what it says itself. Where it says nothing, it counts as no time at all.
fn limit(step: &Step) -> Duration {
    let low = &step.chunk.data;
    let of = |value: Option<&Value>| value.and_then(duration).unwrap_or_default();
    let within = checks(low).map(|check| of(check.get("within"))).fold(Duration::ZERO, Duration::saturating_add);
    let once = of(low.get("timeout")).saturating_add(within);
    match retries(low).filter(|_| !low.contains_key("parallel")) {
        Some((more, pauses)) => once.saturating_mul(more.saturating_add(1)).saturating_add(pauses),
        None => once,
    }
}

/// The first step whose limit, with those of all that it waits for, is beyond a day: though each of
/// them is short enough, the request may have lapsed when its turn comes.
fn too_late(steps: &[Step]) -> Option<Diagnostic> {
    let (mut ends, mut turn) = (Vec::with_capacity(steps.len()), Duration::ZERO);
    for step in steps {
        // What a step waits for stands before it.
        let needs = step.needs.iter().filter_map(|&(_, need)| ends.get(need).copied());
        let begins = needs.fold(turn, Duration::max);
        let end = if step.trial { begins } else { begins.saturating_add(limit(step)) };
        if end > LONGEST {
            let (id, hours) = (step.chunk.text("__id__"), end.as_secs_f64() / 3600.0);
            let why = format!(
                "the time-outs up to and with that of {id} come to {hours:.1} hours, and an operator's request is \
                 good for a day"
            );
            return Some(Diagnostic::new(why).at(&step.chunk.place).hint(IN_TWO));
        }
        if !step.chunk.data.get("parallel").is_some_and(truth) {
            turn = end;
        }
        ends.push(end);
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use states::{
        compile::{Chunk, Kind},
        diag::{Place, Source},
    };

    use super::*;

    fn said(data: Value) -> Vec<String> {
        let place = Place::new(&Source::new("o.sls", ""), 3, 5, 1);
        let chunk = Chunk { data: data.as_object().cloned().unwrap(), place };
        let step = Step { chunk: chunk.into(), trial: false, tried: None, needs: Vec::new() };
        problems(&[step]).iter().map(|why| why.render(false).replace('\n', " ")).collect()
    }

    #[test]
    fn what_is_misspelt_is_told_with_its_place_before_anything_runs() {
        let stat = said(json!({"state": "salt", "fun": "stat", "__id__": "a", "name": "a", "tgt": "*"}));
        assert!(
            stat[0].contains("salt.stat does not exist") && stat[0].contains("did you mean salt.state?"),
            "{stat:?}"
        );
        assert!(stat[0].contains("o.sls:3:5"), "{stat:?}");
        let slat = said(json!({"state": "slat", "fun": "state", "__id__": "a", "name": "a", "tgt": "*"}));
        assert!(slat[0].contains("did you mean salt.state?"), "{slat:?}");
        let tgtt =
            said(json!({"state": "salt", "fun": "state", "__id__": "a", "name": "a", "tgtt": "*", "require": []}));
        assert!(tgtt[0].contains("needs the argument tgt") && tgtt[0].contains("it says tgtt"), "{tgtt:?}");
        let none: [Value; 4] = [
            json!({"state": "salt", "fun": "function", "__id__": "a", "name": "test.ping", "tgt": "*", "odd": 1}),
            json!({"state": "test", "fun": "nop", "__id__": "a", "name": "a"}),
            json!({"state": "custom_thing", "fun": "present", "__id__": "a", "name": "a"}),
            json!({"state": "salt", "fun": "wait_for_event", "__id__": "a", "name": "a", "any": true}),
        ];
        for good in none {
            assert_eq!(said(good.clone()), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn no_stage_may_wait_longer_than_the_request_is_good() {
        let of = |more: Value| {
            let mut data = json!({"state": "salt", "fun": "state", "__id__": "a", "name": "a", "tgt": "*"});
            data.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            said(data).len()
        };
        assert_eq!(of(json!({"timeout": "7h", "retry": {"attempts": 3, "interval": 60}})), 0);
        assert_eq!(of(json!({"timeout": "25h"})), 1);
        assert_eq!(of(json!({"retry": {"attempts": 1000, "interval": 100}})), 1);
        assert_eq!(of(json!({"checks": [{"fun": "x.y", "within": "2h"}, {"fun": "x.y", "within": "30h"}]})), 1);
    }

    #[test]
    fn stages_one_after_the_other_may_not_take_longer_than_a_day_in_all() {
        let step = |id: &str, more: Value, needs: &[usize]| {
            let mut data = json!({"state": "salt", "fun": "state", "__id__": id, "name": id, "tgt": "*"});
            data.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            let place = Place::new(&Source::new("o.sls", ""), 3, 5, 1);
            let chunk = Chunk { data: data.as_object().cloned().unwrap(), place };
            let needs = needs.iter().map(|need| (Kind::Require, *need)).collect();
            Step { chunk: chunk.into(), trial: false, tried: None, needs }
        };
        let said = |steps: &[Step]| {
            let problems = problems(steps);
            problems.first().map(|why| why.render(false).replace('\n', " "))
        };
        let (night, aside) = (json!({"timeout": "10h"}), json!({"timeout": "10h", "parallel": true}));
        let row = [step("a", night.clone(), &[]), step("b", night.clone(), &[]), step("c", night.clone(), &[])];
        let why = said(&row).unwrap();
        assert!(why.contains("up to and with that of c come to 30.0 hours") && why.contains("o.sls:3:5"), "{why}");
        assert_eq!(said(&row[..2]), None);
        let beside = ["a", "b", "c"].map(|id| step(id, aside.clone(), &[]));
        assert_eq!(said(&beside), None, "at the same time");
        let chain = [step("a", aside.clone(), &[]), step("b", aside.clone(), &[0]), step("c", aside, &[1])];
        assert!(said(&chain).is_some());
        let again = json!({"timeout": "5h", "retry": {"attempts": 5, "interval": 60}});
        assert!(said(&[step("a", again, &[])]).is_some(), "each attempt has the whole time");
        let checks = json!({"checks": [{"fun": "x.y", "within": "13h"}, {"fun": "x.z", "within": "13h"}]});
        assert!(said(&[step("a", checks, &[])]).is_some(), "checks hold one after the other");
        assert_eq!(said(&[step("a", json!({}), &[]), step("b", json!({"timeout": "24h"}), &[0])]), None);
    }
}
