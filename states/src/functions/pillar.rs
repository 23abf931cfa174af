//! `pillar.*`: this minion's pillar.

use std::path::Path;

use proto::{Args, Map, Value};

use super::{args::Given, grains::filter, need, opt};
use crate::{CallError, Context, Effect, Function, Look, call::Param, merge, resource::files};

const GET: &[Param] =
    &[need("key"), opt("default", ""), opt("merge", "False"), opt("merge_nested_lists", "None"), opt("delimiter", ":")];

pub const TABLE: &[Function] = &[
    Function {
        name: "pillar.get",
        doc: "Looks up a value of the pillar; `a:b` goes down one level.\n\nctl run '*' pillar.get pkg:apache",
        params: GET,
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "pillar.fetch",
        doc: "As `pillar.get`, for templates: `get` is a method of mappings there.\n\nctl run '*' pillar.fetch pkg:apache",
        params: GET,
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "pillar.file_exists",
        doc: "Tells whether the pillar's folders have a file, where they are on this host.\n\nctl run '*' pillar.file_exists secrets.sls",
        params: &[need("path"), opt("saltenv", "None")],
        effect: Effect::Reads,
        call: file_exists,
    },
    Function {
        name: "pillar.items",
        doc: "Shows the whole pillar, or the parts that are named.\n\nctl run '*' pillar.items",
        params: &[],
        effect: Effect::Reads,
        call: items,
    },
    Function {
        name: "pillar.data",
        doc: "Shows the whole pillar.\n\nctl run '*' pillar.data",
        params: &[],
        effect: Effect::Reads,
        call: items,
    },
    Function {
        name: "pillar.raw",
        doc: "Shows the pillar as it is held, or one key of it.\n\nctl run '*' pillar.raw key=roles",
        params: &[opt("key", "None")],
        effect: Effect::Reads,
        call: raw,
    },
    Function {
        name: "pillar.item",
        doc: "Shows some values of the pillar.\n\nctl run '*' pillar.item roles pkg:apache",
        params: &[],
        effect: Effect::Reads,
        call: item,
    },
    Function {
        name: "pillar.ls",
        doc: "Lists the keys of the pillar.\n\nctl run '*' pillar.ls",
        params: &[],
        effect: Effect::Reads,
        call: |context, _| Ok(context.pillar.keys().cloned().collect()),
    },
    Function {
        name: "pillar.keys",
        doc: "Lists the keys beneath a value of the pillar.\n\nctl run '*' pillar.keys web:sites",
        params: &[need("key"), opt("delimiter", ":")],
        effect: Effect::Reads,
        call: keys,
    },
    Function {
        name: "pillar.filter_by",
        doc: "Picks the entry of a mapping that a value of the pillar matches.\n\nctl run '*' pillar.filter_by '{web: Serve, default: Idle}' role",
        params: &[
            need("lookup_dict"),
            need("pillar"),
            opt("merge", "None"),
            opt("default", "default"),
            opt("base", "None"),
        ],
        effect: Effect::Reads,
        call: |context, args| {
            filter(
                &Given::new(&args, &["lookup_dict", "pillar", "merge", "default", "base"]),
                "pillar",
                "",
                context.pillar,
            )
        },
    },
];

/// Hides values from whoever looks over a shoulder, as Salt 3008 does: outside of templates a
/// pillar shows its values only when it is asked to (`unmask=True`).
fn masked(args: &Args, value: Value) -> Value {
    match args.named.get("unmask") {
        Some(unmask) if !unmask.is_null() => {
            if super::args::truth(unmask) {
                value
            } else {
                proto::masked(value)
            }
        }
        _ if crate::compile::rendering() => value,
        _ => proto::masked(value),
    }
}

/// Only the roots of the configuration are looked through, as in Salt.
fn file_exists(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["path", "saltenv"]);
    let path = given.text("path")?;
    let wanted = given.get("saltenv").filter(|env| !env.is_null()).map(crate::value::python_str);
    let Some(Value::Object(roots)) = context.opts.get("pillar_roots") else {
        return Err(CallError::failed("No pillar_roots found. Are you running this on the master?"));
    };
    Ok(has_file(context.look, roots, &path, wanted.as_deref()).into())
}

/// Whether a folder of the roots, or of one environment's, has a file.
fn has_file(look: &dyn Look, roots: &Map, path: &str, env: Option<&str>) -> bool {
    let mut folders = roots.iter().filter(|(name, _)| env.is_none_or(|env| env == *name));
    let path = path.trim_start_matches('/');
    folders.any(|(_, all)| super::args::list(all).iter().any(|at| files::is_file(look, &Path::new(at).join(path))))
}

fn get(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    found(context, &args).map(|value| masked(&args, value))
}

fn found(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let given = Given::new(args, &["key", "default", "merge", "merge_nested_lists", "delimiter"]);
    let key = given.text("key")?;
    let delimiter = given.text_or("delimiter", ":");
    let found = merge::traverse_map(context.pillar, &key, &delimiter);
    let raise = || context.opts.get("pillar_raise_on_missing").is_some_and(super::args::truth);
    let default = match given.get("default") {
        Some(default) => default.clone(),
        None if found.is_none() && raise() => return Err(CallError::failed(format!("Pillar key not found: {key}"))),
        None => Value::String(String::new()),
    };
    let lists =
        given.flag("merge_nested_lists", context.opts.get("pillar_merge_lists").is_some_and(super::args::truth));
    if given.flag("merge", false) {
        match (&default, found) {
            (Value::Object(default), Some(Value::Object(found))) => {
                let mut merged = default.clone();
                merge::update(&mut merged, found.clone(), lists);
                return Ok(Value::Object(merged));
            }
            (Value::Array(default), Some(Value::Array(found))) => {
                let mut merged = default.clone();
                merged.extend(found.iter().filter(|item| !default.contains(item)).cloned());
                return Ok(Value::Array(merged));
            }
            _ => {}
        }
    }
    Ok(found.cloned().unwrap_or(default))
}

fn items(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let mut pillar = context.pillar.clone();
    if let Some(Value::Object(over)) = args.named.get("pillar") {
        merge::update(&mut pillar, over.clone(), false);
    }
    let open = context.opts.get("pillar_mask_output") == Some(&Value::Bool(false));
    let shown = |value: Value| if open { value } else { masked(&args, value) };
    if args.positional.is_empty() {
        return Ok(shown(Value::Object(pillar)));
    }
    let named = args.positional.iter().map(crate::value::python_str);
    Ok(shown(Value::Object(named.map(|key| (key.clone(), pillar.get(&key).cloned().unwrap_or_default())).collect())))
}

fn raw(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    match Given::new(&args, &["key"]).get("key") {
        None | Some(Value::Null) => Ok(Value::Object(context.pillar.clone())),
        Some(key) => {
            Ok(context.pillar.get(&crate::value::python_str(key)).cloned().unwrap_or_else(|| Value::Object(Map::new())))
        }
    }
}

fn item(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let delimiter = args.named.get("delimiter").map_or(":".to_owned(), crate::value::python_str);
    let default = args.named.get("default").cloned().unwrap_or_else(|| Value::String(String::new()));
    let keys = args.positional.iter().map(crate::value::python_str);
    let found = keys.map(|key| {
        let value = merge::traverse_map(context.pillar, &key, &delimiter).cloned();
        (key, value.unwrap_or_else(|| default.clone()))
    });
    Ok(masked(&args, Value::Object(found.collect())))
}

fn keys(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["key", "delimiter"]);
    let key = given.text("key")?;
    match merge::traverse_map(context.pillar, &key, &given.text_or("delimiter", ":")) {
        Some(Value::Object(map)) => Ok(map.keys().cloned().collect()),
        Some(_) => Err(CallError::failed(format!("the pillar's {key} is no mapping"))),
        None => Err(CallError::failed(format!("Pillar key not found: {key}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::Memory;

    #[test]
    fn a_file_of_the_roots() {
        let host = Memory::new(json!({})).with(&[("/srv/pillar/a/secrets.sls", "")]);
        let roots = json!({"base": ["/srv/pillar", "/srv/pillar/a"], "dev": ["/srv/dev"]});
        let has = |path: &str, env| has_file(&host, roots.as_object().unwrap(), path, env);
        assert!(has("secrets.sls", None) && has("a/secrets.sls", Some("base")));
        assert!(!has("secrets.sls", Some("dev")) && !has("a", None) && !has("other.sls", None));
    }
}
