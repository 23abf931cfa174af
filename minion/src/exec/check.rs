//! `check.*`: health checks of this host.

use std::path::Path;

use proto::Value;
use states::{CallError, Context, Function};

use super::bind::{Bound, REST, row, text_of};
use crate::checks::{self, Configured, Found, Row, Scene};

pub static TABLE: &[Function] = &[
    row!(
        "check.run",
        Runs,
        [REST],
        run,
        "Runs health checks, all at once, and gives a row for each: `name`, `status` (OK, WARNING, CRITICAL, UNKNOWN), \
         `output`, `perfdata`, `duration` in milliseconds. Names, or globs, choose among those that are configured \
         (`checks:` in the configuration or the pillar); without any configuration there are load, memory, disk, \
         systemd and clock.\n\n    ctl run '*' check.run disk load"
    ),
    row!(
        "check.list",
        Reads,
        [],
        |context, _| {
            let described = all(context).into_iter().map(|check| match check {
                Ok(check) => check.describe(),
                Err((name, why)) => serde_json::json!({"name": name, "error": why}),
            });
            Ok(described.collect())
        },
        "Lists the health checks of this host.\n\n    ctl run '*' check.list"
    ),
];

fn all(context: &Context<'_>) -> Vec<Result<Configured, (String, String)>> {
    checks::configured(context.opts.get("checks"), context.pillar.get("checks"))
}

fn run(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let wanted: Vec<String> = bound.rest.iter().map(text_of).collect();
    let fits = |name: &str| wanted.is_empty() || wanted.iter().any(|glob| glob == name || super::matches(glob, name));
    let unknown = |name: String, why: String| Row { name, found: Found::unknown(why), duration: Default::default() };
    let (mut found, mut broken, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for check in all(context) {
        match check {
            Ok(check) if fits(&check.name) => {
                names.push(check.name.clone());
                found.push(check);
            }
            Err((name, why)) if fits(&name) => {
                names.push(name.clone());
                broken.push(unknown(name, why));
            }
            _ => {}
        }
    }
    let is_there = |glob: &String| names.iter().any(|name| name == glob || super::matches(glob, name));
    let missing = wanted.iter().filter(|glob| !is_there(glob));
    let missing = missing.map(|name| unknown(name.clone(), format!("no check is named {name}"))).collect::<Vec<_>>();
    let root = context.opts.get("root_dir").and_then(Value::as_str);
    let scene = Scene {
        offset: context.agent.and_then(states::call::Agent::clock_offset),
        timeout: Default::default(),
        memory: root.map(|root| Path::new(root).join("run/checks")),
    };
    let cancelled = || context.agent.is_some_and(states::call::Agent::cancelled);
    let rows = checks::run(found, &scene, &cancelled).into_iter().chain(broken).chain(missing);
    Ok(rows.map(|row| row.to_value()).collect())
}
