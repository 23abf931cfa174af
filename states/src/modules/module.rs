//! `module.*`: execution functions called by a state.

use proto::{Args, Map, Value};
use serde_json::json;

use super::params::module as params;
use crate::{
    functions::truth,
    plan::{self, Call, Done, Plan, State, StateError, StateModule, failed},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "module",
    states: &[
        State {
            name: "run",
            doc: "Calls execution functions, each time.\n\n    reload:\n      module.run:\n        - service.reload:\n          - name: nginx",
            params: params::RUN,
            plan: run,
        },
        State {
            name: "wait",
            doc: "Calls an execution function only when a state that it watches has changed.\n\n    reload:\n      module.wait:\n        - name: service.reload\n        - watch:\n          - file: /etc/app.conf",
            params: params::WAIT,
            plan: |_| Plan::keep(""),
        },
    ],
    watch: Some(run),
};

/// Arguments that are not the function's.
const OWN: [&str; 33] = [
    "name",
    "fun",
    "sfun",
    "state",
    "returner",
    "func",
    "func_args",
    "order",
    "require",
    "require_in",
    "watch",
    "watch_in",
    "onchanges",
    "onchanges_in",
    "onfail",
    "onfail_in",
    "prereq",
    "prereq_in",
    "listen",
    "listen_in",
    "unless",
    "onlyif",
    "creates",
    "check_cmd",
    "retry",
    "failhard",
    "parallel",
    "reload_modules",
    "fire_event",
    "saltenv",
    "reload_grains",
    "reload_pillar",
    "use",
];

fn run(call: &Call<'_>) -> Result<Plan, StateError> {
    let calls = calls(call)?;
    let names: Vec<String> = calls.iter().map(|(name, _)| name.clone()).collect();
    let unknown: Vec<&str> = names.iter().map(String::as_str).filter(|name| !known(call, name)).collect();
    match unknown[..] {
        [] => {}
        [one] if is_old(call) => return failed(format!("Module function {one} is not available")),
        _ => return failed(format!("Unavailable function: {}.", unknown.join(", "))),
    }
    let old = is_old(call);
    let comment = match old {
        true => format!("Module function {} is set to execute", names[0]),
        false => format!("Function {} to be executed.", names.join(", ")),
    };
    Plan::change(comment, json!({}), move |doing| {
        let mut changes = Map::new();
        let (mut good, mut comments) = (true, Vec::new());
        for (name, args) in calls {
            match plan::call(doing.context, &name, args) {
                Ok(value) => {
                    good &= went_well(&value);
                    comments.push(match old {
                        true => format!("Module function {name} executed"),
                        false => format!("{name}: {}", shown(&value)),
                    });
                    changes.insert(if old { "ret".into() } else { name }, value);
                }
                Err(why) => {
                    good = false;
                    comments.push(match old {
                        true => format!("Module function {name} threw an exception. Exception: {why}"),
                        false => format!("'{name}' failed: {why}"),
                    });
                }
            }
        }
        Ok(Done { result: good, ..Done::new(comments.join("\n"), changes) })
    })
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Null => value::python_str(value),
        _ => "Success".into(),
    }
}

fn known(call: &Call<'_>, name: &str) -> bool {
    call.context().functions.find(name).is_some()
}

/// Salt's old form names the function in `name`; the new one has a key for each function.
fn is_old(call: &Call<'_>) -> bool {
    !call.low.iter().any(|(key, _)| key.contains('.'))
}

fn calls(call: &Call<'_>) -> Result<Vec<(String, Args)>, StateError> {
    if !is_old(call) {
        let new = call.low.iter().filter(|(key, _)| key.contains('.'));
        return Ok(new.map(|(name, given)| (name.clone(), arguments(given))).collect());
    }
    let name = call.name();
    if !name.contains('.') {
        return failed(format!("Module function {name} is not available"));
    }
    let mut named: Map = call.low.clone();
    named.retain(|key, _| !OWN.contains(&key.as_str()) && !key.starts_with("__"));
    let mut positional = Vec::new();
    if let Some(args) = named.shift_remove("args") {
        positional.extend(if let Value::Array(args) = args { args } else { vec![args] });
    }
    if let Some(Value::Object(more)) = named.shift_remove("kwargs") {
        named.extend(more);
    }
    // `m_name` stands for `name`, which is the state's own.
    let renamed: Vec<String> = named.keys().filter(|key| key.starts_with("m_")).cloned().collect();
    for key in renamed {
        if let Some(value) = named.shift_remove(&key) {
            named.insert(key[2..].to_owned(), value);
        }
    }
    Ok(vec![(name, Args { positional, named })])
}

/// A list of values and of mappings, or a mapping.
fn arguments(given: &Value) -> Args {
    let mut args = Args::default();
    let items = match given {
        Value::Array(items) => items.as_slice(),
        Value::Null => &[],
        one => std::slice::from_ref(one),
    };
    for item in items {
        match item {
            Value::Object(map) => args.named.extend(map.clone()),
            other => args.positional.push(other.clone()),
        }
    }
    args
}

/// A function that gives false, or a mapping that says so, has failed.
fn went_well(value: &Value) -> bool {
    match value {
        Value::Bool(good) => *good,
        Value::Object(map) => match (map.get("retcode"), map.get("result")) {
            (Some(code), _) if code.is_i64() => code.as_i64() == Some(0),
            (_, Some(result)) => truth(result),
            _ => true,
        },
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Memory, apply};

    #[test]
    fn both_forms_call_a_function() {
        let host = Memory::new(json!({"os": "Debian"}));
        for (sls, changes) in [
            ("x:\n  module.run:\n    - name: grains.get\n    - key: os\n", json!({"ret": "Debian"})),
            ("x:\n  module.run:\n    - name: grains.get\n    - args: [os]\n", json!({"ret": "Debian"})),
            (
                "x:\n  module.run:\n    - grains.get:\n      - os\n    - grains.item:\n      - os\n",
                json!({"grains.get": "Debian", "grains.item": {"os": "Debian"}}),
            ),
            ("x:\n  module.run:\n    - grains.get:\n      - key: os\n", json!({"grains.get": "Debian"})),
        ] {
            assert_eq!(apply(&host, sls, true)[0].1, Value::Null, "{sls}");
            let row = apply(&host, sls, false).pop().unwrap();
            assert_eq!((row.1, row.3), (json!(true), changes), "{sls}");
        }
        let row = apply(&host, "x:\n  module.run:\n    - name: nope.nope\n", false).pop().unwrap();
        assert_eq!((row.1, row.2.as_str()), (json!(false), "Module function nope.nope is not available"));
        let row = apply(&host, "x:\n  module.wait:\n    - name: grains.get\n    - key: os\n", false).pop().unwrap();
        assert_eq!((row.1, row.3), (json!(true), json!({})));
    }
}
