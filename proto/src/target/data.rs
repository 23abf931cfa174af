//! Matching nested data (grains, pillar) as Salt does: `subdict_match` and
//! `traverse_dict_and_list` of `salt/utils/data.py`.
//!
//! `a:b:c` matches when `data[a][b]` is, has or lists `c`, or when `data[a]` does so for `b:c`;
//! the deeper reading is tried first. `*` as a name stands for every name of its level.

use std::{borrow::Cow, fmt};

use fancy_regex::Regex;

use super::{Asks, Problem, Subject, at_start, parse};
use crate::{Glob, Map, Value};

/// More levels than this are refused: matching tries them all.
const LEVELS: usize = 16;

/// `G@`, `P@`, `I@` or `J@`.
#[derive(Debug, Clone)]
pub(super) struct DataMatch {
    letter: char,
    delimiter: char,
    expression: String,
    /// What is compared is always an end of the expression: each of these, compiled, by its length.
    ends: Vec<(usize, Pattern)>,
}

#[derive(Debug, Clone)]
enum Pattern {
    Glob(Glob),
    Regex(Box<Regex>),
}

impl DataMatch {
    pub fn new(letter: char, delimiter: char, expression: &str) -> Result<Self, Problem> {
        if !expression.contains(delimiter) {
            return Err(Problem::NoValue(letter, delimiter));
        }
        if expression.split(delimiter).count().max(expression.split(':').count()) > LEVELS {
            return Err(Problem::TooMuch);
        }
        let starts =
            expression.char_indices().filter(|&(_, c)| c == delimiter || c == ':').map(|(at, c)| at + c.len_utf8());
        let is_regex = matches!(letter, 'P' | 'J');
        let end = |at: usize| {
            let end = &expression[at..];
            let pattern = if is_regex {
                Pattern::Regex(Box::new(parse::regex(end, true)?))
            } else {
                Pattern::Glob(Glob::new(&end.to_lowercase()))
            };
            Ok((end.len(), pattern))
        };
        // A part of an expression may be no regular expression where the whole is one, and the
        // other way round; the value alone must be one.
        let ends: Vec<Result<_, Problem>> = std::iter::once(0).chain(starts).map(end).collect();
        let last = ends.last().cloned();
        let ends = ends.into_iter().filter_map(Result::ok).collect();
        last.transpose()?;
        Ok(Self { letter, delimiter, expression: expression.to_owned(), ends })
    }

    pub fn is_regex(&self) -> bool {
        matches!(self.letter, 'P' | 'J')
    }

    /// `None` for pillar that is not known.
    pub fn decide(&self, subject: &Subject<'_>) -> Option<bool> {
        let data = if matches!(self.letter, 'I' | 'J') { subject.pillar? } else { subject.grains };
        Some(self.subdict(data, &self.expression, self.delimiter))
    }

    /// What it looks at: the name before the first delimiter, or everything for a `*`.
    pub fn asks(&self, asks: &mut Asks) {
        if matches!(self.letter, 'I' | 'J') {
            asks.pillar = true;
            return;
        }
        match self.expression.split(self.delimiter).next() {
            Some(name) if name != "*" => {
                asks.grains.insert(name.to_owned());
            }
            _ => asks.all_grains = true,
        }
    }

    pub fn gropes_pillar(&self) -> bool {
        match self.letter {
            'I' => self.expression.contains(['*', '?', '[']),
            'J' => true,
            _ => false,
        }
    }

    fn subdict(&self, data: &Map, expression: &str, delimiter: char) -> bool {
        // From the last delimiter to the first: the deepest reading goes first.
        expression.rmatch_indices(delimiter).any(|(at, found)| {
            let (key, end) = (&expression[..at], &expression[at + found.len()..]);
            if key == "*" {
                return self.in_map(data, expression);
            }
            match traverse(data, key, delimiter) {
                None => false,
                Some(Value::Object(map)) => !map.is_empty() && self.in_map(map, end),
                Some(Value::Array(items)) => items
                    .iter()
                    .any(|item| item.as_object().is_some_and(|map| self.in_map(map, end)) || self.compare(item, end)),
                Some(value) => self.compare(value, end),
            }
        })
    }

    fn in_map(&self, map: &Map, end: &str) -> bool {
        let (wildcard, end) = match end.strip_prefix("*:") {
            Some(rest) => (true, rest),
            None => (false, end),
        };
        end == "*"
            || map.contains_key(end)
            || map.keys().any(|key| self.compare_text(key, end))
            || self.subdict(map, end, ':')
            || (wildcard && map.values().any(|value| self.below(value, end)))
    }

    fn below(&self, value: &Value, end: &str) -> bool {
        match value {
            Value::Object(map) => self.in_map(map, end),
            Value::Array(items) => items.iter().any(|item| self.compare(item, end)),
            value => self.compare(value, end),
        }
    }

    fn compare(&self, value: &Value, end: &str) -> bool {
        self.compare_text(&python_text(value), end)
    }

    fn compare_text(&self, text: &str, end: &str) -> bool {
        let Some((_, pattern)) = self.ends.iter().find(|(length, _)| *length == end.len()) else { return false };
        match pattern {
            Pattern::Glob(glob) => glob.is_match(&lowered(text)),
            Pattern::Regex(regex) => at_start(regex, text),
        }
    }
}

impl fmt::Display for DataMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delimiter = if self.delimiter == ':' { String::new() } else { self.delimiter.to_string() };
        write!(f, "{}{delimiter}@{}", self.letter, parse::quoted(&self.expression))
    }
}

fn lowered(text: &str) -> Cow<'_, str> {
    let lower = text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    if lower { text.into() } else { text.to_lowercase().into() }
}

/// What Python's `str()` makes of a value: grains are compared as text.
fn python_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => text.into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Null => "None".into(),
        Value::Number(number) => number.to_string().into(),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_repr).collect();
            format!("[{}]", items.join(", ")).into()
        }
        Value::Object(map) => {
            let items: Vec<String> =
                map.iter().map(|(key, value)| format!("'{key}': {}", python_repr(value))).collect();
            format!("{{{}}}", items.join(", ")).into()
        }
    }
}

fn python_repr(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{text}'"),
        value => python_text(value).into_owned(),
    }
}

/// `data[a][b]…`; a list is entered by number, or through the first of its mappings that has the
/// name.
fn traverse<'a>(data: &'a Map, key: &str, delimiter: char) -> Option<&'a Value> {
    let mut names = key.split(delimiter);
    let first = data.get(names.next()?)?;
    names.try_fold(first, |value, name| match value {
        Value::Object(map) => map.get(name),
        Value::Array(items) => match name.parse::<i64>() {
            Ok(index) => at(items, index),
            Err(_) => items.iter().filter_map(Value::as_object).find_map(|map| map.get(name)),
        },
        _ => None,
    })
}

/// Python's indexing: negative numbers count from the end.
fn at(items: &[Value], index: i64) -> Option<&Value> {
    let from_end = if index < 0 { items.len() as i64 } else { 0 };
    items.get(usize::try_from(from_end.checked_add(index)?).ok()?)
}
