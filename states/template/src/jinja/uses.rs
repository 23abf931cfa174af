//! What a template mentions: functions, filters and tests, with their places. Nothing is run.

use std::sync::Arc;

use super::{
    Error, Whitespace,
    ast::{CallArgs, Const, Expr, ExprKind, Filter, Span, Stmt, StmtKind},
    filters, parser, tests_table,
};
use crate::diag::{Place, Source};

/// One mention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    pub what: What,
    pub name: String,
    pub place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// `salt['module.function']` or `salt.module.function`.
    Function,
    Filter,
    Test,
}

impl Use {
    /// Whether we have such a filter or test. Functions are for the caller to judge.
    pub fn is_known(&self) -> bool {
        match self.what {
            What::Function => true,
            What::Filter => filters::find(&self.name).is_some(),
            What::Test => tests_table::find(&self.name).is_some(),
        }
    }
}

/// Everything that a template mentions, in its order.
pub fn uses(source: &Arc<Source>) -> Result<Vec<Use>, Error> {
    let template = parser::parse(source, Whitespace::default())?;
    let mut walk = Walk { source, found: Vec::new() };
    walk.stmts(&template.body);
    for (_, body) in &template.blocks {
        walk.stmts(body);
    }
    Ok(walk.found)
}

struct Walk<'a> {
    source: &'a Arc<Source>,
    found: Vec<Use>,
}

impl Walk<'_> {
    fn add(&mut self, what: What, name: &str, span: Span) {
        let place = Place::new(self.source, span.line, span.column, span.length);
        self.found.push(Use { what, name: name.to_owned(), place });
    }

    fn stmts(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(&stmt.kind));
    }

    fn stmt(&mut self, kind: &StmtKind) {
        match kind {
            StmtKind::Print(expr) | StmtKind::Do(expr) | StmtKind::Extends(expr) => self.expr(expr),
            StmtKind::If { arms, otherwise } => {
                for (test, body) in arms {
                    self.expr(test);
                    self.stmts(body);
                }
                self.stmts(otherwise);
            }
            StmtKind::For(each) => {
                self.expr(&each.iter);
                each.test.iter().for_each(|test| self.expr(test));
                self.stmts(&each.body);
                self.stmts(&each.otherwise);
            }
            StmtKind::Set { value, .. } => self.expr(value),
            StmtKind::SetBlock { filters, body, .. } | StmtKind::FilterBlock { filters, body } => {
                filters.iter().for_each(|filter| self.filter(filter, What::Filter));
                self.stmts(body);
            }
            StmtKind::Macro(def) => {
                def.params.iter().filter_map(|(_, default)| default.as_ref()).for_each(|default| self.expr(default));
                self.stmts(&def.body);
            }
            StmtKind::Call { params, call } => {
                self.expr(call);
                self.stmts(&params.body);
            }
            StmtKind::With { set, body } => {
                set.iter().for_each(|(_, value)| self.expr(value));
                self.stmts(body);
            }
            StmtKind::Include { name, .. } | StmtKind::Import { name, .. } | StmtKind::From { name, .. } => {
                self.expr(name)
            }
            StmtKind::Load { body, .. } | StmtKind::Scope(body) => self.stmts(body),
            StmtKind::Text(_) | StmtKind::Break | StmtKind::Continue | StmtKind::Block(_) => {}
        }
    }

    fn filter(&mut self, filter: &Filter, what: What) {
        self.add(what, &filter.name, filter.span);
        self.args(&filter.args);
    }

    fn args(&mut self, args: &CallArgs) {
        args.positional.iter().for_each(|arg| self.expr(arg));
        args.named.iter().for_each(|(_, arg)| self.expr(arg));
        args.star.iter().chain(&args.double_star).for_each(|arg| self.expr(arg));
    }

    fn expr(&mut self, expr: &Expr) {
        if let Some(name) = function_name(expr) {
            return self.add(What::Function, &name, expr.span);
        }
        match &expr.kind {
            ExprKind::Const(_) | ExprKind::Name(_) => {}
            ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Concat(items) => {
                items.iter().for_each(|item| self.expr(item));
            }
            ExprKind::Dict(pairs) => pairs.iter().for_each(|(key, value)| {
                self.expr(key);
                self.expr(value);
            }),
            ExprKind::Attribute(of, _) => self.expr(of),
            ExprKind::Item(a, b) | ExprKind::Binary(_, a, b) | ExprKind::And(a, b) | ExprKind::Or(a, b) => {
                self.expr(a);
                self.expr(b);
            }
            ExprKind::Slice(of, parts) => {
                self.expr(of);
                parts.iter().flatten().for_each(|part| self.expr(part));
            }
            ExprKind::Call(callee, args) => {
                self.expr(callee);
                self.args(args);
            }
            ExprKind::Filter(value, filter) => {
                self.expr(value);
                self.filter(filter, What::Filter);
            }
            ExprKind::Test { value, test, .. } => {
                self.expr(value);
                self.filter(test, What::Test);
            }
            ExprKind::Not(inner) | ExprKind::Negative(inner) | ExprKind::Positive(inner) => self.expr(inner),
            ExprKind::Compare(left, rest) => {
                self.expr(left);
                rest.iter().for_each(|(_, right)| self.expr(right));
            }
            ExprKind::If { then, test, otherwise } => {
                self.expr(then);
                self.expr(test);
                otherwise.iter().for_each(|other| self.expr(other));
            }
        }
    }
}

/// The name in `salt['m.f']` or `salt.m.f`.
fn function_name(expr: &Expr) -> Option<String> {
    let is_salt = |expr: &Expr| matches!(&expr.kind, ExprKind::Name(name) if &**name == "salt");
    match &expr.kind {
        ExprKind::Item(of, index) if is_salt(of) => match &index.kind {
            ExprKind::Const(Const::Str(name)) if name.contains('.') => Some(name.to_string()),
            _ => None,
        },
        ExprKind::Attribute(of, function) => match &of.kind {
            ExprKind::Attribute(salt, module) if is_salt(salt) => Some(format!("{module}.{function}")),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mentions_are_found_with_their_places() {
        let source = Source::new("x.sls", "{% if salt['a.b'](1)|nope is odd %}\n{{ salt.c.d() }}{% endif %}");
        let found: Vec<String> =
            uses(&source).unwrap().iter().map(|u| format!("{:?} {} {}", u.what, u.name, u.place)).collect();
        assert_eq!(
            found,
            ["Function a.b x.sls:1:7", "Filter nope x.sls:1:22", "Test odd x.sls:1:30", "Function c.d x.sls:2:4"]
        );
    }
}
