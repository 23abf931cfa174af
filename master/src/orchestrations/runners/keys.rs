//! `key.*`: the keys of minions, in the shapes of Salt's wheel.

use orchestrate::fleet::Refused;
use proto::{
    Args, Glob, Map, Value,
    message::{FaultKind, KeyRow, KeyState},
};
use serde_json::json;

use super::{super::desk::Desk, Runner, acts, looks, text};

pub const WHEELS: &[Runner] = &[
    acts("key.accept", |desk, _, args| change(desk, "accept", args)),
    acts("key.delete", |desk, _, args| change(desk, "delete", args)),
    looks("key.finger", |desk, _, args| {
        let name = |row: &KeyRow| json!(row.key.fingerprint().to_string());
        let kinds = kinds(desk, &text(args, 0, &["match"])?);
        let named = kinds.into_iter().map(|(kind, rows)| {
            let rows: Map = rows.iter().map(|row| (row.id.to_string(), name(row))).collect();
            (kind.to_owned(), Value::Object(rows))
        });
        Ok(Value::Object(named.collect()))
    }),
    looks("key.list", |desk, _, args| list(desk, &text(args, 0, &["match"])?)),
    looks("key.list_all", |desk, _, _| Ok(all(desk))),
    looks("key.name_match", |desk, _, args| Ok(matching(desk, &text(args, 0, &["match"])?))),
    acts("key.reject", |desk, _, args| change(desk, "reject", args)),
];

/// Salt's word for keys in each state.
const KINDS: [(&str, KeyState); 3] =
    [("minions", KeyState::Accepted), ("minions_pre", KeyState::Pending), ("minions_rejected", KeyState::Rejected)];

/// Keys that match, by Salt's word for their state; states without any are left out.
fn kinds(desk: &Desk, glob: &str) -> Vec<(&'static str, Vec<KeyRow>)> {
    let (rows, glob) = (desk.master.keys.list(), Glob::new(glob));
    let of = |(kind, state): (&'static str, KeyState)| {
        let rows = rows.iter().filter(|row| row.state == state && glob.is_match(row.id.as_str()));
        (kind, rows.cloned().collect::<Vec<_>>())
    };
    KINDS.into_iter().map(of).filter(|(_, rows)| !rows.is_empty()).collect()
}

fn names(rows: &[KeyRow]) -> Value {
    rows.iter().map(|row| Value::from(row.id.as_str())).collect()
}

fn matching(desk: &Desk, glob: &str) -> Value {
    Value::Object(kinds(desk, glob).iter().map(|(kind, rows)| ((*kind).to_owned(), names(rows))).collect())
}

fn all(desk: &Desk) -> Value {
    let mut all = json!({"minions": [], "minions_pre": [], "minions_rejected": [], "minions_denied": [], "local": []});
    for (kind, rows) in kinds(desk, "*") {
        all[kind] = names(&rows);
    }
    all
}

/// `accepted`, `unaccepted`, `rejected`, `denied`, or their beginnings, as Salt's.
fn list(desk: &Desk, which: &str) -> Result<Value, Refused> {
    let kind = match which {
        "acc" | "accepted" => "minions",
        "pre" | "un" | "unaccepted" | "unsigned" => "minions_pre",
        "rej" | "rejected" => "minions_rejected",
        "den" | "denied" => "minions_denied",
        "all" => return Ok(all(desk)),
        other => return Err(Refused::Other(format!("{other} is no kind of key: accepted, unaccepted, rejected, all"))),
    };
    Ok(json!({ kind: all(desk)[kind] }))
}

/// Accepts, rejects or deletes keys that match a glob; gives those that match afterwards, as Salt does. That
/// there was nothing to do is no error.
fn change(desk: &Desk, act: &'static str, args: &Args) -> Result<Value, Refused> {
    let glob = text(args, 0, &["match"])?;
    match desk.runtime.block_on(crate::server::change_keys(&desk.master, act, &glob)) {
        Err(fault) if fault.kind != FaultKind::NotFound => Err(Refused::Other(fault.message)),
        _ => Ok(matching(desk, &glob)),
    }
}
