//! `file.copy`, `file.rename`, `file.touch`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{directory::excluded, owner};
use crate::{
    Host, Look,
    look::Kind,
    plan::{Call, Done, Plan, StateError, missing_at},
    resource::{
        accounts,
        files::{self, LIMIT, Permissions},
    },
};

pub fn copy(call: &Call<'_>) -> Result<Plan, StateError> {
    let mut name = super::path(call)?;
    let source = PathBuf::from(call.need("source")?);
    let Ok((_, stat)) = files::followed(call.look, &source) else {
        return missing_at(call.look, &source, format!("Source file \"{}\" is not present", source.display()));
    };
    let preserve = call.flag("preserve", false);
    let mut permissions = owner::permissions(call, "mode")?;
    if preserve {
        let named = |name: String, id| Some((name, id));
        permissions = Permissions {
            user: named(accounts::user_name(call.look, stat.uid), stat.uid),
            group: named(accounts::group_name(call.look, stat.gid), stat.gid),
            mode: Some(stat.mode),
        };
    }
    permissions.mode.get_or_insert(stat.mode);
    let told = name.display().to_string();
    if files::is_dir(call.look, &name) && call.flag("subdir", false) {
        name = name.join(source.file_name().unwrap_or_default());
    }
    let (from, to) = (source.display().to_string(), name.display().to_string());
    let there = files::is_there(call.look, &name);
    if there && !call.flag("force", false) {
        return Plan::keep(format!("The target file \"{to}\" exists and will not be overwritten"));
    }
    let done = format!("Copied \"{from}\" to \"{told}\"");
    if there && files::is_file(call.look, &name) {
        let bytes = |path: &Path| call.look.read(path, LIMIT).ok();
        if bytes(&name) == bytes(&source) {
            // Salt copies it once more; there is nothing to change.
            return Plan::keep(format!("{done} - files are identical but force flag is set"));
        }
    }
    let parent = name.parent().unwrap_or(Path::new("/")).to_owned();
    if !files::is_dir(call.look, &parent) && !call.flag("makedirs", false) {
        return missing_at(call.look, &parent, format!("The target directory {} is not present", parent.display()));
    }
    let dirs = Permissions { mode: owner::permissions(call, "dir_mode")?.mode, ..Permissions::default() };
    let mut changes = json!({ to.as_str(): from });
    for key in ["user", "group", "mode"].into_iter().filter(|_| !preserve) {
        if let Some(given) = call.some_text(key) {
            changes[key] = given.into();
        }
    }
    let comment = format!("File \"{from}\" is set to be copied to \"{to}\"");
    Plan::change(comment, json!({}), move |doing| {
        let host = doing.host;
        let fault = |why: std::io::Error| StateError::Failed(format!("Failed to copy \"{from}\" to \"{to}\": {why}"));
        files::make_dirs(host, &parent, &dirs).map_err(fault)?;
        if files::is_there(host, &name) {
            host.remove(&name).map_err(fault)?;
        }
        copy_all(host, &source, &name).map_err(fault)?;
        let permissions = permissions.resolved(host);
        if files::is_dir(host, &name) {
            for (path, _) in files::walk(host, &name).map_err(fault)? {
                Permissions { mode: None, ..permissions.clone() }.apply(host, &path).map_err(fault)?;
            }
        }
        permissions.apply(host, &name).map_err(fault)?;
        Ok(Done::new(done, changes))
    })
}

fn copy_all(host: &dyn Host, from: &Path, to: &Path) -> std::io::Result<()> {
    let (real, stat) = files::followed(host, from)?;
    if stat.kind != Kind::Directory {
        return host.write(to, &host.read(&real, LIMIT)?, stat.mode);
    }
    host.make_dir(to, stat.mode)?;
    for name in host.list(&real)? {
        let (inner, target) = (real.join(&name), to.join(&name));
        match host.stat(&inner)?.kind {
            Kind::Symlink => host.symlink(&host.read_link(&inner)?, &target)?,
            _ => copy_all(host, &inner, &target)?,
        }
    }
    Ok(())
}

pub fn rename(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = super::path(call)?;
    let source = PathBuf::from(call.need("source")?);
    let (from, to) = (source.display().to_string(), name.display().to_string());
    if !files::is_there(call.look, &source) {
        return Plan::keep(format!("Source file \"{from}\" has already been moved out of place"));
    }
    let there = files::is_there(call.look, &name);
    if there && !call.flag("force", false) {
        return Plan::keep(format!("The target file \"{to}\" exists and will not be overwritten"));
    }
    let parent = name.parent().unwrap_or(Path::new("/")).to_owned();
    if !files::is_dir(call.look, &parent) && !call.flag("makedirs", false) {
        return missing_at(call.look, &parent, format!("The target directory {} is not present", parent.display()));
    }
    let comment = format!("File \"{from}\" is set to be moved to \"{to}\"");
    Plan::change(comment, json!({}), move |doing| {
        let host = doing.host;
        let fault = |why: std::io::Error| StateError::Failed(format!("Failed to move \"{from}\" to \"{to}\": {why}"));
        if files::is_there(host, &name) {
            host.remove(&name).map_err(fault)?;
        }
        files::make_dirs(host, &parent, &Permissions::default()).map_err(fault)?;
        match host.rename(&source, &name) {
            Err(why) if why.kind() == std::io::ErrorKind::CrossesDevices => {
                copy_all(host, &source, &name).and_then(|()| host.remove(&source)).map_err(fault)?;
            }
            other => other.map_err(fault)?,
        }
        Ok(Done::new(format!("Moved \"{from}\" to \"{to}\""), json!({ to.as_str(): from })))
    })
}

pub fn touch(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    let parent = path.parent().unwrap_or(Path::new("/")).to_owned();
    if !files::is_dir(call.look, &parent) && !call.flag("makedirs", false) {
        return missing_at(call.look, &parent, format!("Directory not present to touch file {name}"));
    }
    let (atime, mtime) = (call.int("atime"), call.int("mtime"));
    let found = files::followed(call.look, &path).ok();
    if let Some((_, stat)) = &found
        && (atime.is_some() || mtime.is_some())
        && atime.is_none_or(|wanted| wanted == stat.atime)
        && mtime.is_none_or(|wanted| wanted == stat.mtime)
    {
        return Plan::keep(format!("File {name} exists and has the correct times"));
    }
    let new = found.is_none();
    let comment = match new {
        true => format!("File {name} is set to be created"),
        false => format!("Times set to be updated on file {name}"),
    };
    let kind = if found.is_some_and(|(_, stat)| stat.kind == Kind::Directory) { "directory" } else { "file" };
    let changes = if new { json!({ "new": name }) } else { json!({ "touched": name }) };
    Plan::change(comment, changes.clone(), move |doing| {
        let fault = |why: std::io::Error| StateError::io("touch", &path, &why);
        if new {
            files::make_dirs(doing.host, &parent, &Permissions::default()).map_err(fault)?;
            doing.host.write(&path, &[], 0o644).map_err(fault)?;
        }
        let now = jiff::Timestamp::now().as_second();
        if !new || atime.is_some() || mtime.is_some() {
            let given = atime.or(mtime);
            let other = given.unwrap_or(now);
            let times = (atime.unwrap_or(other), mtime.unwrap_or(other));
            doing.host.set_times(&path, Some(times.0), Some(times.1)).map_err(fault)?;
        }
        Ok(match new {
            true => Done::new(format!("Created empty file {name}"), changes),
            false => Done::new(format!("Updated times on {kind} {name}"), changes),
        })
    })
}

/// Whether a path inside a folder is to be handled, by `include_pat` and `exclude_pat`.
pub fn chosen(_look: &dyn Look, path: &Path, include: Option<&str>, exclude: Option<&str>) -> bool {
    let root = Path::new("");
    include.is_none_or(|pattern| excluded(pattern, root, path))
        && !exclude.is_some_and(|pattern| excluded(pattern, root, path))
}
