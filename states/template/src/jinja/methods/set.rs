//! Methods of sets.

use std::{cell::RefCell, rc::Rc};

use indexmap::IndexSet;

use super::Table;
use crate::jinja::{
    Error, error,
    object::Args,
    value::{Key, Value},
};

type Shared = Rc<RefCell<IndexSet<Key>>>;

pub const TABLE: Table<Shared> = &[
    ("add", |set, args| {
        set.borrow_mut().insert(args.value(0, "elem")?.key()?);
        Ok(Value::None)
    }),
    ("discard", |set, args| {
        set.borrow_mut().shift_remove(&args.value(0, "elem")?.key()?);
        Ok(Value::None)
    }),
    ("remove", |set, args| {
        let found = set.borrow_mut().shift_remove(&args.value(0, "elem")?.key()?);
        if found { Ok(Value::None) } else { error("the set has no such element") }
    }),
    ("update", |set, args| {
        set.borrow_mut().extend(keys(args)?);
        Ok(Value::None)
    }),
    ("union", |set, args| Ok(Value::set(set.borrow().iter().cloned().chain(keys(args)?)))),
    ("intersection", |set, args| {
        let other: IndexSet<Key> = keys(args)?.into_iter().collect();
        Ok(Value::set(set.borrow().iter().filter(|key| other.contains(*key)).cloned()))
    }),
    ("difference", |set, args| {
        let other: IndexSet<Key> = keys(args)?.into_iter().collect();
        Ok(Value::set(set.borrow().iter().filter(|key| !other.contains(*key)).cloned()))
    }),
    ("issubset", |set, args| {
        let other: IndexSet<Key> = keys(args)?.into_iter().collect();
        Ok(Value::Bool(set.borrow().is_subset(&other)))
    }),
    ("copy", |set, _| Ok(Value::set(set.borrow().iter().cloned()))),
];

fn keys(args: &Args) -> Result<Vec<Key>, Error> {
    let mut keys = Vec::new();
    for value in &args.positional {
        for item in value.iterate()? {
            keys.push(item.key()?);
        }
    }
    Ok(keys)
}
