//! `grains.*` that write the file of static grains; those that read are `states::functions`'.
//! Salt's `modules/grains.py`.

mod edit;

use std::path::PathBuf;

use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Context, Effect, Function, call::Param, yaml};

use super::bind::{Bound, bind, need, text_of, with};

pub static TABLE: &[Function] = &[
    Function {
        name: "grains.setval",
        doc: "Sets a static grain.\n\n    ctl run web1 grains.setval role web",
        params: SETVAL,
        effect: Effect::Writes,
        call: |context, args| {
            let bound = bind("grains.setval", SETVAL, args)?;
            let value = bound.value("val").cloned().unwrap_or_default();
            let new = Map::from_iter([(bound.need_text("key")?, value)]);
            store(context, new, bound.flag("destructive", false))
        },
    },
    Function {
        name: "grains.setvals",
        doc: "Sets several static grains.\n\n    ctl run web1 grains.setvals '{role: web, rack: 7}'",
        params: SETVALS,
        effect: Effect::Writes,
        call: |context, args| {
            let bound = bind("grains.setvals", SETVALS, args)?;
            match bound.value("grains") {
                Some(Value::Object(new)) => store(context, new.clone(), bound.flag("destructive", false)),
                _ => Err(CallError::arguments("setvals grains must be a dictionary.")),
            }
        },
    },
    Function {
        name: "grains.append",
        doc: "Adds a value to a grain that is a list.\n\n    ctl run web1 grains.append roles web",
        params: APPEND,
        effect: Effect::Writes,
        call: append,
    },
    Function {
        name: "grains.remove",
        doc: "Takes a value out of a grain that is a list.\n\n    ctl run web1 grains.remove roles web",
        params: REMOVE,
        effect: Effect::Writes,
        call: remove,
    },
    Function {
        name: "grains.set",
        doc: "Sets a static grain, or a part of one (`app:port`), and says what changed.\n\n\
              ctl run web1 grains.set app:port 8080",
        params: SET,
        effect: Effect::Writes,
        call: |context, args| {
            let bound = bind("grains.set", SET, args)?;
            let value = bound
                .value("val")
                .cloned()
                .unwrap_or_else(|| if bound.is_null("val") { Value::Null } else { "".into() });
            set(context, &bound, value, bound.flag("destructive", false))
        },
    },
    Function {
        name: "grains.delval",
        doc: "Sets a grain to null, or removes it (`destructive`).\n\n    ctl run web1 grains.delval role",
        params: DELVAL,
        effect: Effect::Writes,
        call: |context, args| {
            let bound = bind("grains.delval", DELVAL, args)?;
            set(context, &bound, Value::Null, bound.flag("destructive", false))
        },
    },
    Function {
        name: "grains.delkey",
        doc: "Removes a grain.\n\n    ctl run web1 grains.delkey role",
        params: DELKEY,
        effect: Effect::Writes,
        call: |context, args| set(context, &bind("grains.delkey", DELKEY, args)?, Value::Null, true),
    },
];

static SETVAL: &[Param] = &[need("key"), need("val"), with("destructive", "False"), with("refresh_pillar", "True")];
static SETVALS: &[Param] = &[need("grains"), with("destructive", "False"), with("refresh_pillar", "True")];
static APPEND: &[Param] = &[need("key"), need("val"), with("convert", "False"), with("delimiter", "':'")];
static REMOVE: &[Param] = &[need("key"), need("val"), with("delimiter", "':'")];
static SET: &[Param] =
    &[need("key"), with("val", "''"), with("force", "False"), with("destructive", "False"), with("delimiter", "':'")];
static DELVAL: &[Param] = &[need("key"), with("destructive", "False"), with("force", "False")];
static DELKEY: &[Param] = &[need("key"), with("force", "False")];

fn delimiter(bound: &Bound) -> Result<String, CallError> {
    Ok(bound.text("delimiter")?.filter(|text| !text.is_empty()).unwrap_or_else(|| ":".into()))
}

fn find(context: &Context<'_>, bound: &Bound, key: &str) -> Result<Option<Value>, CallError> {
    Ok(edit::traverse(context.look.grains(), key, &delimiter(bound)?).cloned())
}

fn path(context: &Context<'_>) -> Result<PathBuf, CallError> {
    let dir = context.opts.get("config_dir").and_then(Value::as_str);
    dir.map(|dir| PathBuf::from(dir).join("grains"))
        .ok_or_else(|| CallError::failed("the minion has no configuration folder"))
}

/// Writes static grains into the file beside the configuration. Gives what was set.
fn store(context: &Context<'_>, new: Map, destructive: bool) -> Result<Value, CallError> {
    let path = path(context)?;
    let mut grains = match context.look.read(&path, 16 << 20) {
        Ok(bytes) => edit::parse(&path, &bytes)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Map::new(),
        Err(error) => return Err(CallError::failed(format!("{}: {error}", path.display()))),
    };
    for (key, value) in &new {
        match value.is_null() && destructive {
            true => drop(grains.shift_remove(key)),
            false => drop(grains.insert(key.clone(), value.clone())),
        }
    }
    let text = yaml::emit(&Value::Object(grains));
    let failed = |error| CallError::failed(format!("{}: {error}", path.display()));
    context.host()?.write(&path, text.as_bytes(), 0o644).map_err(failed)?;
    if let Some(agent) = context.agent {
        agent.refresh_grains();
    }
    Ok(new.into())
}

fn append(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("grains.append", APPEND, args)?;
    let (key, value) = (bound.need_text("key")?, bound.value("val").cloned().unwrap_or_default());
    let mut list = match find(context, &bound, &key)? {
        None => Vec::new(),
        Some(Value::Array(list)) => list,
        Some(Value::Null) if bound.flag("convert", false) => Vec::new(),
        Some(other) if bound.flag("convert", false) => vec![other],
        Some(_) => return Ok(format!("The key {key} is not a valid list").into()),
    };
    if list.contains(&value) {
        return Ok(format!("The val {} was already in the list {key}", text_of(&value)).into());
    }
    match value {
        Value::Array(values) => list.extend(values),
        value => list.push(value),
    }
    put(context, &bound, &key, list.into())
}

fn remove(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("grains.remove", REMOVE, args)?;
    let (key, value) = (bound.need_text("key")?, bound.value("val").cloned().unwrap_or_default());
    let Some(Value::Array(mut list)) = find(context, &bound, &key)?.or_else(|| Some(Value::Array(vec![]))) else {
        return Ok(format!("The key {key} is not a valid list").into());
    };
    let Some(at) = list.iter().position(|item| *item == value) else {
        return Ok(format!("The val {} was not in the list {key}", text_of(&value)).into());
    };
    list.remove(at);
    put(context, &bound, &key, list.into())
}

/// Puts a value where the key says, and stores the whole grain that it lies in.
fn put(context: &Context<'_>, bound: &Bound, key: &str, value: Value) -> Result<Value, CallError> {
    let (name, grain) = edit::nest(context.look.grains(), key, &delimiter(bound)?, value);
    store(context, Map::from_iter([(name, grain)]), false)
}

fn set(context: &Context<'_>, bound: &Bound, value: Value, destructive: bool) -> Result<Value, CallError> {
    let (key, delimiter) = (bound.need_text("key")?, delimiter(bound)?);
    let outcome = |result: bool, comment: String, changes: Value| json!({"comment": comment, "changes": changes, "result": result});
    match edit::set(context.look.grains(), &key, &delimiter, value, bound.flag("force", false), destructive) {
        edit::Edit::Same => Ok(outcome(true, "Grain is already set".into(), json!({}))),
        edit::Edit::Refused(why) => Ok(outcome(false, why, json!({}))),
        edit::Edit::Store { name, grain } => {
            let changes = store(context, Map::from_iter([(name, grain)]), destructive)?;
            Ok(outcome(true, String::new(), changes))
        }
    }
}
