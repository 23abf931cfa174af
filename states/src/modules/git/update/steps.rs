//! The steps from a repository as it is to the one that is wanted.

use serde_json::{Value, json};

use super::{Local, Request, Revision};
use crate::{
    Host,
    plan::{StateError, failed},
    resource::git::redacted,
};

/// Has the remote lead to the wanted address.
pub fn set_remote(
    host: &dyn Host,
    request: &Request,
    local: &Local,
    comments: &mut Vec<String>,
    changes: &mut Value,
) -> Result<(), StateError> {
    let source = &request.source;
    if local.url.as_ref() == Some(&source.url) {
        return Ok(());
    }
    source.git.set_remote(host, &source.target, &source.remote, &source.url)?;
    // Which branch was the other address's own says nothing of this one; most have none noted.
    let _ = source.run(host, &["remote", "set-head", "--delete", &source.remote]);
    let url = redacted(&source.url);
    comments.push(match &local.url {
        None => format!("Remote '{}' set to {url}", source.remote),
        Some(old) => format!("Remote '{}' changed from {} to {url}", source.remote, redacted(old)),
    });
    if local.url.is_none() {
        changes["new"] = format!("{} => {}", source.name, source.remote).into();
    }
    Ok(())
}

/// Tags that the remote does not have are taken away; those that are missing need a fetch.
pub fn tags(
    host: &dyn Host,
    request: &Request,
    local: &mut Local,
    comments: &mut Vec<String>,
    changes: &mut Value,
) -> Result<(), StateError> {
    let names = request.refs.keys().filter_map(|name| name.strip_prefix("refs/tags/"));
    let there: Vec<&str> = names.filter(|name| !name.ends_with("^{}")).collect();
    let new: Vec<&&str> = there.iter().filter(|tag| !local.tags.iter().any(|own| own == **tag)).collect();
    let gone: Vec<&String> = local.tags.iter().filter(|tag| !there.contains(&tag.as_str())).collect();
    if !new.is_empty() {
        changes["new_tags"] = json!(new);
    }
    if !new.is_empty() || !gone.is_empty() {
        local.has_wanted = false;
    }
    if request.sync_tags && !gone.is_empty() {
        for tag in &gone {
            request.source.run(host, &["tag", "-d", "--", tag])?;
        }
        changes["deleted_tags"] = json!(gone);
        let all: Vec<&str> = gone.iter().map(|tag| tag.as_str()).collect();
        comments.push(format!("The following tags were removed from the local checkout: {}", all.join(", ")));
    }
    Ok(())
}

/// Checks out the wanted branch, making it where there is none.
pub fn checkout(
    host: &dyn Host,
    request: &Request,
    local: &Local,
    wanted: &Revision,
    comments: &mut Vec<String>,
) -> Result<(), StateError> {
    let Some(branch) = local.needs_branch(request) else { return Ok(()) };
    if local.dirty && !request.force_checkout {
        return failed(format!(
            "Local branch '{}' has uncommitted changes. Set 'force_checkout' to True to discard them and proceed.",
            local.branch.as_deref().unwrap_or("None")
        ));
    }
    let mut words = vec!["checkout"];
    words.extend(request.force_checkout.then_some("--force"));
    if local.branches.contains(branch) {
        words.push(branch);
        comments.push(format!("'{branch}' was checked out"));
    } else {
        let start = match (wanted.is_head(), &wanted.upstream) {
            (true, _) => &wanted.sha,
            (_, Some(upstream)) => upstream,
            _ => &wanted.rev,
        };
        words.extend(["-b", branch, start]);
        comments.push(format!("New branch '{branch}' was checked out, with {} as a starting point", wanted.place));
    }
    request.source.run(host, &words)
}

/// Moves the branch to where its upstream is.
pub fn forward(
    host: &dyn Host,
    request: &Request,
    wanted: &Revision,
    comments: &mut Vec<String>,
) -> Result<(), StateError> {
    let source = &request.source;
    if wanted.upstream.is_none() && !wanted.is_head() {
        source.run(host, &["reset", "--hard", &wanted.rev])?;
        comments.push(format!("Repository was reset to {} (fast-forward)", wanted.rev));
        return Ok(());
    }
    if source.git.answer(host, &source.target, &["symbolic-ref", "--quiet", "HEAD"])?.is_none() {
        return failed("Unable to fast-forward, HEAD is detached");
    }
    source.run(host, &["merge", "--ff-only", &wanted.sha])?;
    comments.push(format!("Repository was fast-forwarded to {}", wanted.place));
    Ok(())
}
