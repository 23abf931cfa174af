//! `sys.*`: what there is to call. Salt's `modules/sysmod.py`.

use std::collections::BTreeSet;

use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Context, Effect, Function, call::Param};

use super::bind::{NAMED, REST, bind, text_of, with};

pub static TABLE: &[Function] = &[
    Function {
        name: "sys.doc",
        doc: "The documentation of functions: of all, of a module's, of those that a glob matches.\n\n\
              ctl run web1 sys.doc test.ping 'cmd.run*'",
        params: &[REST],
        effect: Effect::Reads,
        call: |context, args| {
            let wanted = bind("sys.doc", &[REST], args)?.rest;
            let docs = select(context, &wanted).map(|function| (function.name.to_owned(), function.doc.into()));
            Ok(Value::Object(sorted(docs)))
        },
    },
    Function {
        name: "sys.list_functions",
        doc: "The names of functions: of all, of a module's, of those that a glob matches.\n\n\
              ctl run web1 sys.list_functions cmd",
        params: &[REST, NAMED],
        effect: Effect::Reads,
        call: |context, args| {
            let wanted = bind("sys.list_functions", &[REST, NAMED], args)?.rest;
            let names: BTreeSet<_> = select(context, &wanted).map(|function| function.name).collect();
            Ok(names.into_iter().collect())
        },
    },
    Function {
        name: "sys.list_modules",
        doc: "The names of modules, all or those that a glob matches.\n\n    ctl run web1 sys.list_modules 's*'",
        params: &[REST],
        effect: Effect::Reads,
        call: |context, args| {
            let wanted = bind("sys.list_modules", &[REST], args)?.rest;
            let names: BTreeSet<_> = select(context, &wanted).map(|function| module(function.name)).collect();
            Ok(names.into_iter().collect())
        },
    },
    Function {
        name: "sys.argspec",
        doc: "What functions take: the names of their arguments and the defaults of the last of these.\n\n\
              ctl run web1 sys.argspec cmd.run",
        params: &[with("module", "''")],
        effect: Effect::Reads,
        call: argspec,
    },
];

fn module(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Functions that any of `wanted` names: a function, a module, a glob over either.
fn select<'a>(context: &'a Context<'_>, wanted: &'a [Value]) -> impl Iterator<Item = &'static Function> + 'a {
    let wanted: Vec<String> = wanted.iter().map(text_of).collect();
    context.functions.all().filter(move |function| {
        let named = |name: &String| {
            let name = name.strip_suffix('.').unwrap_or(name);
            function.name == name || module(function.name) == name || super::matches(name, function.name)
        };
        wanted.is_empty() || wanted.iter().any(named)
    })
}

fn sorted(entries: impl Iterator<Item = (String, Value)>) -> Map {
    let mut map: Map = entries.collect();
    map.sort_keys();
    map
}

fn argspec(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let wanted = bind("sys.argspec", &[with("module", "''")], args)?.text("module")?.unwrap_or_default();
    let wanted: Vec<Value> = if wanted.is_empty() { vec![] } else { vec![wanted.into()] };
    let specs = select(context, &wanted).map(|function| (function.name.to_owned(), spec(function.params)));
    Ok(Value::Object(sorted(specs)))
}

/// Salt's shape: null instead of an empty list.
fn spec(params: &[Param]) -> Value {
    let named = || params.iter().filter(|param| !param.name.starts_with('*'));
    let or_null = |list: Vec<Value>| if list.is_empty() { Value::Null } else { list.into() };
    let takes = |mark: &str| params.iter().any(|param| param.name == mark).then_some(true);
    json!({
        "args": or_null(named().map(|param| param.name.into()).collect()),
        "defaults": or_null(named().filter_map(|param| param.default).map(default).collect()),
        "varargs": takes(REST.name),
        "kwargs": takes(NAMED.name),
    })
}

/// A default as Python writes it, as a value.
fn default(text: &str) -> Value {
    match text {
        "None" => Value::Null,
        "True" => true.into(),
        "False" => false.into(),
        text => match text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')) {
            Some(text) => text.into(),
            None => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::bind::need;

    #[test]
    fn specs_have_salts_shape() {
        let spec = spec(&[need("a"), with("b", "None"), with("c", "'x'"), with("d", "60"), NAMED]);
        let wanted =
            json!({"args": ["a", "b", "c", "d"], "defaults": [null, "x", 60], "varargs": null, "kwargs": true});
        assert_eq!(spec, wanted);
        let empty = json!({"args": null, "defaults": null, "varargs": null, "kwargs": null});
        assert_eq!(super::spec(&[]), empty);
    }
}
