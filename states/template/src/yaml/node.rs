//! A YAML value that knows where it was written.

use std::sync::Arc;

use proto::{Map, Value};

use crate::{
    diag::{Place, Source},
    value,
};

/// A value and its place.
#[derive(Debug, Clone)]
pub struct Node {
    pub data: Data,
    pub source: Arc<Source>,
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// In characters, on the first line.
    pub length: u32,
}

/// What a [`Node`] holds. Aliases share their parts.
#[derive(Debug, Clone)]
pub enum Data {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer that no `i64` holds, in decimal digits.
    Big(Arc<str>),
    Float(f64),
    Str(Arc<str>),
    Seq(Arc<Vec<Node>>),
    /// In the order written; no key twice.
    Map(Arc<Vec<(Node, Node)>>),
}

/// A mapping's key, equal as Python has it: `1`, `1.0` and `True` are one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    Null,
    Int(i64),
    /// Bits of a float that is not an integer.
    Float(u64),
    Str(Arc<str>),
}

impl Node {
    pub fn place(&self) -> Place {
        Place::new(&self.source, self.line, self.column, self.length)
    }

    pub fn as_str(&self) -> Option<&str> {
        match &self.data {
            Data::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_seq(&self) -> Option<&[Node]> {
        match &self.data {
            Data::Seq(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_map(&self) -> Option<&[(Node, Node)]> {
        match &self.data {
            Data::Map(pairs) => Some(pairs),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.data, Data::Null)
    }

    /// The value beneath a string key. Looks through all of them: for mappings that people write.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.iter().find(|(k, _)| k.as_str() == Some(key)).map(|(_, v)| v)
    }

    /// The only pair of a mapping of one.
    pub fn single(&self) -> Option<&(Node, Node)> {
        match self.as_map()? {
            [pair] => Some(pair),
            _ => None,
        }
    }

    /// What kind of thing it is, as a reader of YAML would say.
    pub fn kind(&self) -> &'static str {
        match self.data {
            Data::Null => "nothing",
            Data::Bool(_) => "a boolean",
            Data::Int(_) | Data::Big(_) => "an integer",
            Data::Float(_) => "a number",
            Data::Str(_) => "a string",
            Data::Seq(_) => "a list",
            Data::Map(_) => "a mapping",
        }
    }

    /// As a mapping's key; `None` for lists and mappings, which cannot be one.
    pub fn key(&self) -> Option<Key> {
        Some(match &self.data {
            Data::Null => Key::Null,
            Data::Bool(b) => Key::Int(i64::from(*b)),
            Data::Int(i) => Key::Int(*i),
            Data::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Key::Int(*f as i64),
            Data::Float(f) => Key::Float(f.to_bits()),
            Data::Big(text) => Key::Str(format!("\0{text}").into()),
            Data::Str(text) => Key::Str(text.clone()),
            Data::Seq(_) | Data::Map(_) => return None,
        })
    }

    /// As Python's `str()` prints a scalar.
    pub fn to_text(&self) -> String {
        match &self.data {
            Data::Str(text) => text.to_string(),
            _ => value::python_str(&to_value(self)),
        }
    }
}

/// The bare value. Keys that are not strings are kept as [`value::key`] writes them.
pub fn to_value(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::Null,
        Data::Bool(b) => Value::Bool(*b),
        Data::Int(i) => Value::from(*i),
        Data::Big(text) => big(text),
        Data::Float(f) => value::float(*f),
        Data::Str(text) => Value::String(text.to_string()),
        Data::Seq(items) => Value::Array(items.iter().map(to_value).collect()),
        Data::Map(pairs) => Value::Object(to_map(pairs)),
    }
}

fn to_map(pairs: &[(Node, Node)]) -> Map {
    pairs.iter().map(|(key, node)| (to_key(key), to_value(node))).collect()
}

/// A mapping's key as [`to_value`] keeps it. What no number of ours holds stays the digits that were
/// written: as a float it would be another key.
pub fn to_key(key: &Node) -> String {
    match &key.data {
        Data::Str(text) => text.to_string(),
        Data::Big(text) if text.parse::<u64>().is_err() => text.to_string(),
        _ => value::key(&to_value(key)),
    }
}

fn big(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) => Value::from(number),
        Err(_) => value::float(text.parse().unwrap_or(f64::NAN)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml;

    #[test]
    fn keys_without_end_keep_their_digits() {
        let digits = "1234567890".repeat(9);
        let text = format!("{digits}: 12345678901234567890\nb: -{digits}\n");
        let value = to_value(&yaml::parse("x", &text).unwrap());
        assert_eq!(value, json!({digits.clone(): 12_345_678_901_234_567_890_u64, "b": -1.234_567_890_123_456_8e89}));
        assert_eq!(to_value(&yaml::parse("again", &yaml::emit(&value)).unwrap()), value);
    }
}
