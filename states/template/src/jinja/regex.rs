//! Python's regular expressions, bounded.

use std::{cell::RefCell, collections::HashMap};

use fancy_regex::{Regex, RegexBuilder};

use super::{Error, error};

/// Steps back that one match may take.
const BACKTRACK: usize = 1_000_000;
const CACHED: usize = 200;

thread_local! {
    static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
}

/// Compiles a pattern with Python's flags `re.I` and `re.M`.
pub fn compile(pattern: &str, ignore_case: bool, multi_line: bool) -> Result<Regex, Error> {
    let flags = match (ignore_case, multi_line) {
        (true, true) => "(?im)",
        (true, false) => "(?i)",
        (false, true) => "(?m)",
        (false, false) => "",
    };
    let whole = format!("{flags}{}", translated(pattern, multi_line));
    if let Some(regex) = COMPILED.with_borrow(|cache| cache.get(&whole).cloned()) {
        return Ok(regex);
    }
    let regex = match RegexBuilder::new(&whole).backtrack_limit(BACKTRACK).build() {
        Ok(regex) => regex,
        Err(why) => return error(format!("the pattern '{pattern}' cannot be read: {why}")),
    };
    COMPILED.with_borrow_mut(|cache| {
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(whole, regex.clone());
    });
    Ok(regex)
}

/// What Python means differently: `\Z` is the very end, and `$` also stands before a line end
/// that is the last sign of all.
fn translated(pattern: &str, multi_line: bool) -> String {
    let by_lines = multi_line || sets_multi_line(pattern);
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut signs = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = signs.next() {
        match c {
            '\\' => {
                let escaped = signs.next();
                out.push('\\');
                out.extend(escaped.map(|c| if c == 'Z' && !in_class { 'z' } else { c }));
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                // A bracket that closes is a plain sign where a class begins.
                out.extend(signs.next_if_eq(&'^'));
                if signs.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                }
            }
            '[' => out.push_str("\\["),
            ']' => {
                in_class = false;
                out.push(']');
            }
            '$' if !in_class && !by_lines => out.push_str("(?=\\n?\\z)"),
            other => out.push(other),
        }
    }
    out
}

/// Whether a pattern begins with flags of its own among which is `m`.
fn sets_multi_line(pattern: &str) -> bool {
    pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'))
        .is_some_and(|(flags, _)| flags.contains('m') && flags.chars().all(|c| c.is_ascii_lowercase() || c == 'L'))
}

/// A template of Python's `re.sub` (`\1`, `\g<name>`) with a match's groups in it.
pub fn expand(template: &str, captures: &fancy_regex::Captures<'_, str>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        rest = expand_one(rest, captures, &mut out);
    }
    out + rest
}

fn expand_one<'t>(rest: &'t str, captures: &fancy_regex::Captures<'_, str>, out: &mut String) -> &'t str {
    let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        let number: usize = rest[..digits].parse().unwrap_or(0);
        out.push_str(captures.get(number).map_or("", |found| found.as_str()));
        return &rest[digits..];
    }
    if let Some((name, after)) = rest.strip_prefix("g<").and_then(|rest| rest.split_once('>')) {
        let found = match name.parse::<usize>() {
            Ok(number) => captures.get(number),
            Err(_) => captures.name(name),
        };
        out.push_str(found.map_or("", |found| found.as_str()));
        return after;
    }
    let mut chars = rest.chars();
    match chars.next() {
        Some('n') => out.push('\n'),
        Some('t') => out.push('\t'),
        Some('r') => out.push('\r'),
        Some('\\') | None => out.push('\\'),
        Some(other) => out.extend(['\\', other]),
    }
    chars.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_python_means() {
        let found = |pattern: &str, text: &str| compile(pattern, false, false).unwrap().is_match(text).unwrap();
        assert!(
            found("two$", "two\n") && found("two$", "two") && !found("two$", "two\nthree") && !found("two$", "two\n\n")
        );
        assert!(found(r"two\Z", "two") && !found(r"two\Z", "two\n"));
        assert!(found("[$]", "$") && found(r"\$x", "$x") && found("(?m)two$", "two\nthree") && found(r"\\$", "\\"));
        assert!(found("[]a]+$", "a]") && found("[^]a]", "b") && found("[[]", "["));
        assert_eq!(compile("a$", false, false).unwrap().replace_all("a\n", "b"), "b\n");
    }
}
