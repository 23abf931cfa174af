//! `git.*`: repositories and their configuration.

mod cloned;
mod config;
mod detached;
mod latest;
mod present;
mod remote;
#[cfg(test)]
mod tests;
mod update;

use std::path::{Path, PathBuf};

use super::{file::content, params::git as params};
use crate::{
    Host, Look,
    plan::{Call, State, StateError, StateModule, failed},
    resource::{
        files,
        git::{self, Git},
    },
};

pub const MODULE: StateModule = StateModule {
    name: "git",
    states: &[
        State {
            name: "latest",
            doc: "Makes sure that a repository is cloned and up to date.\n\n    https://github.com/example/app.git:\n      git.latest:\n        - target: /srv/app\n        - rev: main\n        - user: app",
            params: params::LATEST,
            plan: latest::plan,
        },
        State {
            name: "cloned",
            doc: "Makes sure that a repository is cloned; it is not updated.\n\n    https://github.com/example/app.git:\n      git.cloned:\n        - target: /srv/app\n        - branch: main",
            params: params::CLONED,
            plan: cloned::plan,
        },
        State {
            name: "detached",
            doc: "Makes sure that a repository is at a commit, tag or branch, without a branch of its own.\n\n    https://github.com/example/app.git:\n      git.detached:\n        - target: /srv/app\n        - rev: v1.2.3",
            params: params::DETACHED,
            plan: detached::plan,
        },
        State {
            name: "present",
            doc: "Makes sure that a repository is there.\n\n    /srv/git/app.git:\n      git.present:\n        - bare: True",
            params: params::PRESENT,
            plan: present::plan,
        },
        State {
            name: "config_set",
            doc: "Makes sure that a key of git's configuration has a value.\n\n    user.email:\n      git.config_set:\n        - value: me@example.com\n        - global: True",
            params: params::CONFIG_SET,
            plan: config::set,
        },
        State {
            name: "config_unset",
            doc: "Makes sure that a key of git's configuration has no value.\n\n    http.proxy:\n      git.config_unset:\n        - repo: /srv/app",
            params: params::CONFIG_UNSET,
            plan: config::unset,
        },
    ],
    watch: None,
};

/// Where a repository comes from, and where it goes.
#[derive(Clone)]
struct Source {
    git: Git,
    /// As the state names it.
    name: String,
    /// The same with the login that was given.
    url: String,
    target: PathBuf,
    remote: String,
}

impl Source {
    fn of(call: &Call<'_>, not_absolute: &str) -> Result<Self, StateError> {
        let name = call.name();
        if name.is_empty() || name.starts_with('-') {
            return failed(format!("'{name}' is not the address of a repository"));
        }
        let Some(target) = call.some_text("target") else { return failed("'target' argument is required") };
        if !target.starts_with('/') {
            return failed(not_absolute.replace("{}", &target));
        }
        let remote = call.text_or("remote", "origin");
        if remote.is_empty() || remote.starts_with('-') {
            return failed("'remote' argument is required");
        }
        let url =
            git::with_login(&name, call.some_text("https_user").as_deref(), call.some_text("https_pass").as_deref())?;
        let git = Git { user: call.some_text("user"), identities: identities(call)? };
        Ok(Self { git, name, url, target: target.into(), remote })
    }

    fn shown(&self) -> String {
        self.target.display().to_string()
    }

    /// `NAME => TARGET`, as Salt shows what is new.
    fn arrow(&self) -> String {
        format!("{} => {}", self.name, self.shown())
    }

    /// What is in the way of a clone: the names in a folder that is no repository.
    fn in_the_way(&self, call: &Call<'_>) -> Result<Vec<String>, StateError> {
        if !files::is_dir(call.look, &self.target) {
            return Ok(Vec::new());
        }
        let names = call.look.list(&self.target).map_err(|why| StateError::io("list", &self.target, &why))?;
        if names.is_empty() || call.flag("force_clone", false) {
            return Ok(names);
        }
        failed(format!(
            "Target '{}' exists, is non-empty and is not a git repository. Set the 'force_clone' option to True to \
             remove this directory's contents and proceed with cloning the remote repository",
            self.shown()
        ))
    }

    fn clear(&self, host: &dyn Host, names: &[String]) -> Result<(), StateError> {
        for name in names {
            let path = self.target.join(name);
            host.remove(&path).map_err(|why| StateError::io("remove", &path, &why))?;
        }
        Ok(())
    }

    /// Clones, and lets later states of a dry run see the folder.
    fn clone_with(&self, host: &dyn Host, options: &[&str]) -> Result<(), StateError> {
        let done = self.git.make_clone(host, &self.url, &self.target, options);
        done.map_err(|why| StateError::failed(format!("Clone failed: {why}")))
    }

    fn submodules(&self, host: &dyn Host) -> Result<(), StateError> {
        let words = ["submodule", "update", "--init", "--recursive"];
        let done = self.git.run(host, Some(&self.target), &words);
        done.map(drop).map_err(|why| StateError::failed(format!("Failed to update submodules: {why}")))
    }

    fn run(&self, host: &dyn Host, words: &[&str]) -> Result<(), StateError> {
        self.git.run(host, Some(&self.target), words).map(drop)
    }
}

/// Files with keys; those of the tree are brought here.
fn identities(call: &Call<'_>) -> Result<Vec<String>, StateError> {
    let one = |path: String| match path.starts_with("salt://") {
        true => content::cached(call, &path).map(|path| path.to_string_lossy().into_owned()),
        false if path.starts_with('/') => Ok(path),
        false => match path.strip_prefix("~/").zip(std::env::var("HOME").ok()) {
            Some((rest, home)) => Ok(format!("{home}/{rest}")),
            None => failed(format!("identity '{path}' is not an absolute path")),
        },
    };
    let all: Vec<String> = call.list("identity").into_iter().map(one).collect::<Result<_, _>>()?;
    let is_there = |path: &String| crate::resource::files::is_file(call.look, path.as_ref());
    match all.first() {
        Some(first) if !all.iter().any(is_there) => crate::plan::missing(format!(
            "Unable to authenticate using identity file:\n\nidentity file {first} does not exist"
        )),
        _ => Ok(all),
    }
}

/// Sentences one behind the other, as Salt joins them.
fn sentences(comments: &[String]) -> String {
    let end = if comments.len() > 1 { "." } else { "" };
    comments.join(". ") + end
}

fn short(sha: &str) -> &str {
    sha.get(..7).unwrap_or(sha)
}

fn is_sha(text: &str) -> bool {
    !text.is_empty() && text.len() <= 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Names of revisions and branches go on command lines.
fn rev_name(call: &Call<'_>, key: &str, default: &str) -> Result<String, StateError> {
    let rev = call.text_or(key, default);
    match rev.is_empty() || rev.starts_with('-') || rev.contains(char::is_whitespace) {
        true => failed(format!("'{rev}' is not a valid value for the '{key}' argument")),
        false => Ok(rev),
    }
}

fn is_repository(call: &Call<'_>, source: &Source, bare: bool) -> bool {
    source.git.is_repository(call.look as &dyn Look, Path::new(&source.target), bare)
}
