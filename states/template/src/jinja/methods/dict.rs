//! Methods of dicts.

use std::{cell::RefCell, rc::Rc};

use super::Table;
use crate::jinja::{
    Error, error,
    globals::pairs_into,
    object::Args,
    value::{Dict, IterKind, Key, Value},
};

type Shared = Rc<RefCell<Dict>>;

pub const TABLE: Table<Shared> = &[
    ("get", get),
    ("items", |dict, _| Ok(Value::Iter(Rc::new(items(&dict.borrow())), IterKind::Items))),
    ("iteritems", |dict, _| Ok(Value::Iter(Rc::new(items(&dict.borrow())), IterKind::Items))),
    ("keys", |dict, _| Ok(Value::Iter(Rc::new(dict.borrow().keys().map(Key::to_value).collect()), IterKind::Keys))),
    ("values", |dict, _| Ok(Value::Iter(Rc::new(dict.borrow().values().cloned().collect()), IterKind::Values))),
    ("update", update),
    ("pop", pop),
    ("popitem", popitem),
    ("setdefault", setdefault),
    ("copy", |dict, _| Ok(Value::dict(dict.borrow().clone()))),
    ("clear", |dict, _| {
        dict.borrow_mut().clear();
        Ok(Value::None)
    }),
    ("fromkeys", fromkeys),
    ("move_to_end", move_to_end),
];

fn items(dict: &Dict) -> Vec<Value> {
    dict.iter().map(|(key, value)| Value::tuple(vec![key.to_value(), value.clone()])).collect()
}

fn get(dict: &Shared, args: &Args) -> Result<Value, Error> {
    let key = args.value(0, "key")?.key()?;
    let found = dict.borrow().get(&key).cloned();
    Ok(found.or_else(|| args.get(1, "default").cloned()).unwrap_or(Value::None))
}

fn update(dict: &Shared, args: &Args) -> Result<Value, Error> {
    let mut more = Dict::new();
    if let Some(first) = args.positional.first() {
        pairs_into(&mut more, first)?;
    }
    for (name, value) in &args.named {
        more.insert(Key::Str(name.as_str().into()), value.clone());
    }
    dict.borrow_mut().extend(more);
    Ok(Value::None)
}

fn pop(dict: &Shared, args: &Args) -> Result<Value, Error> {
    let key = args.value(0, "key")?.key()?;
    match (dict.borrow_mut().shift_remove(&key), args.get(1, "default")) {
        (Some(value), _) => Ok(value),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => error(format!(
            "the dict has no key {}, and pop was given no default",
            crate::jinja::print::repr(&key.to_value())
        )),
    }
}

fn popitem(dict: &Shared, _: &Args) -> Result<Value, Error> {
    match dict.borrow_mut().pop() {
        Some((key, value)) => Ok(Value::tuple(vec![key.to_value(), value])),
        None => error("nothing can be popped from an empty dict"),
    }
}

fn setdefault(dict: &Shared, args: &Args) -> Result<Value, Error> {
    let key = args.value(0, "key")?.key()?;
    let default = args.get(1, "default").cloned().unwrap_or(Value::None);
    Ok(dict.borrow_mut().entry(key).or_insert(default).clone())
}

fn fromkeys(_: &Shared, args: &Args) -> Result<Value, Error> {
    let value = args.get(1, "value").cloned().unwrap_or(Value::None);
    let mut dict = Dict::new();
    for key in args.value(0, "iterable")?.iterate()? {
        dict.insert(key.key()?, value.clone());
    }
    Ok(Value::dict(dict))
}

fn move_to_end(dict: &Shared, args: &Args) -> Result<Value, Error> {
    let key = args.value(0, "key")?.key()?;
    let mut dict = dict.borrow_mut();
    match dict.shift_remove(&key) {
        Some(value) => {
            dict.insert(key, value);
            Ok(Value::None)
        }
        None => error("the dict has no such key"),
    }
}
