//! Differences of texts as Python's `difflib.unified_diff` writes them.

use similar::{Algorithm, TextDiff};

/// What is shown of a difference; the rest is cut.
const LIMIT: usize = 256 * 1024;

/// The unified difference of two texts with Salt's heading, empty if they are equal.
pub fn unified(old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let diff = TextDiff::configure().algorithm(Algorithm::Myers).diff_lines(old, new);
    let mut out = String::from("--- \n+++ \n");
    for hunk in diff.unified_diff().context_radius(3).missing_newline_hint(false).iter_hunks() {
        out.push_str(&header(&hunk.header().to_string()));
        for change in hunk.iter_changes() {
            out.push(match change.tag() {
                similar::ChangeTag::Delete => '-',
                similar::ChangeTag::Insert => '+',
                similar::ChangeTag::Equal => ' ',
            });
            out.push_str(change.value());
            if change.missing_newline() {
                out.push('\n');
            }
        }
        if out.len() > LIMIT {
            out.truncate(out.floor_char_boundary(LIMIT));
            out.push_str("\n[the difference goes on]\n");
            break;
        }
    }
    out
}

/// Python leaves `,1` out.
fn header(text: &str) -> String {
    let mut parts: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    for part in &mut parts {
        if let Some(short) = part.strip_suffix(",1") {
            *part = short.to_owned();
        }
    }
    parts.join(" ") + "\n"
}

/// The same between two files' bytes; what is no text is not shown.
pub fn of_bytes(old: &[u8], new: &[u8]) -> String {
    match (binary(old), binary(new)) {
        (true, _) | (_, true) => match (binary(old), binary(new)) {
            (true, true) => "Replace binary file".into(),
            (true, false) => "Replace binary file with text file".into(),
            _ => "Replace text file with binary file".into(),
        },
        _ => unified(&String::from_utf8_lossy(old), &String::from_utf8_lossy(new)),
    }
}

fn binary(bytes: &[u8]) -> bool {
    bytes.contains(&0) || std::str::from_utf8(bytes).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_python_does() {
        assert_eq!(unified("x\ny\nz\n", "x\nY\nz\n"), "--- \n+++ \n@@ -1,3 +1,3 @@\n x\n-y\n+Y\n z\n");
        assert_eq!(unified("x\n", "y\n"), "--- \n+++ \n@@ -1 +1 @@\n-x\n+y\n");
        assert_eq!(unified("", "x\ny\n"), "--- \n+++ \n@@ -0,0 +1,2 @@\n+x\n+y\n");
        assert_eq!(unified("a", "a"), "");
        assert_eq!(of_bytes(b"\0", b"a"), "Replace binary file with text file");
    }
}
