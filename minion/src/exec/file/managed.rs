//! What the state `file.managed` is made of in Salt, done by that state.

use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Context, Function};

use super::path;
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.manage_file",
        Writes,
        [
            need("name"),
            need("sfn"),
            need("ret"),
            need("source"),
            need("source_sum"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("saltenv"),
            need("backup"),
            with("makedirs", "False"),
            with("template", "None"),
            with("show_changes", "True"),
            with("contents", "None"),
            with("dir_mode", "None"),
            with("follow_symlinks", "True"),
            with("skip_verify", "False"),
            with("keep_mode", "False"),
            with("verify_ssl", "True"),
            with("new_file_diff", "False"),
            NAMED,
        ],
        manage_file,
        "Puts a file in place with a content, an owner and a mode: what the state `file.managed` does.\n\n    \
         ctl run '*' file.manage_file /etc/motd '' '{}' salt://motd '{}' root root 644 '' base ''"
    ),
    row!(
        "file.check_managed",
        Reads,
        [
            need("name"),
            need("source"),
            need("source_hash"),
            need("source_hash_name"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("template"),
            need("context"),
            need("defaults"),
            need("saltenv"),
            with("contents", "None"),
            with("skip_verify", "False"),
            NAMED,
        ],
        |context, bound| {
            let changes = planned(context, bound)?;
            let lines: Vec<String> =
                changes.iter().map(|(key, value)| format!("{key}: {}\n", text_of(value))).collect();
            Ok(match lines.is_empty() {
                true => json!([true, format!("The file {} is in the correct state", path(bound, "name")?)]),
                false => json!([null, format!("The following values are set to be changed:\n{}", lines.concat())]),
            })
        },
        "Tells whether a file is as `file.managed` would make it.\n\n    \
         ctl run '*' file.check_managed /etc/motd salt://motd '' '' root root 755 '' jinja '' '' base"
    ),
    row!(
        "file.check_managed_changes",
        Reads,
        [
            need("name"),
            need("source"),
            need("source_hash"),
            need("source_hash_name"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("template"),
            need("context"),
            need("defaults"),
            need("saltenv"),
            with("contents", "None"),
            with("skip_verify", "False"),
            NAMED,
        ],
        |context, bound| planned(context, bound).map(Value::Object),
        "Shows what `file.managed` would change of a file.\n\n    \
         ctl run '*' file.check_managed_changes /etc/motd salt://motd '' '' root root 755 '' jinja '' '' base"
    ),
    row!(
        "file.apply_template_on_contents",
        Reads,
        [need("contents"), need("template"), need("context"), need("defaults"), need("saltenv")],
        apply_template,
        "Renders a text as a template.\n\n    \
         ctl run '*' file.apply_template_on_contents 'hello {{ who }}' jinja '{who: world}' '{}' base"
    ),
];

/// Arguments that mean the same to the state; those that are empty are left out.
const SAME: &[&str] = &[
    "source",
    "source_hash",
    "source_hash_name",
    "user",
    "group",
    "mode",
    "template",
    "context",
    "defaults",
    "saltenv",
    "backup",
    "makedirs",
    "show_changes",
    "contents",
    "dir_mode",
    "follow_symlinks",
    "skip_verify",
    "verify_ssl",
    "new_file_diff",
];

/// What the state says of it; with `test` nothing is changed.
fn state(context: &Context<'_>, bound: &Bound, test: bool, source: Option<Value>) -> Result<Value, CallError> {
    let mut args = Args::positional(["file.managed".into(), path(bound, "name")?.into()]);
    for key in SAME {
        let given = bound.value(key).filter(|value| truth(value) || value.is_boolean());
        if let Some(value) = given {
            args = args.with(key, value.clone());
        }
    }
    if let Some(source) = source {
        args = args.with("source", source).with("skip_verify", true);
    }
    let silent = Context { progress: &|_| {}, ..context.copy() };
    let name = "state.single".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let rows = silent.call(&name, args.with("test", test).with("concurrent", true))?;
    Ok(rows.as_object().and_then(|rows| rows.values().next()).cloned().unwrap_or(rows))
}

fn manage_file(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let cached = bound.value("sfn").filter(|value| truth(value)).cloned();
    let row = state(context, bound, false, cached)?;
    let mut ret = match bound.value("ret") {
        Some(Value::Object(given)) if !given.is_empty() => Value::Object(given.clone()),
        _ => json!({"name": path(bound, "name")?, "changes": {}, "comment": "", "result": true}),
    };
    for key in ["changes", "comment", "result"] {
        ret[key] = row[key].clone();
    }
    Ok(ret)
}

fn planned(context: &Context<'_>, bound: &Bound) -> Result<Map, CallError> {
    let row = state(context, bound, true, None)?;
    match &row["result"] {
        Value::Bool(false) => Err(CallError::failed(text_of(&row["comment"]))),
        _ => Ok(row["changes"].as_object().cloned().unwrap_or_default()),
    }
}

fn apply_template(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let engine = bound.need_text("template")?;
    if engine != "jinja" {
        let why = format!("Specified template format {engine} is not supported");
        return Ok(json!({"result": false, "comment": why}));
    }
    let mut args = Args::default().with("string", bound.need_text("contents")?).with("default_renderer", "jinja");
    for key in ["defaults", "context"] {
        for (name, value) in bound.value(key).and_then(Value::as_object).into_iter().flatten() {
            args = args.with(name, value.clone());
        }
    }
    let name = "slsutil.renderer".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    context.call(&name, args)
}
