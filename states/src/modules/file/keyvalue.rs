//! `file.keyvalue`.

use proto::{Map, Value};
use serde_json::json;

use super::edit;
use crate::{
    plan::{Call, Done, Plan, StateError, failed},
    resource::files::{self, LIMIT},
    value,
};

pub fn keyvalue(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    let pairs = pairs(call)?;
    let mut append = call.flag("append_if_not_found", false);
    let text = match call.look.read(&path, LIMIT) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && call.flag("create_if_missing", false) => {
            append = true;
            String::new()
        }
        Err(_) if call.flag("ignore_if_missing", false) => return Plan::keep(format!("unable to open {name}")),
        Err(_) => return failed(format!("unable to open {name}")),
    };
    let mut edit = Edit::new(call, pairs);
    text.split_inclusive('\n').for_each(|line| edit.line(line));
    if append {
        edit.append();
    } else if call.flag("prepend_if_not_found", false) {
        edit.prepend();
    }
    let Edit { content, mut diff, changed, dropped, .. } = edit;
    for line in &dropped {
        diff.insert(diff.len().min(1), format!("- {line}"));
    }
    if changed == 0 && dropped.is_empty() {
        return Plan::keep("");
    }
    let shown = call.flag("show_changes", true);
    let changes = if shown { json!({ "diff": diff.concat() }) } else { json!({}) };
    let mut comment = format!("File {name} is set to be changed ({changed} lines modified, {} deleted)", dropped.len());
    if shown {
        comment.push_str(&format!("\nPredicted diff:\n\r\t\t{}", diff.join("\r\t\t")));
    }
    let done = format!("Changed {changed}, deleted {} lines", dropped.len());
    let (real, mode) = files::followed(call.look, &path).map_or((path, 0o644), |(path, stat)| (path, stat.mode));
    Plan::change(comment, changes.clone(), move |doing| {
        edit::write(doing, &real, &content.concat(), mode)?;
        Ok(Done::new(done, changes))
    })
}

fn pairs(call: &Call<'_>) -> Result<Map, StateError> {
    let all = call.value("key_values");
    match (call.value("key"), call.value("value")) {
        (Some(_), Some(_)) if all.is_some_and(Value::is_object) => {
            failed("file.keyvalue can not combine key_values with key and value")
        }
        (Some(key), Some(value)) => Ok([(value::python_str(key), value.clone())].into_iter().collect()),
        _ => match all {
            Some(Value::Object(map)) if !map.is_empty() => Ok(map.clone()),
            None => failed("file.keyvalue key and value not supplied and key_values is empty"),
            Some(_) => failed("file.keyvalue key and value not supplied and key_values is not a dictionary"),
        },
    }
}

struct Edit {
    pairs: Map,
    /// How often each key may still be written.
    left: Map,
    separator: String,
    uncomment: Option<String>,
    ignore_key_case: bool,
    ignore_value_case: bool,
    prune: bool,
    content: Vec<String>,
    diff: Vec<String>,
    changed: usize,
    dropped: Vec<String>,
}

impl Edit {
    fn new(call: &Call<'_>, pairs: Map) -> Self {
        let count = call.int("count").unwrap_or(1);
        Self {
            left: pairs.keys().map(|key| (key.clone(), count.into())).collect(),
            pairs,
            separator: call.text_or("separator", "="),
            uncomment: call.text("uncomment"),
            ignore_key_case: call.flag("key_ignore_case", false),
            ignore_value_case: call.flag("value_ignore_case", false),
            prune: call.flag("prune", false),
            content: Vec::new(),
            diff: Vec::new(),
            changed: 0,
            dropped: Vec::new(),
        }
    }

    fn key(&self, key: &str) -> String {
        if self.ignore_key_case { key.to_lowercase() } else { key.to_owned() }
    }

    fn line(&mut self, line: &str) {
        let bare = match &self.uncomment {
            Some(marks) => line.trim_start_matches(|c| marks.contains(c)),
            // Without marks, Python strips white space.
            None => line.trim_start(),
        };
        let uncommented = bare.len() < line.len();
        let tested = self.key(bare);
        if self.prune && !self.pairs.keys().any(|key| tested.starts_with(&self.key(key))) {
            self.dropped.push(line.to_owned());
            return;
        }
        let working = if uncommented { bare } else { line };
        let mut out = line.to_owned();
        if let Some((found, rest)) = working.split_once(&self.separator) {
            let (found, rest) = (found.to_owned(), rest.trim().to_owned());
            for (key, value) in self.pairs.clone() {
                if self.key(&found) == self.key(&key) {
                    out = self.matched(line, &found, &rest, &key, &value, uncommented);
                }
            }
        }
        self.content.push(out);
    }

    fn matched(&mut self, line: &str, found: &str, rest: &str, key: &str, value: &Value, uncommented: bool) -> String {
        let case = |text: &str| if self.ignore_value_case { text.to_lowercase() } else { text.to_owned() };
        let wanted = value::python_str(value);
        let mut equal = case(rest) == case(wanted.trim());
        let left = self.left.get(key).and_then(Value::as_i64).unwrap_or(0);
        let mut needed = false;
        if uncommented {
            needed = left > 0;
            equal |= !needed;
        } else if left == 0 {
            needed = true;
        }
        let mut out = line.to_owned();
        if !equal || needed {
            self.diff.push(format!("- {line}"));
            out.clear();
            if left != 0 {
                out = format!("{found}{}{wanted}\n", self.separator);
                self.diff.push(match value {
                    Value::String(_) => format!("+ {out}"),
                    other => format!("+ {} (from {} type)\n", out.trim_end(), python_type(other)),
                });
            }
            self.changed += 1;
        }
        if left > 0 {
            self.left.insert(key.to_owned(), (left - 1).into());
        }
        out
    }

    fn waiting(&self) -> Vec<String> {
        let open = self.pairs.iter().filter(|(key, _)| self.left.get(*key).and_then(Value::as_i64).unwrap_or(0) > 0);
        open.map(|(key, value)| format!("{key}{}{}\n", self.separator, value::python_str(value))).collect()
    }

    fn append(&mut self) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        self.changed += waiting.len();
        self.diff.push("- <EOF>\n".into());
        self.diff.extend(waiting.iter().map(|line| format!("+ {line}")));
        self.diff.push("+ <EOF>\n".into());
        self.content.extend(waiting);
    }

    fn prepend(&mut self) {
        let waiting = self.waiting();
        if waiting.is_empty() {
            return;
        }
        self.diff.insert(0, "  <SOF>\n".into());
        for line in waiting {
            self.diff.insert(1, format!("+ {line}"));
            self.content.insert(0, line);
            self.changed += 1;
        }
    }
}

fn python_type(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::Array(_) => "list",
        _ => "dict",
    }
}
