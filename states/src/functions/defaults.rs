//! `defaults.*`: merging in templates, and a formula's `defaults.yaml`.

use proto::{Args, Map, Value};

use super::{args::Given, need, opt};
use crate::{CallError, Context, Effect, Function, merge, yaml};

pub const TABLE: &[Function] = &[
    Function {
        name: "defaults.merge",
        doc: "Merges the second mapping into the first; in a template the first one changes.\n\nctl run '*' defaults.merge '{a: 1}' '{b: 2}'",
        params: &[
            need("dest"),
            need("src"),
            opt("merge_lists", "False"),
            opt("in_place", "True"),
            opt("convert_none", "True"),
        ],
        effect: Effect::Reads,
        call: merge_into,
    },
    Function {
        name: "defaults.deepcopy",
        doc: "Gives a copy of a value.\n\nctl run '*' defaults.deepcopy '{a: [1]}'",
        params: &[need("source")],
        effect: Effect::Reads,
        call: |_, args| Given::new(&args, &["source"]).need("source").cloned(),
    },
    Function {
        name: "defaults.update",
        doc: "Gives every mapping inside of a mapping the defaults that it lacks.\n\nctl run '*' defaults.update '{a: {x: 1}}' '{y: 2}'",
        params: &[
            need("dest"),
            need("defaults"),
            opt("merge_lists", "True"),
            opt("in_place", "True"),
            opt("convert_none", "True"),
        ],
        effect: Effect::Reads,
        call: update,
    },
    Function {
        name: "defaults.get",
        doc: "Looks up a value in the pillar, then in the formula's defaults.yaml or defaults.json.\n\nctl run '*' defaults.get web:port",
        params: &[need("key"), opt("default", "")],
        effect: Effect::Reads,
        call: get,
    },
];

fn map_or_empty(given: &Given<'_>, name: &str) -> Result<Map, CallError> {
    given.map_or_none(name).map(Option::unwrap_or_default)
}

fn merge_into(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["dest", "src", "merge_lists", "in_place", "convert_none"]);
    let mut dest = map_or_empty(&given, "dest")?;
    merge::update(&mut dest, map_or_empty(&given, "src")?, given.flag("merge_lists", false));
    Ok(Value::Object(dest))
}

fn update(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["dest", "defaults", "merge_lists", "in_place", "convert_none"]);
    let mut dest = map_or_empty(&given, "dest")?;
    let defaults = map_or_empty(&given, "defaults")?;
    for nested in dest.values_mut() {
        let mut merged = defaults.clone();
        match nested {
            Value::Object(own) => merge::update(&mut merged, std::mem::take(own), given.flag("merge_lists", true)),
            Value::Null => {}
            _ => return Err(CallError::arguments("defaults.update needs a mapping of mappings")),
        }
        *nested = Value::Object(merged);
    }
    Ok(Value::Object(dest))
}

fn get(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["key", "default"]);
    let key = given.text("key")?;
    if let Some(found) = merge::traverse_map(context.pillar, &key, ":") {
        return Ok(found.clone());
    }
    let formula = key.split(':').next().unwrap_or("");
    for name in ["defaults.yaml", "defaults.json"] {
        let path = format!("{formula}/{name}");
        if let Ok(Some(bytes)) = context.tree.read("base", &path) {
            let node = yaml::parse(&path, &String::from_utf8_lossy(&bytes))
                .map_err(|why| CallError::Diagnostic(Box::new(why)))?;
            let data = yaml::to_value(&node);
            let rest = key.split_once(':').map_or("", |(_, rest)| rest);
            let found = if rest.is_empty() { Some(&data) } else { merge::traverse(&data, rest, ":") };
            if let Some(found) = found {
                return Ok(found.clone());
            }
        }
    }
    Ok(given.get("default").cloned().unwrap_or_else(|| Value::String(String::new())))
}
