//! Shell globs as Python's `fnmatch` reads them: `*`, `?`, `[abc]`, `[!abc]`.

/// Whether the whole text matches. Case matters. Takes time in the length of both at most.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while t < text.len() {
        match single(&pattern, p, text[t]) {
            Some(next) => {
                p = next;
                t += 1;
            }
            None if pattern.get(p) == Some(&'*') => {
                back = Some((p + 1, t));
                p += 1;
            }
            None => match back {
                Some((star, from)) => {
                    p = star;
                    t = from + 1;
                    back = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Whether a text has any of a glob's characters.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '[', ']'])
}

/// Where the pattern goes on when its next part (no `*`) takes this character.
fn single(pattern: &[char], at: usize, c: char) -> Option<usize> {
    match pattern.get(at)? {
        '*' => None,
        '?' => Some(at + 1),
        '[' => match class(pattern, at) {
            Some((end, body)) => in_class(body, c).then_some(end + 1),
            None => (c == '[').then_some(at + 1),
        },
        &other => (other == c).then_some(at + 1),
    }
}

/// The end and the inside of a class that begins at `at`.
fn class(pattern: &[char], at: usize) -> Option<(usize, &[char])> {
    let mut end = at + 1;
    if pattern.get(end) == Some(&'!') {
        end += 1;
    }
    if pattern.get(end) == Some(&']') {
        end += 1;
    }
    while *pattern.get(end)? != ']' {
        end += 1;
    }
    Some((end, &pattern[at + 1..end]))
}

fn in_class(body: &[char], c: char) -> bool {
    let (negated, body) = match body.split_first() {
        Some(('!', rest)) => (true, rest),
        _ => (false, body),
    };
    let mut found = false;
    let mut i = 0;
    while i < body.len() {
        if i + 2 < body.len() && body[i + 1] == '-' {
            found |= (body[i]..=body[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= body[i] == c;
            i += 1;
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_fnmatch_does() {
        for (pattern, text) in [
            ("*", ""),
            ("web*", "web1"),
            ("w?b", "web"),
            ("[a-c]x", "bx"),
            ("[!a]x", "bx"),
            ("a*b*c", "aXbYc"),
            ("[", "["),
            ("[]]", "]"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("web", "web1"), ("[!b]x", "bx"), ("a*c", "ab"), ("{a,b}", "a"), ("?", "")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
