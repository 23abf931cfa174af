//! Reaching into grains, and changing a part of one: values in, values out.

use std::path::Path;

use proto::{Map, Value};
use states::{CallError, yaml};

/// What lies at `a:b:c`. In a list a number counts, and any other word is looked for in its
/// mappings (Salt's `traverse_dict_and_list`).
pub fn traverse<'a>(grains: &'a Map, key: &str, delimiter: &str) -> Option<&'a Value> {
    let mut words = key.split(delimiter);
    let first = grains.get(words.next()?)?;
    words.try_fold(first, |value, word| match value {
        Value::Object(map) => map.get(word),
        Value::Array(list) => {
            let counted = word.parse::<usize>().ok().and_then(|at| list.get(at));
            counted.or_else(|| list.iter().find_map(|item| item.as_object()?.get(word)))
        }
        _ => None,
    })
}

/// The file of static grains.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Map, CallError> {
    let unreadable = |why: String| CallError::failed(format!("Unable to read existing grains file: {why}"));
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
    let node = yaml::parse(&path.display().to_string(), text).map_err(|error| unreadable(error.message))?;
    match yaml::to_value(&node) {
        Value::Object(map) => Ok(map),
        // As Salt: what is no mapping counts as empty.
        _ => Ok(Map::new()),
    }
}

/// The grain that holds `key`, with `value` put there: its name and its new whole.
pub fn nest(grains: &Map, key: &str, delimiter: &str, value: Value) -> (String, Value) {
    let (mut key, mut value) = (key.to_owned(), value);
    while let Some((outer, inner)) = key.rsplit_once(delimiter) {
        let mut map = match traverse(grains, outer, delimiter) {
            Some(Value::Object(map)) => map.clone(),
            _ => Map::new(),
        };
        map.insert(inner.to_owned(), value);
        value = map.into();
        key = outer.to_owned();
    }
    (key, value)
}

/// What `grains.set` comes to.
#[derive(Debug, PartialEq)]
pub enum Edit {
    Same,
    Refused(String),
    Store { name: String, grain: Value },
}

pub fn set(grains: &Map, key: &str, delimiter: &str, value: Value, force: bool, destructive: bool) -> Edit {
    let complex = |value: &Value| value.is_object() || value.is_array();
    let existing = traverse(grains, key, delimiter);
    match existing {
        Some(existing) if *existing == value && !(value.is_null() && destructive) => return Edit::Same,
        Some(existing) if !existing.is_null() && !force && complex(existing) => {
            return Edit::Refused(format!(
                "The key '{key}' exists but is a dict or a list. Use 'force=True' to overwrite."
            ));
        }
        Some(existing) if !existing.is_null() && !force && complex(&value) => {
            let why = "exists and the given value is a dict or a list. Use 'force=True' to overwrite.";
            return Edit::Refused(format!("The key '{key}' {why}"));
        }
        _ => {}
    }
    climb(grains, key, delimiter, value, force, destructive)
}

/// Goes outward from the innermost key, changing what is there.
fn climb(grains: &Map, key: &str, delimiter: &str, value: Value, force: bool, destructive: bool) -> Edit {
    let (mut key, mut value) = (key.to_owned(), value);
    let mut remove = value.is_null() && destructive;
    while let Some((outer, inner)) = key.rsplit_once(delimiter) {
        value = match traverse(grains, outer, delimiter).cloned().unwrap_or_else(|| Value::Object(Map::new())) {
            Value::Object(mut map) => {
                match remove {
                    true => drop(map.shift_remove(inner)),
                    false => drop(map.insert(inner.to_owned(), value)),
                }
                map.into()
            }
            Value::Array(list) => into_list(list, inner, value).into(),
            other if force || other == inner => Map::from_iter([(inner.to_owned(), value)]).into(),
            other => {
                let shown = crate::exec::bind::text_of(&other);
                return Edit::Refused(format!(
                    "The key '{outer}' value is '{shown}', which is different from the provided key '{inner}'. \
                     Use 'force=True' to overwrite."
                ));
            }
        };
        // Only the innermost one is taken away.
        remove = false;
        key = outer.to_owned();
    }
    Edit::Store { name: key, grain: value }
}

fn into_list(mut list: Vec<Value>, name: &str, value: Value) -> Vec<Value> {
    let mut found = false;
    for item in &mut list {
        let hit = *item == name || item.get(name).is_some();
        if hit {
            found = true;
            match item {
                Value::Object(map) => drop(map.insert(name.to_owned(), value.clone())),
                item => *item = Map::from_iter([(name.to_owned(), value.clone())]).into(),
            }
        }
    }
    if !found {
        list.push(Map::from_iter([(name.to_owned(), value)]).into());
    }
    list
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grains() -> Map {
        let grains = json!({"role": "web", "app": {"port": 80, "tags": ["a", {"b": 1}]}, "list": [1, 2]});
        grains.as_object().unwrap().clone()
    }

    fn store(name: &str, grain: Value) -> Edit {
        Edit::Store { name: name.into(), grain }
    }

    #[test]
    fn keys_reach_into_mappings_and_lists() {
        let grains = grains();
        assert_eq!(traverse(&grains, "app:port", ":"), Some(&json!(80)));
        assert_eq!(traverse(&grains, "app:tags:b", ":"), Some(&json!(1)));
        assert_eq!(traverse(&grains, "app/tags/0", "/"), Some(&json!("a")));
        assert_eq!(traverse(&grains, "app:none", ":"), None);
        assert_eq!(traverse(&grains, "role:x", ":"), None);
    }

    #[test]
    fn setting_follows_salts_rules() {
        let grains = grains();
        let set = |key: &str, value: Value, force, destructive| set(&grains, key, ":", value, force, destructive);
        assert_eq!(set("role", json!("web"), false, false), Edit::Same);
        assert_eq!(set("role", json!("db"), false, false), store("role", json!("db")));
        assert!(matches!(set("app", json!(1), false, false), Edit::Refused(_)));
        assert!(matches!(set("role", json!([1]), false, false), Edit::Refused(_)));
        assert_eq!(set("app", json!(1), true, false), store("app", json!(1)));
        assert_eq!(set("new:a:b", json!(1), false, false), store("new", json!({"a": {"b": 1}})));
        let without = set("app:port", Value::Null, false, true);
        assert_eq!(without, store("app", json!({"tags": ["a", {"b": 1}]})));
        let tagged = set("app:tags:a", json!(2), false, false);
        assert_eq!(tagged, store("app", json!({"port": 80, "tags": [{"a": 2}, {"b": 1}]})));
        assert!(matches!(set("role:x", json!(1), false, false), Edit::Refused(_)));
    }
}
