//! `alternatives.*`: which of several programs a general name stands for. Salt has had these
//! states until 3007.

use std::path::Path;

use serde_json::json;

use super::params::alternatives as params;
use crate::{
    Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed, missing},
    resource::command::{ask, complaint, run, text},
};

pub const MODULE: StateModule = StateModule {
    name: "alternatives",
    states: &[
        State {
            name: "install",
            doc: "Makes sure that a program is registered as an alternative.\n\n    pager:\n      alternatives.install:\n        - link: /usr/bin/pager\n        - path: /usr/bin/less\n        - priority: 5",
            params: params::INSTALL,
            plan: install,
        },
        State {
            name: "remove",
            doc: "Makes sure that a program is not registered as an alternative.\n\n    pager:\n      alternatives.remove:\n        - path: /usr/bin/less",
            params: params::REMOVE,
            plan: remove,
        },
        State {
            name: "set",
            doc: "Makes a registered program the one that is used.\n\n    pager:\n      alternatives.set:\n        - path: /usr/bin/less",
            params: params::SET,
            plan: set,
        },
        State {
            name: "auto",
            doc: "Has the program with the highest priority used.\n\n    pager:\n      alternatives.auto",
            params: params::AUTO,
            plan: auto,
        },
    ],
    watch: None,
};

fn program(look: &dyn Look) -> &'static str {
    if look.which("update-alternatives").is_some() { "update-alternatives" } else { "alternatives" }
}

fn named(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    match name.is_empty() || name.starts_with('-') || name.contains('/') {
        true => failed(format!("'{name}' is not the name of an alternative")),
        false => Ok(name),
    }
}

fn path(call: &Call<'_>, key: &str) -> Result<String, StateError> {
    let path = call.need(key)?;
    if path.starts_with('/') { Ok(path) } else { failed(format!("{key}: {path} is not an absolute path")) }
}

fn display(look: &dyn Look, name: &str) -> Result<Option<String>, StateError> {
    let output = ask(look, &[program(look), "--display", name])?;
    Ok((output.code == 0).then(|| text(&output.stdout)))
}

/// Whether a program is registered.
fn is_known(look: &dyn Look, name: &str, path: &str) -> Result<bool, StateError> {
    let said = display(look, name)?.unwrap_or_default();
    Ok(said.lines().any(|line| line.starts_with(&format!("{path} ")) || line == path))
}

fn current(look: &dyn Look, name: &str) -> Option<String> {
    let link = look.read_link(&Path::new("/etc/alternatives").join(name)).ok()?;
    Some(link.to_string_lossy().into_owned())
}

fn install(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, link, path) = (named(call)?, path(call, "link")?, path(call, "path")?);
    let Some(priority) = call.int("priority") else { return failed("priority: a number is needed") };
    if is_known(call.look, &name, &path)? {
        return Plan::keep(format!("Alternative {path} for {name} is already registered"));
    }
    let would = format!("Alternative will be set for {name} to {path} with priority {priority}");
    Plan::change(would, json!({}), move |doing| {
        let host = doing.host;
        let words = [program(host), "--install", &link, &name, &path, &priority.to_string()];
        let output = run(host, &words)?;
        if !is_known(host, &name, &path)? {
            return failed(format!("Alternative for {name} not installed: {}", complaint(&output)));
        }
        let comment = match current(host, &name).as_deref() == Some(path.as_str()) {
            true => format!("Alternative for {name} set to path {path} with priority {priority}"),
            false => {
                format!("Alternative {path} for {name} registered with priority {priority} and not set to default")
            }
        };
        Ok(Done::new(comment, json!({"name": name, "link": link, "path": path, "priority": priority})))
    })
}

fn remove(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path) = (named(call)?, path(call, "path")?);
    if !is_known(call.look, &name, &path)? {
        return match current(call.look, &name) {
            Some(current) => Plan::keep(format!("Alternative for {name} is set to it's default path {current}")),
            None => failed(format!("Alternative for {name} doesn't exist")),
        };
    }
    Plan::change(format!("Alternative for {name} will be removed"), json!({}), move |doing| {
        let output = run(doing.host, &[program(doing.host), "--remove", &name, &path])?;
        if output.code != 0 {
            return failed(complaint(&output));
        }
        Ok(match current(doing.host, &name) {
            Some(current) => Done::new(
                format!("Alternative for {name} removed. Falling back to path {current}"),
                json!({ "path": current }),
            ),
            None => Done::new(format!("Alternative for {name} removed"), json!({ "path": null })),
        })
    })
}

fn set(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path) = (named(call)?, path(call, "path")?);
    if current(call.look, &name).as_deref() == Some(path.as_str()) && is_manual(call.look, &name)? {
        return Plan::keep(format!("Alternative for {name} already set to {path}"));
    }
    if !is_known(call.look, &name, &path)? {
        return missing(format!("Alternative {path} for {name} doesn't exist"));
    }
    Plan::change(format!("Alternative for {name} will be set to path {path}"), json!({}), move |doing| {
        let output = run(doing.host, &[program(doing.host), "--set", &name, &path])?;
        match current(doing.host, &name) {
            Some(now) if now == path => {
                Ok(Done::new(format!("Alternative for {name} set to path {now}"), json!({ "path": now })))
            }
            _ => failed(format!("Alternative for {name} not updated: {}", complaint(&output))),
        }
    })
}

/// Whether the choice was made by hand: what is chosen by itself may change with the next package.
fn is_manual(look: &dyn Look, name: &str) -> Result<bool, StateError> {
    Ok(!display(look, name)?.unwrap_or_default().lines().next().unwrap_or("").ends_with("auto mode"))
}

fn auto(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    let Some(said) = display(call.look, &name)? else {
        return missing(format!("Alternative for {name} doesn't exist"));
    };
    if said.lines().next().is_some_and(|line| line.ends_with(" auto mode")) {
        return Plan::keep(format!("{name} already in auto mode"));
    }
    Plan::change(format!("{name} will be put in auto mode"), json!({}), move |doing| {
        let output = run(doing.host, &[program(doing.host), "--auto", &name])?;
        match output.code {
            0 => Ok(Done::new("", json!({ "result": text(&output.stdout) }))),
            _ => failed(complaint(&output)),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        Host, Look,
        testing::{Memory, apply, refused, said, thrice},
    };

    fn host() -> Memory {
        Memory::new(json!({})).with(&[("/etc/alternatives/x", "")]).answer(|host, line| {
            let link = std::path::Path::new("/etc/alternatives/pager");
            match line.strip_prefix("update-alternatives ")? {
                "--display pager" => match (host.text("/known"), host.read_link(link).is_ok()) {
                    (Some(known), _) => said(&format!("pager - manual mode\n{known}")),
                    _ => refused(2, "error: no alternatives for pager"),
                },
                "--install /usr/bin/pager pager /usr/bin/less 5" => {
                    host.put("/known", "/usr/bin/less - priority 5\n");
                    host.symlink("/usr/bin/less".as_ref(), link).ok()?;
                    said("")
                }
                "--remove pager /usr/bin/less" => {
                    host.remove("/known".as_ref()).ok()?;
                    host.remove(link).ok()?;
                    said("")
                }
                _ => said(""),
            }
        })
    }

    #[test]
    fn a_program_is_registered_and_used() {
        let host = host();
        let sls = "pager:\n  alternatives.install:\n    - link: /usr/bin/pager\n    - path: /usr/bin/less\n    - priority: 5\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "Alternative will be set for pager to /usr/bin/less with priority 5");
        assert_eq!(first.1, "Alternative for pager set to path /usr/bin/less with priority 5");
        assert_eq!(second.1, "Alternative /usr/bin/less for pager is already registered");
        let rows = apply(&host, "pager:\n  alternatives.set:\n    - path: /usr/bin/less\n", false);
        assert_eq!(rows[0].2, "Alternative for pager already set to /usr/bin/less");
        let rows = apply(&host, "pager:\n  alternatives.set:\n    - path: /usr/bin/more\n", false);
        assert_eq!(rows[0].2, "Alternative /usr/bin/more for pager doesn't exist");
        let rows = apply(&host, "pager:\n  alternatives.remove:\n    - path: /usr/bin/less\n", false);
        assert_eq!(rows[0].2, "Alternative for pager removed");
    }
}
