//! Names and what they stand for: frames inside one another, then the template's context, then
//! the globals that all templates of one rendering share.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use indexmap::IndexMap;

use super::{Shared, value::Value};

pub type Names = IndexMap<Arc<str>, Value>;

/// Names that were set in one block.
pub struct Frame {
    pub vars: RefCell<Names>,
    parent: Option<Rc<Frame>>,
    /// What the template was given; only in the outermost frame.
    context: Option<Rc<Names>>,
    globals: Shared<Names>,
}

impl Frame {
    pub fn root(context: Option<Rc<Names>>, globals: Shared<Names>) -> Rc<Self> {
        Rc::new(Self { vars: RefCell::default(), parent: None, context, globals })
    }

    pub fn inside(parent: &Rc<Frame>) -> Rc<Self> {
        Rc::new(Self {
            vars: RefCell::default(),
            parent: Some(parent.clone()),
            context: None,
            globals: parent.globals.clone(),
        })
    }

    pub fn get(&self, name: &str) -> Option<Value> {
        let mut frame = self;
        loop {
            if let Some(value) = frame.vars.borrow().get(name) {
                return Some(value.clone());
            }
            match &frame.parent {
                Some(parent) => frame = parent,
                None => break,
            }
        }
        if let Some(value) = frame.context.as_ref().and_then(|context| context.get(name)) {
            return Some(value.clone());
        }
        self.globals.borrow().get(name).cloned()
    }

    pub fn set(&self, name: &Arc<str>, value: Value) {
        self.vars.borrow_mut().insert(name.clone(), value);
    }

    /// Everything that can be seen from here, for a template that is given its includer's names.
    pub fn snapshot(&self) -> Names {
        let mut frames = vec![self];
        while let Some(parent) = frames.last().and_then(|frame| frame.parent.as_deref()) {
            frames.push(parent);
        }
        let mut names = self.globals.borrow().clone();
        if let Some(context) = frames.last().and_then(|frame| frame.context.as_ref()) {
            names.extend(context.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        for frame in frames.iter().rev() {
            names.extend(frame.vars.borrow().iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        names
    }

    /// Names near to one that is not there, for "did you mean".
    pub fn all_names(&self) -> Vec<Arc<str>> {
        self.snapshot().into_keys().collect()
    }
}
