//! Which commit a folder is at, if it lies in a git checkout.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The commit that `HEAD` names, of the checkout that `folder` is or lies in.
pub(super) fn of(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    let git = folder.ancestors().map(|above| above.join(".git")).find(|git| git.exists())?;
    let git = if git.is_dir() { git } else { pointed(&git)? };
    let head = fs::read_to_string(git.join("HEAD")).ok()?;
    match head.trim().strip_prefix("ref: ") {
        None => commit(head.trim()),
        Some(name) => branch(&git, name).or_else(|| branch(&common(&git)?, name)),
    }
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
