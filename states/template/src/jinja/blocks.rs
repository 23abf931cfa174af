//! Templates that extend others: `extends`, `block`, `super()`.

use std::{any::Any, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::{StmtKind, Template},
    object::{Args, Object},
    scope::Frame,
    value::Value,
};

impl Eval<'_> {
    /// A template that extends another writes what that one writes, with its own blocks.
    pub(super) fn body_or_parent(&mut self, template: &Arc<Template>) -> Result<(), Error> {
        for stmt in &template.body {
            let StmtKind::Extends(name) = &stmt.kind else {
                self.stmt(stmt)?;
                continue;
            };
            let name = self.expr(name)?;
            let parent = self.find(&name, stmt)?;
            if let Some(table) = self.blocks.last_mut() {
                for (name, body) in &parent.blocks {
                    table.entry(name.clone()).or_default().push((body.clone(), parent.source.clone()));
                }
            }
            self.out.clear();
            self.forget_lines();
            // What stands behind `extends` only sets names.
            let rest = template.body.iter().skip_while(|other| !std::ptr::eq(*other, stmt)).skip(1);
            let quiet = self.capture(|this| {
                for stmt in rest {
                    if !matches!(stmt.kind, StmtKind::Block(_)) {
                        this.stmt(stmt)?;
                    }
                }
                Ok(())
            });
            quiet?;
            let source = std::mem::replace(&mut self.source, parent.source.clone());
            self.enter()?;
            let result = self.body_or_parent(&parent);
            self.depth -= 1;
            self.source = source;
            return result;
        }
        Ok(())
    }

    pub(super) fn block(&mut self, name: &Arc<str>, level: usize) -> Result<(), Error> {
        let found = self.blocks.last().and_then(|table| table.get(name)).and_then(|bodies| bodies.get(level)).cloned();
        let Some((body, source)) = found else { return Ok(()) };
        self.enter()?;
        let outer = std::mem::replace(&mut self.source, source);
        let frame = Frame::inside(&self.frame);
        let result = self.within(frame, |this| {
            let parent = Super { name: name.clone(), level: level + 1 };
            this.frame.set(&"super".into(), Value::Object(Rc::new(parent)));
            this.stmts(&body)
        });
        self.source = outer;
        self.depth -= 1;
        result.map(|_| ())
    }
}

/// `super()` in a block.
struct Super {
    name: Arc<str>,
    level: usize,
}

impl Object for Super {
    fn type_name(&self) -> &'static str {
        "block"
    }
    fn call(&self, eval: &mut Eval<'_>, _: Args) -> Result<Value, Error> {
        eval.capture(|this| this.block(&self.name, self.level)).map(Value::from)
    }
    fn any(&self) -> &dyn Any {
        self
    }
}
