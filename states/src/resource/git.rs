//! Git repositories, by the `git` program.

use std::{collections::BTreeMap, path::Path};

use super::{
    accounts,
    command::{complaint, program, text},
};
use crate::{Command, Host, Look, Output, plan::StateError};

/// Whom `git` runs as, and with which keys.
#[derive(Debug, Clone, Default)]
pub struct Git {
    pub user: Option<String>,
    /// Files with private keys for `ssh`.
    pub identities: Vec<String>,
}

impl Git {
    fn command(&self, look: &dyn Look, folder: Option<&Path>, words: &[&str]) -> Command {
        let mut argv = vec!["git".to_owned()];
        if let Some(folder) = folder {
            argv.extend(["-C".to_owned(), folder.to_string_lossy().into_owned()]);
        }
        argv.extend(words.iter().map(ToString::to_string));
        let mut command = Command { argv, runas: self.user.clone(), ..program(&[]) };
        command.env.push(("GIT_TERMINAL_PROMPT".into(), "0".into()));
        let row = self.user.as_deref().and_then(|user| accounts::user(look, user));
        if let Some(row) = row {
            command.env.extend([("HOME".into(), row.home), ("USER".into(), row.name)]);
        }
        if !self.identities.is_empty() {
            let keys: String = self.identities.iter().map(|key| format!(" -i {}", quoted(key))).collect();
            let ssh =
                format!("ssh -oBatchMode=yes -oPasswordAuthentication=no -oStrictHostKeyChecking=accept-new{keys}");
            command.env.push(("GIT_SSH_COMMAND".into(), ssh));
        }
        command
    }

    /// What `git` says of a question; it changes nothing.
    pub fn ask(&self, look: &dyn Look, folder: Option<&Path>, words: &[&str]) -> Result<Output, StateError> {
        look.probe(&self.command(look, folder, words)).map_err(|why| StateError::failed(format!("git: {why}")))
    }

    /// The same as text; none if `git` says no.
    pub fn answer(&self, look: &dyn Look, folder: &Path, words: &[&str]) -> Result<Option<String>, StateError> {
        let output = self.ask(look, Some(folder), words)?;
        Ok((output.code == 0).then(|| text(&output.stdout)))
    }

    pub fn run(&self, host: &dyn Host, folder: Option<&Path>, words: &[&str]) -> Result<String, StateError> {
        let output = host.run(&self.command(host, folder, words));
        let output = output.map_err(|why| StateError::failed(format!("git: {why}")))?;
        match output.code {
            0 => Ok(format!("{}\n{}", text(&output.stdout), text(&output.stderr))),
            _ => Err(StateError::failed(redacted(&complaint(&output)))),
        }
    }

    /// The refs of a remote repository, by name.
    pub fn remote_refs(&self, look: &dyn Look, url: &str) -> Result<BTreeMap<String, String>, StateError> {
        let output = self.ask(look, None, &["ls-remote", "--", url])?;
        if output.code != 0 {
            return Err(StateError::failed(redacted(&complaint(&output))));
        }
        let said = text(&output.stdout);
        Ok(said.lines().filter_map(|line| line.split_once('\t')).map(|(sha, name)| (name.into(), sha.into())).collect())
    }

    /// Whether a folder is a repository: a checkout, or a bare one.
    pub fn is_repository(&self, look: &dyn Look, folder: &Path, bare: bool) -> bool {
        let check = folder.join(if bare { "refs" } else { ".git" });
        look.stat(&check).is_ok()
    }

    pub fn revision(&self, look: &dyn Look, folder: &Path) -> Result<Option<String>, StateError> {
        self.answer(look, folder, &["rev-parse", "--verify", "HEAD"])
    }

    /// The commit that a name stands for.
    pub fn commit(&self, look: &dyn Look, folder: &Path, rev: &str) -> Result<Option<String>, StateError> {
        self.answer(look, folder, &["rev-parse", "--verify", "--quiet", &format!("{rev}^{{commit}}")])
    }

    /// The branch that is checked out; none if there is none. `HEAD` stands for a detached one.
    pub fn branch(&self, look: &dyn Look, folder: &Path) -> Result<Option<String>, StateError> {
        self.answer(look, folder, &["rev-parse", "--abbrev-ref", "HEAD"])
    }

    pub fn upstream(&self, look: &dyn Look, folder: &Path, branch: &str) -> Result<Option<String>, StateError> {
        self.answer(look, folder, &["rev-parse", "--abbrev-ref", &format!("{branch}@{{upstream}}")])
    }

    fn list(&self, look: &dyn Look, folder: &Path, refs: &str) -> Result<Vec<String>, StateError> {
        let said = self.answer(look, folder, &["for-each-ref", "--format=%(refname:short)", refs])?;
        Ok(said.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    pub fn branches(&self, look: &dyn Look, folder: &Path) -> Result<Vec<String>, StateError> {
        self.list(look, folder, "refs/heads/")
    }

    pub fn tags(&self, look: &dyn Look, folder: &Path) -> Result<Vec<String>, StateError> {
        let said = self.answer(look, folder, &["for-each-ref", "--format=%(refname:strip=2)", "refs/tags/"])?;
        Ok(said.unwrap_or_default().lines().map(str::to_owned).collect())
    }

    /// The address that a remote is fetched from.
    pub fn remote_url(&self, look: &dyn Look, folder: &Path, remote: &str) -> Result<Option<String>, StateError> {
        self.answer(look, folder, &["config", "--get", &format!("remote.{remote}.url")])
    }

    pub fn set_remote(&self, host: &dyn Host, folder: &Path, remote: &str, url: &str) -> Result<(), StateError> {
        let known = self.remote_url(host, folder, remote)?.is_some();
        let verb = if known { "set-url" } else { "add" };
        self.run(host, Some(folder), &["remote", verb, "--", remote, url]).map(drop)
    }

    /// Whether a checkout differs from its commit.
    pub fn has_changes(&self, look: &dyn Look, folder: &Path) -> Result<bool, StateError> {
        Ok(self.ask(look, Some(folder), &["diff", "--quiet", "HEAD"])?.code == 1)
    }

    /// Whether one commit comes before another.
    pub fn is_ancestor(&self, look: &dyn Look, folder: &Path, old: &str, new: &str) -> Result<bool, StateError> {
        Ok(self.ask(look, Some(folder), &["merge-base", "--is-ancestor", old, new])?.code == 0)
    }

    pub fn make_clone(&self, host: &dyn Host, url: &str, target: &Path, options: &[&str]) -> Result<(), StateError> {
        let target = target.to_string_lossy();
        let words: Vec<&str> = [&["clone"], options, &["--", url, &target]].concat();
        self.run(host, None, &words).map(drop)
    }

    /// Fetches. Gives whether that brought anything.
    pub fn fetch(
        &self,
        host: &dyn Host,
        folder: &Path,
        remote: &str,
        force: bool,
        refspecs: &[String],
    ) -> Result<bool, StateError> {
        let mut words = vec!["fetch"];
        words.extend(force.then_some("--force"));
        words.push(remote);
        words.extend(refspecs.iter().map(String::as_str));
        Ok(self.run(host, Some(folder), &words)?.contains(" -> "))
    }

    /// The values of keys of the configuration that a pattern finds, by key.
    pub fn config(
        &self,
        look: &dyn Look,
        folder: Option<&Path>,
        pattern: &str,
        values: Option<&str>,
    ) -> Result<BTreeMap<String, Vec<String>>, StateError> {
        let scope = if folder.is_some() { "--local" } else { "--global" };
        let mut words = vec!["config", scope, "-z", "--get-regexp", pattern];
        words.extend(values);
        let said = String::from_utf8_lossy(&self.ask(look, folder, &words)?.stdout).into_owned();
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (key, value) in said.split('\0').filter_map(|entry| entry.split_once('\n')) {
            found.entry(key.to_owned()).or_default().push(value.to_owned());
        }
        Ok(found)
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A text with the passwords of addresses in it taken out.
pub fn redacted(text: &str) -> String {
    let mut parts = text.split("://");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c == '/' || c.is_whitespace() || c == '\'').unwrap_or(part.len());
        let rest = match part[..end].rfind('@') {
            Some(at) => format!("<redacted>{}", &part[at..]),
            None => part.to_owned(),
        };
        out.push_str("://");
        out.push_str(&rest);
    }
    out
}

/// An `https` address with a user and a password.
pub fn with_login(url: &str, user: Option<&str>, password: Option<&str>) -> Result<String, StateError> {
    let Some(user) = user else {
        return match password {
            None => Ok(url.to_owned()),
            Some(_) => Err(StateError::failed("Password supplied for Git HTTP(S) authentication without a user")),
        };
    };
    let Some(rest) = url.strip_prefix("https://") else {
        return Err(StateError::failed("Basic Auth only supported for HTTPS"));
    };
    let rest = rest.split_once('@').filter(|(login, _)| !login.contains('/')).map_or(rest, |(_, rest)| rest);
    let password = password.map_or(String::new(), |password| format!(":{}", escaped(password)));
    Ok(format!("https://{}{password}@{rest}", escaped(user)))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_go_into_addresses_and_are_never_shown() {
        let url = with_login("https://h/r.git", Some("me"), Some("a/b@c")).unwrap();
        assert_eq!(url, "https://me:a%2Fb%40c@h/r.git");
        assert_eq!(redacted(&format!("fatal: '{url}' no")), "fatal: 'https://<redacted>@h/r.git' no");
        assert_eq!(redacted("git@host:x https://h/a@b"), "git@host:x https://h/a@b");
        assert!(with_login("http://h/", Some("me"), None).is_err());
    }

    #[test]
    fn keys_are_given_to_ssh_as_they_are() {
        let git = Git { user: None, identities: vec!["/a b/k'y".into()] };
        let host = crate::testing::Memory::new(serde_json::json!({}));
        let command = git.command(&host, None, &["fetch"]);
        let ssh = command.env.iter().find(|(name, _)| name == "GIT_SSH_COMMAND").unwrap();
        assert!(ssh.1.ends_with(r"-i '/a b/k'\''y'"), "{}", ssh.1);
    }
}
