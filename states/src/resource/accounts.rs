//! Users and groups by name and number, as the host's tables have them.

use crate::{Look, look::Expected};

/// A row of `/etc/passwd`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub fullname: String,
    pub home: String,
    pub shell: String,
}

/// A row of `/etc/group`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

const LIMIT: u64 = 16 << 20;

fn table(look: &dyn Look, table: &str) -> String {
    String::from_utf8_lossy(&look.read(table.as_ref(), LIMIT).unwrap_or_default()).into_owned()
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(':').collect())
}

fn to_user(row: &[&str]) -> Option<User> {
    let [name, _, uid, gid, fullname, home, shell, ..] = *row else { return None };
    Some(User {
        name: name.to_owned(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        fullname: fullname.to_owned(),
        home: home.to_owned(),
        shell: shell.to_owned(),
    })
}

fn to_group(row: &[&str]) -> Option<Group> {
    let [name, _, gid, members, ..] = *row else { return None };
    let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
    Some(Group { name: name.to_owned(), gid: gid.parse().ok()?, members })
}

/// The users of the host's own table.
pub fn users(look: &dyn Look) -> Vec<User> {
    rows(&table(look, "/etc/passwd")).filter_map(|row| to_user(&row)).collect()
}

/// The groups of the host's own table.
pub fn groups(look: &dyn Look) -> Vec<Group> {
    rows(&table(look, "/etc/group")).filter_map(|row| to_group(&row)).collect()
}

/// A user of the host's own table, or of what else the host asks for users (LDAP, SSSD).
pub fn user(look: &dyn Look, name: &str) -> Option<User> {
    let own = table(look, "/etc/passwd");
    let found = rows(&own).find(|row| row.first() == Some(&name)).and_then(|row| to_user(&row));
    found.or_else(|| elsewhere(look, "passwd", name, to_user))
}

/// The same for a group.
pub fn group(look: &dyn Look, name: &str) -> Option<Group> {
    let own = table(look, "/etc/group");
    let found = rows(&own).find(|row| row.first() == Some(&name)).and_then(|row| to_group(&row));
    found.or_else(|| elsewhere(look, "group", name, to_group))
}

/// The row that `getent` has for a name or a number, where the host has other sources than its files.
fn elsewhere<T>(look: &dyn Look, database: &str, key: &str, read: fn(&[&str]) -> Option<T>) -> Option<T> {
    if key.is_empty() || !has_others(look, database) {
        return None;
    }
    let output = look.probe(&super::command::program(&["getent", "--", database, key])).ok()?;
    let said = super::command::text(&output.stdout);
    if output.code == 0 { rows(&said).next().and_then(|row| read(&row)) } else { None }
}

/// Whether `/etc/nsswitch.conf` names more than files for users or groups. What systemd makes up
/// for running services is nothing that states are about.
fn has_others(look: &dyn Look, database: &str) -> bool {
    let text = table(look, "/etc/nsswitch.conf");
    let sources = text.lines().find_map(|line| line.trim().strip_prefix(database)?.trim_start().strip_prefix(':'));
    let sources = sources.unwrap_or_default().split('#').next().unwrap_or_default();
    sources.split_whitespace().any(|source| {
        !source.starts_with('[') && !source.ends_with(']') && !matches!(source, "files" | "compat" | "systemd")
    })
}

/// The number of a user given by name or number.
pub fn uid(look: &dyn Look, name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| user(look, name).map(|user| user.uid))
}

pub fn gid(look: &dyn Look, name: &str) -> Option<u32> {
    name.parse().ok().or_else(|| group(look, name).map(|group| group.gid))
}

/// A user's name, or the number where there is none.
pub fn user_name(look: &dyn Look, uid: u32) -> String {
    let number = uid.to_string();
    let own = users(look).into_iter().find(|user| user.uid == uid);
    own.or_else(|| elsewhere(look, "passwd", &number, to_user)).map_or(number, |user| user.name)
}

pub fn group_name(look: &dyn Look, gid: u32) -> String {
    let number = gid.to_string();
    let own = groups(look).into_iter().find(|group| group.gid == gid);
    own.or_else(|| elsewhere(look, "group", &number, to_group)).map_or(number, |group| group.name)
}

/// Whether a dry run would have made this user by now.
pub fn user_expected(look: &dyn Look, name: &str) -> bool {
    look.expects(&Expected::User(name.to_owned()))
}

pub fn group_expected(look: &dyn Look, name: &str) -> bool {
    look.expects(&Expected::Group(name.to_owned())) || user_expected(look, name)
}

/// The groups that a user is in, besides the one of its own row.
pub fn groups_of(look: &dyn Look, name: &str) -> Vec<String> {
    let mut found: Vec<String> = groups(look)
        .into_iter()
        .filter(|group| group.members.iter().any(|member| member == name))
        .map(|group| group.name)
        .collect();
    found.extend(groups_elsewhere(look, name));
    found.sort();
    found.dedup();
    found
}

/// Those of other sources: `getent initgroups` gives numbers.
fn groups_elsewhere(look: &dyn Look, name: &str) -> Vec<String> {
    if name.is_empty() || !has_others(look, "group") {
        return Vec::new();
    }
    let said = look.probe(&super::command::program(&["getent", "--", "initgroups", name]));
    let said = said.map(|output| super::command::text(&output.stdout)).unwrap_or_default();
    let own = user(look, name).map(|user| user.gid);
    let numbers = said.split_whitespace().skip(1).filter_map(|word| word.parse().ok());
    numbers.filter(|gid| Some(*gid) != own).map(|gid| group_name(look, gid)).collect()
}

/// The same with the group of its own row, sorted by name.
pub fn all_groups_of(look: &dyn Look, name: &str) -> Vec<String> {
    let mut found = groups_of(look, name);
    found.extend(user(look, name).map(|user| group_name(look, user.gid)));
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, refused, said};

    #[test]
    fn users_come_from_other_sources_where_the_host_names_some() {
        let files = [("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", "root:x:0:\nstaff:x:50:\n")];
        let host = |sources: &str| {
            Memory::new(json!({})).with(&files).with(&[("/etc/nsswitch.conf", sources)]).answer(|_, line| match line {
                "getent -- passwd alice" | "getent -- passwd 7001" => {
                    said("alice:*:7001:50:Alice:/home/alice:/bin/sh\n")
                }
                "getent -- initgroups alice" => said("alice                 50 9000\n"),
                "getent -- group 9000" | "getent -- group crew" => said("crew:*:9000:alice\n"),
                _ => refused(2, ""),
            })
        };
        let ldap = host("# names\npasswd:         files systemd sss\ngroup: files [NOTFOUND=continue] ldap\n");
        assert_eq!(user(&ldap, "alice").unwrap().home, "/home/alice");
        assert_eq!(
            (uid(&ldap, "alice"), gid(&ldap, "crew"), user_name(&ldap, 7001)),
            (Some(7001), Some(9000), "alice".into())
        );
        assert_eq!(groups_of(&ldap, "alice"), ["crew"]);
        assert_eq!(user(&ldap, "nobody"), None);
        let plain = host("passwd: files systemd\ngroup: files [SUCCESS=merge] systemd\n");
        assert_eq!((user(&plain, "alice"), group(&plain, "crew")), (None, None));
        assert_eq!(user(&plain, "root").unwrap().uid, 0);
    }
}
