//! Values of the configuration.

use proto::{Map, Value};
use states::{CallError, Context, Function};

use super::{git, said, told};
use crate::exec::bind::{Bound, NAMED, need, text_of, truth, with};

pub static TABLE: &[Function] = &[
    git!(
        "git.config_get",
        Reads,
        anywhere [need("key"), with("cwd", "None"), with("all", "False"), with("global", "False")],
        config_get,
        "Gives a value of the configuration; null if there is none.\n\n    ctl run '*' git.config_get user.email /srv/repo"
    ),
    git!(
        "git.config_get_regexp",
        Reads,
        anywhere [need("key"), with("value_regex", "None"), with("cwd", "None"); NAMED],
        config_get_regexp,
        "Shows the values of the configuration whose names match a pattern.\n\n    \
         ctl run '*' git.config_get_regexp '^user\\.' cwd=/srv/repo"
    ),
    git!(
        "git.config_get_regex",
        Reads,
        anywhere [need("key"), with("value_regex", "None"), with("cwd", "None"); NAMED],
        config_get_regexp,
        "The same as `git.config_get_regexp`.\n\n    ctl run '*' git.config_get_regex '^user\\.' cwd=/srv/repo"
    ),
    git!(
        "git.config_set",
        Writes,
        anywhere [
            need("key"), with("value", "None"), with("multivar", "None"), with("cwd", "None"), with("add", "False"),
            with("global", "False")
        ],
        config_set,
        "Sets a value of the configuration, and lists what it is then.\n\n    ctl run '*' git.config_set user.email me@example.org /srv/repo"
    ),
    git!(
        "git.config_unset",
        Writes,
        anywhere [
            need("key"), with("value_regex", "None"), with("cwd", "None"), with("all", "False"),
            with("global", "False")
        ],
        config_unset,
        "Takes a value out of the configuration.\n\n    ctl run '*' git.config_unset user.email cwd=/srv/repo"
    ),
];

/// Whose configuration: the user's, or that of the repository.
fn scope(bound: &Bound) -> Result<Vec<String>, CallError> {
    match (bound.flag("global", false), bound.has("cwd")) {
        (true, _) => Ok(vec!["--global".into()]),
        (false, true) => Ok(vec!["--local".into()]),
        (false, false) => Err(CallError::arguments("'cwd' argument required unless global=True")),
    }
}

fn values(context: &Context<'_>, bound: &Bound) -> Result<Option<Vec<String>>, CallError> {
    let scope = scope(bound)?;
    let output = git(context, bound, "config", false, |words| {
        words.extend(scope);
        words.extend(["--get-all".to_owned(), bound.need_text("key")?]);
        Ok(())
    })?;
    if output.code == 1 {
        return Ok(None);
    }
    told(output).map(|said| Some(text_of(&said).lines().map(str::to_owned).collect()))
}

fn config_get(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let Some(values) = values(context, bound)? else { return Ok(Value::Null) };
    Ok(match bound.flag("all", false) {
        true => values.into(),
        false => values.last().cloned().unwrap_or_default().into(),
    })
}

fn config_get_regexp(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    if let Some(other) = bound.named.keys().find(|name| *name != "global") {
        return Err(CallError::arguments(format!("git.config_get_regexp takes no argument named '{other}'")));
    }
    let scope = match bound.named.get("global").is_some_and(truth) {
        true => vec!["--global".to_owned()],
        false => scope(bound)?,
    };
    let output = git(context, bound, "config", false, |words| {
        words.extend(scope);
        words.extend(["--get-regexp".to_owned(), bound.need_text("key")?]);
        words.extend(bound.text("value_regex")?);
        Ok(())
    })?;
    let mut found = Map::new();
    if output.code == 1 {
        return Ok(found.into());
    }
    for line in text_of(&told(output)?).lines() {
        let Some((name, value)) = line.split_once(char::is_whitespace) else { continue };
        let values = found.entry(name.to_owned()).or_insert_with(|| Value::Array(Vec::new()));
        values.as_array_mut().into_iter().for_each(|values| values.push(value.trim_start().into()));
    }
    Ok(found.into())
}

fn config_set(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let set = |how: &[&str], value: String| {
        let scope = scope(bound)?;
        said(context, bound, "config", |words| {
            words.extend(scope);
            words.extend(how.iter().map(ToString::to_string));
            words.extend([bound.need_text("key")?, value]);
            Ok(())
        })
    };
    match (bound.text("value")?, bound.has("multivar")) {
        (Some(_), true) => return Err(CallError::arguments("Only one of 'value' and 'multivar' is permitted")),
        (Some(value), false) => {
            set(if bound.flag("add", false) { &["--add"] } else { &[] }, value)?;
        }
        (None, _) => {
            for (at, value) in bound.list("multivar").iter().map(text_of).enumerate() {
                set(if at == 0 { &["--replace-all"] } else { &["--add"] }, value)?;
            }
        }
    }
    Ok(values(context, bound)?.unwrap_or_default().into())
}

fn config_unset(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let scope = scope(bound)?;
    let output = git(context, bound, "config", false, |words| {
        words.extend(scope);
        words.push(if bound.flag("all", false) { "--unset-all" } else { "--unset" }.into());
        words.push(bound.need_text("key")?);
        words.extend(bound.text("value_regex")?);
        Ok(())
    })?;
    match output.code {
        0 => Ok(true.into()),
        1 => Err(CallError::failed("Section or key is invalid")),
        5 if values(context, bound)?.is_none() => {
            Err(CallError::failed(format!("Key '{}' does not exist", bound.need_text("key")?)))
        }
        5 => Err(CallError::failed(format!("Multiple values exist for key '{}'", bound.need_text("key")?))),
        _ => told(output),
    }
}
