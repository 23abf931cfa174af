//! `group.*`: groups of users.

use std::fmt::Write;

use proto::Map;
use serde_json::json;

use super::params::accounts as params;
use crate::{
    Look,
    plan::{Call, Doing, Done, Plan, State, StateError, StateModule, failed},
    resource::{accounts, groups},
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "group",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a group is there, with a number and members.\n\n    deploy:\n      group.present:\n        - gid: 5000\n        - addusers: [alice]",
            params: params::GROUP_PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a group is not there.\n\n    deploy:\n      group.absent",
            params: params::GROUP_ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

/// What a group is to be.
#[derive(Clone)]
struct Wanted {
    name: String,
    gid: Option<u32>,
    add: Vec<String>,
    remove: Vec<String>,
    members: Option<Vec<String>>,
    non_unique: bool,
}

impl Wanted {
    /// What has to change of a group that is there; `None` if there is none.
    fn changes(&self, look: &dyn Look) -> Option<Map> {
        let group = accounts::group(look, &self.name)?;
        let has = |user: &&String| group.members.contains(user);
        let mut changes = Map::new();
        // Salt takes the number of a group away from it only for another than 0.
        if let Some(gid) = self.gid.filter(|gid| *gid != 0 && *gid != group.gid) {
            changes.insert("gid".into(), gid.into());
        }
        match &self.members {
            Some(wanted) if wanted.is_empty() && !group.members.is_empty() => {
                changes.insert("delusers".into(), json!(group.members));
            }
            Some(wanted)
                if wanted.iter().any(|user| !has(&user)) || group.members.iter().any(|m| !wanted.contains(m)) =>
            {
                changes.insert("members".into(), json!(wanted));
            }
            _ => {}
        }
        let missing: Vec<&String> = self.add.iter().filter(|user| !has(user)).collect();
        if !missing.is_empty() {
            changes.insert("addusers".into(), json!(missing));
        }
        let left: Vec<&String> = self.remove.iter().filter(has).collect();
        if !left.is_empty() {
            changes.insert("delusers".into(), json!(left));
        }
        Some(changes)
    }

    fn change(&self, doing: &Doing<'_>, changes: &Map) -> Result<(), StateError> {
        let host = doing.host;
        for (key, value) in changes {
            let users: Vec<String> = value.as_array().into_iter().flatten().map(value::python_str).collect();
            match (key.as_str(), self.gid) {
                ("gid", Some(gid)) => drop(groups::change_gid(host, &self.name, gid, self.non_unique)?),
                ("members", _) => drop(groups::set_members(host, &self.name, &users)?),
                ("addusers", _) => {
                    users.iter().try_for_each(|user| groups::add_user(host, &self.name, user).map(drop))?
                }
                _ => users.iter().try_for_each(|user| groups::remove_user(host, &self.name, user).map(drop))?,
            }
        }
        Ok(())
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    let (add, remove) = (call.list("addusers"), call.list("delusers"));
    let given = |key: &str| call.value(key).is_some();
    // Salt says neither yes nor no to these two.
    let undecided = |comment: &str| Ok(Plan::KeepWith(Done::undecided(comment)));
    if given("members") && (given("addusers") || given("delusers")) {
        return undecided(
            "Error: Conflicting options \"members\" with \"addusers\" and/or \"delusers\" can not be used together. ",
        );
    }
    if add.iter().any(|user| remove.contains(user)) {
        return undecided("Error. Same user(s) can not be added and deleted simultaneously");
    }
    let gid = match call.some_text("gid") {
        Some(text) => Some(text.parse().map_err(|_| StateError::failed("Invalid gid"))?),
        None => None,
    };
    let members = given("members").then(|| call.list("members"));
    let wanted = Wanted { name, gid, add, remove, members, non_unique: call.flag("non_unique", false) };
    match wanted.changes(call.look) {
        Some(changes) if changes.is_empty() => Plan::keep(format!("Group {} is present and up to date", wanted.name)),
        Some(changes) => change(wanted, changes),
        None => make(call, wanted),
    }
}

fn named(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    if groups::is_name(&name) { Ok(name) } else { failed(format!("'{name}' is not the name of a group")) }
}

fn change(wanted: Wanted, changes: Map) -> Result<Plan, StateError> {
    let mut comment = "The following group attributes are set to be changed:\n".to_owned();
    for (key, value) in &changes {
        let _ = writeln!(comment, "{key}: {}", value::python_str(value));
    }
    Plan::change(comment.clone(), json!({}), move |doing| {
        wanted.change(doing, &changes)?;
        Ok(match wanted.changes(doing.host).filter(|left| !left.is_empty()) {
            Some(left) => Done::failed(comment + "Some changes could not be applied", json!({ "Failed": left })),
            None => Done::new(comment, json!({"Final": "All changes applied successfully"})),
        })
    })
}

fn make(call: &Call<'_>, wanted: Wanted) -> Result<Plan, StateError> {
    let (system, local) = (call.flag("system", false), call.flag("local", false));
    let name = wanted.name.clone();
    if accounts::group_expected(call.look, &name) {
        return Plan::keep(format!("Group {name} is present and up to date"));
    }
    Plan::change(format!("Group {name} set to be added"), json!({}), move |doing| {
        let host = doing.host;
        let holder = wanted.gid.filter(|_| !wanted.non_unique).and_then(|gid| {
            accounts::groups(host).into_iter().find(|group| group.gid == gid).map(|group| (gid, group.name))
        });
        if let Some((gid, holder)) = holder {
            return failed(format!("Group {name} is not present but gid {gid} is already taken by group {holder}"));
        }
        let new = groups::New { gid: wanted.gid, system, non_unique: wanted.non_unique, local };
        if !groups::add(host, &name, &new)? {
            return failed(format!("Failed to create new group {name}"));
        }
        let users = wanted.members.as_ref().filter(|users| !users.is_empty());
        let users = Some(&wanted.add).filter(|users| !users.is_empty()).or(users);
        if let Some(users) = users {
            groups::set_members(host, &name, users)?;
        }
        let info = groups::info(host, &name).unwrap_or_default();
        Ok(match wanted.changes(host).filter(|left| !left.is_empty()) {
            Some(left) => Done::failed(
                format!("Group {name} has been created but, some changes could not be applied"),
                json!({ "Failed": left }),
            ),
            None => Done::new(format!("New group {name} created"), info),
        })
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, local) = (named(call)?, call.flag("local", false));
    if groups::info(call.look, &name).is_none() {
        return Plan::keep("Group not present");
    }
    Plan::change(format!("Group {name} is set for removal"), json!({}), move |doing| {
        Ok(match groups::delete(doing.host, &name, local)? {
            true => Done::new(format!("Removed group {name}"), json!({ name.as_str(): "" })),
            false => Done::failed(format!("Failed to remove group {name}"), Map::new()),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, refused, said, thrice};

    /// A host whose `groupadd` and `gpasswd` know one group.
    fn host() -> Memory {
        Memory::new(json!({})).with(&[("/etc/group", "root:x:0:\nold:x:7:a,b\n")]).answer(|host, line| {
            let table = host.text("/etc/group")?;
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["groupadd", "-g", gid, name] => host.put("/etc/group", &format!("{table}{name}:x:{gid}:\n")),
                ["gpasswd", "--members", users, name] => {
                    let put = |row: &str| match row.strip_suffix(':').filter(|row| row.starts_with(name)) {
                        Some(row) => format!("{row}:{users}\n"),
                        None => format!("{row}\n"),
                    };
                    host.put("/etc/group", &table.lines().map(put).collect::<String>());
                }
                ["groupdel", "old"] => host.put("/etc/group", &table.replace("old:x:7:a,b\n", "")),
                _ => return refused(1, "no"),
            }
            said("")
        })
    }

    #[test]
    fn a_group_comes_with_its_members_and_goes() {
        let host = host();
        let [test, first, second] =
            thrice(&host, &[("t.sls", "web:\n  group.present:\n    - gid: 50\n    - addusers: [a, b]\n")]);
        assert_eq!(test.1, "Group web set to be added");
        assert_eq!(first.2, json!({"name": "web", "passwd": "x", "gid": 50, "members": ["a", "b"]}));
        assert_eq!(second.1, "Group web is present and up to date");
        let [_, first, second] = thrice(&host, &[("t.sls", "old:\n  group.absent: []\n")]);
        assert_eq!((first.2, second.1.as_str()), (json!({"old": ""}), "Group not present"));
    }

    #[test]
    fn what_the_tools_refuse_is_a_failure_and_contradictions_are_undecided() {
        let rows = apply(&host(), "x:\n  group.present:\n    - gid: 7\n", false);
        assert_eq!(rows[0].2, "Group x is not present but gid 7 is already taken by group old");
        let rows = apply(&host(), "x:\n  group.present:\n    - gid: 0\n", false);
        assert_eq!(rows[0].2, "Group x is not present but gid 0 is already taken by group root");
        let rows = apply(&host(), "x:\n  group.present:\n    - addusers: [a]\n    - delusers: [a]\n", false);
        assert_eq!(rows[0].1, json!(null));
        let rows = apply(&host(), "x:\n  group.present:\n    - name: -evil\n", false);
        assert_eq!(rows[0].2, "'-evil' is not the name of a group");
    }
}
