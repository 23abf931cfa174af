//! `salt.runner`, `salt.wheel`, `salt.parallel_runners`: functions of the master itself.

use std::thread;

use proto::{Args, Map, Value};
use states::plan::{Call, Done, Plan, StateError, failed};

use super::{fleet, step, would};
use crate::{
    Fleet,
    fleet::{Refused, Side},
};

/// Keys of a chunk that are none of the function's arguments.
const OURS: &[&str] = &[
    "state",
    "fun",
    "name",
    "order",
    "require",
    "require_any",
    "watch",
    "watch_any",
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_stop",
    "prereq",
    "listen",
    "parallel",
    "retry",
    "failhard",
    "unless",
    "onlyif",
    "creates",
    "check_cmd",
    "name_order",
    "fire_event",
    "saltenv",
];

pub fn runner(of: &Call<'_>) -> Result<Plan, StateError> {
    one(of, Side::Runner, "Runner")
}

pub fn wheel(of: &Call<'_>) -> Result<Plan, StateError> {
    one(of, Side::Wheel, "Wheel")
}

fn one(of: &Call<'_>, side: Side, word: &'static str) -> Result<Plan, StateError> {
    let (fleet, step, name, args) = (fleet(of)?, step(of), of.name(), arguments(of.low));
    would(of, format!("{word} function '{name}' would be executed."), move || {
        let value = match fleet.call(&step, side, &name, &args) {
            Ok(value) => value,
            Err(why @ Refused::Killed(_)) => return Err(why.into()),
            Err(why) => return Ok(Done::failed(format!("{word} function '{name}' failed.\n{why}"), Map::new())),
        };
        let result = succeeded(&value);
        let comment = match (result, why(&value)) {
            (true, _) => format!("{word} function '{name}' executed."),
            (false, Some(why)) => format!("{word} function '{name}' failed.\n{why}"),
            (false, None) => format!("{word} function '{name}' failed."),
        };
        let changes = Map::from_iter([("return".to_owned(), value)]);
        Ok(Done { result, comment, changes, more: Map::new() })
    })
}

/// What a nested orchestration gives says by its `retcode` whether it went well.
fn succeeded(value: &Value) -> bool {
    value.get("Error").is_none() && value.get("retcode").and_then(Value::as_i64).unwrap_or(0) == 0
}

/// What a failed answer says in words: the answer itself, or why a nested orchestration could not begin.
fn why(value: &Value) -> Option<String> {
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let texts = value.get("data")?.as_object()?.values().next()?.as_array()?;
    let texts: Vec<&str> = texts.iter().filter_map(Value::as_str).map(str::trim_end).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

fn arguments(low: &Map) -> Args {
    let theirs = |key: &str| !key.starts_with("__") && key != "arg" && key != "kwarg" && !OURS.contains(&key);
    let mut named: Map = low.iter().filter(|(key, _)| theirs(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if let Some(Value::Object(more)) = low.get("kwarg") {
        named.extend(more.clone());
    }
    let positional = match low.get("arg") {
        Some(Value::Array(items)) => items.clone(),
        _ => Vec::new(),
    };
    Args { positional, named }
}

pub fn parallel(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step) = (fleet(of)?, step(of));
    let runners = runners(of.value("runners"), &of.name())?;
    let names: Vec<&str> = runners.iter().map(|(id, _, _)| id.as_str()).collect();
    would(of, format!("Runners {} would be executed.", names.join(", ")), move || all(&*fleet, &step, runners))
}

type Runner = (String, String, Args);

fn runners(value: Option<&Value>, name: &str) -> Result<Vec<Runner>, StateError> {
    match value {
        Some(Value::String(function)) => Ok(vec![(function.clone(), name.to_owned(), Args::default())]),
        Some(Value::Object(map)) => Ok(map
            .iter()
            .map(|(id, config)| {
                let config = flat(config);
                let function = config.get("name").map_or_else(|| id.clone(), states::value::python_str);
                let named = config.get("kwarg").map(flat).unwrap_or_default();
                (id.clone(), function, Args { positional: Vec::new(), named })
            })
            .collect()),
        _ => failed("The runners parameter must be a string or dict."),
    }
}

/// A mapping, or a list of mappings put together.
fn flat(value: &Value) -> Map {
    match value {
        Value::Object(map) => map.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_object).flat_map(Clone::clone).collect(),
        _ => Map::new(),
    }
}

fn all(fleet: &dyn Fleet, step: &str, runners: Vec<Runner>) -> Result<Done, StateError> {
    let answers: Vec<Result<Value, Refused>> = thread::scope(|scope| {
        let started: Vec<_> = runners
            .iter()
            .map(|(id, function, args)| {
                // Each has jobs of its own, which an interruption must not mix up.
                let step = format!("{step}/{id}");
                scope.spawn(move || fleet.call(&step, Side::Runner, function, args))
            })
            .collect();
        let given_up = || Err(Refused::Other("the runner was given up".into()));
        started.into_iter().map(|thread| thread.join().unwrap_or_else(|_| given_up())).collect()
    });
    let (mut failed, mut ret) = (Vec::new(), Map::new());
    for ((id, _, _), answer) in runners.iter().zip(answers) {
        match answer {
            Ok(value) => {
                if !succeeded(&value) {
                    failed.push(id.clone());
                }
                ret.insert(id.clone(), value);
            }
            Err(why) => {
                failed.push(id.clone());
                ret.insert(id.clone(), Value::String(why.to_string()));
            }
        }
    }
    let comment = match failed.as_slice() {
        [] => "All runner functions executed successfully.".to_owned(),
        [one] => format!("Runner {one} failed."),
        many => format!("Runners {} failed.", many.join(", ")),
    };
    let changes = Map::from_iter([("ret".to_owned(), Value::Object(ret))]);
    Ok(Done { result: failed.is_empty(), comment, changes, more: Map::new() })
}
