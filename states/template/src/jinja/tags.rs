//! One rule of the grammar for each tag.

use std::sync::Arc;

use super::{
    Error,
    ast::{CallArgs, Const, Expr, ExprKind, Filter, For, Load, Macro, Params, Span, StmtKind, Target},
    lexer::Tok,
    parser::Parser,
};
use crate::diag;

const TAGS: [&str; 27] = [
    "if",
    "for",
    "set",
    "macro",
    "call",
    "filter",
    "with",
    "include",
    "import",
    "from",
    "do",
    "break",
    "continue",
    "extends",
    "block",
    "autoescape",
    "load_yaml",
    "load_json",
    "load_text",
    "import_yaml",
    "import_json",
    "import_text",
    "profile",
    "raw",
    "endif",
    "endfor",
    "endmacro",
];

impl Parser<'_> {
    pub(super) fn tag(&mut self, name: &str, span: Span) -> Result<Option<StmtKind>, Error> {
        let simple = match name {
            "if" => return self.if_tag().map(Some),
            "for" => return self.for_tag().map(Some),
            "set" => return self.set_tag().map(Some),
            "macro" => return self.macro_tag().map(Some),
            "call" => return self.call_tag().map(Some),
            "filter" => return self.filter_tag().map(Some),
            "with" => return self.with_tag().map(Some),
            "block" => return self.block_tag().map(Some),
            "autoescape" => {
                self.expression()?;
                return Ok(Some(StmtKind::Scope(self.closed_body("endautoescape")?)));
            }
            "load_yaml" | "load_json" | "load_text" => return self.load_tag(name).map(Some),
            "profile" => {
                self.expect_name("as")?;
                self.expression()?;
                return self.profile_tag();
            }
            "do" => StmtKind::Do(self.tuple(true, false)?),
            "break" | "continue" if !self.in_loop() => {
                return Err(self.error(span, format!("'{name}' stands in no loop")));
            }
            "break" => StmtKind::Break,
            "continue" => StmtKind::Continue,
            "extends" => StmtKind::Extends(self.expression()?),
            "include" => self.include_tag()?,
            "import" => self.import_tag(None)?,
            "import_yaml" => self.import_tag(Some(Load::Yaml))?,
            "import_json" => self.import_tag(Some(Load::Json))?,
            "import_text" => self.import_tag(Some(Load::Text))?,
            "from" => self.import_names_tag()?,
            _ => return Err(self.unknown_tag(name, span)),
        };
        self.block_end()?;
        Ok(Some(simple))
    }

    fn unknown_tag(&self, name: &str, span: Span) -> Error {
        let enclosing = self.open.iter().rev().nth(1);
        let error = self.error(span, format!("the tag '{name}' is not known here"));
        let waiting = enclosing.filter(|_| name.starts_with("end") || name.starts_with("el"));
        Box::new(match waiting {
            Some((open, at)) => {
                error.hint(format!("the innermost open tag is '{open}' in line {}: it wants 'end{open}'", at.line))
            }
            None => error.hint_opt(diag::did_you_mean(name, TAGS)),
        })
    }

    fn if_tag(&mut self) -> Result<StmtKind, Error> {
        let mut arms = Vec::new();
        loop {
            let test = self.tuple(false, false)?;
            let (body, end) = self.body(&["elif", "else", "endif"])?;
            arms.push((test, body));
            match &*end {
                "elif" => {}
                "else" => {
                    let otherwise = self.closed_body("endif")?;
                    return Ok(StmtKind::If { arms, otherwise });
                }
                _ => {
                    self.block_end()?;
                    return Ok(StmtKind::If { arms, otherwise: Vec::new() });
                }
            }
        }
    }

    fn for_tag(&mut self) -> Result<StmtKind, Error> {
        let target = self.target(&["in"])?;
        self.expect_name("in")?;
        let iter = self.tuple_until(false, false, &["recursive", "if"])?;
        let test = if self.skip_name("if") { Some(self.expression()?) } else { None };
        let recursive = self.skip_name("recursive");
        let (body, end) = self.body(&["endfor", "else"])?;
        let otherwise = if &*end == "else" {
            self.closed_body("endfor")?
        } else {
            self.block_end()?;
            Vec::new()
        };
        Ok(StmtKind::For(Arc::new(For { target, iter, test, body, otherwise, recursive })))
    }

    /// What a value is given to: a name, `namespace.member`, or several of them.
    fn target(&mut self, _ends: &[&str]) -> Result<Target, Error> {
        let span = self.span();
        let first = self.single_target()?;
        if !self.is_op(",") {
            return Ok(first);
        }
        let mut all = vec![first];
        while self.skip_op(",") {
            if self.is_name("in") || self.is_op("=") || *self.peek() == Tok::BlockEnd {
                break;
            }
            all.push(self.single_target()?);
        }
        Ok(Target::Tuple(all, span))
    }

    fn single_target(&mut self) -> Result<Target, Error> {
        let span = self.span();
        if self.skip_op("(") {
            self.deeper()?;
            let inner = self.target(&[])?;
            self.depth -= 1;
            self.expect_op(")")?;
            return Ok(inner);
        }
        let name = self.name()?;
        if self.skip_op(".") {
            let member = self.name()?;
            return Ok(Target::Member(name, member, span));
        }
        Ok(Target::Name(name))
    }

    fn set_tag(&mut self) -> Result<StmtKind, Error> {
        let target = self.target(&["="])?;
        if self.skip_op("=") {
            let value = self.tuple(true, false)?;
            self.block_end()?;
            return Ok(StmtKind::Set { target, value });
        }
        let mut filters = Vec::new();
        while self.skip_op("|") {
            filters.push(self.filter()?);
        }
        if *self.peek() != Tok::BlockEnd {
            return Err(self.unexpected("'=' or the end of the tag"));
        }
        let body = self.closed_body("endset")?;
        Ok(StmtKind::SetBlock { target, filters, body })
    }

    fn params(&mut self) -> Result<Params, Error> {
        let mut params = Params::new();
        self.expect_op("(")?;
        while !self.is_op(")") {
            if !params.is_empty() {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            let span = self.span();
            let name = self.name()?;
            let default = if self.skip_op("=") { Some(self.expression()?) } else { None };
            if default.is_none() && params.last().is_some_and(|(_, default)| default.is_some()) {
                return Err(self.error(span, "a parameter without a default stands behind one that has one"));
            }
            params.push((name, default));
        }
        self.expect_op(")")?;
        Ok(params)
    }

    fn macro_with(&mut self, name: Arc<str>, params: Params, end: &str) -> Result<Arc<Macro>, Error> {
        let outer = std::mem::take(&mut self.uses);
        let body = self.closed_body(end)?;
        let uses = std::mem::replace(&mut self.uses, outer);
        Ok(Arc::new(Macro {
            name,
            params,
            body,
            uses_varargs: uses.varargs.get(),
            uses_kwargs: uses.kwargs.get(),
            uses_caller: uses.caller.get(),
        }))
    }

    fn macro_tag(&mut self) -> Result<StmtKind, Error> {
        let name = self.name()?;
        let params = self.params()?;
        Ok(StmtKind::Macro(self.macro_with(name, params, "endmacro")?))
    }

    fn call_tag(&mut self) -> Result<StmtKind, Error> {
        let params = if self.is_op("(") { self.params()? } else { Vec::new() };
        let call = self.expression()?;
        if !matches!(call.kind, ExprKind::Call(..)) {
            return Err(self.error(call.span, "a call block needs a call: {% call name(…) %}"));
        }
        let params = self.macro_with("caller".into(), params, "endcall")?;
        Ok(StmtKind::Call { params, call })
    }

    fn filter_tag(&mut self) -> Result<StmtKind, Error> {
        let mut filters = vec![self.filter()?];
        while self.skip_op("|") {
            filters.push(self.filter()?);
        }
        let body = self.closed_body("endfilter")?;
        Ok(StmtKind::FilterBlock { filters, body })
    }

    fn with_tag(&mut self) -> Result<StmtKind, Error> {
        let mut set = Vec::new();
        while *self.peek() != Tok::BlockEnd {
            if !set.is_empty() {
                self.expect_op(",")?;
            }
            let target = self.single_target()?;
            self.expect_op("=")?;
            set.push((target, self.expression()?));
        }
        let body = self.closed_body("endwith")?;
        Ok(StmtKind::With { set, body })
    }

    fn block_tag(&mut self) -> Result<StmtKind, Error> {
        let name = self.name()?;
        self.skip_name("scoped");
        self.skip_name("required");
        let (body, _) = self.body(&["endblock"])?;
        self.skip_name(&name);
        self.block_end()?;
        self.blocks.push((name.clone(), Arc::new(body)));
        Ok(StmtKind::Block(name))
    }

    fn load_tag(&mut self, name: &str) -> Result<StmtKind, Error> {
        let load = match name {
            "load_yaml" => Load::Yaml,
            "load_json" => Load::Json,
            _ => Load::Text,
        };
        self.expect_name("as")?;
        let target = self.target(&[])?;
        let body = self.closed_body("endload")?;
        Ok(StmtKind::Load { load, target, body })
    }

    fn profile_tag(&mut self) -> Result<Option<StmtKind>, Error> {
        let body = self.closed_body("endprofile")?;
        // A profile block is no scope of its own: what is set in it is set outside.
        let always = Expr { span: Span::default(), kind: ExprKind::Const(Const::Bool(true)) };
        Ok(Some(StmtKind::If { arms: vec![(always, body)], otherwise: Vec::new() }))
    }

    fn include_tag(&mut self) -> Result<StmtKind, Error> {
        let name = self.expression()?;
        let mut ignore_missing = false;
        if self.is_name("ignore") && matches!(self.peek_at(1), Tok::Name(next) if &**next == "missing") {
            self.at += 2;
            ignore_missing = true;
        }
        let context = self.context_clause(true)?;
        Ok(StmtKind::Include { name, ignore_missing, context })
    }

    /// `with context` or `without context`, where it stands.
    fn context_clause(&mut self, default: bool) -> Result<bool, Error> {
        let next_is_context = matches!(self.peek_at(1), Tok::Name(next) if &**next == "context");
        if next_is_context && (self.is_name("with") || self.is_name("without")) {
            let with = self.is_name("with");
            self.at += 2;
            return Ok(with);
        }
        Ok(default)
    }

    fn import_tag(&mut self, load: Option<Load>) -> Result<StmtKind, Error> {
        let name = self.expression()?;
        self.expect_name("as")?;
        let as_name = self.name()?;
        let context = self.context_clause(false)?;
        Ok(StmtKind::Import { name, as_name, context, load })
    }

    fn import_names_tag(&mut self) -> Result<StmtKind, Error> {
        let name = self.expression()?;
        self.expect_name("import")?;
        let mut names = Vec::new();
        loop {
            let next_is_context = matches!(self.peek_at(1), Tok::Name(next) if &**next == "context");
            if next_is_context && (self.is_name("with") || self.is_name("without")) {
                break;
            }
            if *self.peek() == Tok::BlockEnd && !names.is_empty() {
                break;
            }
            let original = self.name()?;
            let alias = if self.skip_name("as") { self.name()? } else { original.clone() };
            names.push((original, alias));
            if !self.skip_op(",") {
                break;
            }
        }
        let context = self.context_clause(false)?;
        Ok(StmtKind::From { name, names, context })
    }

    pub(super) fn filter(&mut self) -> Result<Filter, Error> {
        let span = self.span();
        let mut name = self.name()?;
        while self.skip_op(".") {
            name = format!("{name}.{}", self.name()?).into();
        }
        let args = if self.is_op("(") { self.call_args()? } else { CallArgs::default() };
        Ok(Filter { name, args, span })
    }
}
