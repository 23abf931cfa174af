//! How Python prints values, and how Salt prints mappings so that YAML can read them back.

use super::value::{IterKind, Key, Value};
use crate::{
    value::{float_repr, string_repr},
    yaml,
};

/// Python's `str()`.
pub fn str(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        Value::Undefined(missing) if missing.soft => String::new(),
        other => repr(other),
    }
}

/// Python's `repr()`.
pub fn repr(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Flavour::Python, 0);
    out
}

/// Python's `pprint`, as far as a line holds it.
pub fn sorted(value: &Value) -> String {
    let mut out = String::new();
    write(&mut out, value, Flavour::Sorted, 0);
    out
}

/// What `{{ value }}` writes. Salt quotes a text with line breaks inside of a mapping as YAML.
pub fn output(out: &mut String, value: &Value) {
    match value {
        Value::Str(text) => out.push_str(text),
        Value::Undefined(missing) if missing.soft => {}
        other => write(out, other, Flavour::Salt, 0),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Flavour {
    Python,
    Salt,
    /// As Python's `pprint`: mappings by their keys.
    Sorted,
}

const DEPTH: usize = 100;

fn write(out: &mut String, value: &Value, flavour: Flavour, depth: usize) {
    if depth > DEPTH {
        return out.push_str("...");
    }
    match value {
        Value::Undefined(_) => out.push_str("Undefined"),
        Value::None => out.push_str("None"),
        Value::Bool(true) => out.push_str("True"),
        Value::Bool(false) => out.push_str("False"),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&float_repr(*f)),
        Value::Str(text) => out.push_str(&string_repr(text)),
        Value::List(items) => sequence(out, &items.borrow(), ("[", "]"), flavour, depth),
        Value::Tuple(items) if items.len() == 1 => sequence(out, items, ("(", ",)"), flavour, depth),
        Value::Tuple(items) => sequence(out, items, ("(", ")"), flavour, depth),
        Value::Set(set) if set.borrow().is_empty() => out.push_str("set()"),
        Value::Set(set) => {
            let items: Vec<Value> = set.borrow().iter().map(Key::to_value).collect();
            sequence(out, &items, ("{", "}"), flavour, depth);
        }
        Value::Dict(dict) if flavour == Flavour::Sorted => {
            let dict = dict.borrow();
            mapping(out, super::pprint::sorted(&dict).into_iter(), flavour, depth);
        }
        Value::Dict(dict) => mapping(out, dict.borrow().iter(), flavour, depth),
        Value::Iter(items, IterKind::Keys) => sequence(out, items, ("dict_keys([", "])"), flavour, depth),
        Value::Iter(items, IterKind::Values) => sequence(out, items, ("dict_values([", "])"), flavour, depth),
        Value::Iter(items, IterKind::Items) => sequence(out, items, ("dict_items([", "])"), flavour, depth),
        Value::Iter(_, IterKind::Range { start, stop, step: 1 }) => out.push_str(&format!("range({start}, {stop})")),
        Value::Iter(_, IterKind::Range { start, stop, step }) => {
            out.push_str(&format!("range({start}, {stop}, {step})"));
        }
        Value::Iter(_, IterKind::Generator) => out.push_str("<generator object>"),
        Value::Object(object) => out.push_str(&object.print()),
    }
}

fn sequence(out: &mut String, items: &[Value], (open, close): (&str, &str), flavour: Flavour, depth: usize) {
    out.push_str(open);
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(out, item, flavour, depth + 1);
    }
    out.push_str(close);
}

fn mapping<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a Key, &'a Value)>, flavour: Flavour, depth: usize) {
    out.push('{');
    for (i, (key, value)) in pairs.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(out, &key.to_value(), Flavour::Python, depth + 1);
        out.push_str(": ");
        match value {
            Value::Str(text) if flavour == Flavour::Salt && text.contains(['\n', '\r', '\t']) => {
                out.push_str(&yaml::double_quoted(text));
            }
            value => write(out, value, flavour, depth + 1),
        }
    }
    out.push('}');
}
