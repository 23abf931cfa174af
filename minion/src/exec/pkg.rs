//! `pkg.*` beyond what `states::functions` reads. Salt's `modules/aptpkg.py`; dnf and apk as far as
//! they have the same thing.

mod change;
mod hold;
mod query;
mod repos;

use proto::{Map, Value};
use serde_json::json;
use states::{
    CallError, Command, Context, Function, Output,
    plan::StateError,
    resource::packages::{Manager, Versions},
};

use super::bind::{Bound, text_of};

pub static TABLES: &[&[Function]] = &[change::TABLE, hold::TABLE, query::TABLE, repos::TABLE];

fn manager(context: &Context<'_>) -> Result<Manager, CallError> {
    Manager::detect(context.look).ok_or_else(|| CallError::failed("no package manager that is known was found here"))
}

/// For what only dpkg has.
fn only_apt(context: &Context<'_>, function: &str) -> Result<(), CallError> {
    match manager(context)? {
        Manager::Apt => Ok(()),
        _ => Err(CallError::failed(format!("{function} is only available where apt is"))),
    }
}

fn why(error: StateError) -> CallError {
    CallError::failed(error.to_string())
}

fn command(words: &[&str], names: &[String]) -> Command {
    let argv = words.iter().map(ToString::to_string).chain(names.iter().cloned()).collect();
    Command { argv, env: vec![("LC_ALL".into(), "C".into())], ..Command::default() }
}

/// A command that changes nothing; gives what it printed.
fn ask(context: &Context<'_>, words: &[&str], names: &[String]) -> Result<(Output, String), CallError> {
    let output = context.look.probe(&command(words, names)).map_err(|error| CallError::failed(error.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((output, said))
}

/// Names that are no options of a package manager.
fn checked(names: Vec<String>) -> Result<Vec<String>, CallError> {
    match names.iter().find(|name| name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace)) {
        Some(bad) => Err(CallError::arguments(format!("'{bad}' is not the name of a package"))),
        None => Ok(names),
    }
}

/// Names that were given one by one, or between commas.
fn rest(bound: &Bound) -> Result<Vec<String>, CallError> {
    let split = |value: &Value| match value {
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>(),
        other => text_of(other).split(',').map(|part| part.trim().to_owned()).collect(),
    };
    checked(bound.rest.iter().flat_map(split).collect())
}

/// What changed between two lists of versions, as Salt's `compare_dicts`.
fn changes(before: &Versions, after: &Versions) -> Map {
    let version = |of: &Versions, name: &str| of.get(name).cloned().unwrap_or_default();
    let names = before.keys().chain(after.keys()).collect::<std::collections::BTreeSet<_>>();
    let changed = names.into_iter().filter(|name| before.get(*name) != after.get(*name));
    changed.map(|name| (name.clone(), json!({"old": version(before, name), "new": version(after, name)}))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_by_name() {
        let versions = |list: &[(&str, &str)]| -> Versions {
            list.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
        };
        let (before, after) =
            (versions(&[("a", "1"), ("b", "1"), ("c", "1")]), versions(&[("b", "2"), ("c", "1"), ("d", "1")]));
        let shown = json!({"a": {"old": "1", "new": ""}, "b": {"old": "1", "new": "2"}, "d": {"old": "", "new": "1"}});
        assert_eq!(Value::Object(changes(&before, &after)), shown);
    }

    #[test]
    fn no_name_becomes_an_option() {
        assert!(checked(vec!["vim".into(), "libc6:amd64".into()]).is_ok());
        for bad in ["-o=x", "", "a b"] {
            assert!(checked(vec![bad.into()]).is_err(), "{bad:?}");
        }
    }
}
