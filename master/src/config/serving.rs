//! What the configuration says of files and pillar.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use fancy_regex::Regex;
use proto::{
    Glob, IdError, Map, Value,
    manifest::{EnvName, TreePath},
};
use states::diag::Diagnostic;

use super::Config;
use crate::{
    files::{Ignore, Links, Remote, Remotes},
    pillar,
};

type Roots = Vec<(EnvName, Vec<PathBuf>)>;

/// Backends and in which order they are asked.
#[derive(Debug, PartialEq, Eq)]
pub struct Backends {
    pub roots: bool,
    pub git: bool,
    pub git_first: bool,
}

/// What a remote may say of itself.
const SETTINGS: &str = "name, base, root, mountpoint, ref_types, saltenv_whitelist, saltenv_blacklist, ssl_verify";

impl Config {
    /// # Errors
    /// A backend that there is not.
    pub fn backends(&self) -> Result<Backends, Diagnostic> {
        let at = |names: &[&str]| self.fileserver_backend.iter().position(|name| names.contains(&name.as_str()));
        let known = ["roots", "git", "gitfs"];
        if let Some(other) = self.fileserver_backend.iter().find(|name| !known.contains(&name.as_str())) {
            let message = format!("fileserver_backend: there is no backend `{other}` here");
            return Err(Diagnostic::new(message).hint("`roots` and `gitfs` are"));
        }
        let (roots, git) = (at(&["roots"]), at(&["git", "gitfs"]));
        let git_first = matches!((roots, git), (Some(roots), Some(git)) if git < roots);
        Ok(Backends { roots: roots.is_some(), git: git.is_some(), git_first })
    }

    /// `file_roots`, with names that can be environments.
    ///
    /// # Errors
    /// A name that cannot.
    pub fn state_roots(&self) -> Result<Roots, Diagnostic> {
        roots("file_roots", &self.file_roots)
    }

    /// `pillar_roots`, likewise.
    ///
    /// # Errors
    /// As above.
    pub fn roots_of_pillar(&self) -> Result<Roots, Diagnostic> {
        roots("pillar_roots", &self.pillar_roots)
    }

    pub fn links(&self) -> Links {
        match (self.fileserver_followsymlinks, self.fileserver_symlinks_outside) {
            (false, _) => Links::Ignored,
            (true, false) => Links::Within,
            (true, true) => Links::Anywhere,
        }
    }

    /// # Errors
    /// A pattern that is none.
    pub fn ignored(&self) -> Result<Ignore, Diagnostic> {
        let regex = |text: &String| {
            Regex::new(text).map_err(|error| Diagnostic::new(format!("file_ignore_regex: {text}: {error}")))
        };
        let regexes = self.file_ignore_regex.iter().map(regex).collect::<Result<_, _>>()?;
        Ok(Ignore { regexes, globs: globs(&self.file_ignore_glob) })
    }

    /// # Errors
    /// A remote that cannot be read.
    pub fn remotes(&self) -> Result<Remotes, Diagnostic> {
        let remotes = self.gitfs_remotes.iter().map(|value| self.remote(value)).collect::<Result<_, _>>()?;
        Ok(Remotes { remotes, update_interval: Duration::from_secs(self.gitfs_update_interval.max(1)) })
    }

    fn remote(&self, value: &Value) -> Result<Remote, Diagnostic> {
        let (url, settings) = address(value).ok_or_else(|| {
            let message = format!("gitfs_remotes: {value} is neither an address nor an address with its settings");
            Diagnostic::new(message)
        })?;
        let mut remote = Remote {
            url: url.to_owned(),
            base: self.gitfs_base.clone(),
            root: path("gitfs_root", &self.gitfs_root)?,
            mountpoint: path("gitfs_mountpoint", &self.gitfs_mountpoint)?,
            branches: false,
            tags: false,
            whitelist: globs(&self.gitfs_saltenv_whitelist),
            blacklist: globs(&self.gitfs_saltenv_blacklist),
            ssl_verify: self.gitfs_ssl_verify,
        };
        kinds(&mut remote, &self.gitfs_ref_types)?;
        settings.iter().try_for_each(|(key, value)| set(&mut remote, key, value))?;
        Ok(remote)
    }

    /// How pillar is compiled.
    pub fn pillar_settings(&self) -> pillar::Settings {
        let half = || std::thread::available_parallelism().map_or(1, |count| count.get().div_ceil(2));
        pillar::Settings {
            opts: self.pillar_options(),
            functions: globs(&self.pillar_functions),
            workers: if self.pillar_workers == 0 { half() } else { self.pillar_workers.min(256) },
            keep: Duration::from_secs(self.pillar_cache_ttl),
        }
    }

    /// What templates see as `opts`: nothing secret is among it.
    fn pillar_options(&self) -> Map {
        let given = [
            ("renderer", &self.renderer),
            ("pillar_source_merging_strategy", &self.pillar_source_merging_strategy),
            ("pillar_merge_lists", &self.pillar_merge_lists),
            ("pillar_includes_override_sls", &self.pillar_includes_override_sls),
            ("age_identity", &self.age_identity),
            ("decrypt_pillar", &self.decrypt_pillar),
            ("decrypt_pillar_default", &self.decrypt_pillar_default),
            ("decrypt_pillar_delimiter", &self.decrypt_pillar_delimiter),
            ("gpg_keydir", &self.gpg_keydir),
            ("gpg_decrypt_must_succeed", &self.gpg_decrypt_must_succeed),
            ("state_top", &self.state_top),
            ("env_order", &self.env_order),
            ("jinja_env", &self.jinja_env),
            ("jinja_sls_env", &self.jinja_sls_env),
            ("jinja_trim_blocks", &self.jinja_trim_blocks),
            ("jinja_lstrip_blocks", &self.jinja_lstrip_blocks),
        ];
        let given = given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
        let mut opts: Map = given.collect();
        opts.insert("nodegroups".into(), Value::Object(self.nodegroups.clone()));
        opts.insert("hash_type".into(), "sha256".into());
        opts.insert("root_dir".into(), self.root_dir.to_string_lossy().into());
        opts
    }
}

fn roots(key: &str, roots: &BTreeMap<String, Vec<PathBuf>>) -> Result<Roots, Diagnostic> {
    let env =
        |name: &String| name.parse().map_err(|error: IdError| Diagnostic::new(format!("{key}: {name:?}: {error}")));
    roots.iter().map(|(name, folders)| Ok((env(name)?, folders.clone()))).collect()
}

fn globs(texts: &[String]) -> Vec<Glob> {
    texts.iter().map(|text| Glob::new(text)).collect()
}

/// `URL`, or `{URL: SETTINGS}`. What `git` would take for an option is none.
fn address(value: &Value) -> Option<(&str, Map)> {
    let (url, settings) = match value {
        Value::String(url) => (url.as_str(), Map::new()),
        Value::Object(map) if map.len() == 1 => {
            map.iter().next().map(|(url, settings)| (url.as_str(), flat(settings)))?
        }
        _ => return None,
    };
    (!url.is_empty() && !url.starts_with('-')).then_some((url, settings))
}

/// A remote's settings are a list of mappings, as Salt has them, or one mapping.
fn flat(settings: &Value) -> Map {
    match settings {
        Value::Object(map) => map.clone(),
        Value::Array(items) => items.iter().filter_map(Value::as_object).flat_map(Map::clone).collect(),
        _ => Map::new(),
    }
}

fn set(remote: &mut Remote, key: &str, value: &Value) -> Result<(), Diagnostic> {
    let what = format!("gitfs_remotes: {}: {key}", remote.url);
    match key {
        "name" => {}
        "base" => remote.base = text(value),
        "root" => remote.root = path(&what, &text(value))?,
        "mountpoint" => remote.mountpoint = path(&what, &text(value))?,
        "ref_types" => kinds(remote, &texts(value))?,
        "saltenv_whitelist" => remote.whitelist = globs(&texts(value)),
        "saltenv_blacklist" => remote.blacklist = globs(&texts(value)),
        "ssl_verify" => remote.ssl_verify = value.as_bool().unwrap_or(true),
        _ => return Err(Diagnostic::new(format!("{what}: there is no such setting here")).hint(SETTINGS)),
    }
    Ok(())
}

fn kinds(remote: &mut Remote, kinds: &[String]) -> Result<(), Diagnostic> {
    if let Some(other) = kinds.iter().find(|kind| !matches!(kind.as_str(), "branch" | "tag")) {
        let message = format!("gitfs_remotes: {}: ref_types: `{other}` is none of `branch` and `tag`", remote.url);
        return Err(Diagnostic::new(message));
    }
    remote.branches = kinds.iter().any(|kind| kind == "branch");
    remote.tags = kinds.iter().any(|kind| kind == "tag");
    Ok(())
}

/// A folder of a repository or of the tree; none at all is the whole.
fn path(key: &str, text: &str) -> Result<Option<TreePath>, Diagnostic> {
    let text = text.strip_prefix("salt://").unwrap_or(text).trim_matches('/');
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error: IdError| Diagnostic::new(format!("{key}: {error}")))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(text).collect(),
        other => vec![text(other)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_backends_is_kept() {
        let backends = |names: &[&str]| {
            let names = names.iter().map(ToString::to_string).collect();
            Config { fileserver_backend: names, ..Config::default() }.backends()
        };
        assert_eq!(backends(&["roots"]).unwrap(), Backends { roots: true, git: false, git_first: false });
        assert_eq!(backends(&["git", "roots"]).unwrap(), Backends { roots: true, git: true, git_first: true });
        assert_eq!(backends(&["roots", "gitfs"]).unwrap(), Backends { roots: true, git: true, git_first: false });
        assert!(backends(&["root"]).unwrap_err().message.contains("root"));
    }

    #[test]
    fn remotes_have_settings_of_their_own() {
        let own = json!([{"base": "main"}, {"root": "/salt/"}, {"ref_types": ["tag"]}]);
        let config =
            Config { gitfs_remotes: vec!["https://h/a".into(), json!({"https://h/b": own})], ..Config::default() };
        let remotes = config.remotes().unwrap().remotes;
        assert_eq!((remotes[0].base.as_str(), remotes[0].branches, remotes[0].tags), ("master", true, true));
        assert_eq!((remotes[1].base.as_str(), remotes[1].branches, remotes[1].tags), ("main", false, true));
        assert_eq!(remotes[1].root.as_ref().unwrap().as_str(), "salt");
        let bad = [
            json!({"https://h/a": [{"rot": "x"}]}),
            json!({"https://h/a": [{"root": "../x"}]}),
            json!({"https://h/a": [{"ref_types": ["commit"]}]}),
            json!("--upload-pack=x"),
            json!(3),
        ];
        for bad in bad {
            let config = Config { gitfs_remotes: vec![bad.clone()], ..Config::default() };
            assert!(config.remotes().is_err(), "{bad}");
        }
    }
}
