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
        if (!state.open.is_empty() || state.quote.is_some()) && !line.trim().is_empty() {
            out.push_str(&" ".repeat(SHIFT));
            shifted.push(i + 1);
        }
        out.push_str(line);
        state.line(i + 1, line.trim_end_matches(['\n', '\r']));
    }
    if shifted.is_empty() { None } else { Some((out, shifted)) }
}

/// The text with a blank before the colon of each key that is an anchor or an alias (`&name:`): the
/// parser takes the colon for a part of the name, PyYAML for what it is. `None` if there is none.
pub fn spaced(text: &str) -> Option<String> {
    if !text.contains(['&', '*']) {
        return None;
    }
    let mut state = State::default();
    let mut out = String::with_capacity(text.len() + 16);
    let mut changed = false;
    for (i, line) in text.split_inclusive('\n').enumerate() {
        let content = line.trim_end_matches(['\n', '\r']);
        let plain = state.open.is_empty() && state.quote.is_none();
        state.line(i + 1, content);
        match name_of_key(content).filter(|_| plain && state.block.is_none_or(|_| begins_block(content))) {
            Some(end) => {
                changed = true;
                out.push_str(&line[..end]);
                out.push(' ');
                out.push_str(&line[end..]);
            }
            None => out.push_str(line),
        }
    }
    changed.then_some(out)
}

/// Where the name of an anchor or alias ends that is a line's key.
fn name_of_key(line: &str) -> Option<usize> {
    let rest = line.trim_start_matches([' ', '-']);
    let name = rest.strip_prefix(['&', '*'])?;
    let length = name.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')).count();
    let ends = name[length..].strip_prefix(':').is_some_and(|after| after.is_empty() || after.starts_with(' '));
    (length > 0 && ends).then_some(line.len() - name.len() + length)
}

/// A sign and where it stands, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    pub sign: char,
    pub line: usize,
    pub column: usize,
}

/// The brackets and quotes of a text.
#[derive(Debug, Default)]
pub struct Scan {
    /// Opened and still open at the end, the innermost.
    pub open: Option<At>,
    /// The first bracket that is closed by one of another kind, and that one.
    pub crossed: Option<(At, At)>,
    /// Texts in quotes: where each begins and ends.
    pub quoted: Vec<(At, At)>,
}

/// Looks for what is opened and closed, as far as that can be known without reading the YAML.
pub fn scan(text: &str) -> Scan {
    let mut state = State::default();
    for (i, line) in text.lines().enumerate() {
        state.line(i + 1, line);
    }
    Scan { open: state.quote.or(state.open.last().copied()), crossed: state.crossed, quoted: state.quoted }
}

#[derive(Default)]
struct State {
    /// Brackets that are open.
    open: Vec<At>,
    quote: Option<At>,
    crossed: Option<(At, At)>,
    quoted: Vec<(At, At)>,
    /// Inside of a block text: the indentation of the line that began it.
    block: Option<usize>,
}

impl State {
    fn line(&mut self, number: usize, line: &str) {
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
        for (column, c) in line.chars().enumerate() {
            let at = At { sign: c, line: number, column: column + 1 };
            if let Some(quote) = self.quote {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quote.sign == '"' => escaped = true,
                    c if c == quote.sign => {
                        self.quote = None;
                        self.quoted.push((quote, at));
                    }
                    _ => {}
                }
                before = c;
                fresh = false;
                continue;
            }
            match c {
                '#' if before == ' ' => break,
                '\'' | '"' if fresh => self.quote = Some(at),
                '[' | '{' if fresh || !self.open.is_empty() => self.open.push(at),
                ']' | '}' => self.close(at),
                _ => {}
            }
            let within = !self.open.is_empty();
            fresh = match c {
                ' ' => fresh || matches!(before, ':' | '-' | '?' | ',') || within && before == ' ',
                '[' | '{' | ',' => within,
                '-' | '?' | ':' => fresh && c != ':' || within && c == ':',
                _ => false,
            };
            before = c;
        }
        if self.open.is_empty() && self.quote.is_none() && begins_block(line) {
            self.block = Some(indent);
        }
    }

    fn close(&mut self, at: At) {
        let Some(opened) = self.open.pop() else { return };
        if !matches!((opened.sign, at.sign), ('[', ']') | ('{', '}')) {
            self.crossed.get_or_insert((opened, at));
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
    fn a_colon_ends_the_name_of_an_anchor() {
        let read = |text: &str| yaml::to_value(&yaml::parse("x", text).unwrap());
        let none = crate::value::key(&serde_json::Value::Null);
        assert_eq!(read("a: 1\n&b: c\n"), serde_json::json!({"a": 1, none: "c"}));
        assert_eq!(read("- &x k\n- *x: 1\n"), serde_json::json!(["k", {"k": 1}]));
        assert_eq!(read("a: |\n  &b: c\n"), serde_json::json!({"a": "&b: c\n"}));
        assert_eq!(read("a &b: c\n"), serde_json::json!({"a &b": "c"}));
    }

    #[test]
    fn what_is_wrong_stays_wrong() {
        assert!(yaml::parse("x", "a:\n    b: 1\n  c: 2\n").is_err());
    }
}
