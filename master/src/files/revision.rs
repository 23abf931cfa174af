//! Which commit a folder is at, if it lies in a git checkout, and whether that is all of the truth.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use proto::Hash;

use crate::process;

/// How long `git status` may take.
const STATUS: Duration = Duration::from_secs(120);

/// A checkout that a folder is or lies in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Checkout {
    /// Its uppermost folder.
    top: PathBuf,
    /// What `HEAD` names.
    pub commit: String,
}

pub(super) fn of(folder: &Path) -> Option<Checkout> {
    let folder = fs::canonicalize(folder).ok()?;
    let top = folder.ancestors().find(|above| above.join(".git").exists())?;
    let git = top.join(".git");
    let git = if git.is_dir() { git } else { pointed(&git)? };
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    let commit = match head.trim().strip_prefix("ref: ") {
        None => commit(head.trim()),
        Some(name) => branch(&git, name).or_else(|| branch(&common(&git)?, name)),
    };
    Some(Checkout { top: top.to_owned(), commit: commit? })
}

/// What was found of folders in checkouts. `git` is asked again only when the commit or what is served
/// has changed: on these alone it depends whether they are the same.
#[derive(Debug, Default)]
pub(super) struct Checkouts(HashMap<PathBuf, (String, Hash, Option<bool>)>);

impl Checkouts {
    /// Whether what is served of `folder` differs from its commit; `None` where `git` does not tell.
    /// `served` are the paths beneath it, and `listing` names these and their contents.
    pub fn dirty(
        &mut self,
        folder: &Path,
        checkout: &Checkout,
        listing: Hash,
        served: impl Fn(&str) -> bool,
    ) -> Option<bool> {
        if let Some((commit, known, dirty)) = self.0.get(folder)
            && *commit == checkout.commit
            && *known == listing
        {
            return *dirty;
        }
        let dirty = differs(folder, checkout, served);
        self.0.insert(folder.to_owned(), (checkout.commit.clone(), listing, dirty));
        dirty
    }
}

fn differs(folder: &Path, checkout: &Checkout, served: impl Fn(&str) -> bool) -> Option<bool> {
    let prefix = fs::canonicalize(folder).ok()?.strip_prefix(&checkout.top).ok()?.to_str()?.to_owned();
    let mut status = Command::new("git");
    status.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C");
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        status.env_remove(name);
    }
    // Nothing is written, and no program of the checkout's own choice is started to watch files.
    status.args([
        "--no-optional-locks",
        "-c",
        "core.fsmonitor=false",
        "status",
        "--porcelain=v1",
        "-z",
        "--no-renames",
    ]);
    status.args(["--untracked-files=all", "--ignored=traditional", "--", "."]);
    let ended = process::run(&mut status, STATUS).ok().filter(|ended| ended.status.success());
    let Some(ended) = ended else {
        tracing::debug!(folder = %folder.display(), "git does not tell whether the files are those of the commit");
        return None;
    };
    let text = String::from_utf8_lossy(&ended.output);
    Some(text.split('\0').filter_map(|row| row.split_at_checked(3)).any(|(kind, path)| {
        let path = path.strip_prefix(&prefix).unwrap_or(path).trim_start_matches('/');
        // What is not in the commit and not served is nobody's business; what is gone is served no more.
        kind.contains('D') || served(path)
    }))
}

/// What the file `.git` of a worktree or a submodule points to.
fn pointed(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    Some(file.parent()?.join(text.trim().strip_prefix("gitdir: ")?))
}

/// Where a worktree's branches are.
fn common(git: &Path) -> Option<PathBuf> {
    Some(git.join(fs::read_to_string(git.join("commondir")).ok()?.trim()))
}

fn branch(git: &Path, name: &str) -> Option<String> {
    if let Ok(text) = fs::read_to_string(git.join(name)) {
        return commit(text.trim());
    }
    let packed = fs::read_to_string(git.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').and_then(commit))
}

fn commit(text: &str) -> Option<String> {
    let fits = matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| text.to_owned())
}
