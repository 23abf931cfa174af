//! `test.*`: states that do nothing, for trying requisites and trees.

use proto::{Args, Map, Value};
use serde_json::json;

use super::params::test as params;
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "test",
    states: &[
        State {
            name: "nop",
            doc: "Does nothing, with success.\n\n    x:\n      test.nop",
            params: params::NOP,
            plan: |_| Plan::keep("Success!"),
        },
        State {
            name: "succeed_without_changes",
            doc: "Succeeds.\n\n    x:\n      test.succeed_without_changes",
            params: params::SUCCEED_WITHOUT_CHANGES,
            plan: |call| Plan::keep(call.text_or("comment", "Success!")),
        },
        State {
            name: "fail_without_changes",
            doc: "Fails.\n\n    x:\n      test.fail_without_changes",
            params: params::FAIL_WITHOUT_CHANGES,
            plan: |call| match call.test {
                true => failed("If we weren't testing, this would be a failure!"),
                false => failed(call.text_or("comment", "Failure!")),
            },
        },
        State {
            name: "succeed_with_changes",
            doc: "Succeeds and says that it changed something.\n\n    x:\n      test.succeed_with_changes",
            params: params::SUCCEED_WITH_CHANGES,
            plan: |call| {
                let done = Done::new(call.text_or("comment", "Success!"), pretended());
                Plan::change("If we weren't testing, this would be successful with changes", pretended(), |_| Ok(done))
            },
        },
        State {
            name: "fail_with_changes",
            doc: "Fails and says that it changed something.\n\n    x:\n      test.fail_with_changes",
            params: params::FAIL_WITH_CHANGES,
            plan: |call| {
                let done = Done::failed(call.text_or("comment", "Failure!"), pretended());
                Plan::change("If we weren't testing, this would be failed with changes", pretended(), |_| Ok(done))
            },
        },
        State {
            name: "configurable_test_state",
            doc: "Ends as its arguments say.\n\n    x:\n      test.configurable_test_state:\n        - changes: True\n        - result: False\n        - comment: bad",
            params: params::CONFIGURABLE_TEST_STATE,
            plan: configurable,
        },
        State {
            name: "show_notification",
            doc: "Shows a text in the result.\n\n    x:\n      test.show_notification:\n        - text: Hello",
            params: params::SHOW_NOTIFICATION,
            plan: |call| match call.some_text("text") {
                Some(text) => Plan::keep(text),
                None => failed("Missing required argument text."),
            },
        },
        State {
            name: "check_pillar",
            doc: "Fails unless the pillar has some keys, of the right types.\n\n    x:\n      test.check_pillar:\n        - present: [role]\n        - integer: [web:port]",
            params: params::CHECK_PILLAR,
            plan: check_pillar,
        },
    ],
    watch: Some(watch),
};

fn pretended() -> Value {
    json!({"testing": {"old": "Unchanged", "new": "Something pretended to change"}})
}

/// `True`, `False` or `random`.
fn choice(call: &Call<'_>, key: &str) -> Result<bool, StateError> {
    match call.value(key) {
        None => Ok(true),
        Some(Value::Bool(given)) => Ok(*given),
        Some(other) if value::python_str(other).eq_ignore_ascii_case("random") => Ok(rand::random()),
        Some(_) => failed(format!(
            "You have specified the state option '{key}' with invalid arguments. It must be either True, False, or \
             'Random'"
        )),
    }
}

fn configurable(call: &Call<'_>) -> Result<Plan, StateError> {
    let (changes, result) = (choice(call, "changes")?, choice(call, "result")?);
    let comment = call.text_or("comment", "");
    let mut more = Map::new();
    match call.value("warnings") {
        None => {}
        Some(Value::String(one)) => drop(more.insert("warnings".into(), json!([one]))),
        Some(list @ Value::Array(_)) => drop(more.insert("warnings".into(), list.clone())),
        Some(_) => {
            return failed(
                "You have specified the state option 'warnings' with invalid arguments. It must be a string or a \
                 list of strings",
            );
        }
    }
    let shown = if changes { pretended() } else { json!({}) };
    let done = Done { result, more, ..Done::new(comment.clone(), shown.clone()) };
    if !call.test {
        // What ends without change is no plan to change anything.
        return if changes { Plan::change("", shown, |_| Ok(done)) } else { Ok(Plan::KeepWith(done)) };
    }
    let comment = if comment.is_empty() { "This is a test".to_owned() } else { comment };
    let fails = call.flag("allow_test_mode_failure", false) && call.value("result") == Some(&Value::Bool(false));
    if fails || call.value("changes") == Some(&Value::Bool(false)) {
        return Ok(Plan::KeepWith(Done { result: !fails, comment, ..done }));
    }
    let more = done.more.clone();
    Ok(Plan::change(comment, shown, |_| Ok(done))?.with_more(more))
}

type Check = (&'static str, &'static str, fn(&Value) -> bool);

/// The lists of keys, the type that their values are to have, and Python's name of it.
const CHECKS: [Check; 6] = [
    ("present", "None", |_| true),
    ("boolean", "<class 'bool'>", Value::is_boolean),
    ("integer", "<class 'int'>", |value| value.is_i64() || value.is_u64() || value.is_boolean()),
    ("string", "(<class 'str'>,)", Value::is_string),
    ("listing", "<class 'list'>", Value::is_array),
    ("dictionary", "<class 'dict'>", Value::is_object),
];

fn check_pillar(call: &Call<'_>) -> Result<Plan, StateError> {
    if CHECKS.iter().all(|(list, ..)| call.list(list).is_empty()) {
        return failed("Missing required argument text.");
    }
    let (mut bad, mut fine) = (String::new(), String::new());
    for (list, type_name, fits) in CHECKS {
        for key in call.list(list) {
            let args = Args::positional([Value::String(key.clone()), Value::Null]).with("unmask", true);
            match call.call("pillar.get", args)? {
                Value::Null => bad.push_str(&format!("Pillar key \"{key}\" is missing.\n")),
                found if fits(&found) => fine.push_str(&format!("- {key} ({type_name})\n")),
                _ => bad.push_str(&format!("Pillar key \"{key}\" is not {type_name}.\n")),
            }
        }
    }
    let shown = match call.flag("verbose", false) && !fine.is_empty() {
        true => format!("{bad}Those keys passed the check:\n{fine}"),
        false => bad.clone(),
    };
    if bad.is_empty() { Plan::keep(shown) } else { failed(shown) }
}

fn watch(call: &Call<'_>) -> Result<Plan, StateError> {
    let changes = match call.value("changes") {
        Some(Value::Object(map)) => map.clone(),
        _ => [("Requisites with changes".to_owned(), call.watched.iter().cloned().collect::<Value>())]
            .into_iter()
            .collect(),
    };
    let done = Done {
        result: call.flag("result", true),
        ..Done::new(call.text_or("comment", "Watch statement fired."), changes)
    };
    Ok(Plan::KeepWith(done))
}
