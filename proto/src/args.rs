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

    /// As they may be shown: values of `pillar` are hidden, since secrets go in by it.
    pub fn shown(&self) -> Self {
        let mut shown = self.clone();
        if let Some(pillar) = shown.named.get_mut("pillar") {
            *pillar = masked(pillar.take());
        }
        shown
    }

    /// The arguments as Salt's job data shows them: positional ones, then one
    /// `{"__kwarg__": true, …}` for all named ones. Values of `pillar` are hidden.
    pub fn to_salt(&self) -> Value {
        let Self { positional: mut all, named: given } = self.shown();
        if !given.is_empty() {
            let mut named = Map::new();
            named.insert("__kwarg__".into(), Value::Bool(true));
            named.extend(given);
            all.push(Value::Object(named));
        }
        Value::Array(all)
    }
}

const MASK: &str = "**********";

/// The same value with all that is in it hidden, but for names and what is empty, as Salt 3008 shows pillar.
pub fn masked(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        Value::Object(map) => Value::Object(map.into_iter().map(|(key, value)| (key, masked(value))).collect()),
        Value::Null | Value::Bool(false) => value,
        Value::Number(ref number) if number.as_f64() == Some(0.0) => value,
        Value::String(ref text) if text.is_empty() => value,
        _ => Value::String(MASK.into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_shown_of_pillar_is_its_names() {
        let pillar =
            json!({"pw": "secret", "port": 80, "on": true, "off": false, "none": null, "all": ["a", {"b": 0}]});
        let args = Args::positional(["web".into()]).with("test", true).with("pillar", pillar);
        let mask = "**********";
        let shown = json!({"pw": mask, "port": mask, "on": mask, "off": false, "none": null, "all": [mask, {"b": 0}]});
        assert_eq!(args.to_salt(), json!(["web", {"__kwarg__": true, "test": true, "pillar": shown}]));
        assert_eq!(Args::positional(["x".into()]).to_salt(), json!(["x"]));
    }
}
