//! Methods of Python's own types.

mod dict;
mod list;
mod number;
mod set;
mod text;

use super::{Error, error, object::Args, value::Value};

type Table<T> = &'static [(&'static str, fn(&T, &Args) -> Result<Value, Error>)];

/// Methods that take nothing.
const ALONE: [&str; 26] = [
    "capitalize",
    "casefold",
    "lower",
    "upper",
    "title",
    "swapcase",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "keys",
    "values",
    "items",
    "copy",
    "clear",
    "popitem",
    "reverse",
    "bit_length",
];

/// The method's name, if a value of this type has one by it.
pub fn find(of: &Value, name: &str) -> Option<&'static str> {
    match of {
        Value::Str(_) => named(text::TABLE, name),
        Value::List(_) => named(list::TABLE, name),
        Value::Tuple(_) => named(list::TUPLE, name),
        Value::Dict(_) => named(dict::TABLE, name),
        Value::Set(_) => named(set::TABLE, name),
        Value::Int(_) | Value::Float(_) | Value::Bool(_) => named(number::TABLE, name),
        _ => None,
    }
}

fn named<T>(table: Table<T>, name: &str) -> Option<&'static str> {
    table.iter().find(|(known, _)| *known == name).map(|(known, _)| *known)
}

/// A member that is no method: the parts of Python's numbers.
pub fn member(of: &Value, name: &str) -> Option<Value> {
    match (of, name) {
        (Value::Int(_) | Value::Bool(_), "real" | "numerator") => of.as_int().map(Value::Int),
        (Value::Int(_) | Value::Bool(_), "imag") => Some(Value::Int(0)),
        (Value::Int(_) | Value::Bool(_), "denominator") => Some(Value::Int(1)),
        (Value::Float(_), "real") => Some(of.clone()),
        (Value::Float(_), "imag") => Some(Value::Float(0.0)),
        _ => None,
    }
}

/// Calls a method that [`find`] gave.
pub fn call(of: &Value, name: &str, args: &Args) -> Result<Value, Error> {
    match of {
        Value::Str(text) => with(text::TABLE, text, name, args),
        Value::List(items) => with(list::TABLE, items, name, args),
        Value::Tuple(items) => with(list::TUPLE, items, name, args),
        Value::Dict(dict) => with(dict::TABLE, dict, name, args),
        Value::Set(set) => with(set::TABLE, set, name, args),
        other => with(number::TABLE, other, name, args),
    }
}

fn with<T>(table: Table<T>, of: &T, name: &str, args: &Args) -> Result<Value, Error> {
    match table.iter().find(|(known, _)| *known == name) {
        Some(_) if ALONE.contains(&name) && !(args.positional.is_empty() && args.named.is_empty()) => {
            error(format!("{name}() takes no arguments"))
        }
        Some((_, method)) => method(of, args),
        None => error(format!("there is no method '{name}'")),
    }
}
