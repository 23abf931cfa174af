//! Files of sections, keys and values as Python's `configparser` reads and writes them.

use proto::{Map, Value};

use crate::value::{self, python_str};

/// The section whose values hold for all others.
const DEFAULTS: &str = "DEFAULT";

/// A mapping of sections to mappings as text; keys in lower case.
///
/// # Errors
/// What cannot be written so that it is read back: other data, a lone `%`, a section called twice.
pub fn write(data: &Value) -> Result<String, String> {
    let Value::Object(sections) = data else { return Err("configparser can only serialize dictionaries".into()) };
    let mut out = String::new();
    // Salt's parser writes the section of defaults first, wherever it was.
    let (first, rest): (Vec<_>, Vec<_>) = sections.iter().partition(|(name, _)| *name == DEFAULTS);
    for (name, keys) in first.into_iter().chain(rest) {
        let Value::Object(keys) = keys else { return Err(format!("section '{name}' is no mapping of keys to values")) };
        if name == DEFAULTS && keys.is_empty() {
            continue;
        }
        out.push_str(&format!("[{}]\n", python_str(&value::from_key(name))));
        for (key, value) in lowered(keys) {
            if value.is_null() {
                return Err(format!("{name}: {key}: option values must be strings"));
            }
            let text = python_str(value);
            checked(&text)?;
            out.push_str(&format!("{key} = {}\n", text.replace('\n', "\n\t")));
        }
        out.push('\n');
    }
    Ok(out)
}

/// Keys in lower case; the last of two that are the same then counts.
fn lowered(keys: &Map) -> indexmap::IndexMap<String, &Value> {
    keys.iter().map(|(key, value)| (python_str(&value::from_key(key)).to_lowercase(), value)).collect()
}

/// A `%` is to be doubled, or to name another value.
fn checked(text: &str) -> Result<(), String> {
    let mut rest = text.replace("%%", "");
    while let Some(at) = rest.find("%(") {
        match rest[at..].find(")s") {
            Some(end) => rest.replace_range(at..at + end + 2, ""),
            None => break,
        }
    }
    if rest.contains('%') { Err(format!("invalid interpolation syntax in '{text}'")) } else { Ok(()) }
}

/// The same back: sections with their keys and those of `[DEFAULT]`, `%(name)s` put in.
///
/// # Errors
/// A line that is none of a section, a key and a continuation; a name used twice or known to nobody.
pub fn read(text: &str) -> Result<Map, String> {
    let mut sections: indexmap::IndexMap<String, indexmap::IndexMap<String, String>> = Default::default();
    let (mut section, mut key): (Option<String>, Option<String>) = (None, None);
    for (number, line) in text.lines().enumerate() {
        let at = format!("line {}", number + 1);
        let trimmed = line.trim();
        if trimmed.starts_with(['#', ';']) {
            continue;
        }
        let keys = section.as_ref().and_then(|name| sections.get_mut(name));
        if let (true, Some(keys), Some(key)) = (line.starts_with([' ', '\t']) || trimmed.is_empty(), keys, &key) {
            let value = keys.entry(key.clone()).or_default();
            value.push('\n');
            value.push_str(trimmed);
            continue;
        }
        if trimmed.is_empty() {
            continue;
        }
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
            if sections.contains_key(name) && name != DEFAULTS {
                return Err(format!("{at}: section '{name}' already exists"));
            }
            sections.entry(name.to_owned()).or_default();
            (section, key) = (Some(name.to_owned()), None);
            continue;
        }
        let Some(keys) = section.as_ref().and_then(|name| sections.get_mut(name)) else {
            return Err(format!("{at}: File contains no section headers"));
        };
        let Some((name, value)) = trimmed.split_once(['=', ':']) else {
            return Err(format!("{at}: Source contains parsing errors: {trimmed:?}"));
        };
        let name = name.trim().to_lowercase();
        if keys.insert(name.clone(), value.trim().to_owned()).is_some() {
            return Err(format!("{at}: option '{name}' already exists"));
        }
        key = Some(name);
    }
    let defaults = sections.shift_remove(DEFAULTS).unwrap_or_default();
    let whole = |(name, own): (String, indexmap::IndexMap<String, String>)| {
        let mut keys = defaults.clone();
        keys.extend(own);
        let value =
            |(key, text): (&String, &String)| Ok((key.clone(), Value::String(put_in(text.trim_end(), &keys, 0)?)));
        Ok((name, Value::Object(keys.iter().map(value).collect::<Result<Map, String>>()?)))
    };
    sections.into_iter().map(whole).collect()
}

/// How deep values may name others, as in Python.
const DEPTH: usize = 10;

fn put_in(text: &str, keys: &indexmap::IndexMap<String, String>, depth: usize) -> Result<String, String> {
    if depth > DEPTH {
        return Err(format!("Recursion limit exceeded in value substitution: {text:?}"));
    }
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('%') {
            out.push('%');
            rest = after;
            continue;
        }
        let named = after.strip_prefix('(').and_then(|after| after.split_once(")s"));
        let Some((name, after)) = named else {
            return Err(format!("'%' must be followed by '%' or '(', found: '%{after}'"));
        };
        let value = keys.get(&name.to_lowercase());
        let value = value.ok_or_else(|| format!("Bad value substitution: '{name}' is not defined"))?;
        out.push_str(&put_in(value, keys, depth + 1)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back_as_text() {
        let data = json!({"s": {"Key": "v", "n": 1, "long": "a\nb"}, "DEFAULT": {"home": "/srv"}});
        let text = write(&data).unwrap();
        assert_eq!(text, "[DEFAULT]\nhome = /srv\n\n[s]\nkey = v\nn = 1\nlong = a\n\tb\n\n");
        let back = read(&text).unwrap();
        assert_eq!(Value::Object(back), json!({"s": {"home": "/srv", "key": "v", "n": "1", "long": "a\nb"}}));
    }

    #[test]
    fn values_name_others() {
        let back = read("[s]\na = 1\nb: %(a)s%%\n").unwrap();
        assert_eq!(back["s"], json!({"a": "1", "b": "1%"}));
        for bad in ["[s]\na = %(b)s\n", "[s]\na = %(a)s\n", "[s]\na = 5%\n", "a = 1\n", "[s]\nx\n", "[s]\n[s]\n"] {
            assert!(read(bad).is_err(), "{bad}");
        }
        for bad in [json!({"s": {"a": "5%"}}), json!({"s": 1}), json!([1]), json!({"s": {"a": null}})] {
            assert!(write(&bad).is_err(), "{bad}");
        }
    }
}
