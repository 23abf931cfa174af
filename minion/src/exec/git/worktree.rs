//! Working trees beside the first one.

use std::path::{Path, PathBuf};

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Context, Function};

use super::{git, options, refuse, run, told};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "git.is_worktree",
        Reads,
        [need("cwd"), with("user", "None"), with("password", "None"), with("output_encoding", "None")],
        |context, bound| {
            let top = toplevel(context, bound)?;
            Ok(top.is_some_and(|top| points_elsewhere(context, &top)).into())
        },
        "Tells whether a folder is a working tree of a repository that lies elsewhere.\n\n    \
         ctl run '*' git.is_worktree /srv/repo"
    ),
    row!(
        "git.list_worktrees",
        Reads,
        [
            need("cwd"),
            with("stale", "False"),
            with("user", "None"),
            with("password", "None"),
            with("output_encoding", "None"),
            NAMED
        ],
        list,
        "Shows the working trees of a repository: those that are there, with `stale` those that are gone, with `all` \
         both.\n\n    ctl run '*' git.list_worktrees /srv/repo all=True"
    ),
    git!(
        "git.worktree_add",
        Writes,
        [
            need("worktree_path"), with("ref", "None"), with("reset_branch", "None"), with("force", "None"),
            with("detach", "False"), with("opts", "''"), with("git_opts", "''"); NAMED
        ],
        add,
        "Checks a revision out into a working tree of its own.\n\n    \
         ctl run '*' git.worktree_add /srv/repo ../fix ref=origin/main branch=fix"
    ),
    git!(
        "git.worktree_prune",
        Writes,
        [
            with("dry_run", "False"),
            with("verbose", "True"),
            with("expire", "None"),
            with("opts", "''"),
            with("git_opts", "''")
        ],
        |context, bound| {
            let output = git(context, bound, "worktree", true, |words| {
                words.push("prune".into());
                words.extend(bound.flag("dry_run", false).then(|| "--dry-run".to_owned()));
                words.extend(bound.flag("verbose", true).then(|| "--verbose".to_owned()));
                words.extend(bound.text("expire")?.into_iter().flat_map(|age| ["--expire".to_owned(), age]));
                options(bound, words)
            })?;
            told(output)
        },
        "Forgets working trees that are gone, and says which.\n\n    ctl run '*' git.worktree_prune /srv/repo dry_run=True"
    ),
    row!(
        "git.worktree_rm",
        Writes,
        [need("cwd"), with("user", "None"), with("output_encoding", "None")],
        remove,
        "Removes a working tree; `git.worktree_prune` then forgets it.\n\n    ctl run '*' git.worktree_rm /srv/fix"
    ),
];

/// The folder that a repository's files are checked out into; nothing where there is no repository.
fn toplevel(context: &Context<'_>, bound: &Bound) -> Result<Option<PathBuf>, CallError> {
    let words = ["rev-parse", "--show-toplevel"].map(str::to_owned);
    let cwd = bound.need_text("cwd")?;
    if context.look.stat(Path::new(&cwd)).is_err() {
        return Ok(None);
    }
    let output = run(context, Some(&cwd), bound.text("user")?, &words, false)?;
    Ok((output.code == 0).then(|| String::from_utf8_lossy(&output.stdout).trim_end().into()))
}

/// A working tree has a file where others have a folder; it names the repository's place.
fn points_elsewhere(context: &Context<'_>, top: &Path) -> bool {
    let text = context.look.read(&top.join(".git"), 64 << 10).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().next().and_then(|line| line.strip_prefix("gitdir:")).is_some_and(|path| path.trim().starts_with('/'))
}

fn remove(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let cwd = bound.need_text("cwd")?;
    if context.look.stat(Path::new(&cwd)).is_err() {
        return Err(CallError::failed(format!("{cwd} does not exist")));
    }
    if !toplevel(context, bound)?.is_some_and(|top| points_elsewhere(context, &top)) {
        return Err(CallError::failed(format!("{cwd} is not a git worktree")));
    }
    let removed = context.host()?.remove(Path::new(&cwd));
    removed.map(|()| true.into()).map_err(|error| CallError::failed(format!("Unable to remove {cwd}: {error}")))
}

fn add(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let branch = named(bound, "branch")?.filter(|branch| truth(branch)).map(text_of);
    let (path, detach) = (bound.need_text("worktree_path")?, bound.flag("detach", false));
    if branch.is_some() && detach {
        return Err(CallError::arguments("Only one of 'branch' and 'detach' is allowed"));
    }
    let last = || Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let output = git(context, bound, "worktree", true, |words| {
        words.push("add".into());
        match detach {
            true => words.push("--detach".into()),
            false => {
                words.push(if bound.flag("reset_branch", false) { "-B" } else { "-b" }.into());
                words.push(branch.unwrap_or_else(last));
                words.extend(bound.flag("force", false).then(|| "--force".to_owned()));
            }
        }
        options(bound, words)?;
        words.push(path.clone());
        words.extend(bound.text("ref")?);
        Ok(())
    })?;
    told(output)
}

/// The one named argument beyond the parameters.
fn named<'a>(bound: &'a Bound, name: &str) -> Result<Option<&'a Value>, CallError> {
    match bound.named.keys().find(|key| *key != name) {
        Some(other) => Err(CallError::arguments(format!("there is no argument named '{other}'"))),
        None => Ok(bound.named.get(name)),
    }
}

fn list(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse(bound)?;
    let (all, stale) = (named(bound, "all")?.is_some_and(truth), bound.flag("stale", false));
    if all && stale {
        return Err(CallError::failed("'all' and 'stale' cannot both be set to True"));
    }
    let (cwd, user) = (bound.need_text("cwd")?, bound.text("user")?);
    let ask = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        told(run(context, Some(&cwd), user.clone(), &words, false)?).map(|said| text_of(&said))
    };
    let mut found = Map::new();
    for tree in ask(&["worktree", "list", "--porcelain"])?.split("\n\n").filter_map(Tree::parse) {
        let gone = !states::resource::files::is_dir(context.look, Path::new(&tree.path));
        if !all && gone != stale {
            continue;
        }
        let mut shown = json!({
            "stale": gone, "HEAD": tree.head, "detached": tree.branch.is_none(), "branch": tree.branch,
        });
        if tree.branch.is_none() {
            let tags = ask(&["tag", "--points-at", &tree.head])?;
            if !tags.is_empty() {
                shown["tags"] = tags.lines().collect();
            }
        }
        found.insert(tree.path, shown);
    }
    Ok(found.into())
}

#[derive(Debug, PartialEq)]
struct Tree {
    path: String,
    head: String,
    /// `None`: no branch is checked out, but a revision.
    branch: Option<String>,
}

impl Tree {
    /// A paragraph of `git worktree list --porcelain`. A repository without files has no `HEAD` in it.
    fn parse(text: &str) -> Option<Self> {
        let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(' '));
        let (path, head) = (field("worktree")?, field("HEAD")?);
        let branch = field("branch").map(|branch| branch.strip_prefix("refs/heads/").unwrap_or(branch).to_owned());
        let detached = text.lines().any(|line| line.trim() == "detached");
        (branch.is_some() || detached).then(|| Self { path: path.to_owned(), head: head.to_owned(), branch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn working_trees_are_read() {
        let tree = |text| Tree::parse(text).map(|tree| (tree.path, tree.branch));
        assert_eq!(
            tree("worktree /srv/a b\nHEAD 12ab\nbranch refs/heads/x/y"),
            Some(("/srv/a b".into(), Some("x/y".into())))
        );
        assert_eq!(tree("worktree /srv/c\nHEAD 12ab\ndetached\nprunable gone"), Some(("/srv/c".into(), None)));
        assert_eq!(tree("worktree /srv/bare\nbare"), None);
    }
}
