//! `host.*`: names of addresses in `/etc/hosts`.

use std::net::IpAddr;

use proto::{Map, Value};
use serde_json::json;

use super::params::host as params;
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule},
    resource::{
        hosts::{self, Table},
        lines,
    },
};

pub const MODULE: StateModule = StateModule {
    name: "host",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that addresses have a name.\n\n    db.example.com:\n      host.present:\n        - ip: [10.0.0.5]\n        - clean: True",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that addresses do not have a name.\n\n    db.example.com:\n      host.absent:\n        - ip: 10.0.0.5",
            params: params::ABSENT,
            plan: absent,
        },
        State {
            name: "only",
            doc: "Makes sure that an address has these names and no others.\n\n    127.0.1.1:\n      host.only:\n        - hostnames: [web1.example.com, web1]",
            params: params::ONLY,
            plan: only,
        },
    ],
    watch: None,
};

/// What is to be done to the table.
#[derive(Default)]
struct Work {
    add: Vec<String>,
    comment: Vec<String>,
    remove: Vec<String>,
    /// What needs nothing, or cannot be.
    said: Vec<String>,
    warnings: Vec<Value>,
    bad: bool,
}

impl Work {
    fn of(table: &Table, name: &str, ips: &[String], comment: &str, clean: bool) -> Self {
        let mut work = Self::default();
        for ip in ips.iter().filter(|ip| table.get(ip).is_none()) {
            work.add.push(ip.clone());
            work.comment.extend((!comment.is_empty()).then(|| ip.clone()));
        }
        for entry in table.entries() {
            let (ip, has) = (&entry.ip, table.has(&entry.ip, name));
            match (ips.contains(ip), has) {
                (false, true) if clean => work.remove.push(ip.clone()),
                (false, true) => work.warnings.push(Value::String(format!(
                    "Host {name} present for IP address {ip}. To get rid of this warning, either run this state with \
                     'clean' set to True to remove {name} from {ip}, or add {ip} to the 'ip' argument."
                ))),
                (false, false) => {}
                (true, true) if !comment.is_empty() && entry.comment.as_deref() != Some(comment) => {
                    work.comment.push(ip.clone());
                }
                (true, true) => work.said.push(format!("Host {name} ({ip}) already present")),
                (true, false) if ip.parse::<IpAddr>().is_ok() => {
                    work.add.push(ip.clone());
                    work.comment.extend((!comment.is_empty()).then(|| ip.clone()));
                }
                (true, false) => {
                    work.bad = true;
                    work.said.push(format!("Invalid IP Address for {name} ({ip})"));
                }
            }
        }
        work
    }

    fn changes(&self, name: &str, comment: &str) -> Map {
        let mut changes = Map::new();
        for (key, ips, what) in
            [("added", &self.add, name), ("comment_added", &self.comment, comment), ("removed", &self.remove, name)]
        {
            if !ips.is_empty() {
                changes.insert(key.into(), ips.iter().map(|ip| (ip.clone(), json!([what]))).collect());
            }
        }
        changes
    }

    fn told(&self, name: &str, comment: &str, [add, set, remove]: [fn(&str, &str) -> String; 3]) -> String {
        let added = self.add.iter().map(|ip| add(name, ip));
        let set = self.comment.iter().map(|ip| set(ip, comment));
        let removed = self.remove.iter().map(|ip| remove(name, ip));
        let all: Vec<String> = self.said.iter().cloned().chain(added).chain(set).chain(removed).collect();
        all.join("\n")
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, ips) = (call.name(), call.list("ip"));
    let (comment, path) = (call.text_or("comment", ""), hosts::path(call.context()));
    let table = Table::of(call.look, &path);
    let work = Work::of(&table, &name, &ips, &comment, call.flag("clean", false));
    let mut more = Map::new();
    if !work.warnings.is_empty() {
        more.insert("warnings".into(), Value::Array(work.warnings.clone()));
    }
    let changes = work.changes(&name, &comment);
    if changes.is_empty() {
        let done = Done::new(work.said.join("\n"), changes);
        return Ok(Plan::KeepWith(Done { result: !work.bad, more, ..done }));
    }
    let would: [fn(&str, &str) -> String; 3] = [
        |name, ip| format!("Host {name} ({ip}) would be added"),
        |ip, comment| format!("Comment for {ip} ({comment}) would be added"),
        |name, ip| format!("Host {name} ({ip}) would be removed"),
    ];
    Plan::change(work.told(&name, &comment, would), changes.clone(), move |doing| {
        let mut table = Table::of(doing.host, &path);
        for ip in &work.add {
            table.entry(ip).names.push(name.clone());
        }
        for ip in &work.comment {
            table.entry(ip).comment = Some(comment.clone());
        }
        work.remove.iter().for_each(|ip| table.remove(ip, &name));
        table.write(doing.host, &path)?;
        let did: [fn(&str, &str) -> String; 3] = [
            |name, ip| format!("Added host {name} ({ip})"),
            |ip, comment| format!("Set comment for host {ip} ({comment})"),
            |name, ip| format!("Removed host {name} ({ip})"),
        ];
        let done = Done::new(work.told(&name, &comment, did), changes);
        Ok(Done { result: !work.bad, more, ..done })
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, ips, path) = (call.name(), call.list("ip"), hosts::path(call.context()));
    let table = Table::of(call.look, &path);
    let told = |there: &str| {
        let line = |ip: &String| match table.has(ip, &name) {
            true => there.replace("{}", &format!("{name} ({ip})")),
            false => format!("Host {name} ({ip}) already absent"),
        };
        ips.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    if !ips.iter().any(|ip| table.has(ip, &name)) {
        return Plan::keep(told(""));
    }
    let did = told("Removed host {}");
    Plan::change(told("Host {} needs to be removed"), json!({}), move |doing| {
        let text = lines::read(doing.host, &path).unwrap_or_default();
        let text = ips.iter().fold(text, |text, ip| hosts::without(&text, ip, &name));
        lines::write(doing.host, &path, &text, 0o644)?;
        Ok(Done::new(did, json!({ "host": name })))
    })
}

fn only(call: &Call<'_>) -> Result<Plan, StateError> {
    let (ip, path) = (call.name(), hosts::path(call.context()));
    let old = Table::of(call.look, &path).get(&ip).map(|entry| entry.names.join(" ")).unwrap_or_default();
    let new = call.list("hostnames").iter().map(|name| name.trim()).collect::<Vec<_>>().join(" ");
    if old == new {
        return Plan::keep(format!("IP address {ip} already set to \"{new}\""));
    }
    Plan::change(format!("Would change {ip} from \"{old}\" to \"{new}\""), json!({}), move |doing| {
        let text = lines::read(doing.host, &path).unwrap_or_default();
        lines::write(doing.host, &path, &hosts::with_only(&text, &ip, &new), 0o644)?;
        let changes = json!({ ip.as_str(): { "old": old, "new": new } });
        Ok(Done::new(format!("successfully changed {ip} from \"{old}\" to \"{new}\""), changes))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, thrice};

    #[test]
    fn names_come_and_go() {
        let host =
            Memory::new(json!({})).with(&[("/etc/hosts", "# local\n127.0.0.1 localhost me # mine\n10.0.0.1 a\n")]);
        let sls = "a:\n  host.present:\n    - ip: [10.0.0.2, 127.0.0.1]\n    - clean: True\n    - comment: c\n";
        let [test, first, _] = thrice(&host, &[("t.sls", sls)]);
        let changes = json!({"added": {"10.0.0.2": ["a"], "127.0.0.1": ["a"]},
            "comment_added": {"10.0.0.2": ["c"], "127.0.0.1": ["c"]}, "removed": {"10.0.0.1": ["a"]}});
        assert_eq!((&test.2, &first.2), (&changes, &changes));
        assert_eq!(
            host.text("/etc/hosts").unwrap(),
            "# local\n127.0.0.1\t\tlocalhost me a\t\t# c\n10.0.0.2\t\ta\t\t# c\n"
        );
        let [_, first, second] = thrice(&host, &[("t.sls", "me:\n  host.absent:\n    - ip: 127.0.0.1\n")]);
        assert_eq!((first.2, second.1.as_str()), (json!({"host": "me"}), "Host me (127.0.0.1) already absent"));
        let [_, first, _] = thrice(&host, &[("t.sls", "10.0.0.2:\n  host.only:\n    - hostnames: [x, y]\n")]);
        assert_eq!(first.2, json!({"10.0.0.2": {"old": "a", "new": "x y"}}));
        assert_eq!(host.text("/etc/hosts").unwrap(), "# local\n127.0.0.1\t\tlocalhost a # c\n10.0.0.2\t\tx y\n");
    }
}
