//! What a plain scalar means: PyYAML's implicit resolvers, and how Salt reads the numbers.

use std::sync::Arc;

use super::Data;

/// A scalar's type, as a tag names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Null,
    Bool,
    Int,
    Float,
    Str,
    Timestamp,
    Merge,
    /// A lone `=`.
    Value,
    Binary,
}

/// The type of a plain scalar without a tag.
pub fn resolve(text: &str) -> Kind {
    let Some(first) = text.bytes().next() else { return Kind::Null };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' if boolean(text).is_some() => Kind::Bool,
        b'~' | b'n' | b'N' if matches!(text, "~" | "null" | "Null" | "NULL") => Kind::Null,
        b'-' | b'+' | b'.' | b'0'..=b'9' => resolve_number(text),
        b'<' if text == "<<" => Kind::Merge,
        b'=' if text == "=" => Kind::Value,
        _ => Kind::Str,
    }
}

fn resolve_number(text: &str) -> Kind {
    if is_float(text) {
        Kind::Float
    } else if is_int(text) {
        Kind::Int
    } else if is_timestamp(text) {
        Kind::Timestamp
    } else {
        Kind::Str
    }
}

/// YAML 1.1's words for true and false, without `y` and `n`.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn all(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    text.bytes().all(allowed)
}

fn digits(text: &str) -> bool {
    all(text, |b| b.is_ascii_digit() || b == b'_')
}

/// Digits and underscores that begin with a digit.
fn number(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_digit()) && digits(text)
}

fn is_int(text: &str) -> bool {
    let body = unsigned(text);
    if let Some(rest) = body.strip_prefix("0b") {
        return !rest.is_empty() && all(rest, |b| matches!(b, b'0' | b'1' | b'_'));
    }
    if let Some(rest) = body.strip_prefix("0x") {
        return !rest.is_empty() && all(rest, |b| b.is_ascii_hexdigit() || b == b'_');
    }
    if let Some(rest) = body.strip_prefix('0') {
        return all(rest, |b| matches!(b, b'0'..=b'7' | b'_'));
    }
    match body.split_once(':') {
        None => number(body),
        Some((head, rest)) => number(head) && rest.split(':').all(sexagesimal),
    }
}

/// One part behind a colon: `0` to `59`.
fn sexagesimal(part: &str) -> bool {
    matches!(part.as_bytes(), [b'0'..=b'9'] | [b'0'..=b'5', b'0'..=b'9'])
}

fn is_float(text: &str) -> bool {
    let body = unsigned(text);
    if matches!(body, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = body.split_once('.') else { return false };
    if let Some((head, parts)) = whole.split_once(':') {
        return number(head) && parts.split(':').all(sexagesimal) && digits(rest);
    }
    let (fraction, exponent) = split_exponent(rest);
    if !exponent || !digits(fraction) {
        return false;
    }
    // A leading point takes no sign, and a digit must follow it.
    if whole.is_empty() { body.len() == text.len() && number(fraction) } else { number(whole) }
}

/// The part before an exponent, and whether the exponent (if any) is well written: with a sign.
fn split_exponent(text: &str) -> (&str, bool) {
    match text.split_once(['e', 'E']) {
        None => (text, true),
        Some((fraction, exponent)) => {
            let digits = exponent.strip_prefix(['-', '+']);
            (fraction, digits.is_some_and(|d| !d.is_empty() && all(d, |b| b.is_ascii_digit())))
        }
    }
}

/// `YYYY-MM-DD`, or with a time. Both stay strings, but a tag may say otherwise.
fn is_timestamp(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 8 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

/// An integer's value as Salt reads it: leading zeros do not make it octal, except behind a sign.
pub fn int(text: &str) -> Option<Data> {
    let mut text = text;
    if text != "0" && text.starts_with('0') && !text.starts_with("0b") && !text.starts_with("0x") {
        text = text.trim_start_matches('0');
        if text.is_empty() {
            text = "0";
        }
    }
    let clean = text.replace('_', "");
    let negative = clean.starts_with('-');
    let body = unsigned(&clean);
    let value = if let Some(rest) = body.strip_prefix("0b") {
        i128::from_str_radix(rest, 2).ok()?
    } else if let Some(rest) = body.strip_prefix("0x") {
        i128::from_str_radix(rest, 16).ok()?
    } else if body != "0" && body.starts_with('0') {
        i128::from_str_radix(body, 8).ok()?
    } else if body.contains(':') {
        base_60(body)?
    } else if body.len() > 30 {
        return all(body, |b| b.is_ascii_digit()).then(|| Data::Big(clean.trim_start_matches('+').into()));
    } else {
        body.parse().ok()?
    };
    let value = if negative { -value } else { value };
    Some(i64::try_from(value).map_or_else(|_| Data::Big(Arc::from(value.to_string())), Data::Int))
}

fn base_60(text: &str) -> Option<i128> {
    text.split(':').try_fold(0i128, |sum, part| sum.checked_mul(60)?.checked_add(part.parse().ok()?))
}

pub fn float(text: &str) -> Option<f64> {
    let clean = text.replace('_', "").to_ascii_lowercase();
    let sign = if clean.starts_with('-') { -1.0 } else { 1.0 };
    let body = unsigned(&clean);
    let value = match body {
        ".inf" => f64::INFINITY,
        ".nan" => f64::NAN,
        _ if body.contains(':') => {
            body.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))?
        }
        _ => body.parse().ok()?,
    };
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_int(text: &str) -> Option<i64> {
        match (resolve(text), int(text)) {
            (Kind::Int, Some(Data::Int(value))) => Some(value),
            _ => None,
        }
    }

    #[test]
    fn integers_are_read_as_salt_reads_them() {
        let cases = [
            ("0", 0),
            ("0644", 644),
            ("010", 10),
            ("-0644", -420),
            ("22:22", 1342),
            ("0b11", 3),
            ("-0x1F", -31),
            ("1_000", 1000),
            ("00", 0),
            ("+5", 5),
            ("190:20:30", 685_230),
            ("-0", 0),
        ];
        for (text, value) in cases {
            assert_eq!(read_int(text), Some(value), "{text}");
        }
        for text in ["0o644", "1e3", "08", "1:60", "2026-01-02", "0x", "1.0", "_1", "+", "-", "0:30", "1:2:"] {
            assert_eq!(read_int(text), None, "{text}");
        }
    }

    #[test]
    fn floats_need_a_point_and_a_signed_exponent() {
        for text in ["1.0", "1.", ".5", "1.5e+3", "-1.5E-3", "1_0.5", ".inf", "-.INF", ".nan", "1:30.5", "089.5"] {
            assert_eq!(resolve(text), Kind::Float, "{text}");
        }
        for text in ["1e3", "1.5e3", "-.5", "1.2.3", ".", "-.nan", "._5", "1.5e+"] {
            assert_ne!(resolve(text), Kind::Float, "{text}");
        }
        assert_eq!(float("1:30.5"), Some(90.5));
        assert_eq!(float("-1.5E-3"), Some(-0.0015));
    }

    #[test]
    fn words() {
        assert_eq!(resolve("yes"), Kind::Bool);
        assert_eq!(resolve("y"), Kind::Str);
        assert_eq!(resolve("yEs"), Kind::Str);
        assert_eq!(resolve(""), Kind::Null);
        assert_eq!(resolve("~"), Kind::Null);
        assert_eq!(resolve("none"), Kind::Str);
    }
}
