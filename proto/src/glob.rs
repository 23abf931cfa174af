//! Globs as Python's `fnmatch` reads them: `*`, `?`, `[seq]`, `[!seq]`; everything else, braces
//! included, is itself. They match the whole text and cost nanoseconds.

use std::fmt;

/// A compiled glob.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    text: Box<str>,
    form: Form,
}

/// What most globs are needs no general matcher.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    All,
    Exact,
    /// `web*`
    Prefix,
    /// `*.example.org`
    Suffix,
    General(Box<[Step]>),
}

#[derive(Clone, PartialEq, Eq)]
enum Step {
    One(char),
    Any,
    Star,
    Class { negated: bool, ranges: Box<[(char, char)]> },
}

impl Glob {
    /// Every text is a glob: a bracket that is not closed is itself.
    pub fn new(text: &str) -> Self {
        let special = |part: &str| part.contains(['*', '?', '[']);
        let form = match text {
            "*" => Form::All,
            _ if !special(text) => Form::Exact,
            _ if text.strip_suffix('*').is_some_and(|rest| !special(rest)) => Form::Prefix,
            _ if text.strip_prefix('*').is_some_and(|rest| !special(rest)) => Form::Suffix,
            _ => Form::General(steps(text)),
        };
        Self { text: text.into(), form }
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it can match one text only, which is then [`as_str`](Self::as_str).
    pub fn is_exact(&self) -> bool {
        self.form == Form::Exact
    }

    pub fn is_match(&self, text: &str) -> bool {
        match &self.form {
            Form::All => true,
            Form::Exact => text == &*self.text,
            Form::Prefix => text.starts_with(&self.text[..self.text.len() - 1]),
            Form::Suffix => text.ends_with(&self.text[1..]),
            Form::General(steps) => walk(steps, text),
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({:?})", self.text)
    }
}

fn steps(text: &str) -> Box<[Step]> {
    let mut steps = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        steps.push(match c {
            '*' if matches!(steps.last(), Some(Step::Star)) => continue,
            '*' => Step::Star,
            '?' => Step::Any,
            '[' => match class(rest.as_str()) {
                Some((class, length)) => {
                    rest = rest.as_str()[length..].chars();
                    class
                }
                None => Step::One('['),
            },
            c => Step::One(c),
        });
    }
    steps.into()
}

/// The class that begins behind a `[`, and how many bytes it takes with its `]`.
fn class(text: &str) -> Option<(Step, usize)> {
    let (negated, start) = if text.starts_with('!') { (true, 1) } else { (false, 0) };
    // A bracket in the first place is one of the characters.
    let first = text[start..].chars().next()?.len_utf8();
    let end = start + first + text[start + first..].find(']')?;
    let members: Vec<char> = text[start..end].chars().collect();
    let mut ranges = Vec::new();
    let mut at = 0;
    while at < members.len() {
        let range = at + 2 < members.len() && members[at + 1] == '-';
        let last = if range { members[at + 2] } else { members[at] };
        ranges.push((members[at], last));
        at += if range { 3 } else { 1 };
    }
    Some((Step::Class { negated, ranges: ranges.into() }, end + 1))
}

impl Step {
    fn takes(&self, c: char) -> bool {
        match self {
            Step::One(own) => *own == c,
            Step::Any => true,
            Step::Star => false,
            Step::Class { negated, ranges } => ranges.iter().any(|&(from, to)| from <= c && c <= to) != *negated,
        }
    }
}

/// Matches with one point to go back to, the last star: at worst the product of both lengths.
fn walk(steps: &[Step], text: &str) -> bool {
    let (mut step, mut rest) = (0, text);
    let mut star: Option<(usize, &str)> = None;
    loop {
        match (steps.get(step), rest.chars().next()) {
            (Some(Step::Star), _) => {
                star = Some((step + 1, rest));
                step += 1;
            }
            (Some(own), Some(c)) if own.takes(c) => {
                rest = &rest[c.len_utf8()..];
                step += 1;
            }
            (None, None) => return true,
            _ => {
                let Some((behind, from)) = star else { return false };
                let Some(c) = from.chars().next() else { return false };
                rest = &from[c.len_utf8()..];
                star = Some((behind, rest));
                step = behind;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_python_reads_them() {
        // Each line was checked against Python's fnmatch.
        for (glob, yes, no) in [
            ("*", &["", "web1"][..], &[][..]),
            ("web*", &["web", "web1"], &["aweb", "Web1"]),
            ("*.org", &[".org", "a.org"], &["a.orgs"]),
            ("web?", &["web1", "webé"], &["web", "web12"]),
            ("web[123]", &["web1", "web3"], &["web4", "web", "web12"]),
            ("web[!12]", &["web3", "webx"], &["web1", "web"]),
            ("web[0-9a-c]x", &["web0x", "webbx"], &["webdx", "web-x"]),
            ("[]x]", &["]", "x"], &["[", "[]x]"]),
            ("[!]]", &["x"], &["]"]),
            ("a[b", &["a[b"], &["ab"]),
            ("a[]b", &["a[]b"], &["ab"]),
            ("a[^b]", &["a^", "ab"], &["ac"]),
            ("[z-a]", &[], &["z", "a", "m"]),
            ("[a-]", &["a", "-"], &["b"]),
            ("web{1,2}", &["web{1,2}"], &["web1", "web2"]),
            ("a*b*c", &["abc", "axxbyybzc"], &["acb", "ab"]),
            ("**a", &["a", "xa"], &["ab"]),
            ("a\\*", &["a\\", "a\\b"], &["a*"]),
        ] {
            let compiled = Glob::new(glob);
            assert!(yes.iter().all(|text| compiled.is_match(text)), "{glob} should match all of {yes:?}");
            assert!(!no.iter().any(|text| compiled.is_match(text)), "{glob} should match none of {no:?}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        let glob = Glob::new(&"*a".repeat(100));
        assert!(!glob.is_match(&"a".repeat(99)));
        assert!(glob.is_match(&"a".repeat(200)));
        assert!(!Glob::new(&("*a".repeat(50) + "b")).is_match(&"a".repeat(10_000)));
    }

    proptest! {
        #[test]
        fn any_text_is_a_glob(glob in ".{0,40}", text in ".{0,40}") {
            Glob::new(&glob).is_match(&text);
        }

        #[test]
        fn a_text_without_specials_matches_itself_only(text in "[a-z0-9._-]{1,20}", other in "[a-z0-9._-]{1,20}") {
            prop_assert!(Glob::new(&text).is_match(&text));
            prop_assert_eq!(Glob::new(&text).is_match(&other), text == other);
        }
    }
}
