//! Who may depend on whom.

use crate::{cargo, code_lines, files_ending, metadata, none, read};

/// The house: each package, and the packages of the house that it may know.
const HOUSE: &[(&str, &[&str])] = &[
    ("proto", &[]),
    ("template", &["proto"]),
    ("states", &["template", "proto"]),
    ("orchestrate", &["states", "proto"]),
    ("minion", &["states", "proto"]),
    ("master", &["orchestrate", "states", "proto"]),
    ("ctl", &["master", "minion", "orchestrate", "states", "proto"]),
    ("tests", &["ctl", "master", "minion", "states", "proto"]),
];

#[test]
fn packages_depend_as_the_house_allows() {
    let mut findings = Vec::new();
    for package in metadata(&["--no-deps"])["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let Some((_, allowed)) = HOUSE.iter().find(|(known, _)| *known == name) else {
            findings.push(format!("{name} has no place in the house"));
            continue;
        };
        let uses =
            package["dependencies"].as_array().unwrap().iter().filter_map(|dependency| dependency["name"].as_str());
        let ours = uses.filter(|used| HOUSE.iter().any(|(known, _)| known == used));
        findings.extend(ours.filter(|used| !allowed.contains(used)).map(|used| format!("{name} must not know {used}")));
    }
    none(findings, "the arrows between packages");
}

#[test]
fn the_protocol_and_the_states_know_no_runtime() {
    for (package, why) in
        [("proto", "transports are behind the feature `net`"), ("states", "async stays at the sockets")]
    {
        let tree = cargo(&["tree", "-p", package, "-e", "normal", "--no-default-features", "--prefix", "none"]);
        let runtimes = ["tokio", "zeromq", "async-std", "smol", "mio"];
        let found = tree.lines().filter(|line| runtimes.contains(&line.split(' ').next().unwrap_or_default()));
        none(found.map(str::to_owned).collect(), &format!("{package} uses no runtime: {why}"));
    }
}

/// Files of `ctl` that may see the daemons' crates.
const SEE_DAEMONS: &[(&str, &str)] = &[
    ("ctl/src/commands/master.rs", "runs the master"),
    ("ctl/src/commands/minion.rs", "runs the minion"),
    ("ctl/src/commands/call.rs", "calls a function on this host"),
    ("ctl/src/commands/dev.rs", "runs both"),
    ("ctl/src/catalogue.rs", "knows what there is to call, for `ctl doc` and \"did you mean\""),
    ("ctl/src/main.rs", "hands the process over to a job's child"),
];

#[test]
fn only_the_daemon_commands_see_the_daemons() {
    let mut findings = Vec::new();
    for file in files_ending(".rs").into_iter().filter(|file| file.starts_with("ctl/src/")) {
        if SEE_DAEMONS.iter().any(|(allowed, _)| *allowed == file) {
            continue;
        }
        for (number, line) in code_lines(&read(&file)) {
            let sees = ["master::", "minion::"].iter().any(|krate| names_crate(line, krate));
            if sees {
                findings.push(format!("{file}:{number}: {}", line.trim()));
            }
        }
    }
    none(findings, "in ctl, only these see master and minion");
}

/// Whether a line names a crate's path, and not a module of the same name.
fn names_crate(line: &str, krate: &str) -> bool {
    line.match_indices(krate).any(|(at, _)| {
        let before = line[..at].chars().last();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    })
}

#[test]
fn what_runs_jobs_and_states_is_not_async() {
    let mut findings = Vec::new();
    for file in files_ending(".rs") {
        let sync =
            ["states/src/", "states/template/src/", "states/orchestrate/src/", "minion/src/exec/", "minion/src/host/"];
        if !sync.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let text = read(&file);
        let lines = code_lines(&text).filter(|(_, line)| line.contains("async fn") || line.contains(".await"));
        findings.extend(lines.map(|(number, line)| format!("{file}:{number}: {}", line.trim())));
    }
    none(findings, "sync in the middle");
}
