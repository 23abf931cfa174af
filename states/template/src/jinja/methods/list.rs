//! Methods of lists and tuples.

use std::{cell::RefCell, rc::Rc};

use super::Table;
use crate::jinja::{Error, error, filters::sort_values, object::Args, value::Value};

type List = Rc<RefCell<Vec<Value>>>;

pub const TABLE: Table<List> = &[
    ("append", append),
    ("extend", extend),
    ("insert", insert),
    ("pop", pop),
    ("remove", remove),
    ("clear", |list, _| {
        list.borrow_mut().clear();
        Ok(Value::None)
    }),
    ("copy", |list, _| Ok(Value::list(list.borrow().clone()))),
    ("count", |list, args| count(&list.borrow(), args)),
    ("index", |list, args| index(&list.borrow(), args)),
    ("reverse", |list, _| {
        list.borrow_mut().reverse();
        Ok(Value::None)
    }),
    ("sort", sort),
];

pub const TUPLE: Table<Rc<Vec<Value>>> =
    &[("count", |items, args| count(items, args)), ("index", |items, args| index(items, args))];

/// A template's list may not grow without bound.
const LENGTH: usize = 5_000_000;

fn room(list: &List, more: usize) -> Result<(), Error> {
    if list.borrow().len() + more > LENGTH {
        return error("this list becomes too long");
    }
    Ok(())
}

fn append(list: &List, args: &Args) -> Result<Value, Error> {
    room(list, 1)?;
    let item = args.value(0, "object")?.clone();
    list.borrow_mut().push(item);
    Ok(Value::None)
}

fn extend(list: &List, args: &Args) -> Result<Value, Error> {
    let items = args.value(0, "iterable")?.iterate()?;
    room(list, items.len())?;
    list.borrow_mut().extend(items);
    Ok(Value::None)
}

fn insert(list: &List, args: &Args) -> Result<Value, Error> {
    room(list, 1)?;
    let length = i64::try_from(list.borrow().len()).unwrap_or(i64::MAX);
    let at = args.int(0, "index")?;
    let at = if at < 0 { (at + length).max(0) } else { at.min(length) };
    let item = args.value(1, "object")?.clone();
    list.borrow_mut().insert(usize::try_from(at).unwrap_or(0), item);
    Ok(Value::None)
}

fn pop(list: &List, args: &Args) -> Result<Value, Error> {
    let length = list.borrow().len();
    if length == 0 {
        return error("nothing can be popped from an empty list");
    }
    let signed = i64::try_from(length).unwrap_or(i64::MAX);
    let at = args.int_or(0, "index", -1)?;
    let at = if at < 0 { at + signed } else { at };
    match usize::try_from(at) {
        Ok(at) if at < length => Ok(list.borrow_mut().remove(at)),
        _ => error("pop index out of range"),
    }
}

fn remove(list: &List, args: &Args) -> Result<Value, Error> {
    let item = args.value(0, "value")?;
    let at = list.borrow().iter().position(|other| other.equals(item));
    match at {
        Some(at) => {
            list.borrow_mut().remove(at);
            Ok(Value::None)
        }
        None => error(format!("{} is not in the list, and cannot be removed", item.described())),
    }
}

fn count(items: &[Value], args: &Args) -> Result<Value, Error> {
    let item = args.value(0, "value")?;
    let count = items.iter().filter(|other| other.equals(item)).count();
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn index(items: &[Value], args: &Args) -> Result<Value, Error> {
    let item = args.value(0, "value")?;
    match items.iter().position(|other| other.equals(item)) {
        Some(at) => Ok(Value::Int(i64::try_from(at).unwrap_or(i64::MAX))),
        None => error(format!("{} is not in the list", item.described())),
    }
}

fn sort(list: &List, args: &Args) -> Result<Value, Error> {
    let mut items = list.borrow().clone();
    sort_values(&mut items)?;
    if args.named.get("reverse").map_or(Ok(false), Value::truth)? {
        items.reverse();
    }
    *list.borrow_mut() = items;
    Ok(Value::None)
}
