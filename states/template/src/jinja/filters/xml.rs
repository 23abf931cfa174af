//! Salt's filter `xml`: a mapping as an XML document, as Python's `minidom` lays it out.
//!
//! A mapping's scalars become attributes, its mappings and lists become elements; a list gives
//! one element an item.

use super::Value;
use crate::jinja::{Error, error, print};

/// How deep elements may stand in one another.
const DEPTH: usize = 200;

struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: Option<String>,
    children: Vec<Element>,
}

/// The document of a mapping whose one key is the root element; of several keys, the last.
pub fn document(value: &Value) -> Result<String, Error> {
    let Value::Dict(dict) = value.check()? else {
        return error(format!("only a dict can be written as XML, not {}", value.described()));
    };
    let mut roots = Vec::new();
    for (name, value) in dict.borrow().iter() {
        if matches!(value, Value::List(_)) {
            return error("the outermost element of an XML document cannot be a list");
        }
        element(&name.to_value(), value, 0, &mut roots)?;
    }
    let Some(root) = roots.pop() else { return error("an empty dict has no XML element") };
    let mut out = String::from("<?xml version=\"1.0\" ?>\n");
    root.write(&mut out, 0);
    Ok(out)
}

/// Appends what `value` gives under `name`: one element, or one for each item of a list.
fn element(name: &Value, value: &Value, depth: usize, out: &mut Vec<Element>) -> Result<(), Error> {
    if depth > DEPTH {
        return error("this is too deep for XML");
    }
    if let Value::List(items) = value {
        return items.borrow().iter().try_for_each(|item| element(name, item, depth + 1, out));
    }
    let mut element = Element { name: checked_name(name)?, attributes: Vec::new(), text: None, children: Vec::new() };
    match value.check()? {
        Value::Dict(dict) => {
            for (key, value) in dict.borrow().iter() {
                match value {
                    Value::Dict(_) | Value::List(_) => {}
                    scalar => element
                        .attributes
                        .push((checked_name(&key.to_value())?, checked_text(print::str(scalar.check()?))?)),
                }
            }
            for (key, value) in dict.borrow().iter() {
                if matches!(value, Value::Dict(_) | Value::List(_)) {
                    self::element(&key.to_value(), value, depth + 1, &mut element.children)?;
                }
            }
        }
        scalar @ (Value::Str(_) | Value::Int(_) | Value::Float(_) | Value::Bool(_)) => {
            element.text = Some(checked_text(print::str(scalar))?).filter(|text| !text.is_empty());
        }
        other => return error(format!("{} cannot be written as XML", other.described())),
    }
    out.push(element);
    Ok(())
}

fn checked_name(name: &Value) -> Result<String, Error> {
    let refused = || error(format!("{} is no name for XML", name.described()));
    let Some(text) = name.as_str() else { return refused() };
    let begins = |c: char| c.is_alphabetic() || c == '_';
    let mut signs = text.chars();
    let fits = signs.next().is_some_and(begins)
        && signs.all(|c| begins(c) || c.is_numeric() || matches!(c, '-' | '.' | ':' | '\u{b7}'));
    if fits { Ok(text.to_owned()) } else { refused() }
}

fn checked_text(text: String) -> Result<String, Error> {
    match text.chars().find(|c| *c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        Some(c) => error(format!("the character {c:?} cannot stand in XML")),
        None => Ok(text),
    }
}

impl Element {
    fn write(&self, out: &mut String, depth: usize) {
        let indent = " ".repeat(depth);
        out.push_str(&format!("{indent}<{}", self.name));
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", escaped(value)));
        }
        match &self.text {
            // The parser reads every line end as one sign.
            Some(text) => {
                let text = text.replace("\r\n", "\n").replace('\r', "\n");
                out.push_str(&format!(">{}</{}>\n", escaped(&text), self.name));
            }
            None if self.children.is_empty() => out.push_str("/>\n"),
            None => {
                out.push_str(">\n");
                self.children.iter().for_each(|child| child.write(out, depth + 1));
                out.push_str(&format!("{indent}</{}>\n", self.name));
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('>', "&gt;")
}
