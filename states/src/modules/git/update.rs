//! `git.latest` of a repository that is there: what differs from the remote, and the way there.

mod steps;

use serde_json::{Value, json};

use super::{
    latest::{Request, Reset, already, from_to, track},
    remote::{Kind, Revision, default_branch},
    sentences, short,
};
use crate::{
    Host, Look,
    plan::{Call, Done, IntoMap, Plan, StateError, failed},
    resource::git::redacted,
};

/// The repository as it is.
struct Local {
    rev: Option<String>,
    branch: Option<String>,
    branches: Vec<String>,
    tags: Vec<String>,
    url: Option<String>,
    dirty: bool,
    upstream: Option<String>,
    /// Where the branch that is to be checked out stands.
    base: Option<String>,
    /// Whether the commit that is wanted is here already.
    has_wanted: bool,
    fast_forward: Option<bool>,
}

impl Local {
    fn of(look: &dyn Look, request: &Request) -> Result<Self, StateError> {
        let (git, target) = (&request.source.git, &request.source.target);
        let rev = git.revision(look, target)?;
        let branch = git.branch(look, target)?;
        let branches = git.branches(look, target)?;
        let mut base = rev.clone();
        let mut base_branch = branch.clone();
        if let Some(wanted) = request.branch.as_ref().filter(|wanted| Some(*wanted) != branch.as_ref()) {
            base = match branches.contains(wanted) {
                true => git.commit(look, target, wanted)?,
                false => request.wanted.as_ref().map(|wanted| wanted.sha.clone()),
            };
            base_branch = branches.contains(wanted).then(|| wanted.clone()).or(base_branch);
        }
        let upstream = match base_branch {
            Some(branch) if branch != "HEAD" => git.upstream(look, target, &branch)?,
            _ => None,
        };
        let tags = git.tags(look, target)?;
        let url = git.remote_url(look, target, &request.source.remote)?;
        let dirty = !request.bare && git.has_changes(look, target)?;
        Ok(Self { rev, branch, branches, tags, url, dirty, upstream, base, has_wanted: false, fast_forward: None })
    }

    /// Whether the wanted commit is here, and whether it comes after what is checked out.
    fn compare(&mut self, look: &dyn Look, request: &Request, wanted: &Revision) -> Result<(), StateError> {
        let (git, target) = (&request.source.git, &request.source.target);
        let here = |name: &str| git.commit(look, target, name);
        self.has_wanted = match (wanted.kind, &wanted.upstream) {
            _ if here(&wanted.sha)?.is_none() => false,
            (Kind::Sha, _) => true,
            (Kind::Branch, Some(upstream)) => here(upstream)?.as_ref() == Some(&wanted.sha),
            (Kind::Branch, None) => false,
            (Kind::Tag, _) if !self.tags.contains(&wanted.rev) => false,
            (Kind::Tag, _) => {
                let own = here(&wanted.rev)?;
                if own.as_ref() != Some(&wanted.sha) && request.reset == Reset::No {
                    return failed(format!(
                        "'{}' is a tag, but the remote SHA1 for this tag ({}) doesn't match the local SHA1 ({}). Set \
                         'force_reset' to True to force this update.",
                        wanted.rev,
                        short(&wanted.sha),
                        own.as_deref().map_or("None", short)
                    ));
                }
                own.as_ref() == Some(&wanted.sha)
            }
        };
        let blocked = self.dirty && request.reset != Reset::RemoteChanges;
        self.fast_forward = match (blocked, self.has_wanted, &self.base) {
            (true, ..) => Some(false),
            (_, false, _) => None,
            (_, _, None) => Some(true),
            (_, _, Some(base)) => Some(git.is_ancestor(look, target, base, &wanted.sha)?),
        };
        Ok(())
    }

    fn needs_branch<'r>(&self, request: &'r Request) -> Option<&'r String> {
        request.branch.as_ref().filter(|branch| Some(*branch) != self.branch.as_ref())
    }

    fn matches(&self, wanted: Option<&Revision>) -> bool {
        match wanted {
            None => self.rev.is_none(),
            Some(wanted) => wanted.is(self.rev.as_deref()),
        }
    }
}

fn up_to_date(request: &Request, test: bool, comments: &[String], dirty: bool) -> String {
    let mut comment = format!("Repository {} is up-to-date", request.source.shown());
    if dirty {
        comment.push_str(", but with uncommitted changes. Set 'force_reset' to True to purge uncommitted changes.");
    }
    if !comments.is_empty() {
        let would = if test { "that would be " } else { "" };
        comment.push_str(&format!("\n\nChanges {would}made: {}", sentences(comments)));
    }
    comment
}

pub fn plan(call: &Call<'_>, request: Request) -> Result<Plan, StateError> {
    let mut local = Local::of(call.look, &request)?;
    let Some(wanted) = request.wanted.clone() else { return without_revision(call, request, local) };
    let matches = local.matches(Some(&wanted));
    if local.dirty && matches && request.reset != Reset::Yes {
        return Plan::keep(up_to_date(&request, call.test, &[], true));
    }
    if local.dirty && matches && call.test {
        let comment = format!(
            "{} is up-to-date, but with uncommitted changes. Since 'force_reset' is set to True, these local changes \
             would be reset. To only reset when there are changes in the remote repository, set 'force_reset' to \
             'remote-changes'.",
            request.source.shown()
        );
        return Plan::change(comment, json!({"forced update": true}), |_| Ok(Done::default()));
    }
    local.compare(call.look, &request, &wanted)?;
    if local.has_wanted && !matches && !request.update_head && local.needs_branch(&request).is_none() {
        return Plan::keep(head_stays(&wanted, &local));
    }
    if local.fast_forward == Some(false) && request.reset == Reset::No {
        return failed(not_fast_forward(&request, &local, &wanted));
    }
    if call.test {
        return preview(request, &local, &wanted);
    }
    Plan::change("", json!({}), move |doing| carry_out(doing.host, &request, local, &wanted))
}

/// Nothing is known of the remote's revision: a bare repository, or an empty one.
fn without_revision(call: &Call<'_>, request: Request, local: Local) -> Result<Plan, StateError> {
    if !request.bare {
        return match local.rev {
            Some(_) => failed("Remote repository is empty, cannot update from a non-empty to an empty repository"),
            None => Plan::keep(up_to_date(&request, call.test, &[], false)),
        };
    }
    if call.test {
        let would = format!("Bare repository at {} would be fetched", request.source.shown());
        return Plan::keep(up_to_date(&request, true, &[would], false));
    }
    Plan::change("", json!({}), move |doing| {
        let (host, source) = (doing.host, &request.source);
        let fetched = source.git.fetch(host, &source.target, &source.remote, request.force_fetch, &request.refspecs);
        let fetched = fetched.map_err(failed_fetch)?;
        let more = if fetched { ", resulting in updated refs" } else { "" };
        let comments = [format!("Bare repository at {} was fetched{more}", source.shown())];
        let new = source.git.revision(host, &source.target)?;
        Ok(match new == local.rev {
            true => Done::new(up_to_date(&request, false, &comments, false), json!({})),
            false => Done::new(sentences(&comments), json!({"revision": {"old": local.rev, "new": new}})),
        })
    })
}

fn failed_fetch(why: StateError) -> StateError {
    StateError::failed(format!(
        "Fetch failed. Set 'force_fetch' to True to force the fetch if the failure was due to not being able to \
         fast-forward. Output of the fetch command follows:\n\n{why}"
    ))
}

fn head_stays(wanted: &Revision, local: &Local) -> String {
    let mut place = wanted.place.clone();
    if wanted.is_head() {
        let rest = place.split_off(1).to_lowercase();
        place = place.to_uppercase() + &rest;
    }
    format!(
        "{place} is already present and local HEAD ({}) does not match, but update_head=False. HEAD has not been \
         updated locally.",
        local.rev.as_deref().map_or("None", short)
    )
}

fn not_fast_forward(request: &Request, local: &Local, wanted: &Revision) -> String {
    let own = local.branch.as_deref().unwrap_or("None");
    let default = default_branch(&request.refs);
    let hint = match (&request.branch, wanted.is_head(), default.as_deref()) {
        (None, false, _) if own != wanted.rev => format!(
            " The desired rev ({0}) differs from the name of the local branch ({own}), if the desired rev is a branch \
             name then a forced update could possibly be avoided by setting the 'branch' argument to '{0}' instead.",
            wanted.rev
        ),
        (None, true, Some(default)) if own != default => format!(
            " The default remote branch ({default}) differs from the local branch ({own}). This could be caused by \
             changing the default remote branch, or if the local branch was manually changed. Rather than forcing an \
             update, it may be advisable to set the 'branch' argument to '{default}' instead. To ensure that this \
             state follows the '{default}' branch instead of the remote HEAD, set the 'rev' argument to '{default}'."
        ),
        _ => String::new(),
    };
    let new = short(&wanted.sha);
    let how = match local.dirty && local.base.as_deref().map(short) != Some(new) {
        true => from_to(local.base.as_deref(), &wanted.sha),
        false => format!("to {new}"),
    };
    let after = local
        .needs_branch(request)
        .map_or(String::new(), |branch| format!(" (after checking out local branch '{branch}')"));
    let (why, or, discard) = match local.dirty {
        true => ("there are uncommitted changes", " (or 'remote-changes')", " and discard these changes"),
        false => ("this is not a fast-forward merge", "", ""),
    };
    format!(
        "Repository would be updated {how}{after}, but {why}. Set 'force_reset' to True{or} to force this \
         update{discard}.{hint}"
    )
}

/// What a dry run says.
fn preview(request: Request, local: &Local, wanted: &Revision) -> Result<Plan, StateError> {
    let (mut actions, mut changes) = (Vec::new(), json!({}));
    let (matches, remote) = (local.matches(Some(wanted)), &request.source.remote);
    let revision = || json!({"old": local.rev, "new": wanted.sha});
    let action = match local.fast_forward {
        Some(false) => "hard-reset",
        Some(true) => "fast-forwarded",
        None => "updated",
    };
    let new = short(&wanted.sha);
    if local.url.as_ref() != Some(&request.source.url) {
        let old = local.url.as_deref().map_or("None".into(), redacted);
        let url = redacted(&request.source.url);
        actions.push(format!("Remote '{remote}' would be changed from {old} to {url}"));
        if !local.has_wanted {
            actions.push("Remote would be fetched".into());
        }
        if !matches && request.update_head {
            changes["revision"] = revision();
            if local.fast_forward == Some(false) {
                changes["forced update"] = true.into();
            }
            actions.push(format!("Repository would be {action} to {new}"));
        }
        return told(request, actions, changes, matches);
    }
    if !local.has_wanted {
        actions.push(format!("Remote '{remote}' would be fetched"));
    }
    let branch = local.needs_branch(&request);
    if !matches && (request.update_head || branch.is_some()) {
        changes["revision"] = revision();
    }
    match branch {
        Some(branch) if !local.branches.contains(branch) => {
            actions
                .push(format!("New branch '{branch}' would be checked out, with {} as a starting point", wanted.place));
            actions.extend(wanted.upstream.iter().map(|up| format!("Tracking branch would be set to {up}")));
        }
        Some(branch) => actions.push(format!("Branch '{branch}' would be checked out and {action} to {new}")),
        None if matches => {}
        None if !request.update_head => actions.push(format!(
            "Local HEAD ({}) does not match {} but update_head=False, HEAD would not be updated locally",
            local.rev.as_deref().map_or("None", short),
            wanted.place
        )),
        None => {
            let action = match (local.fast_forward, request.reset != Reset::No && local.has_wanted) {
                (Some(true), _) => "fast-forwarded",
                (_, true) => "hard-reset",
                _ => "updated",
            };
            actions.push(format!("Repository would be {action} {}", from_to(local.rev.as_deref(), &wanted.sha)));
        }
    }
    match (&local.upstream, &wanted.upstream) {
        (None, Some(up)) => actions.push(format!("Tracking branch would be set to {up}")),
        (Some(_), None) if !wanted.is_head() => actions.push("Tracking branch would be unset".into()),
        (Some(now), Some(up)) if now != up => actions.push(format!("Tracking branch would be updated to {up}")),
        _ => {}
    }
    told(request, actions, changes, matches)
}

fn told(request: Request, actions: Vec<String>, changes: Value, matches: bool) -> Result<Plan, StateError> {
    if changes.as_object().is_some_and(|changes| !changes.is_empty()) {
        return Plan::change(sentences(&actions), changes, |_| Ok(Done::default()));
    }
    match !matches && !request.update_head && !actions.is_empty() {
        true => Plan::keep(sentences(&actions)),
        false => Plan::keep(up_to_date(&request, true, &actions, false)),
    }
}

fn carry_out(host: &dyn Host, request: &Request, local: Local, wanted: &Revision) -> Result<Done, StateError> {
    let (mut comments, mut changes) = (Vec::new(), json!({}));
    let (git, target) = (&request.source.git, &request.source.target);
    let old = local.rev.clone();
    if let Some(stays) = step(host, request, local, wanted, &mut comments, &mut changes).map_err(|why| {
        StateError::WithChanges { comment: already(&why, &comments), changes: changes.clone().into_map() }
    })? {
        return Ok(Done::new(stays, changes));
    }
    let new = git.revision(host, target)?;
    if !wanted.is(new.as_deref()) {
        let why = StateError::failed("Failed to update repository");
        return Ok(Done::failed(already(&why, &comments), changes));
    }
    if old == new {
        return Ok(Done::new(up_to_date(request, false, &comments, false), changes));
    }
    changes["revision"] = json!({"old": old, "new": new});
    Ok(Done::new(sentences(&comments), changes))
}

/// Brings a repository to where it is wanted. Gives a comment where its head is to stay.
fn step(
    host: &dyn Host,
    request: &Request,
    mut local: Local,
    wanted: &Revision,
    comments: &mut Vec<String>,
    changes: &mut Value,
) -> Result<Option<String>, StateError> {
    let source = &request.source;
    steps::set_remote(host, request, &local, comments, changes)?;
    steps::tags(host, request, &mut local, comments, changes)?;
    if !local.has_wanted {
        let fetched = source.git.fetch(host, &source.target, &source.remote, request.force_fetch, &request.refspecs);
        if fetched.map_err(failed_fetch)? {
            comments.push(format!("{} was fetched, resulting in updated refs", source.name));
        }
        if source.git.commit(host, &source.target, &wanted.sha)?.is_none() {
            return failed(format!("Fetch did not successfully retrieve rev '{}' from {}", wanted.rev, source.name));
        }
        if !local.matches(Some(wanted)) && !request.update_head && local.needs_branch(request).is_none() {
            return Ok(Some(head_stays(wanted, &local)));
        }
        local.fast_forward = Some(match &local.base {
            None => true,
            Some(base) => source.git.is_ancestor(host, &source.target, base, &wanted.sha)?,
        });
        let refused = local.fast_forward == Some(false) || local.dirty;
        if refused && request.reset == Reset::No {
            return failed(not_fast_forward(request, &local, wanted));
        }
    }
    steps::checkout(host, request, &local, wanted, comments)?;
    let moved = !wanted.is(local.base.as_deref());
    if local.fast_forward == Some(false) {
        source.run(host, &["reset", "--hard", &wanted.sha])?;
        changes["forced update"] = true.into();
        if local.dirty {
            comments.push("Uncommitted changes were discarded".into());
        }
        comments.push(format!("Repository was hard-reset to {}", wanted.place));
    } else if local.dirty && request.reset != Reset::No {
        source.run(host, &["checkout", "--", ":/"])?;
        comments.push("Uncommitted changes were discarded".into());
    }
    track(host, request, wanted, comments)?;
    if local.fast_forward == Some(true) && moved {
        steps::forward(host, request, wanted, comments)?;
    }
    if request.submodules {
        source.submodules(host)?;
    }
    Ok(None)
}
