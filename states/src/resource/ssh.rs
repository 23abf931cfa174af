//! Keys of OpenSSH: those that may log in, and those of hosts that are known.

use std::path::{Path, PathBuf};

use proto::Value;
use serde_json::json;
use template::base64;

use super::{
    accounts,
    command::{ask, text},
    digest::digest,
    files::{self, Permissions},
    lines,
};
use crate::{Host, Look, plan::StateError};

/// A line of `authorized_keys`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Key {
    pub options: Vec<String>,
    pub enc: String,
    pub key: String,
    pub comment: String,
}

/// Whether a word names a kind of key, as Salt's pattern has it.
fn is_kind(word: &str) -> bool {
    let word = word.strip_prefix("sk-").unwrap_or(word);
    let rest = word.strip_prefix("ssh-").or_else(|| word.strip_prefix("ecds"));
    rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_alphanumeric() || "_@.-".contains(c)))
}

impl Key {
    /// Reads a line: options, if any, kind, key, comment.
    pub fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let starts = std::iter::once(0).chain(line.match_indices([' ', '\t', '"']).map(|(at, _)| at + 1));
        let at = starts.into_iter().find(|at| line[*at..].split_whitespace().next().is_some_and(is_kind))?;
        let mut words = line[at..].split_whitespace();
        let (enc, key) = (words.next()?.to_owned(), words.next()?.to_owned());
        let options = line[..at].trim();
        let options = if options.is_empty() { Vec::new() } else { options.split(',').map(str::to_owned).collect() };
        Some(Self { options, enc, key, comment: words.collect::<Vec<_>>().join(" ") })
    }

    pub fn line(&self) -> String {
        let options = if self.options.is_empty() { String::new() } else { format!("{} ", self.options.join(",")) };
        format!("{options}{} {} {}\n", self.enc, self.key, self.comment)
    }
}

/// The kind of key that one of Salt's short names stands for.
pub fn refine(enc: &str) -> Result<String, StateError> {
    const MORE: [&str; 13] = [
        "rsa-sha2-512",
        "rsa-sha2-256",
        "rsa-sha2-512-cert-v01@openssh.com",
        "rsa-sha2-256-cert-v01@openssh.com",
        "ssh-rsa-cert-v01@openssh.com",
        "ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ecdsa-sha2-nistp384-cert-v01@openssh.com",
        "ecdsa-sha2-nistp521-cert-v01@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
        "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
        "ssh-ed25519-cert-v01@openssh.com",
        "sk-ssh-ed25519@openssh.com",
        "sk-ssh-ed25519-cert-v01@openssh.com",
    ];
    Ok(match enc {
        "r" | "rsa" | "ssh-rsa" => "ssh-rsa",
        "d" | "dsa" | "dss" | "ssh-dss" => "ssh-dss",
        "e" | "ecdsa" => "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp521" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp256" => enc,
        "ed25519" | "ssh-ed25519" => "ssh-ed25519",
        known if MORE.contains(&known) => enc,
        _ => return Err(StateError::failed(format!("Incorrect encryption key type '{enc}'."))),
    }
    .to_owned())
}

/// The fingerprint of a key, in pairs of digits; none if it is no key: Base64 and nothing else.
pub fn fingerprint(key: &str, kind: &str) -> Option<String> {
    let letters = key.strip_suffix("==").or_else(|| key.strip_suffix('=')).unwrap_or(key);
    if !letters.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')) {
        return None;
    }
    let digits = digest(&kind.to_lowercase(), &base64::decode(key)?)?;
    let pairs: Vec<&str> = (0..digits.len()).step_by(2).filter_map(|at| digits.get(at..at + 2)).collect();
    Some(pairs.join(":"))
}

/// The keys of a text, by key; of several lines with one key the last counts.
pub fn keys(text: &str) -> Vec<Key> {
    let mut found: Vec<Key> = Vec::new();
    for key in text.lines().map(str::trim).filter(|line| !line.starts_with('#')).filter_map(Key::parse) {
        if fingerprint(&key.key, "sha256").is_none() {
            continue;
        }
        match found.iter_mut().find(|known| known.key == key.key) {
            Some(known) => *known = key,
            None => found.push(key),
        }
    }
    found
}

/// Where a user's keys are: `%h`, `%u` and `%%` in the setting stand for home, name and `%`.
pub fn authorized_keys(look: &dyn Look, user: &str, config: &str) -> Result<PathBuf, StateError> {
    let row = accounts::user(look, user).ok_or_else(|| StateError::failed(format!("User '{user}' does not exist")))?;
    let mut path = String::new();
    let mut chars = config.chars();
    while let Some(c) = chars.next() {
        match (c, c == '%') {
            (_, false) => path.push(c),
            _ => match chars.next() {
                Some('%') => path.push('%'),
                Some('u') => path.push_str(user),
                Some('h') => path.push_str(&row.home),
                Some(other) => {
                    let why = format!("AuthorizedKeysFile path: unknown token character \"%{other}\"");
                    return Err(StateError::failed(why));
                }
                None => {
                    let why = "AuthorizedKeysFile path: Last character can't be escape character";
                    return Err(StateError::failed(why));
                }
            },
        }
    }
    Ok(Path::new(&row.home).join(path))
}

/// What is to be done for a key to be among others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    Exists,
    Update,
    Add,
}

pub fn check(known: &[Key], key: &Key) -> Check {
    match known.iter().find(|known| known.key == key.key) {
        None => Check::Add,
        Some(known) if known.line() == key.line() => Check::Exists,
        Some(_) => Check::Update,
    }
}

/// A text with a key in it: at its end, or in place of the line that has it.
pub fn with(text: &str, key: &Key) -> String {
    if check(&keys(text), key) == Check::Add {
        let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return format!("{text}{end}{}", key.line());
    }
    let line = |line: &str| match Key::parse(line).filter(|old| old.key == key.key && !line.starts_with('#')) {
        Some(_) => key.line(),
        None => format!("{line}\n"),
    };
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(line).collect()
}

/// A text without a key.
pub fn without(text: &str, key: &str) -> String {
    let is_it = |line: &&str| !line.starts_with('#') && Key::parse(line).is_some_and(|old| old.key == key);
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !is_it(line))
        .map(|line| format!("{line}\n"))
        .collect()
}

/// Writes a file of a user's own, with its folder, so that nobody else may read or write it.
pub fn write_own(host: &dyn Host, path: &Path, text: &str, user: Option<&str>) -> Result<(), StateError> {
    let row = user.and_then(|user| accounts::user(host, user));
    let owned = |mode| Permissions {
        user: row.as_ref().map(|row| (row.name.clone(), row.uid)),
        group: row.as_ref().map(|row| (String::new(), row.gid)),
        mode: Some(mode),
    };
    if let Some(parent) = path.parent() {
        let folder = if user.is_some() { owned(0o700) } else { Permissions::default() };
        files::make_dirs(host, parent, &folder).map_err(|why| StateError::io("create", parent, &why))?;
    }
    let is_new = !files::exists(host, path);
    lines::write(host, path, text, 0o600)?;
    if is_new {
        owned(0o600).apply(host, path).map_err(|why| StateError::io("change", path, &why))?;
    }
    Ok(())
}

/// A key of a host, as `ssh-keygen -F` and `ssh-keyscan` print it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostKey {
    pub hostname: String,
    pub enc: String,
    pub key: String,
    pub fingerprint: String,
}

impl HostKey {
    pub fn value(&self) -> Value {
        json!({"hostname": self.hostname, "key": self.key, "enc": self.enc, "fingerprint": self.fingerprint})
    }
}

pub fn host_keys(text: &str, kind: &str) -> Vec<HostKey> {
    let parse = |line: &str| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [hostname, enc, key] if !line.starts_with('#') => Some(HostKey {
            hostname: hostname.to_owned(),
            enc: enc.to_owned(),
            key: key.to_owned(),
            fingerprint: fingerprint(key, kind)?,
        }),
        _ => None,
    };
    text.lines().filter_map(parse).collect()
}

/// `[host]:port` for ports of their own.
pub fn with_port(hostname: &str, port: Option<i64>) -> String {
    match port {
        None | Some(0 | 22) => hostname.to_owned(),
        Some(port) => format!("[{hostname}]:{port}"),
    }
}

/// What a file knows of a host.
pub fn known(look: &dyn Look, file: &Path, hostname: &str, kind: &str) -> Result<Vec<HostKey>, StateError> {
    let output = ask(look, &["ssh-keygen", "-F", hostname, "-f", &file.to_string_lossy()])?;
    Ok(host_keys(&text(&output.stdout), kind))
}

/// Asks a host for its keys.
pub fn scan(
    look: &dyn Look,
    hostname: &str,
    port: Option<i64>,
    enc: Option<&str>,
    hash: bool,
    timeout: i64,
    kind: &str,
) -> Result<Vec<HostKey>, StateError> {
    let (port, timeout) = (port.map(|port| port.to_string()), timeout.to_string());
    let mut argv = vec!["ssh-keyscan"];
    if let Some(port) = &port {
        argv.extend(["-p", port]);
    }
    if let Some(enc) = enc {
        argv.extend(["-t", enc]);
    }
    argv.extend(hash.then_some("-H"));
    argv.extend(["-T", &timeout, hostname]);
    for _ in 0..5 {
        let said = text(&ask(look, &argv)?.stdout);
        if !said.is_empty() {
            return Ok(host_keys(&said, kind));
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIDOK2Y/6wBFZTYsYLeoOdDOqS8UVFgGHlXL+ZJUF6Mxz";

    #[test]
    fn lines_of_keys_are_read_with_their_options() {
        let line = format!("command=\"a b\",no-pty ssh-ed25519 {KEY} me at home");
        let key = Key::parse(&line).unwrap();
        assert_eq!((key.options.len(), key.enc.as_str(), key.comment.as_str()), (2, "ssh-ed25519", "me at home"));
        assert_eq!(key.line(), format!("{line}\n"));
        assert_eq!(Key::parse("just words"), None);
        assert!(keys("ssh-rsa not*base64 x\n").is_empty());
    }

    #[test]
    fn a_key_is_put_in_replaced_and_taken_away() {
        let key = Key { enc: "ssh-ed25519".into(), key: KEY.into(), comment: "a".into(), ..Key::default() };
        let one = with("# mine\nssh-rsa AAAA x", &key);
        assert_eq!(one, format!("# mine\nssh-rsa AAAA x\nssh-ed25519 {KEY} a\n"));
        let two = with(&one, &Key { comment: "b".into(), ..key.clone() });
        assert_eq!(two, one.replace(" a\n", " b\n"));
        assert_eq!(check(&keys(&two), &key), Check::Update);
        assert_eq!(without(&two, KEY), "# mine\nssh-rsa AAAA x\n");
    }

    #[test]
    fn fingerprints_are_as_salt_writes_them() {
        let found = fingerprint("AAAA", "md5").unwrap();
        assert_eq!(found, "69:3e:9a:f8:4d:3d:fc:c7:1e:64:0e:00:5b:dc:5e:2e");
        assert_eq!(refine("ed25519").unwrap(), "ssh-ed25519");
        assert!(refine("nope").is_err());
        for no_key in ["!!!", "AAAA BBBB", "AAAA===", "A"] {
            assert_eq!(fingerprint(no_key, "sha256"), None, "{no_key}");
        }
    }
}
