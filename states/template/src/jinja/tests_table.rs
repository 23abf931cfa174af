//! Tests: what stands behind `is`.

use super::{
    Error, Eval, error, filters,
    object::Args,
    operators, print, regex,
    value::{IterKind, Value},
};
use crate::{Diagnostic, diag::did_you_mean};

pub type Test = fn(&mut Eval<'_>, &Value, &Args) -> Result<bool, Error>;

const TABLE: &[(&str, Test)] = &[
    ("defined", |_, value, _| Ok(!value.is_undefined())),
    ("undefined", |_, value, _| Ok(value.is_undefined())),
    ("none", |_, value, _| Ok(matches!(value, Value::None))),
    ("boolean", |_, value, _| Ok(matches!(value, Value::Bool(_)))),
    ("true", |_, value, _| Ok(matches!(value, Value::Bool(true)))),
    ("false", |_, value, _| Ok(matches!(value, Value::Bool(false)))),
    ("integer", |_, value, _| Ok(matches!(value, Value::Int(_)))),
    ("float", |_, value, _| Ok(matches!(value, Value::Float(_)))),
    ("number", |_, value, _| Ok(matches!(value, Value::Int(_) | Value::Float(_) | Value::Bool(_)))),
    ("string", |_, value, _| Ok(matches!(value, Value::Str(_)))),
    ("mapping", |_, value, _| Ok(matches!(value, Value::Dict(_)))),
    ("list", |_, value, _| Ok(matches!(value, Value::List(_)))),
    ("iterable", |_, value, _| Ok(value.is_undefined() || value.iterate().is_ok())),
    ("sequence", |_, value, _| Ok(is_sequence(value))),
    ("callable", |_, value, _| Ok(matches!(value, Value::Object(_)))),
    ("sameas", |_, value, args| Ok(same(value, args.value(0, "other")?))),
    ("escaped", |_, _, _| Ok(false)),
    ("lower", |_, value, _| Ok(cased(value.check()?, char::is_lowercase, char::is_uppercase))),
    ("upper", |_, value, _| Ok(cased(value.check()?, char::is_uppercase, char::is_lowercase))),
    ("odd", |_, value, _| remainder(value, 2).map(|r| r == 1.0)),
    ("even", |_, value, _| remainder(value, 2).map(|r| r == 0.0)),
    ("divisibleby", |_, value, args| remainder(value, args.int(0, "num")?).map(|r| r == 0.0)),
    ("in", |_, value, args| args.value(0, "seq")?.contains(value)),
    ("filter", |_, value, _| Ok(value.as_str().is_some_and(|name| filters::find(name).is_some()))),
    ("test", |_, value, _| Ok(value.as_str().is_some_and(|name| find(name).is_some()))),
    ("match", is_match),
    ("equalto", |_, value, args| compare(super::ast::Cmp::Eq, value, args)),
    ("eq", |_, value, args| compare(super::ast::Cmp::Eq, value, args)),
    ("==", |_, value, args| compare(super::ast::Cmp::Eq, value, args)),
    ("ne", |_, value, args| compare(super::ast::Cmp::Ne, value, args)),
    ("!=", |_, value, args| compare(super::ast::Cmp::Ne, value, args)),
    ("lt", |_, value, args| compare(super::ast::Cmp::Lt, value, args)),
    ("<", |_, value, args| compare(super::ast::Cmp::Lt, value, args)),
    ("lessthan", |_, value, args| compare(super::ast::Cmp::Lt, value, args)),
    ("le", |_, value, args| compare(super::ast::Cmp::Le, value, args)),
    ("<=", |_, value, args| compare(super::ast::Cmp::Le, value, args)),
    ("gt", |_, value, args| compare(super::ast::Cmp::Gt, value, args)),
    (">", |_, value, args| compare(super::ast::Cmp::Gt, value, args)),
    ("greaterthan", |_, value, args| compare(super::ast::Cmp::Gt, value, args)),
    ("ge", |_, value, args| compare(super::ast::Cmp::Ge, value, args)),
    (">=", |_, value, args| compare(super::ast::Cmp::Ge, value, args)),
];

pub fn find(name: &str) -> Option<Test> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, test)| *test)
}

pub fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

/// What is said of a test that does not exist.
pub fn unknown(name: &str) -> Diagnostic {
    Diagnostic::new(format!("the test '{name}' does not exist")).hint_opt(did_you_mean(name, names()))
}

fn compare(cmp: super::ast::Cmp, value: &Value, args: &Args) -> Result<bool, Error> {
    operators::compare(cmp, value, args.value(0, "other")?)
}

fn is_sequence(value: &Value) -> bool {
    match value {
        Value::Iter(_, kind) => *kind != IterKind::Generator,
        Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Dict(_) => true,
        _ => false,
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => std::rc::Rc::ptr_eq(a, b),
        (Value::Dict(a), Value::Dict(b)) => std::rc::Rc::ptr_eq(a, b),
        (a, b) => a.type_name() == b.type_name() && a.equals(b),
    }
}

fn cased(value: &Value, wanted: fn(char) -> bool, other: fn(char) -> bool) -> bool {
    let text = print::str(value);
    text.chars().any(wanted) && !text.chars().any(other)
}

/// Python's `%`, as a float where one of the two is.
fn remainder(value: &Value, by: i64) -> Result<f64, Error> {
    match (value.check()?.as_int(), value.as_float()) {
        (Some(_) | None, Some(_)) if by == 0 => error("division by zero"),
        (Some(number), _) => Ok(number.wrapping_rem_euclid(by) as f64),
        (None, Some(number)) => Ok(number - by as f64 * (number / by as f64).floor()),
        (None, None) => error(format!("{} is no number", value.described())),
    }
}

fn is_match(_: &mut Eval<'_>, value: &Value, args: &Args) -> Result<bool, Error> {
    let Some(text) = value.check()?.as_str() else {
        return error(format!("a pattern is matched against a string, not {}", value.described()));
    };
    let pattern = args.text(0, "rgx")?;
    let regex = regex::compile(pattern, args.truth_or(1, "ignorecase", false)?, args.truth_or(2, "multiline", false)?)?;
    Ok(filters::find_at_start(&regex, text)?.is_some())
}
