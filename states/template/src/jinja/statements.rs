//! Statements, one by one: what writes and what sets names.

use std::{collections::HashMap, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::{Filter, Stmt, StmtKind, Target, Template},
    error,
    imports::missing_export,
    object::{Namespace, Object},
    print,
    scope::Frame,
    value::Value,
};
use crate::Diagnostic;

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl Eval<'_> {
    /// Runs a template in a frame of its own and gives what it wrote.
    pub(super) fn run(&mut self, template: &Arc<Template>, frame: Rc<Frame>) -> Result<String, Error> {
        self.enter()?;
        self.cycles.push(frame.clone());
        let source = std::mem::replace(&mut self.source, template.source.clone());
        let mut table: super::eval::BlockTable = HashMap::new();
        for (name, body) in &template.blocks {
            table.entry(name.clone()).or_default().push((body.clone(), template.source.clone()));
        }
        self.blocks.push(table);
        let result = self.capture(|this| this.within(frame, |this| this.body_or_parent(template)));
        self.blocks.pop();
        self.source = source;
        self.depth -= 1;
        result
    }

    pub(super) fn stmts(&mut self, body: &[Stmt]) -> Result<Flow, Error> {
        for stmt in body {
            match self.stmt(stmt)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    pub(super) fn stmt(&mut self, stmt: &Stmt) -> Result<Flow, Error> {
        self.writing = (stmt.span.line, false);
        self.burn().and_then(|()| self.stmt_kind(stmt)).map_err(|mut error| {
            error.place.get_or_insert_with(|| self.place(stmt.span));
            error
        })
    }

    fn stmt_kind(&mut self, stmt: &Stmt) -> Result<Flow, Error> {
        match &stmt.kind {
            StmtKind::Text(text) => {
                self.writing.1 = true;
                self.write(text)?;
            }
            StmtKind::Print(expr) => {
                let value = self.expr(expr)?;
                let value = value.defined()?;
                let mut text = String::new();
                print::output(&mut text, &value);
                self.write_at(stmt.span, &text)?;
            }
            StmtKind::If { arms, otherwise } => {
                for (test, body) in arms {
                    if self.truth(test)? {
                        return self.stmts(body);
                    }
                }
                return self.stmts(otherwise);
            }
            StmtKind::For(each) => return self.for_loop(each),
            StmtKind::Set { target, value } => {
                let value = self.expr(value)?;
                self.assign(target, value)?;
            }
            StmtKind::SetBlock { target, filters, body } => {
                let text = self.captured_body(body)?;
                let value = self.filtered(text.into(), filters)?;
                self.assign(target, value)?;
            }
            StmtKind::Macro(def) => self.define(def),
            StmtKind::Call { params, call } => {
                let caller = self.macro_value(params);
                let value = self.call_expr(call, Some(caller))?;
                self.write_at(stmt.span, &print::str(&value))?;
            }
            StmtKind::FilterBlock { filters, body } => {
                let text = self.captured_body(body)?;
                let value = self.filtered(text.into(), filters)?;
                self.write_at(stmt.span, &print::str(&value))?;
            }
            StmtKind::With { set, body } => return self.with(set, body),
            StmtKind::Scope(body) => {
                let frame = Frame::inside(&self.frame);
                return self.within(frame, |this| this.stmts(body));
            }
            StmtKind::Include { name, ignore_missing, context } => {
                let name = self.expr(name)?;
                self.include(&name, *ignore_missing, *context, stmt)?;
            }
            StmtKind::Import { name, as_name, context, load } => {
                let name = self.expr(name)?;
                let module = self.import(&name, *context, stmt)?;
                let value = match load {
                    Some(load) => self.load(*load, &module.body, &module.name)?,
                    None => Value::Object(module),
                };
                self.frame.set(as_name, value);
            }
            StmtKind::From { name, names, context } => {
                let template = self.expr(name)?;
                let module = self.import(&template, *context, stmt)?;
                for (name, alias) in names {
                    let value = module.attribute(name).unwrap_or_else(|| missing_export(&module, name));
                    self.frame.set(alias, value);
                }
            }
            StmtKind::Load { load, target, body } => {
                let text = self.captured_body(body)?;
                let name = format!("{} (from line {})", self.source.name, stmt.span.line);
                let value = self.load(*load, &text, &name)?;
                self.assign(target, value)?;
            }
            StmtKind::Do(expr) => {
                self.expr(expr)?;
            }
            StmtKind::Break => return Ok(Flow::Break),
            StmtKind::Continue => return Ok(Flow::Continue),
            StmtKind::Extends(_) => return error("'extends' must stand outside of other blocks"),
            StmtKind::Block(name) => self.block(name, 0)?,
        }
        Ok(Flow::Next)
    }

    /// The text of a `set`, `filter` or `load` block, which is a scope of its own.
    fn captured_body(&mut self, body: &[Stmt]) -> Result<String, Error> {
        let frame = Frame::inside(&self.frame);
        self.capture(|this| this.within(frame, |this| this.stmts(body).map(|_| ())))
    }

    fn filtered(&mut self, mut value: Value, filters: &[Filter]) -> Result<Value, Error> {
        for filter in filters {
            value = self.apply_filter(value, filter)?;
        }
        Ok(value)
    }

    fn with(&mut self, set: &[(Target, super::ast::Expr)], body: &[Stmt]) -> Result<Flow, Error> {
        let values: Vec<Value> = set.iter().map(|(_, expr)| self.expr(expr)).collect::<Result<_, _>>()?;
        let frame = Frame::inside(&self.frame);
        self.within(frame, |this| {
            for ((target, _), value) in set.iter().zip(values) {
                this.assign(target, value)?;
            }
            this.stmts(body)
        })
    }

    pub(super) fn assign(&mut self, target: &Target, value: Value) -> Result<(), Error> {
        match target {
            Target::Name(name) => self.frame.set(name, value),
            Target::Member(name, member, span) => {
                let of = self.lookup(name).defined()?;
                let namespace = match &of {
                    Value::Object(object) => object.any().downcast_ref::<Namespace>(),
                    _ => None,
                };
                let Some(namespace) = namespace else {
                    return Err(Box::new(
                        Diagnostic::new(format!("cannot set '{member}' of {}: it is no namespace", of.described()))
                            .at(&self.place(*span))
                            .hint(format!("to change a dict, write {{% do {name}.update({{'{member}': …}}) %}}")),
                    ));
                };
                namespace.0.borrow_mut().insert(member.to_string(), value);
            }
            Target::Tuple(targets, span) => {
                let values = value.iterate()?;
                if values.len() != targets.len() {
                    let message = format!("{} values cannot be given to {} names", values.len(), targets.len());
                    return Err(Box::new(Diagnostic::new(message).at(&self.place(*span))));
                }
                for (target, value) in targets.iter().zip(values) {
                    self.assign(target, value)?;
                }
            }
        }
        Ok(())
    }
}
