//! Installing, removing and bringing up to date.

use std::time::SystemTime;

use proto::{Args, Map, Value};
use serde_json::json;
use states::{
    CallError, Context, Function, Host,
    resource::packages::{Manager, Options, Target, Versions, run},
};

use super::{ask, changes, checked, command, manager, only_apt, why};
use crate::exec::bind::{Bound, NAMED, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "pkg.install",
        Writes,
        [
            with("name", "None"),
            with("refresh", "False"),
            with("fromrepo", "None"),
            with("skip_verify", "False"),
            with("debconf", "None"),
            with("pkgs", "None"),
            with("sources", "None"),
            with("reinstall", "False"),
            with("downloadonly", "False"),
            with("ignore_epoch", "False"),
            with("normalize", "True"),
            NAMED,
        ],
        install,
        "Installs packages, or brings them up to date, and shows what changed. `pkgs` is a list of names, or of \
         names with versions; `version` goes with a single `name`; `sources` are files.\n\n    \
         ctl run '*' pkg.install pkgs='[\"vim\", {\"bash\": \"5.2.15-2+b8\"}]' refresh=True"
    ),
    row!(
        "pkg.remove",
        Writes,
        [with("name", "None"), with("pkgs", "None"), NAMED],
        |context, bound| uninstall(context, bound, false),
        "Removes packages and keeps their configuration; shows what changed.\n\n    ctl run '*' pkg.remove vim"
    ),
    row!(
        "pkg.purge",
        Writes,
        [with("name", "None"), with("pkgs", "None"), NAMED],
        |context, bound| uninstall(context, bound, true),
        "Removes packages with their configuration; shows what changed.\n\n    ctl run '*' pkg.purge vim"
    ),
    row!(
        "pkg.upgrade",
        Writes,
        [with("refresh", "True"), with("dist_upgrade", "False"), NAMED],
        upgrade,
        "Brings all packages up to date, and shows what changed.\n\n    ctl run '*' pkg.upgrade"
    ),
    row!(
        "pkg.list_upgrades",
        Writes,
        [with("refresh", "True"), with("dist_upgrade", "True"), NAMED],
        list_upgrades,
        "Lists the packages that an upgrade would bring up to date.\n\n    ctl run '*' pkg.list_upgrades refresh=False"
    ),
    row!(
        "pkg.refresh_db",
        Writes,
        [with("cache_valid_time", "0"), with("failhard", "False"), NAMED],
        refresh_db,
        "Fetches the lists of packages anew. Of each list: true if it is new, null if it was up to date, false if it \
         could not be had.\n\n    ctl run '*' pkg.refresh_db"
    ),
    row!(
        "pkg.autoremove",
        Writes,
        [with("list_only", "False"), with("purge", "False")],
        autoremove,
        "Removes packages that were installed for others and that nothing needs any more.\n\n    \
         ctl run '*' pkg.autoremove list_only=True"
    ),
];

/// Other arguments that Salt's functions take by name.
const NAMES: &[&str] = &[
    "version",
    "install_recommends",
    "only_upgrade",
    "update_holds",
    "cache_valid_time",
    "allow_updates",
    "split_arch",
    "saltenv",
    "force_conf_new",
];

fn refuse_unknown(bound: &Bound) -> Result<(), CallError> {
    match bound.named.keys().find(|name| !NAMES.contains(&name.as_str())) {
        Some(name) => Err(CallError::arguments(format!("the argument {name} is not available here"))),
        None => Ok(()),
    }
}

fn installed(context: &Context<'_>, manager: &Manager) -> Result<Versions, CallError> {
    manager.installed(context.look).map_err(why)
}

/// Whether packages lists are to be fetched first, and fetches them.
fn refreshed(host: &dyn Host, manager: &Manager, bound: &Bound, default: bool) -> Result<(), CallError> {
    match bound.flag("refresh", default) {
        true => run(host, &manager.refresh()).map_err(why),
        false => Ok(()),
    }
}

fn targets(context: &Context<'_>, bound: &Bound) -> Result<Vec<Target>, CallError> {
    let one = |name: String, version: Option<&Value>| {
        let version = version.filter(|version| truth(version)).map(text_of);
        Ok(Target { name: checked(vec![name])?.remove(0), version, source: None })
    };
    let mut targets = Vec::new();
    if let Some(pkgs) = bound.value("pkgs") {
        for pkg in pkgs.as_array().map_or_else(|| bound.list("pkgs"), Clone::clone) {
            match &pkg {
                Value::Object(map) => {
                    targets.extend(map.iter().map(|(name, version)| one(name.clone(), Some(version))))
                }
                name => targets.push(one(text_of(name), None)),
            }
        }
        return targets.into_iter().collect();
    }
    if let Some(Value::Array(sources)) = bound.value("sources") {
        let sources = sources.iter().filter_map(Value::as_object).flatten();
        return sources.map(|(name, source)| from_source(context, name, &text_of(source))).collect();
    }
    let names = bound.list("name").iter().map(text_of).collect::<Vec<_>>();
    let version = bound.named.get("version").filter(|_| names.len() == 1);
    names.into_iter().map(|name| one(name, version)).collect()
}

/// A package in a file, which may have to be fetched.
fn from_source(context: &Context<'_>, name: &str, source: &str) -> Result<Target, CallError> {
    let function = "cp.cache_file".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let kept = context.call(&function, Args::positional([source.into()]))?;
    let path = kept.as_str().ok_or_else(|| CallError::failed(format!("{source} cannot be had")))?;
    Ok(Target { name: name.to_owned(), version: None, source: Some(path.to_owned()) })
}

fn install(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse_unknown(bound)?;
    if let Some(key) = ["debconf", "downloadonly"].into_iter().find(|key| bound.value(key).is_some_and(truth)) {
        return Err(CallError::arguments(format!("pkg.install: {key} is not available here")));
    }
    let (manager, host) = (manager(context)?, context.host()?);
    let targets = targets(context, bound)?;
    if targets.is_empty() {
        return Ok(json!({}));
    }
    refreshed(host, &manager, bound, false)?;
    let named = |name: &str, default: bool| bound.named.get(name).map_or(default, truth);
    let options = Options {
        refresh: false,
        fromrepo: bound.text("fromrepo")?,
        skip_verify: bound.flag("skip_verify", false),
        install_recommends: named("install_recommends", true),
        reinstall: bound.flag("reinstall", false),
        only_upgrade: named("only_upgrade", false),
        update_holds: named("update_holds", false),
    };
    let before = installed(context, &manager)?;
    let done = run(host, &manager.install(&targets, &options)).map_err(why);
    let mut changed = changes(&before, &installed(context, &manager)?);
    done.map_err(|error| with_changes("Problem encountered installing package(s)", &error, &changed))?;
    if options.reinstall {
        for target in targets.iter().filter(|target| before.contains_key(&target.name)) {
            let version = before[&target.name].clone();
            changed.entry(target.name.clone()).or_insert_with(|| json!({"old": version, "new": version}));
        }
    }
    Ok(changed.into())
}

fn with_changes(what: &str, error: &CallError, changed: &Map) -> CallError {
    match changed.is_empty() {
        true => CallError::failed(format!("{what}: {error}")),
        false => CallError::failed(format!("{what}: {error}; changes: {}", Value::Object(changed.clone()))),
    }
}

/// Packages of which only the configuration is left.
fn removed(context: &Context<'_>, manager: &Manager) -> Result<Versions, CallError> {
    if *manager != Manager::Apt {
        return Ok(Versions::new());
    }
    let format = "--showformat=${Status} ${Package} ${Version}\n";
    let (_, said) = ask(context, &["dpkg-query", format, "-W"], &[])?;
    let row = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, _, "config-files", name, version] => Some((name.to_owned(), version.to_owned())),
        _ => None,
    };
    Ok(said.lines().filter_map(row).collect())
}

fn uninstall(context: &Context<'_>, bound: &Bound, purge: bool) -> Result<Value, CallError> {
    refuse_unknown(bound)?;
    let (manager, host) = (manager(context)?, context.host()?);
    let wanted: Vec<String> = targets(context, bound)?.into_iter().map(|target| target.name).collect();
    let (before, left) = (installed(context, &manager)?, removed(context, &manager)?);
    let known = before.keys().chain(left.keys().filter(|_| purge));
    let fits = |name: &&String| wanted.iter().any(|glob| glob == *name || states::glob::matches(glob, name));
    let targets: Vec<String> = known.filter(fits).cloned().collect();
    if targets.is_empty() {
        return Ok(json!({}));
    }
    let done = run(host, &manager.remove(&targets, purge)).map_err(why);
    let changed = changes(&before, &installed(context, &manager)?);
    done.map_err(|error| with_changes("Problem encountered removing package(s)", &error, &changed))?;
    Ok(match purge {
        true => json!({"removed": changes(&left, &removed(context, &manager)?), "installed": changed}),
        false => changed.into(),
    })
}

fn upgrade(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse_unknown(bound)?;
    let (manager, host) = (manager(context)?, context.host()?);
    refreshed(host, &manager, bound, true)?;
    let before = installed(context, &manager)?;
    let mut command = manager.upgrade();
    if bound.flag("dist_upgrade", false)
        && manager == Manager::Apt
        && let Some(last) = command.argv.last_mut()
    {
        *last = "dist-upgrade".into();
    }
    let done = run(host, &command).map_err(why);
    let changed = changes(&before, &installed(context, &manager)?);
    done.map_err(|error| with_changes("Problem encountered upgrading packages", &error, &changed))?;
    Ok(changed.into())
}

fn list_upgrades(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse_unknown(bound)?;
    let manager = manager(context)?;
    refreshed(context.host()?, &manager, bound, true)?;
    if manager == Manager::Apt && bound.flag("dist_upgrade", true) {
        let (output, said) = ask(context, &["apt-get", "--just-print", "dist-upgrade"], &[])?;
        if output.code != 0 {
            return Err(CallError::failed(format!(
                "Failed to get upgrades: {}",
                String::from_utf8_lossy(&output.stderr)
            )));
        }
        return Ok(said.lines().filter_map(upgrade_of).collect::<Map>().into());
    }
    let upgrades = manager.upgrades(context.look).map_err(why)?;
    Ok(upgrades.into_iter().map(|(name, version)| (name, version.into())).collect::<Map>().into())
}

/// `Conf libxfont1 (1:1.4.5-1 Debian:testing [i386])`.
fn upgrade_of(line: &str) -> Option<(String, Value)> {
    let (name, rest) = line.strip_prefix("Conf ")?.split_once(" (")?;
    Some((name.to_owned(), rest.split_whitespace().next()?.into()))
}

fn refresh_db(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (manager, host) = (manager(context)?, context.host()?);
    let valid = bound.integer("cache_valid_time")?.unwrap_or(0);
    let fetched = std::fs::metadata("/var/lib/apt/lists").and_then(|meta| meta.modified()).ok();
    let age = fetched.and_then(|time| SystemTime::now().duration_since(time).ok());
    if manager == Manager::Apt && age.is_some_and(|age| (age.as_secs() as i64) < valid) {
        return Ok(json!({}));
    }
    let output = host.run(&manager.refresh()).map_err(|error| CallError::failed(error.to_string()))?;
    if output.code != 0 {
        return Err(CallError::failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    if manager != Manager::Apt {
        return Ok(true.into());
    }
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let lists: Map = said.lines().filter_map(list_of).collect();
    let failed: Vec<&str> =
        lists.iter().filter(|(_, state)| **state == Value::Bool(false)).map(|(name, _)| name.as_str()).collect();
    if bound.flag("failhard", false) && !failed.is_empty() {
        return Err(CallError::failed(format!("Error getting repos: {}", failed.join(", "))));
    }
    Ok(lists.into())
}

/// `Get:1 http://deb.debian.org/debian bookworm InRelease [151 kB]`.
fn list_of(line: &str) -> Option<(String, Value)> {
    let (first, name) = line.split_once(' ')?;
    let state = match first.split(':').next()? {
        "Get" => Value::Bool(true),
        "Hit" => Value::Null,
        "Ign" | "Err" => Value::Bool(false),
        _ => return None,
    };
    let bare = name.rsplit_once(" [").filter(|(_, size)| size.ends_with("B]")).map_or(name, |(bare, _)| bare);
    Some((bare.split_whitespace().collect::<Vec<_>>().join(" "), state))
}

fn autoremove(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.autoremove")?;
    let purge = bound.flag("purge", false).then_some("--purge");
    let words = |assume| ["apt-get", assume].into_iter().chain(purge).chain(["autoremove"]).collect::<Vec<_>>();
    if bound.flag("list_only", false) {
        let (_, said) = ask(context, &words("--assume-no"), &[])?;
        return Ok(to_be_removed(&said).into());
    }
    let (manager, host) = (manager(context)?, context.host()?);
    let before = installed(context, &manager)?;
    run(host, &command(&words("--assume-yes"), &[])).map_err(why)?;
    Ok(changes(&before, &installed(context, &manager)?).into())
}

fn to_be_removed(said: &str) -> Vec<String> {
    let after = said.lines().skip_while(|line| !line.contains("The following packages will be REMOVED:")).skip(1);
    let mut names: Vec<String> =
        after.take_while(|line| line.starts_with(' ')).flat_map(str::split_whitespace).map(str::to_owned).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_apt_says_is_read() {
        assert_eq!(
            list_of("Get:1 http://deb.debian.org/debian bookworm InRelease [151 kB]"),
            Some(("http://deb.debian.org/debian bookworm InRelease".into(), true.into()))
        );
        assert_eq!(list_of("Hit:2 http://x y Release").unwrap().1, Value::Null);
        assert_eq!(list_of("Reading package lists..."), None);
        assert_eq!(
            upgrade_of("Conf libxfont1 (1:1.4.5-1 Debian:testing [i386])"),
            Some(("libxfont1".into(), "1:1.4.5-1".into()))
        );
        let said = "Reading…\nThe following packages will be REMOVED:\n  b a\n  c\n0 upgraded\n  d\n";
        assert_eq!(to_be_removed(said), ["a", "b", "c"]);
    }
}
