//! What we are built from. `cargo deny check bans licenses sources` reads the same `deny.toml`
//! and knows more; this needs nothing installed and runs with every test.

use serde_json::Value;

use crate::{metadata, none, read};

/// The strings of one list of `deny.toml`: `KEY = [ … ]`, one or more a line.
fn list(key: &str) -> Vec<String> {
    let text = read("deny.toml");
    let start = text.find(&format!("\n{key} = [")).unwrap_or_else(|| panic!("deny.toml has a list `{key}`"));
    let body = &text[start..];
    let body = &body[..body.find("\n]").unwrap_or_else(|| panic!("`{key}` ends on a line of its own"))];
    let code = body.lines().map(|line| line.split(" #").next().unwrap_or_default().to_owned()).collect::<String>();
    code.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

fn packages() -> Vec<Value> {
    metadata(&[])["packages"].as_array().unwrap().clone()
}

fn text<'a>(package: &'a Value, key: &str) -> &'a str {
    package[key].as_str().unwrap_or_default()
}

#[test]
fn nothing_banned_is_used() {
    let banned = list("deny");
    assert!(banned.iter().any(|name| name == "openssl-sys"), "the list is read: {banned:?}");
    let found = packages().into_iter().filter(|package| banned.contains(&text(package, "name").to_owned()));
    none(found.map(|package| text(&package, "id").to_owned()).collect(), "deny.toml bans these");
}

#[test]
fn everything_comes_from_crates_io() {
    let foreign = packages().into_iter().filter(|package| {
        package["source"]
            .as_str()
            .is_some_and(|source| source != "registry+https://github.com/rust-lang/crates.io-index")
    });
    none(foreign.map(|package| text(&package, "id").to_owned()).collect(), "these come from elsewhere");
}

#[test]
fn every_licence_is_allowed() {
    let allowed = list("allow");
    let refused = packages().into_iter().filter(|package| !satisfied(text(package, "license"), &allowed));
    let show = |package: Value| format!("{}: {:?}", text(&package, "id"), text(&package, "license"));
    none(refused.map(show).collect(), "deny.toml does not allow these licences");
}

/// Whether an SPDX expression can be met with these licences.
fn satisfied(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, allowed);
    met && words.next().is_none()
}

type Words<'a, 'b> = std::iter::Peekable<std::str::SplitWhitespace<'b>>;

fn any(words: &mut Words<'_, '_>, allowed: &[String]) -> bool {
    let mut met = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Words<'_, '_>, allowed: &[String]) -> bool {
    let mut met = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Words<'_, '_>, allowed: &[String]) -> bool {
    match words.next() {
        Some("(") => {
            let met = any(words, allowed);
            met && words.next() == Some(")")
        }
        Some(name) => allowed.contains(&name.replace("+WITH+", " WITH ")),
        None => false,
    }
}

#[test]
fn licence_expressions_are_understood() {
    let allowed = ["MIT".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
    for good in
        ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-3.0) AND MIT", "Apache-2.0 WITH LLVM-exception"]
    {
        assert!(satisfied(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT AND GPL-3.0) OR Zlib"] {
        assert!(!satisfied(bad, &allowed), "{bad}");
    }
}
