//! `git.detached`.

use serde_json::json;

use super::{Source, is_repository, is_sha, rev_name, sentences};
use crate::{
    Host,
    plan::{Call, Done, Plan, StateError, failed},
    resource::files,
};

/// All that a state asks for, and what is there.
struct Request {
    source: Source,
    rev: String,
    is_sha: bool,
    force_checkout: bool,
    fetch: bool,
    hard_reset: bool,
    submodules: bool,
    there: bool,
    /// What is in the way of a clone.
    way: Vec<String>,
    forced: bool,
    /// The commit that is checked out.
    old: Option<String>,
    /// The address that the remote has, if another.
    other: Option<Option<String>>,
    known: bool,
}

fn neutral(comment: String) -> Result<Plan, StateError> {
    Plan::change(comment, json!({}), |_| Ok(Done::default()))
}

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let rev = rev_name(call, "rev", "")?;
    let source = Source::of(call, "Target '{}' is not an absolute path")?;
    if files::is_file(call.look, &source.target) {
        return failed(format!("Target '{}' exists and is a regular file, cannot proceed", source.shown()));
    }
    let there = is_repository(call, &source, false);
    let is_sha = is_sha(&rev);
    let rev = if is_sha { rev.to_lowercase() } else { rev };
    let (look, git, target) = (call.look, source.git.clone(), source.target.clone());
    let url = if there && !is_sha { git.remote_url(look, &target, &source.remote)? } else { None };
    let request = Request {
        way: if there { Vec::new() } else { source.in_the_way(call)? },
        forced: !there && call.flag("force_clone", false) && files::is_dir(look, &target),
        old: if there { git.revision(look, &target)? } else { None },
        other: (there && !is_sha && !url.as_ref().is_some_and(|url| url.contains(&source.name))).then_some(url),
        known: there && is_sha && git.commit(look, &target, &rev)?.is_some(),
        source,
        rev,
        is_sha,
        force_checkout: call.flag("force_checkout", false),
        fetch: call.flag("fetch_remote", true),
        hard_reset: call.flag("hard_reset", false),
        submodules: call.flag("submodules", false),
        there,
    };
    if call.test {
        return preview(call, &request);
    }
    Plan::change("", json!({}), move |doing| {
        let mut comments = Vec::new();
        match carry_out(doing.host, &request, &mut comments) {
            Ok(new) => {
                let mut changes = json!({});
                if request.forced {
                    changes["forced clone"] = true.into();
                }
                match new {
                    Some(new) => changes["HEAD"] = json!({"old": request.old, "new": new}),
                    None => comments.push("Already checked out at correct revision".into()),
                }
                Ok(Done::new(sentences(&comments), changes))
            }
            Err(why) => failed(super::latest::already(&why, &comments)),
        }
    })
}

fn preview(call: &Call<'_>, request: &Request) -> Result<Plan, StateError> {
    let (source, target) = (&request.source, request.source.shown());
    let name = &source.name;
    if request.forced {
        return neutral(format!(
            "Target directory {target} exists. Since force_clone=True, the contents of {target} would be deleted, and \
             {name} would be cloned into this directory."
        ));
    }
    if !request.there {
        return neutral(format!("Repository {name} would be cloned to {target}"));
    }
    if request.other.is_some() {
        return neutral(format!("Remote {} would be set to {name}", source.remote));
    }
    // Salt stops at the fetch. What the remote has now is known without one, so that a second dry
    // run need not predict what will not be.
    let wanted = match request.is_sha && request.known || !request.fetch {
        true => source.git.commit(call.look, &source.target, &request.rev)?,
        false => {
            let refs = source.git.remote_refs(call.look, &source.url)?;
            super::remote::Revision::find(&refs, &request.rev, &source.remote)?.map(|wanted| wanted.sha)
        }
    };
    if request.hard_reset && request.fetch && !request.known {
        return neutral(format!("Repository remote {} would be fetched", source.remote));
    }
    if request.hard_reset {
        return neutral(format!("Hard reset to HEAD would be performed on {target}"));
    }
    match wanted {
        Some(wanted) if request.old.as_ref().is_some_and(|old| old.starts_with(&wanted)) => {
            Plan::keep("Already checked out at correct revision")
        }
        Some(wanted) => Plan::change(
            format!("Commit ID {wanted} would be checked out at {target}"),
            json!({"HEAD": {"old": request.old, "new": wanted}}),
            |_| Ok(Done::default()),
        ),
        None => failed(format!("Revision '{}' does not exist", request.rev)),
    }
}

/// Gives the commit that was checked out, if another than before.
fn carry_out(host: &dyn Host, request: &Request, comments: &mut Vec<String>) -> Result<Option<String>, StateError> {
    let (source, git, target) = (&request.source, &request.source.git, &request.source.target);
    let (remote, rev) = (&source.remote, &request.rev);
    if let Some(old) = &request.other {
        git.set_remote(host, target, remote, &source.url)?;
        let old = old.as_deref().unwrap_or("None");
        comments.push(format!("Remote {remote} updated from '{old}' to '{}'", source.name));
    }
    if !request.there {
        source.clear(host, &request.way)?;
        let mut options = vec!["--no-checkout"];
        if remote != "origin" {
            options.extend(["--origin", remote]);
        }
        git.make_clone(host, &source.url, target, &options)?;
        comments.push(format!("{} cloned to {}", source.name, source.shown()));
    }
    if !request.known && request.fetch {
        let refspecs = [format!("refs/heads/*:refs/remotes/{remote}/*"), "+refs/tags/*:refs/tags/*".to_owned()];
        let fetched = git.fetch(host, target, remote, true, &refspecs);
        if fetched.map_err(|why| StateError::failed(format!("Fetch failed:\n\n{why}")))? {
            comments.push(format!("Remote {remote} was fetched, resulting in updated refs"));
        }
    }
    let names = match request.is_sha {
        true => vec![rev.clone()],
        false => vec![format!("refs/remotes/{remote}/{rev}"), format!("refs/tags/{rev}")],
    };
    let mut wanted = None;
    for name in names {
        wanted = match wanted {
            None => git.commit(host, target, &name)?,
            found => found,
        };
    }
    let Some(wanted) = wanted else { return failed(format!("Revision '{rev}' does not exist")) };
    if request.hard_reset {
        source.run(host, &["reset", "--hard", "HEAD"])?;
        comments.push("Repository was reset to HEAD before checking out revision".into());
    }
    let mut new = None;
    if request.old.as_ref() != Some(&wanted) {
        let mut words = vec!["checkout"];
        words.extend(request.force_checkout.then_some("--force"));
        words.extend(["--detach", &wanted]);
        source.run(host, &words)?;
        comments.push(format!("Commit ID {wanted} was checked out at {}", source.shown()));
        new = git.revision(host, target)?;
    }
    if request.submodules {
        source.submodules(host)?;
        comments.push("Submodules were updated".into());
    }
    Ok(new)
}
