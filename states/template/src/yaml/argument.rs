//! An argument of the command line as a value: `salt.utils.args.yamlify_arg`.

use proto::Value;

use super::{Data, parse, to_value};

/// `5` is a number, `true` a boolean, `{a: 1}` and `[1, 2]` are mappings and lists; what only
/// looks like one of these by accident (`a: b`, `1_000`, a date, `#1`, a text with line breaks
/// or tabs) stays the text that was typed.
pub fn scalar(text: &str) -> Value {
    let original = || Value::String(text.to_owned());
    let bare = text.trim();
    let only_digits = text.contains('_') && bare.chars().all(|c| c.is_ascii_digit() || c == '_');
    if matches!(bare, "" | "---" | "...") || only_digits || text.contains(['\t', '\r', '\n']) {
        return original();
    }
    if text == "None" {
        return Value::Null;
    }
    let Ok(node) = parse("argument", text) else { return original() };
    match &node.data {
        // What stands behind `#` would be lost.
        Data::Str(_) | Data::Null if text.contains('#') => original(),
        Data::Map(_) if !text.starts_with('{') && !text.contains('#') => original(),
        Data::Seq(_) if !text.starts_with('[') && !text.contains('#') => original(),
        Data::Null if text == "!" => original(),
        Data::Str(read) if read.is_empty() && matches!(text, "|" | "!") => original(),
        _ => to_value(&node),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_read_as_salt_reads_them() {
        let cases = [
            ("5", json!(5)),
            ("5.5", json!(5.5)),
            ("true", json!(true)),
            ("no", json!(false)),
            ("", json!("")),
            ("[1, a]", json!([1, "a"])),
            ("{a: 1}", json!({"a": 1})),
            ("a: b", json!("a: b")),
            ("- a", json!("- a")),
            ("1_000", json!("1_000")),
            ("2026-01-02", json!("2026-01-02")),
            ("#x", json!("#x")),
            ("|", json!("|")),
            ("!", json!("!")),
            ("None", json!(null)),
            ("null", json!(null)),
            ("'5'", json!("5")),
            ("df -h", json!("df -h")),
            ("a\nb", json!("a\nb")),
            ("@x", json!("@x")),
            ("0644", json!(644)),
        ];
        for (text, value) in cases {
            assert_eq!(scalar(text), value, "{text:?}");
        }
    }
}
