//! Template text to tokens, with Jinja2's rules for white space.

use std::sync::Arc;

use super::{Error, ast::Span};
use crate::diag::{Diagnostic, Place, Source};

#[derive(Debug, Clone, PartialEq)]
pub enum Tok {
    Text(Arc<str>),
    BlockBegin,
    BlockEnd,
    PrintBegin,
    PrintEnd,
    Name(Arc<str>),
    Str(Arc<str>),
    Int(i64),
    Float(f64),
    Op(&'static str),
    End,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub tok: Tok,
    pub span: Span,
}

/// Settings of the environment that change how text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Whitespace {
    pub trim_blocks: bool,
    pub lstrip_blocks: bool,
    pub keep_trailing_newline: bool,
}

/// Operators, longest first.
const OPERATORS: [&str; 26] = [
    "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ".",
    ",", ":", "|", ";",
];

/// The tokens of a template whose line ends are `\n`.
pub fn tokens(source: &Arc<Source>, text: &str, settings: Whitespace) -> Result<Vec<Token>, Error> {
    let mut lexer = Lexer {
        source,
        text,
        at: 0,
        line: 1,
        column: 1,
        tokens: Vec::new(),
        settings,
        strip_next: false,
        trim_next: false,
    };
    lexer.run()?;
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    source: &'a Arc<Source>,
    text: &'a str,
    at: usize,
    line: u32,
    column: u32,
    tokens: Vec<Token>,
    settings: Whitespace,
    /// The tag before ended with `-`: white space behind it goes.
    strip_next: bool,
    /// `trim_blocks`: the line end behind a block tag goes.
    trim_next: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Tag {
    Print,
    Block,
    Comment,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn advance(&mut self, bytes: usize) {
        for c in self.rest()[..bytes].chars() {
            if c == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.at += bytes;
    }

    fn span(&self, length: u32) -> Span {
        Span { line: self.line, column: self.column, length }
    }

    fn push(&mut self, tok: Tok, bytes: usize) {
        let length = self.rest()[..bytes].chars().take_while(|&c| c != '\n').count();
        let span = self.span(u32::try_from(length).unwrap_or(1));
        self.tokens.push(Token { tok, span });
        self.advance(bytes);
    }

    fn error(&self, message: impl Into<String>) -> Error {
        Box::new(Diagnostic::new(message).at(&Place::new(self.source, self.line, self.column, 1)))
    }

    fn run(&mut self) -> Result<(), Error> {
        while !self.rest().is_empty() {
            match next_tag(self.rest()) {
                None => {
                    self.data(self.rest().len(), None);
                    break;
                }
                Some((offset, tag)) => {
                    self.data(offset, Some(tag));
                    match tag {
                        Tag::Comment => self.comment()?,
                        Tag::Print => self.inside("}}", Tok::PrintBegin, Tok::PrintEnd)?,
                        Tag::Block => self.block()?,
                    }
                }
            }
        }
        let span = self.span(1);
        self.tokens.push(Token { tok: Tok::End, span });
        Ok(())
    }

    /// Text before a tag, with what the tags on both sides strip of it.
    fn data(&mut self, length: usize, before: Option<Tag>) {
        let whole = &self.rest()[..length];
        let start = whole.len() - self.stripped_front(whole).len();
        let mut text = &whole[start..];
        let sign = before.and_then(|_| self.rest()[length + 2..].chars().next());
        if sign == Some('-') {
            text = text.trim_end();
        } else if sign != Some('+') && self.settings.lstrip_blocks && matches!(before, Some(Tag::Block | Tag::Comment))
        {
            text = self.lstripped(text, start);
        }
        self.advance(start);
        if !text.is_empty() {
            let span = self.span(1);
            self.tokens.push(Token { tok: Tok::Text(text.into()), span });
        }
        self.advance(length - start);
        self.strip_next = false;
        self.trim_next = false;
    }

    fn stripped_front(&self, text: &'a str) -> &'a str {
        if self.strip_next {
            text.trim_start()
        } else if self.trim_next {
            text.strip_prefix('\n').unwrap_or(text)
        } else {
            text
        }
    }

    /// Without the blanks between the start of the line and a block tag.
    fn lstripped(&self, text: &'a str, start: usize) -> &'a str {
        let line_start = text.rfind('\n').map(|i| i + 1);
        // Without a line end in it, the text begins a line only at the start of the template, or
        // where a line end was trimmed before it.
        let begins_line = self.at == 0 || self.text[..self.at + start].ends_with('\n');
        let from = match line_start {
            Some(from) => from,
            None if begins_line => 0,
            None => return text,
        };
        if text[from..].chars().all(|c| c == ' ' || c == '\t') { &text[..from] } else { text }
    }

    fn comment(&mut self) -> Result<(), Error> {
        let Some(end) = self.rest()[2..].find("#}").map(|i| i + 2) else {
            return Err(Box::new(Diagnostic {
                hint: Some("close it with #}".into()),
                ..*self.error("this comment never ends")
            }));
        };
        self.strip_next = end > 2 && self.rest()[..end].ends_with('-');
        self.trim_next = self.settings.trim_blocks && !self.rest()[..end].ends_with('+');
        self.advance(end + 2);
        Ok(())
    }

    fn block(&mut self) -> Result<(), Error> {
        if let Some((open, strip)) = raw_tag(self.rest(), "raw") {
            return self.raw(open, strip);
        }
        self.inside("%}", Tok::BlockBegin, Tok::BlockEnd)
    }

    fn raw(&mut self, open: usize, strip: bool) -> Result<(), Error> {
        let mut from = open;
        let (content, close, strip_end) = loop {
            let Some(found) = self.rest()[from..].find("{%").map(|i| i + from) else {
                return Err(self.error("this raw block never ends"));
            };
            if let Some((length, strip_end)) = raw_tag(&self.rest()[found..], "endraw") {
                break (found, length, strip_end);
            }
            from = found + 2;
        };
        self.advance(open);
        let whole = &self.rest()[..content - open];
        let mut text = if strip {
            whole.trim_start()
        } else if self.settings.trim_blocks {
            whole.strip_prefix('\n').unwrap_or(whole)
        } else {
            whole
        };
        if self.rest()[whole.len() + 2..].starts_with('-') {
            text = text.trim_end();
        } else if self.settings.lstrip_blocks {
            text = self.lstripped(text, whole.len() - text.len());
        }
        let span = self.span(1);
        self.tokens.push(Token { tok: Tok::Text(text.into()), span });
        self.advance(whole.len() + close);
        self.strip_next = strip_end;
        self.trim_next = self.settings.trim_blocks;
        Ok(())
    }

    /// The tokens of an expression or a statement, up to and with its end.
    fn inside(&mut self, close: &'static str, begin: Tok, end: Tok) -> Result<(), Error> {
        let opened = self.error(format!("this {} is never closed", &self.rest()[..2]));
        let sign = self.rest()[2..].starts_with(['-', '+']);
        self.push(begin, 2 + usize::from(sign));
        let mut brackets: Vec<&'static str> = Vec::new();
        loop {
            let blank = self.rest().len() - self.rest().trim_start().len();
            self.advance(blank);
            let rest = self.rest();
            if rest.is_empty() {
                return Err(Box::new(opened.hint(format!("close it with {close}"))));
            }
            if brackets.is_empty() && self.closes(rest, close, &end) {
                return Ok(());
            }
            self.token(&mut brackets)?;
        }
    }

    fn closes(&mut self, rest: &str, close: &str, end: &Tok) -> bool {
        let sign = rest.starts_with(['-', '+']) && rest[1..].starts_with(close);
        if !sign && !rest.starts_with(close) {
            return false;
        }
        let plus = sign && rest.starts_with('+');
        // A plus before the end of a print tag is an operator that misses its operand.
        self.strip_next = sign && !plus;
        self.trim_next = self.settings.trim_blocks && !sign && *end == Tok::BlockEnd;
        self.push(end.clone(), close.len() + usize::from(sign));
        true
    }

    fn token(&mut self, brackets: &mut Vec<&'static str>) -> Result<(), Error> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_alphabetic() || first == '_' {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            self.push(Tok::Name(rest[..length].into()), length);
            return Ok(());
        }
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '"' || first == '\'' {
            return self.string(first);
        }
        let Some(op) = OPERATORS.iter().find(|op| rest.starts_with(**op)).copied() else {
            return Err(self.error(format!("the character '{first}' means nothing here")));
        };
        match op {
            "(" => brackets.push(")"),
            "[" => brackets.push("]"),
            "{" => brackets.push("}"),
            ")" | "]" | "}" => match brackets.pop() {
                Some(expected) if expected == op => {}
                Some(expected) => return Err(self.error(format!("'{expected}' is expected here, not '{op}'"))),
                None => return Err(self.error(format!("'{op}' closes nothing"))),
            },
            _ => {}
        }
        self.push(Tok::Op(op), op.len());
        Ok(())
    }

    fn number(&mut self) -> Result<(), Error> {
        let rest = self.rest();
        let (tok, length) = number(rest).ok_or_else(|| self.error("this number cannot be read"))?;
        self.push(tok, length);
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), Error> {
        let rest = self.rest();
        let mut escaped = false;
        for (i, c) in rest.char_indices().skip(1) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == quote => {
                    let text = unescape(&rest[1..i]);
                    self.push(Tok::Str(text.into()), i + 1);
                    return Ok(());
                }
                _ => {}
            }
        }
        Err(self.error("this string never ends"))
    }
}

fn next_tag(text: &str) -> Option<(usize, Tag)> {
    let mut from = 0;
    loop {
        let at = text[from..].find('{')? + from;
        match text.as_bytes().get(at + 1) {
            Some(b'{') => return Some((at, Tag::Print)),
            Some(b'%') => return Some((at, Tag::Block)),
            Some(b'#') => return Some((at, Tag::Comment)),
            _ => from = at + 1,
        }
    }
}

/// The length of `{% NAME %}` at the start of a text, and whether it ends with `-%}`.
fn raw_tag(text: &str, name: &str) -> Option<(usize, bool)> {
    let inner = text.strip_prefix("{%")?;
    let inner = inner.strip_prefix(['-', '+']).unwrap_or(inner).trim_start();
    let inner = inner.strip_prefix(name)?.trim_start();
    let strip = inner.starts_with('-');
    let rest = inner.strip_prefix(['-', '+']).unwrap_or(inner).strip_prefix("%}")?;
    Some((text.len() - rest.len(), strip))
}

fn number(text: &str) -> Option<(Tok, usize)> {
    for (prefix, radix) in [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)] {
        if let Some(rest) = text.strip_prefix(prefix) {
            let length = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let value = i64::from_str_radix(&rest[..length].replace('_', ""), radix).ok()?;
            return Some((Tok::Int(value), length + 2));
        }
    }
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let mut length = digits(text);
    let mut float = false;
    if text[length..].starts_with('.') && text[length + 1..].starts_with(|c: char| c.is_ascii_digit()) {
        length += 1 + digits(&text[length + 1..]);
        float = true;
    }
    if text[length..].starts_with(['e', 'E']) {
        let sign = usize::from(text[length + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[length + 1 + sign..]);
        if exponent > 0 {
            length += 1 + sign + exponent;
            float = true;
        }
    }
    let clean = text[..length].replace('_', "");
    let tok = if float { Tok::Float(clean.parse().ok()?) } else { Tok::Int(clean.parse().ok()?) };
    Some((tok, length))
}

/// Python's escapes in a string literal.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('t') => out.push('\t'),
            Some('r') => out.push('\r'),
            Some('a') => out.push('\x07'),
            Some('b') => out.push('\x08'),
            Some('f') => out.push('\x0c'),
            Some('v') => out.push('\x0b'),
            Some('\n') => {}
            Some(quote @ ('\\' | '\'' | '"')) => out.push(quote),
            Some('x') => code(&mut chars, 2, 16, &mut out, "\\x"),
            Some('u') => code(&mut chars, 4, 16, &mut out, "\\u"),
            Some('U') => code(&mut chars, 8, 16, &mut out, "\\U"),
            Some(digit @ '0'..='7') => octal(digit, &mut chars, &mut out),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn code(chars: &mut Chars<'_>, length: usize, radix: u32, out: &mut String, prefix: &str) {
    let digits: String = chars.clone().take(length).collect();
    match u32::from_str_radix(&digits, radix).ok().and_then(char::from_u32) {
        Some(c) if digits.len() == length => {
            out.push(c);
            chars.nth(length - 1);
        }
        _ => out.push_str(prefix),
    }
}

fn octal(first: char, chars: &mut Chars<'_>, out: &mut String) {
    let mut value = first.to_digit(8).unwrap_or(0);
    for _ in 0..2 {
        match chars.peek().and_then(|c| c.to_digit(8)) {
            Some(digit) => {
                value = value * 8 + digit;
                chars.next();
            }
            None => break,
        }
    }
    out.extend(char::from_u32(value));
}
