//! The files that are checked out, and what is staged of them.

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Context, Function};

use super::{both, options, said};
use crate::exec::bind::{Bound, need, text_of, with};

pub static TABLE: &[Function] = &[
    git!(
        "git.add",
        Writes,
        [need("filename"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| said(context, bound, "add", |words| {
            words.push("--verbose".into());
            options(bound, words)?;
            words.extend(["--".into(), bound.need_text("filename")?]);
            Ok(())
        }),
        "Stages a file.\n\n    ctl run '*' git.add /srv/repo foo.py"
    ),
    git!(
        "git.checkout",
        Writes,
        [with("rev", "None"), with("force", "False"), with("opts", "''"), with("git_opts", "''")],
        checkout,
        "Checks a revision out.\n\n    ctl run '*' git.checkout /srv/repo main"
    ),
    git!(
        "git.commit",
        Writes,
        [need("message"), with("opts", "''"), with("git_opts", "''"), with("filename", "None")],
        |context, bound| said(context, bound, "commit", |words| {
            words.extend(["-m".into(), bound.need_text("message")?]);
            options(bound, words)?;
            words.extend(bound.text("filename")?.into_iter().flat_map(|name| ["--".to_owned(), name]));
            Ok(())
        }),
        "Commits what is staged.\n\n    ctl run '*' git.commit /srv/repo 'The message'"
    ),
    git!(
        "git.discard_local_changes",
        Writes,
        [with("path", "'.'")],
        |context, bound| {
            let path = bound.text("path")?.unwrap_or_else(|| ".".into());
            both(context, bound, "checkout", |words| {
                words.extend(["--".into(), path]);
                Ok(())
            })
        },
        "Undoes changes that are not committed.\n\n    ctl run '*' git.discard_local_changes /srv/repo"
    ),
    git!(
        "git.reset",
        Writes,
        [with("opts", "''"), with("git_opts", "''"), with("identity", "None")],
        |context, bound| said(context, bound, "reset", |words| options(bound, words)),
        "Resets the branch.\n\n    ctl run '*' git.reset /srv/repo opts='--hard origin/main'"
    ),
    git!(
        "git.rm",
        Writes,
        [need("filename"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| said(context, bound, "rm", |words| {
            options(bound, words)?;
            words.extend(["--".into(), bound.need_text("filename")?]);
            Ok(())
        }),
        "Removes a file from the repository.\n\n    ctl run '*' git.rm /srv/repo foo.py"
    ),
    git!(
        "git.stash",
        Writes,
        [with("action", "'save'"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| {
            let action = bound.text("action")?.unwrap_or_else(|| "save".into());
            said(context, bound, "stash", |words| {
                words.push(action);
                options(bound, words)
            })
        },
        "Puts changes aside, or takes them up again.\n\n    ctl run '*' git.stash /srv/repo pop"
    ),
    git!(
        "git.status",
        Reads,
        [],
        status,
        "Shows what is changed and not committed.\n\n    ctl run '*' git.status /srv/repo"
    ),
];

fn checkout(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    both(context, bound, "checkout", |words| {
        words.extend(bound.flag("force", false).then(|| "--force".to_owned()));
        options(bound, words)?;
        let makes = words.iter().any(|word| word == "-b" || word == "-B");
        match bound.text("rev")? {
            Some(rev) => words.push(rev),
            None if makes => {}
            None => return Err(CallError::arguments("'rev' argument is required unless -b or -B in opts")),
        }
        Ok(())
    })
}

fn status(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let said = said(context, bound, "status", |words| {
        words.extend(["-z", "--porcelain"].map(str::to_owned));
        Ok(())
    })?;
    let mut found = Map::new();
    for line in text_of(&said).split('\0') {
        let Some((state, name)) = line.trim_start().split_once(char::is_whitespace) else { continue };
        let state = match state {
            "M" => "modified",
            "A" => "new",
            "D" => "deleted",
            "??" => "untracked",
            other => other,
        };
        let list = found.entry(state.to_owned()).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(name.trim_start().into()));
    }
    Ok(found.into())
}
