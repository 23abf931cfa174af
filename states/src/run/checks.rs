//! `onlyif`, `unless`, `creates` before a state, `check_cmd` after it.

use std::path::Path;

use proto::{Args, Map, Value};

use super::slots;
use crate::{
    Context, merge,
    plan::{Call, StateError, call},
    resource::command,
    value,
};

/// Why a state need not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip(pub String);

/// Whether the state's own conditions say that it is not to run.
pub fn before(call: &Call<'_>) -> Option<Skip> {
    let verdicts = [
        call.low.get("onlyif").map(|conditions| onlyif(call, conditions)),
        call.low.get("unless").map(|conditions| unless(call, conditions)),
        call.low.get("creates").map(|paths| creates(call, paths)),
    ];
    let verdicts: Vec<(bool, String)> = verdicts.into_iter().flatten().collect();
    if !verdicts.iter().any(|(skip, _)| *skip) {
        return None;
    }
    let comments: Vec<String> = verdicts.into_iter().map(|(_, comment)| comment).collect();
    Some(Skip(comments.join("\n")))
}

/// Whether a state's conditions are commands, which see the host alone and nothing that is planned.
pub fn has_commands(low: &Map) -> bool {
    let conditions = ["onlyif", "unless"].into_iter().filter_map(|key| low.get(key));
    conditions.flat_map(each).any(Value::is_string)
}

fn each(conditions: &Value) -> &[Value] {
    match conditions {
        Value::Array(items) => items,
        one => std::slice::from_ref(one),
    }
}

fn onlyif(call: &Call<'_>, conditions: &Value) -> (bool, String) {
    let mut comment = String::new();
    for condition in each(conditions) {
        match holds(call, condition, 100) {
            Ok(true) => comment = "onlyif condition is true".into(),
            Ok(false) => return (true, "onlyif condition is false".into()),
            Err(Bad::Function) => return (false, format!("no `fun` argument in onlyif: {}", shown(condition))),
            Err(Bad::Type) => return (false, "onlyif execution failed, bad type passed".into()),
        }
    }
    (false, comment)
}

/// The state is skipped if all of them hold.
fn unless(call: &Call<'_>, conditions: &Value) -> (bool, String) {
    let mut verdict = (false, String::new());
    for condition in each(conditions) {
        match holds(call, condition, 0) {
            Ok(true) => verdict = (true, "unless condition is true".into()),
            Ok(false) => return (false, "unless condition is false".into()),
            Err(Bad::Function) => return (false, format!("no `fun` argument in unless: {}", shown(condition))),
            Err(Bad::Type) => verdict = (false, "unless condition is false, bad type passed".into()),
        }
    }
    verdict
}

fn shown(value: &Value) -> String {
    value::python_repr(value)
}

enum Bad {
    Function,
    Type,
}

/// Whether a command ends with 0, or a function gives something. `broken` is the code of a
/// command that cannot be started.
fn holds(call: &Call<'_>, condition: &Value, broken: i32) -> Result<bool, Bad> {
    match condition {
        Value::String(text) => Ok(retcode(call, text, true).unwrap_or(broken) == 0),
        Value::Object(map) => {
            let Some(function) = map.get("fun").map(value::python_str) else { return Err(Bad::Function) };
            Ok(function_holds(call, &function, map).unwrap_or(false))
        }
        _ => Err(Bad::Type),
    }
}

fn function_holds(of: &Call<'_>, function: &str, condition: &Map) -> Result<bool, StateError> {
    let mut named = condition.clone();
    named.shift_remove("fun");
    let wanted = named.shift_remove("get_return").map(|path| value::python_str(&path));
    let positional = match named.shift_remove("args") {
        Some(Value::Array(args)) => args,
        Some(one) => vec![one],
        None => Vec::new(),
    };
    let code = std::sync::atomic::AtomicI32::new(0);
    let context = Context { retcode: &code, ..of.context.copy() };
    let all: Map =
        [("args".to_owned(), Value::Array(positional)), ("named".to_owned(), named.into())].into_iter().collect();
    let mut all = slots::filled(&context, &all)?.into_owned();
    let (positional, named) = match (all.shift_remove("args"), all.shift_remove("named")) {
        (Some(Value::Array(positional)), Some(Value::Object(named))) => (positional, named),
        _ => (Vec::new(), Map::new()),
    };
    let given = call(&context, function, Args { positional, named })?;
    let given = match wanted {
        Some(path) => merge::traverse(&given, &path, ":").cloned().unwrap_or(Value::Null),
        None => given,
    };
    Ok(match code.into_inner() {
        0 => crate::functions::truth(&given),
        _ => false,
    })
}

fn creates(call: &Call<'_>, paths: &Value) -> (bool, String) {
    let exists = |path: &Value| crate::resource::files::exists(call.look, Path::new(&value::python_str(path)));
    match paths {
        Value::String(path) if exists(paths) => (true, format!("{path} exists")),
        Value::Array(all) if all.iter().all(exists) => (true, "All files in creates exist".into()),
        _ => (false, "Creates files not found".into()),
    }
}

/// The arguments of a state that its conditions are run with too (`_run_check` of `salt.state`). Its `user` is not
/// among them: that is whom a file or a checkout belongs to.
const SETTINGS: [&str; 9] =
    ["cwd", "root", "runas", "env", "prepend_path", "umask", "timeout", "success_retcodes", "shell"];

/// The exit code of a condition's command, run with the state's own settings.
fn retcode(call: &Call<'_>, text: &str, with_settings: bool) -> Option<i32> {
    let left_out = call.list("cmd_opts_exclude");
    let settings = |key: &str| {
        let is_used = with_settings && SETTINGS.contains(&key) && !left_out.iter().any(|other| other == key);
        if is_used { call.low.get(key).cloned() } else { None }
    };
    let command = command::shell(call.look, text, &settings).ok()?;
    let output = match call.context.host {
        Some(host) if !call.test => host.run(&command),
        _ => call.look.probe(&command),
    };
    let output = output.ok()?;
    let good = settings("success_retcodes")
        .is_some_and(|codes| each(&codes).iter().any(|code| code.as_i64() == Some(i64::from(output.code))));
    Some(if good { 0 } else { output.code })
}

/// `check_cmd`: whether the state's commands say that it has succeeded.
pub fn after(call: &Call<'_>) -> Option<(bool, &'static str)> {
    let commands = call.low.get("check_cmd")?;
    let good = each(commands).iter().all(|text| retcode(call, &value::python_str(text), false) == Some(0));
    Some(match good {
        true => (true, "check_cmd determined the state succeeded"),
        false => (false, "check_cmd determined the state failed"),
    })
}
