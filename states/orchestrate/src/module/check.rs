//! `salt.check`, the checks of an overstate's stage: functions that must be true on all hosts
//! before what waits for the stage may start.

use std::time::{Duration, Instant};

use proto::{Args, Map, MinionId, Outcome, Return, RunOptions, Value, message::orchestration::Call as FleetCall};
use states::{
    functions::truth,
    plan::{Call, Done, Plan, StateError},
    value::python_str,
};

use super::{fleet, state::publish_and_gather, step, would};
use crate::{Fleet, gather::Gathered, wish};

/// How long a check has to come true, unless `within` says otherwise.
const WITHIN: Duration = Duration::from_secs(60);
/// How long to wait between two tries, unless `every` says otherwise.
const EVERY: Duration = Duration::from_secs(2);

/// The function that runs health checks by their names.
pub const HEALTH: &str = "check.run";
/// What a host says of a name that none of its health checks has.
const NO_CHECK: &str = "no check is named";

struct Check {
    call: FleetCall,
    within: Duration,
    every: Duration,
}

pub fn plan(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step) = (fleet(of)?, step(of));
    let checks = checks(of.low)?;
    let rules = wish::rules(of.low)?;
    let names: Vec<String> = checks.iter().map(Check::name).collect();
    would(of, format!("Would check {}", names.join(", ")), move || {
        for check in &checks {
            let done = until_true(&*fleet, &step, check, &rules)?;
            if !done.result {
                return Ok(done);
            }
        }
        Ok(Done::new(format!("Checks hold: {}", names.join(", ")), Map::new()))
    })
}

/// The calls that a chunk's checks make.
///
/// # Errors
/// What is malformed.
pub fn calls(low: &Map) -> Result<Vec<FleetCall>, StateError> {
    Ok(checks(low)?.into_iter().map(|check| check.call).collect())
}

/// What a chunk's checks are called.
///
/// # Errors
/// What is malformed.
pub fn names(low: &Map) -> Result<Vec<String>, StateError> {
    Ok(checks(low)?.iter().map(Check::name).collect())
}

fn checks(low: &Map) -> Result<Vec<Check>, StateError> {
    let own = wish::target(low)?;
    let items = match low.get("checks") {
        Some(Value::Array(items)) => items.as_slice(),
        _ => return states::plan::failed("checks must be a list of mappings"),
    };
    items.iter().map(|item| check(item, &own)).collect()
}

impl Check {
    /// For people: the function, or which health checks.
    fn name(&self) -> String {
        let names: Vec<String> = self.call.args.positional.iter().map(python_str).collect();
        match self.call.function.as_str() {
            HEALTH if !names.is_empty() => names.join(", "),
            function => function.to_owned(),
        }
    }
}

fn check(item: &Value, own: &str) -> Result<Check, StateError> {
    let get = |key: &str| item.get(key).filter(|value| !value.is_null());
    let function = get("fun").map(python_str).ok_or_else(|| StateError::failed("a check needs the key fun"))?;
    let function = function.parse().map_err(|why: proto::IdError| StateError::failed(why.to_string()))?;
    let positional = get("args").and_then(Value::as_array).cloned().unwrap_or_default();
    let named = get("kwargs").and_then(Value::as_object).cloned().unwrap_or_default();
    let time = |key: &str, default: Duration| get(key).and_then(wish::duration).unwrap_or(default);
    Ok(Check {
        call: FleetCall {
            target: get("match").map_or_else(|| own.to_owned(), python_str),
            function,
            args: Args { positional, named },
        },
        within: time("within", WITHIN),
        every: time("every", EVERY),
    })
}

fn until_true(fleet: &dyn Fleet, step: &str, check: &Check, rules: &wish::Rules) -> Result<Done, StateError> {
    let begun = Instant::now();
    let mut told = String::new();
    loop {
        let left = check.within.saturating_sub(begun.elapsed());
        let rules = wish::Rules { timeout: Some(left.max(Duration::from_secs(5))), quiet: true, ..rules.clone() };
        let (_, gathered) = publish_and_gather(fleet, step, &check.call, &RunOptions::default(), &rules)?;
        let untrue = untrue(&gathered, &rules, check.call.function.as_str());
        if untrue.is_empty() {
            return Ok(Done::new("", Map::new()));
        }
        let name = check.name();
        let never = untrue.iter().any(|untrue| untrue.never);
        if never || begun.elapsed() + check.every >= check.within {
            untrue.iter().for_each(|Untrue { minion, why, .. }| fleet.failed(step, minion, why));
            let told: Vec<String> =
                untrue.iter().map(|Untrue { minion, why, .. }| format!("{minion}: {why}")).collect();
            let how = match never {
                true => "cannot come true".to_owned(),
                false => format!("did not come true within {} s", check.within.as_secs()),
            };
            return Ok(Done::failed(format!("Check {name} {how}:\n{}", told.join("\n")), Map::new()));
        }
        let Untrue { minion, why, .. } = &untrue[0];
        let now = format!("check {name} is not true yet: {minion}: {why}");
        if now != told {
            fleet.says(step, now.clone());
            told = now;
        }
        fleet.pause(step, check.every)?;
    }
}

/// A host on which a check does not hold.
struct Untrue {
    minion: MinionId,
    why: String,
    /// And never will: there is no such function or health check there, or the host refuses to call it.
    never: bool,
}

/// Each host on which a check does not hold, with what it said.
fn untrue(gathered: &Gathered, rules: &wish::Rules, function: &str) -> Vec<Untrue> {
    let mut found: Vec<Untrue> =
        gathered.answers.values().filter_map(|end| untrue_of(&end.minion, &end.ret, function)).collect();
    let needed = rules.expect.map_or(gathered.targeted.len(), |expect| expect.of(gathered.targeted.len()));
    if gathered.answers.len() < needed {
        let silent = gathered.silent.iter();
        found.extend(silent.map(|(minion, why)| Untrue {
            minion: minion.clone(),
            never: why.starts_with(Outcome::Refused.as_str()),
            why: why.clone(),
        }));
    }
    found
}

fn untrue_of(minion: &MinionId, ret: &Return, function: &str) -> Option<Untrue> {
    let untrue = |why: String, never: bool| Some(Untrue { minion: minion.clone(), why, never });
    if ret.outcome != Outcome::Ok {
        let why = crate::gather::first_error(&ret.value);
        let missing = why.starts_with(&format!("function {function} does not exist"))
            || why.starts_with(&format!("the function {function} of Salt is not available"))
            || why.starts_with(NO_CHECK);
        return untrue(why, missing);
    }
    match ret.value.as_array().filter(|_| function == HEALTH) {
        Some(rows) => unwell(rows).and_then(|(why, never)| untrue(why, never)),
        None if truth(&ret.value) => None,
        None => untrue(crate::gather::first_error(&ret.value), false),
    }
}

/// The first health check that is CRITICAL or UNKNOWN, and whether it will stay so; a WARNING keeps
/// nobody waiting.
fn unwell(rows: &[Value]) -> Option<(String, bool)> {
    let text = |row: &Value, key: &str| row.get(key).map_or(String::new(), python_str);
    let bad = |row: &&Value| !matches!(text(row, "status").to_lowercase().as_str(), "ok" | "warning");
    if rows.is_empty() {
        return Some(("it has no health checks".to_owned(), true));
    }
    let row = rows.iter().find(bad)?;
    let output = text(row, "output");
    Some((format!("{} {}: {output}", text(row, "name"), text(row, "status")), output.starts_with(NO_CHECK)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn health_checks_hold_unless_one_is_critical_or_unknown() {
        let row = |name: &str, status: &str, output: &str| json!({"name": name, "status": status, "output": output});
        let of = |rows: &[Value]| unwell(rows);
        assert_eq!(of(&[row("a", "OK", "fine"), row("b", "WARNING", "so so")]), None);
        let bad = of(&[row("a", "OK", "fine"), row("b", "CRITICAL", "down")]).unwrap();
        assert_eq!(bad, ("b CRITICAL: down".to_owned(), false));
        assert!(of(&[row("b", "UNKNOWN", "no check is named b")]).unwrap().1);
        assert!(of(&[]).unwrap().1, "nothing that could come true");
    }
}
