//! `stateful`: a command whose output says what it has changed.

use proto::{Map, Value};

use crate::{
    plan::{Done, StateError},
    value,
};

/// The whole output as a JSON object, or its last line as `changed=yes comment='…' name=value`.
///
/// # Errors
/// A `changed` that is neither yes nor no.
pub fn read(done: Done) -> Result<Done, StateError> {
    let text = |key: &str| done.changes.get(key).map(value::python_str).unwrap_or_default();
    let stdout = text("stdout");
    if stdout.is_empty() {
        return Ok(Done { comment: text("stderr"), changes: Map::new(), ..done });
    }
    let (before, last) = stdout.trim_end().rsplit_once('\n').unwrap_or(("", stdout.trim_end()));
    let (mut said, rest) = match serde_json::from_str::<Value>(&stdout) {
        Ok(Value::Object(map)) => (map, ""),
        Ok(_) => return Ok(refused(done, "script JSON output must be a JSON object (e.g., {})!", false)),
        Err(_) => match words(last) {
            Some(said) => (said, before),
            None => return Ok(refused(done, NONSENSE, true)),
        },
    };
    let changed = said.get("changed").map_or(Ok(false), yes)?;
    let comment = said.shift_remove("comment").map(|comment| value::python_str(&comment)).unwrap_or_default();
    let mut changes = Map::new();
    if changed {
        changes = said;
        for (key, value) in &done.changes {
            changes.entry(key.clone()).or_insert_with(|| value.clone());
        }
        // The line that said so is no output.
        changes.insert("stdout".into(), rest.into());
    }
    Ok(Done { comment, changes, ..done })
}

const NONSENSE: &str = "Failed parsing script output! Stdout must be JSON or a line of name=value pairs.";

fn refused(done: Done, why: &str, shown: bool) -> Done {
    let changes = if shown { done.changes.clone() } else { Map::new() };
    Done { result: false, comment: why.into(), changes, ..done }
}

fn yes(value: &Value) -> Result<bool, StateError> {
    let text = value::python_str(value);
    match text.to_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err(StateError::Failed(format!("Failed parsing boolean value: {text}"))),
    }
}

/// `a=b c='d e'`, split as a shell would; nothing unless every word is a name and a value.
fn words(line: &str) -> Option<Map> {
    let mut out = Map::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars().chain([' ']);
    while let Some(c) = chars.next() {
        match quote {
            Some(q) if c == q => quote = None,
            Some('"') if c == '\\' => word.get_or_insert_default().push(chars.next()?),
            Some(_) => word.get_or_insert_default().push(c),
            None if c == '"' || c == '\'' => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            None if c == '\\' => word.get_or_insert_default().push(chars.next()?),
            None if c.is_whitespace() => {
                if let Some(word) = word.take() {
                    let (key, value) = word.split_once('=').filter(|(_, value)| !value.contains('='))?;
                    out.insert(key.to_owned(), value.into());
                }
            }
            None => word.get_or_insert_default().push(c),
        }
    }
    (quote.is_none() && word.is_none()).then_some(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(stdout: &str, stderr: &str) -> Done {
        let changes = json!({"pid": 1, "retcode": 0, "stdout": stdout, "stderr": stderr});
        read(Done::new("run", changes)).unwrap()
    }

    #[test]
    fn the_last_line_says_what_was_done() {
        let done = said("working\nchanged=yes comment='all new' what=x", "");
        assert_eq!((done.result, done.comment.as_str()), (true, "all new"));
        let changes = json!({"changed": "yes", "what": "x", "pid": 1, "retcode": 0, "stdout": "working", "stderr": ""});
        assert_eq!(Value::Object(done.changes), changes);
        let done = said("changed=no comment=nothing", "");
        assert_eq!((done.result, done.comment.as_str(), done.changes), (true, "nothing", Map::new()));
        let done = said("{\"changed\": true, \"comment\": \"json\"}", "");
        assert_eq!((done.comment.as_str(), &done.changes["stdout"]), ("json", &json!("")));
    }

    #[test]
    fn what_cannot_be_read_is_a_failure_that_shows_the_output() {
        for nonsense in ["nonsense", "changed=no comment=nothing new", "changed=yes x='", "a=b=c"] {
            let done = said(nonsense, "");
            assert_eq!((done.result, done.comment.as_str()), (false, NONSENSE), "{nonsense}");
            assert_eq!(done.changes["stdout"], nonsense);
        }
        assert!(!said("[1]", "").result);
        assert!(read(Done::new("", json!({"stdout": "changed=maybe"}))).is_err());
        let done = said("", "only this");
        assert_eq!((done.result, done.comment.as_str(), done.changes), (true, "only this", Map::new()));
    }
}
