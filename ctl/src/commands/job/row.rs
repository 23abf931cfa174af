//! A job in a few words, for people and for programs.

use proto::{
    Outcome as Ended,
    message::{JobRow, ORCHESTRATE},
};
use serde_json::{Value, json};

use super::orchestrated;
use crate::{term, times};

/// `cmd.run df -h cwd=/`
pub fn call(row: &JobRow) -> String {
    if row.function == ORCHESTRATE {
        return term::clean(&orchestrated::call(row));
    }
    let (mut words, args) = (vec![row.function.clone()], row.args.shown());
    words.extend(args.positional.iter().map(word));
    words.extend(args.named.iter().map(|(name, value)| format!("{name}={}", word(value))));
    term::clean(&words.join(" "))
}

/// An argument for people; a list of words is a command line.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            words.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// `3 of 3 ok`, or what else became of it.
pub fn ended(row: &JobRow) -> String {
    if row.function == ORCHESTRATE {
        return orchestrated::ended(row);
    }
    let count = |outcome| row.ends.iter().filter(|(o, _)| *o == outcome).map(|(_, n)| *n).sum::<u32>();
    let all: u32 = row.ends.iter().map(|(_, n)| *n).sum();
    if count(Ended::Ok) == row.expected {
        return format!("{} ok", row.expected);
    }
    let mut parts: Vec<String> = row.ends.iter().filter(|(_, n)| *n > 0).map(|(o, n)| format!("{n} {o}")).collect();
    let open = row.expected.saturating_sub(all);
    if open > 0 {
        parts.push(format!("{open} open"));
    }
    parts.join(", ")
}

/// The same for programs.
pub fn object(row: &JobRow) -> Value {
    json!({
        "jid": row.jid.to_string(),
        "started": times::json(row.jid.micros()),
        "operator": row.operator,
        "from": row.from,
        "target": row.target,
        "function": row.function,
        "args": row.args.to_salt(),
        "comment": row.comment,
        "tree": row.tree.map(|tree| tree.to_string()),
        "parent": row.parent.map(|parent| parent.to_string()),
        "expected": row.expected,
        "ends": row.ends.iter().map(|(outcome, n)| (outcome.to_string(), json!(n))).collect::<serde_json::Map<_, _>>(),
    })
}

#[cfg(test)]
mod tests {
    use proto::JobId;

    use super::*;

    fn row(ends: &[(Ended, u32)]) -> JobRow {
        JobRow {
            jid: JobId::from_micros(1_795_260_474_000_042),
            operator: "root".parse().unwrap(),
            from: "127.0.0.1".into(),
            target: "*".into(),
            function: "cmd.run".into(),
            args: proto::Args::positional([json!("df -h"), json!(5)]).with("cwd", "/"),
            comment: None,
            tree: None,
            parent: None,
            expected: 3,
            ends: ends.into(),
        }
    }

    #[test]
    fn a_row_says_what_was_called_and_how_it_ended() {
        assert_eq!(call(&row(&[])), "cmd.run df -h 5 cwd=/");
        assert_eq!(word(&json!(["df", "-h"])), "df -h");
        assert_eq!(word(&json!({"a": 1})), "{\"a\":1}");
        assert_eq!(ended(&row(&[(Ended::Ok, 3)])), "3 ok");
        assert_eq!(ended(&row(&[(Ended::Ok, 1), (Ended::Failed, 1)])), "1 ok, 1 failed, 1 open");
    }

    #[test]
    fn programs_get_the_same() {
        let object = object(&row(&[(Ended::Ok, 3)]));
        assert_eq!(object["jid"], "20261121112754000042");
        assert_eq!(object["args"], json!(["df -h", 5, {"__kwarg__": true, "cwd": "/"}]));
        assert_eq!(object["ends"], json!({"ok": 3}));
    }
}
