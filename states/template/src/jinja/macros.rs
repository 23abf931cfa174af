//! Macros: what they see, and how they are called.

use std::{any::Any, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::Macro,
    error,
    object::{Args, Object},
    scope::Frame,
    value::{Key, Value},
};
use crate::{
    Diagnostic, diag,
    diag::{Place, Source},
};

/// A macro with the names that it can see.
pub struct MacroValue {
    pub def: Arc<Macro>,
    pub frame: Rc<Frame>,
    pub source: Arc<Source>,
}

impl Object for MacroValue {
    fn type_name(&self) -> &'static str {
        "macro"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "name" => Some(Value::Str(self.def.name.clone())),
            "arguments" => {
                Some(Value::tuple(self.def.params.iter().map(|(name, _)| Value::Str(name.clone())).collect()))
            }
            "caller" => Some(Value::Bool(self.def.uses_caller)),
            "catch_kwargs" => Some(Value::Bool(self.def.uses_kwargs)),
            "catch_varargs" => Some(Value::Bool(self.def.uses_varargs)),
            _ => None,
        }
    }
    fn call(&self, eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        eval.call_macro(self, args)
    }
    fn print(&self) -> String {
        format!("<Macro '{}'>", self.def.name)
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

impl Eval<'_> {
    pub(super) fn macro_value(&mut self, def: &Arc<Macro>) -> Value {
        self.cycles.push(self.frame.clone());
        Value::Object(Rc::new(MacroValue { def: def.clone(), frame: self.frame.clone(), source: self.source.clone() }))
    }

    pub(super) fn define(&mut self, def: &Arc<Macro>) {
        let value = self.macro_value(def);
        self.frame.set(&def.name, value);
    }

    pub(super) fn call_macro(&mut self, callee: &MacroValue, mut args: Args) -> Result<Value, Error> {
        self.enter()?;
        let frame = Frame::inside(&callee.frame);
        let source = std::mem::replace(&mut self.source, callee.source.clone());
        let result = self.capture(|this| {
            this.within(frame, |this| {
                this.bind(callee, &mut args)?;
                this.stmts(&callee.def.body).map(|_| ())
            })
        });
        self.source = source;
        self.depth -= 1;
        result.map(Value::from)
    }

    fn bind(&mut self, callee: &MacroValue, args: &mut Args) -> Result<(), Error> {
        let def = &callee.def;
        let mut positional = std::mem::take(&mut args.positional).into_iter();
        for (name, default) in &def.params {
            let given = positional.next().or_else(|| args.named.shift_remove(&**name));
            let value = match (given, default) {
                (Some(value), _) => value,
                (None, Some(default)) => self.expr(default)?,
                (None, None) => {
                    Value::missing(format!("the parameter '{name}' was not provided to the macro {}", def.name), None)
                }
            };
            self.frame.set(name, value);
        }
        let caller = args.named.shift_remove("caller");
        if def.uses_caller {
            let none = || Value::missing(format!("the macro {} was called without a call block", def.name), None);
            self.frame.set(&"caller".into(), caller.unwrap_or_else(none));
        } else if caller.is_some() {
            return error(format!("the macro {} takes no call block: it does not use caller()", def.name));
        }
        let rest: Vec<Value> = positional.collect();
        if def.uses_varargs {
            self.frame.set(&"varargs".into(), Value::tuple(rest));
        } else if !rest.is_empty() {
            return error(format!("the macro {} takes not more than {} arguments", def.name, def.params.len()));
        }
        let named = std::mem::take(&mut args.named);
        if def.uses_kwargs {
            let dict = named.into_iter().map(|(name, value)| (Key::Str(name.into()), value)).collect();
            self.frame.set(&"kwargs".into(), Value::dict(dict));
        } else if let Some(name) = named.keys().next() {
            let hint = crate::diag::did_you_mean(name, def.params.iter().map(|(name, _)| &**name));
            let message = format!("the macro {} has no parameter '{name}'", def.name);
            return Err(Box::new(Diagnostic::new(message).hint_opt(hint)));
        }
        Ok(())
    }
}

/// Where an error of a called macro shows the call.
pub(super) fn called_from(mut error: Error, name: &str, place: &Place) -> Error {
    error.chain.push(diag::Frame { what: format!("in the macro {name} called from"), place: Some(place.clone()) });
    error
}
