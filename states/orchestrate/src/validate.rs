//! What can be said against steps before anything runs.

use std::time::Duration;

use proto::{Map, Value};
use states::{
    Diagnostic,
    compile::{Problems, Step, is_keyword},
    diag::did_you_mean,
    modules,
    plan::State,
};

use crate::{module::MODULES, wish::duration};

/// How long the operator's request is good for, and so the longest that a stage may take.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Everything that is wrong with the steps of an orchestration: states that there are not, arguments
/// that are missing, times that no request outlives.
pub fn problems(steps: &[Step]) -> Problems {
    steps.iter().filter(|step| !step.trial).flat_map(problems_of).collect()
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
    let checks = low.get("checks").and_then(Value::as_array).into_iter().flatten();
    if checks.into_iter().any(|check| long(check.get("within")).is_some()) {
        found.push("within");
    }
    if retries(low).is_some_and(|length| length > LONGEST) {
        found.push("retry");
    }
    let one = |key: &str| {
        let id = step.chunk.text("__id__");
        let why = format!("{key} of {id} is longer than a day, for which an operator's request is good");
        let hint = "make two orchestrations of it; `--resume JID` goes on from where one ended";
        Diagnostic::new(why).at(&step.chunk.place).hint(hint)
    };
    found.into_iter().map(one).collect()
}

/// What the pauses between attempts come to.
fn retries(low: &Map) -> Option<Duration> {
    let retry = low.get("retry")?.as_object()?;
    let number = |key: &str, default: u64| retry.get(key).and_then(Value::as_u64).unwrap_or(default);
    let pauses = number("attempts", 2).saturating_sub(1);
    Some(Duration::from_secs(pauses.saturating_mul(number("interval", 30))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use states::{
        compile::Chunk,
        diag::{Place, Source},
    };

    use super::*;

    fn said(data: Value) -> Vec<String> {
        let place = Place::new(&Source::new("o.sls", ""), 3, 5, 1);
        let chunk = Chunk { data: data.as_object().cloned().unwrap(), place };
        let step = Step { chunk, trial: false, tried: None, needs: Vec::new() };
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
        assert_eq!(of(json!({"timeout": "20h", "retry": {"attempts": 3, "interval": 60}})), 0);
        assert_eq!(of(json!({"timeout": "25h"})), 1);
        assert_eq!(of(json!({"retry": {"attempts": 1000, "interval": 100}})), 1);
        assert_eq!(of(json!({"checks": [{"fun": "x.y", "within": "2h"}, {"fun": "x.y", "within": "30h"}]})), 1);
    }
}
