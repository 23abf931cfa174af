//! Who owns what was unpacked.

use std::path::{Path, PathBuf};

use crate::{
    Host, Look,
    plan::{Call, StateError, failed},
    resource::{
        accounts,
        archive::Contents,
        files::{self, Permissions},
    },
};

/// What `user` and `group` ask for.
pub fn of(call: &Call<'_>) -> Result<Permissions, StateError> {
    let (user, group) = (call.some_text("user"), call.some_text("group"));
    let later = |expected: bool| (call.test && expected).then_some(u32::MAX);
    let uid = user.as_deref().map(|name| {
        accounts::uid(call.look, name).or_else(|| later(accounts::user_expected(call.look, name))).ok_or(name)
    });
    let gid = group.as_deref().map(|name| {
        accounts::gid(call.look, name).or_else(|| later(accounts::group_expected(call.look, name))).ok_or(name)
    });
    match (uid.transpose(), gid.transpose()) {
        (Err(name), _) => failed(format!("User {name} does not exist")),
        (_, Err(name)) => failed(format!("Group {name} does not exist")),
        (Ok(uid), Ok(gid)) => {
            Ok(Permissions { user: user.clone().zip(uid), group: group.clone().zip(gid), mode: None })
        }
    }
}

/// What giving things to their owner came to.
#[derive(Default)]
pub struct Owned {
    pub changed: bool,
    missing: Vec<PathBuf>,
    failed: Vec<PathBuf>,
}

impl Owned {
    /// Missing paths are no failure where `if_missing` says what counts.
    pub fn good(&self, if_missing: bool) -> bool {
        self.failed.is_empty() && (self.missing.is_empty() || if_missing)
    }

    pub fn told(&self) -> String {
        let list = |head: &str, paths: &[PathBuf]| match paths.is_empty() {
            true => String::new(),
            false => {
                let lines: String = paths.iter().map(|path| format!("\n- {}", path.display())).collect();
                format!("\n\nWhile trying to enforce user/group ownership, {head}:\n{lines}")
            }
        };
        list("the following paths were missing", &self.missing)
            + &list("Salt was unable to change ownership on the following paths", &self.failed)
    }
}

/// The paths that are to have an owner, and all that is beneath them.
fn paths(look: &dyn Look, folder: &Path, only: Option<&Path>, contents: &Contents) -> Vec<PathBuf> {
    let top = match only {
        Some(only) => vec![only.to_owned()],
        None => {
            let all = contents.top_folders.iter().chain(&contents.top_files).chain(&contents.top_links);
            all.map(|path| folder.join(path.trim_end_matches('/'))).collect()
        }
    };
    let beneath = |path: PathBuf| {
        let inside = match look.stat(&path) {
            Ok(stat) if stat.kind == crate::look::Kind::Directory => files::walk(look, &path).unwrap_or_default(),
            _ => Vec::new(),
        };
        std::iter::once(path).chain(inside.into_iter().map(|(path, _)| path))
    };
    top.into_iter().flat_map(beneath).collect()
}

/// Whether anything has another owner.
pub fn differs(look: &dyn Look, owner: &Permissions, folder: &Path, only: Option<&Path>, contents: &Contents) -> bool {
    let wrong = |path: &PathBuf| look.stat(path).is_ok_and(|stat| !owner.missing(&stat).is_empty());
    !owner.is_empty() && paths(look, folder, only, contents).iter().any(wrong)
}

/// Gives everything to its owner.
pub fn enforce(host: &dyn Host, owner: &Permissions, folder: &Path, only: Option<&Path>, contents: &Contents) -> Owned {
    let mut owned = Owned::default();
    if owner.is_empty() {
        return owned;
    }
    let owner = owner.resolved(host);
    for path in paths(host, folder, only, contents) {
        let Ok(stat) = host.stat(&path) else {
            owned.missing.push(path);
            continue;
        };
        if owner.missing(&stat).is_empty() {
            continue;
        }
        match owner.apply(host, &path) {
            Ok(()) => owned.changed = true,
            Err(_) => owned.failed.push(path),
        }
    }
    owned
}
