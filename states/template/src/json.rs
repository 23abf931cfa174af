//! JSON as Python's `json.dumps` writes it.

use std::{cmp::Ordering, io};

use proto::Value;
use serde::{Serialize, ser::SerializeMap};
use serde_json::ser::{Formatter, Serializer};

use crate::value;

/// `, ` and `: ` between items unless there is an indent.
pub fn python(value: &Value, sort_keys: bool, indent: Option<&str>) -> String {
    written(value, sort_keys, Layout { indent, ..Layout::default() })
}

/// As [`python`], with everything beyond ASCII escaped.
pub fn python_ascii(value: &Value, sort_keys: bool, indent: Option<&str>) -> String {
    written(value, sort_keys, Layout { indent, ascii: true, ..Layout::default() })
}

/// In ASCII, without blanks.
pub fn compact(value: &Value) -> String {
    written(value, false, Layout { ascii: true, compact: true, ..Layout::default() })
}

#[derive(Default)]
struct Layout<'a> {
    indent: Option<&'a str>,
    ascii: bool,
    compact: bool,
    depth: usize,
    /// Whether anything stands in the bracket that is open.
    filled: bool,
}

fn written(value: &Value, sort_keys: bool, layout: Layout<'_>) -> String {
    let mut out = Vec::new();
    // Writing to memory does not fail, and no key is anything but a string.
    let _ = Shown { value, sort_keys }.serialize(&mut Serializer::with_formatter(&mut out, layout));
    String::from_utf8(out).unwrap_or_default()
}

/// A value whose keys are written as Python writes keys that are no strings.
struct Shown<'a> {
    value: &'a Value,
    sort_keys: bool,
}

impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let inner = |value| Shown { value, sort_keys: self.sort_keys };
        match self.value {
            Value::Array(items) => to.collect_seq(items.iter().map(inner)),
            Value::Object(map) => {
                let mut pairs: Vec<(Value, &Value)> =
                    map.iter().map(|(key, item)| (value::from_key(key), item)).collect();
                if self.sort_keys {
                    pairs.sort_by(|(a, _), (b, _)| in_order(a, b));
                }
                let mut out = to.serialize_map(Some(pairs.len()))?;
                for (key, item) in pairs {
                    out.serialize_entry(&json_key(key), &inner(item))?;
                }
                out.end()
            }
            other => other.serialize(to),
        }
    }
}

/// Keys as Python sorts them: numbers by their value, texts by their signs.
fn in_order(a: &Value, b: &Value) -> Ordering {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => json_key(a.clone()).cmp(&json_key(b.clone())),
    }
}

fn json_key(key: Value) -> String {
    match key {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Layout<'_> {
    fn open<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(bracket)
    }

    fn next<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if !first {
            out.write_all(if self.compact || self.indent.is_some() { b"," } else { b", " })?;
        }
        self.line(out)
    }

    fn close<W: ?Sized + io::Write>(&mut self, out: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.line(out)?;
        }
        self.filled = true;
        out.write_all(bracket)
    }

    fn line<W: ?Sized + io::Write>(&self, out: &mut W) -> io::Result<()> {
        self.indent.map_or(Ok(()), |indent| write!(out, "\n{}", indent.repeat(self.depth)))
    }
}

/// Python's blanks, floats and escapes.
impl Formatter for Layout<'_> {
    fn write_f64<W: ?Sized + io::Write>(&mut self, out: &mut W, number: f64) -> io::Result<()> {
        out.write_all(value::float_repr(number).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        if !self.ascii {
            return out.write_all(fragment.as_bytes());
        }
        fragment.chars().try_for_each(|c| match c {
            c if c.is_ascii() => out.write_all(&[c as u8]),
            c => c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        })
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(if self.compact { b":" } else { b": " })
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
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
        assert_eq!(
            python(&json!({"a": [], "b": [1, {}]}), false, Some("  ")),
            "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}"
        );
        assert_eq!(
            compact(&json!({"b": [1, 2], "a": "😀\u{7f}\u{1}"})),
            r#"{"b":[1,2],"a":"\ud83d\ude00_\u0001"}"#.replace('_', "\u{7f}")
        );
    }

    #[test]
    fn keys_are_sorted_as_what_they_are() {
        let map: proto::Map = [10, 9].map(|n| (value::key(&json!(n)), json!(n))).into_iter().collect();
        assert_eq!(python(&Value::Object(map), true, None), r#"{"9": 9, "10": 10}"#);
    }
}
