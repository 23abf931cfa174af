//! `pkg.*`: packages of the system's own package manager.

mod gone;
mod groups;
mod hold;
mod latest;
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
            plan: latest::latest,
        },
        State {
            name: "removed",
            doc: "Makes sure that packages are not installed.\n\n    telnet:\n      pkg.removed",
            params: params::REMOVED,
            plan: |call| gone::gone(call, false),
        },
        State {
            name: "purged",
            doc: "Makes sure that packages and their configuration are not installed.\n\n    telnet:\n      pkg.purged",
            params: params::PURGED,
            plan: |call| gone::gone(call, true),
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
            plan: |call| hold::hold(call, true),
        },
        State {
            name: "unheld",
            doc: "Lets packages be upgraded again.\n\n    nginx:\n      pkg.unheld",
            params: params::UNHELD,
            plan: |call| hold::hold(call, false),
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
    // Nothing in `sources` is none at all; no packages in `pkgs` are the state's own affair.
    let has_sources = call.value("sources").is_some_and(crate::functions::truth);
    let (mut found, key) = (Vec::new(), if has_sources { "sources" } else { "pkgs" });
    let Some(listed) = call.value(key).filter(|listed| listed.is_array() || crate::functions::truth(listed)) else {
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

/// Whether what is installed is newer than the version that a target asks for.
fn is_newer(target: &Target, installed: &Versions) -> bool {
    let versions = version_of(installed, &target.name).map_or("", String::as_str);
    let plain = |wanted: &&String| !wanted.contains(['<', '>', '=', '!', '*']);
    let wanted = target.version.as_ref().filter(plain);
    wanted.is_some_and(|wanted| versions.split(',').any(|version| fulfils(version, &format!(">={wanted}"))))
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
    if call.flag("pkg_verify", false) && manager == Manager::Apt {
        return failed("pkg.verify not implemented");
    }
    let updates = call.flag("allow_updates", false);
    let enough = |target: &Target| is_met(target, &now) || updates && is_newer(target, &now);
    let (met, open): (Vec<Target>, Vec<Target>) = targets.into_iter().partition(enough);
    let (met, again) = if options.reinstall { (Vec::new(), met) } else { (met, Vec::new()) };
    let open: Vec<Target> = again.iter().cloned().chain(open).collect();
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
    let again: Vec<String> = again.into_iter().map(|target| target.name).collect();
    let names: Vec<String> = open.iter().filter(|target| !again.contains(&target.name)).map(wanted).collect();
    let mut preview = if call.test { preview(call, &manager, &open)? } else { Map::new() };
    for name in &again {
        preview.insert(name.clone(), json!({"new": "installed", "old": ""}));
    }
    let fresh = open.iter().map(|target| target.name.as_str()).filter(|name| !again.iter().any(|other| other == name));
    let fresh = fresh.collect::<Vec<_>>().join(", ");
    let said = [("installed/updated", fresh), ("reinstalled", again.join(", "))];
    let said = said.iter().filter(|(_, list)| !list.is_empty());
    let said = said.map(|(word, list)| format!("The following packages would be {word}: {list}"));
    let comment = said.collect::<Vec<_>>().join("\n");
    let hold = call.value("hold").map(|_| call.flag("hold", false));
    let refresh = must_refresh(call);
    Plan::change(comment, preview, move |doing| {
        open.iter().for_each(|target| doing.host.expect(Expected::Package(target.name.clone())));
        let work = Work { manager, options, refresh, before: now, again };
        work.install(doing, &open, &met, &names, hold)
    })
}

/// Package lists are fetched where the state says so, or, as Salt does, once a run for `latest`.
fn must_refresh(call: &Call<'_>) -> bool {
    call.flag("refresh", true) && !call.value("sources").is_some_and(crate::functions::truth)
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

/// What a dry run shows: the version that the repositories have, or that is asked for, as Salt does.
fn preview(call: &Call<'_>, manager: &Manager, open: &[Target]) -> Result<Map, StateError> {
    let of_repositories = open.iter().filter(|target| target.source.is_none());
    let (named, any): (Vec<&Target>, Vec<&Target>) = of_repositories.partition(|target| target.version.is_some());
    let names = |targets: &[&'_ Target]| targets.iter().map(|target| target.name.clone()).collect::<Vec<String>>();
    let (named, any) = (names(&named), names(&any));
    let known = manager.candidates(call.look, &any.iter().map(String::as_str).collect::<Vec<_>>())?;
    let available = manager.available(call.look, &named.iter().map(String::as_str).collect::<Vec<_>>())?;
    let new = |target: &Target| match &target.version {
        None => known.get(&target.name).cloned(),
        Some(wanted) if wanted.starts_with(['<', '>', '=', '!']) => None,
        Some(wanted) => newest_of(&available, &target.name, wanted),
    };
    let row = |target: &Target| json!({"new": new(target).unwrap_or_else(|| "installed".into()), "old": ""});
    Ok(open.iter().map(|target| (target.name.clone(), row(target))).collect())
}

/// The newest version of a package that fulfils a condition.
fn newest_of(available: &BTreeMap<String, Vec<String>>, name: &str, wanted: &str) -> Option<String> {
    let fitting = available.get(name)?.iter().filter(|version| fulfils(version, wanted));
    fitting.max_by(|a, b| packages::compare(a, b)).cloned()
}

/// One installation.
struct Work {
    manager: Manager,
    options: Options,
    refresh: bool,
    before: Versions,
    /// Those that are there, and are installed once more.
    again: Vec<String>,
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
        let went = packages::install(doing, &self.manager, &exact, &self.options);
        let after = self.manager.installed(host)?;
        let mut changes = changes(&self.before, &after);
        if went.is_ok() {
            for name in self.again.iter().filter(|name| !changes.contains_key(*name)).collect::<Vec<_>>() {
                let version = version_of(&after, name);
                changes.insert(name.clone(), json!({"old": version, "new": version}));
            }
        }
        if let Err(why) = went {
            let comment = format!("An error was encountered while installing package(s): {why}");
            return Err(StateError::WithChanges { comment, changes });
        }
        let done =
            |target: &&Target| target.source.is_some() || is_met(target, &after) || self.again.contains(&target.name);
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
        comments.extend(self.again.iter().map(|name| format!("Package {name} was reinstalled.")));
        if !met.is_empty() {
            let met: Vec<String> = met.iter().map(wanted).collect();
            comments.push(format!("The following packages were already installed: {}", met.join(", ")));
        }
        if let Some(flag) = hold {
            let all: Vec<String> = open.iter().chain(met).map(|target| target.name.clone()).collect();
            packages::apply(doing, &self.manager.hold(&all, flag))?;
            let verb = if flag { "now" } else { "no longer" };
            comments.extend(all.iter().map(|name| format!("Package {name} is {verb} being held.")));
        }
        Ok(Done { result: failed.is_empty(), ..Done::new(comments.join("\n"), changes) })
    }

    /// Conditions such as `>=1.2` become the version that fulfils them.
    fn exact(&self, host: &dyn Host, open: &[Target]) -> Result<Vec<Target>, StateError> {
        let is_condition = |target: &&Target| {
            target.version.as_ref().is_some_and(|version| version.contains(['<', '>', '!', '*', '=']))
        };
        let names: Vec<&str> = open.iter().filter(is_condition).map(|target| target.name.as_str()).collect();
        let available = self.manager.available(host, &names)?;
        open.iter()
            .map(|target| {
                if !is_condition(&target) {
                    return Ok(target.clone());
                }
                let wanted = target.version.clone().unwrap_or_default();
                let Some(version) = newest_of(&available, &target.name, &wanted) else {
                    let there = available.get(&target.name).map_or("none".into(), |all| all.join(", "));
                    let name = &target.name;
                    return failed(format!("No version matching '{name}{wanted}' could be found (available: {there})"));
                };
                Ok(Target { version: Some(version), ..target.clone() })
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
    let all: Vec<String> = met.into_iter().map(|target| target.name).collect();
    let names: Vec<String> = all.iter().filter(|name| held.contains(name) != flag).cloned().collect();
    if names.is_empty() {
        let word = if flag { "already set to be held" } else { "not being held" };
        let said: Vec<String> = all.iter().map(|name| format!("Package {name} is {word}.")).collect();
        return Plan::keep(format!("{base}.\n{}", said.join("\n")));
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
