//! `config.*`: values of configuration, grains and pillar, whichever has them first.

use std::sync::LazyLock;

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

/// What Salt's minion has for keys that nobody sets (`salt.config.DEFAULT_MINION_OPTS`), but for
/// paths, which are our own, and the keys of file servers and package managers of other systems.
static SALTS: LazyLock<Map> = LazyLock::new(|| parsed(include_str!("config_defaults.json")));

/// The values that `config.option` falls back on (`salt.modules.config.DEFAULTS`), but for those
/// of modules that are not here.
static SANE: LazyLock<Map> = LazyLock::new(|| {
    parsed(
        r#"{"mongo.db": "salt", "mongo.password": "", "mongo.port": 27017, "mongo.user": "", "redis.db": "0",
        "redis.host": "salt", "redis.port": 6379, "test.foo": "unconfigured", "ca.cert_base_path": "/etc/pki",
        "hosts.file": "/etc/hosts", "aliases.file": "/etc/aliases", "docker.exec_driver": "docker-exec"}"#,
    )
});

fn parsed(json: &str) -> Map {
    serde_json::from_str(json).unwrap_or_default()
}

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
        ("omit_opts", &*SALTS),
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
    let sources = [
        ("omit_opts", context.opts),
        ("omit_opts", &*SALTS),
        ("omit_grains", context.look.grains()),
        ("omit_pillar", context.pillar),
        ("", &*SANE),
    ];
    let found = sources.iter().filter(|(omit, _)| !given.flag(omit, false)).find_map(|(_, map)| map.get(&key));
    Ok(found.cloned().unwrap_or_else(|| given.get("default").cloned().unwrap_or_else(|| Value::String(String::new()))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call};

    #[test]
    fn keys_that_nobody_sets_have_salts_defaults() {
        let host = Memory::new(json!({"os": "Debian"}));
        let ask = |function: &str, key: &str| call(&host, &[], json!({}), function, Args::positional([key.into()])).0;
        assert_eq!(ask("config.get", "state_top").unwrap(), json!("top.sls"));
        assert_eq!(ask("config.get", "features").unwrap(), json!({}));
        assert_eq!(ask("config.get", "os").unwrap(), json!("Debian"));
        assert_eq!(ask("config.get", "redis.port").unwrap(), json!(""));
        assert_eq!(ask("config.option", "redis.port").unwrap(), json!(6379));
        assert!(SALTS.len() > 100);
    }
}
