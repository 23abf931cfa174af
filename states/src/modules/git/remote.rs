//! What a remote repository has of a revision.

use std::collections::BTreeMap;

use super::{is_sha, short};
use crate::plan::{StateError, failed};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Branch,
    Tag,
    Sha,
}

/// A revision as the remote repository has it.
#[derive(Debug, Clone)]
pub struct Revision {
    /// As the state names it.
    pub rev: String,
    pub sha: String,
    pub kind: Kind,
    /// The branch of the remote that is to be tracked.
    pub upstream: Option<String>,
    /// How it is named in sentences.
    pub place: String,
}

/// The branch that `HEAD` stands for.
pub fn default_branch(refs: &BTreeMap<String, String>) -> Option<String> {
    let head = refs.get("HEAD")?;
    let branches = refs.iter().filter_map(|(name, sha)| Some((name.strip_prefix("refs/heads/")?, sha)));
    branches.filter(|(_, sha)| *sha == head).map(|(name, _)| name.to_owned()).next()
}

impl Revision {
    /// Looks a revision up; nothing for `HEAD` of an empty repository.
    pub fn find(refs: &BTreeMap<String, String>, rev: &str, remote: &str) -> Result<Option<Self>, StateError> {
        let named = |kind, sha: &String, upstream: Option<String>| {
            let name = upstream.clone().unwrap_or_else(|| rev.to_owned());
            let place = format!("{name} ({})", short(sha));
            Some(Self { rev: rev.to_owned(), sha: sha.clone(), kind, upstream, place })
        };
        if rev == "HEAD" {
            let place = |sha: &str| format!("remote HEAD ({})", short(sha));
            let head = refs.get("HEAD");
            return Ok(head.map(|sha| Self {
                rev: rev.to_owned(),
                sha: sha.clone(),
                kind: Kind::Sha,
                upstream: None,
                place: place(sha),
            }));
        }
        if let Some(sha) = refs.get(&format!("refs/heads/{rev}")) {
            return Ok(named(Kind::Branch, sha, Some(format!("{remote}/{rev}"))));
        }
        let tag = refs.get(&format!("refs/tags/{rev}^{{}}")).or_else(|| refs.get(&format!("refs/tags/{rev}")));
        if let Some(sha) = tag {
            return Ok(named(Kind::Tag, sha, None));
        }
        if is_sha(rev) {
            let sha = rev.to_lowercase();
            let place = short(&sha).to_owned();
            return Ok(Some(Self { rev: sha.clone(), sha, kind: Kind::Sha, upstream: None, place }));
        }
        failed(format!("No revision matching '{rev}' exists in the remote repository"))
    }

    /// Whether a commit is this one.
    pub fn is(&self, sha: Option<&str>) -> bool {
        sha.is_some_and(|sha| if self.kind == Kind::Sha { sha.starts_with(&self.sha) } else { sha == self.sha })
    }

    /// Whether the branch follows `HEAD`, whatever that is: its tracking branch is left alone.
    pub fn is_head(&self) -> bool {
        self.rev == "HEAD"
    }
}
