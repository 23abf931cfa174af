//! Python's `pprint.pformat`: mappings by their keys, on one line where 80 columns are enough,
//! long texts in parts.

use super::{
    print,
    value::{Dict, Key, Value},
};
use crate::value::string_repr;

const WIDTH: usize = 80;

pub fn pformat(value: &Value) -> String {
    let mut out = String::new();
    format(&mut out, value, 0, 0, 0);
    out
}

/// Keys in the order in which `pprint` has them: as they compare, or by their types.
pub fn sorted(dict: &Dict) -> Vec<(&Key, &Value)> {
    let mut pairs: Vec<(&Key, &Value)> = dict.iter().collect();
    pairs.sort_by(|(a, _), (b, _)| {
        let (a, b) = (a.to_value(), b.to_value());
        a.compare(&b).unwrap_or_else(|_| (a.type_name(), print::repr(&a)).cmp(&(b.type_name(), print::repr(&b))))
    });
    pairs
}

/// `allowance` columns are wanted behind the value, for what closes what it stands in.
fn format(out: &mut String, value: &Value, indent: usize, allowance: usize, level: usize) {
    let line = print::sorted(value);
    if line.chars().count() <= WIDTH.saturating_sub(indent + allowance) {
        return out.push_str(&line);
    }
    match value {
        Value::Str(text) => string(out, text, indent, allowance, level == 0),
        Value::List(list) => items(out, &list.borrow(), ("[", "]"), indent, allowance, level),
        Value::Tuple(list) => {
            let close = if list.len() == 1 { ",)" } else { ")" };
            items(out, list, ("(", close), indent, allowance, level);
        }
        Value::Dict(dict) => {
            out.push('{');
            let dict = dict.borrow();
            let last = dict.len().saturating_sub(1);
            for (i, (key, item)) in sorted(&dict).into_iter().enumerate() {
                separate(out, i, indent + 1);
                let key = print::repr(&key.to_value());
                out.push_str(&format!("{key}: "));
                let allowance = if i == last { allowance + 1 } else { 1 };
                format(out, item, indent + key.chars().count() + 3, allowance, level + 1);
            }
            out.push('}');
        }
        _ => out.push_str(&line),
    }
}

fn items(out: &mut String, list: &[Value], (open, close): (&str, &str), indent: usize, allowance: usize, level: usize) {
    out.push_str(open);
    let last = list.len().saturating_sub(1);
    for (i, item) in list.iter().enumerate() {
        separate(out, i, indent + 1);
        format(out, item, indent + 1, if i == last { allowance + close.len() } else { 1 }, level + 1);
    }
    out.push_str(close);
}

fn separate(out: &mut String, index: usize, indent: usize) {
    if index > 0 {
        out.push_str(",\n");
        out.push_str(&" ".repeat(indent));
    }
}

/// A text in parts, each of as many words as a line holds; in brackets where it stands alone.
fn string(out: &mut String, text: &str, indent: usize, allowance: usize, alone: bool) {
    let (indent, allowance) = if alone { (indent + 1, allowance + 1) } else { (indent, allowance) };
    let width = WIDTH.saturating_sub(indent);
    let fits = |text: &str, width: usize| string_repr(text).chars().count() <= width;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut chunks: Vec<&str> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        let last_width = if i + 1 == lines.len() { width.saturating_sub(allowance) } else { width };
        if fits(line, last_width) {
            chunks.push(line);
            continue;
        }
        let words = words(line);
        let (mut start, mut end) = (0, 0);
        for (j, word) in words.iter().enumerate() {
            let width = if j + 1 == words.len() { last_width } else { width };
            if !fits(&line[start..end + word.len()], width) && end > start {
                chunks.push(&line[start..end]);
                start = end;
            }
            end += word.len();
        }
        chunks.push(&line[start..end]);
    }
    let parts: Vec<String> = chunks.into_iter().map(string_repr).collect();
    let joined = parts.join(&format!("\n{}", " ".repeat(indent)));
    out.push_str(&if alone && parts.len() > 1 { format!("({joined})") } else { joined });
}

/// Words, each with the blanks behind it.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut blank) = (0, false);
    for (at, c) in line.char_indices() {
        if blank && !c.is_whitespace() {
            words.push(&line[start..at]);
            start = at;
        }
        blank = c.is_whitespace();
    }
    words.push(&line[start..]);
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Each answer was Python's.
    #[test]
    fn long_values_are_broken_as_python_breaks_them() {
        let words = "word ".repeat(20);
        let value = |json| crate::jinja::from_value(&json);
        assert_eq!(
            pformat(&value(json!(words))),
            "('word word word word word word word word word word word word word word word '\n 'word word word word word ')"
        );
        assert_eq!(
            pformat(&value(json!({"b": words, "a": [1, "x".repeat(80)]}))),
            format!(
                "{{'a': [1,\n       '{}'],\n 'b': 'word word word word word word word word word word word word word word '\n      'word word word word word word '}}",
                "x".repeat(80)
            )
        );
        assert_eq!(pformat(&Value::tuple(vec![Value::Int(1)])), "(1,)");
    }
}
