//! JSON as Python's `json.dumps` writes it, and Python's `pprint`.

use std::fmt::Write as _;

use proto::Value;

use crate::value;

/// `, ` and `: ` between items unless there is an indent.
pub fn python(value: &Value, sort_keys: bool, indent: Option<&str>) -> String {
    let mut out = String::new();
    write(&mut out, value, sort_keys, indent, 0);
    out
}

/// As [`python`], with everything beyond ASCII escaped.
pub fn python_ascii(value: &Value, sort_keys: bool, indent: Option<&str>) -> String {
    let escape = |c: char| {
        let mut units = [0; 2];
        c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>()
    };
    let text = python(value, sort_keys, indent);
    text.chars().map(|c| if c.is_ascii() { c.to_string() } else { escape(c) }).collect()
}

fn write(out: &mut String, value: &Value, sort_keys: bool, indent: Option<&str>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) if number.is_f64() => {
            out.push_str(&value::float_repr(number.as_f64().unwrap_or(0.0)));
        }
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => string(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                separate(out, i, indent, depth);
                write(out, item, sort_keys, indent, depth + 1);
            }
            close(out, indent, depth);
            out.push(']');
        }
        Value::Object(map) => {
            let mut pairs: Vec<(String, &Value)> = map.iter().map(|(key, item)| (json_key(key), item)).collect();
            if sort_keys {
                pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            out.push('{');
            for (i, (key, item)) in pairs.into_iter().enumerate() {
                separate(out, i, indent, depth);
                string(out, &key);
                out.push_str(": ");
                write(out, item, sort_keys, indent, depth + 1);
            }
            close(out, indent, depth);
            out.push('}');
        }
    }
}

fn json_key(key: &str) -> String {
    match value::from_key(key) {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn separate(out: &mut String, index: usize, indent: Option<&str>, depth: usize) {
    match indent {
        None if index > 0 => out.push_str(", "),
        None => {}
        Some(indent) => {
            out.push_str(if index > 0 { ",\n" } else { "\n" });
            out.push_str(&indent.repeat(depth + 1));
        }
    }
}

fn close(out: &mut String, indent: Option<&str>, depth: usize) {
    if let Some(indent) = indent {
        out.push('\n');
        out.push_str(&indent.repeat(depth));
    }
}

fn string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// As Python's `pprint.pformat`: keys sorted, on one line where 80 columns are enough.
pub fn pprint(value: &Value) -> String {
    let mut out = String::new();
    pretty(&mut out, value, 0, 0);
    out
}

const WIDTH: usize = 80;

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        Value::Object(map) => {
            let mut pairs: Vec<_> = map.iter().map(|(key, item)| (key.clone(), sorted(item))).collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(pairs.into_iter().collect())
        }
        other => other.clone(),
    }
}

fn pretty(out: &mut String, value: &Value, indent: usize, allowance: usize) {
    let line = value::python_repr(&sorted(value));
    if line.chars().count() <= WIDTH.saturating_sub(indent + allowance) {
        return out.push_str(&line);
    }
    let pad = |out: &mut String, i: usize| {
        if i > 0 {
            out.push_str(",\n");
            out.push_str(&" ".repeat(indent + 1));
        }
    };
    match sorted(value) {
        Value::Array(items) => {
            out.push('[');
            let last = items.len().saturating_sub(1);
            for (i, item) in items.iter().enumerate() {
                pad(out, i);
                pretty(out, item, indent + 1, if i == last { allowance + 1 } else { 1 });
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            let last = map.len().saturating_sub(1);
            for (i, (key, item)) in map.iter().enumerate() {
                pad(out, i);
                let key = value::python_repr(&value::from_key(key));
                out.push_str(&key);
                out.push_str(": ");
                pretty(out, item, indent + key.chars().count() + 3, if i == last { allowance + 1 } else { 1 });
            }
            out.push('}');
        }
        _ => out.push_str(&line),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn writes_as_python_does() {
        let value = json!({"b": [1, 2.0, null], "a": "é\n"});
        assert_eq!(python_ascii(&value, true, None), r#"{"a": "\u00e9\n", "b": [1, 2.0, null]}"#);
        assert_eq!(python(&json!({"a": []}), false, Some("  ")), "{\n  \"a\": []\n}");
    }
}
