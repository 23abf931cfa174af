//! `for`: what it goes through, and what `loop` knows in it.

use std::{any::Any, cell::RefCell, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::For,
    error,
    object::{Args, Object},
    scope::Frame,
    statements::Flow,
    value::Value,
};

impl Eval<'_> {
    pub(super) fn for_loop(&mut self, each: &Arc<For>) -> Result<Flow, Error> {
        let iter = self.expr(&each.iter)?;
        self.run_loop(each, &iter, 0)?;
        Ok(Flow::Next)
    }

    pub(super) fn run_loop(&mut self, each: &Arc<For>, iter: &Value, level: usize) -> Result<(), Error> {
        let mut items = iter.iterate()?;
        if let Some(test) = &each.test {
            items = self.tested(each, test, items)?;
        }
        if items.is_empty() {
            let frame = Frame::inside(&self.frame);
            self.within(frame, |this| this.stmts(&each.otherwise))?;
            return Ok(());
        }
        let items = Rc::new(items);
        let changed = Rc::new(RefCell::new(None));
        for index in 0..items.len() {
            self.burn()?;
            let frame = Frame::inside(&self.frame);
            let state = LoopState {
                items: items.clone(),
                index,
                level,
                changed: changed.clone(),
                recurse: each.recursive.then(|| each.clone()),
                frame: self.frame.clone(),
            };
            let flow = self.within(frame, |this| {
                this.frame.set(&"loop".into(), Value::Object(Rc::new(state)));
                this.assign(&each.target, items[index].clone())?;
                this.stmts(&each.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    fn tested(&mut self, each: &For, test: &super::ast::Expr, items: Vec<Value>) -> Result<Vec<Value>, Error> {
        let mut kept = Vec::with_capacity(items.len());
        for item in items {
            let frame = Frame::inside(&self.frame);
            let keep = self.within(frame, |this| {
                this.assign(&each.target, item.clone())?;
                this.truth(test)
            })?;
            if keep {
                kept.push(item);
            }
        }
        Ok(kept)
    }
}

/// `loop` in a `for` block.
struct LoopState {
    items: Rc<Vec<Value>>,
    index: usize,
    level: usize,
    changed: Rc<RefCell<Option<Vec<Value>>>>,
    recurse: Option<Arc<For>>,
    frame: Rc<Frame>,
}

impl LoopState {
    fn number(n: usize) -> Option<Value> {
        Some(Value::Int(i64::try_from(n).unwrap_or(i64::MAX)))
    }
}

impl Object for LoopState {
    fn type_name(&self) -> &'static str {
        "loop"
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let length = self.items.len();
        match name {
            "index" => Self::number(self.index + 1),
            "index0" => Self::number(self.index),
            "revindex" => Self::number(length - self.index),
            "revindex0" => Self::number(length - self.index - 1),
            "first" => Some(Value::Bool(self.index == 0)),
            "last" => Some(Value::Bool(self.index + 1 == length)),
            "length" => Self::number(length),
            "depth" => Self::number(self.level + 1),
            "depth0" => Self::number(self.level),
            "previtem" => Some(match self.index.checked_sub(1) {
                Some(before) => self.items[before].clone(),
                None => Value::missing("there is no item before the first", None),
            }),
            "nextitem" => Some(match self.items.get(self.index + 1) {
                Some(next) => next.clone(),
                None => Value::missing("there is no item behind the last", None),
            }),
            "cycle" => Some(Value::Object(Rc::new(LoopCycle(self.index)))),
            "changed" => Some(Value::Object(Rc::new(LoopChanged(self.changed.clone())))),
            _ => None,
        }
    }

    /// `loop(items)` goes through the same loop once more, one level deeper.
    fn call(&self, eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        let Some(each) = &self.recurse else {
            return error("this loop is not recursive: write {% for … recursive %}");
        };
        let items = args.value(0, "iterable")?;
        eval.enter()?;
        let text =
            eval.capture(|this| this.within(self.frame.clone(), |this| this.run_loop(each, items, self.level + 1)));
        eval.depth -= 1;
        text.map(Value::from)
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

struct LoopCycle(usize);

impl Object for LoopCycle {
    fn type_name(&self) -> &'static str {
        "method"
    }
    fn call(&self, _: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        match args.positional.len() {
            0 => error("loop.cycle needs something to go round"),
            count => Ok(args.positional[self.0 % count].clone()),
        }
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

struct LoopChanged(Rc<RefCell<Option<Vec<Value>>>>);

impl Object for LoopChanged {
    fn type_name(&self) -> &'static str {
        "method"
    }
    fn call(&self, _: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        let mut last = self.0.borrow_mut();
        let same = last.as_ref().is_some_and(|last| {
            last.len() == args.positional.len() && last.iter().zip(&args.positional).all(|(a, b)| a.equals(b))
        });
        *last = Some(args.positional);
        Ok(Value::Bool(!same))
    }
    fn any(&self) -> &dyn Any {
        self
    }
}
