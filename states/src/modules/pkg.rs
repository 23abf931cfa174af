//! `pkg.*`: packages of the system's own package manager.

mod groups;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use proto::{Map, Value};
use serde_json::json;

use super::params::pkg as params;
use crate::{
    Host,
    look::Expected,
    plan::{Call, Doing, Done, Plan, State, StateError, StateModule, failed},
    resource::packages::{self, Manager, Options, Target, Versions, fulfils},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "pkg",
    states: &[
        State {
            name: "installed",
            doc: "Makes sure that packages are installed.\n\n    web:\n      pkg.installed:\n        - pkgs:\n          - nginx\n          - openssl: '>=3.0'",
            params: params::INSTALLED,
            plan: installed,
        },
        State {
            name: "latest",
            doc: "Makes sure that packages are installed in their newest version.\n\n    openssl:\n      pkg.latest:\n        - refresh: True",
            params: params::LATEST,
            plan: latest,
        },
        State {
            name: "removed",
            doc: "Makes sure that packages are not installed.\n\n    telnet:\n      pkg.removed",
            params: params::REMOVED,
            plan: |call| gone(call, false),
        },
        State {
            name: "purged",
            doc: "Makes sure that packages and their configuration are not installed.\n\n    telnet:\n      pkg.purged",
            params: params::PURGED,
            plan: |call| gone(call, true),
        },
        State {
            name: "uptodate",
            doc: "Brings all packages up to date.\n\n    system:\n      pkg.uptodate:\n        - refresh: True",
            params: params::UPTODATE,
            plan: uptodate,
        },
        State {
            name: "held",
            doc: "Keeps packages in the version that they have.\n\n    nginx:\n      pkg.held",
            params: params::HELD,
            plan: |call| hold(call, true),
        },
        State {
            name: "unheld",
            doc: "Lets packages be upgraded again.\n\n    nginx:\n      pkg.unheld",
            params: params::UNHELD,
            plan: |call| hold(call, false),
        },
        State {
            name: "group_installed",
            doc: "Makes sure that the packages of a group are installed (dnf and yum).\n\n    Development Tools:\n      pkg.group_installed:\n        - skip: [byacc]\n        - include: [cmake]",
            params: params::GROUP_INSTALLED,
            plan: groups::group_installed,
        },
    ],
    // A change that is watched makes nothing more of a package.
    watch: Some(|_| Plan::keep("")),
};

fn manager(call: &Call<'_>) -> Result<Manager, StateError> {
    Manager::detect(call.look).ok_or_else(|| StateError::failed("no package manager that is known was found here"))
}

/// The packages that a state names: `name`, `pkgs`, or `sources`.
fn targets(call: &Call<'_>) -> Result<Vec<Target>, StateError> {
    let (mut found, key) = (Vec::new(), if call.value("sources").is_some() { "sources" } else { "pkgs" });
    let Some(listed) = call.value(key) else {
        let version = call.some_text("version");
        return check(vec![Target { name: call.name(), version, source: None }]);
    };
    let Value::Array(items) = listed else {
        return failed(format!("Invalidly formatted \"{key}\" parameter. See minion log."));
    };
    for item in items {
        match item {
            Value::Object(map) => found.extend(map.iter().map(|(name, value)| {
                let text = Some(value::python_str(value)).filter(|text| !value.is_null() && !text.is_empty());
                match key {
                    "sources" => Target { name: name.clone(), version: None, source: text },
                    _ => Target { name: name.clone(), version: text, source: None },
                }
            })),
            other => found.push(Target { name: value::python_str(other), ..Target::default() }),
        }
    }
    check(found)
}

/// Names go on a command line: none may look like an option.
fn check(targets: Vec<Target>) -> Result<Vec<Target>, StateError> {
    let bad = |text: &str| text.is_empty() || text.starts_with('-') || text.contains(char::is_whitespace);
    match targets.iter().find(|target| bad(&target.name) || target.source.as_deref().is_some_and(bad)) {
        Some(target) => failed(format!("'{}' is not the name of a package", target.name)),
        None => Ok(targets),
    }
}

fn wanted(target: &Target) -> String {
    match &target.version {
        Some(condition) if condition.starts_with(['<', '>', '=']) => format!("{}{condition}", target.name),
        Some(version) => format!("{}={version}", target.name),
        None => target.name.clone(),
    }
}

/// Whether what is installed is what a target asks for.
fn is_met(target: &Target, installed: &Versions) -> bool {
    let Some(versions) = version_of(installed, &target.name) else { return false };
    target.version.as_ref().is_none_or(|wanted| versions.split(',').any(|version| fulfils(version, wanted)))
}

/// A name may carry an architecture (`libc6:amd64`).
fn version_of<'v>(installed: &'v Versions, name: &str) -> Option<&'v String> {
    installed.get(name).or_else(|| installed.get(name.split_once(':')?.0))
}

fn options(call: &Call<'_>) -> Options {
    Options {
        refresh: call.flag("refresh", false),
        fromrepo: call.some_text("fromrepo"),
        skip_verify: call.flag("skip_verify", false),
        install_recommends: call.flag("install_recommends", true),
        reinstall: call.flag("reinstall", false),
        only_upgrade: call.flag("only_upgrade", false),
        update_holds: call.flag("update_holds", false),
    }
}

fn installed(call: &Call<'_>) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let targets = targets(call)?;
    if targets.is_empty() {
        return Plan::keep("No packages to install provided");
    }
    let options = options(call);
    let now = manager.installed(call.look)?;
    let targets = newest(call, &manager, targets, &now)?;
    let (met, open): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(|target| is_met(target, &now));
    let open = if options.reinstall { met.iter().cloned().chain(open).collect() } else { open };
    if open.is_empty() {
        let versions = met.iter().any(|target| target.version.is_some());
        let base = match (met.len(), versions) {
            (_, true) => "All specified packages are already installed and are at the desired version",
            (_, false) => "All specified packages are already installed",
        };
        return match call.value("hold").map(|_| call.flag("hold", false)) {
            Some(flag) => hold_after(call, manager, met, flag, base.to_owned()),
            None => Plan::keep(base),
        };
    }
    let names: Vec<String> = open.iter().map(wanted).collect();
    let preview = if call.test { preview(call, &manager, &open)? } else { Map::new() };
    let comment = format!(
        "The following packages would be installed/updated: {}",
        open.iter().map(|target| target.name.as_str()).collect::<Vec<_>>().join(", ")
    );
    let hold = call.value("hold").map(|_| call.flag("hold", false));
    let refresh = must_refresh(call);
    Plan::change(comment, preview, move |doing| {
        open.iter().for_each(|target| doing.host.expect(Expected::Package(target.name.clone())));
        let work = Work { manager, options, refresh, before: now };
        work.install(doing, &open, &met, &names, hold)
    })
}

/// Package lists are fetched where the state says so, or, as Salt does, once a run for `latest`.
fn must_refresh(call: &Call<'_>) -> bool {
    call.flag("refresh", true) && call.value("sources").is_none()
}

/// `version: latest` becomes the version that the repositories have.
fn newest(call: &Call<'_>, manager: &Manager, targets: Vec<Target>, now: &Versions) -> Result<Vec<Target>, StateError> {
    let is_latest = |target: &&Target| target.version.as_deref() == Some("latest");
    let names: Vec<&str> = targets.iter().filter(is_latest).map(|target| target.name.as_str()).collect();
    let known = manager.candidates(call.look, &names)?;
    let resolve = |target: Target| match target.version.as_deref() {
        Some("latest") => {
            let there = known.get(&target.name).or_else(|| version_of(now, &target.name));
            Target { version: there.cloned(), ..target }
        }
        _ => target,
    };
    Ok(targets.into_iter().map(resolve).collect())
}

/// What a dry run shows: the versions that the repositories have, as Salt does.
fn preview(call: &Call<'_>, manager: &Manager, open: &[Target]) -> Result<Map, StateError> {
    let unnamed = open.iter().filter(|target| target.version.is_none() && target.source.is_none());
    let names: Vec<&str> = unnamed.map(|target| target.name.as_str()).collect();
    let known = manager.candidates(call.look, &names)?;
    let new = |target: &Target| known.get(&target.name).map_or("installed", String::as_str).to_owned();
    Ok(open.iter().map(|target| (target.name.clone(), json!({"new": new(target), "old": ""}))).collect())
}

/// One installation.
struct Work {
    manager: Manager,
    options: Options,
    refresh: bool,
    before: Versions,
}

impl Work {
    fn install(
        &self,
        doing: &Doing<'_>,
        open: &[Target],
        met: &[Target],
        names: &[String],
        hold: Option<bool>,
    ) -> Result<Done, StateError> {
        let host = doing.host;
        if self.refresh {
            // Lists that cannot be fetched matter only if the installation then fails.
            let _ = packages::apply(doing, &self.manager.refresh());
        }
        let exact = self.exact(host, open)?;
        let went = packages::apply(doing, &self.manager.install(&exact, &self.options));
        let after = self.manager.installed(host)?;
        let changes = changes(&self.before, &after);
        if let Err(why) = went {
            let comment = format!("An error was encountered while installing package(s): {why}");
            return Err(StateError::WithChanges { comment, changes });
        }
        let done = |target: &&Target| target.source.is_some() || is_met(target, &after);
        let failed: Vec<String> = open.iter().filter(|target| !done(target)).map(wanted).collect();
        let mut comments = Vec::new();
        if !failed.is_empty() {
            comments.push(format!("The following packages failed to install/update: {}", failed.join(", ")));
        }
        let good: Vec<&String> = names.iter().filter(|name| !failed.contains(name)).collect();
        let summary = good.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        match good.len() {
            0 => {}
            _ if summary.len() < 20 => {
                comments.push(format!("The following packages were installed/updated: {summary}"))
            }
            1 => comments.push("1 targeted package was installed/updated.".into()),
            count => comments.push(format!("{count} targeted packages were installed/updated.")),
        }
        if !met.is_empty() {
            let met: Vec<String> = met.iter().map(wanted).collect();
            comments.push(format!("The following packages were already installed: {}", met.join(", ")));
        }
        if let Some(flag) = hold {
            let all: Vec<String> = open.iter().chain(met).map(|target| target.name.clone()).collect();
            packages::apply(doing, &self.manager.hold(&all, flag))?;
        }
        Ok(Done { result: failed.is_empty(), ..Done::new(comments.join("\n"), changes) })
    }

    /// Conditions such as `>=1.2` become the version that fulfils them.
    fn exact(&self, host: &dyn Host, open: &[Target]) -> Result<Vec<Target>, StateError> {
        let is_condition = |target: &&Target| {
            target.version.as_ref().is_some_and(|version| version.contains(['<', '>', '!', '*', '=']))
        };
        let names: Vec<&str> = open.iter().filter(is_condition).map(|target| target.name.as_str()).collect();
        let known = self.manager.candidates(host, &names)?;
        open.iter()
            .map(|target| {
                if !is_condition(&target) {
                    return Ok(target.clone());
                }
                let wanted = target.version.clone().unwrap_or_default();
                match known.get(&target.name).filter(|version| fulfils(version, &wanted)) {
                    Some(version) => Ok(Target { version: Some(version.clone()), ..target.clone() }),
                    None => failed(format!("No version of {} that fulfils '{wanted}' is available", target.name)),
                }
            })
            .collect()
    }
}

fn hold_after(
    call: &Call<'_>,
    manager: Manager,
    met: Vec<Target>,
    flag: bool,
    base: String,
) -> Result<Plan, StateError> {
    let held = manager.held(call.look)?;
    let names: Vec<String> =
        met.into_iter().map(|target| target.name).filter(|name| held.contains(name) != flag).collect();
    if names.is_empty() {
        return Plan::keep(base);
    }
    let (old, new) = if flag { ("install", "hold") } else { ("hold", "install") };
    let changes: Map = names.iter().map(|name| (name.clone(), json!({"old": old, "new": new}))).collect();
    let comment = format!("{base}.\n{} would be {}held", names.join(", "), if flag { "" } else { "un" });
    Plan::change(comment, changes.clone(), move |doing| {
        packages::apply(doing, &manager.hold(&names, flag))?;
        let verb = if flag { "held" } else { "unheld" };
        let said: Vec<String> = names.iter().map(|name| format!("Package {name} is now being {verb}.")).collect();
        Ok(Done::new(format!("{base}.\n{}", said.join("\n")), changes))
    })
}

/// What two lists of installed packages differ in, as Salt shows it.
fn changes(before: &Versions, after: &Versions) -> Map {
    let mut names: BTreeMap<&String, ()> = before.keys().map(|name| (name, ())).collect();
    names.extend(after.keys().map(|name| (name, ())));
    let version = |all: &Versions, name: &String| all.get(name).cloned().unwrap_or_default();
    names
        .into_keys()
        .map(|name| (name, version(before, name), version(after, name)))
        .filter(|(_, old, new)| old != new)
        .map(|(name, old, new)| (name.clone(), json!({"new": new, "old": old})))
        .collect()
}

fn latest(call: &Call<'_>) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let targets = targets(call)?;
    let now = manager.installed(call.look)?;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let newest = manager.candidates(call.look, &names)?;
    let is_old = |target: &&Target| match (version_of(&now, &target.name), newest.get(&target.name)) {
        (Some(have), Some(there)) => packages::compare(have, there) == std::cmp::Ordering::Less,
        (have, _) => have.is_none(),
    };
    let open: Vec<Target> = targets.iter().filter(is_old).cloned().collect();
    if let Some(unknown) = open.iter().find(|target| !newest.contains_key(&target.name)).filter(|_| !call.test) {
        return failed(format!("No information found for '{}'.", unknown.name));
    }
    if open.is_empty() {
        return Plan::keep(match &targets[..] {
            [one] => format!("Package {} is already up-to-date", one.name),
            all if all.len() > 10 => format!("All {} packages are up-to-date.", all.len()),
            _ => format!("All packages are up-to-date ({}).", sorted(&names)),
        });
    }
    let list = open.iter().map(|target| target.name.as_str()).collect::<Vec<_>>();
    let preview: Map = open
        .iter()
        .map(|target| {
            let old = version_of(&now, &target.name).cloned().unwrap_or_default();
            (target.name.clone(), json!({"new": newest.get(&target.name), "old": old}))
        })
        .collect();
    let list = sorted(&list);
    let comment = format!("The following packages are set to be installed/upgraded: {list}");
    let (options, refresh) = (options(call), must_refresh(call));
    Plan::change(comment, preview, move |doing| {
        open.iter().for_each(|target| doing.host.expect(Expected::Package(target.name.clone())));
        if refresh {
            let _ = packages::apply(doing, &manager.refresh());
        }
        let went = packages::apply(doing, &manager.install(&open, &options));
        let changes = changes(&now, &manager.installed(doing.host)?);
        match went {
            Ok(()) => {
                Ok(Done::new(format!("The following packages were successfully installed/upgraded: {list}"), changes))
            }
            Err(why) => Err(StateError::WithChanges {
                comment: format!("An error was encountered while installing package(s): {why}"),
                changes,
            }),
        }
    })
}

fn sorted(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.join(", ")
}

fn gone(call: &Call<'_>, purge: bool) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let action = if purge { "purge" } else { "remove" };
    let now = manager.installed(call.look)?;
    let all = targets(call)?;
    let there: Vec<String> =
        all.iter().filter(|target| is_met(target, &now)).map(|target| target.name.clone()).collect();
    if there.is_empty() {
        let versions = if all.iter().any(|target| target.version.is_some()) { " at the specified version" } else { "" };
        return Plan::keep(format!("None of the targeted packages are installed{versions}"));
    }
    let preview: Map =
        there.iter().map(|name| (name.clone(), json!({"new": format!("{action}d"), "old": ""}))).collect();
    let absent: Vec<String> =
        all.iter().map(|target| target.name.clone()).filter(|name| !there.contains(name)).collect();
    let comment = format!("The following packages will be {action}d: {}.", there.join(", "));
    Plan::change(comment, preview, move |doing| {
        packages::apply(doing, &manager.remove(&there, purge)).map_err(|why| {
            StateError::Failed(format!("The following packages failed to {action}: {}.\n{why}", there.join(", ")))
        })?;
        let after = manager.installed(doing.host)?;
        let changes = changes(&now, &after);
        let failed: Vec<String> = there.iter().filter(|name| after.contains_key(*name)).cloned().collect();
        if !failed.is_empty() {
            let comment = format!("The following packages failed to {action}: {}.", failed.join(", "));
            return Ok(Done::failed(comment, changes));
        }
        let mut comments = Vec::new();
        if !absent.is_empty() {
            comments.push(format!("The following packages were not installed: {}.", absent.join(", ")));
        }
        comments.push(match absent.is_empty() {
            true => format!("All targeted packages were {action}d."),
            false => format!("The following packages were {action}d: {}.", there.join(", ")),
        });
        Ok(Done::new(comments.join(" "), changes))
    })
}

fn uptodate(call: &Call<'_>) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let named = call.list("pkgs");
    let mut open = manager.upgrades(call.look)?;
    open.retain(|name, _| named.is_empty() || named.contains(name));
    let refresh = call.flag("refresh", false);
    if open.is_empty() && !refresh {
        return Plan::keep("System is already up-to-date");
    }
    let now = manager.installed(call.look)?;
    let preview: Map = open
        .iter()
        .map(|(name, new)| (name.clone(), json!({"new": new, "old": now.get(name).cloned().unwrap_or_default()})))
        .collect();
    if open.is_empty() && call.test {
        return Plan::keep("System is already up-to-date");
    }
    Plan::change("System update will be performed", preview, move |doing| {
        if refresh {
            packages::apply(doing, &manager.refresh())?;
        }
        let command = match named.is_empty() {
            true => manager.upgrade(),
            false => {
                let targets: Vec<Target> =
                    open.keys().map(|name| Target { name: name.clone(), ..Target::default() }).collect();
                manager
                    .install(&targets, &Options { install_recommends: true, only_upgrade: true, ..Options::default() })
            }
        };
        let went = packages::apply(doing, &command);
        let changes = changes(&now, &manager.installed(doing.host)?);
        Ok(match went {
            Ok(()) if changes.is_empty() => Done::new("System is already up-to-date", changes),
            Ok(()) => Done::new("Upgrade ran successfully", changes),
            Err(why) => Done::failed(format!("An exception occurred during package upgrade: {why}"), changes),
        })
    })
}

fn hold(call: &Call<'_>, flag: bool) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let word = if flag { "held" } else { "unheld" };
    let held = manager.held(call.look)?;
    let all = call.flag("all", false) && !flag;
    let names: Vec<String> = match all {
        true => held.clone(),
        false => targets(call)?.into_iter().map(|target| target.name).collect(),
    };
    let open: Vec<String> = names.iter().filter(|name| held.contains(name) != flag).cloned().collect();
    let same: Vec<String> = names.iter().filter(|name| held.contains(name) == flag).cloned().collect();
    let same: Vec<String> = same.iter().map(|name| format!("Package {name} was already {word}")).collect();
    if open.is_empty() {
        return Plan::keep(if same.is_empty() { format!("No package to be {word}") } else { same.join("\n") });
    }
    let (old, new) = if flag { ("install", "hold") } else { ("hold", "install") };
    let changes: Map = open.iter().map(|name| (name.clone(), json!({"old": old, "new": new}))).collect();
    let would: Vec<String> = open.iter().map(|name| format!("Package {name} would be {word}")).collect();
    let comment = would.into_iter().chain(same.clone()).collect::<Vec<_>>().join("\n");
    Plan::change(comment, changes.clone(), move |doing| {
        packages::apply(doing, &manager.hold(&open, flag))?;
        let said = open.iter().map(|name| format!("Package {name} is now {word}"));
        Ok(Done::new(said.chain(same).collect::<Vec<_>>().join("\n"), changes))
    })
}
