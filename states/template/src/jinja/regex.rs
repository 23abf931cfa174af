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
    let whole = format!("{flags}{}", translated(pattern));
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

/// What Python writes differently: `\Z` is the very end.
fn translated(pattern: &str) -> String {
    pattern.replace("\\Z", "\\z")
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
