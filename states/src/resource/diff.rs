//! Differences of texts as Python's `difflib` finds and writes them, so that a diff looks the
//! same as Salt's: longest matching block first, from the front.

use std::collections::{HashMap, HashSet};

use proto::{Map, Value};

/// What is shown of a difference; the rest is cut.
const LIMIT: usize = 256 * 1024;
/// Lines of agreement around a change.
const CONTEXT: usize = 3;
/// Texts with more lines than this are shown without their difference.
const LINES: usize = 20_000;

/// The unified difference of two texts with Salt's heading, empty if they are equal.
pub fn unified(old: &str, new: &str) -> String {
    let split = |text| -> Vec<String> { str::split_inclusive(text, '\n').map(str::to_owned).collect() };
    of_lines(&split(old), &split(new), "")
}

/// As [`unified`] over lines without their ends, joined by line ends: what Salt's `file.append` shows.
pub fn bare(old: &str, new: &str) -> String {
    let split = |text: &str| -> Vec<String> { text.lines().map(str::to_owned).collect() };
    of_lines(&split(old), &split(new), "\n")
}

fn of_lines(a: &[String], b: &[String], between: &str) -> String {
    if a == b {
        return String::new();
    }
    if a.len().max(b.len()) > LINES {
        return "the difference is too long to be shown".into();
    }
    let mut lines: Vec<String> = vec!["--- \n".into(), "+++ \n".into()];
    for hunk in hunks(&changes(a, b)) {
        let (first, last) = (hunk[0], hunk[hunk.len() - 1]);
        lines.push(format!("@@ -{} +{} @@\n", range(first.a, last.a_end), range(first.b, last.b_end)));
        for part in hunk {
            let show =
                |mark: char, from: &[String]| from.iter().map(move |line| format!("{mark}{line}")).collect::<Vec<_>>();
            if part.equal {
                lines.extend(show(' ', &a[part.a..part.a_end]));
            } else {
                lines.extend(show('-', &a[part.a..part.a_end]));
                lines.extend(show('+', &b[part.b..part.b_end]));
            }
        }
    }
    let mut out = lines.join(between);
    if out.len() > LIMIT {
        out.truncate(out.floor_char_boundary(LIMIT));
        out.push_str("\n[the difference goes on]\n");
    }
    out
}

/// A stretch of both texts that is equal or not.
#[derive(Debug, Clone, Copy)]
struct Part {
    equal: bool,
    a: usize,
    a_end: usize,
    b: usize,
    b_end: usize,
}

fn changes(a: &[String], b: &[String]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut i, mut j) = (0, 0);
    for (at_a, at_b, size) in blocks(a, b) {
        if i < at_a || j < at_b {
            parts.push(Part { equal: false, a: i, a_end: at_a, b: j, b_end: at_b });
        }
        if size > 0 {
            parts.push(Part { equal: true, a: at_a, a_end: at_a + size, b: at_b, b_end: at_b + size });
        }
        (i, j) = (at_a + size, at_b + size);
    }
    parts
}

/// Matching blocks, the last one empty at both ends.
fn blocks(a: &[String], b: &[String]) -> Vec<(usize, usize, usize)> {
    let places = places(b);
    let mut waiting = vec![(0, a.len(), 0, b.len())];
    let mut found = Vec::new();
    while let Some((a_from, a_to, b_from, b_to)) = waiting.pop() {
        let (i, j, size) = longest(a, b, &places, (a_from, a_to), (b_from, b_to));
        if size > 0 {
            found.push((i, j, size));
            waiting.push((a_from, i, b_from, j));
            waiting.push((i + size, a_to, j + size, b_to));
        }
    }
    found.sort_unstable();
    let mut joined: Vec<(usize, usize, usize)> = Vec::new();
    for (i, j, size) in found {
        match joined.last_mut() {
            Some(last) if last.0 + last.2 == i && last.1 + last.2 == j => last.2 += size,
            _ => joined.push((i, j, size)),
        }
    }
    joined.push((a.len(), b.len(), 0));
    joined
}

/// Where each line stands; in a long text, lines that stand everywhere tell nothing.
fn places(b: &[String]) -> HashMap<&str, Vec<usize>> {
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (j, line) in b.iter().enumerate() {
        places.entry(line).or_default().push(j);
    }
    if b.len() >= 200 {
        let many = b.len() / 100 + 1;
        let popular: HashSet<&str> = places.iter().filter(|(_, at)| at.len() > many).map(|(line, _)| *line).collect();
        places.retain(|line, _| !popular.contains(line));
    }
    places
}

fn longest(
    a: &[String],
    b: &[String],
    places: &HashMap<&str, Vec<usize>>,
    (a_from, a_to): (usize, usize),
    (b_from, b_to): (usize, usize),
) -> (usize, usize, usize) {
    let (mut best_i, mut best_j, mut best) = (a_from, b_from, 0);
    let mut lengths: HashMap<usize, usize> = HashMap::new();
    for (i, line) in a.iter().enumerate().take(a_to).skip(a_from) {
        let mut next = HashMap::new();
        for &j in places.get(line.as_str()).map_or(&[][..], Vec::as_slice) {
            if j < b_from {
                continue;
            }
            if j >= b_to {
                break;
            }
            let length = j.checked_sub(1).and_then(|before| lengths.get(&before)).copied().unwrap_or(0) + 1;
            next.insert(j, length);
            if length > best {
                (best_i, best_j, best) = (i + 1 - length, j + 1 - length, length);
            }
        }
        lengths = next;
    }
    while best_i > a_from && best_j > b_from && a[best_i - 1] == b[best_j - 1] {
        (best_i, best_j, best) = (best_i - 1, best_j - 1, best + 1);
    }
    while best_i + best < a_to && best_j + best < b_to && a[best_i + best] == b[best_j + best] {
        best += 1;
    }
    (best_i, best_j, best)
}

/// Changes with what is around them.
fn hunks(parts: &[Part]) -> Vec<Vec<Part>> {
    let mut hunks: Vec<Vec<Part>> = Vec::new();
    let mut now: Vec<Part> = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        let mut part = *part;
        if !part.equal {
            now.push(part);
            continue;
        }
        let (first, last) = (index == 0, index + 1 == parts.len());
        let size = part.a_end - part.a;
        if first {
            let skip = size.saturating_sub(CONTEXT);
            (part.a, part.b) = (part.a + skip, part.b + skip);
        } else if last {
            let keep = size.min(CONTEXT);
            (part.a_end, part.b_end) = (part.a + keep, part.b + keep);
        } else if size > 2 * CONTEXT {
            now.push(Part { a_end: part.a + CONTEXT, b_end: part.b + CONTEXT, ..part });
            hunks.push(std::mem::take(&mut now));
            (part.a, part.b) = (part.a_end - CONTEXT, part.b_end - CONTEXT);
        }
        now.push(part);
    }
    if now.iter().any(|part| !part.equal) {
        hunks.push(now);
    }
    hunks
}

fn range(from: usize, to: usize) -> String {
    match to - from {
        1 => format!("{}", from + 1),
        0 => format!("{from},0"),
        length => format!("{},{length}", from + 1),
    }
}

/// The same between two files' bytes; what is no text is not shown.
pub fn of_bytes(old: &[u8], new: &[u8]) -> String {
    match (binary(old), binary(new)) {
        (true, true) => "Replace binary file".into(),
        (true, false) => "Replace binary file with text file".into(),
        (false, true) => "Replace text file with binary file".into(),
        _ => unified(&String::from_utf8_lossy(old), &String::from_utf8_lossy(new)),
    }
}

fn binary(bytes: &[u8]) -> bool {
    bytes.contains(&0) || std::str::from_utf8(bytes).is_err()
}

/// What differs between two mappings, as Salt's `dictdiffer.recursive_diff` shows it.
pub fn of_maps(old: &Map, new: &Map) -> Map {
    let missing = || Value::String("<_null_>".into());
    let mut diff = Map::new();
    for (key, value) in old {
        match (value, new.get(key)) {
            (Value::Object(a), Some(Value::Object(b))) => {
                let inner = of_maps(a, b);
                if !inner.is_empty() {
                    diff.insert(key.clone(), Value::Object(inner));
                }
            }
            (value, Some(other)) if value == other => {}
            (value, other) => {
                let new = other.cloned().unwrap_or_else(missing);
                diff.insert(key.clone(), serde_json::json!({ "old": value, "new": new }));
            }
        }
    }
    for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
        diff.insert(key.clone(), serde_json::json!({ "old": missing(), "new": value }));
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python_does() {
        assert_eq!(unified("x\ny\nz\n", "x\nY\nz\n"), "--- \n+++ \n@@ -1,3 +1,3 @@\n x\n-y\n+Y\n z\n");
        assert_eq!(unified("x\n", "y\n"), "--- \n+++ \n@@ -1 +1 @@\n-x\n+y\n");
        assert_eq!(unified("", "x\ny\n"), "--- \n+++ \n@@ -0,0 +1,2 @@\n+x\n+y\n");
        assert_eq!(unified("z\nx\n", "z\nz\nx\n"), "--- \n+++ \n@@ -1,2 +1,3 @@\n+z\n z\n x\n");
        assert_eq!(bare("x", "x\ny\n"), "--- \n\n+++ \n\n@@ -1 +1,2 @@\n\n x\n+y");
        assert_eq!(unified("a", "a"), "");
        assert_eq!(of_bytes(b"\0", b"a"), "Replace binary file with text file");
    }

    #[test]
    fn changes_far_apart_are_shown_apart() {
        let old: String = (0..30).map(|i| format!("{i}\n")).collect();
        let new = old.replace("\n5\n", "\nfive\n").replace("\n25\n", "\n");
        let shown = unified(&old, &new);
        assert!(shown.contains("@@ -3,7 +3,7 @@\n 2\n") && shown.contains("@@ -23,7 +23,6 @@\n 22\n"), "{shown}");
    }
}
