//! What `mine_functions` says: names, functions, arguments, and who may have it.

use proto::{Args, FunctionName, Map, Value};
use states::{CallError, Context, Effect, merge};

use crate::exec::bind::text_of;

/// One entry of `mine_functions`.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// The function, where the entry's name is an alias of it.
    function: Option<String>,
    args: Args,
    /// Who may have it, as a compound expression.
    pub allow_tgt: Option<String>,
}

/// What the minion's configuration and pillar give. The pillar's entries replace those of the same
/// name.
pub fn configured(context: &Context<'_>) -> Result<Vec<(String, Definition)>, CallError> {
    let parts = [context.opts, context.pillar].map(|map| map.get("mine_functions"));
    let mut functions = Map::new();
    for part in parts.into_iter().flatten() {
        merge::update(&mut functions, by_name(part)?, false);
    }
    all(&Value::Object(functions))
}

/// Reads a mapping of names to arguments, or a list of functions.
pub fn all(given: &Value) -> Result<Vec<(String, Definition)>, CallError> {
    by_name(given)?.into_iter().map(|(name, given)| Ok((name, Definition::read(given)?))).collect()
}

fn by_name(given: &Value) -> Result<Map, CallError> {
    match given {
        Value::Null => Ok(Map::new()),
        Value::Object(map) => Ok(map.clone()),
        Value::Array(names) => Ok(names.iter().map(|name| (text_of(name), Value::Null)).collect()),
        _ => Err(CallError::arguments("mine_functions must be a mapping of functions to their arguments, or a list")),
    }
}

impl Definition {
    fn read(given: Value) -> Result<Self, CallError> {
        let (mut positional, mut named) = (Vec::new(), Map::new());
        match given {
            Value::Object(map) => named = map,
            Value::Array(items) => {
                for item in items {
                    match item {
                        Value::Object(map) => named.extend(map),
                        plain => positional.push(plain),
                    }
                }
            }
            Value::Null => {}
            other => return Err(CallError::arguments(format!("mine_functions: {other} are no arguments"))),
        }
        Self::new(positional, named)
    }

    pub fn new(positional: Vec<Value>, mut named: Map) -> Result<Self, CallError> {
        let function = named.shift_remove("mine_function").map(|name| text_of(&name));
        let mut text =
            |key: &str| named.shift_remove(key).filter(|value| !value.is_null()).map(|value| text_of(&value));
        let (tgt, tgt_type) = (text("allow_tgt"), text("allow_tgt_type"));
        let allow_tgt = tgt.map(|tgt| compound(&tgt, tgt_type.as_deref().unwrap_or("glob"))).transpose()?;
        Ok(Self { function, args: Args { positional, named }, allow_tgt })
    }

    fn function(&self, alias: &str) -> Result<FunctionName, CallError> {
        let name = self.function.as_deref().unwrap_or(alias);
        name.parse().map_err(|error: proto::IdError| CallError::arguments(error.to_string()))
    }

    /// Whether there is such a function, and it changes nothing.
    pub fn is_available(&self, alias: &str, context: &Context<'_>) -> bool {
        let found = self.function(alias).ok().and_then(|name| context.functions.find(name.as_str()));
        found.is_some_and(|function| function.effect != Effect::Writes)
    }

    pub fn call(&self, alias: &str, context: &Context<'_>) -> Result<Value, CallError> {
        if !self.is_available(alias, context) {
            let name = self.function.as_deref().unwrap_or(alias);
            return Err(CallError::failed(format!(
                "the function {name} of the mine is not available, or changes the host"
            )));
        }
        context.call(&self.function(alias)?, self.args.clone()).map(states::value::plain)
    }

    /// As `mine.valid` shows it.
    pub fn shown(&self) -> Value {
        let named = self.args.named.iter().map(|(name, value)| Map::from_iter([(name.clone(), value.clone())]).into());
        let arguments: Value = self.args.positional.iter().cloned().chain(named).collect();
        match &self.function {
            Some(function) => Map::from_iter([(function.clone(), arguments)]).into(),
            None => arguments,
        }
    }
}

/// A target of this type as a compound expression.
pub fn compound(target: &str, tgt_type: &str) -> Result<String, CallError> {
    let prefix = match tgt_type {
        "compound" => return Ok(target.to_owned()),
        "glob" => "",
        "pcre" => "E@",
        "list" => "L@",
        "grain" => "G@",
        "grain_pcre" => "P@",
        "pillar" | "pillar_exact" => "I@",
        "pillar_pcre" => "J@",
        "ipcidr" => "S@",
        "nodegroup" => "N@",
        other => return Err(CallError::arguments(format!("there is no target type {other}"))),
    };
    Ok(format!("{prefix}{target}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn salts_forms_are_read() {
        let given = json!({
            "test.ping": [],
            "network.ip_addrs": {"interface": "eth0", "allow_tgt": "role:web", "allow_tgt_type": "grain"},
            "alias": [{"mine_function": "grains.get"}, "os", {"default": "none"}, {"allow_tgt": "web*"}],
        });
        let all = all(&given).unwrap();
        let (name, addrs) = &all[1];
        assert_eq!((name.as_str(), addrs.allow_tgt.as_deref()), ("network.ip_addrs", Some("G@role:web")));
        assert_eq!(addrs.args.named, Map::from_iter([("interface".to_owned(), "eth0".into())]));
        let (_, alias) = &all[2];
        assert_eq!(alias.function("alias").unwrap().as_str(), "grains.get");
        assert_eq!(alias.allow_tgt.as_deref(), Some("web*"));
        assert_eq!(alias.shown(), json!({"grains.get": ["os", {"default": "none"}]}));
        assert_eq!(super::all(&json!(["a.b", "c.d"])).unwrap().len(), 2);
        assert!(super::all(&json!("a.b")).is_err() && super::all(&json!({"a.b": 3})).is_err());
    }

    #[test]
    fn targets_become_compound() {
        assert_eq!(compound("os:Debian", "grain").unwrap(), "G@os:Debian");
        assert_eq!(compound("web* or db1", "compound").unwrap(), "web* or db1");
        assert!(compound("x", "range").is_err());
    }
}
