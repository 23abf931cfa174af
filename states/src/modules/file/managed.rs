//! `file.managed`.

use std::path::{Path, PathBuf};

use proto::{Map, Value};

use super::{body::Body, content, owner, trial::Trial};
use crate::{
    Look, Stat,
    functions::truth,
    look::Kind,
    plan::{BY_THEN, Call, Doing, Done, Plan, StateError, failed},
    resource::{
        backup,
        files::{self, Permissions, Seen, mode_text},
    },
};

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = super::path(call)?;
    let mut permissions = owner::permissions(call, "mode")?;
    let seen = Seen::of(call.look, &name);
    let there = seen.exists();
    if !call.flag("create", true) && !seen.is(Kind::File) {
        return Plan::keep(format!("File {} is not present and is not set for creation", name.display()));
    }
    if seen.is(Kind::Directory) {
        return failed(format!("Specified target {} is a directory", name.display()));
    }
    let shown = name.display().to_string();
    if shown.ends_with('/') {
        return failed("Parent directory not present");
    }
    if call.value("context").is_some_and(|given| !given.is_object()) {
        return failed("Context must be formed as a dict");
    }
    if call.value("defaults").is_some_and(|given| truth(given) && !given.is_object()) {
        return failed("Defaults must be formed as a dict");
    }
    let mut extra = Map::new();
    let gathered = call.accumulated.of(&shown, None);
    if !gathered.is_empty() {
        extra.insert("accumulator".into(), Value::Object(gathered));
    }
    let replace = call.flag("replace", true);
    let wanted = if replace || !there { content::wanted(call, &extra)? } else { None };
    if let (Some("keep"), Some(content)) = (call.text("mode").map(|m| m.to_lowercase()).as_deref(), &wanted) {
        permissions.mode = content.source.as_deref().and_then(|source| content::mode_of(call, source));
    }
    let Some(content) = wanted.filter(|_| replace || !there) else {
        return if there { only_permissions(call, &name, permissions) } else { empty_file(call, name, permissions) };
    };
    managed(call, name, seen, content.body, permissions, &|name| format!("The file {name} is set to be changed{NOTE}"))
}

/// Plans a file with a content that another state has made (`file.serialize`). `would` gives what
/// a dry run says.
pub fn with_content(call: &Call<'_>, bytes: Vec<u8>, would: impl Fn(&str) -> String) -> Result<Plan, StateError> {
    let name = super::path(call)?;
    let permissions = owner::permissions(call, "mode")?;
    let seen = Seen::of(call.look, &name);
    managed(call, name, seen, Body::Bytes(bytes), permissions, &would)
}

fn managed(
    call: &Call<'_>,
    name: PathBuf,
    seen: Seen,
    body: Body,
    permissions: Permissions,
    would: &dyn Fn(&str) -> String,
) -> Result<Plan, StateError> {
    let target = Target::of(call, &name, seen, &body)?;
    let would = would(&name.display().to_string());
    let job = Job {
        show: call.flag("show_changes", true),
        new_file_diff: call.flag("new_file_diff", false),
        make_dirs: call.flag("makedirs", false),
        dirs: dir_permissions(call, &permissions)?,
        backup: call.some_text("backup").filter(|mode| mode == "minion" || mode == "both"),
        backups: backup::folder(call.context()),
        trial: Trial::of(call),
        test: call.test,
        owners: ["user", "group"].map(|key| call.value(key).cloned()),
        from_source: call.value("source").is_some_and(truth),
        permissions,
        body,
        name,
    };
    job.plan(call.look, target, would)
}

/// The file that is there now.
struct Target {
    /// The name itself, or what it links to.
    path: PathBuf,
    old: Option<(Stat, Body)>,
    /// Whether it holds what it is to hold.
    is_same: bool,
    /// A link that is to become a file.
    replaces_link: bool,
    /// What that link leads to.
    linked: Option<Body>,
}

impl Target {
    fn of(call: &Call<'_>, name: &Path, seen: Seen, wanted: &Body) -> Result<Self, StateError> {
        let none = |path: &Path, replaces_link| Self {
            path: path.to_owned(),
            old: None,
            is_same: false,
            replaces_link,
            linked: None,
        };
        if seen.link && !call.flag("follow_symlinks", true) {
            let target = seen.real.filter(|(_, stat)| stat.kind == Kind::File);
            let linked = target.and_then(|(path, stat)| Body::of_file(call.look, &path, &stat).ok());
            return Ok(Self { linked, ..none(name, true) });
        }
        match seen.real {
            Some((path, stat)) if stat.kind == Kind::File => {
                let unreadable = |why| StateError::io("read", &path, &why);
                let old = Body::of_file(call.look, &path, &stat).map_err(unreadable)?;
                let is_same = old.is_same(call.look, wanted).map_err(unreadable)?;
                Ok(Self { old: Some((stat, old)), is_same, ..none(&path, false) })
            }
            Some((path, _)) => failed(format!("Unable to manage file: {} is no regular file", path.display())),
            None if seen.link => Ok(none(&link_end(call.look, name)?, false)),
            None => Ok(none(name, false)),
        }
    }
}

/// Where a link to nothing leads: the file that is to be made through it.
fn link_end(look: &dyn Look, name: &Path) -> Result<PathBuf, StateError> {
    let mut path = name.to_owned();
    for _ in 0..40 {
        let Ok(target) = look.read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    failed(format!("Unable to manage file: {} is a link that leads nowhere", name.display()))
}

/// All that is needed to write the file.
struct Job {
    name: PathBuf,
    body: Body,
    permissions: Permissions,
    dirs: Permissions,
    show: bool,
    new_file_diff: bool,
    make_dirs: bool,
    backup: Option<String>,
    backups: PathBuf,
    trial: Trial,
    /// `user` and `group` as they were given: numbers are told as numbers.
    owners: [Option<Value>; 2],
    from_source: bool,
    /// Whether this is a dry run.
    test: bool,
}

const NOTE: &str = "\nNote: No changes made, actual changes may\nbe different due to other states.";

impl Job {
    fn plan(self, look: &dyn Look, target: Target, would: String) -> Result<Plan, StateError> {
        let name = self.name.display().to_string();
        let preview = self.changes(look, &target);
        if preview.is_empty() {
            let the = if self.test { "The file" } else { "File" };
            return Plan::keep(format!("{the} {name} is in the correct state"));
        }
        let parent = target.path.parent().unwrap_or(Path::new("/"));
        let orphan = target.old.is_none() && !self.make_dirs && !files::is_dir(look, parent);
        if orphan && !look.may_come(parent) {
            return failed("Parent directory not present");
        }
        let would = if orphan { would + BY_THEN } else { would };
        let shown = match target.old.is_some() || target.replaces_link {
            true => preview,
            false if self.new_file_diff => preview,
            false => [("newfile".to_owned(), Value::String(name.clone()))].into_iter().collect(),
        };
        Plan::change(would, shown, move |doing| self.apply(doing, target))
    }

    /// What is different: contents, owner, mode.
    fn changes(&self, look: &dyn Look, target: &Target) -> Map {
        let mut changes = Map::new();
        match &target.old {
            Some(_) if target.is_same => {}
            Some((_, old)) => drop(changes.insert("diff".into(), self.diff(look, old).into())),
            None if target.replaces_link => {
                let replaced = || "Replace symbolic link with regular file".to_owned();
                let diff = target.linked.as_ref().map(|old| self.diff(look, old)).filter(|diff| !diff.is_empty());
                changes.insert("diff".into(), diff.unwrap_or_else(replaced).into());
            }
            None if self.new_file_diff => {
                let nothing = Body::Bytes(Vec::new());
                changes.insert("diff".into(), self.diff(look, &nothing).into());
            }
            None => drop(changes.insert("diff".into(), "New file".into())),
        }
        if let Some((stat, _)) = &target.old {
            changes.extend(self.told(self.permissions.missing(stat)));
        }
        changes
    }

    fn told(&self, missing: Vec<(&'static str, String)>) -> impl Iterator<Item = (String, Value)> {
        missing.into_iter().map(|(key, text)| {
            let given = match key {
                "user" => self.owners[0].clone(),
                "group" => self.owners[1].clone(),
                _ => None,
            };
            (key.to_owned(), given.filter(Value::is_number).unwrap_or_else(|| text.into()))
        })
    }

    fn diff(&self, look: &dyn Look, old: &Body) -> String {
        if self.show { old.diff(look, &self.body) } else { "<show_changes=False>".into() }
    }

    fn apply(self, doing: &Doing<'_>, target: Target) -> Result<Done, StateError> {
        let host = doing.host;
        let name = self.name.display().to_string();
        let permissions = self.permissions.resolved(host);
        let mut changes = self.changes(host, &target);
        if !target.is_same {
            if let Some(refusal) = self.trial.refusal(doing, &self.body)? {
                return Ok(refusal);
            }
            if self.make_dirs
                && let Some(parent) = target.path.parent()
            {
                files::make_dirs(host, parent, &self.dirs.resolved(host))
                    .map_err(|why| StateError::io("create", parent, &why))?;
            }
            if self.backup.is_some() && target.old.is_some() {
                backup::keep_file(host, &self.backups, &target.path)?;
            }
            // Nobody may read what is new before it has its owner.
            let old_mode = target.old.as_ref().map(|(stat, _)| stat.mode);
            let mode = permissions.mode.or(old_mode);
            let first =
                if permissions.user.is_some() || permissions.group.is_some() { mode.map(|_| 0o600) } else { mode };
            self.body.write(doing, &target.path, first.or(mode).unwrap_or(0o644))?;
            if target.old.is_none() {
                let fresh = Stat {
                    mode: 0o600,
                    ..host.stat(&target.path).map_err(|why| StateError::io("read", &target.path, &why))?
                };
                // Salt's copy of a source begins with a mode of its own.
                if self.from_source && mode.is_none() {
                    changes.insert("mode".into(), mode_text(0o644).into());
                }
                changes.extend(self.told(permissions.missing(&fresh)));
            }
            let full = Permissions { mode, ..permissions.clone() };
            full.apply(host, &target.path).map_err(|why| StateError::io("change the owner of", &target.path, &why))?;
        } else {
            permissions.apply(host, &target.path).map_err(|why| StateError::io("change", &target.path, &why))?;
        }
        Ok(Done::new(format!("File {name} updated"), changes))
    }
}

/// `dir_mode`, or the file's mode with the right to enter wherever it may be read.
fn dir_permissions(call: &Call<'_>, file: &Permissions) -> Result<Permissions, StateError> {
    let own = owner::permissions(call, "dir_mode")?.mode;
    let derived = file.mode.map(|mode| {
        [0o100, 0o010, 0o001].into_iter().fold(
            mode & 0o777,
            |mode, bit| {
                if mode & (bit * 7) != 0 { mode | bit } else { mode }
            },
        )
    });
    Ok(Permissions { mode: own.or(derived), ..file.clone() })
}

/// The content is nobody's business here, or is right; owner and mode may not be.
fn only_permissions(call: &Call<'_>, name: &Path, permissions: Permissions) -> Result<Plan, StateError> {
    let shown = name.display().to_string();
    let path = match call.flag("follow_symlinks", true) {
        true => files::followed(call.look, name).map_or_else(|_| name.to_owned(), |(path, _)| path),
        false => name.to_owned(),
    };
    let stat = call.look.stat(&path).map_err(|why| StateError::io("read", &path, &why))?;
    let changes: Map =
        permissions.missing(&stat).into_iter().map(|(key, text)| (key.to_owned(), text.into())).collect();
    if changes.is_empty() {
        return Plan::keep(match call.test {
            true => format!("File {shown} not updated"),
            false => format!("File {shown} exists with proper permissions. No changes made."),
        });
    }
    let comment = match permissions.mode.filter(|mode| *mode != stat.mode) {
        Some(mode) => format!(
            "File {shown} will be updated with permissions {} from its current state of {}",
            mode_text(mode),
            mode_text(stat.mode)
        ),
        None => format!("File {shown} not updated"),
    };
    Plan::change(comment, changes.clone(), move |doing| {
        let permissions = permissions.resolved(doing.host);
        permissions.apply(doing.host, &path).map_err(|why| StateError::io("change", &path, &why))?;
        Ok(Done::new("", changes))
    })
}

/// Without a source, a file that is missing is made empty.
fn empty_file(call: &Call<'_>, name: PathBuf, permissions: Permissions) -> Result<Plan, StateError> {
    let shown = name.display().to_string();
    let make_dirs = call.flag("makedirs", false);
    let dirs = dir_permissions(call, &permissions)?;
    let parent = name.parent().unwrap_or(Path::new("/")).to_owned();
    let orphan = !make_dirs && !files::is_dir(call.look, &parent);
    if orphan && !call.look.may_come(&parent) {
        return failed("Parent directory not present");
    }
    let guessed = if orphan { BY_THEN } else { "" };
    let preview = serde_json::json!({ "newfile": shown });
    Plan::change(format!("The file {shown} is set to be changed{NOTE}{guessed}"), preview, move |doing| {
        let host = doing.host;
        if make_dirs {
            files::make_dirs(host, &parent, &dirs.resolved(host))
                .map_err(|why| StateError::io("create", &parent, &why))?;
        }
        host.write(&name, &[], permissions.mode.unwrap_or(0o644))
            .map_err(|why| StateError::io("write", &name, &why))?;
        permissions.resolved(host).apply(host, &name).map_err(|why| StateError::io("change", &name, &why))?;
        let mut changes: Map = [("new".to_owned(), format!("file {shown} created").into())].into_iter().collect();
        if let Some(mode) = permissions.mode.filter(|mode| *mode != 0o644) {
            changes.insert("mode".into(), mode_text(mode).into());
        }
        Ok(Done::new("Empty file", changes))
    })
}
