//! Branches, tags and other names of revisions, and what joins them.

use proto::Value;
use states::{CallError, Context, Function};

use super::{both, options, rev, said, split};
use crate::exec::bind::{Bound, need, text_of, with};

pub static TABLE: &[Function] = &[
    git!(
        "git.branch",
        Writes,
        [with("name", "None"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| {
            said(context, bound, "branch", |words| {
                options(bound, words)?;
                words.extend(bound.text("name")?);
                Ok(())
            })?;
            Ok(true.into())
        },
        "Makes, renames or removes a branch.\n\n    ctl run '*' git.branch /srv/repo feature"
    ),
    git!(
        "git.current_branch",
        Reads,
        [],
        |context, bound| said(context, bound, "rev-parse", |words| {
            words.extend(["--abbrev-ref", "HEAD"].map(str::to_owned));
            Ok(())
        }),
        "Names the branch that is checked out.\n\n    ctl run '*' git.current_branch /srv/repo"
    ),
    git!(
        "git.describe",
        Reads,
        [with("rev", "'HEAD'")],
        |context, bound| said(context, bound, "describe", |words| {
            words.extend(["--always".into(), rev(bound, "HEAD")?]);
            Ok(())
        }),
        "Describes a revision by the tags before it.\n\n    ctl run '*' git.describe /srv/repo"
    ),
    git!(
        "git.list_branches",
        Reads,
        [with("remote", "False")],
        |context, bound| {
            let refs = if bound.flag("remote", false) { "refs/remotes/" } else { "refs/heads/" };
            listed(context, bound, refs)
        },
        "Lists the branches.\n\n    ctl run '*' git.list_branches /srv/repo"
    ),
    git!(
        "git.list_tags",
        Reads,
        [],
        |context, bound| listed(context, bound, "refs/tags/"),
        "Lists the tags.\n\n    ctl run '*' git.list_tags /srv/repo"
    ),
    git!(
        "git.merge",
        Writes,
        [with("rev", "None"), with("opts", "''"), with("git_opts", "''"), with("identity", "None")],
        |context, bound| said(context, bound, "merge", |words| {
            options(bound, words)?;
            words.extend(bound.text("rev")?);
            Ok(())
        }),
        "Merges a revision.\n\n    ctl run '*' git.merge /srv/repo upstream/main"
    ),
    git!(
        "git.rebase",
        Writes,
        [with("rev", "'master'"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| said(context, bound, "rebase", |words| {
            options(bound, words)?;
            if words.iter().any(|word| word == "-i" || word == "--interactive") {
                return Err(CallError::arguments("Interactive rebases are not supported"));
            }
            words.extend(split(&rev(bound, "master")?)?);
            Ok(())
        }),
        "Rebases the branch.\n\n    ctl run '*' git.rebase /srv/repo main"
    ),
    git!(
        "git.rev_parse",
        Reads,
        [with("rev", "None"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| said(context, bound, "rev-parse", |words| {
            options(bound, words)?;
            words.extend(bound.text("rev")?);
            Ok(())
        }),
        "Asks `git rev-parse`.\n\n    ctl run '*' git.rev_parse /srv/repo HEAD"
    ),
    git!(
        "git.revision",
        Reads,
        [with("rev", "'HEAD'"), with("short", "False")],
        |context, bound| said(context, bound, "rev-parse", |words| {
            words.extend(bound.flag("short", false).then(|| "--short".to_owned()));
            words.push(rev(bound, "HEAD")?);
            Ok(())
        }),
        "Gives the hash of a revision.\n\n    ctl run '*' git.revision /srv/repo main"
    ),
    git!(
        "git.tag",
        Writes,
        [need("name"), with("ref", "'HEAD'"), with("message", "None"), with("opts", "''"), with("git_opts", "''")],
        tag,
        "Makes or removes a tag.\n\n    ctl run '*' git.tag /srv/repo v1.0"
    ),
];

fn listed(context: &Context<'_>, bound: &Bound, refs: &str) -> Result<Value, CallError> {
    let format = ["--format", "%(refname:short)", refs].map(str::to_owned);
    let said = said(context, bound, "for-each-ref", |words| {
        words.extend(format);
        Ok(())
    })?;
    Ok(text_of(&said).lines().map(str::to_owned).collect())
}

fn tag(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let mut more = Vec::new();
    options(bound, &mut more)?;
    // A message that is not given would start an editor.
    more.retain(|word| word != "-a" && word != "--annotate");
    if more.iter().any(|word| word == "-m" || word.contains("--message")) {
        return Err(CallError::arguments("Tag messages must be passed in the \"message\" argument"));
    }
    both(context, bound, "tag", |words| {
        let message = bound.text("message")?.map(|message| ["-a".to_owned(), "-m".to_owned(), message]);
        words.extend(message.into_iter().flatten());
        let removes = more.iter().any(|word| word == "-d" || word == "--delete");
        words.extend(more);
        words.push(bound.need_text("name")?);
        if !removes {
            words.push(bound.text("ref")?.unwrap_or_else(|| "HEAD".into()));
        }
        Ok(())
    })
}
