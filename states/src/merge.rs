//! How mappings are merged: pillar, defaults, `slsutil.merge`. Source: `salt.utils.dictupdate`.

use proto::{Map, Value};

/// Salt's strategies by name; an unknown one is `recurse`, as in Salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Recurse,
    List,
    Overwrite,
    Aggregate,
}

impl Strategy {
    /// `smart` depends on the renderer: `yamlex` aggregates.
    pub fn parse(name: &str, renderer: &str) -> Self {
        match name {
            "list" => Self::List,
            "overwrite" => Self::Overwrite,
            "aggregate" => Self::Aggregate,
            "smart" if renderer.rsplit('|').next() == Some("yamlex") || renderer.starts_with("yamlex_") => {
                Self::Aggregate
            }
            _ => Self::Recurse,
        }
    }
}

pub fn merge(mut a: Map, b: Map, strategy: Strategy, merge_lists: bool) -> Map {
    match strategy {
        Strategy::Recurse => {
            update(&mut a, b, merge_lists);
            a
        }
        Strategy::Overwrite => {
            for (key, value) in &b {
                if let Some(known) = a.get_mut(key) {
                    *known = value.clone();
                }
            }
            update(&mut a, b, merge_lists);
            a
        }
        Strategy::List => a
            .into_iter()
            .map(|(key, value)| match b.get(&key) {
                Some(other) => (key, Value::Array(vec![value, other.clone()])),
                None => (key, value),
            })
            .collect(),
        // What nobody tagged is replaced key by key at the top: `aggregation.aggregate`, level 1.
        Strategy::Aggregate => {
            a.extend(b);
            a
        }
    }
}

/// Merges `from` into `into`, mapping by mapping; lists are replaced, or joined without what is
/// there already.
pub fn update(into: &mut Map, from: Map, merge_lists: bool) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(known)), Value::Object(more)) => update(known, more, merge_lists),
            (Some(Value::Array(known)), Value::Array(more)) if merge_lists => {
                for item in more {
                    if !known.contains(&item) {
                        known.push(item);
                    }
                }
            }
            (Some(known), value) => *known = value,
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The value at `a:b:0` in nested data. Salt's `traverse_dict_and_list`.
pub fn traverse<'v>(data: &'v Value, path: &str, delimiter: &str) -> Option<&'v Value> {
    path.split(delimiter).try_fold(data, step)
}

/// As [`traverse`], beginning in a mapping.
pub fn traverse_map<'v>(data: &'v Map, path: &str, delimiter: &str) -> Option<&'v Value> {
    if let Some(whole) = data.get(path) {
        return Some(whole);
    }
    let mut parts = path.split(delimiter);
    let first = key_of(data, parts.next()?)?;
    parts.try_fold(first, step)
}

/// As [`traverse_map`], to change what is there. Goes through mappings only.
pub fn traverse_map_mut<'v>(data: &'v mut Map, path: &str, delimiter: &str) -> Option<&'v mut Value> {
    let (first, rest) = match path.split_once(delimiter) {
        Some((first, rest)) if !data.contains_key(path) => (first, Some(rest)),
        _ => (path, None),
    };
    match (data.get_mut(first)?, rest) {
        (found, None) => Some(found),
        (Value::Object(inner), Some(rest)) => traverse_map_mut(inner, rest, delimiter),
        _ => None,
    }
}

fn key_of<'v>(map: &'v Map, part: &str) -> Option<&'v Value> {
    // A number in a path may mean a key that is a number.
    map.get(part).or_else(|| map.get(&crate::value::key(&Value::from(part.parse::<i64>().ok()?))))
}

fn step<'v>(at: &'v Value, part: &str) -> Option<&'v Value> {
    match at {
        Value::Object(map) => key_of(map, part),
        Value::Array(items) => {
            let inner = items.iter().find_map(|item| key_of(item.as_object()?, part));
            inner.or_else(|| {
                let index = part.parse::<i64>().ok()?;
                let length = i64::try_from(items.len()).ok()?;
                items.get(usize::try_from(if index < 0 { index + length } else { index }).ok()?)
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map {
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    #[test]
    fn strategies() {
        let a = || map(json!({"x": {"a": 1, "l": [1, 2]}, "y": 1}));
        let b = || map(json!({"x": {"b": 2, "l": [2, 3]}, "z": 3}));
        let recursed = merge(a(), b(), Strategy::Recurse, false);
        assert_eq!(Value::Object(recursed), json!({"x": {"a": 1, "l": [2, 3], "b": 2}, "y": 1, "z": 3}));
        let lists = merge(a(), b(), Strategy::Recurse, true);
        assert_eq!(lists["x"]["l"], json!([1, 2, 3]));
        assert_eq!(merge(a(), b(), Strategy::Overwrite, false)["x"], json!({"b": 2, "l": [2, 3]}));
        assert_eq!(merge(a(), b(), Strategy::Aggregate, false)["x"], json!({"b": 2, "l": [2, 3]}));
        assert_eq!(merge(a(), b(), Strategy::List, false)["x"], json!([{"a": 1, "l": [1, 2]}, {"b": 2, "l": [2, 3]}]));
    }

    #[test]
    fn paths_go_through_lists() {
        let data = json!({"a": [{"b": 1}, 7], "c": {"d": null}});
        assert_eq!(traverse(&data, "a:b", ":"), Some(&json!(1)));
        assert_eq!(traverse(&data, "a:1", ":"), Some(&json!(7)));
        assert_eq!(traverse(&data, "c:d", ":"), Some(&json!(null)));
        assert_eq!(traverse(&data, "a:x", ":"), None);
    }
}
