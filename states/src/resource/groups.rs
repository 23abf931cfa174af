//! Groups of the host, changed by the tools of `shadow-utils`.

use proto::Map;
use serde_json::json;

use super::{accounts, command::run};
use crate::{Host, Look, look::Expected, plan::StateError};

/// A group as `group.info` shows it; none if there is none.
pub fn info(look: &dyn Look, name: &str) -> Option<Map> {
    let group = accounts::group(look, name)?;
    json!({"name": group.name, "passwd": "x", "gid": group.gid, "members": group.members}).as_object().cloned()
}

/// Whether a name can be one of a user or group: nothing that a program takes for an option.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains([':', ',', '\n', '\0', '/', ' '])
}

/// How a group is made.
#[derive(Debug, Clone, Default)]
pub struct New {
    pub gid: Option<u32>,
    pub system: bool,
    pub non_unique: bool,
    /// By `lgroupadd`, past what the network says of groups.
    pub local: bool,
}

/// Makes a group. Gives whether it went well, as `group.add` does.
pub fn add(host: &dyn Host, name: &str, new: &New) -> Result<bool, StateError> {
    let gid = new.gid.map(|gid| gid.to_string());
    let mut argv = vec![if new.local { "lgroupadd" } else { "groupadd" }];
    if let Some(gid) = &gid {
        argv.extend(["-g", gid]);
        argv.extend((new.non_unique && !new.local).then_some("-o"));
    }
    argv.extend(new.system.then_some("-r"));
    argv.push(name);
    host.expect(Expected::Group(name.to_owned()));
    Ok(run(host, &argv)?.code == 0)
}

pub fn delete(host: &dyn Host, name: &str, local: bool) -> Result<bool, StateError> {
    Ok(run(host, &[if local { "lgroupdel" } else { "groupdel" }, name])?.code == 0)
}

pub fn change_gid(host: &dyn Host, name: &str, gid: u32, non_unique: bool) -> Result<bool, StateError> {
    let gid = gid.to_string();
    Ok(run(host, &["groupmod", if non_unique { "-og" } else { "-g" }, &gid, name])?.code == 0)
}

pub fn add_user(host: &dyn Host, group: &str, user: &str) -> Result<bool, StateError> {
    Ok(run(host, &["gpasswd", "--add", user, group])?.code == 0)
}

pub fn remove_user(host: &dyn Host, group: &str, user: &str) -> Result<bool, StateError> {
    Ok(run(host, &["gpasswd", "--del", user, group])?.code == 0)
}

/// Makes these the only members.
pub fn set_members(host: &dyn Host, group: &str, users: &[String]) -> Result<bool, StateError> {
    Ok(run(host, &["gpasswd", "--members", &users.join(","), group])?.code == 0)
}
