//! The arguments of a function call.

use serde::{Deserialize, Serialize};

use crate::{Map, Value};

/// What a function is called with: `ctl run '*' cmd.run 'df -h' cwd=/` has one positional
/// argument and one named one. Salt writes both into one list and marks the named with
/// `__kwarg__`; here they are apart from the start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Args {
    #[serde(default)]
    pub positional: Vec<Value>,
    #[serde(default)]
    pub named: Map,
}

impl Args {
    /// Positional arguments only.
    pub fn positional(values: impl IntoIterator<Item = Value>) -> Self {
        Self { positional: values.into_iter().collect(), named: Map::new() }
    }

    /// Adds or replaces a named argument.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.named.insert(name.to_owned(), value.into());
        self
    }

    /// The arguments as Salt's job data shows them: positional ones, then one
    /// `{"__kwarg__": true, …}` for all named ones.
    pub fn to_salt(&self) -> Value {
        let mut all = self.positional.clone();
        if !self.named.is_empty() {
            let mut named = Map::new();
            named.insert("__kwarg__".into(), Value::Bool(true));
            named.extend(self.named.clone());
            all.push(Value::Object(named));
        }
        Value::Array(all)
    }
}
