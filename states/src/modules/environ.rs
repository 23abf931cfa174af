//! `environ.*`: variables for the commands of a run.

use proto::{Map, Value};
use serde_json::json;

use super::params::environ as params;
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::environ,
    value::python_str,
};

pub const MODULE: StateModule = StateModule {
    name: "environ",
    states: &[State {
        name: "setenv",
        doc: "Sets variables of the environment for what the rest of this run starts.\n\n    proxy:\n      environ.setenv:\n        - value:\n            http_proxy: http://proxy:3128",
        params: params::SETENV,
        plan: setenv,
    }],
    watch: None,
};

fn setenv(call: &Call<'_>) -> Result<Plan, StateError> {
    let wanted: Map = match call.low.get("value") {
        Some(value @ (Value::String(_) | Value::Bool(false))) => [(call.name(), value.clone())].into_iter().collect(),
        Some(Value::Object(map)) => map.clone(),
        _ => return failed("Environ value must be string, dict or False"),
    };
    if let Some(bad) = wanted.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        return failed(format!("{bad:?} cannot be the name of a variable"));
    }
    let unset = call.flag("false_unsets", false);
    let gone = || if unset { Value::Null } else { Value::from("") };
    let mut changes = Map::new();
    if call.flag("clear_all", false) {
        let others = environ::names().into_iter().filter(|name| !wanted.contains_key(name));
        changes.extend(others.map(|name| (name, gone())));
    }
    for (name, value) in &wanted {
        let now = environ::get(name);
        match value {
            Value::Bool(false) if unset && now.is_none() => {}
            Value::Bool(false) if !unset && now.as_deref() == Some("") => {}
            Value::Bool(false) => drop(changes.insert(name.clone(), gone())),
            value if now.as_deref() == Some(&python_str(value)) => {}
            value => drop(changes.insert(name.clone(), value.clone())),
        }
    }
    // As in Salt, a number or a list is no value, wherever it comes from.
    if wanted.values().any(|value| !value.is_string() && *value != Value::Bool(false)) {
        return Err(StateError::WithChanges { comment: "Failed to set environ variables".into(), changes });
    }
    if changes.is_empty() {
        let word = if call.test { "are" } else { "were" };
        return Plan::keep(format!("Environ values {word} already set with the correct values"));
    }
    Plan::change("Environ values will be changed", changes.clone(), move |doing| {
        // A dry run sets nothing, not even for itself.
        if doing.is_real {
            for (name, value) in &changes {
                environ::set(name, value.as_str().map(str::to_owned));
            }
        }
        Ok(Done::new("Environ values were set", json!(changes)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, thrice};

    #[test]
    fn commands_of_the_run_find_what_was_set() {
        let host = Memory::new(json!({}));
        let sls = "OVERSTATE_TEST_A:\n  environ.setenv:\n    - value: one\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!((test.1.as_str(), &test.2), ("Environ values will be changed", &json!({"OVERSTATE_TEST_A": "one"})));
        assert_eq!((first.1.as_str(), &first.2), ("Environ values were set", &json!({"OVERSTATE_TEST_A": "one"})));
        assert_eq!(second.1, "Environ values were already set with the correct values");
        let command = crate::resource::command::shell(&host, "true", &|_| None).unwrap();
        assert!(command.env.contains(&("OVERSTATE_TEST_A".into(), "one".into())));
        let sls = "x:\n  environ.setenv:\n    - false_unsets: True\n    - value: {OVERSTATE_TEST_A: False}\n";
        assert_eq!(thrice(&host, &[("t.sls", sls)])[1].2, json!({"OVERSTATE_TEST_A": null}));
        let rows = apply(&host, "x:\n  environ.setenv:\n    - value: 7\n", false);
        assert_eq!(rows[0].2, "Environ value must be string, dict or False");
        let sls = "x:\n  environ.setenv:\n    - value: {OVERSTATE_TEST_B: [a]}\n";
        for test in [true, false] {
            assert_eq!(apply(&host, sls, test)[0].2, "Failed to set environ variables");
        }
    }
}
