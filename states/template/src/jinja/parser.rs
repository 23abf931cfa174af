//! Tokens to a tree: Jinja2's grammar with Salt's tags.

use std::{cell::Cell, sync::Arc};

use super::{
    Error,
    ast::{Span, Stmt, StmtKind, Template},
    lexer::{self, Tok, Token, Whitespace},
};
use crate::diag::{Diagnostic, Place, Source};

/// Statements and expressions inside one another.
const DEPTH: usize = 120;

/// Parses a template. The text is the source's, or (with an environment header removed) part of it.
pub fn parse(source: &Arc<Source>, settings: Whitespace) -> Result<Template, Error> {
    let mut text = source.text.replace("\r\n", "\n").replace('\r', "\n");
    if !settings.keep_trailing_newline && text.ends_with('\n') {
        text.pop();
    }
    let tokens = lexer::tokens(source, &text, settings)?;
    let mut parser =
        Parser { source, tokens, at: 0, blocks: Vec::new(), depth: 0, uses: Uses::default(), open: Vec::new() };
    let body = parser.statements(&[])?;
    Ok(Template { source: source.clone(), body, blocks: parser.blocks })
}

/// Which of a macro's special names its body mentions.
#[derive(Default, Clone)]
pub(super) struct Uses {
    pub(super) varargs: Cell<bool>,
    pub(super) kwargs: Cell<bool>,
    pub(super) caller: Cell<bool>,
}

pub(super) struct Parser<'a> {
    pub(super) source: &'a Arc<Source>,
    tokens: Vec<Token>,
    pub(super) at: usize,
    pub(super) blocks: Vec<(Arc<str>, Arc<Vec<Stmt>>)>,
    pub(super) depth: usize,
    pub(super) uses: Uses,
    /// The tags that wait for their end, for error messages.
    pub(super) open: Vec<(Arc<str>, Span)>,
}

impl Parser<'_> {
    pub(super) fn peek(&self) -> &Tok {
        self.tokens.get(self.at).map_or(&Tok::End, |token| &token.tok)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> &Tok {
        self.tokens.get(self.at + ahead).map_or(&Tok::End, |token| &token.tok)
    }

    pub(super) fn span(&self) -> Span {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(Span::default(), |token| token.span)
    }

    pub(super) fn next(&mut self) -> Tok {
        let tok = self.peek().clone();
        self.at += 1;
        tok
    }

    pub(super) fn is_op(&self, op: &str) -> bool {
        matches!(self.peek(), Tok::Op(other) if *other == op)
    }

    pub(super) fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Tok::Name(other) if &**other == name)
    }

    pub(super) fn skip_op(&mut self, op: &str) -> bool {
        let found = self.is_op(op);
        self.at += usize::from(found);
        found
    }

    pub(super) fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub(super) fn error(&self, span: Span, message: impl Into<String>) -> Error {
        Box::new(Diagnostic::new(message).at(&Place::new(self.source, span.line, span.column, span.length)))
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Error {
        let message = match self.peek() {
            Tok::End => format!("the template ends where {wanted} is expected"),
            tok => format!("{wanted} is expected here, not {}", described(tok)),
        };
        self.error(self.span(), message)
    }

    pub(super) fn expect_op(&mut self, op: &str) -> Result<(), Error> {
        if self.skip_op(op) { Ok(()) } else { Err(self.unexpected(&format!("'{op}'"))) }
    }

    pub(super) fn expect_name(&mut self, name: &str) -> Result<(), Error> {
        if self.skip_name(name) { Ok(()) } else { Err(self.unexpected(&format!("'{name}'"))) }
    }

    pub(super) fn name(&mut self) -> Result<Arc<str>, Error> {
        match self.peek().clone() {
            Tok::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => Err(self.unexpected("a name")),
        }
    }

    pub(super) fn mention(&self, name: &str) {
        match name {
            "varargs" => self.uses.varargs.set(true),
            "kwargs" => self.uses.kwargs.set(true),
            "caller" => self.uses.caller.set(true),
            _ => {}
        }
    }

    pub(super) fn deeper(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.error(self.span(), "this template is nested too deeply"));
        }
        Ok(())
    }

    /// Statements up to one of the end tags (which is consumed up to its name), or to the end.
    pub(super) fn statements(&mut self, ends: &[&str]) -> Result<Vec<Stmt>, Error> {
        let mut body = Vec::new();
        loop {
            let span = self.span();
            match self.next() {
                Tok::End if ends.is_empty() => return Ok(body),
                Tok::End => return Err(self.never_closed(ends)),
                Tok::Text(text) => body.push(Stmt { span, kind: StmtKind::Text(text) }),
                Tok::PrintBegin => {
                    let value = self.tuple(true, false)?;
                    if *self.peek() != Tok::PrintEnd {
                        return Err(self.unexpected("the end of the print statement, '}}',"));
                    }
                    self.at += 1;
                    body.push(Stmt { span: value.span, kind: StmtKind::Print(value) });
                }
                Tok::BlockBegin => {
                    if let Tok::Name(name) = self.peek()
                        && ends.contains(&&**name)
                    {
                        return Ok(body);
                    }
                    if let Some(kind) = self.statement(span)? {
                        body.push(Stmt { span, kind });
                    }
                }
                _ => return Err(self.unexpected("text")),
            }
        }
    }

    fn never_closed(&self, ends: &[&str]) -> Error {
        let missing = format!("{{% {} %}}", ends.last().unwrap_or(&""));
        match self.open.last() {
            Some((name, span)) => Box::new(
                self.error(*span, format!("this {name} is never closed")).hint(format!("close it with {missing}")),
            ),
            None => self.error(self.span(), format!("{missing} is missing")),
        }
    }

    /// The body of a block tag whose head was read, with its end tag's name consumed.
    pub(super) fn body(&mut self, ends: &[&str]) -> Result<(Vec<Stmt>, Arc<str>), Error> {
        self.skip_op(":");
        self.block_end()?;
        self.deeper()?;
        let body = self.statements(ends)?;
        self.depth -= 1;
        Ok((body, self.name()?))
    }

    pub(super) fn block_end(&mut self) -> Result<(), Error> {
        match self.peek() {
            Tok::BlockEnd => {
                self.at += 1;
                Ok(())
            }
            _ => Err(self.unexpected("the end of the tag, '%}',")),
        }
    }

    pub(super) fn closed_body(&mut self, end: &str) -> Result<Vec<Stmt>, Error> {
        let (body, _) = self.body(&[end])?;
        self.block_end()?;
        Ok(body)
    }

    fn statement(&mut self, _: Span) -> Result<Option<StmtKind>, Error> {
        let span = self.span();
        let name = self.name()?;
        self.open.push((name.clone(), span));
        let kind = self.tag(&name, span)?;
        self.open.pop();
        Ok(kind)
    }

    /// Whether a `for` is open, and no macro within it.
    pub(super) fn in_loop(&self) -> bool {
        let outer = self.open.iter().rev().find(|(tag, _)| matches!(&**tag, "for" | "macro" | "call" | "block"));
        outer.is_some_and(|(tag, _)| &**tag == "for")
    }
}

fn described(tok: &Tok) -> String {
    match tok {
        Tok::Name(name) => format!("'{name}'"),
        Tok::Str(text) => format!("the string '{text}'"),
        Tok::Int(i) => format!("{i}"),
        Tok::Float(f) => format!("{f}"),
        Tok::Op(op) => format!("'{op}'"),
        Tok::BlockEnd => "the end of the tag".into(),
        Tok::PrintEnd => "'}}'".into(),
        _ => "text".into(),
    }
}
