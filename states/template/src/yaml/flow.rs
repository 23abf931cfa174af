//! Lines inside of brackets that are indented less than what they stand in: PyYAML takes them,
//! our parser does not. They are shifted to the right before it reads them.

/// Blanks that are put before such a line.
pub const SHIFT: usize = 200;

/// The text with every line that continues a bracket shifted, and those lines' numbers (from 1).
/// `None` if there is no such line.
pub fn indented(text: &str) -> Option<(String, Vec<usize>)> {
    let mut state = State::default();
    let mut out = String::with_capacity(text.len() + 1024);
    let mut shifted = Vec::new();
    for (i, line) in text.split_inclusive('\n').enumerate() {
        // Blanks at the start of a line of a quoted text do not count, so it may be shifted too.
        if (state.depth > 0 || state.quote.is_some()) && !line.trim().is_empty() {
            out.push_str(&" ".repeat(SHIFT));
            shifted.push(i + 1);
        }
        out.push_str(line);
        state.line(line.trim_end_matches(['\n', '\r']));
    }
    if shifted.is_empty() { None } else { Some((out, shifted)) }
}

#[derive(Default)]
struct State {
    /// Brackets that are open.
    depth: usize,
    quote: Option<char>,
    /// Inside of a block text: the indentation of the line that began it.
    block: Option<usize>,
}

impl State {
    fn line(&mut self, line: &str) {
        let indent = line.len() - line.trim_start().len();
        if let Some(outer) = self.block {
            if line.trim().is_empty() || indent > outer {
                return;
            }
            self.block = None;
        }
        let mut escaped = false;
        let mut before = ' ';
        // Whether a value can begin here: only then quotes and brackets mean something.
        let mut fresh = true;
        for c in line.chars() {
            if let Some(quote) = self.quote {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quote == '"' => escaped = true,
                    c if c == quote => self.quote = None,
                    _ => {}
                }
                before = c;
                fresh = false;
                continue;
            }
            match c {
                '#' if before == ' ' => break,
                '\'' | '"' if fresh => self.quote = Some(c),
                '[' | '{' if fresh || self.depth > 0 => self.depth += 1,
                ']' | '}' if self.depth > 0 => self.depth -= 1,
                _ => {}
            }
            fresh = match c {
                ' ' => fresh || matches!(before, ':' | '-' | '?' | ',') || self.depth > 0 && before == ' ',
                '[' | '{' | ',' => self.depth > 0,
                '-' | '?' | ':' => fresh && c != ':' || self.depth > 0 && c == ':',
                _ => false,
            };
            before = c;
        }
        if self.depth == 0 && self.quote.is_none() && begins_block(line) {
            self.block = Some(indent);
        }
    }
}

/// Whether a line ends with `|` or `>` and what may follow them.
fn begins_block(line: &str) -> bool {
    let line = line.split(" #").next().unwrap_or(line).trim_end();
    let marks = line.trim_end_matches(|c: char| c == '+' || c == '-' || c.is_ascii_digit());
    marks.ends_with([' ', '|', '>']) && (marks.ends_with(" |") || marks.ends_with(" >") || marks == "|" || marks == ">")
}

#[cfg(test)]
mod tests {
    use crate::yaml;

    #[test]
    fn lines_in_brackets_need_no_indentation() {
        let text = "a:\n  b:\n    c: {d: [1,\n    2], e: \"x\n  y\", f: it's}\n  g: 'h'\n";
        let node = yaml::parse("x", text).unwrap();
        let value = serde_json::json!({"a": {"b": {"c": {"d": [1, 2], "e": "x y", "f": "it's"}}, "g": "h"}});
        assert_eq!(yaml::to_value(&node), value);
        let g = node.get("a").and_then(|a| a.get("g")).unwrap();
        assert_eq!((g.line, g.column), (6, 6));
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        assert!(yaml::parse("x", "a:\n    b: 1\n  c: 2\n").is_err());
    }
}
