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

fn rows(look: &dyn Look, table: &str) -> Vec<Vec<String>> {
    let bytes = look.read(table.as_ref(), LIMIT).unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(':').map(str::to_owned).collect())
        .collect()
}

pub fn users(look: &dyn Look) -> Vec<User> {
    let user = |row: Vec<String>| match &row[..] {
        [name, _, uid, gid, fullname, home, shell, ..] => Some(User {
            name: name.clone(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            fullname: fullname.clone(),
            home: home.clone(),
            shell: shell.clone(),
        }),
        _ => None,
    };
    rows(look, "/etc/passwd").into_iter().filter_map(user).collect()
}

pub fn groups(look: &dyn Look) -> Vec<Group> {
    let group = |row: Vec<String>| match &row[..] {
        [name, _, gid, members, ..] => {
            let members = members.split(',').filter(|member| !member.is_empty()).map(str::to_owned).collect();
            Some(Group { name: name.clone(), gid: gid.parse().ok()?, members })
        }
        _ => None,
    };
    rows(look, "/etc/group").into_iter().filter_map(group).collect()
}

pub fn user(look: &dyn Look, name: &str) -> Option<User> {
    users(look).into_iter().find(|user| user.name == name)
}

pub fn group(look: &dyn Look, name: &str) -> Option<Group> {
    groups(look).into_iter().find(|group| group.name == name)
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
    users(look).into_iter().find(|user| user.uid == uid).map_or_else(|| uid.to_string(), |user| user.name)
}

pub fn group_name(look: &dyn Look, gid: u32) -> String {
    groups(look).into_iter().find(|group| group.gid == gid).map_or_else(|| gid.to_string(), |group| group.name)
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
    found.sort();
    found
}

/// The same with the group of its own row, sorted by name.
pub fn all_groups_of(look: &dyn Look, name: &str) -> Vec<String> {
    let mut found = groups_of(look, name);
    found.extend(user(look, name).map(|user| group_name(look, user.gid)));
    found.sort();
    found.dedup();
    found
}
