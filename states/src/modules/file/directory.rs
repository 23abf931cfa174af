//! `file.directory`.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use proto::{Map, Value};
use serde_json::json;

use super::owner;
use crate::{
    Stat,
    compile::Group,
    functions::truth,
    glob,
    look::Kind,
    plan::{BY_THEN, Call, Doing, Done, Plan, StateError, failed},
    resource::files::{self, Permissions},
};

const TYPES: [&str; 6] = ["user", "group", "mode", "ignore_files", "ignore_dirs", "silent"];

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = super::path(call)?.display().to_string();
    let shown = name.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(&name).to_owned();
    let name = PathBuf::from(&shown);
    let dir_mode = if call.some_text("dir_mode").is_some() { "dir_mode" } else { "mode" };
    let own = owner::permissions(call, dir_mode)?;
    let file_mode = owner::permissions(call, "file_mode")?.mode.or(own.mode);
    let forced = in_the_way(call, &name)?;
    let there = files::is_dir(call.look, &name) && forced.is_none();
    let mut work = Work {
        name: name.clone(),
        own,
        file_mode,
        forced,
        new: !there,
        make_dirs: call.flag("makedirs", false),
        set: Vec::new(),
        removed: Vec::new(),
        changes: Changes::new(),
        silent: false,
        children_only: false,
    };
    let mut orphan = false;
    if there {
        work.look_at(call)?;
    } else {
        work.changes.insert(shown.clone(), json!({"directory": "new"}));
        let parent = name.parent().unwrap_or(Path::new("/"));
        orphan = !work.make_dirs && !files::is_dir(call.look, parent);
        if orphan && !call.look.may_come(parent) {
            let comment = format!("No directory to create {shown} in");
            return Err(StateError::WithChanges { comment, changes: work.changes.into_iter().collect() });
        }
    }
    if work.changes.is_empty() && work.forced.is_none() {
        return Plan::keep(format!("The directory {shown} is in the correct state"));
    }
    let comment = match &work.forced {
        Some(Forced { backup: Some(_), .. }) => {
            format!("{shown} would be backed up and replaced with a new directory")
        }
        _ => work.preview(),
    };
    let changes = work.preview_changes();
    let comment = if orphan { comment + BY_THEN } else { comment };
    Plan::change(comment, changes, move |doing| work.apply(doing))
}

type Changes = IndexMap<String, Value>;

/// What stands where the folder is to be.
struct Forced {
    what: &'static str,
    backup: Option<PathBuf>,
}

fn in_the_way(call: &Call<'_>, name: &Path) -> Result<Option<Forced>, StateError> {
    let (is_file, is_link) = (files::is_file(call.look, name), files::is_link(call.look, name));
    let force = call.flag("force", false);
    if !(is_file || is_link && (!call.flag("allow_symlink", true) || force)) {
        return Ok(None);
    }
    let what = if is_file { "File" } else { "Symlink" };
    let backup = call.some_text("backupname").map(PathBuf::from);
    if let Some(backup) = &backup
        && files::is_there(call.look, backup)
        && !force
    {
        return failed(format!("File exists where the backup target {} should go", backup.display()));
    }
    if backup.is_none() && !force {
        return failed(format!("Specified location {} exists and is a {}", name.display(), what.to_lowercase()));
    }
    Ok(Some(Forced { what, backup }))
}

struct Work {
    name: PathBuf,
    own: Permissions,
    file_mode: Option<u32>,
    forced: Option<Forced>,
    new: bool,
    make_dirs: bool,
    /// What is to be given other owners or modes.
    set: Vec<Setting>,
    removed: Vec<PathBuf>,
    changes: Changes,
    silent: bool,
    children_only: bool,
}

/// A path, what it is to be given, and what of that it lacks, by name.
type Setting = (PathBuf, Permissions, Vec<(&'static str, String)>);

impl Work {
    fn look_at(&mut self, call: &Call<'_>) -> Result<(), StateError> {
        let follow = call.flag("follow_symlinks", false);
        let recurse: Vec<String> = call.list("recurse");
        if recurse.iter().any(|kind| !TYPES.contains(&kind.as_str())) {
            let known: Vec<String> = TYPES.iter().map(|kind| format!("\"{kind}\"")).collect();
            return failed(format!("Types for \"recurse\" limited to {}.", known.join(", ")));
        }
        let has = |kind: &str| recurse.iter().any(|other| other == kind);
        if has("ignore_files") && has("ignore_dirs") {
            return failed(
                "Must not specify \"recurse\" options \"ignore_files\" and \"ignore_dirs\" at the same time.",
            );
        }
        let clean = call.flag("clean", false);
        if !recurse.is_empty() || clean {
            self.look_below(call, &recurse, follow, clean)?;
        }
        self.children_only = call.flag("children_only", false);
        if !self.children_only
            && let Ok((path, stat)) = files::followed(call.look, &self.name)
        {
            let shown = self.name.clone();
            self.note(shown, &path, &stat, self.own.clone());
        }
        Ok(())
    }

    fn look_below(&mut self, call: &Call<'_>, recurse: &[String], follow: bool, clean: bool) -> Result<(), StateError> {
        let has = |kind: &str| recurse.iter().any(|other| other == kind);
        let below = files::walk(call.look, &self.name).map_err(|why| StateError::io("list", &self.name, &why))?;
        self.silent = has("silent");
        let depth = call.int("max_depth");
        for (path, stat) in &below {
            if recurse.is_empty() || !within(&self.name, path, depth) {
                continue;
            }
            let is_dir = stat.kind == Kind::Directory;
            if is_dir && has("ignore_dirs") || !is_dir && has("ignore_files") || stat.kind == Kind::Symlink && !follow {
                continue;
            }
            let wanted = Permissions {
                user: self.own.user.clone().filter(|_| has("user")),
                group: self.own.group.clone().filter(|_| has("group")),
                mode: if is_dir { self.own.mode } else { self.file_mode }.filter(|_| has("mode")),
            };
            self.note(path.clone(), path, stat, wanted);
        }
        if clean {
            self.clean(call, &below);
        }
        Ok(())
    }

    fn note(&mut self, shown: PathBuf, path: &Path, stat: &Stat, wanted: Permissions) {
        let missing = wanted.missing(stat);
        if missing.is_empty() {
            return;
        }
        let map: Map = missing.iter().map(|(key, text)| ((*key).to_owned(), text.clone().into())).collect();
        self.changes.insert(shown.display().to_string(), Value::Object(map));
        self.set.push((path.to_owned(), wanted, missing));
    }

    fn clean(&mut self, call: &Call<'_>, below: &[(PathBuf, Stat)]) {
        let keep = kept(call, &self.name);
        let pattern = call.some_text("exclude_pat");
        let stays = |path: &PathBuf| {
            keep.contains(path) || pattern.as_deref().is_some_and(|pattern| excluded(pattern, &self.name, path))
        };
        let gone: Vec<&PathBuf> = below.iter().map(|(path, _)| path).filter(|path| !stays(path)).collect();
        // A folder goes only if nothing in it stays.
        let gone: Vec<PathBuf> = gone
            .iter()
            .filter(|path| !below.iter().any(|(inner, _)| inner.starts_with(path) && inner != **path && stays(inner)))
            .map(|path| (*path).clone())
            .collect();
        for path in &gone {
            self.changes.insert(path.display().to_string(), json!({"removed": "Removed due to clean"}));
        }
        let all: BTreeSet<&PathBuf> = gone.iter().collect();
        let top = gone.iter().filter(|path| path.parent().is_none_or(|parent| !all.contains(&parent.to_owned())));
        self.removed = top.cloned().collect();
    }

    fn preview(&self) -> String {
        let mut text = String::from("The following files will be changed:\n");
        for (path, what) in &self.changes {
            for (key, value) in what.as_object().into_iter().flatten() {
                text.push_str(&format!("{path}: {key} - {}\n", crate::value::python_str(value)));
            }
        }
        text
    }

    fn preview_changes(&self) -> Map {
        let mut changes = Map::new();
        match &self.forced {
            Some(Forced { what, backup: None }) => {
                changes.insert("forced".into(), format!("{what} would be forcibly replaced").into());
            }
            Some(Forced { backup: Some(backup), .. }) => {
                let text = format!("{} would be renamed to {}", self.name.display(), backup.display());
                changes.insert("backup".into(), text.into());
            }
            None => {}
        }
        changes.extend(self.changes.clone());
        changes
    }

    fn apply(self, doing: &Doing<'_>) -> Result<Done, StateError> {
        let host = doing.host;
        let mut changes = Map::new();
        match &self.forced {
            Some(Forced { backup: Some(backup), .. }) => {
                if files::is_there(host, backup) {
                    host.remove(backup).map_err(|why| StateError::io("remove", backup, &why))?;
                }
                host.rename(&self.name, backup).map_err(|why| StateError::io("rename", &self.name, &why))?;
            }
            Some(Forced { what, .. }) => {
                host.remove(&self.name).map_err(|why| StateError::io("remove", &self.name, &why))?;
                changes.insert("forced".into(), format!("{what} was forcibly replaced").into());
            }
            None => {}
        }
        changes.extend(self.changes);
        if self.new {
            let made = files::make_dirs(host, &self.name, &self.own.resolved(host));
            made.map_err(|why| StateError::io("create", &self.name, &why))?;
            return Ok(Done::new("", changes));
        }
        if self.silent {
            changes = json!({"recursion": "Changes silenced"}).as_object().cloned().unwrap_or_default();
        }
        for (path, permissions, missing) in &self.set {
            permissions.resolved(host).apply(host, path).map_err(|why| StateError::io("change", path, &why))?;
            changes.extend(missing.iter().map(|(key, text)| ((*key).to_owned(), text.clone().into())));
        }
        let inside = if self.children_only { "/*" } else { "" };
        let mut comment = format!("Directory {}{inside} updated", self.name.display());
        if !self.removed.is_empty() {
            for path in &self.removed {
                host.remove(path).map_err(|why| StateError::io("remove", path, &why))?;
            }
            changes.insert("removed".into(), self.removed.iter().map(|path| path.display().to_string()).collect());
            comment = format!("Files cleaned from directory {}", self.name.display());
        }
        Ok(Done::new(comment, changes))
    }
}

fn within(root: &Path, path: &Path, depth: Option<i64>) -> bool {
    let Some(depth) = depth.and_then(|depth| usize::try_from(depth).ok()) else { return true };
    path.strip_prefix(root).is_ok_and(|inside| inside.components().count() <= depth)
}

/// Whether `exclude_pat` names a path: a glob, or a pattern behind `E@`, of the path inside the folder.
pub fn excluded(pattern: &str, root: &Path, path: &Path) -> bool {
    let inside = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
    match pattern.strip_prefix("E@") {
        Some(regex) => super::edit::regex(regex, &[]).is_ok_and(|regex| regex.is_match(&inside).unwrap_or(false)),
        None => glob::matches(pattern, &inside),
    }
}

/// What `clean` leaves: the files that required states manage, and the folders above them.
pub fn kept(call: &Call<'_>, root: &Path) -> BTreeSet<PathBuf> {
    let mut keep = BTreeSet::new();
    let required = call.needs.iter().filter(|(kind, _)| kind.group() == Group::Require).map(|(_, chunk)| *chunk);
    let known: Vec<_> = required.filter(|chunk| chunk.text("state") == "file").collect();
    for chunk in known {
        let name = PathBuf::from(chunk.text("name"));
        if !name.starts_with(root) {
            continue;
        }
        if files::is_dir(call.look, &name) {
            let recursive = chunk.text("fun") == "recurse" || !chunk.data.get("clean").is_some_and(truth);
            if recursive {
                keep.extend(files::walk(call.look, &name).unwrap_or_default().into_iter().map(|(path, _)| path));
            }
        }
        keep.extend(name.ancestors().take_while(|above| above.starts_with(root)).map(Path::to_owned));
    }
    keep
}
