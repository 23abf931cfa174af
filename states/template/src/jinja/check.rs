//! Filters and tests that do not exist are refused before a template runs, as in Jinja2, which
//! waits with those inside of a condition: a template may ask first whether they are there.

use std::sync::Arc;

use super::{
    Error,
    ast::{CallArgs, Expr, ExprKind, Filter, Span, Stmt, StmtKind, Template},
    filters, tests_table,
};
use crate::{Diagnostic, diag::Place, diag::Source};

/// Refuses the first filter or test that does not exist and would not be waited for.
pub fn names(template: &Template) -> Result<(), Error> {
    let check = Check { source: &template.source };
    check.stmts(&template.body, false)?;
    template.blocks.iter().try_for_each(|(_, body)| check.stmts(body, false))
}

struct Check<'a> {
    source: &'a Arc<Source>,
}

type Checked = Result<(), Error>;

/// `soft` is true inside of a condition; loops, macros and blocks within it begin anew.
impl Check<'_> {
    fn stmts(&self, body: &[Stmt], soft: bool) -> Checked {
        body.iter().try_for_each(|stmt| self.stmt(&stmt.kind, soft))
    }

    fn stmt(&self, kind: &StmtKind, soft: bool) -> Checked {
        match kind {
            StmtKind::Text(_) | StmtKind::Break | StmtKind::Continue | StmtKind::Block(_) => Ok(()),
            StmtKind::Print(expr) | StmtKind::Do(expr) | StmtKind::Extends(expr) => self.expr(expr, soft),
            StmtKind::Set { value: expr, .. }
            | StmtKind::Include { name: expr, .. }
            | StmtKind::Import { name: expr, .. }
            | StmtKind::From { name: expr, .. } => self.expr(expr, soft),
            StmtKind::If { arms, otherwise } => {
                for (test, body) in arms {
                    self.expr(test, true)?;
                    self.stmts(body, true)?;
                }
                self.stmts(otherwise, true)
            }
            StmtKind::For(each) => {
                self.expr(&each.iter, soft)?;
                each.test.iter().try_for_each(|test| self.expr(test, false))?;
                self.stmts(&each.body, false)?;
                self.stmts(&each.otherwise, false)
            }
            StmtKind::SetBlock { filters, body, .. } | StmtKind::FilterBlock { filters, body } => {
                filters.iter().try_for_each(|filter| self.filter(filter, false))?;
                self.stmts(body, false)
            }
            StmtKind::Macro(def) => {
                def.params.iter().filter_map(|(_, default)| default.as_ref()).try_for_each(|d| self.expr(d, false))?;
                self.stmts(&def.body, false)
            }
            StmtKind::Call { params, call } => {
                self.expr(call, soft)?;
                self.stmts(&params.body, false)
            }
            StmtKind::With { set, body } => {
                set.iter().try_for_each(|(_, value)| self.expr(value, soft))?;
                self.stmts(body, false)
            }
            StmtKind::Load { body, .. } | StmtKind::Scope(body) => self.stmts(body, false),
        }
    }

    fn filter(&self, filter: &Filter, soft: bool) -> Checked {
        if !soft && filters::find(&filter.name).is_none() {
            return Err(self.at(filters::unknown(&filter.name), filter.span));
        }
        self.args(&filter.args, soft)
    }

    fn args(&self, args: &CallArgs, soft: bool) -> Checked {
        args.positional.iter().try_for_each(|arg| self.expr(arg, soft))?;
        args.named.iter().try_for_each(|(_, arg)| self.expr(arg, soft))?;
        args.star.iter().chain(&args.double_star).try_for_each(|arg| self.expr(arg, soft))
    }

    fn expr(&self, expr: &Expr, soft: bool) -> Checked {
        match &expr.kind {
            ExprKind::Const(_) | ExprKind::Name(_) => Ok(()),
            ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Concat(items) => {
                items.iter().try_for_each(|item| self.expr(item, soft))
            }
            ExprKind::Dict(pairs) => pairs.iter().try_for_each(|(key, value)| {
                self.expr(key, soft)?;
                self.expr(value, soft)
            }),
            ExprKind::Item(a, b) | ExprKind::Binary(_, a, b) | ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                self.expr(a, soft)?;
                self.expr(b, soft)
            }
            ExprKind::Slice(of, parts) => {
                self.expr(of, soft)?;
                parts.iter().flatten().try_for_each(|part| self.expr(part, soft))
            }
            ExprKind::Call(callee, args) => {
                self.expr(callee, soft)?;
                self.args(args, soft)
            }
            ExprKind::Filter(value, filter) => {
                self.expr(value, soft)?;
                self.filter(filter, soft)
            }
            ExprKind::Test { value, test, .. } => {
                self.expr(value, soft)?;
                if !soft && tests_table::find(&test.name).is_none() {
                    return Err(self.at(tests_table::unknown(&test.name), test.span));
                }
                self.args(&test.args, soft)
            }
            ExprKind::Attribute(inner, _)
            | ExprKind::Not(inner)
            | ExprKind::Negative(inner)
            | ExprKind::Positive(inner) => self.expr(inner, soft),
            ExprKind::Compare(left, rest) => {
                self.expr(left, soft)?;
                rest.iter().try_for_each(|(_, right)| self.expr(right, soft))
            }
            ExprKind::If { then, test, otherwise } => {
                self.expr(test, true)?;
                self.expr(then, true)?;
                otherwise.iter().try_for_each(|otherwise| self.expr(otherwise, true))
            }
        }
    }

    fn at(&self, unknown: Diagnostic, span: Span) -> Error {
        Box::new(unknown.at(&Place::new(self.source, span.line, span.column, span.length)))
    }
}
