//! Methods of strings.

use std::sync::Arc;

use super::Table;
use crate::jinja::{
    Error, error, format,
    object::Args,
    value::{Dict, Key, Value},
};

type Text = Arc<str>;

pub const TABLE: Table<Text> = &[
    ("capitalize", |s, _| Ok(capitalize(s).into())),
    ("casefold", |s, _| Ok(s.to_lowercase().replace('ß', "ss").into())),
    ("lower", |s, _| Ok(s.to_lowercase().into())),
    ("upper", |s, _| Ok(s.to_uppercase().into())),
    ("title", |s, _| Ok(title(s).into())),
    ("swapcase", |s, _| Ok(swapcase(s).into())),
    ("strip", |s, args| strip(s, args, true, true)),
    ("lstrip", |s, args| strip(s, args, true, false)),
    ("rstrip", |s, args| strip(s, args, false, true)),
    ("split", |s, args| split(s, args, false)),
    ("rsplit", |s, args| split(s, args, true)),
    ("splitlines", splitlines),
    ("partition", |s, args| partition(s, args, false)),
    ("rpartition", |s, args| partition(s, args, true)),
    ("join", join),
    ("replace", replace),
    ("startswith", |s, args| affix(s, args, |s, part| s.starts_with(part))),
    ("endswith", |s, args| affix(s, args, |s, part| s.ends_with(part))),
    ("removeprefix", |s, args| Ok(s.strip_prefix(args.text(0, "prefix")?).unwrap_or(s).into())),
    ("removesuffix", |s, args| Ok(s.strip_suffix(args.text(0, "suffix")?).unwrap_or(s).into())),
    ("find", |s, args| Ok(Value::Int(position(s, args, false)?.unwrap_or(-1)))),
    ("rfind", |s, args| Ok(Value::Int(position(s, args, true)?.unwrap_or(-1)))),
    ("index", |s, args| found(position(s, args, false)?)),
    ("rindex", |s, args| found(position(s, args, true)?)),
    ("count", |s, args| {
        let part = args.text(0, "sub")?;
        let (start, end) = bounds(s, args)?;
        let Some(s) = s.get(start..end) else { return Ok(Value::Int(0)) };
        let count = if part.is_empty() { s.chars().count() + 1 } else { s.matches(part).count() };
        Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
    }),
    ("center", |s, args| pad(s, args, Side::Both)),
    ("ljust", |s, args| pad(s, args, Side::Right)),
    ("rjust", |s, args| pad(s, args, Side::Left)),
    ("zfill", zfill),
    ("expandtabs", |s, args| Ok(without_tabs(s, width(args.int_or(0, "tabsize", 8)?)?).into())),
    ("format", |s, args| format::format(s, args).map(Value::from)),
    ("format_map", |s, args| match args.value(0, "mapping")? {
        Value::Dict(dict) => {
            let name = |key: &Key| crate::jinja::print::str(&key.to_value());
            let named = dict.borrow().iter().map(|(key, value)| (name(key), value.clone())).collect();
            format::format(s, &Args { positional: Vec::new(), named }).map(Value::from)
        }
        other => error(format!("format_map needs a dict, not {}", other.described())),
    }),
    ("maketrans", |_, args| {
        let (from, to) = (args.text(0, "x")?, args.text(1, "y")?);
        let code = |c: char| i64::from(u32::from(c));
        Ok(Value::dict(from.chars().zip(to.chars()).map(|(a, b)| (Key::Int(code(a)), Value::Int(code(b)))).collect()))
    }),
    ("translate", |s, args| match args.value(0, "table")? {
        Value::Dict(table) => Ok(s.chars().map(|c| translated(c, &table.borrow())).collect::<String>().into()),
        other => error(format!("translate needs a dict, not {}", other.described())),
    }),
    ("encode", |s, _| Ok(Value::Str(s.clone()))),
    ("decode", |s, _| Ok(Value::Str(s.clone()))),
    ("isalnum", |s, _| Ok(all(s, char::is_alphanumeric))),
    ("isalpha", |s, _| Ok(all(s, char::is_alphabetic))),
    ("isascii", |s, _| Ok(Value::Bool(s.is_ascii()))),
    ("isdecimal", |s, _| Ok(all(s, char::is_numeric))),
    ("isdigit", |s, _| Ok(all(s, char::is_numeric))),
    ("isnumeric", |s, _| Ok(all(s, char::is_numeric))),
    ("isprintable", |s, _| {
        Ok(Value::Bool(s.chars().all(|c| matches!(c, '\\' | '\'' | '"') || c.escape_debug().count() == 1)))
    }),
    ("isspace", |s, _| Ok(all(s, char::is_whitespace))),
    ("islower", |s, _| Ok(Value::Bool(s.chars().any(char::is_lowercase) && !s.chars().any(char::is_uppercase)))),
    ("isupper", |s, _| Ok(Value::Bool(s.chars().any(char::is_uppercase) && !s.chars().any(char::is_lowercase)))),
    ("istitle", |s, _| Ok(Value::Bool(s.chars().any(char::is_alphabetic) && title(s) == **s))),
    ("isidentifier", |s, _| {
        let rest = s.chars().all(|c| c.is_alphanumeric() || c == '_');
        Ok(Value::Bool(rest && s.chars().next().is_some_and(|c| !c.is_numeric())))
    }),
];

/// Each tab fills up to the next column that `size` divides.
fn without_tabs(text: &str, size: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        let wide = if c == '\t' { (column / size.max(1) + 1) * size - column } else { 1 };
        match c {
            '\t' => out.push_str(&" ".repeat(wide)),
            c => out.push(c),
        }
        column = if matches!(c, '\n' | '\r') { 0 } else { column + wide };
    }
    out
}

fn translated(c: char, table: &Dict) -> String {
    match table.get(&Key::Int(i64::from(u32::from(c)))) {
        None => c.to_string(),
        Some(Value::None) => String::new(),
        Some(Value::Int(code)) => {
            u32::try_from(*code).ok().and_then(char::from_u32).map_or(String::new(), String::from)
        }
        Some(other) => crate::jinja::print::str(other),
    }
}

fn all(text: &str, test: impl Fn(char) -> bool) -> Value {
    Value::Bool(!text.is_empty() && text.chars().all(test))
}

pub fn capitalize(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase(),
        None => String::new(),
    }
}

/// A capital at the start of each run of letters.
pub fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = false;
    for c in text.chars() {
        if inside {
            out.extend(c.to_lowercase());
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c.is_alphabetic();
    }
    out
}

fn swapcase(text: &str) -> String {
    text.chars()
        .flat_map(|c| if c.is_uppercase() { c.to_lowercase().collect::<Vec<_>>() } else { c.to_uppercase().collect() })
        .collect()
}

fn strip(text: &str, args: &Args, front: bool, back: bool) -> Result<Value, Error> {
    let chars = match args.get(0, "chars") {
        None | Some(Value::None) => None,
        Some(_) => Some(args.text(0, "chars")?),
    };
    let goes = |c: char| chars.map_or(c.is_whitespace(), |chars| chars.contains(c));
    let mut text = text;
    if front {
        text = text.trim_start_matches(goes);
    }
    if back {
        text = text.trim_end_matches(goes);
    }
    Ok(text.into())
}

fn split(text: &str, args: &Args, from_right: bool) -> Result<Value, Error> {
    let limit = usize::try_from(args.int_or(1, "maxsplit", -1)?).unwrap_or(usize::MAX - 1);
    let parts: Vec<&str> = match args.get(0, "sep") {
        None | Some(Value::None) => words(text, limit, from_right),
        Some(_) => {
            let separator = args.text(0, "sep")?;
            if separator.is_empty() {
                return error("a text cannot be split at nothing");
            }
            if from_right {
                let mut parts: Vec<&str> = text.rsplitn(limit + 1, separator).collect();
                parts.reverse();
                parts
            } else {
                text.splitn(limit + 1, separator).collect()
            }
        }
    };
    Ok(Value::list(parts.into_iter().map(Value::from).collect()))
}

/// Split at runs of white space.
fn words(text: &str, limit: usize, from_right: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = if from_right { text.trim_end() } else { text.trim_start() };
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        match cut {
            Some(at) if parts.len() < limit => {
                let wide = rest[at..].chars().next().map_or(1, char::len_utf8);
                if from_right {
                    parts.push(&rest[at + wide..]);
                    rest = rest[..at].trim_end();
                } else {
                    parts.push(&rest[..at]);
                    rest = rest[at..].trim_start();
                }
            }
            _ => {
                parts.push(if from_right { rest.trim_start() } else { rest });
                break;
            }
        }
    }
    if from_right {
        parts.reverse();
    }
    parts
}

fn splitlines(text: &Text, args: &Args) -> Result<Value, Error> {
    let keep = args.truth_or(0, "keepends", false)?;
    let lines = text.split_inclusive('\n').map(|line| if keep { line } else { line.trim_end_matches(['\n', '\r']) });
    Ok(Value::list(lines.map(Value::from).collect()))
}

fn partition(text: &str, args: &Args, from_right: bool) -> Result<Value, Error> {
    let separator = args.text(0, "sep")?;
    let cut = if from_right { text.rsplit_once(separator) } else { text.split_once(separator) };
    let parts = match cut {
        Some((before, after)) => [before, separator, after],
        None if from_right => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::tuple(parts.into_iter().map(Value::from).collect()))
}

fn join(text: &Text, args: &Args) -> Result<Value, Error> {
    let mut parts = Vec::new();
    for item in args.value(0, "iterable")?.iterate()? {
        match item.as_str() {
            Some(part) => parts.push(part.to_owned()),
            None => return error(format!("only strings can be joined, not {}", item.described())),
        }
    }
    Ok(parts.join(text).into())
}

fn replace(text: &Text, args: &Args) -> Result<Value, Error> {
    let (old, new) = (args.text(0, "old")?, args.text(1, "new")?);
    Ok(match usize::try_from(args.int_or(2, "count", -1)?) {
        Ok(count) => text.replacen(old, new, count).into(),
        Err(_) => text.replace(old, new).into(),
    })
}

/// The bytes between the arguments `start` and `end`, which count characters, from the end too.
fn bounds(text: &str, args: &Args) -> Result<(usize, usize), Error> {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let place = |index: usize, name: &str, default: i64| -> Result<usize, Error> {
        let at = args.int_or(index, name, default)?;
        let at = if at < 0 { at.saturating_add(length).max(0) } else { at.min(length) };
        Ok(text.char_indices().nth(usize::try_from(at).unwrap_or(0)).map_or(text.len(), |(at, _)| at))
    };
    Ok((place(1, "start", 0)?, place(2, "end", length)?))
}

fn affix(text: &str, args: &Args, test: impl Fn(&str, &str) -> bool) -> Result<Value, Error> {
    let (start, end) = bounds(text, args)?;
    let text = text.get(start..end).unwrap_or("");
    Ok(Value::Bool(match args.value(0, "prefix")? {
        Value::Tuple(parts) => parts.iter().any(|part| part.as_str().is_some_and(|part| test(text, part))),
        _ => test(text, args.text(0, "prefix")?),
    }))
}

fn position(text: &str, args: &Args, from_right: bool) -> Result<Option<i64>, Error> {
    let part = args.text(0, "sub")?;
    let (start, end) = bounds(text, args)?;
    let Some(within) = text.get(start..end) else { return Ok(None) };
    let found = if from_right { within.rfind(part) } else { within.find(part) };
    Ok(found.map(|at| i64::try_from(text[..start + at].chars().count()).unwrap_or(i64::MAX)))
}

fn found(at: Option<i64>) -> Result<Value, Error> {
    at.map_or_else(|| error("substring not found"), |at| Ok(Value::Int(at)))
}

enum Side {
    Left,
    Right,
    Both,
}

fn width(number: i64) -> Result<usize, Error> {
    match usize::try_from(number) {
        Ok(width) if width > 1_000_000 => error("this width is too large"),
        Ok(width) => Ok(width),
        Err(_) => Ok(0),
    }
}

fn pad(text: &str, args: &Args, side: Side) -> Result<Value, Error> {
    let fill = args.text_or(1, "fillchar", " ")?;
    let missing = width(args.int(0, "width")?)?.saturating_sub(text.chars().count());
    let (left, right) = match side {
        Side::Left => (missing, 0),
        Side::Right => (0, missing),
        // As CPython: the odd blank goes left when the width is odd.
        Side::Both => {
            let left = missing / 2 + (missing & width(args.int(0, "width")?)? & 1);
            (left, missing - left)
        }
    };
    Ok((fill.repeat(left) + text + &fill.repeat(right)).into())
}

fn zfill(text: &Text, args: &Args) -> Result<Value, Error> {
    let missing = width(args.int(0, "width")?)?.saturating_sub(text.chars().count());
    let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
    Ok(format!("{sign}{}{digits}", "0".repeat(missing)).into())
}
