//! Python's operators on values.

use std::{cmp::Ordering, rc::Rc};

use super::{
    Error,
    ast::{Cmp, Op},
    error, format, print,
    value::{IterKind, Value},
};

/// The longest thing that `*` may make.
const REPEATED: usize = 10_000_000;

pub fn binary(op: Op, left: &Value, right: &Value) -> Result<Value, Error> {
    left.check()?;
    right.check()?;
    match (op, left, right) {
        (Op::Add, Value::Str(a), Value::Str(b)) => return Ok(format!("{a}{b}").into()),
        (Op::Add, Value::List(a), Value::List(b)) => {
            return Ok(Value::list(a.borrow().iter().chain(b.borrow().iter()).cloned().collect()));
        }
        (Op::Add, Value::Tuple(a), Value::Tuple(b)) => {
            return Ok(Value::tuple(a.iter().chain(b.iter()).cloned().collect()));
        }
        (Op::Rem, Value::Str(text), _) => return format::percent(text, right).map(Value::from),
        (Op::Mul, other, count) | (Op::Mul, count, other)
            if count.as_int().is_some() && matches!(other, Value::Str(_) | Value::List(_) | Value::Tuple(_)) =>
        {
            return repeat(other, count.as_int().unwrap_or(0));
        }
        (Op::Sub, Value::Set(a), Value::Set(b)) => return Ok(Value::set(a.borrow().difference(&b.borrow()).cloned())),
        _ => {}
    }
    if let (Some(a), Some(b)) = (left.as_int(), right.as_int())
        && op != Op::Div
        && !(op == Op::Pow && b < 0)
    {
        return integers(op, a, b);
    }
    match (left.as_float(), right.as_float()) {
        (Some(a), Some(b)) => floats(op, a, b),
        _ => error(mismatch(op, left, right)),
    }
}

fn mismatch(op: Op, left: &Value, right: &Value) -> String {
    let (left, right) = (left.described(), right.described());
    match op {
        Op::Add => format!("{left} and {right} cannot be added; '~' joins values as text"),
        Op::Sub => format!("{right} cannot be subtracted from {left}"),
        Op::Mul => format!("{left} and {right} cannot be multiplied"),
        Op::Div | Op::FloorDiv | Op::Rem => format!("{left} cannot be divided by {right}"),
        Op::Pow => format!("{left} cannot be raised to the power of {right}"),
    }
}

fn repeat(value: &Value, count: i64) -> Result<Value, Error> {
    let count = usize::try_from(count).unwrap_or(0);
    if value.length().unwrap_or(0).saturating_mul(count) > REPEATED {
        return error("this would become too long");
    }
    Ok(match value {
        Value::Str(text) => text.repeat(count).into(),
        other => {
            let items = other.iterate()?;
            let length = items.len() * count;
            let items = items.into_iter().cycle().take(length).collect();
            if matches!(other, Value::Tuple(_)) { Value::tuple(items) } else { Value::list(items) }
        }
    })
}

fn integers(op: Op, a: i64, b: i64) -> Result<Value, Error> {
    if b == 0 && matches!(op, Op::FloorDiv | Op::Rem) {
        return error("division by zero");
    }
    let result = match op {
        Op::Add => a.checked_add(b),
        Op::Sub => a.checked_sub(b),
        Op::Mul => a.checked_mul(b),
        Op::FloorDiv => a.checked_div_euclid(b).map(|q| if b < 0 && a.rem_euclid(b) != 0 { q - 1 } else { q }),
        Op::Rem => a.checked_rem_euclid(b).map(|r| if b < 0 && r != 0 { r + b } else { r }),
        Op::Pow => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
        Op::Div => None,
    };
    match result {
        Some(value) => Ok(Value::Int(value)),
        None => error("this number becomes too large"),
    }
}

fn floats(op: Op, a: f64, b: f64) -> Result<Value, Error> {
    if b == 0.0 && matches!(op, Op::Div | Op::FloorDiv | Op::Rem) {
        return error("division by zero");
    }
    Ok(Value::Float(match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a * b,
        Op::Div => a / b,
        Op::FloorDiv => (a / b).floor(),
        Op::Rem => a - b * (a / b).floor(),
        Op::Pow => a.powf(b),
    }))
}

pub fn negative(value: &Value) -> Result<Value, Error> {
    match value.check()? {
        Value::Float(f) => Ok(Value::Float(-f)),
        other => match other.as_int() {
            Some(i) => Ok(Value::Int(i.checked_neg().unwrap_or(i64::MAX))),
            None => error(format!("{} is no number", other.described())),
        },
    }
}

pub fn compare(cmp: Cmp, left: &Value, right: &Value) -> Result<bool, Error> {
    left.check()?;
    right.check()?;
    Ok(match cmp {
        Cmp::Eq => left.equals(right),
        Cmp::Ne => !left.equals(right),
        Cmp::In => right.contains(left)?,
        Cmp::NotIn => !right.contains(left)?,
        Cmp::Lt => left.compare(right)? == Ordering::Less,
        Cmp::Le => left.compare(right)? != Ordering::Greater,
        Cmp::Gt => left.compare(right)? == Ordering::Greater,
        Cmp::Ge => left.compare(right)? != Ordering::Less,
    })
}

/// `of[number]`, where there is such an item.
pub fn index(of: &Value, number: i64) -> Option<Value> {
    let at = |length: usize| {
        let length = i64::try_from(length).ok()?;
        let at = if number < 0 { number + length } else { number };
        usize::try_from(at).ok().filter(|_| at < length)
    };
    match of {
        Value::Str(text) => {
            let at = at(text.chars().count())?;
            text.chars().nth(at).map(|c| c.to_string().into())
        }
        Value::List(items) => {
            let items = items.borrow();
            at(items.len()).map(|at| items[at].clone())
        }
        Value::Tuple(items) | Value::Iter(items, IterKind::Range { .. }) => at(items.len()).map(|at| items[at].clone()),
        _ => None,
    }
}

pub fn slice(of: &Value, [start, stop, step]: [Option<i64>; 3]) -> Result<Value, Error> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return error("a slice's step cannot be zero");
    }
    let items = match of {
        Value::Str(_) | Value::List(_) | Value::Tuple(_) | Value::Iter(_, IterKind::Range { .. }) => of.iterate()?,
        other => return error(format!("{} cannot be sliced", other.described())),
    };
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let clamp = |at: Option<i64>, default: i64| match at {
        None => default,
        Some(at) if at < 0 => (at + length).clamp(low, high),
        Some(at) => at.clamp(low, high),
    };
    let first = clamp(start, if step > 0 { 0 } else { length - 1 });
    let end = clamp(stop, if step > 0 { length } else { -1 });
    let mut picked = Vec::new();
    let mut at = first;
    while if step > 0 { at < end } else { at > end } {
        if let Ok(at) = usize::try_from(at) {
            picked.push(items[at].clone());
        }
        at = at.saturating_add(step);
    }
    Ok(match of {
        Value::Str(_) => picked.iter().map(print::str).collect::<String>().into(),
        Value::Tuple(_) => Value::tuple(picked),
        Value::Iter(_, IterKind::Range { start, step: each, .. }) => {
            let of_range = |at: i64| start.saturating_add(at.saturating_mul(*each));
            let kind = IterKind::Range { start: of_range(first), stop: of_range(end), step: each.saturating_mul(step) };
            Value::Iter(Rc::new(picked), kind)
        }
        _ => Value::list(picked),
    })
}
