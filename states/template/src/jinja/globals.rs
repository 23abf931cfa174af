//! Functions that every template has.

use std::rc::Rc;

use super::{
    Error, Eval, error,
    object::{Args, Cycler, Joiner, Namespace, Native},
    print, salt,
    value::{Dict, IterKind, Key, Value},
};

/// Python's sandbox allows no longer range.
const RANGE: i64 = 100_000;

pub fn all() -> Vec<(&'static str, Value)> {
    let function = |name: &'static str, call: fn(&mut Eval<'_>, Args) -> Result<Value, Error>| {
        (name, Value::Object(Rc::new(Native { name, call })))
    };
    vec![
        function("range", range),
        function("dict", dict),
        function("odict", dict),
        function("namespace", namespace),
        function("cycler", cycler),
        function("joiner", joiner),
        function("lipsum", |_, _| Ok("lorem ipsum dolor sit amet".into())),
        function("raise", raise),
        function("ifelse", ifelse),
        function("show_full_context", show_full_context),
    ]
}

fn range(_: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    let numbers: Vec<i64> = (0..args.positional.len()).map(|i| args.int(i, "range")).collect::<Result<_, _>>()?;
    let (start, stop, step) = match numbers[..] {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step] if step != 0 => (start, stop, step),
        _ => return error("range takes one to three integers, and a step that is not 0"),
    };
    let distance = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
    if distance / step.saturating_abs() > RANGE {
        return error(format!("this range is longer than {RANGE}"));
    }
    let mut items = Vec::new();
    let mut at = start;
    while if step > 0 { at < stop } else { at > stop } {
        items.push(Value::Int(at));
        at = at.saturating_add(step);
    }
    Ok(Value::Iter(Rc::new(items), IterKind::Range { start, stop, step }))
}

/// `dict(a=1)`, `dict(other)`, `dict([('a', 1)])`.
pub(super) fn dict(_: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    let mut dict = Dict::new();
    if let Some(first) = args.positional.first() {
        pairs_into(&mut dict, first)?;
    }
    for (name, value) in args.named {
        dict.insert(Key::Str(name.into()), value);
    }
    Ok(Value::dict(dict))
}

/// Adds a dict's or a list of pairs' contents.
pub(super) fn pairs_into(dict: &mut Dict, from: &Value) -> Result<(), Error> {
    if let Value::Dict(other) = from.check()? {
        let other = other.borrow().clone();
        dict.extend(other);
        return Ok(());
    }
    for pair in from.iterate()? {
        match &pair.iterate()?[..] {
            [key, value] => {
                dict.insert(key.key()?, value.clone());
            }
            _ => return error("a dict is made of pairs"),
        }
    }
    Ok(())
}

fn namespace(eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    let Value::Dict(dict) = dict(eval, args)? else { return error("namespace takes names and values") };
    let names = dict.borrow().iter().map(|(key, value)| (print::str(&key.to_value()), value.clone())).collect();
    Ok(Value::Object(Rc::new(Namespace(std::cell::RefCell::new(names)))))
}

fn cycler(_: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    Ok(Value::Object(Rc::new(Cycler { items: args.positional, at: Rc::default() })))
}

fn joiner(_: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    let text = args.get(0, "sep").cloned().unwrap_or_else(|| ", ".into());
    Ok(Value::Object(Rc::new(Joiner { text, used: std::cell::Cell::new(false) })))
}

fn raise(_: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    error(args.get(0, "msg").map_or_else(|| "raised by the template".to_owned(), print::str))
}

/// `ifelse(match, value, …, default)`: the value behind the first glob that matches this minion.
fn ifelse(eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
    salt::call(eval, "match.ifelse", &args)
}

fn show_full_context(eval: &mut Eval<'_>, _: Args) -> Result<Value, Error> {
    let names = eval.frame.snapshot();
    let plain = names.into_iter().filter(|(_, value)| super::to_value(value).is_ok());
    Ok(Value::dict(plain.map(|(name, value)| (Key::Str(name), value)).collect()))
}
