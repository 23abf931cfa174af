//! `salt.check`, the checks of an overstate's stage: functions that must be true on all hosts
//! before what waits for the stage may start.

use std::time::{Duration, Instant};

use proto::{Args, Map, MinionId, RunOptions, Value, message::orchestration::Call as FleetCall};
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

struct Check {
    call: FleetCall,
    within: Duration,
    every: Duration,
}

pub fn plan(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step) = (fleet(of)?, step(of));
    let checks = checks(of.low)?;
    let rules = wish::rules(of.low)?;
    let names: Vec<String> = checks.iter().map(|check| check.call.function.to_string()).collect();
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

fn checks(low: &Map) -> Result<Vec<Check>, StateError> {
    let own = wish::target(low)?;
    let items = match low.get("checks") {
        Some(Value::Array(items)) => items.as_slice(),
        _ => return states::plan::failed("checks must be a list of mappings"),
    };
    items.iter().map(|item| check(item, &own)).collect()
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
        let untrue = untrue(&gathered, &rules);
        if untrue.is_empty() {
            return Ok(Done::new("", Map::new()));
        }
        let function = &check.call.function;
        if begun.elapsed() + check.every >= check.within {
            untrue.iter().for_each(|(minion, why)| fleet.failed(step, minion, why));
            let untrue: Vec<String> = untrue.iter().map(|(minion, why)| format!("{minion}: {why}")).collect();
            let comment = format!(
                "Check {function} did not come true within {} s:\n{}",
                check.within.as_secs(),
                untrue.join("\n")
            );
            return Ok(Done::failed(comment, Map::new()));
        }
        let (minion, why) = &untrue[0];
        let now = format!("check {function} is not true yet: {minion}: {why}");
        if now != told {
            fleet.says(step, now.clone());
            told = now;
        }
        fleet.pause(step, check.every)?;
    }
}

/// Each host on which a check does not hold, with what it said.
fn untrue(gathered: &Gathered, rules: &wish::Rules) -> Vec<(MinionId, String)> {
    let answers = gathered.answers.iter();
    let bad = answers.filter(|(_, end)| end.ret.outcome != proto::Outcome::Ok || !truth(&end.ret.value));
    let mut untrue: Vec<(MinionId, String)> =
        bad.map(|(minion, end)| (minion.clone(), crate::gather::first_error(&end.ret.value))).collect();
    let needed = rules.expect.map_or(gathered.targeted.len(), |expect| expect.of(gathered.targeted.len()));
    if gathered.answers.len() < needed {
        untrue.extend(gathered.silent.iter().map(|(minion, why)| (minion.clone(), why.clone())));
    }
    untrue
}
