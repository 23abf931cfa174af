//! `user.*`: users of the host.

mod changes;
mod make;
#[cfg(test)]
mod tests;

use std::{fmt::Write, path::Path};

use proto::{Map, Value};
use serde_json::json;

use self::changes::{AGES, Wanted};
use super::params::accounts as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts,
        files::{self, Permissions},
        groups,
        users::{self, Field, Shadow},
    },
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "user",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a user is there, with its groups, home and password.\n\n    alice:\n      user.present:\n        - fullname: Alice\n        - shell: /bin/bash\n        - groups: [sudo]\n        - password: $6$salt$hash",
            params: params::USER_PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a user is not there.\n\n    alice:\n      user.absent:\n        - purge: True",
            params: params::USER_ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

/// What stands in place of a password, in Salt's letters.
const HIDDEN: &str = concat!("XX", "X-REDACTED-", "XX", "X");

fn named(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    if groups::is_name(&name) { Ok(name) } else { failed(format!("'{name}' is not the name of a user")) }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    let mut wanted = Wanted::of(call, name.clone())?;
    for field in ["fullname", "roomnumber", "workphone"] {
        if let Some(text) = wanted.office(field).filter(|text| text.contains(',')) {
            return failed(format!("Unsupported char ',' in {text}"));
        }
    }
    let there = |group: &String| accounts::group(call.look, group).is_some();
    let missing: Vec<String> = wanted.groups.iter().flatten().filter(|group| !there(group)).cloned().collect();
    if !missing.is_empty() && !call.test {
        return failed(format!("The following group(s) are not present: {}", missing.join(",")));
    }
    wanted.groups = wanted.groups.map(|all| all.into_iter().filter(|group| !missing.contains(group)).collect());
    wanted.optional.retain(there);
    match wanted.changes(call.look)? {
        None if accounts::user_expected(call.look, &name) => {
            Plan::keep(format!("User {name} is present and up to date"))
        }
        None => make::plan(call, wanted, &missing),
        Some(changes) if changes.is_empty() => Plan::keep(format!("User {name} is present and up to date")),
        Some(changes) => change(wanted, changes, &missing),
    }
}

fn change(wanted: Wanted, changes: Map, missing: &[String]) -> Result<Plan, StateError> {
    let mut comment = "The following user attributes are set to be changed:\n".to_owned();
    for (key, value) in &changes {
        let shown = if key == "passwd" { HIDDEN.to_owned() } else { value::python_str(value) };
        let _ = writeln!(comment, "{key}: {shown}");
    }
    if !missing.is_empty() {
        let _ = writeln!(comment, "groups (pending creation): {}", missing.join(","));
    }
    Plan::change(comment, json!({}), move |doing| {
        let (host, name) = (doing.host, wanted.name.as_str());
        let before = users::info(host, name).unwrap_or_default();
        let shadow = Shadow::of(host, name);
        perform(host, &wanted, &changes, &before)?;
        let mut changed = differing(&before, &users::info(host, name).unwrap_or_default());
        if let (Some(old), Some(new)) = (shadow, Shadow::of(host, name))
            && Some(&old.passwd) != wanted.password.as_ref()
        {
            changed.extend(differing(&old.map(name), &new.map(name)).into_iter().map(hide));
        }
        let allowing = Wanted { allow_uid: true, allow_gid: true, ..wanted };
        let left = allowing.changes(host)?.unwrap_or_default();
        Ok(match left.is_empty() {
            true if changed.is_empty() => {
                Done::new(format!("User {} is present and up to date", allowing.name), changed)
            }
            true => Done::new(format!("Updated user {}", allowing.name), changed),
            false => {
                let left: Map = left.into_iter().map(hide).collect();
                let left = value::python_str(&Value::Object(left));
                Done::failed(format!("These values could not be changed: {left}"), changed)
            }
        })
    })
}

fn hide((key, value): (String, Value)) -> (String, Value) {
    if key == "passwd" { (key, HIDDEN.into()) } else { (key, value) }
}

fn differing(before: &Map, after: &Map) -> Map {
    let differs = |(key, value): &(&String, &Value)| before.get(*key) != Some(*value);
    after.iter().filter(differs).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Carries out what has to change, in Salt's order.
fn perform(host: &dyn Host, wanted: &Wanted, changes: &Map, before: &Map) -> Result<(), StateError> {
    let name = wanted.name.as_str();
    let text = |key: &str| changes.get(key).map(value::python_str);
    if let Some(hash) = text("passwd") {
        users::set_password(host, name, &hash)?;
    }
    if changes.contains_key("empty_password") {
        users::delete_password(host, name)?;
    }
    if let Some(lock) = changes.get("password_lock") {
        users::lock_password(host, name, *lock == Value::Bool(true))?;
    }
    home(host, wanted, text("home"), text("homeDoesNotExist"), before)?;
    for (key, ..) in AGES {
        if let Some(days) = changes.get(key).and_then(Value::as_i64) {
            users::set_age(host, name, key, days)?;
        }
    }
    for (key, field) in [("uid", Field::Uid), ("gid", Field::Gid), ("shell", Field::Shell)] {
        if let Some(value) = text(key) {
            users::set(host, name, field, &value, false)?;
        }
    }
    for field in users::GECOS {
        if let Some(value) = text(field) {
            users::set_office(host, name, field, &value)?;
        }
    }
    if let Some(Value::Array(groups)) = changes.get("groups") {
        let groups: Vec<String> = groups.iter().map(value::python_str).collect();
        users::set_groups(host, name, &groups, !wanted.remove_groups)?;
    }
    Ok(())
}

fn home(
    host: &dyn Host,
    wanted: &Wanted,
    home: Option<String>,
    missing: Option<String>,
    before: &Map,
) -> Result<(), StateError> {
    if let Some(home) = home.as_ref().or(missing.as_ref()) {
        users::set(host, &wanted.name, Field::Home, home, wanted.persist_home)?;
    }
    let Some(folder) = missing.as_ref().map(Path::new).filter(|folder| !files::is_dir(host, folder)) else {
        return Ok(());
    };
    let id = |key: &str| before.get(key).and_then(Value::as_u64).and_then(|id| u32::try_from(id).ok());
    let named = |id: Option<u32>| id.map(|id| (id.to_string(), id));
    let owner = Permissions { user: named(id("uid")), group: named(id("gid")), mode: Some(0o755) };
    files::make_dirs(host, folder, &owner).map_err(|why| StateError::io("create", folder, &why))?;
    Ok(())
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    let (purge, force, local) = (call.flag("purge", false), call.flag("force", false), call.flag("local", false));
    if accounts::user(call.look, &name).is_none() {
        return Plan::keep(format!("User {name} is not present"));
    }
    Plan::change(format!("User {name} set for removal"), json!({}), move |doing| {
        let host = doing.host;
        let before = users::groups(host, &name);
        if !users::delete(host, &name, purge, force, local)? {
            return failed(format!("Failed to remove user {name}"));
        }
        let gone = before.iter().filter(|group| accounts::group(host as &dyn Look, group).is_none());
        let mut changes: Map = gone.map(|group| (format!("{group} group"), "removed".into())).collect();
        changes.insert(name.clone(), "removed".into());
        Ok(Done::new(format!("Removed user {name}"), changes))
    })
}
