//! Expressions, in Jinja2's order of precedence.

use std::sync::Arc;

use super::{
    Error,
    ast::{CallArgs, Cmp, Const, Expr, ExprKind, Filter, Op, Span},
    lexer::Tok,
    parser::Parser,
};

impl Parser<'_> {
    fn expr(&self, span: Span, kind: ExprKind) -> Expr {
        Expr { span, kind }
    }

    pub(super) fn expression(&mut self) -> Result<Expr, Error> {
        self.deeper()?;
        let expr = self.condition();
        self.depth -= 1;
        expr
    }

    /// One expression, or several with commas between them.
    pub(super) fn tuple(&mut self, with_condition: bool, parenthesised: bool) -> Result<Expr, Error> {
        self.tuple_until(with_condition, parenthesised, &[])
    }

    pub(super) fn tuple_until(
        &mut self,
        with_condition: bool,
        parenthesised: bool,
        ends: &[&str],
    ) -> Result<Expr, Error> {
        let span = self.span();
        let mut items = Vec::new();
        let mut is_tuple = false;
        loop {
            if !items.is_empty() {
                if !self.skip_op(",") {
                    break;
                }
                is_tuple = true;
            }
            if self.tuple_ends(ends) {
                break;
            }
            items.push(if with_condition || parenthesised { self.expression()? } else { self.without_condition()? });
        }
        if !is_tuple {
            return match items.pop() {
                Some(single) => Ok(single),
                None if parenthesised => Ok(self.expr(span, ExprKind::Tuple(items))),
                None => Err(self.unexpected("an expression")),
            };
        }
        Ok(self.expr(span, ExprKind::Tuple(items)))
    }

    fn without_condition(&mut self) -> Result<Expr, Error> {
        self.deeper()?;
        let expr = self.or();
        self.depth -= 1;
        expr
    }

    fn tuple_ends(&self, ends: &[&str]) -> bool {
        match self.peek() {
            Tok::PrintEnd | Tok::BlockEnd | Tok::Op(")") => true,
            Tok::Name(name) => ends.contains(&&**name),
            _ => false,
        }
    }

    fn condition(&mut self) -> Result<Expr, Error> {
        let mut then = self.or()?;
        while self.skip_name("if") {
            let test = self.or()?;
            let otherwise = if self.skip_name("else") { Some(Box::new(self.condition()?)) } else { None };
            let span = then.span;
            then = self.expr(span, ExprKind::If { then: Box::new(then), test: Box::new(test), otherwise });
        }
        Ok(then)
    }

    fn or(&mut self) -> Result<Expr, Error> {
        let mut left = self.and()?;
        while self.skip_name("or") {
            let right = self.and()?;
            left = self.expr(left.span, ExprKind::Or(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Error> {
        let mut left = self.not()?;
        while self.skip_name("and") {
            let right = self.not()?;
            left = self.expr(left.span, ExprKind::And(Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expr, Error> {
        let span = self.span();
        if !self.skip_name("not") {
            return self.compare();
        }
        self.deeper()?;
        let inner = self.not()?;
        self.depth -= 1;
        Ok(self.expr(span, ExprKind::Not(Box::new(inner))))
    }

    fn compare(&mut self) -> Result<Expr, Error> {
        let left = self.sum()?;
        let mut rest = Vec::new();
        while let Some(cmp) = self.comparison() {
            rest.push((cmp, self.sum()?));
        }
        if rest.is_empty() {
            return Ok(left);
        }
        Ok(self.expr(left.span, ExprKind::Compare(Box::new(left), rest)))
    }

    fn comparison(&mut self) -> Option<Cmp> {
        let cmp = match self.peek() {
            Tok::Op("==") => Cmp::Eq,
            Tok::Op("!=") => Cmp::Ne,
            Tok::Op("<") => Cmp::Lt,
            Tok::Op("<=") => Cmp::Le,
            Tok::Op(">") => Cmp::Gt,
            Tok::Op(">=") => Cmp::Ge,
            Tok::Name(name) if &**name == "in" => Cmp::In,
            Tok::Name(name) if &**name == "not" => {
                if !matches!(self.peek_at(1), Tok::Name(next) if &**next == "in") {
                    return None;
                }
                self.next();
                Cmp::NotIn
            }
            _ => return None,
        };
        self.next();
        Some(cmp)
    }

    fn sum(&mut self) -> Result<Expr, Error> {
        let mut left = self.concat()?;
        loop {
            let op = match self.peek() {
                Tok::Op("+") => Op::Add,
                Tok::Op("-") => Op::Sub,
                _ => return Ok(left),
            };
            self.next();
            let right = self.concat()?;
            left = self.expr(left.span, ExprKind::Binary(op, Box::new(left), Box::new(right)));
        }
    }

    fn concat(&mut self) -> Result<Expr, Error> {
        let first = self.product()?;
        if !self.is_op("~") {
            return Ok(first);
        }
        let span = first.span;
        let mut all = vec![first];
        while self.skip_op("~") {
            all.push(self.product()?);
        }
        Ok(self.expr(span, ExprKind::Concat(all)))
    }

    fn product(&mut self) -> Result<Expr, Error> {
        let mut left = self.power()?;
        loop {
            let op = match self.peek() {
                Tok::Op("*") => Op::Mul,
                Tok::Op("/") => Op::Div,
                Tok::Op("//") => Op::FloorDiv,
                Tok::Op("%") => Op::Rem,
                _ => return Ok(left),
            };
            self.next();
            let right = self.power()?;
            left = self.expr(left.span, ExprKind::Binary(op, Box::new(left), Box::new(right)));
        }
    }

    fn power(&mut self) -> Result<Expr, Error> {
        let mut left = self.unary(true)?;
        while self.skip_op("**") {
            let right = self.unary(true)?;
            left = self.expr(left.span, ExprKind::Binary(Op::Pow, Box::new(left), Box::new(right)));
        }
        Ok(left)
    }

    fn unary(&mut self, with_filters: bool) -> Result<Expr, Error> {
        let span = self.span();
        let sign = if self.skip_op("-") {
            Some(true)
        } else if self.skip_op("+") {
            Some(false)
        } else {
            None
        };
        let mut node = match sign {
            Some(negative) => {
                self.deeper()?;
                let inner = Box::new(self.unary(false)?);
                self.depth -= 1;
                self.expr(span, if negative { ExprKind::Negative(inner) } else { ExprKind::Positive(inner) })
            }
            None => self.primary()?,
        };
        node = self.postfix(node)?;
        if with_filters { self.filters(node) } else { Ok(node) }
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let span = self.span();
        let kind = match self.peek().clone() {
            Tok::Name(name) => {
                self.next();
                match &*name {
                    "true" | "True" => ExprKind::Const(Const::Bool(true)),
                    "false" | "False" => ExprKind::Const(Const::Bool(false)),
                    "none" | "None" => ExprKind::Const(Const::None),
                    _ => {
                        self.mention(&name);
                        ExprKind::Name(name)
                    }
                }
            }
            Tok::Str(first) => {
                self.next();
                let mut text = first.to_string();
                while let Tok::Str(more) = self.peek().clone() {
                    text.push_str(&more);
                    self.next();
                }
                ExprKind::Const(Const::Str(text.into()))
            }
            Tok::Int(i) => {
                self.next();
                ExprKind::Const(Const::Int(i))
            }
            Tok::Float(f) => {
                self.next();
                ExprKind::Const(Const::Float(f))
            }
            Tok::Op("(") => {
                self.next();
                let inner = self.tuple(true, true)?;
                self.expect_op(")")?;
                return Ok(inner);
            }
            Tok::Op("[") => ExprKind::List(self.list()?),
            Tok::Op("{") => ExprKind::Dict(self.dict()?),
            _ => return Err(self.unexpected("a value")),
        };
        Ok(self.expr(span, kind))
    }

    fn list(&mut self) -> Result<Vec<Expr>, Error> {
        self.expect_op("[")?;
        let mut items = Vec::new();
        while !self.is_op("]") {
            if !items.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("]") {
                break;
            }
            items.push(self.expression()?);
        }
        self.expect_op("]")?;
        Ok(items)
    }

    fn dict(&mut self) -> Result<Vec<(Expr, Expr)>, Error> {
        self.expect_op("{")?;
        let mut pairs = Vec::new();
        while !self.is_op("}") {
            if !pairs.is_empty() {
                self.expect_op(",")?;
            }
            if self.is_op("}") {
                break;
            }
            let key = self.expression()?;
            self.expect_op(":")?;
            pairs.push((key, self.expression()?));
        }
        self.expect_op("}")?;
        Ok(pairs)
    }

    fn postfix(&mut self, mut node: Expr) -> Result<Expr, Error> {
        loop {
            node = match self.peek() {
                Tok::Op(".") => self.attribute(node)?,
                Tok::Op("[") => self.subscript(node)?,
                Tok::Op("(") => self.call(node)?,
                _ => return Ok(node),
            };
        }
    }

    fn attribute(&mut self, node: Expr) -> Result<Expr, Error> {
        self.next();
        let mut span = self.span();
        match self.peek().clone() {
            Tok::Name(name) => {
                self.next();
                if span.line == node.span.line {
                    let end = span.column + span.length;
                    span = Span { column: node.span.column, length: end.saturating_sub(node.span.column), ..span };
                }
                Ok(self.expr(span, ExprKind::Attribute(Box::new(node), name)))
            }
            Tok::Int(index) => {
                self.next();
                let index = self.expr(span, ExprKind::Const(Const::Int(index)));
                Ok(self.expr(span, ExprKind::Item(Box::new(node), Box::new(index))))
            }
            _ => Err(self.unexpected("a name or a number")),
        }
    }

    fn subscript(&mut self, node: Expr) -> Result<Expr, Error> {
        let span = node.span;
        self.next();
        let mut items = vec![self.subscript_part()?];
        while self.skip_op(",") {
            if self.is_op("]") {
                break;
            }
            items.push(self.subscript_part()?);
        }
        let end = self.span();
        self.expect_op("]")?;
        let length = if end.line == span.line { (end.column + 1).saturating_sub(span.column) } else { span.length };
        let span = Span { length, ..span };
        if items.len() == 1 {
            return Ok(match items.remove(0) {
                Part::Index(index) => self.expr(span, ExprKind::Item(Box::new(node), Box::new(index))),
                Part::Slice(slice) => self.expr(span, ExprKind::Slice(Box::new(node), slice)),
            });
        }
        let mut indices = Vec::new();
        for item in items {
            match item {
                Part::Index(index) => indices.push(index),
                Part::Slice(_) => return Err(self.error(span, "a slice cannot stand beside another index")),
            }
        }
        let index = self.expr(span, ExprKind::Tuple(indices));
        Ok(self.expr(span, ExprKind::Item(Box::new(node), Box::new(index))))
    }

    fn subscript_part(&mut self) -> Result<Part, Error> {
        let mut parts: [Option<Expr>; 3] = [None, None, None];
        if !self.is_op(":") {
            let first = self.expression()?;
            if !self.is_op(":") {
                return Ok(Part::Index(first));
            }
            parts[0] = Some(first);
        }
        for part in &mut parts[1..] {
            if !self.skip_op(":") {
                break;
            }
            if !self.is_op(":") && !self.is_op("]") && !self.is_op(",") {
                *part = Some(self.expression()?);
            }
        }
        Ok(Part::Slice(Box::new(parts)))
    }

    fn call(&mut self, node: Expr) -> Result<Expr, Error> {
        let span = node.span;
        let args = self.call_args()?;
        Ok(self.expr(span, ExprKind::Call(Box::new(node), Box::new(args))))
    }

    pub(super) fn call_args(&mut self) -> Result<CallArgs, Error> {
        self.expect_op("(")?;
        let mut args = CallArgs::default();
        let mut first = true;
        while !self.is_op(")") {
            if !first {
                self.expect_op(",")?;
                if self.is_op(")") {
                    break;
                }
            }
            first = false;
            self.argument(&mut args)?;
        }
        self.expect_op(")")?;
        Ok(args)
    }

    fn argument(&mut self, args: &mut CallArgs) -> Result<(), Error> {
        let span = self.span();
        if self.skip_op("*") {
            args.star = Some(Box::new(self.expression()?));
            return Ok(());
        }
        if self.skip_op("**") {
            args.double_star = Some(Box::new(self.expression()?));
            return Ok(());
        }
        if let (Tok::Name(name), Tok::Op("=")) = (self.peek().clone(), self.peek_at(1).clone()) {
            self.next();
            self.next();
            let value = self.expression()?;
            args.named.push((name, value));
            return Ok(());
        }
        if !args.named.is_empty() || args.double_star.is_some() {
            return Err(self.error(span, "an argument without a name stands behind one with a name"));
        }
        args.positional.push(self.expression()?);
        Ok(())
    }

    fn filters(&mut self, mut node: Expr) -> Result<Expr, Error> {
        loop {
            let span = node.span;
            if self.skip_op("|") {
                let filter = self.filter()?;
                node = self.expr(span, ExprKind::Filter(Box::new(node), Box::new(filter)));
            } else if self.skip_name("is") {
                node = self.test(node)?;
            } else if self.is_op("(") {
                node = self.call(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn test(&mut self, value: Expr) -> Result<Expr, Error> {
        let negated = self.skip_name("not");
        let span = self.span();
        let mut name = self.name()?;
        while self.skip_op(".") {
            name = Arc::from(format!("{name}.{}", self.name()?));
        }
        let args = if self.is_op("(") {
            self.call_args()?
        } else if self.test_argument_follows() {
            if self.is_name("is") {
                return Err(self.error(self.span(), "tests cannot be chained with 'is': use 'and'"));
            }
            let argument = self.primary()?;
            let argument = self.postfix(argument)?;
            CallArgs { positional: vec![argument], ..CallArgs::default() }
        } else {
            CallArgs::default()
        };
        let whole = value.span;
        let test = Box::new(Filter { name, args, span });
        Ok(self.expr(whole, ExprKind::Test { value: Box::new(value), test, negated }))
    }

    fn test_argument_follows(&self) -> bool {
        match self.peek() {
            Tok::Name(name) => !matches!(&**name, "else" | "or" | "and" | "if" | "in" | "not" | "recursive"),
            Tok::Str(_) | Tok::Int(_) | Tok::Float(_) | Tok::Op("(" | "[" | "{") => true,
            _ => false,
        }
    }
}

enum Part {
    Index(Expr),
    Slice(Box<[Option<Expr>; 3]>),
}
