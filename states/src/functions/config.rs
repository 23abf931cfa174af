//! `config.*`: values of configuration, grains and pillar, whichever has them first.

use proto::{Args, Map, Value};

use super::{args::Given, args::truth, need, opt};
use crate::{CallError, Context, Effect, Function, merge, merge::Strategy};

pub const TABLE: &[Function] = &[
    Function {
        name: "config.get",
        doc: "Looks up a value in configuration, grains, pillar and the master's configuration, in that order.\n\nctl run '*' config.get pkg:apache",
        params: &[need("key"), opt("default", ""), opt("delimiter", ":"), opt("merge", "None")],
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "config.option",
        doc: "Looks up one key of configuration, grains, pillar.\n\nctl run '*' config.option id",
        params: &[
            need("value"),
            opt("default", ""),
            opt("omit_opts", "False"),
            opt("omit_grains", "False"),
            opt("omit_pillar", "False"),
        ],
        effect: Effect::Reads,
        call: option,
    },
];

const NAMES: [&str; 4] = ["key", "default", "delimiter", "merge"];

fn get(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &NAMES);
    let key = given.text("key")?;
    let delimiter = given.text_or("delimiter", ":");
    let empty = Map::new();
    let master = match context.pillar.get("master") {
        Some(Value::Object(master)) => master,
        _ => &empty,
    };
    let sources = [
        ("omit_opts", context.opts),
        ("omit_grains", context.look.grains()),
        ("omit_pillar", context.pillar),
        ("omit_master", master),
    ];
    let used = || sources.iter().filter(|(omit, _)| !given.flag(omit, false)).map(|(_, map)| *map);
    let default = || given.get("default").cloned().unwrap_or_else(|| Value::String(String::new()));
    let Some(strategy) = given.get("merge").filter(|merge| truth(merge)) else {
        let found = used().find_map(|map| merge::traverse_map(map, &key, &delimiter));
        return Ok(found.cloned().unwrap_or_else(default));
    };
    let strategy = Strategy::parse(&crate::value::python_str(strategy), "yaml");
    let lists = context.opts.get("pillar_merge_lists").is_some_and(truth);
    let layers: Vec<&Map> = used().collect();
    let mut merged: Option<Value> = None;
    for layer in layers.into_iter().rev() {
        let Some(found) = merge::traverse_map(layer, &key, &delimiter) else { continue };
        merged = Some(match (merged, found) {
            (Some(Value::Object(below)), Value::Object(above)) => {
                Value::Object(merge::merge(below, above.clone(), strategy, lists))
            }
            (_, found) => found.clone(),
        });
    }
    Ok(merged.unwrap_or_else(default))
}

fn option(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["value", "default", "omit_opts", "omit_grains", "omit_pillar"]);
    let key = given.text("value")?;
    let sources =
        [("omit_opts", context.opts), ("omit_grains", context.look.grains()), ("omit_pillar", context.pillar)];
    let found = sources.iter().filter(|(omit, _)| !given.flag(omit, false)).find_map(|(_, map)| map.get(&key));
    Ok(found.cloned().unwrap_or_else(|| given.get("default").cloned().unwrap_or_else(|| Value::String(String::new()))))
}
