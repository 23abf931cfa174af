//! `check.*`: health checks of this host.

use std::path::Path;

use proto::Value;
use states::{CallError, Context, Function, diag::did_you_mean};

use super::bind::{Bound, REST, need, row, text_of, with};
use crate::{
    agent::JobAgent,
    checks::{self, Configured, Drifts, Found, Row, Scene, Source, carried, drift},
};

/// Names that an error lists.
const LISTED: usize = 20;

pub static TABLE: &[Function] = &[
    row!(
        "check.run",
        Runs,
        [REST],
        run,
        "Runs health checks, all at once, and gives a row for each: `name`, `status` (OK, WARNING, CRITICAL, UNKNOWN), \
         `output`, `perfdata`, `duration` in milliseconds. Names, or globs, choose among those that are configured \
         (`checks:` in the configuration or the pillar, and `check.present` of states); without any configuration \
         there are load, memory, disk, systemd and clock, and drift where a top file matches. A name that \
         none of them has is an error.\n\n    ctl run '*' check.run disk load"
    ),
    row!(
        "check.list",
        Reads,
        [],
        |context, _| {
            let described = all(context).into_iter().map(|check| match check {
                Ok(check) => check.describe(),
                Err((name, why)) => serde_json::json!({"name": name, "error": why.to_string()}),
            });
            Ok(described.collect())
        },
        "Lists the health checks of this host.\n\n    ctl run '*' check.list"
    ),
    row!(
        "check.drift",
        Writes,
        [with("low", "False")],
        |context, bound| {
            if bound.flag("low", false) {
                // Its reads and writes have the lowest priority by that, too. Where it is refused, it is only slower
                // for others.
                let _ = rustix::process::nice(19);
            }
            serde_json::to_value(drift::look(context)?).map_err(|error| CallError::failed(error.to_string()))
        },
        "Shows what a highstate would change now, without changing or running anything: which states differ, which would \
         fail, how many cannot be known, and all that was looked at for it; null where no top file matches. `low` gives \
         way to all else that runs.\n\n    ctl run '*' check.drift"
    ),
    row!(
        "check.validate",
        Reads,
        [need("name"), need("options")],
        |_, bound| {
            let options = bound.value("options").cloned().unwrap_or_default();
            let read = checks::read(&bound.need_text("name")?, &options, Source::Config);
            Ok(read.err().map_or(Value::Null, |wrong| wrong.to_string().into()))
        },
        "Tells what is wrong with the definition of a health check; null if nothing is.\n\n    \
         ctl run '*' check.validate disk '{warning: 80%}'"
    ),
];

fn all(context: &Context<'_>) -> Vec<checks::Definition> {
    let root = context.opts.get("root_dir").and_then(Value::as_str);
    let carried = root.map(|root| carried::read(Path::new(root))).unwrap_or_default();
    let (config, pillar) = (context.opts.get("checks"), context.pillar.get("checks"));
    match watching(context) {
        Some(agent) => agent.known_checks().configured(config, pillar, &carried),
        None => checks::configured(config, pillar, &carried),
    }
}

/// The agent that runs this job.
fn watching<'a>(context: &Context<'a>) -> Option<&'a JobAgent> {
    context.agent?.beyond()?.downcast_ref()
}

/// Whom the checks may ask for drift: the agent, or what is looked for here and now.
fn drifts(context: &Context<'_>) -> Option<Drifts> {
    if let Some(drifts) = watching(context).and_then(JobAgent::drifts) {
        return Some(drifts);
    }
    let found = drift::look(context).map(|drift| match drift {
        Some(drift) => drift.found(),
        None => Found::new(checks::Status::Ok, drift::NOTHING),
    });
    let found = found.map_err(|why| super::bind::text_of(&crate::job::why_not(&why)));
    Some(Drifts::new(move |_| found.clone()))
}

/// Nobody has asked for drift: then there is a row of it only where a top file matches, as far as that is
/// known without waiting.
fn is_wanted(context: &Context<'_>, check: &Configured) -> bool {
    let asked = check.source != Source::Default || !check.is_drift();
    asked || watching(context).is_none_or(JobAgent::knows_drift)
}

fn fits_one(glob: &str, name: &str) -> bool {
    glob == name || super::matches(glob, name)
}

/// Nobody waits for a check that there is not: orchestrations know this by its beginning.
fn missing(name: &str, context: &Context<'_>) -> CallError {
    let names: Vec<String> =
        all(context).into_iter().map(|check| check.map_or_else(|(name, _)| name, |c| c.name.clone())).collect();
    let near = did_you_mean(name, names.iter().map(String::as_str)).map_or(String::new(), |near| format!("; {near}"));
    let there = match names.len() {
        0 => "there are none on this host".to_owned(),
        1..=LISTED => format!("there are {}", names.join(", ")),
        n => format!("there are {}, and {} more", names[..LISTED].join(", "), n - LISTED),
    };
    CallError::failed(format!("no check is named {name}{near}; {there}"))
}

fn run(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let wanted: Vec<String> = bound.rest.iter().map(text_of).collect();
    let fits = |name: &str| wanted.is_empty() || wanted.iter().any(|glob| fits_one(glob, name));
    let unknown = |name: String, why: String| Row { name, found: Found::unknown(why), duration: Default::default() };
    let (mut found, mut broken, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for check in all(context) {
        match check {
            Ok(check) if fits(&check.name) && (!wanted.is_empty() || is_wanted(context, &check)) => {
                names.push(check.name.clone());
                found.push(check);
            }
            Err((name, why)) if fits(&name) => {
                names.push(name.clone());
                broken.push(unknown(name, why.to_string()));
            }
            _ => {}
        }
    }
    if let Some(name) = wanted.iter().find(|glob| !names.iter().any(|name| fits_one(glob, name))) {
        return Err(missing(name, context));
    }
    let root = context.opts.get("root_dir").and_then(Value::as_str);
    let scene = Scene {
        offset: watching(context).and_then(JobAgent::clock_offset),
        timeout: Default::default(),
        memory: root.map(|root| Path::new(root).join("run/checks")),
        drift: if found.iter().any(|check| check.is_drift()) { drifts(context) } else { None },
    };
    let silent = |row: &Row| wanted.is_empty() && row.found.output == drift::NOTHING;
    let cancelled = || context.agent.is_some_and(states::call::Agent::cancelled);
    let rows = checks::run(found, &scene, &cancelled).into_iter().chain(broken);
    Ok(rows.filter(|row| !silent(row)).map(Row::into_value).collect())
}
