//! `git.latest`: what is asked for, and a first clone.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    Source, is_repository,
    remote::{Kind, Revision},
    rev_name, sentences, short, update,
};
use crate::{
    Host,
    plan::{Call, Done, Plan, StateError, failed},
    resource::files,
};

/// `force_reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reset {
    No,
    Yes,
    RemoteChanges,
}

/// All that a state asks for.
#[derive(Clone)]
pub struct Request {
    pub source: Source,
    pub wanted: Option<Revision>,
    pub refs: BTreeMap<String, String>,
    pub branch: Option<String>,
    pub bare: bool,
    pub mirror: bool,
    pub reset: Reset,
    pub update_head: bool,
    pub force_checkout: bool,
    pub force_fetch: bool,
    pub submodules: bool,
    pub sync_tags: bool,
    pub depth: Option<i64>,
    pub refspecs: Vec<String>,
}

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let source = Source::of(call, "target '{}' is not an absolute path")?;
    let rev = rev_name(call, "rev", "HEAD")?;
    let reset = match call.value("force_reset") {
        Some(value) if value == "remote-changes" => Reset::RemoteChanges,
        Some(value) if value.is_boolean() => {
            if call.flag("force_reset", false) {
                Reset::Yes
            } else {
                Reset::No
            }
        }
        None => Reset::No,
        Some(_) => return failed("'force_reset' must be one of True, False, or 'remote-changes'"),
    };
    if files::is_file(call.look, &source.target) {
        return failed(format!("Target '{}' exists and is a regular file, cannot proceed", source.shown()));
    }
    let mirror = call.flag("mirror", false);
    let bare = mirror || call.flag("bare", false);
    if bare && rev != "HEAD" {
        return failed("'rev' is not compatible with the 'mirror' and 'bare' arguments");
    }
    let refs = source.git.remote_refs(call.look, &source.url);
    let refs = refs.map_err(|why| StateError::failed(format!("Failed to check remote refs: {why}")))?;
    let wanted = if bare { None } else { Revision::find(&refs, &rev, &source.remote)? };
    let depth = call.int("depth");
    if depth.is_some() && !wanted.as_ref().is_some_and(|wanted| wanted.kind != Kind::Sha) {
        return failed(
            "When 'depth' is used, 'rev' must be set to the name of a branch or tag on the remote repository",
        );
    }
    let branch = call.some_text("branch").map(|_| rev_name(call, "branch", "")).transpose()?;
    let (heads, tags) = (call.text_or("refspec_branch", "*"), call.text_or("refspec_tag", "*"));
    let refspecs = match call.flag("fetch_tags", true) {
        true => vec![
            format!("refs/heads/{heads}:refs/remotes/{}/{heads}", source.remote),
            format!("+refs/tags/{tags}:refs/tags/{tags}"),
        ],
        false => Vec::new(),
    };
    let there = is_repository(call, &source, bare);
    let request = Request {
        source,
        wanted,
        refs,
        branch,
        bare,
        mirror,
        reset,
        update_head: call.flag("update_head", true),
        force_checkout: call.flag("force_checkout", false),
        force_fetch: call.flag("force_fetch", false),
        submodules: call.flag("submodules", false),
        sync_tags: call.flag("sync_tags", true),
        depth,
        refspecs,
    };
    if there { update::plan(call, request) } else { clone(call, request) }
}

fn clone(call: &Call<'_>, request: Request) -> Result<Plan, StateError> {
    let source = &request.source;
    let way = source.in_the_way(call)?;
    let forced = call.flag("force_clone", false) && files::is_dir(call.look, &source.target);
    let mut changes = json!({});
    if forced {
        changes["forced clone"] = true.into();
    }
    changes["new"] = source.arrow().into();
    let (name, target) = (&source.name, source.shown());
    let would = match forced {
        true => format!(
            "Target directory {target} exists. Since force_clone=True, the contents of {target} would be deleted, \
             and {name} would be cloned into this directory."
        ),
        false => format!("Repository {name} would be cloned to {target}"),
    };
    Plan::change(would, changes.clone(), move |doing| {
        let host = doing.host;
        request.source.clear(host, &way)?;
        let mut comments = Vec::new();
        let done = cloned(host, &request, &mut comments);
        let revision = request.source.git.revision(host, &request.source.target)?;
        if let Err(why) = done {
            return Err(StateError::WithChanges {
                comment: already(&why, &comments),
                changes: crate::plan::IntoMap::into_map(changes),
            });
        }
        if let Some(revision) = revision {
            changes["revision"] = json!({"old": null, "new": revision});
        }
        Ok(Done::new(sentences(&comments), changes))
    })
}

/// A failure, with what was done before it.
pub fn already(why: &StateError, comments: &[String]) -> String {
    match comments {
        [] => why.to_string(),
        _ => format!("{why}\n\nChanges already made: {}", sentences(comments)),
    }
}

fn cloned(host: &dyn Host, request: &Request, comments: &mut Vec<String>) -> Result<(), StateError> {
    let (source, git) = (&request.source, &request.source.git);
    let depth = request.depth.map(|depth| depth.to_string());
    let mut options = match (request.mirror, request.bare) {
        (true, _) => vec!["--mirror"],
        (_, true) => vec!["--bare"],
        _ => Vec::new(),
    };
    if source.remote != "origin" {
        options.extend(["--origin", &source.remote]);
    }
    if let (Some(depth), Some(wanted)) = (&depth, &request.wanted) {
        options.extend(["--depth", depth, "--branch", &wanted.rev]);
    }
    source.clone_with(host, &options)?;
    let kind = match (request.mirror, request.bare) {
        (true, _) => " as mirror",
        (_, true) => " as bare repository",
        _ => "",
    };
    comments.push(format!("{} cloned to {}{kind}", source.name, source.shown()));
    let Some(wanted) = &request.wanted else { return Ok(()) };
    if let Some(branch) = &request.branch
        && !git.branches(host, &source.target)?.contains(branch)
    {
        let start = match (wanted.is_head(), &wanted.upstream) {
            (true, _) => &wanted.sha,
            (_, Some(upstream)) => upstream,
            _ => &wanted.rev,
        };
        source.run(host, &["checkout", "-b", branch, start])?;
        comments.push(format!("Branch '{branch}' checked out, with {} as a starting point", wanted.place));
    }
    if !wanted.is(git.revision(host, &source.target)?.as_deref()) {
        source.run(host, &["reset", "--hard", &wanted.sha])?;
        comments.push(format!("Repository was reset to {}", wanted.place));
    }
    track(host, request, wanted, comments)?;
    if request.submodules { source.submodules(host) } else { Ok(()) }
}

/// Has the branch follow that of the remote, or none for a tag or commit.
pub fn track(
    host: &dyn Host,
    request: &Request,
    wanted: &Revision,
    comments: &mut Vec<String>,
) -> Result<(), StateError> {
    let (source, git) = (&request.source, &request.source.git);
    let Some(branch) = git.branch(host, &source.target)?.filter(|branch| branch != "HEAD") else { return Ok(()) };
    let now = git.upstream(host, &source.target, &branch)?;
    match (&now, &wanted.upstream) {
        (None, Some(upstream)) => {
            source.run(host, &["branch", "--set-upstream-to", upstream])?;
            comments.push(format!("Tracking branch was set to {upstream}"));
        }
        (Some(now), Some(upstream)) if now != upstream => {
            source.run(host, &["branch", "--set-upstream-to", upstream])?;
            comments.push(format!("Tracking branch was updated to {upstream}"));
        }
        (Some(_), None) if !wanted.is_head() => {
            source.run(host, &["branch", "--unset-upstream"])?;
            comments.push("Tracking branch was unset".into());
        }
        _ => {}
    }
    Ok(())
}

/// `from a to b`.
pub fn from_to(old: Option<&str>, new: &str) -> String {
    format!("from {} to {}", old.map_or("None", short), short(new))
}
