//! `grains.*` that read.

use proto::{Args, Map, Value};

use super::{args::Given, args::truth, need, opt};
use crate::{CallError, Context, Effect, Function, glob, merge, value};

pub const TABLE: &[Function] = &[
    Function {
        name: "grains.get",
        doc: "Looks up a grain; `a:b` goes down one level.\n\nctl run '*' grains.get os_family",
        params: &[need("key"), opt("default", ""), opt("delimiter", ":"), opt("ordered", "True")],
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "grains.items",
        doc: "Shows all grains.\n\nctl run '*' grains.items",
        params: &[opt("sanitize", "False")],
        effect: Effect::Reads,
        call: |context, _| Ok(Value::Object(context.look.grains().clone())),
    },
    Function {
        name: "grains.item",
        doc: "Shows some grains.\n\nctl run '*' grains.item os osrelease",
        params: &[],
        effect: Effect::Reads,
        call: item,
    },
    Function {
        name: "grains.ls",
        doc: "Lists the names of the grains.\n\nctl run '*' grains.ls",
        params: &[],
        effect: Effect::Reads,
        call: |context, _| {
            let mut names: Vec<String> = context.look.grains().keys().cloned().collect();
            names.sort();
            Ok(names.into_iter().collect())
        },
    },
    Function {
        name: "grains.has_value",
        doc: "Tells whether a grain has a value that is not empty.\n\nctl run '*' grains.has_value role",
        params: &[need("key")],
        effect: Effect::Reads,
        call: |context, args| {
            let key = Given::new(&args, &["key"]).text("key")?;
            Ok(Value::Bool(merge::traverse_map(context.look.grains(), &key, ":").is_some_and(truth)))
        },
    },
    Function {
        name: "grains.equals",
        doc: "Tells whether a grain has this very value.\n\nctl run '*' grains.equals os Debian",
        params: &[need("key"), need("value")],
        effect: Effect::Reads,
        call: |context, args| {
            let given = Given::new(&args, &["key", "value"]);
            let found = merge::traverse_map(context.look.grains(), &given.text("key")?, ":");
            let wanted = given.text("value")?;
            Ok(Value::Bool(found.is_some_and(|found| value::python_str(found) == wanted)))
        },
    },
    Function {
        name: "grains.fetch",
        doc: "Looks up a grain; the same as grains.get.\n\nctl run '*' grains.fetch os_family",
        params: &[need("key"), opt("default", ""), opt("delimiter", ":"), opt("ordered", "True")],
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "grains.filter_by",
        doc: "Picks the entry of a mapping that a grain matches.\n\nctl run '*' grains.filter_by '{Debian: apt, RedHat: dnf}'",
        params: &[
            need("lookup_dict"),
            opt("grain", "os_family"),
            opt("merge", "None"),
            opt("default", "default"),
            opt("base", "None"),
        ],
        effect: Effect::Reads,
        call: |context, args| {
            let given = Given::new(&args, &["lookup_dict", "grain", "merge", "default", "base"]);
            filter(&given, "grain", "os_family", context.look.grains())
        },
    },
];

fn get(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["key", "default", "delimiter", "ordered"]);
    let found = merge::traverse_map(context.look.grains(), &given.text("key")?, &given.text_or("delimiter", ":"));
    let default = || given.get("default").cloned().unwrap_or_else(|| Value::String(String::new()));
    Ok(found.cloned().unwrap_or_else(default))
}

fn item(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let default = args.named.get("default").cloned().unwrap_or_else(|| Value::String(String::new()));
    let one = |key: String| {
        let found = merge::traverse_map(context.look.grains(), &key, ":").cloned();
        (key, found.unwrap_or_else(|| default.clone()))
    };
    Ok(Value::Object(args.positional.iter().map(value::python_str).map(one).collect()))
}

/// The entry whose key (a glob) matches the value at a path of `data`, with `base` beneath it
/// and `merge` above. Source: `salt.utils.data.filter_by`.
pub fn filter(given: &Given<'_>, by: &str, by_default: &str, data: &Map) -> Result<Value, CallError> {
    let lookup = given.map("lookup_dict")?;
    let found = merge::traverse_map(data, &given.text_or(by, by_default), ":");
    let values = match found {
        Some(Value::Array(items)) => items.iter().map(value::python_str).collect(),
        Some(value) => vec![value::python_str(value)],
        None => Vec::new(),
    };
    let key_text = |key: &String| value::python_str(&value::from_key(key));
    let matching = values
        .iter()
        .find_map(|each| lookup.iter().find(|(key, item)| glob::matches(&key_text(key), each) && !item.is_null()));
    let mut result = matching.map(|(_, item)| item.clone());
    if result.is_none() {
        // The default may be a key that is a number.
        let default = given.get("default").map_or("default".to_owned(), value::key);
        result = lookup.get(&default).filter(|item| !item.is_null()).cloned();
    }
    if let Some(base) = given.get("base").filter(|base| truth(base)).and_then(|base| lookup.get(&value::key(base))) {
        result = Some(over(base.clone(), result, "base")?);
    }
    match given.get("merge").filter(|merge| truth(merge)) {
        None => Ok(result.unwrap_or_default()),
        Some(Value::Object(more)) => match result {
            None => Ok(Value::Object(more.clone())),
            Some(Value::Object(mut result)) => {
                merge::update(&mut result, more.clone(), false);
                Ok(Value::Object(result))
            }
            Some(_) => Err(CallError::failed("Cannot merge a dictionary into what is none")),
        },
        Some(_) => Err(CallError::arguments("filter_by merge argument must be a dictionary.")),
    }
}

fn over(base: Value, result: Option<Value>, what: &str) -> Result<Value, CallError> {
    match (base, result) {
        (base, None) => Ok(base),
        (Value::Object(mut base), Some(Value::Object(result))) => {
            merge::update(&mut base, result, false);
            Ok(Value::Object(base))
        }
        (Value::Object(_), Some(_)) => Err(CallError::failed(format!(
            "filter_by default and look-up values must both be dictionaries, for {what}"
        ))),
        (_, Some(result)) => Ok(result),
    }
}
