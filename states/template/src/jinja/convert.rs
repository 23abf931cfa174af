//! Values of templates from and to the values that functions and YAML have.

use std::rc::Rc;

use super::{
    Error, error,
    object::Group,
    print,
    value::{Dict, Key, Value},
};
use crate::{
    value,
    yaml::{Data, Node},
};

pub fn from_value(json: &proto::Value) -> Value {
    match json {
        proto::Value::Null => Value::None,
        proto::Value::Bool(b) => Value::Bool(*b),
        proto::Value::Number(number) => from_number(number),
        proto::Value::String(text) => Value::str(text.as_str()),
        proto::Value::Array(items) => Value::list(items.iter().map(from_value).collect()),
        proto::Value::Object(map) => {
            Value::dict(map.iter().map(|(key, item)| (from_key(key), from_value(item))).collect())
        }
    }
}

fn from_number(number: &serde_json::Number) -> Value {
    match number.as_i64() {
        Some(i) => Value::Int(i),
        // Its digits, which is how it prints; a float would be another number.
        None if number.is_u64() => Value::from(number.to_string()),
        None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
    }
}

fn from_key(key: &str) -> Key {
    match value::from_key(key) {
        proto::Value::String(text) => Key::Str(text.into()),
        other => from_value(&other).key().unwrap_or(Key::None),
    }
}

/// For functions and results. What is no plain data is refused.
pub fn to_value(value: &Value) -> Result<proto::Value, Error> {
    Ok(match value {
        Value::Undefined(missing) => return Err(missing.error()),
        Value::None => proto::Value::Null,
        Value::Bool(b) => proto::Value::Bool(*b),
        Value::Int(i) => proto::Value::from(*i),
        Value::Float(f) => value::float(*f),
        Value::Str(text) => proto::Value::String(text.to_string()),
        Value::List(items) => proto::Value::Array(items.borrow().iter().map(to_value).collect::<Result<_, _>>()?),
        Value::Tuple(items) | Value::Iter(items, _) => {
            proto::Value::Array(items.iter().map(to_value).collect::<Result<_, _>>()?)
        }
        Value::Set(set) => {
            proto::Value::Array(set.borrow().iter().map(|key| to_value(&key.to_value())).collect::<Result<_, _>>()?)
        }
        Value::Dict(dict) => {
            let mut map = proto::Map::new();
            for (key, item) in dict.borrow().iter() {
                map.insert(to_key(key)?, to_value(item)?);
            }
            proto::Value::Object(map)
        }
        Value::Object(object) if object.any().is::<Group>() => {
            proto::Value::Array(object.iterate()?.iter().map(to_value).collect::<Result<_, _>>()?)
        }
        Value::Object(object) => match object.any().downcast_ref::<super::imports::Module>() {
            Some(module) => proto::Value::String(module.body.clone()),
            None => return error(format!("a {} is no plain value", object.type_name())),
        },
    })
}

fn to_key(key: &Key) -> Result<String, Error> {
    Ok(match key {
        Key::Str(text) => text.to_string(),
        Key::Tuple(_) => print::repr(&key.to_value()),
        other => value::key(&to_value(&other.to_value())?),
    })
}

/// Straight from YAML, without a step between.
pub fn from_node(node: &Node) -> Value {
    match &node.data {
        Data::Null => Value::None,
        Data::Bool(b) => Value::Bool(*b),
        Data::Int(i) => Value::Int(*i),
        Data::Big(text) => Value::Str(text.clone()),
        Data::Float(f) => Value::Float(*f),
        Data::Str(text) => Value::Str(text.clone()),
        Data::Seq(items) => Value::list(items.iter().map(from_node).collect()),
        Data::Map(pairs) => Value::dict(
            pairs.iter().map(|(key, item)| (from_node(key).key().unwrap_or(Key::None), from_node(item))).collect(),
        ),
    }
}

pub fn from_json(text: &str) -> Result<Value, Error> {
    match serde_json::from_str::<proto::Value>(text) {
        Ok(value) => Ok(from_value(&value)),
        Err(why) => error(format!("this is not valid JSON: {why}")),
    }
}

/// Replaces a dict's or list's contents: functions that change their first argument do so in
/// the template as well.
pub fn write_back(target: &Value, result: &Value) {
    match (target, result) {
        (Value::Dict(target), Value::Dict(result)) if !Rc::ptr_eq(target, result) => {
            let contents: Dict = result.borrow().clone();
            *target.borrow_mut() = contents;
        }
        (Value::List(target), Value::List(result)) if !Rc::ptr_eq(target, result) => {
            let contents = result.borrow().clone();
            *target.borrow_mut() = contents;
        }
        _ => {}
    }
}
