//! `salt['module.function'](…)` and `salt.module.function(…)`.

use std::{any::Any, collections::HashSet, rc::Rc};

use super::{
    Error, Eval, convert,
    object::{Args, Object},
    value::{Key, Value},
};
use crate::{Diagnostic, known};

/// Functions that change their first argument in place.
const IN_PLACE: [&str; 3] = ["defaults.merge", "defaults.update", "slsutil.update"];

/// `salt`, with the names of all functions.
pub struct Salt(Rc<HashSet<&'static str>>);

impl Salt {
    fn has(&self, name: &str) -> bool {
        self.0.contains(name) || known::is_salts(name)
    }

    pub fn new(names: Vec<&'static str>) -> Self {
        Self(Rc::new(names.into_iter().collect()))
    }
}

impl Object for Salt {
    fn type_name(&self) -> &'static str {
        "salt"
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let prefix = format!("{name}.");
        let known = known::is_salts_module(name) || self.0.iter().any(|function| function.starts_with(&prefix));
        known.then(|| Value::Object(Rc::new(Module { name: name.to_owned(), names: self.0.clone() })))
    }

    fn item(&self, key: &Value) -> Result<Option<Value>, Error> {
        let Some(name) = key.as_str() else { return Ok(None) };
        if self.has(name) {
            return Ok(Some(function(name)));
        }
        Ok(if name.contains('.') { None } else { self.attribute(name) })
    }

    fn contains(&self, item: &Value) -> Result<bool, Error> {
        Ok(item.as_str().is_some_and(|name| self.has(name)))
    }

    fn iterate(&self) -> Result<Vec<Value>, Error> {
        Ok(self.0.iter().map(|name| Value::from(*name)).collect())
    }

    fn known(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

struct Module {
    name: String,
    names: Rc<HashSet<&'static str>>,
}

impl Object for Module {
    fn type_name(&self) -> &'static str {
        "module"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        let full = format!("{}.{name}", self.name);
        (self.names.contains(full.as_str()) || known::is_salts(&full)).then(|| function(&full))
    }
    fn known(&self) -> Vec<String> {
        let prefix = format!("{}.", self.name);
        self.names.iter().filter_map(|name| name.strip_prefix(&prefix)).map(str::to_owned).collect()
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

fn function(name: &str) -> Value {
    Value::Object(Rc::new(Function { name: name.to_owned() }))
}

struct Function {
    name: String,
}

impl Object for Function {
    fn type_name(&self) -> &'static str {
        "function"
    }

    fn call(&self, eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        if self.name == "pillar.get"
            && let Some(found) = of_pillar(eval, &args)
        {
            return Ok(found);
        }
        let first = args.get(0, "dest").cloned();
        let result = call(eval, &self.name, &args)?;
        if IN_PLACE.contains(&self.name.as_str())
            && let Some(first) = first
            && args.named.get("in_place").is_none_or(|flag| flag.truth().unwrap_or(true))
        {
            convert::write_back(&first, &result);
            return Ok(first);
        }
        Ok(result)
    }

    fn print(&self) -> String {
        format!("<function {}>", self.name)
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// What `pillar.get` gives is the pillar's own in Salt: a template that changes it (`do
/// config.update(…)`) changes it for all that are rendered after it. Formulas count on that.
fn of_pillar(eval: &Eval<'_>, args: &Args) -> Option<Value> {
    let plain = args.positional.len() <= 2 && args.named.keys().all(|name| matches!(name.as_str(), "key" | "default"));
    let mut at = eval.outside.pillar().filter(|_| plain)?;
    for part in args.get(0, "key")?.as_str()?.split(':') {
        let next = match &at {
            Value::Dict(dict) => dict.borrow().get(&Key::str(part))?.clone(),
            _ => return None,
        };
        at = next;
    }
    matches!(at, Value::Dict(_) | Value::List(_)).then_some(at)
}

/// Calls an execution function with a template's values.
pub fn call(eval: &mut Eval<'_>, name: &str, args: &Args) -> Result<Value, Error> {
    let mut out = proto::Args::default();
    for value in &args.positional {
        out.positional.push(convert::to_value(value)?);
    }
    for (name, value) in &args.named {
        out.named.insert(name.clone(), convert::to_value(value)?);
    }
    match eval.outside.call(name, out) {
        Ok(value) => Ok(convert::from_value(&value)),
        Err(crate::CallError::Diagnostic(inner)) => {
            let mut diagnostic = *inner;
            diagnostic = diagnostic.from(format!("in salt['{name}'] called from"), None);
            Err(Box::new(diagnostic))
        }
        Err(why) => Err(Box::new(Diagnostic::new(format!("salt['{name}'] failed: {why}")).hint_opt(why.hint()))),
    }
}
