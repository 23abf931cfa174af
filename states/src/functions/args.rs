//! Arguments of a call, by place or by name.

use proto::{Args, Map, Value};

use crate::{CallError, value};

/// Arguments with the names of the function's parameters.
pub struct Given<'a> {
    pub args: &'a Args,
    names: &'a [&'a str],
}

impl<'a> Given<'a> {
    /// `names` are the parameters in their order.
    pub fn new(args: &'a Args, names: &'a [&'a str]) -> Self {
        Self { args, names }
    }

    pub fn get(&self, name: &str) -> Option<&'a Value> {
        let by_name = self.args.named.get(name);
        by_name.or_else(|| self.args.positional.get(self.names.iter().position(|known| *known == name)?))
    }

    pub fn need(&self, name: &str) -> Result<&'a Value, CallError> {
        self.get(name).ok_or_else(|| CallError::arguments(format!("the argument {name} is missing")))
    }

    /// A text; numbers and booleans are read as they print.
    pub fn text(&self, name: &str) -> Result<String, CallError> {
        Ok(value::python_str(self.need(name)?))
    }

    pub fn text_or(&self, name: &str, default: &str) -> String {
        match self.get(name) {
            None | Some(Value::Null) => default.to_owned(),
            Some(given) => value::python_str(given),
        }
    }

    pub fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, truth)
    }

    pub fn map(&self, name: &str) -> Result<Map, CallError> {
        match self.need(name)? {
            Value::Object(map) => Ok(map.clone()),
            other => Err(CallError::arguments(format!(
                "the argument {name} must be a mapping, not {}",
                value::python_repr(other)
            ))),
        }
    }

    pub fn map_or_none(&self, name: &str) -> Result<Option<Map>, CallError> {
        match self.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.map(name).map(Some),
        }
    }
}

/// Python's truth.
pub fn truth(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(b) => *b,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// A list, or the parts of a text between commas.
pub fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(value::python_str).collect(),
        Value::Null => Vec::new(),
        other => value::python_str(other)
            .split(',')
            .map(|part| part.trim().to_owned())
            .filter(|part| !part.is_empty())
            .collect(),
    }
}
