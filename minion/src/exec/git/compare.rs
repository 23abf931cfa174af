//! What lies between revisions.

use proto::Value;
use states::{CallError, Context, Function};

use super::{both, git, options, said, told};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "git.diff",
        Reads,
        [
            need("cwd"),
            with("item1", "None"),
            with("item2", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("no_index", "False"),
            with("cached", "False"),
            with("paths", "None"),
            with("output_encoding", "None")
        ],
        diff,
        "Shows what differs between revisions, or from what is checked out.\n\n    \
         ctl run '*' git.diff /srv/repo main feature paths=src"
    ),
    git!(
        "git.merge_base",
        Reads,
        [
            with("refs", "None"), with("octopus", "False"), with("is_ancestor", "False"),
            with("independent", "False"), with("fork_point", "None"), with("opts", "''"),
            with("git_opts", "''"); NAMED
        ],
        merge_base,
        "Gives the revision that others have in common; with `is_ancestor` whether the first is among those before the \
         second.\n\n    ctl run '*' git.merge_base /srv/repo main,feature"
    ),
    git!(
        "git.merge_tree",
        Reads,
        [need("ref1"), need("ref2"), with("base", "None")],
        |context, bound| {
            let refs = [bound.need_text("ref1")?, bound.need_text("ref2")?];
            let base = match bound.text("base")? {
                Some(base) => base,
                None => common(context, bound, &refs)?,
            };
            said(context, bound, "merge-tree", |words| {
                words.push(base);
                words.extend(refs);
                Ok(())
            })
        },
        "Shows what a merge of two revisions would do.\n\n    ctl run '*' git.merge_tree /srv/repo main feature"
    ),
    git!(
        "git.symbolic_ref",
        Writes,
        [need("ref"), with("value", "None"), with("opts", "''"), with("git_opts", "''")],
        |context, bound| said(context, bound, "symbolic-ref", |words| {
            let mut given = Vec::new();
            options(bound, &mut given)?;
            if bound.has("value") && given.iter().any(|word| word == "-d" || word == "--delete") {
                let why = "Value cannot be set for symbolic ref if -d/--delete is included in opts";
                return Err(CallError::arguments(why));
            }
            words.extend(given);
            words.push(bound.need_text("ref")?);
            words.extend(bound.text("value")?);
            Ok(())
        }),
        "Reads, sets or removes a name that stands for another one.\n\n    ctl run '*' git.symbolic_ref /srv/repo HEAD"
    ),
];

fn diff(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (no_index, cached) = (bound.flag("no_index", false), bound.flag("cached", false));
    if no_index && cached {
        return Err(CallError::failed("The 'no_index' and 'cached' options cannot be used together"));
    }
    let fill = |words: &mut Vec<String>| {
        options(bound, words)?;
        let items = [bound.text("item1")?, bound.text("item2")?].into_iter().flatten().filter(|item| !item.is_empty());
        match (no_index, cached) {
            // Revisions have no meaning between files.
            (true, _) => words.push("--no-index".into()),
            (_, true) => {
                words.push("--cached".into());
                words.extend(items.take(1));
            }
            _ => words.extend(items),
        }
        let paths = bound.list("paths");
        if !paths.is_empty() {
            words.push("--".into());
            words.extend(paths.iter().map(text_of));
        }
        Ok(())
    };
    if !no_index {
        return both(context, bound, "diff", fill);
    }
    // Here 1 means that the files differ.
    let mut output = git(context, bound, "diff", true, fill)?;
    if output.code == 1 {
        output.code = 0;
    }
    told(output)
}

fn merge_base(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    if let Some(other) = bound.named.keys().find(|name| *name != "all") {
        return Err(CallError::arguments(format!("git.merge_base takes no argument named '{other}'")));
    }
    let all = bound.named.get("all").is_some_and(truth);
    let (octopus, is_ancestor) = (bound.flag("octopus", false), bound.flag("is_ancestor", false));
    let (independent, fork_point) = (bound.flag("independent", false), bound.text("fork_point")?);
    let mut refs: Vec<String> = bound.list("refs").iter().map(text_of).collect();
    let exclusive = [octopus, independent, is_ancestor, fork_point.is_some()].iter().filter(|given| **given).count();
    let wrong = match () {
        () if all && (independent || is_ancestor || fork_point.is_some()) => {
            Some("The 'all' argument is not compatible with 'independent', 'is_ancestor', or 'fork_point'")
        }
        () if exclusive > 1 => {
            Some("Only one of 'octopus', 'independent', 'is_ancestor', and 'fork_point' is permitted")
        }
        () if is_ancestor && refs.len() != 2 => Some("Two refs/commits are required if 'is_ancestor' is True"),
        () if fork_point.is_some() && refs.len() > 1 => {
            Some("At most one ref/commit can be passed if 'fork_point' is specified")
        }
        () => None,
    };
    if let Some(wrong) = wrong {
        return Err(CallError::arguments(wrong));
    }
    if fork_point.is_some() && refs.is_empty() {
        refs.push("HEAD".into());
    }
    let output = git(context, bound, "merge-base", false, |words| {
        options(bound, words)?;
        let flags =
            [(all, "--all"), (octopus, "--octopus"), (is_ancestor, "--is-ancestor"), (independent, "--independent")];
        words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
        words.extend(fork_point.into_iter().flat_map(|point| ["--fork-point".to_owned(), point]));
        words.extend(refs);
        Ok(())
    })?;
    if is_ancestor {
        return Ok((output.code == 0).into());
    }
    let said = text_of(&told(output)?);
    Ok(match all {
        true => said.lines().collect(),
        false => said.lines().next().unwrap_or_default().into(),
    })
}

fn common(context: &Context<'_>, bound: &Bound, refs: &[String; 2]) -> Result<String, CallError> {
    let found = said(context, bound, "merge-base", |words| {
        words.extend(refs.iter().cloned());
        Ok(())
    });
    let found = found.ok().and_then(|said| text_of(&said).lines().next().map(str::to_owned));
    found.ok_or_else(|| CallError::failed(format!("Unable to determine merge base for {} and {}", refs[0], refs[1])))
}
