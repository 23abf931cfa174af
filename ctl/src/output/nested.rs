//! Values for people, laid out as Salt's `nested` outputter does (`salt/output/nested.py`): a
//! mapping's keys on lines of their own, values below them, `|_` before a collection in a list.
//! Mappings keep the order that they came in.

use std::fmt::Write as _;

use anstyle::Style;
use proto::Value;

use crate::term::{self, BAD, CHANGED, GOOD, VALUE, paint};

/// A minion's name and its return below it.
pub fn render(minion: &str, value: &Value, good: bool) -> String {
    let mut text = format!("{}:\n", paint(if good { CHANGED } else { BAD }, minion));
    let layout = Layout { key: if good { CHANGED } else { BAD }, text: if good { GOOD } else { BAD }, diffs: false };
    layout.value(&mut text, value, 4, "");
    text
}

/// A value by itself.
pub fn body(value: &Value) -> String {
    let mut text = String::new();
    Layout { key: CHANGED, text: GOOD, diffs: false }.value(&mut text, value, 0, "");
    text
}

/// The changes of a state: as [`body`], with the lines of a `diff` in the colours of one.
pub fn changes(value: &Value) -> String {
    let mut text = String::new();
    Layout { key: CHANGED, text: GOOD, diffs: true }.value(&mut text, value, 0, "");
    text
}

/// A value that is one word, as Python writes it; `None` for text and collections.
pub fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("None".into()),
        Value::Bool(true) => Some("True".into()),
        Value::Bool(false) => Some("False".into()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

struct Layout {
    key: Style,
    text: Style,
    /// Whether what stands beneath a key `diff` is coloured as one.
    diffs: bool,
}

impl Layout {
    fn line(&self, out: &mut String, indent: usize, style: Style, text: &str) {
        let _ = writeln!(out, "{:indent$}{}", "", paint(style, text));
    }

    /// `prefix` is the `- ` of a list's item.
    fn value(&self, out: &mut String, value: &Value, indent: usize, prefix: &str) {
        match value {
            Value::String(text) => self.text(out, &term::clean(text), indent, prefix),
            Value::Array(items) => self.list(out, items, indent),
            Value::Object(map) => self.mapping(out, map, indent, prefix),
            word => self.line(out, indent, VALUE, &format!("{prefix}{}", scalar(word).unwrap_or_default())),
        }
    }

    fn text(&self, out: &mut String, text: &str, indent: usize, prefix: &str) {
        let mut lead = prefix.to_owned();
        for line in text.lines() {
            self.line(out, indent, self.text, &format!("{lead}{line}"));
            lead = " ".repeat(prefix.len());
        }
    }

    fn diff(&self, out: &mut String, text: &str, indent: usize) {
        for line in text.lines() {
            let style = match line.as_bytes().first() {
                Some(b'+') => GOOD,
                Some(b'-') => BAD,
                Some(b'@') => CHANGED,
                _ => Style::new(),
            };
            self.line(out, indent, style, line);
        }
    }

    fn list(&self, out: &mut String, items: &[Value], indent: usize) {
        for item in items {
            let prefix = match item {
                Value::Array(_) => "- ",
                Value::Object(_) => "",
                _ => {
                    self.value(out, item, indent, "- ");
                    continue;
                }
            };
            self.line(out, indent, self.text, "|_");
            self.value(out, item, indent + 2, prefix);
        }
    }

    fn mapping(&self, out: &mut String, map: &proto::Map, indent: usize, prefix: &str) {
        if indent > 0 {
            self.line(out, indent, self.key, "----------");
        }
        for (key, value) in map {
            let key = term::clean(key);
            let _ = writeln!(out, "{:indent$}{}:", "", paint(self.key, format_args!("{prefix}{key}")));
            match value {
                Value::String(diff) if self.diffs && key == "diff" => self.diff(out, &term::clean(diff), indent + 4),
                value => self.value(out, value, indent + 4, ""),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_layout_is_salts() {
        let value = json!({
            "text": "two\nlines", "none": null, "yes": true, "n": 1.5, "empty": {},
            "list": ["a", 1, ["b"], {"k": "v", "l": "w"}],
            "deep": {"er": {"est": "x"}},
        });
        let text = anstream::adapter::strip_str(&render("web1", &value, true)).to_string();
        insta::assert_snapshot!(text);
    }
}
