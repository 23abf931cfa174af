//! `mount.*` and `hosts.*` that read: file systems, and names of addresses.

use proto::{Args, Map, Value};
use serde_json::json;

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    resource::{hosts, mounts},
};

pub const TABLE: &[Function] = &[
    Function {
        name: "mount.fstab",
        doc: "Shows what is to be mounted, by mount point.\n\nctl run '*' mount.fstab",
        params: &[opt("config", "/etc/fstab")],
        effect: Effect::Reads,
        call: fstab,
    },
    Function {
        name: "mount.active",
        doc: "Shows what is mounted, by mount point.\n\nctl run '*' mount.active",
        params: &[opt("extended", "False")],
        effect: Effect::Reads,
        call: active,
    },
    Function {
        name: "mount.is_mounted",
        doc: "Tells whether something is mounted at a place.\n\nctl run '*' mount.is_mounted /srv",
        params: &[need("name")],
        effect: Effect::Reads,
        call: |c, a| Ok(mounts::at(c.look, &Given::new(&a, &["name"]).text("name")?).is_some().into()),
    },
    Function {
        name: "mount.swaps",
        doc: "Shows the swap that is used.\n\nctl run '*' mount.swaps",
        params: &[],
        effect: Effect::Reads,
        call: |c, _| Ok(swaps(c)),
    },
    Function {
        name: "hosts.list_hosts",
        doc: "Shows the names of each address in the hosts file.\n\nctl run '*' hosts.list_hosts",
        params: &[],
        effect: Effect::Reads,
        call: |c, _| Ok(list_hosts(c)),
    },
    Function {
        name: "hosts.get_ip",
        doc: "Gives the address that has a name in the hosts file; an empty text if none has.\n\nctl run '*' hosts.get_ip db1",
        params: &[need("host")],
        effect: Effect::Reads,
        call: get_ip,
    },
    Function {
        name: "hosts.get_alias",
        doc: "Gives the names of an address in the hosts file.\n\nctl run '*' hosts.get_alias 127.0.0.1",
        params: &[need("ip")],
        effect: Effect::Reads,
        call: get_alias,
    },
    Function {
        name: "hosts.has_pair",
        doc: "Tells whether an address has a name in the hosts file.\n\nctl run '*' hosts.has_pair 127.0.0.1 localhost",
        params: &[need("ip"), need("alias")],
        effect: Effect::Reads,
        call: has_pair,
    },
];

fn fstab(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let config = Given::new(&args, &["config"]).text_or("config", "/etc/fstab");
    let mut shown = Map::new();
    for entry in mounts::fstab(context.look, config.as_ref()).unwrap_or_default() {
        // Of several on one point, as of swap, later ones are counted.
        let mut name = entry.name.clone();
        let mut count = 0;
        while shown.contains_key(&name) {
            count += 1;
            name = format!("{}-{count}", entry.name);
        }
        let opts: Vec<&str> = entry.opts.split(',').collect();
        let row = json!({
            "device": entry.device, "fstype": entry.fstype, "opts": opts, "dump": entry.dump, "pass": entry.pass,
        });
        shown.insert(name, row);
    }
    Ok(Value::Object(shown))
}

fn active(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let extended = Given::new(&args, &["extended"]).flag("extended", false);
    let row = |mount: mounts::Mount| {
        let mut row = json!({"device": mount.device, "fstype": mount.fstype, "opts": mount.options});
        if extended {
            row["superopts"] = json!(mount.super_options);
        }
        (mount.point, row)
    };
    Ok(Value::Object(mounts::active(context.look).into_iter().map(row).collect()))
}

fn swaps(context: &Context<'_>) -> Value {
    let row = |[device, kind, size, used, priority]: [String; 5]| {
        (device, json!({"type": kind, "size": size, "used": used, "priority": priority}))
    };
    Value::Object(mounts::swaps(context.look).into_iter().map(row).collect())
}

fn table(context: &Context<'_>) -> hosts::Table {
    hosts::Table::of(context.look, &hosts::path(context))
}

fn list_hosts(context: &Context<'_>) -> Value {
    let row = |entry: &hosts::Entry| {
        let mut row = json!({ "aliases": entry.names });
        if let Some(comment) = &entry.comment {
            row["comment"] = comment.as_str().into();
        }
        (entry.ip.clone(), row)
    };
    Value::Object(table(context).entries().map(row).collect())
}

fn get_ip(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let host = Given::new(&args, &["host"]).text("host")?;
    let table = table(context);
    let found = table.entries().find(|entry| entry.names.contains(&host));
    Ok(found.map_or("", |entry| &entry.ip).into())
}

fn get_alias(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let ip = Given::new(&args, &["ip"]).text("ip")?;
    Ok(json!(table(context).get(&ip).map(|entry| entry.names.clone()).unwrap_or_default()))
}

fn has_pair(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["ip", "alias"]);
    let (ip, table) = (given.text("ip")?, table(context));
    Ok(match given.need("alias")? {
        Value::Array(names) => names.iter().all(|name| table.has(&ip, &crate::value::python_str(name))).into(),
        name => table.has(&ip, &crate::value::python_str(name)).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Memory, call};

    #[test]
    fn tables_are_shown_as_salt_shows_them() {
        let host = Memory::new(json!({})).with(&[
            ("/etc/fstab", "/dev/a / ext4 rw,noatime 0 1\n/dev/s none swap sw 0 0\n/dev/t none swap sw 0 0\n"),
            ("/etc/hosts", "127.0.0.1 localhost me # mine\n"),
            ("/proc/self/mountinfo", "36 35 98:0 / / rw - ext4 /dev/a rw\n"),
        ]);
        let ask = |name: &str, args: Args| call(&host, &[], json!({}), name, args).0.unwrap();
        let fstab = ask("mount.fstab", Args::default());
        assert_eq!(
            fstab["/"],
            json!({"device": "/dev/a", "fstype": "ext4", "opts": ["rw", "noatime"], "dump": "0", "pass": "1"})
        );
        assert_eq!(fstab["none-1"]["device"], json!("/dev/t"));
        assert_eq!(ask("mount.active", Args::default())["/"]["device"], json!("/dev/a"));
        assert_eq!(ask("mount.is_mounted", Args::positional(["/srv".into()])), json!(false));
        assert_eq!(ask("hosts.get_ip", Args::positional(["me".into()])), json!("127.0.0.1"));
        assert_eq!(
            ask("hosts.list_hosts", Args::default()),
            json!({"127.0.0.1": {"aliases": ["localhost", "me"], "comment": "mine"}})
        );
        assert_eq!(ask("hosts.has_pair", Args::positional(["127.0.0.1".into(), "me".into()])), json!(true));
    }
}
