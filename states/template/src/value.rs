//! Values between YAML, templates and JSON, with the parts of Python that JSON lacks.
//!
//! A mapping's key may be a number, a boolean or nothing in YAML and in Python; in a
//! [`proto::Map`] it is a string. Inside this crate such a key is written with a mark before it,
//! so that a template still finds `ports[8080]`; what leaves the crate goes through [`plain`],
//! which writes such keys as Python's `json` does.

use proto::Value;

/// Begins a key that was not a string.
const MARK: char = '\u{1}';

/// The key under which `value` is kept in a [`Map`].
pub fn key(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => format!("{MARK}{other}"),
    }
}

/// What [`key`] was given.
pub fn from_key(key: &str) -> Value {
    match key.strip_prefix(MARK) {
        None => Value::String(key.to_owned()),
        Some(rest) => serde_json::from_str(rest).unwrap_or_else(|_| Value::String(rest.to_owned())),
    }
}

/// The value with its keys written as JSON has them.
pub fn plain(value: Value) -> Value {
    // Hardly any value has such a key, and the others need not be made anew.
    if is_plain(&value) { value } else { made_plain(value) }
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().all(is_plain),
        Value::Object(map) => map.iter().all(|(key, value)| !key.starts_with(MARK) && is_plain(value)),
        _ => true,
    }
}

fn made_plain(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(made_plain).collect()),
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (plain_key(key), made_plain(value))).collect())
        }
        other => other,
    }
}

fn plain_key(key: String) -> String {
    match key.strip_prefix(MARK) {
        Some(rest) => rest.to_owned(),
        None => key,
    }
}

/// A float as JSON; what JSON has no number for becomes its name, as in Python's `json`.
pub fn float(number: f64) -> Value {
    match serde_json::Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => Value::String("NaN".into()),
        None if number > 0.0 => Value::String("Infinity".into()),
        None => Value::String("-Infinity".into()),
    }
}

/// As Python's `str()` prints it.
pub fn python_str(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_repr(other),
    }
}

/// As Python's `repr()` prints it.
pub fn python_repr(value: &Value) -> String {
    let mut out = String::new();
    write_repr(&mut out, value);
    out
}

fn write_repr(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Number(number) => out.push_str(&number_repr(number)),
        Value::String(text) => out.push_str(&string_repr(text)),
        Value::Array(items) => write_list(out, items.iter().map(|v| move |o: &mut String| write_repr(o, v)), '[', ']'),
        Value::Object(map) => write_list(
            out,
            map.iter().map(|(k, v)| {
                move |o: &mut String| {
                    write_repr(o, &from_key(k));
                    o.push_str(": ");
                    write_repr(o, v);
                }
            }),
            '{',
            '}',
        ),
    }
}

fn write_list<F: Fn(&mut String)>(out: &mut String, items: impl Iterator<Item = F>, open: char, close: char) {
    out.push(open);
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        item(out);
    }
    out.push(close);
}

fn number_repr(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => float_repr(float),
        _ => number.to_string(),
    }
}

/// Python's `repr` of a float: shortest form, exponent from 1e16 on and below 1e-4.
pub fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let magnitude = number.abs();
    if number != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{number:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    let text = format!("{number}");
    if text.contains('.') { text } else { text + ".0" }
}

/// Python's `repr` of a string: single quotes unless only those are inside.
pub fn string_repr(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\x{:02x}", c as u32)),
            c if (0x80..0xa1).contains(&(c as u32)) || c as u32 == 0xad => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c if matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{feff}') =>
            {
                out.push_str(&format!("\\u{:04x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_that_are_not_strings_survive_inside_and_are_plain_outside() {
        for value in [json!(8080), json!(true), json!(null), json!("8080"), json!(1.5), json!(1.2345678901234512e89)] {
            assert_eq!(from_key(&key(&value)), value);
        }
        let map: proto::Map = [(key(&json!(8080)), json!({key(&json!(null)): 1}))].into_iter().collect();
        assert_eq!(plain(Value::Object(map)), json!({"8080": {"null": 1}}));
    }

    #[test]
    fn prints_as_python_does() {
        let value = json!({"a": [1, 1.0, null, true, "it's", "x\n"], "b": {}});
        assert_eq!(python_repr(&value), r#"{'a': [1, 1.0, None, True, "it's", 'x\n'], 'b': {}}"#);
        assert_eq!(float_repr(1e16), "1e+16");
        assert_eq!(float_repr(0.00001), "1e-05");
        assert_eq!(float_repr(123456789012345.0), "123456789012345.0");
    }
}
