//! `git.config_set` and `git.config_unset`.

use std::path::PathBuf;

use proto::Value;
use serde_json::json;

use crate::{
    Host, Look,
    plan::{Call, Done, Plan, StateError, failed, missing},
    resource::{files, git::Git},
    value,
};

/// A key, and whose configuration it is in.
struct Key {
    git: Git,
    name: String,
    /// The repository; none for the user's own configuration.
    repo: Option<PathBuf>,
}

impl Key {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let repo = call.some_text("repo").map(PathBuf::from);
        let global = call.flag("global", false);
        if !global && repo.is_none() {
            return failed("Non-global config options require the 'repo' argument to be set");
        }
        let name = call.name();
        if name.is_empty() || name.starts_with('-') {
            return failed(format!("'{name}' is not a key of git's configuration"));
        }
        let repo = repo.filter(|_| !global);
        if let Some(repo) = repo.as_ref().filter(|repo| !files::is_dir(call.look, repo)) {
            return missing(format!("Repository {} does not exist", repo.display()));
        }
        let git = Git { user: call.some_text("user"), identities: Vec::new() };
        Ok(Self { git, name, repo })
    }

    fn scope(&self) -> &'static str {
        if self.repo.is_some() { "--local" } else { "--global" }
    }

    fn prefix(&self) -> &'static str {
        if self.repo.is_some() { "" } else { "Global key " }
    }

    fn values(&self, look: &dyn Look) -> Result<Option<Vec<String>>, StateError> {
        let words = ["config", self.scope(), "-z", "--get-all", &self.name];
        let output = self.git.ask(look, self.repo.as_deref(), &words)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let all = said.trim_end_matches('\0').split('\0').map(str::to_owned).collect();
        Ok((output.code == 0).then_some(all))
    }

    fn run(&self, host: &dyn Host, words: &[&str]) -> Result<(), StateError> {
        let words = [&["config", self.scope()], words].concat();
        self.git.run(host, self.repo.as_deref(), &words).map(drop)
    }
}

pub fn set(call: &Call<'_>) -> Result<Plan, StateError> {
    let key = Key::of(call)?;
    let (one, many) = (call.text("value"), call.value("multivar"));
    let (desired, shown) = match (one, many) {
        (Some(_), Some(_)) => return failed("Only one of 'value' and 'multivar' is permitted"),
        (Some(value), None) => (vec![value.clone()], format!("'{value}'")),
        (None, Some(Value::Array(all))) => {
            let all: Vec<String> = all.iter().map(value::python_str).collect();
            (all.clone(), value::python_str(&json!(all)))
        }
        (None, Some(other)) => {
            let all: Vec<String> = value::python_str(other).split(',').map(str::to_owned).collect();
            (all.clone(), value::python_str(&json!(all)))
        }
        (None, None) => return failed("One of 'value' and 'multivar' is required"),
    };
    let before = key.values(call.look)?;
    let name = format!("{}'{}'", key.prefix(), key.name);
    if before.as_ref() == Some(&desired) {
        return Plan::keep(format!("{name} is already set to {shown}"));
    }
    let verb = if before.is_none() { "added as" } else { "set to" };
    let preview = json!({"old": before, "new": desired});
    Plan::change(format!("{name} would be {verb} {shown}"), preview, move |doing| {
        let host = doing.host;
        let refused = format!("Failed to set {}'{}' to {shown}", key.prefix().to_lowercase(), key.name);
        let done = match &desired[..] {
            [] => key.run(host, &["--unset-all", &key.name]),
            // The first takes the place that the old ones have in the file.
            [first, rest @ ..] => key
                .run(host, &["--replace-all", &key.name, first])
                .and_then(|()| rest.iter().try_for_each(|value| key.run(host, &["--add", &key.name, value]))),
        };
        done.map_err(|why| StateError::failed(format!("{refused}: {why}")))?;
        let after = key.values(host)?;
        let changes = json!({ key.name.as_str(): { "old": before, "new": after } });
        Ok(match after.as_ref() == Some(&desired) {
            true => Done::new(format!("{name} was {verb} {shown}"), changes),
            false => Done::failed(refused, changes),
        })
    })
}

pub fn unset(call: &Call<'_>) -> Result<Plan, StateError> {
    let key = Key::of(call)?;
    let (all, values) = (call.flag("all", false), call.some_text("value_regex"));
    let pattern = format!("^{}$", key.name.trim_start_matches('^').trim_end_matches('$'));
    let before = key.git.config(call.look, key.repo.as_deref(), &pattern, values.as_deref())?;
    if before.is_empty() {
        return Plan::keep("No matching keys are set");
    }
    let several = before.iter().filter(|(_, values)| values.len() > 1);
    let several: Vec<String> = several.map(|(key, values)| format!("{key} ({})", values.join(", "))).collect();
    if !all && !several.is_empty() {
        let several = several.join("; ");
        return failed(match values {
            Some(_) => format!(
                "Multiple values are matched by value_regex for the following keys (set 'all' to True to force \
                 removal): {several}"
            ),
            None => {
                format!("Multivar(s) matched by the key expression (set 'all' to True to force removal): {several}")
            }
        });
    }
    let would = format!("{} key(s) would have value(s) unset", before.len());
    Plan::change(would, json!(before), move |doing| {
        let verb = if all { "--unset-all" } else { "--unset" };
        for name in before.keys() {
            let words: Vec<&str> = [verb, name].into_iter().chain(values.as_deref()).collect();
            key.run(doing.host, &words).map_err(|why| {
                StateError::failed(format!("Error(s) occurred unsetting values for the following keys: {name}: {why}"))
            })?;
        }
        let left = key.git.config(doing.host, key.repo.as_deref(), &pattern, values.as_deref())?;
        if left.is_empty() {
            return Ok(Done::new("Value(s) successfully unset", json!(before)));
        }
        let left: Vec<String> = left.iter().map(|(key, values)| format!("{key} ({})", values.join(", "))).collect();
        failed(format!("Failed to unset value(s): {}", left.join("; ")))
    })
}
