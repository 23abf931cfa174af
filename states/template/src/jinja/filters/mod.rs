//! Filters: Jinja2's own and Salt's.

mod data;
mod declared;
mod encode;
mod list;
mod net;
mod text;
mod time;
mod xml;

use std::cmp::Ordering;

pub use declared::check;

use super::{Error, Eval, error, object::Args, value::Value};
use crate::{Diagnostic, diag::did_you_mean};

pub type Filter = fn(&mut Eval<'_>, Value, &Args) -> Result<Value, Error>;
type Table = &'static [(&'static str, Filter)];

const TABLES: [Table; 6] = [text::TABLE, list::TABLE, data::TABLE, encode::TABLE, net::TABLE, time::TABLE];

pub fn find(name: &str) -> Option<Filter> {
    TABLES.iter().flat_map(|table| table.iter()).find(|(known, _)| *known == name).map(|(_, filter)| *filter)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    TABLES.iter().flat_map(|table| table.iter()).map(|(name, _)| *name)
}

/// What is said of a filter that does not exist.
pub fn unknown(name: &str) -> Diagnostic {
    Diagnostic::new(format!("the filter '{name}' does not exist")).hint_opt(did_you_mean(name, names()))
}

/// Sorts as Python does; values of different kinds cannot be sorted.
pub fn sort_values(items: &mut [Value]) -> Result<(), Error> {
    sort_by(items, |a, b| a.compare(b))
}

fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Result<Ordering, Error>) -> Result<(), Error> {
    let mut failed = None;
    items.sort_by(|a, b| match compare(a, b) {
        Ok(ordering) => ordering,
        Err(why) => {
            failed.get_or_insert(why);
            Ordering::Equal
        }
    });
    failed.map_or(Ok(()), Err)
}

/// The match of a pattern at the very start of a text, as Python's `re.match` wants it.
pub fn find_at_start<'t>(
    regex: &fancy_regex::Regex,
    text: &'t str,
) -> Result<Option<fancy_regex::Captures<'t, str>>, Error> {
    match regex.captures(text) {
        Ok(found) => Ok(found.filter(|captures| captures.get(0).is_some_and(|whole| whole.start() == 0))),
        Err(why) => error(format!("the pattern took too long: {why}")),
    }
}

fn string(value: &Value) -> Result<String, Error> {
    Ok(super::print::str(value.check()?))
}

fn wanted_text(value: &Value) -> Result<&str, Error> {
    match value.check()?.as_str() {
        Some(text) => Ok(text),
        None => error(format!("this filter needs a string, not {}", value.described())),
    }
}

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}
