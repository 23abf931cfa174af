//! `alias.*`: where mail for a name goes, in `/etc/aliases`. Salt's `states/alias.py` and `modules/aliases.py`.

use std::path::{Path, PathBuf};

use proto::Value;
use serde_json::json;

use super::params::alias as params;
use crate::{
    Context, Host,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{command, lines},
    value::python_str,
};

pub const MODULE: StateModule = StateModule {
    name: "alias",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that mail for a name goes to these addresses.\n\n    root:\n      alias.present:\n        - target: ops@example.com",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that mail for a name goes nowhere else.\n\n    toor:\n      alias.absent",
            params: params::ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

/// The file: `aliases.file` of the configuration, else where every mailer looks.
fn path(context: &Context<'_>) -> PathBuf {
    context.opts.get("aliases.file").and_then(Value::as_str).unwrap_or("/etc/aliases").into()
}

/// A line's name, its target, and the comment behind it with what goes before it.
fn entry(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once(':').filter(|(name, _)| !name.contains('#') && !name.trim().is_empty())?;
    let comment = rest.match_indices('#').map(|(at, _)| at).find(|&at| rest[..at].ends_with([' ', '\t']));
    let end = comment.map_or(rest.len(), |at| rest[..at].trim_end().len());
    Some((name.trim(), rest[..end].trim(), &rest[end..]))
}

fn target_of(text: &str, name: &str) -> Option<String> {
    text.lines()
        .filter_map(entry)
        .filter(|(known, ..)| *known == name)
        .map(|(_, target, _)| target.to_owned())
        .next_back()
}

/// The file with a name's first line set, or added, or all its lines taken away.
fn changed(text: &str, name: &str, target: Option<&str>) -> String {
    let (mut new, mut target) = (String::new(), target);
    for line in text.lines() {
        match entry(line) {
            Some((known, _, comment)) if known == name => {
                new += &target.take().map_or(String::new(), |target| format!("{name}: {target}{comment}\n"));
            }
            _ => new += &format!("{line}\n"),
        }
    }
    new + &target.map_or(String::new(), |target| format!("{name}: {target}\n"))
}

/// Writes the file, and has the mailer read it where there is one.
fn write(host: &dyn Host, path: &Path, text: &str) -> Result<(), StateError> {
    lines::write(host, path, text, 0o644)?;
    if host.which("newaliases").is_some() {
        command::run(host, &["newaliases"])?;
    }
    Ok(())
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path) = (call.name(), path(call.context()));
    let target = match call.value("target") {
        Some(Value::Array(targets)) => targets.iter().map(python_str).collect::<Vec<_>>().join(", "),
        _ => call.need("target")?,
    };
    if target.is_empty() || name.trim().is_empty() || [&name, &target].iter().any(|text| text.contains('\n')) {
        return failed("alias and target can not be empty, or of several lines");
    }
    let text = lines::read(call.look, &path).unwrap_or_default();
    if target_of(&text, &name).as_ref() == Some(&target) {
        return Plan::keep(format!("Alias {name} already present"));
    }
    let shown = call.value("target").map(python_str).unwrap_or_default();
    let changes = json!({ "alias": name });
    Plan::change(format!("Alias {name} -> {shown} is set to be added"), changes.clone(), move |doing| {
        let text = lines::read(doing.host, &path).unwrap_or_default();
        write(doing.host, &path, &changed(&text, &name, Some(&target)))?;
        Ok(Done::new(format!("Set email alias {name} -> {shown}"), changes))
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path) = (call.name(), path(call.context()));
    let text = lines::read(call.look, &path).unwrap_or_default();
    if target_of(&text, &name).is_none() {
        return Plan::keep(format!("Alias {name} already absent"));
    }
    let changes = json!({ "alias": name });
    Plan::change(format!("Alias {name} is set to be removed"), changes.clone(), move |doing| {
        let text = lines::read(doing.host, &path).unwrap_or_default();
        write(doing.host, &path, &changed(&text, &name, None))?;
        Ok(Done::new(format!("Removed alias {name}"), changes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Memory, thrice};

    const BEFORE: &str = "# mail\nroot: me  # for now\nroot: you\ntoor : root\n\nlist: :include:/etc/list\n";

    fn run(sls: &str) -> (String, String, String) {
        let host = Memory::new(json!({})).with(&[("/etc/aliases", BEFORE)]);
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!((&test.0, &second.2), (&json!(null), &json!({})), "{}", second.1);
        (first.1, second.1, host.text("/etc/aliases").unwrap())
    }

    #[test]
    fn a_name_is_set_in_its_place_and_added_at_the_end() {
        let (first, second, text) = run("root:\n  alias.present:\n    - target: [ops@a.b, x]\n");
        assert_eq!(
            (first.as_str(), second.as_str()),
            ("Set email alias root -> ['ops@a.b', 'x']", "Alias root already present")
        );
        assert_eq!(text, "# mail\nroot: ops@a.b, x  # for now\ntoor : root\n\nlist: :include:/etc/list\n");
        let (.., text) = run("new:\n  alias.present:\n    - target: ops\n");
        assert_eq!(text, format!("{BEFORE}new: ops\n"));
    }

    #[test]
    fn a_name_is_taken_away() {
        let (first, second, text) = run("toor:\n  alias.absent: []\n");
        assert_eq!((first.as_str(), second.as_str()), ("Removed alias toor", "Alias toor already absent"));
        assert_eq!(text, BEFORE.replace("toor : root\n", ""));
    }
}
