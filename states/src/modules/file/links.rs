//! `file.symlink` and `file.hardlink`.

use std::path::{Path, PathBuf};

use proto::{Map, Value};
use serde_json::json;

use super::owner;
use crate::{
    look::Kind,
    plan::{Call, Done, Plan, StateError, failed, missing_at},
    resource::{
        accounts,
        files::{self, Permissions},
    },
};

pub fn symlink(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    let target = call.need("target")?;
    let mut permissions = owner::permissions(call, "mode")?;
    let dir_mode = permissions.mode.take();
    // Salt gives a link to whoever runs it unless it is told otherwise.
    permissions.user.get_or_insert_with(|| (accounts::user_name(call.look, 0), 0));
    let gid =
        permissions.user.as_ref().and_then(|(user, _)| accounts::user(call.look, user)).map_or(0, |user| user.gid);
    permissions.group.get_or_insert_with(|| (accounts::group_name(call.look, gid), gid));
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    let make_dirs = call.flag("makedirs", false);
    if !files::is_dir(call.look, &parent) && !make_dirs {
        return missing_at(call.look, &parent, format!("Directory {} for symlink is not present", parent.display()));
    }
    let now = call.look.stat(&path).ok();
    let force = call.flag("force", false);
    let owned = permissions.user.as_ref().zip(permissions.group.as_ref()).map(|((u, _), (g, _))| format!("{u}:{g}"));
    let owned = owned.unwrap_or_default();
    let (mut comment, changes, clear) = match now {
        None => (format!("Symlink {name} to {target} is set for creation"), json!({ "new": name }), Clear::Nothing),
        Some(stat) if stat.kind == Kind::Symlink => {
            let there = call.look.read_link(&path).unwrap_or_default();
            if there != Path::new(&target) {
                (
                    format!("Link {name} target is set to be changed to {target}"),
                    json!({ "change": name }),
                    Clear::Remove,
                )
            } else if permissions.missing(&stat).is_empty() {
                return Plan::keep(format!("Symlink {name} is present and owned by {owned}"));
            } else {
                let now =
                    [accounts::user_name(call.look, stat.uid), accounts::group_name(call.look, stat.gid)].join(":");
                return own(path, name, permissions, owned, &now);
            }
        }
        Some(_) => in_the_way(call, &path, &name, &target, force)?,
    };
    if !files::is_dir(call.look, &parent) {
        comment.push_str(&format!("\n{} will be created", parent.display()));
    }
    Plan::change(comment, changes, move |doing| {
        let host = doing.host;
        let mut changes = Map::new();
        match clear {
            Clear::Nothing => {}
            Clear::Remove => host.remove(&path).map_err(|why| StateError::io("remove", &path, &why))?,
            Clear::Backup(to) => {
                if files::is_there(host, &to) {
                    host.remove(&to).map_err(|why| StateError::io("remove", &to, &why))?;
                }
                host.rename(&path, &to).map_err(|why| StateError::io("rename", &path, &why))?;
            }
        }
        let dirs = Permissions { mode: dir_mode, ..permissions.clone() };
        files::make_dirs(host, &parent, &dirs.resolved(host)).map_err(|why| StateError::io("create", &parent, &why))?;
        host.symlink(Path::new(&target), &path)
            .map_err(|why| StateError::Failed(format!("Unable to create new symlink {name} -> {target}: {why}")))?;
        permissions.resolved(host).apply(host, &path).map_err(|why| StateError::io("own", &path, &why))?;
        changes.insert("new".into(), Value::String(name.clone()));
        Ok(Done::new(format!("Created new symlink {name} -> {target}"), changes))
    })
}

/// What becomes of that which is in the place of a link.
enum Clear {
    Nothing,
    Remove,
    Backup(PathBuf),
}

fn in_the_way(
    call: &Call<'_>,
    path: &Path,
    name: &str,
    target: &str,
    force: bool,
) -> Result<(String, Value, Clear), StateError> {
    if let Some(backup) = call.some_text("backupname") {
        let backup = match Path::new(&backup).is_absolute() {
            true => PathBuf::from(&backup),
            false if backup.contains('/') => return failed("Backupname must be an absolute path or a file name"),
            false => path.with_file_name(&backup),
        };
        if files::is_there(call.look, &backup) && !force {
            return failed(format!(
                "Symlink & backup dest exists and Force not set. {name} -> {target} - backup: {}",
                backup.display()
            ));
        }
        let comment = format!("Symlink {name} to {target} is set for creation, with a backup of what is there");
        return Ok((comment, json!({ "new": name }), Clear::Backup(backup)));
    }
    if !force {
        let kind = if files::is_dir(call.look, path) { "Directory" } else { "File" };
        return match call.test {
            true => failed(format!(
                "File or directory exists where the symlink {name} should be. Did you mean to use force?"
            )),
            false => failed(format!("{kind} exists where the symlink {name} should be")),
        };
    }
    let comment =
        format!("The file or directory {name} is set for removal to make way for a new symlink targeting {target}");
    Ok((comment, json!({}), Clear::Remove))
}

/// A dry run of Salt's shows the owner that is there, the run that follows the new one.
fn own(path: PathBuf, name: String, permissions: Permissions, owned: String, now: &str) -> Result<Plan, StateError> {
    let changes = json!({ "ownership": owned });
    let would = format!(
        "The symlink {name} is present, but the ownership of the symlink would be changed from {now} to {owned}"
    );
    Plan::change(would, json!({ "ownership": now }), move |doing| {
        permissions.resolved(doing.host).apply(doing.host, &path).map_err(|why| {
            StateError::Failed(format!("Failed to set ownership of symlink {name} to {owned}: {why}"))
        })?;
        Ok(Done::new(format!("Set ownership of symlink {name} to {owned}"), changes))
    })
}

pub fn hardlink(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let (name, target) = (path.display().to_string(), call.need("target")?);
    let to = PathBuf::from(&target);
    if !to.is_absolute() {
        return failed(format!("Specified target {target} is not an absolute path"));
    }
    for (way, item) in [("to", &path), ("from", &to)] {
        if files::is_dir(call.look, item) {
            return failed(format!("Unable to hard link {way} directory {}", item.display()));
        }
    }
    let Ok((_, wanted)) = files::followed(call.look, &to) else {
        return missing_at(call.look, &to, format!("Target {target} for hard link does not exist"));
    };
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    if !files::is_dir(call.look, &parent) && !call.flag("makedirs", false) {
        return missing_at(call.look, &parent, format!("Directory {} for hard link is not present", parent.display()));
    }
    let dirs = Permissions { mode: owner::permissions(call, "dir_mode")?.mode, ..Permissions::default() };
    let now = call.look.stat(&path).ok();
    if now.as_ref().is_some_and(|stat| stat.inode == wanted.inode && stat.inode != 0) {
        return Plan::keep(match call.test {
            true => format!("The hard link {name} is presently targetting {target}"),
            false => format!("Target of hard link {name} is already pointing to {target}"),
        });
    }
    let linked = now.as_ref().is_some_and(|stat| stat.kind == Kind::File);
    if now.is_some() && !call.flag("force", false) {
        return failed(match call.test {
            true => {
                format!("File or directory exists where the hard link {name} should be. Did you mean to use force?")
            }
            false => format!("File exists where the hard link {name} should be"),
        });
    }
    let (comment, preview) = match linked {
        true => {
            let why = format!("to make way for a new hard link targeting {target}");
            (format!("The file or directory {name} is set for removal {why}"), json!({}))
        }
        false => (format!("Hard link {name} to {target} is set for creation"), json!({ "new": name })),
    };
    Plan::change(comment, preview, move |doing| {
        let host = doing.host;
        let mut changes = Map::new();
        if files::is_there(host, &path) {
            host.remove(&path).map_err(|why| StateError::io("remove", &path, &why))?;
            changes.insert("forced".into(), "File for hard link was forcibly replaced".into());
        }
        let made = files::make_dirs(host, &parent, &dirs);
        made.map_err(|why| StateError::io("create", &parent, &why))?;
        host.hard_link(&to, &path)
            .map_err(|why| StateError::Failed(format!("Unable to create new hard link {name} -> {target}: {why}")))?;
        changes.insert("new".into(), name.clone().into());
        Ok(Done::new(format!("Created new hard link {name} -> {target}"), changes))
    })
}
