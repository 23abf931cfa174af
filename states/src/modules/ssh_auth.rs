//! `ssh_auth.*`: keys that may log in as a user.

use std::path::{Path, PathBuf};

use proto::Map;
use serde_json::json;

use super::{file::content, params::ssh_auth as params};
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts, files, lines,
        ssh::{self, Check, Key},
    },
};

pub const MODULE: StateModule = StateModule {
    name: "ssh_auth",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a key may log in as a user.\n\n    alice@laptop:\n      ssh_auth.present:\n        - user: alice\n        - source: salt://keys/alice.pub",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a key may not log in as a user.\n\n    AAAAC3NzaC1lZDI1NTE5AAAAIA:\n      ssh_auth.absent:\n        - user: alice",
            params: params::ABSENT,
            plan: absent,
        },
        State {
            name: "manage",
            doc: "Makes sure that these keys may log in as a user, and no others.\n\n    keys of alice:\n      ssh_auth.manage:\n        - user: alice\n        - ssh_keys:\n          - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA alice@laptop",
            params: params::MANAGE,
            plan: manage,
        },
    ],
    watch: None,
};

/// The file of keys that a state is about.
struct Subject {
    user: String,
    /// None where the user is not there yet.
    file: Option<PathBuf>,
    keys: Vec<Key>,
}

impl Subject {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let (user, config) = (call.need("user")?, call.text_or("config", ".ssh/authorized_keys"));
        if accounts::user(call.look, &user).is_none() {
            return Ok(Self { user, file: None, keys: Vec::new() });
        }
        let file = ssh::authorized_keys(call.look, &user, &config)?;
        let keys = ssh::keys(&lines::read(call.look, &file).unwrap_or_default());
        Ok(Self { user, file: Some(file), keys })
    }
}

/// The key of a state's name, with what the arguments say where the name does not.
fn named(call: &Call<'_>, name: &str) -> Key {
    let options = call.list("options");
    if let Some(key) = Key::parse(name) {
        let options = if key.options.is_empty() { options } else { key.options };
        let comment = if key.comment.is_empty() { call.text_or("comment", "") } else { key.comment };
        return Key { options, comment, ..key };
    }
    let (key, comment) = match name.trim().split_once(char::is_whitespace) {
        Some((key, comment)) => (key.to_owned(), comment.trim().to_owned()),
        None => (name.trim().to_owned(), call.text_or("comment", "")),
    };
    Key { options, enc: call.text_or("enc", "ssh-rsa"), key, comment }
}

/// The keys of a `source`.
fn of_source(call: &Call<'_>, source: &str) -> Result<Vec<Key>, StateError> {
    let bytes = content::fetch(call, source)
        .map_err(|_| StateError::Failed(format!("Failed to add the ssh key. Source file {source} is missing")))?;
    let keys = ssh::keys(&String::from_utf8_lossy(&bytes));
    if keys.is_empty() {
        return failed(format!("No keys detected in {source}. Is file properly formatted?"));
    }
    Ok(keys)
}

const NO_HOME: &str = "Failed to add the ssh key. Is the home directory available, and/or does the key file exist?";
const INVALID: &str = "Invalid public ssh key, most likely has spaces or invalid syntax";

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let subject = Subject::of(call)?;
    let (name, user, source) = (call.name(), subject.user.clone(), call.text_or("source", ""));
    let options = call.list("options");
    let (label, wanted) = match source.is_empty() {
        true => {
            let key = named(call, &name);
            (key.key.clone(), vec![key])
        }
        false => (name, of_source(call, &source)?),
    };
    let mut keys = Vec::new();
    for key in wanted {
        let options = if source.is_empty() || options.is_empty() { key.options } else { options.clone() };
        keys.push(Key { enc: ssh::refine(&key.enc)?, options, ..key });
    }
    if !call.test && subject.file.is_none() {
        return failed(NO_HOME);
    }
    if !call.test && keys.iter().any(|key| ssh::fingerprint(&key.key, "sha256").is_none()) {
        return failed(INVALID);
    }
    let checks: Vec<Check> = keys.iter().map(|key| ssh::check(&subject.keys, key)).collect();
    if checks.iter().all(|check| *check == Check::Exists) {
        return Plan::keep(match call.test && !source.is_empty() {
            true => format!("All host keys in file {source} are already present"),
            false => format!("The authorized host key {label} is already present for user {user}"),
        });
    }
    let updated = checks.contains(&Check::Update);
    let would = match source.is_empty() {
        true => format!("Key {label} for user {user} is set to be {}", if updated { "updated" } else { "added" }),
        false => keys.iter().zip(&checks).filter_map(set_to).collect(),
    };
    Plan::change(would, json!({}), move |doing| {
        let Some(file) = subject.file else { return Ok(Done::default()) };
        let home = accounts::user(doing.host, &user).map(|row| row.home).unwrap_or_default();
        if file.starts_with(&home) && !files::is_dir(doing.host, Path::new(&home)) {
            return failed(NO_HOME);
        }
        let text = lines::read(doing.host, &file).unwrap_or_default();
        let text = keys.iter().fold(text, |text, key| ssh::with(&text, key));
        ssh::write_own(doing.host, &file, &text, Some(&user))?;
        let (word, done) = if updated { ("Updated", "was updated") } else { ("New", "was added") };
        let comment = format!("The authorized host key {label} for user {user} {done}");
        Ok(Done::new(comment, json!({ label.as_str(): word })))
    })
}

fn set_to((key, check): (&Key, &Check)) -> Option<String> {
    let word = match check {
        Check::Exists => return None,
        Check::Update => "update",
        Check::Add => "add",
    };
    Some(format!("Set to {word}: {}\n", key.key))
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let subject = Subject::of(call)?;
    let (name, user, source) = (call.name(), subject.user.clone(), call.text_or("source", ""));
    let (label, keys) = match source.is_empty() {
        true => {
            let key = named(call, &name).key;
            (key.clone(), vec![key])
        }
        // A file that is not there has no keys to take away.
        false if content::fetch(call, &source).is_err() => {
            let comment =
                if call.test { format!("All host keys in file {source} are already absent") } else { String::new() };
            return Plan::keep(comment);
        }
        false => (name, of_source(call, &source)?.into_iter().map(|key| key.key).collect()),
    };
    let there: Vec<String> =
        keys.into_iter().filter(|key| subject.keys.iter().any(|known| known.key == *key)).collect();
    let Some(file) = subject.file.filter(|_| !there.is_empty()) else {
        return Plan::keep(match (call.test, source.is_empty()) {
            (true, true) => "Key is already absent".to_owned(),
            (true, false) => format!("All host keys in file {source} are already absent"),
            (false, _) => "Key not present".to_owned(),
        });
    };
    let would = match source.is_empty() {
        true => format!("Key {label} for user {user} is set for removal"),
        false => there.iter().map(|key| format!("Set to remove: {key}\n")).collect(),
    };
    Plan::change(would, json!({}), move |doing| {
        let text = lines::read(doing.host, &file).unwrap_or_default();
        let text = there.iter().fold(text, |text, key| ssh::without(&text, key));
        ssh::write_own(doing.host, &file, &text, Some(&user))?;
        Ok(Done::new("Key removed", json!({ label.as_str(): "Removed" })))
    })
}

/// What `manage` makes of its keys.
#[derive(Default)]
struct Managed {
    /// What is said, and whether only a dry run says it.
    comments: Vec<(bool, String)>,
    changes: Map,
    new: Vec<Key>,
    bad: bool,
}

impl Managed {
    fn keep(&mut self, comment: String) {
        self.comments.push((false, comment));
    }

    /// A key of the list; with keys of a `source` these count in its place.
    fn take(&mut self, call: &Call<'_>, known: &[Key], listed: &str, given: &[Key]) -> Result<(), StateError> {
        let (key, user) = (named(call, listed), call.need("user")?);
        let (label, keys) = match given {
            [] => (key.key.clone(), vec![Key { enc: ssh::refine(&key.enc)?, ..key }]),
            given => (listed.to_owned(), given.to_vec()),
        };
        if !call.test && keys.iter().any(|key| ssh::fingerprint(&key.key, "sha256").is_none()) {
            self.bad = true;
            self.keep(INVALID.to_owned());
            return Ok(());
        }
        let now: Vec<Key> = if call.test { known.to_vec() } else { [known, &self.new].concat() };
        let checks: Vec<Check> = keys.iter().map(|key| ssh::check(&now, key)).collect();
        if checks.iter().all(|check| *check == Check::Exists) {
            self.keep(match call.test && !given.is_empty() {
                true => format!("All host keys in file {} are already present", call.text_or("source", "")),
                false => format!("The authorized host key {label} is already present for user {user}"),
            });
            return Ok(());
        }
        let updated = checks.contains(&Check::Update);
        let said: String = match given {
            [] => format!("Key {label} for user {user} is set to be {}", if updated { "updated" } else { "added" }),
            _ => keys.iter().zip(&checks).filter_map(set_to).collect(),
        };
        self.comments.push((true, said.trim().to_owned()));
        self.changes.insert(label, if updated { "Updated" } else { "New" }.into());
        self.new.extend(keys);
        Ok(())
    }
}

fn manage(call: &Call<'_>) -> Result<Plan, StateError> {
    let subject = Subject::of(call)?;
    let (user, listed, source) = (subject.user.clone(), call.list("ssh_keys"), call.text_or("source", ""));
    let mut given = if source.is_empty() { Vec::new() } else { of_source(call, &source)? };
    let options = call.list("options");
    given.iter_mut().filter(|_| !options.is_empty()).for_each(|key| key.options.clone_from(&options));
    // Salt takes the keys of the source for strangers, and takes them out again in every second run.
    let wanted: Vec<&str> =
        listed.iter().flat_map(|key| key.split(' ')).chain(given.iter().map(|key| key.key.as_str())).collect();
    let gone: Vec<String> =
        subject.keys.iter().map(|key| key.key.clone()).filter(|key| !wanted.contains(&key.as_str())).collect();
    let mut managed = Managed::default();
    for key in &gone {
        managed.changes.insert(key.clone(), "Key removed".into());
    }
    if let Some(last) = gone.last() {
        managed.comments.push((true, format!("{last} Key set for removal")));
    }
    for key in &listed {
        managed.take(call, &subject.keys, key, &given)?;
    }
    let Managed { comments, changes, new, bad } = managed;
    let said = |all: bool| -> String {
        let said = comments.iter().filter(|(would, _)| all || !would).map(|(_, text)| text.as_str());
        said.collect::<Vec<_>>().join("\n")
    };
    let (would, did) = (said(true), said(false));
    // Salt's row of this state has no name.
    let more: Map = [("name".to_owned(), "".into())].into_iter().collect();
    if changes.is_empty() {
        return Ok(Plan::KeepWith(Done { result: !bad, more, ..Done::new(did, changes) }));
    }
    let Some(file) = subject.file.clone().or_else(|| call.test.then(PathBuf::new)) else { return failed(NO_HOME) };
    let shown = more.clone();
    let plan = Plan::change(would, json!({}), move |doing| {
        let text = lines::read(doing.host, &file).unwrap_or_default();
        let text = gone.iter().fold(text, |text, key| ssh::without(&text, key));
        let text = new.iter().fold(text, |text, key| ssh::with(&text, key));
        ssh::write_own(doing.host, &file, &text, Some(&user))?;
        Ok(Done { result: !bad, more, ..Done::new(did, changes) })
    });
    Ok(plan?.with_more(shown))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, thrice};

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIDOK2Y/6wBFZTYsYLeoOdDOqS8UVFgGHlXL+ZJUF6Mxz";

    #[test]
    fn a_file_of_keys_that_is_missing_has_none_to_take_away() {
        let host = Memory::new(json!({})).with(&[("/etc/passwd", "a:x:7:7::/home/a:/bin/sh\n")]);
        let sls = "x:\n  ssh_auth.absent:\n    - user: a\n    - source: salt://none\n";
        let [test, first, _] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "All host keys in file salt://none are already absent");
        assert_eq!((first.0, first.1.as_str(), first.2), (json!(true), "", json!({})));
    }

    #[test]
    fn keys_come_change_and_go() {
        let host =
            Memory::new(json!({})).with(&[("/etc/passwd", "a:x:7:7::/home/a:/bin/sh\n"), ("/home/a/.profile", "")]);
        let sls = format!("{KEY}:\n  ssh_auth.present:\n    - user: a\n    - enc: ed25519\n    - comment: me\n");
        let [test, first, second] = thrice(&host, &[("t.sls", &sls)]);
        assert_eq!(test.1, format!("Key {KEY} for user a is set to be added"));
        assert_eq!(first.2, json!({KEY: "New"}));
        assert_eq!(second.1, format!("The authorized host key {KEY} is already present for user a"));
        assert_eq!(host.text("/home/a/.ssh/authorized_keys").unwrap(), format!("ssh-ed25519 {KEY} me\n"));
        let files = [
            ("t.sls", "k:\n  ssh_auth.present:\n    - user: a\n    - source: salt://k\n"),
            ("k", &format!("ssh-ed25519 {KEY} you")),
        ];
        assert_eq!(thrice(&host, &files)[1].2, json!({"k": "Updated"}));
        let sls = "x:\n  ssh_auth.manage:\n    - user: a\n    - ssh_keys: [ssh-rsa AAAA b]\n";
        let [_, first, _] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(first.2, json!({KEY: "Key removed", "AAAA": "New"}));
        let sls = "y:\n  ssh_auth.manage:\n    - user: a\n    - source: salt://k\n    - ssh_keys: [them]\n";
        let files = [("t.sls", sls), ("k", &format!("ssh-ed25519 {KEY} you"))];
        let [test, first, second] = thrice(&host, &files);
        assert_eq!(test.1, format!("AAAA Key set for removal\nSet to add: {KEY}"));
        assert_eq!(first.2, json!({"AAAA": "Key removed", "them": "New"}));
        assert_eq!(second.2, json!({}), "what a source brings stays");
        let [_, _, _] = thrice(&host, &[("t.sls", "x:\n  ssh_auth.manage:\n    - user: a\n    - ssh_keys: [AAAA]\n")]);
        let [_, first, second] = thrice(&host, &[("t.sls", "AAAA:\n  ssh_auth.absent:\n    - user: a\n")]);
        assert_eq!((first.2, second.1.as_str()), (json!({"AAAA": "Removed"}), "Key not present"));
        let rows = apply(&host, "'no key':\n  ssh_auth.present:\n    - user: a\n", false);
        assert_eq!(rows[0].2, super::INVALID);
    }
}
