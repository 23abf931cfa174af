//! `state.request` and its kin: a run that is only asked for, for somebody on the host to allow.

use std::path::PathBuf;

use proto::{Args, Map, Value};

use super::{apply, args::Given, opt};
use crate::{CallError, Context, Effect, Function, resource::files::LIMIT};

pub const TABLE: &[Function] = &[
    Function {
        name: "state.request",
        doc: "Asks for a run of states, which `state.run_request` then does: shows what it would change.\n\nctl run '*' state.request web",
        params: &[opt("mods", "None"), opt("name", "default")],
        // A dry run that leaves a note: it needs no turn among the runs.
        effect: Effect::Runs,
        call: request,
    },
    Function {
        name: "state.check_request",
        doc: "Shows the runs that were asked for, or the one of a name.\n\nctl run '*' state.check_request",
        params: &[opt("name", "None")],
        effect: Effect::Reads,
        call: |context, args| {
            let requests = read(context)?;
            match Given::new(&args, &["name"]).get("name").filter(|name| super::truth(name)) {
                None => Ok(Value::Object(requests)),
                Some(name) => {
                    let name = crate::value::python_str(name);
                    let found = requests.get(&name).cloned();
                    found.ok_or_else(|| CallError::failed(format!("there is no request named {name}")))
                }
            }
        },
    },
    Function {
        name: "state.clear_request",
        doc: "Forgets the runs that were asked for, or the one of a name.\n\nctl run '*' state.clear_request",
        params: &[opt("name", "None")],
        effect: Effect::Runs,
        call: |context, args| {
            let mut requests = read(context)?;
            match Given::new(&args, &["name"]).get("name").filter(|name| super::truth(name)) {
                _ if requests.is_empty() => return Ok(true.into()),
                None => requests.clear(),
                Some(name) if requests.shift_remove(&crate::value::python_str(name)).is_none() => {
                    return Ok(false.into());
                }
                Some(_) => {}
            }
            write(context, requests)?;
            Ok(true.into())
        },
    },
    Function {
        name: "state.run_request",
        doc: "Does the run that was asked for, and forgets the requests.\n\nctl run '*' state.run_request",
        params: &[opt("name", "default")],
        effect: Effect::Writes,
        call: run_request,
    },
];

fn path(context: &Context<'_>) -> Result<PathBuf, CallError> {
    let text = |key: &str| context.opts.get(key).and_then(Value::as_str).map(PathBuf::from);
    let cache = text("cachedir").or_else(|| Some(text("root_dir")?.join("cache")));
    let cache = cache.ok_or_else(|| CallError::failed("this host has no cache folder (root_dir)"))?;
    Ok(cache.join("req_state.json"))
}

fn read(context: &Context<'_>) -> Result<Map, CallError> {
    let bytes = context.look.read(&path(context)?, LIMIT).unwrap_or_default();
    Ok(serde_json::from_slice(&bytes).unwrap_or_default())
}

fn write(context: &Context<'_>, requests: Map) -> Result<(), CallError> {
    let (host, path) = (context.host()?, path(context)?);
    let written = match (requests.is_empty(), path.parent()) {
        (true, _) if host.stat(&path).is_err() => Ok(()),
        (true, _) => host.remove(&path),
        (false, parent) => {
            let made = parent.map(|parent| crate::resource::files::make_dirs(host, parent, &Default::default()));
            made.transpose().and_then(|_| host.write(&path, Value::Object(requests).to_string().as_bytes(), 0o600))
        }
    };
    written.map_err(|why| CallError::failed(format!("{} cannot be written: {why}", path.display())))
}

fn request(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = args.named.get("name").map_or("default".into(), crate::value::python_str);
    let mods = Given::new(&args, &["mods"]).get("mods").cloned().unwrap_or_default();
    let mut named = args.named.clone();
    ["mods", "name"].iter().for_each(|own| drop(named.shift_remove(*own)));
    named.insert("test".into(), true.into());
    let wanted = Args { positional: given(&mods), named: named.clone() };
    let answer = apply::apply(&Context { host: None, ..context.copy() }, wanted)?;
    let mut requests = read(context)?;
    requests.insert(name, serde_json::json!({"test_run": answer, "mods": mods, "kwargs": named}));
    write(context, requests)?;
    Ok(answer)
}

fn given(mods: &Value) -> Vec<Value> {
    if super::truth(mods) { vec![mods.clone()] } else { Vec::new() }
}

fn run_request(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = Given::new(&args, &["name"]).text_or("name", "default");
    let requests = read(context)?;
    let Some(Value::Object(wanted)) = requests.get(&name) else { return Ok(Value::Object(Map::new())) };
    let mut named = wanted.get("kwargs").and_then(Value::as_object).cloned().unwrap_or_default();
    named.shift_remove("test");
    named.extend(args.named.iter().filter(|(key, _)| *key != "name").map(|(key, value)| (key.clone(), value.clone())));
    let positional = given(wanted.get("mods").unwrap_or(&Value::Null));
    let answer = apply::apply(context, Args { positional, named })?;
    write(context, Map::new())?;
    Ok(answer)
}
