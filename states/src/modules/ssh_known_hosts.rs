//! `ssh_known_hosts.*`: keys of hosts that `ssh` trusts.

use std::path::{Path, PathBuf};

use proto::Value;
use serde_json::json;

use super::params::ssh_known_hosts as params;
use crate::{
    Look,
    plan::{Call, Doing, Done, Plan, State, StateError, StateModule, failed, missing},
    resource::{
        accounts, command, files, lines,
        ssh::{self, HostKey},
    },
};

pub const MODULE: StateModule = StateModule {
    name: "ssh_known_hosts",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a host's key is known.\n\n    git.example.com:\n      ssh_known_hosts.present:\n        - user: deploy\n        - enc: ed25519\n        - fingerprint: 16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a host's key is not known.\n\n    old.example.com:\n      ssh_known_hosts.absent:\n        - user: deploy",
            params: params::ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

/// The setting as it was given, and the file that it stands for.
fn config(call: &Call<'_>) -> Result<(String, PathBuf), StateError> {
    let user = call.some_text("user");
    let default = if user.is_some() { ".ssh/known_hosts" } else { "/etc/ssh/ssh_known_hosts" };
    let config = call.some_text("config").unwrap_or_else(|| default.to_owned());
    if Path::new(&config).is_absolute() {
        return Ok((config.clone(), config.into()));
    }
    let Some(user) = user else {
        return failed("If not specifying a \"user\", specify an absolute \"config\".");
    };
    match accounts::user(call.look, &user) {
        Some(row) => Ok((config.clone(), Path::new(&row.home).join(config))),
        None => missing(format!("User {user} does not exist")),
    }
}

/// A name that goes on a command line.
fn hostname(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    match name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        true => failed(format!("'{name}' is not the name of a host")),
        false => Ok(name),
    }
}

/// What a state wants to be known.
#[derive(Clone)]
struct Wanted {
    name: String,
    user: Option<String>,
    config: String,
    file: PathBuf,
    key: Option<String>,
    fingerprint: Option<String>,
    enc: Option<String>,
    port: Option<i64>,
    hash: bool,
    kind: String,
}

impl Wanted {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let (config, file) = config(call)?;
        Ok(Self {
            name: hostname(call)?,
            user: call.some_text("user"),
            config,
            file,
            key: call.some_text("key"),
            fingerprint: call.some_text("fingerprint"),
            enc: call.some_text("enc"),
            port: call.int("port"),
            hash: call.flag("hash_known_hosts", true),
            kind: call.text_or("fingerprint_hash_type", "sha256"),
        })
    }

    fn known(&self, look: &dyn Look) -> Result<Vec<HostKey>, StateError> {
        ssh::known(look, &self.file, &ssh::with_port(&self.name, self.port), &self.kind)
    }

    /// What a dry run says: it asks no other host.
    fn preview(self, known: &[HostKey]) -> Result<Plan, StateError> {
        let (name, config) = (&self.name, &self.config);
        let fits = |host: &HostKey| match (&self.key, &self.fingerprint) {
            (Some(key), _) => host.key == *key,
            (None, Some(fingerprint)) => host.fingerprint == *fingerprint,
            (None, None) => true,
        };
        match (known.is_empty(), known.iter().any(fits)) {
            (true, _) => Plan::change(format!("Key for {name} is set to be added to {config}"), json!({}), skip),
            (false, true) => Plan::keep(format!("Host {name} is already in {config}")),
            (false, false) => Plan::change(format!("Key for {name} is set to be updated in {config}"), json!({}), skip),
        }
    }

    /// The line of a key in the file.
    fn line(&self, key: &HostKey) -> String {
        let name = match self.hash || matches!(self.port, None | Some(22)) || key.hostname.contains(':') {
            true => key.hostname.clone(),
            false => ssh::with_port(&key.hostname, self.port),
        };
        format!("{name} {} {}\n", key.enc, key.key)
    }

    fn save(&self, doing: &Doing<'_>, new: &[HostKey], hash: bool) -> Result<(), StateError> {
        let host = doing.host;
        let old = lines::read(host, &self.file).unwrap_or_default();
        let found = command::ask(
            host,
            &["ssh-keygen", "-F", &ssh::with_port(&self.name, self.port), "-f", &self.file.to_string_lossy()],
        )?;
        let gone = lines_of(&command::text(&found.stdout), self.enc.as_deref());
        let kept = old.lines().enumerate().filter(|(at, _)| !gone.contains(&(at + 1)));
        let mut text: String = kept.map(|(_, line)| format!("{line}\n")).collect();
        text.extend(new.iter().map(|key| self.line(key)));
        ssh::write_own(host, &self.file, &text, self.user.as_deref())?;
        if hash {
            command::run(host, &["ssh-keygen", "-H", "-f", &self.file.to_string_lossy()])?;
            let mut old = self.file.clone().into_os_string();
            old.push(".old");
            own(doing, &self.file, self.user.as_deref())?;
            let _ = own(doing, Path::new(&old), self.user.as_deref());
        }
        Ok(())
    }
}

fn skip(_: &Doing<'_>) -> Result<Done, StateError> {
    Ok(Done::default())
}

/// Gives a file that a tool wrote anew back to its user.
fn own(doing: &Doing<'_>, file: &Path, user: Option<&str>) -> Result<(), StateError> {
    let Some(row) = user.and_then(|user| accounts::user(doing.host, user)) else { return Ok(()) };
    let done = doing.host.set_owner(file, Some(row.uid), Some(row.gid));
    done.map_err(|why| StateError::io("change", file, &why))
}

/// The numbers of the lines that `ssh-keygen -F` found.
fn lines_of(said: &str, enc: Option<&str>) -> Vec<usize> {
    let all: Vec<&str> = said.lines().collect();
    let number = |pair: &[&str]| -> Option<usize> {
        let [head, line] = pair else { return None };
        let kind = line.split_whitespace().rev().nth(1)?;
        enc.is_none_or(|enc| enc == kind).then(|| head.split_whitespace().next_back()?.parse().ok())?
    };
    all.chunks(2).filter_map(number).collect()
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let wanted = Wanted::of(call)?;
    // Salt refuses both in a dry run only: a real one saves the key.
    if call.test && wanted.key.is_some() && wanted.fingerprint.is_some() {
        return failed("Specify either \"key\" or \"fingerprint\", not both.");
    }
    if wanted.key.is_some() && wanted.enc.is_none() {
        return failed("Required argument \"enc\" if using \"key\" argument.");
    }
    let known = wanted.known(call.look)?;
    if call.test {
        return wanted.preview(&known);
    }
    if wanted.port.is_some_and(|port| port != 22) && wanted.hash {
        return failed("argument port can not be used in conjunction with argument hash_known_hosts");
    }
    let there = Plan::keep(format!("{} already exists in {}", wanted.name, wanted.config));
    let of_kind = |key: &&HostKey| wanted.enc.as_ref().is_none_or(|enc| *enc == key.enc);
    let stored: Vec<&String> = known.iter().filter(of_kind).map(|key| &key.key).collect();
    let has_fingerprint = |wanted: &String| known.iter().any(|key| key.fingerprint == *wanted);
    let update = known.is_empty()
        || wanted.fingerprint.as_ref().is_some_and(|fingerprint| !has_fingerprint(fingerprint))
        || wanted.key.as_ref().is_some_and(|key| !stored.contains(&key));
    let only_check = !update && wanted.key.is_none() && wanted.fingerprint.is_none();
    if !update && !only_check {
        return there;
    }
    let new = match &wanted.key {
        Some(_) => Vec::new(),
        None => fetched(call, &wanted)?,
    };
    if only_check && same(&new, &stored) {
        return there;
    }
    save(wanted, known, new)
}

fn same(new: &[HostKey], stored: &[&String]) -> bool {
    new.iter().all(|key| stored.contains(&&key.key)) && stored.iter().all(|key| new.iter().any(|new| new.key == **key))
}

/// The keys that the host itself gives.
fn fetched(call: &Call<'_>, wanted: &Wanted) -> Result<Vec<HostKey>, StateError> {
    let timeout = call.int("timeout").unwrap_or(5);
    let enc = wanted.enc.as_deref();
    let found = ssh::scan(call.look, &wanted.name, wanted.port, enc, wanted.hash, timeout, &wanted.kind)?;
    if found.is_empty() {
        return failed("Unable to receive remote host keys");
    }
    match &wanted.fingerprint {
        Some(fingerprint) if !found.iter().any(|key| key.fingerprint == *fingerprint) => {
            failed("Remote host public keys found but none of their fingerprints match the one you have provided")
        }
        _ => Ok(found),
    }
}

fn save(wanted: Wanted, known: Vec<HostKey>, mut new: Vec<HostKey>) -> Result<Plan, StateError> {
    let (name, config) = (wanted.name.clone(), wanted.config.clone());
    let old: Value = match known.is_empty() {
        true => Value::Null,
        false => known.iter().map(HostKey::value).collect(),
    };
    let mut shown: Value = new.iter().map(HostKey::value).collect();
    if let Some(key) = &wanted.key {
        let enc = wanted.enc.clone().unwrap_or_default();
        shown = json!([{"hostname": name, "enc": enc, "key": key}]);
        if let Some(port) = wanted.port.filter(|port| *port != 22) {
            shown[0]["port"] = port.into();
        }
        new = vec![HostKey { hostname: name.clone(), enc, key: key.clone(), fingerprint: String::new() }];
    }
    let first = new.first().cloned();
    let (key, print) = first.map(|key| (key.key, key.fingerprint)).unwrap_or_default();
    let comment = match (&wanted.key, &wanted.fingerprint, &wanted.enc) {
        (Some(_), ..) => format!("{name}'s key saved to {config} (key: {key})"),
        (_, Some(_), _) => format!("{name}'s key saved to {config} (fingerprint: {print})"),
        (_, _, Some(enc)) => format!("{name}'s {enc} key saved to {config} (key: {key})"),
        _ => format!("{name}'s key(s) saved to {config}"),
    };
    let hash = wanted.key.is_some() && wanted.hash;
    Plan::change("", json!({}), move |doing| {
        wanted.save(doing, &new, hash)?;
        Ok(Done::new(comment, json!({"old": old, "new": shown})))
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (config, file) = config(call)?;
    let (name, user) = (hostname(call)?, call.some_text("user"));
    let known = ssh::known(call.look, &file, &name, "sha256")?;
    if known.is_empty() {
        return Plan::keep("Host is already absent");
    }
    let old: Value = known.iter().map(HostKey::value).collect();
    Plan::change(format!("Key for {name} is set to be removed from {config}"), json!({}), move |doing| {
        if !files::is_file(doing.host, &file) {
            return failed(format!("Known hosts file {} does not exist", file.display()));
        }
        let output = command::run(doing.host, &["ssh-keygen", "-R", &name, "-f", &file.to_string_lossy()])?;
        own(doing, &file, user.as_deref())?;
        let said = [command::text(&output.stderr), command::text(&output.stdout)];
        let said: Vec<&str> = said.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        Ok(Done::new(said.join("\n"), json!({"old": old, "new": null})))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, refused, said, thrice};

    #[test]
    fn a_key_is_saved_once_and_removed() {
        let host = Memory::new(json!({})).answer(|host, line| match line.split(' ').collect::<Vec<_>>()[..] {
            ["ssh-keygen", "-F", ..] => match host.text("/etc/ssh/ssh_known_hosts").filter(|text| !text.is_empty()) {
                Some(text) => said(&format!("# Host h found: line 1\n{text}")),
                None => refused(1, ""),
            },
            ["ssh-keygen", "-R", ..] => {
                host.put("/etc/ssh/ssh_known_hosts", "");
                said("/etc/ssh/ssh_known_hosts updated.")
            }
            _ => said(""),
        });
        let sls =
            "h:\n  ssh_known_hosts.present:\n    - key: AAAA\n    - enc: ssh-rsa\n    - hash_known_hosts: False\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "Key for h is set to be added to /etc/ssh/ssh_known_hosts");
        assert_eq!(first.1, "h's key saved to /etc/ssh/ssh_known_hosts (key: AAAA)");
        assert_eq!(second.1, "h already exists in /etc/ssh/ssh_known_hosts");
        let both = sls.replace("AAAA", "BBBB") + "    - fingerprint: x\n";
        assert_eq!(apply(&host, &both, true)[0].2, "Specify either \"key\" or \"fingerprint\", not both.");
        assert_eq!(apply(&host, &both, false)[0].2, "h's key saved to /etc/ssh/ssh_known_hosts (key: BBBB)");
        apply(&host, sls, false);
        let [_, first, second] = thrice(&host, &[("t.sls", "h:\n  ssh_known_hosts.absent: []\n")]);
        assert_eq!((first.2["old"][0]["key"].clone(), second.1.as_str()), (json!("AAAA"), "Host is already absent"));
        let sls = "u:\n  user.present\nh:\n  ssh_known_hosts.absent:\n    - user: u\n";
        let rows = apply(&host, sls, true);
        assert_eq!(rows[1].1, json!(null), "its user would be there: {}", rows[1].2);
        let rows = apply(&host, "h:\n  ssh_known_hosts.present: []\n", false);
        assert_eq!(rows[0].2, "Unable to receive remote host keys");
    }
}
