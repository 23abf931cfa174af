//! Python's values, as templates see them: shared, mutable lists and mappings, tuples, sets.

use std::{cell::RefCell, cmp::Ordering, hash::Hash, hash::Hasher, rc::Rc, sync::Arc};

use indexmap::{IndexMap, IndexSet};

use super::{
    Error, error,
    object::{Group, Object},
};

pub type Dict = IndexMap<Key, Value>;

/// A value in a template.
#[derive(Clone)]
pub enum Value {
    /// A name or a member that does not exist; using it is an error, asking for it is not.
    Undefined(Rc<Missing>),
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    List(Rc<RefCell<Vec<Value>>>),
    Tuple(Rc<Vec<Value>>),
    Dict(Rc<RefCell<Dict>>),
    Set(Rc<RefCell<IndexSet<Key>>>),
    /// What a generator or a view (`dict.items()`) gives, and how it prints.
    Iter(Rc<Vec<Value>>, IterKind),
    Object(Rc<dyn Object>),
}

/// Where a sequence came from; it only shows when it is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IterKind {
    Generator,
    Range { start: i64, stop: i64, step: i64 },
    Keys,
    Values,
    Items,
}

/// What was looked for and not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    pub message: String,
    pub hint: Option<String>,
    /// Nothing rather than an error where it is printed, asked or gone through: what an `if`
    /// without `else` gives.
    pub soft: bool,
}

/// A value that can be a mapping's key. `1`, `1.0` and `True` are the same one, as in Python.
#[derive(Debug, Clone)]
pub enum Key {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(Arc<str>),
    Tuple(Vec<Key>),
}

impl Key {
    fn number(&self) -> Option<i64> {
        match self {
            Key::Bool(b) => Some(i64::from(*b)),
            Key::Int(i) => Some(*i),
            Key::Float(f) if f.fract() == 0.0 && f.abs() < 9e15 => Some(*f as i64),
            _ => None,
        }
    }

    pub fn to_value(&self) -> Value {
        match self {
            Key::None => Value::None,
            Key::Bool(b) => Value::Bool(*b),
            Key::Int(i) => Value::Int(*i),
            Key::Float(f) => Value::Float(*f),
            Key::Str(s) => Value::Str(s.clone()),
            Key::Tuple(items) => Value::Tuple(Rc::new(items.iter().map(Key::to_value).collect())),
        }
    }

    pub fn str(text: &str) -> Key {
        Key::Str(text.into())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Key::Str(a), Key::Str(b)) => a == b,
            (Key::None, Key::None) => true,
            (Key::Tuple(a), Key::Tuple(b)) => a == b,
            (a, b) => match (a.number(), b.number()) {
                (Some(a), Some(b)) => a == b,
                _ => matches!((a, b), (Key::Float(a), Key::Float(b)) if a.to_bits() == b.to_bits()),
            },
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Str(text) => text.hash(state),
            Key::None => 7u8.hash(state),
            Key::Tuple(items) => items.hash(state),
            other => match other.number() {
                Some(number) => number.hash(state),
                None => {
                    if let Key::Float(f) = other {
                        f.to_bits().hash(state);
                    }
                }
            },
        }
    }
}

/// Asks a [`Dict`] for a string key without making one.
pub struct Named<'a>(pub &'a str);

impl Hash for Named<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl indexmap::Equivalent<Key> for Named<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Str(text) if &**text == self.0)
    }
}

impl Value {
    pub fn str(text: impl Into<Arc<str>>) -> Value {
        Value::Str(text.into())
    }

    pub fn list(items: Vec<Value>) -> Value {
        Value::List(Rc::new(RefCell::new(items)))
    }

    pub fn tuple(items: Vec<Value>) -> Value {
        Value::Tuple(Rc::new(items))
    }

    pub fn dict(dict: Dict) -> Value {
        Value::Dict(Rc::new(RefCell::new(dict)))
    }

    pub fn generator(items: Vec<Value>) -> Value {
        Value::Iter(Rc::new(items), IterKind::Generator)
    }

    pub fn set(items: impl IntoIterator<Item = Key>) -> Value {
        Value::Set(Rc::new(RefCell::new(items.into_iter().collect())))
    }

    pub fn missing(message: impl Into<String>, hint: Option<String>) -> Value {
        Value::Undefined(Rc::new(Missing { message: message.into(), hint, soft: false }))
    }

    /// What `'x' if false` gives: Jinja2 lets it print as nothing, strict as Salt is otherwise.
    pub fn nothing() -> Value {
        let message = "the condition is false, and there is no 'else'".into();
        Value::Undefined(Rc::new(Missing { message, hint: Some("add an else".into()), soft: true }))
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, Value::Undefined(_))
    }

    /// Refuses what is not defined.
    pub fn defined(self) -> Result<Value, Error> {
        match self {
            Value::Undefined(missing) if !missing.soft => Err(missing.error()),
            other => Ok(other),
        }
    }

    pub fn check(&self) -> Result<&Value, Error> {
        match self {
            Value::Undefined(missing) if !missing.soft => Err(missing.error()),
            other => Ok(other),
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(i) => Some(*i),
            Value::Bool(b) => Some(i64::from(*b)),
            _ => None,
        }
    }

    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(f) => Some(*f),
            other => other.as_int().map(|i| i as f64),
        }
    }

    /// Python's name of the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Undefined(_) => "Undefined",
            Value::None => "NoneType",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::Str(_) => "str",
            Value::List(_) => "list",
            Value::Tuple(_) => "tuple",
            Value::Dict(_) => "dict",
            Value::Set(_) => "set",
            Value::Iter(_, IterKind::Generator) => "generator",
            Value::Iter(_, IterKind::Range { .. }) => "range",
            Value::Iter(_, IterKind::Keys) => "dict_keys",
            Value::Iter(_, IterKind::Values) => "dict_values",
            Value::Iter(_, IterKind::Items) => "dict_items",
            Value::Object(object) => object.type_name(),
        }
    }

    /// Python's truth. Undefined is an error.
    pub fn truth(&self) -> Result<bool, Error> {
        Ok(match self {
            Value::Undefined(missing) if !missing.soft => return Err(missing.error()),
            Value::Undefined(_) | Value::None => false,
            Value::Bool(b) => *b,
            Value::Int(i) => *i != 0,
            Value::Float(f) => *f != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::List(items) => !items.borrow().is_empty(),
            Value::Tuple(items) => !items.is_empty(),
            Value::Dict(dict) => !dict.borrow().is_empty(),
            Value::Set(set) => !set.borrow().is_empty(),
            Value::Iter(_, IterKind::Generator) => true,
            Value::Iter(items, _) => !items.is_empty(),
            Value::Object(_) => true,
        })
    }

    /// Python's `len()`, where there is one.
    pub fn length(&self) -> Option<usize> {
        Some(match self {
            Value::Str(text) => text.chars().count(),
            Value::List(items) => items.borrow().len(),
            Value::Tuple(items) => items.len(),
            Value::Dict(dict) => dict.borrow().len(),
            Value::Set(set) => set.borrow().len(),
            Value::Iter(_, IterKind::Generator) => return None,
            Value::Iter(items, _) => items.len(),
            Value::Object(object) if object.any().is::<Group>() => 2,
            _ => return None,
        })
    }

    /// What a `for` loop goes through.
    pub fn iterate(&self) -> Result<Vec<Value>, Error> {
        Ok(match self {
            Value::Undefined(missing) if !missing.soft => return Err(missing.error()),
            Value::Undefined(_) => Vec::new(),
            Value::Str(text) => text.chars().map(|c| Value::str(c.to_string())).collect(),
            Value::List(items) => items.borrow().clone(),
            Value::Tuple(items) | Value::Iter(items, _) => items.as_ref().clone(),
            Value::Dict(dict) => dict.borrow().keys().map(Key::to_value).collect(),
            Value::Set(set) => set.borrow().iter().map(Key::to_value).collect(),
            Value::Object(object) => return object.iterate(),
            other => return error(format!("{} cannot be gone through: it is no list", other.described())),
        })
    }

    /// The value as a mapping's key.
    pub fn key(&self) -> Result<Key, Error> {
        Ok(match self {
            Value::None => Key::None,
            Value::Bool(b) => Key::Bool(*b),
            Value::Int(i) => Key::Int(*i),
            Value::Float(f) => Key::Float(*f),
            Value::Str(text) => Key::Str(text.clone()),
            Value::Tuple(items) => Key::Tuple(items.iter().map(Value::key).collect::<Result<_, _>>()?),
            Value::Undefined(missing) => return Err(missing.error()),
            other => return error(format!("unhashable type: '{}'", other.type_name())),
        })
    }

    /// A short word for messages: the type, and the value where it is a scalar.
    pub fn described(&self) -> String {
        match self {
            Value::None => "None".into(),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                format!("{} ({})", super::print::str(self), self.type_name())
            }
            Value::Str(text) if text.chars().count() <= 40 => format!("the string '{text}'"),
            Value::Str(_) => "a string".into(),
            Value::List(_) => "a list".into(),
            Value::Tuple(_) => "a tuple".into(),
            Value::Dict(_) => "a dict".into(),
            Value::Set(_) => "a set".into(),
            other => format!("a {}", other.type_name()),
        }
    }

    /// Python's `==`.
    pub fn equals(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Str(a), Value::Str(b)) => a == b,
            (Value::None, Value::None) => true,
            (Value::List(a), Value::List(b)) => Rc::ptr_eq(a, b) || all_equal(&a.borrow(), &b.borrow()),
            (Value::Tuple(a), Value::Tuple(b)) => all_equal(a, b),
            (Value::Iter(a, IterKind::Range { .. }), Value::Iter(b, IterKind::Range { .. })) => all_equal(a, b),
            (Value::Iter(a, ka), Value::Iter(b, kb)) => ka == kb && all_equal(a, b),
            (Value::Dict(a), Value::Dict(b)) => Rc::ptr_eq(a, b) || dicts_equal(&a.borrow(), &b.borrow()),
            (Value::Set(a), Value::Set(b)) => *a.borrow() == *b.borrow(),
            (Value::Iter(_, IterKind::Keys), Value::Set(_)) | (Value::Set(_), Value::Iter(_, IterKind::Keys)) => false,
            (Value::Object(a), Value::Object(b)) => Rc::ptr_eq(a, b),
            (Value::Int(a), Value::Int(b)) => a == b,
            (a, b) => match (a.as_float(), b.as_float()) {
                (Some(a), Some(b)) => a == b,
                _ => false,
            },
        }
    }

    /// Python's `<` and its like: numbers with numbers, text with text, lists with lists.
    pub fn compare(&self, other: &Value) -> Result<Ordering, Error> {
        match (self, other) {
            (Value::Undefined(missing), _) | (_, Value::Undefined(missing)) => Err(missing.error()),
            (Value::Str(a), Value::Str(b)) => Ok(a.cmp(b)),
            (Value::List(a), Value::List(b)) => compare_all(&a.borrow(), &b.borrow()),
            (Value::Tuple(a), Value::Tuple(b)) => compare_all(a, b),
            (a, b) => match (a.as_int(), b.as_int(), a.as_float(), b.as_float()) {
                (Some(a), Some(b), ..) => Ok(a.cmp(&b)),
                (_, _, Some(a), Some(b)) => Ok(a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
                _ => error(format!("{} and {} cannot be compared", a.described(), b.described())),
            },
        }
    }

    /// Python's `in`.
    pub fn contains(&self, item: &Value) -> Result<bool, Error> {
        item.check()?;
        Ok(match self {
            Value::Undefined(missing) => return Err(missing.error()),
            Value::Str(text) => match item {
                Value::Str(part) => text.contains(&**part),
                other => return error(format!("'in' a string needs a string on its left, not {}", other.described())),
            },
            Value::Dict(dict) => dict.borrow().contains_key(&item.key()?),
            Value::Set(set) => set.borrow().contains(&item.key()?),
            Value::List(items) => items.borrow().iter().any(|other| other.equals(item)),
            Value::Tuple(items) | Value::Iter(items, _) => items.iter().any(|other| other.equals(item)),
            Value::Object(object) => object.contains(item)?,
            other => {
                return error(format!("{} holds nothing: 'in' needs a list, a dict or a string", other.described()));
            }
        })
    }

    /// A copy whose lists and dicts are its own.
    pub fn deep_copy(&self) -> Value {
        match self {
            Value::List(items) => Value::list(items.borrow().iter().map(Value::deep_copy).collect()),
            Value::Tuple(items) => Value::tuple(items.iter().map(Value::deep_copy).collect()),
            Value::Dict(dict) => {
                Value::dict(dict.borrow().iter().map(|(key, value)| (key.clone(), value.deep_copy())).collect())
            }
            Value::Set(set) => Value::Set(Rc::new(RefCell::new(set.borrow().clone()))),
            other => other.clone(),
        }
    }
}

impl Missing {
    pub fn error(&self) -> Error {
        let mut diagnostic = crate::Diagnostic::new(self.message.clone());
        diagnostic.hint.clone_from(&self.hint);
        Box::new(diagnostic)
    }
}

fn all_equal(a: &[Value], b: &[Value]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.equals(b))
}

fn dicts_equal(a: &Dict, b: &Dict) -> bool {
    a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| other.equals(value)))
}

fn compare_all(a: &[Value], b: &[Value]) -> Result<Ordering, Error> {
    for (a, b) in a.iter().zip(b) {
        if !a.equals(b) {
            return a.compare(b);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Str(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Str(text.into())
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&super::print::repr(self))
    }
}
