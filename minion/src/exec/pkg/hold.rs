//! Packages that stay as they are, and what dpkg is told of them.

use std::collections::BTreeMap;

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Context, Function, resource::packages::run};

use super::{ask, checked, command, manager, only_apt, why};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "pkg.hold",
        Writes,
        [with("name", "None"), with("pkgs", "None"), with("sources", "None"), NAMED],
        |context, bound| hold(context, bound, true),
        "Keeps packages at the versions that they have.\n\n    ctl run '*' pkg.hold linux-image-amd64"
    ),
    row!(
        "pkg.unhold",
        Writes,
        [with("name", "None"), with("pkgs", "None"), with("sources", "None"), NAMED],
        |context, bound| hold(context, bound, false),
        "Lets packages be brought up to date again.\n\n    ctl run '*' pkg.unhold linux-image-amd64"
    ),
    row!(
        "pkg.get_selections",
        Reads,
        [with("pattern", "None"), with("state", "None")],
        |context, bound| {
            only_apt(context, "pkg.get_selections")?;
            let pattern = bound.text("pattern")?.filter(|text| !text.is_empty()).unwrap_or_else(|| "*".into());
            let all = selections(context, &pattern)?;
            Ok(match bound.text("state")?.filter(|text| !text.is_empty()) {
                Some(state) => json!({state.clone(): all.get(&state).cloned().unwrap_or_default()}),
                None => json!(all),
            })
        },
        "Lists packages by what dpkg is to do with them.\n\n    ctl run '*' pkg.get_selections state=hold"
    ),
    row!(
        "pkg.set_selections",
        Writes,
        [with("path", "None"), with("selection", "None"), with("clear", "False"), with("saltenv", "'base'")],
        set_selections,
        "Tells dpkg what to do with packages: `install`, `hold`, `deinstall` or `purge`.\n\n    \
         ctl run '*' pkg.set_selections selection='{install: [vim]}'"
    ),
    row!(
        "pkg.normalize_name",
        Reads,
        [need("name")],
        |context, bound| {
            let name = bound.need_text("name")?;
            let own = context.look.grains().get("osarch").and_then(Value::as_str).unwrap_or_default();
            let bare = name.rsplit_once(':').filter(|(_, arch)| *arch == own || matches!(*arch, "all" | "any"));
            Ok(bare.map_or(name.as_str(), |(bare, _)| bare).into())
        },
        "Takes the architecture off a package's name if it is this host's.\n\n    ctl run '*' pkg.normalize_name zsh:amd64"
    ),
    row!(
        "pkg.parse_arch",
        Reads,
        [need("name")],
        |_, bound| {
            let name = bound.need_text("name")?;
            Ok(match name.rsplit_once(':') {
                Some((bare, arch)) => json!({"name": bare, "arch": arch}),
                None => json!({"name": name, "arch": null}),
            })
        },
        "Splits a package's name into name and architecture.\n\n    ctl run '*' pkg.parse_arch zsh:amd64"
    ),
];

fn names(bound: &Bound) -> Result<Vec<String>, CallError> {
    let (pkgs, sources) = (bound.value("pkgs").filter(|v| truth(v)), bound.value("sources").filter(|v| truth(v)));
    let key = match (pkgs, sources) {
        (Some(_), Some(_)) => {
            return Err(CallError::arguments("Only one of pkgs or sources can be specified."));
        }
        (Some(_), None) => "pkgs",
        (None, Some(_)) => "sources",
        (None, None) if !bound.has("name") => {
            return Err(CallError::arguments("One of name, pkgs, or sources must be specified."));
        }
        (None, None) => return checked(vec![bound.need_text("name")?]),
    };
    let name = |value: &Value| match value {
        Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
        other => text_of(other),
    };
    checked(bound.list(key).iter().map(name).collect())
}

fn hold(context: &Context<'_>, bound: &Bound, hold: bool) -> Result<Value, CallError> {
    let (manager, names) = (manager(context)?, names(bound)?);
    let held = manager.held(context.look).map_err(why)?;
    let test = context.opts.get("test").is_some_and(truth);
    let mut rows = Map::new();
    for name in names {
        let mut row = json!({"name": name, "changes": {}, "result": true, "comment": ""});
        if held.contains(&name) == hold {
            let not = if hold { "" } else { "not " };
            row["comment"] = format!("Package {name} is already set {not}to be held.").into();
        } else if test {
            let not = if hold { "" } else { "not " };
            row["comment"] = format!("Package {name} is set {not}to be held.").into();
            row["result"] = Value::Null;
        } else {
            run(context.host()?, &manager.hold(std::slice::from_ref(&name), hold)).map_err(why)?;
            let (old, new) = if hold { ("install", "hold") } else { ("hold", "install") };
            row["changes"] = json!({"old": old, "new": new});
            row["comment"] = match hold {
                true => format!("Package {name} is now being held."),
                false => format!("Package {name} is no longer being held."),
            }
            .into();
        }
        rows.insert(name, row);
    }
    Ok(rows.into())
}

/// Names by what dpkg is to do with them.
fn selections(context: &Context<'_>, pattern: &str) -> Result<BTreeMap<String, Vec<String>>, CallError> {
    if pattern.starts_with('-') {
        return Err(CallError::arguments(format!("'{pattern}' is not the name of a package")));
    }
    let (_, said) = ask(context, &["dpkg", "--get-selections"], &[pattern.to_owned()])?;
    Ok(parsed(&said))
}

fn parsed(said: &str) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for line in said.lines() {
        if let [name, state] = line.split_whitespace().collect::<Vec<_>>()[..] {
            all.entry(state.to_owned()).or_default().push(name.to_owned());
        }
    }
    all
}

fn set_selections(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.set_selections")?;
    let wanted = match (bound.text("path")?.filter(|path| !path.is_empty()), bound.value("selection")) {
        (None, None) => return Ok(json!({})),
        (Some(_), Some(_)) => {
            let why = "The 'selection' and 'path' arguments to pkg.set_selections are mutually exclusive, and cannot be \
                       specified together";
            return Err(CallError::arguments(why));
        }
        (Some(path), None) => {
            let bytes = context.look.read(path.as_ref(), 16 << 20);
            parsed(&String::from_utf8_lossy(&bytes.map_err(|error| CallError::failed(format!("{path}: {error}")))?))
        }
        (None, Some(Value::Object(map))) => {
            let names = |value: &Value| match value {
                Value::Array(items) => items.iter().map(text_of).collect(),
                one => vec![text_of(one)],
            };
            map.iter().map(|(state, value)| (state.clone(), names(value))).collect()
        }
        (None, Some(_)) => return Err(CallError::arguments("selection must be a mapping of states to lists of names")),
    };
    if let Some(bad) = wanted.keys().find(|state| !matches!(state.as_str(), "install" | "hold" | "deinstall" | "purge"))
    {
        return Err(CallError::arguments(format!("Invalid state(s): {bad}")));
    }
    let host = context.host()?;
    if bound.flag("clear", false) {
        run(host, &command(&["dpkg", "--clear-selections"], &[])).map_err(why)?;
    }
    let now = selections(context, "*")?;
    let state_of =
        |name: &str| now.iter().find(|(_, names)| names.iter().any(|n| n == name)).map(|(state, _)| state.clone());
    let mut changed = Map::new();
    for (state, names) in wanted {
        for name in checked(names)? {
            let old = state_of(&name);
            if old.as_deref() == Some(state.as_str()) {
                continue;
            }
            let mut set = command(&["dpkg", "--set-selections"], &[]);
            set.stdin = Some(format!("{name} {state}\n").into_bytes());
            run(host, &set).map_err(why)?;
            changed.insert(name, json!({"old": old, "new": state}));
        }
    }
    Ok(changed.into())
}
