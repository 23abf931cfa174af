//! YAML as PyYAML writes it: what `|yaml` gives in a template, and `--out yaml` prints.
//!
//! The rules of style (plain, quoted, where a line is broken) are libyaml's emitter's.

use proto::{Map, Value};

use super::{
    escape::{beyond_ascii, escaped, printable},
    resolve::{self, Kind},
};
use crate::value;

/// Lines are broken at a space behind this column.
const WIDTH: usize = 80;
const INDENT: usize = 2;
/// A longer key is written with `? `.
const SIMPLE_KEY: usize = 128;

/// How to write.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// `{a: 1}` instead of a line for each key.
    pub flow: bool,
    /// Lists and mappings of plain values alone in flow style, as PyYAML does unless it is told.
    pub flow_leaves: bool,
    pub sort_keys: bool,
    /// Lists are indented beneath their key.
    pub indent_lists: bool,
    /// Spaces for each level.
    pub indent: usize,
    /// What is beyond ASCII is written with escapes, as PyYAML does unless it is told.
    pub ascii: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self { flow: false, flow_leaves: false, sort_keys: false, indent_lists: false, indent: INDENT, ascii: false }
    }
}

/// Block style, keys in their order, with a final line end.
pub fn emit(value: &Value) -> String {
    emit_styled(value, Style::default())
}

/// As PyYAML's `dump` with these options, without the `...` behind a lone scalar.
pub fn emit_styled(value: &Value, style: Style) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0, whitespace: true, style, flow: 0 };
    emitter.node(value, Level { indent: None, list_in_map: false, simple_key: false });
    if emitter.column > 0 {
        emitter.out.push('\n');
    }
    emitter.out
}

/// A text in single quotes; line ends are doubled, as a reader wants them.
pub fn single_quoted(text: &str) -> String {
    let level = Level { indent: None, list_in_map: false, simple_key: false };
    let mut emitter = Emitter { out: String::new(), column: 0, whitespace: true, style: Style::default(), flow: 0 };
    let indent = emitter.continued(level) - INDENT;
    emitter.single_quoted(text, indent, false);
    emitter.out
}

#[derive(Clone, Copy)]
struct Level {
    /// `None` at the root.
    indent: Option<usize>,
    list_in_map: bool,
    simple_key: bool,
}

struct Emitter {
    out: String,
    column: usize,
    /// The last character written was white space, or nothing was.
    whitespace: bool,
    style: Style,
    flow: usize,
}

impl Emitter {
    /// Writes a value; tells whether it was a plain scalar.
    fn node(&mut self, value: &Value, level: Level) -> bool {
        match value {
            Value::Array(items) if self.flows(items.iter()) || items.is_empty() => {
                self.flow_sequence(items, level);
                false
            }
            Value::Array(items) => {
                self.block_sequence(items, level);
                false
            }
            Value::Object(map) if self.flows(map.values()) || map.is_empty() => {
                self.flow_mapping(map, level);
                false
            }
            Value::Object(map) => {
                self.block_mapping(map, level);
                false
            }
            Value::String(text) => self.string(text, level),
            Value::Null => self.plain("null", level, false),
            Value::Bool(b) => self.plain(if *b { "true" } else { "false" }, level, false),
            Value::Number(number) => self.plain(&number_text(number), level, false),
        }
    }

    fn flows<'v>(&self, mut items: impl Iterator<Item = &'v Value>) -> bool {
        let mut leaves = || items.all(|item| !matches!(item, Value::Array(_) | Value::Object(_)));
        self.flow > 0 || self.style.flow || self.style.flow_leaves && leaves()
    }

    fn deeper(&self, level: Level) -> usize {
        level.indent.map_or(0, |indent| indent + self.style.indent)
    }

    /// Where the further lines of a scalar or a flow collection begin.
    fn continued(&self, level: Level) -> usize {
        level.indent.unwrap_or(0) + self.style.indent
    }

    fn block_sequence(&mut self, items: &[Value], level: Level) {
        let indentless = level.list_in_map && !self.style.indent_lists && level.indent.is_some();
        let indent = if indentless { level.indent.unwrap_or(0) } else { self.deeper(level) };
        for (i, item) in items.iter().enumerate() {
            if i > 0 || !self.at_item_start(indent, indentless) {
                self.newline(indent);
            }
            self.indicator("-", true);
            self.node(item, Level { indent: Some(indent), list_in_map: false, simple_key: false });
        }
    }

    /// Whether we stand where the first item of a block goes without a new line: at the start of
    /// the text, or behind `- `.
    fn at_item_start(&self, indent: usize, indentless: bool) -> bool {
        if self.out.is_empty() {
            return true;
        }
        !indentless && self.column + 1 == indent && self.out.ends_with(['-', '?', ':'])
    }

    fn block_mapping(&mut self, map: &Map, level: Level) {
        let indent = self.deeper(level);
        for (i, (key, item)) in self.pairs(map).into_iter().enumerate() {
            if i > 0 || !self.at_item_start(indent, false) {
                self.newline(indent);
            }
            let inside = Level { indent: Some(indent), list_in_map: false, simple_key: false };
            let simple = simple_key(&key);
            if simple {
                self.node(&key, Level { simple_key: true, ..inside });
                self.raw(":");
            } else {
                self.indicator("?", true);
                self.node(&key, inside);
                self.newline(indent);
                self.indicator(":", true);
            }
            self.whitespace = false;
            self.node(item, Level { list_in_map: simple, ..inside });
        }
    }

    fn flow_sequence(&mut self, items: &[Value], level: Level) {
        let indent = self.continued(level);
        self.indicator("[", true);
        self.whitespace = true;
        self.flow += 1;
        for (i, item) in items.iter().enumerate() {
            self.flow_separator(i, indent);
            self.node(item, Level { indent: Some(indent), list_in_map: false, simple_key: false });
        }
        self.flow -= 1;
        self.raw("]");
    }

    fn flow_mapping(&mut self, map: &Map, level: Level) {
        let indent = self.continued(level);
        self.indicator("{", true);
        self.whitespace = true;
        self.flow += 1;
        for (i, (key, item)) in self.pairs(map).into_iter().enumerate() {
            self.flow_separator(i, indent);
            let inside = Level { indent: Some(indent), list_in_map: false, simple_key: false };
            if simple_key(&key) {
                self.node(&key, Level { simple_key: true, ..inside });
                self.raw(":");
            } else {
                self.indicator("?", true);
                self.node(&key, inside);
                if self.column > WIDTH {
                    self.newline(indent);
                }
                self.indicator(":", true);
            }
            self.whitespace = false;
            self.node(item, inside);
        }
        self.flow -= 1;
        self.raw("}");
    }

    fn flow_separator(&mut self, index: usize, indent: usize) {
        if index > 0 {
            self.raw(",");
        }
        if self.column > WIDTH {
            self.newline(indent);
        }
    }

    fn pairs<'a>(&self, map: &'a Map) -> Vec<(Value, &'a Value)> {
        let mut pairs: Vec<_> = map.iter().map(|(key, item)| (value::from_key(key), item)).collect();
        let alike = pairs.iter().all(|(key, _)| key.is_string()) || pairs.iter().all(|(key, _)| key.is_number());
        // Python cannot sort keys of different types, and then leaves them alone.
        if self.style.sort_keys && alike {
            pairs.sort_by(|(a, _), (b, _)| match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => a.cmp(b),
                _ => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
            });
        }
        pairs
    }

    fn string(&mut self, text: &str, level: Level) -> bool {
        let indent = self.continued(level);
        if self.style.ascii && !text.is_ascii() {
            self.double_quoted(text, indent, !level.simple_key);
            return false;
        }
        let look = Analysis::of(text);
        let plain_form = resolve::resolve(text) == Kind::Str;
        let fits = if self.flow > 0 { look.flow_plain } else { look.block_plain };
        let empty_or_long = level.simple_key && (text.is_empty() || look.multiline);
        if plain_form && fits && !empty_or_long && !(text.is_empty() && self.flow > 0) {
            return self.plain(text, level, !level.simple_key);
        }
        if look.single_quoted && !(level.simple_key && look.multiline) {
            self.single_quoted(text, indent, !level.simple_key);
        } else {
            self.double_quoted(text, indent, !level.simple_key);
        }
        false
    }

    fn plain(&mut self, text: &str, level: Level, breaks: bool) -> bool {
        self.space();
        let indent = self.continued(level);
        self.folded(text, breaks, indent, |this, c| this.push(c));
        true
    }

    /// Writes text, breaking lines at single spaces when they are too long.
    fn folded(&mut self, text: &str, breaks: bool, indent: usize, put: impl Fn(&mut Self, char)) {
        let chars: Vec<char> = text.chars().collect();
        let mut spaces = false;
        let mut newlines = false;
        for (i, &c) in chars.iter().enumerate() {
            if c == ' ' {
                let single = !spaces && chars.get(i + 1).is_some_and(|&next| next != ' ');
                if breaks && single && self.column > WIDTH && i > 0 {
                    self.newline(indent);
                } else {
                    self.push(c);
                }
                spaces = true;
            } else if c == '\n' {
                if !newlines {
                    self.out.push('\n');
                }
                self.out.push('\n');
                self.column = 0;
                newlines = true;
            } else {
                if newlines {
                    self.pad(indent);
                }
                put(self, c);
                spaces = false;
                newlines = false;
            }
        }
        if newlines {
            self.pad(indent);
        }
    }

    fn single_quoted(&mut self, text: &str, indent: usize, breaks: bool) {
        self.indicator("'", true);
        self.folded(text, breaks, indent, |this, c| {
            this.push(c);
            if c == '\'' {
                this.push(c);
            }
        });
        self.raw("'");
    }

    fn double_quoted(&mut self, text: &str, indent: usize, breaks: bool) {
        self.indicator("\"", true);
        let chars: Vec<char> = text.chars().collect();
        let mut spaces = false;
        for (i, &c) in chars.iter().enumerate() {
            let middle = i > 0 && i + 1 < chars.len();
            if c == ' ' && breaks && !spaces && self.column > WIDTH && middle {
                self.newline(indent);
                if chars[i + 1] == ' ' {
                    self.push('\\');
                }
            } else {
                match escaped(c).or_else(|| beyond_ascii(c).filter(|_| self.style.ascii)) {
                    Some(escape) => self.raw(&escape),
                    None => self.push(c),
                }
            }
            spaces = c == ' ';
        }
        self.raw("\"");
    }

    fn indicator(&mut self, text: &str, need_space: bool) {
        if need_space {
            self.space();
        }
        self.raw(text);
    }

    fn space(&mut self) {
        if !self.whitespace {
            self.push(' ');
        }
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
        self.whitespace = false;
    }

    fn raw(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
        self.whitespace = false;
    }

    fn newline(&mut self, indent: usize) {
        self.out.push('\n');
        self.column = 0;
        self.pad(indent);
    }

    fn pad(&mut self, indent: usize) {
        self.out.extend(std::iter::repeat_n(' ', indent.saturating_sub(self.column)));
        self.column = self.column.max(indent);
        self.whitespace = true;
    }
}

fn simple_key(key: &Value) -> bool {
    key.as_str().is_none_or(|text| text.chars().count() < SIMPLE_KEY && !text.contains('\n'))
}

fn number_text(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let text = value::float_repr(float);
            // A float must have a point, or YAML 1.1 reads it as a string.
            if !text.contains('.') && text.contains('e') { text.replacen('e', ".0e", 1) } else { text }
        }
        _ => number.to_string(),
    }
}

/// What a text allows.
struct Analysis {
    multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single_quoted: bool,
}

impl Analysis {
    fn of(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let (mut block, mut flow) = (false, false);
        if text.starts_with("---") || text.starts_with("...") {
            (block, flow) = (true, true);
        }
        for (i, &c) in chars.iter().enumerate() {
            let before = i == 0 || chars[i - 1].is_whitespace();
            let after = chars.get(i + 1).is_none_or(|next| next.is_whitespace());
            match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`'
                    if i == 0 =>
                {
                    (block, flow) = (true, true);
                }
                '-' if i == 0 && after => (block, flow) = (true, true),
                '?' if i == 0 => (block, flow) = (block || after, true),
                ':' => (block, flow) = (block || after, true),
                ',' | '?' | '[' | ']' | '{' | '}' => flow = true,
                '#' if before => (block, flow) = (true, true),
                _ => {}
            }
        }
        let multiline = chars.iter().any(|&c| is_break(c));
        let special = chars.iter().any(|&c| !printable(c));
        let at = |i: Option<&char>, test: fn(char) -> bool| i.is_some_and(|&c| test(c));
        let blank = |c: char| c == ' ' || is_break(c);
        let edges = at(chars.first(), blank) || at(chars.last(), blank);
        let break_space = chars.windows(2).any(|w| is_break(w[0]) && w[1] == ' ');
        let space_break = chars.windows(2).any(|w| w[0] == ' ' && is_break(w[1]));
        let plain = !edges && !break_space && !space_break && !special && !multiline;
        Self {
            multiline,
            flow_plain: plain && !flow && !text.is_empty(),
            block_plain: plain && !block,
            single_quoted: !break_space && !space_break && !special,
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn block_style() {
        let value = json!({"a": [1, {"b": "x", "c": []}, [2, 3]], "d": {"e": "yes", "f": "0644", "g": null}, "h": ""});
        assert_eq!(
            emit(&value),
            "a:\n- 1\n- b: x\n  c: []\n- - 2\n  - 3\nd:\n  e: 'yes'\n  f: '0644'\n  g: null\nh: ''\n"
        );
    }

    #[test]
    fn flow_style_and_scalars() {
        let flow = Style { flow: true, sort_keys: true, ..Style::default() };
        assert_eq!(emit_styled(&json!({"b": [1, "a: b"], "a": "it's"}), flow), "{a: it's, b: [1, 'a: b']}\n");
        assert_eq!(emit_styled(&json!("text"), flow), "text\n");
        let ascii = Style { ascii: true, ..Style::default() };
        assert_eq!(
            emit_styled(&json!({"é": ["aé", "b", "日"]}), ascii),
            "\"\\xE9\":\n- \"a\\xE9\"\n- b\n- \"\\u65E5\"\n"
        );
        assert_eq!(emit_styled(&json!("a\nb"), flow), "'a\n\n  b'\n");
    }
}
