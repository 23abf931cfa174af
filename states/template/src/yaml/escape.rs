//! Characters that YAML writes with a backslash, and texts in double quotes.

/// A text in double quotes on one line, whatever it holds.
pub fn double_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match escaped(c) {
            Some(escape) => out.push_str(&escape),
            None => out.push(c),
        }
    }
    out.push('"');
    out
}

/// As [`double_quoted`], with everything beyond ASCII escaped.
pub fn double_quoted_ascii(text: &str) -> String {
    let escape = |c: char| escaped(c).or_else(|| beyond_ascii(c)).unwrap_or_else(|| c.to_string());
    text.chars().map(escape).fold(String::from('"'), |out, part| out + &part) + "\""
}

/// The escape of a character that is none of ASCII's.
pub fn beyond_ascii(c: char) -> Option<String> {
    match u32::from(c) {
        0..0x80 => None,
        code @ 0x80..0x100 => Some(format!("\\x{code:02X}")),
        code @ 0x100..0x10000 => Some(format!("\\u{code:04X}")),
        code => Some(format!("\\U{code:08X}")),
    }
}

/// The escape of a character that cannot stand for itself.
pub fn escaped(c: char) -> Option<String> {
    Some(match c {
        '\0' => "\\0".into(),
        '\x07' => "\\a".into(),
        '\x08' => "\\b".into(),
        '\t' => "\\t".into(),
        '\n' => "\\n".into(),
        '\x0b' => "\\v".into(),
        '\x0c' => "\\f".into(),
        '\r' => "\\r".into(),
        '\x1b' => "\\e".into(),
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\u{85}' => "\\N".into(),
        '\u{a0}' => "\\_".into(),
        '\u{2028}' => "\\L".into(),
        '\u{2029}' => "\\P".into(),
        '\u{feff}' => "\\uFEFF".into(),
        c if printable(c) => return None,
        c if (c as u32) < 0x100 => format!("\\x{:02X}", c as u32),
        c if (c as u32) < 0x10000 => format!("\\u{:04X}", c as u32),
        c => format!("\\U{:08X}", c as u32),
    })
}

/// What PyYAML takes for printable.
pub fn printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}') && c != '\u{feff}'
}
