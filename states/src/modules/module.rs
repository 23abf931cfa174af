//! `module.*`: execution functions called by a state.

use proto::{Args, Map, Value};
use serde_json::json;

use super::params::module as params;
use crate::{
    plan::{self, Call, Doing, Done, Plan, State, StateError, StateModule, failed},
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
        _ => {
            let comment = format!("Unavailable function: {}.", unknown.join(", "));
            let more = [("name".to_owned(), json!(names))].into_iter().collect();
            return Ok(Plan::KeepWith(Done { more, ..Done::failed(comment, Map::new()) }));
        }
    }
    let old = is_old(call);
    let comment = match old {
        true => format!("Module function {} is set to execute", names[0]),
        false => format!("Function {} to be executed.", names.join(", ")),
    };
    // Salt's new form has no name but those of its functions.
    let more: Map = if old { Map::new() } else { [("name".to_owned(), json!(names))].into_iter().collect() };
    let shown_names = more.clone();
    let plan = Plan::change(comment, json!({}), move |doing| {
        if let Some(done) = doing.foretold() {
            return Ok(done);
        }
        let mut ran = Ran::default();
        for (name, args) in calls {
            ran.call(doing, name, args, old);
        }
        Ok(Done { more, ..ran.into_done() })
    });
    Ok(plan?.with_more(shown_names))
}

/// What came of the functions so far.
#[derive(Default)]
struct Ran {
    failures: Vec<String>,
    successes: Vec<String>,
    changes: Map,
}

impl Ran {
    fn call(&mut self, doing: &Doing<'_>, name: String, args: Args, old: bool) {
        match plan::call(doing.context, &name, args) {
            Ok(value) if old => {
                let said = format!("Module function {name} executed");
                if went_well(&value) { &mut self.successes } else { &mut self.failures }.push(said);
                self.changes.insert("ret".into(), value);
            }
            Ok(value) if went_well(&value) => {
                self.successes.push(format!("{name}: {}", shown(&value)));
                self.changes.insert(name, value);
            }
            Ok(Value::Object(map)) => {
                let why = map.get("comment").map_or("(error message N/A)".into(), value::python_str);
                self.failures.push(format!("'{name}' failed: {why}"));
            }
            Ok(value) => self.failures.push(format!("'{name}': {}", shown(&value))),
            Err(why) if old => {
                self.failures.push(format!("Module function {name} threw an exception. Exception: {why}"));
            }
            Err(why) => self.failures.push(format!("'{name}' failed: {why}")),
        }
    }

    /// What failed is said first.
    fn into_done(self) -> Done {
        let result = self.failures.is_empty();
        let comments: Vec<String> = self.failures.into_iter().chain(self.successes).collect();
        Done { result, ..Done::new(comments.join(", "), self.changes) }
    }
}

/// What Salt says of a value: of a mapping its comment, else the value.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(map) => map.get("comment").map_or("Success".into(), value::python_str),
        other => value::python_str(other),
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

/// A function that gives false, or a mapping that says so somewhere, has failed.
fn went_well(value: &Value) -> bool {
    match value {
        Value::Bool(good) => *good,
        Value::Object(map) => !map.iter().any(|(key, value)| match (key.as_str(), value) {
            ("result", value) => *value == Value::Bool(false),
            ("retcode", value) => value.as_i64() != Some(0),
            (_, Value::Object(_)) => !went_well(value),
            _ => false,
        }),
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
