//! `pkg.group_installed`: groups of packages, as dnf and yum have them.

use proto::Map;
use serde_json::json;

use super::{changes, manager, options};
use crate::{
    look::Expected,
    plan::{Call, Done, Plan, StateError, failed},
    resource::{
        command::{program, text},
        packages::{self, Manager, Target},
    },
};

/// The packages of a group by how much they belong to it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Members {
    mandatory: Vec<String>,
    default: Vec<String>,
    optional: Vec<String>,
}

impl Members {
    /// What `groupinfo` prints; dnf 5 has the first package of a kind on the line of its title.
    fn parse(said: &str) -> Option<Self> {
        let mut found = Self::default();
        let mut kind = String::new();
        let mut is_group = false;
        for line in said.lines() {
            let line = line.trim().trim_start_matches(|c: char| c.is_ascii_punctuation()).trim();
            let (title, rest) = line.split_once(':').map_or(("", line), |(title, rest)| (title.trim(), rest.trim()));
            is_group |= matches!(title.to_lowercase().as_str(), "group" | "name" | "environment group");
            let title = title.to_lowercase();
            if let Some(of) = title.strip_suffix(" packages").or_else(|| title.strip_suffix(" groups")) {
                kind = of.to_owned();
            } else if !title.is_empty() {
                kind.clear();
            }
            let list = match kind.as_str() {
                "mandatory" => &mut found.mandatory,
                "default" => &mut found.default,
                "optional" => &mut found.optional,
                _ => continue,
            };
            list.extend(rest.split_whitespace().next().map(str::to_owned));
        }
        is_group.then_some(found)
    }
}

pub fn group_installed(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let manager = manager(call)?;
    let Manager::Dnf(dnf) = &manager else { return failed("pkg.group_install not available for this platform") };
    for key in ["skip", "include"] {
        if call.value(key).is_some_and(|list| !list.is_array()) {
            return failed(format!("{key} must be formatted as a list"));
        }
    }
    if name.is_empty() || name.starts_with('-') {
        return failed(format!("'{name}' is not the name of a group"));
    }
    let (skip, include) = (call.list("skip"), call.list("include"));
    let said = call.look.probe(&program(&[dnf, "--quiet", "group", "info", &name]));
    let said = said.map_err(|why| StateError::failed(why.to_string()))?;
    let Some(members) = Members::parse(&text(&said.stdout)) else {
        return failed(format!(
            "An error was encountered while installing/updating group '{name}': Group '{name}' not found."
        ));
    };
    let needed: Vec<&str> =
        members.mandatory.iter().filter(|package| skip.contains(package)).map(String::as_str).collect();
    if !needed.is_empty() {
        return failed(format!("The following mandatory packages cannot be skipped: {}", needed.join(", ")));
    }
    let now = manager.installed(call.look)?;
    let has = |package: &String| now.contains_key(package);
    let open = |list: &[String]| list.iter().filter(|package| !has(package)).cloned().collect::<Vec<_>>();
    let required: Vec<String> = open(&members.mandatory).into_iter().chain(open(&include)).collect();
    let mut wanted = required.clone();
    wanted.extend(open(&members.default).into_iter().filter(|package| !skip.contains(package)));
    if wanted.is_empty() {
        return Plan::keep(format!("Group '{name}' is already installed"));
    }
    if let Some(bad) = wanted.iter().find(|package| package.starts_with('-')) {
        return failed(format!("'{bad}' is not the name of a package"));
    }
    let partly = [&members.mandatory, &members.default, &members.optional].into_iter().flatten().any(has);
    let (would, did) = match partly {
        true => (format!("Group '{name}' is partially installed and will be updated"), "updated"),
        false => (format!("Group '{name}' will be installed"), "installed"),
    };
    let preview: Map = wanted.iter().map(|name| (name.clone(), json!({"new": "installed", "old": ""}))).collect();
    let options = options(call);
    Plan::change(would, preview, move |doing| {
        wanted.iter().for_each(|package| doing.host.expect(Expected::Package(package.clone())));
        let targets: Vec<Target> =
            wanted.iter().map(|name| Target { name: name.clone(), ..Target::default() }).collect();
        packages::apply(doing, &manager.install(&targets, &options)).map_err(|why| {
            StateError::Failed(format!("An error was encountered while installing/updating group '{name}': {why}"))
        })?;
        let after = manager.installed(doing.host)?;
        let changes = changes(&now, &after);
        let missing: Vec<&str> =
            required.iter().filter(|package| !after.contains_key(*package)).map(String::as_str).collect();
        Ok(match missing.is_empty() {
            true => Done::new(format!("Group '{name}' was {did}"), changes),
            false => Done::failed(format!("Failed to install the following packages: {}", missing.join(", ")), changes),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DNF4: &str = "\nGroup: Development Tools\n Description: A basic development environment.\n Mandatory \
                        Packages:\n   autoconf\n   gcc\n Default Packages:\n   byacc\n Optional Packages:\n   cmake\n";
    const DNF5: &str = "Id                   : development-tools\nName                 : Development \
                        Tools\nDescription          : Tools.\nMandatory packages   : autoconf\n                     : \
                        gcc\nDefault packages     : byacc\nOptional packages    : cmake\n";

    #[test]
    fn both_ways_to_print_a_group_are_read() {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
        let wanted =
            Members { mandatory: list(&["autoconf", "gcc"]), default: list(&["byacc"]), optional: list(&["cmake"]) };
        assert_eq!(Members::parse(DNF4).as_ref(), Some(&wanted));
        assert_eq!(Members::parse(DNF5), Some(wanted));
        assert_eq!(Members::parse("Error: no such group\n"), None);
    }
}
