//! A user that is not there yet.

use proto::Map;
use serde_json::json;

use super::{
    HIDDEN,
    changes::{AGES, Wanted},
};
use crate::{
    Host,
    plan::{Call, Done, Plan, StateError, failed},
    resource::users::{self, New, Shadow},
    value,
};

pub fn plan(call: &Call<'_>, wanted: Wanted, missing: &[String]) -> Result<Plan, StateError> {
    let new = New {
        uid: wanted.uid.map(|uid| uid.to_string()),
        gid: wanted.gid.as_ref().map(value::python_str).filter(|gid| !gid.is_empty()),
        groups: wanted.groups.iter().flatten().chain(&wanted.optional).cloned().collect(),
        home: wanted.home.clone(),
        shell: wanted.shell.clone(),
        non_unique: !call.flag("unique", true),
        system: call.flag("system", false),
        create_home: wanted.create_home,
        no_log_init: call.flag("nologinit", false),
        user_group: wanted.user_group,
        local: call.flag("local", false),
        office: wanted.office.clone(),
    };
    let pending = if missing.is_empty() { String::new() } else { format!(" (pending groups: {})", missing.join(",")) };
    Plan::change(format!("User {} set to be added{pending}", wanted.name), json!({}), move |doing| {
        let (host, name) = (doing.host, wanted.name.as_str());
        if !users::add(host, name, &new)? {
            return failed(format!("Failed to create new user {name}"));
        }
        let mut done = Done::new(format!("New user {name} created"), users::info(host, name).unwrap_or_default());
        if !wanted.create_home {
            done.changes.insert("home".into(), "".into());
        }
        secure(host, &wanted, &mut done)?;
        Ok(done)
    })
}

/// The password and its age.
fn secure(host: &dyn Host, wanted: &Wanted, done: &mut Done) -> Result<(), StateError> {
    let name = wanted.name.as_str();
    let now = || Shadow::of(host, name).map_or_else(Map::new, |shadow| shadow.map(name));
    let refuse = |done: &mut Done, what: String| {
        done.comment = format!("User {name} created but failed to {what}");
        done.result = false;
    };
    if let Some(hash) = wanted.password.as_ref().filter(|_| !wanted.empty_password) {
        users::set_password(host, name, hash)?;
        if now().get("passwd") != Some(&json!(hash)) {
            refuse(done, format!("set password to {HIDDEN}"));
        }
        done.changes.insert("password".into(), HIDDEN.into());
    }
    if wanted.empty_password && wanted.password.is_none() {
        users::delete_password(host, name)?;
        if now().get("passwd") != Some(&json!("")) {
            refuse(done, "empty password".into());
        }
        done.changes.insert("password".into(), "".into());
    }
    const WORDS: [&str; 6] =
        ["last change date", "minimum days", "maximum days", "inactive days", "warn days", "expire days"];
    for ((key, field), words) in AGES.into_iter().zip(WORDS) {
        let Some((_, days)) = wanted.ages.iter().find(|(known, days)| *known == key && (key == "date" || *days != 0))
        else {
            continue;
        };
        users::set_age(host, name, key, *days)?;
        if now().get(field) != Some(&json!(days)) {
            refuse(done, format!("set {words} to {days}"));
        }
        done.changes.insert(key.into(), json!(days));
    }
    Ok(())
}
