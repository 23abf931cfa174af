//! Things in templates that are not plain data: functions, `salt`, `loop`, modules.

use std::{any::Any, rc::Rc};

use indexmap::IndexMap;

use super::{Error, Eval, error, value::Value};

/// The arguments of a call.
#[derive(Clone, Default, Debug)]
pub struct Args {
    pub positional: Vec<Value>,
    pub named: IndexMap<String, Value>,
}

impl Args {
    pub fn of(positional: Vec<Value>) -> Self {
        Self { positional, named: IndexMap::new() }
    }

    /// Argument number `index`, or by name.
    pub fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.positional.get(index).or_else(|| self.named.get(name))
    }

    pub fn value(&self, index: usize, name: &str) -> Result<&Value, Error> {
        match self.get(index, name) {
            Some(value) => value.check(),
            None => error(format!("the argument {name} is missing")),
        }
    }

    pub fn text(&self, index: usize, name: &str) -> Result<&str, Error> {
        let value = self.value(index, name)?;
        value
            .as_str()
            .map_or_else(|| error(format!("the argument {name} must be a string, not {}", value.described())), Ok)
    }

    pub fn text_or<'a>(&'a self, index: usize, name: &str, default: &'a str) -> Result<&'a str, Error> {
        match self.get(index, name) {
            None | Some(Value::None) => Ok(default),
            Some(_) => self.text(index, name),
        }
    }

    pub fn int(&self, index: usize, name: &str) -> Result<i64, Error> {
        let value = self.value(index, name)?;
        value
            .as_int()
            .map_or_else(|| error(format!("the argument {name} must be an integer, not {}", value.described())), Ok)
    }

    pub fn int_or(&self, index: usize, name: &str, default: i64) -> Result<i64, Error> {
        match self.get(index, name) {
            None | Some(Value::None) => Ok(default),
            Some(_) => self.int(index, name),
        }
    }

    pub fn truth_or(&self, index: usize, name: &str, default: bool) -> Result<bool, Error> {
        self.get(index, name).map_or(Ok(default), Value::truth)
    }
}

pub trait Object: Any {
    fn type_name(&self) -> &'static str;

    fn attribute(&self, _name: &str) -> Option<Value> {
        None
    }

    fn item(&self, key: &Value) -> Result<Option<Value>, Error> {
        Ok(key.as_str().and_then(|name| self.attribute(name)))
    }

    fn call(&self, _eval: &mut Eval<'_>, _args: Args) -> Result<Value, Error> {
        error(format!("a {} is no function and cannot be called", self.type_name()))
    }

    fn contains(&self, _item: &Value) -> Result<bool, Error> {
        error(format!("'in' cannot look into a {}", self.type_name()))
    }

    fn iterate(&self) -> Result<Vec<Value>, Error> {
        error(format!("a {} cannot be gone through: it is no list", self.type_name()))
    }

    fn print(&self) -> String {
        format!("<{}>", self.type_name())
    }

    /// Names that a caller may have meant.
    fn known(&self) -> Vec<String> {
        Vec::new()
    }

    fn any(&self) -> &dyn Any;
}

/// A function of ours.
pub struct Native {
    pub name: &'static str,
    pub call: fn(&mut Eval<'_>, Args) -> Result<Value, Error>,
}

impl Object for Native {
    fn type_name(&self) -> &'static str {
        "function"
    }
    fn call(&self, eval: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        (self.call)(eval, args)
    }
    fn print(&self) -> String {
        format!("<function {}>", self.name)
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

/// A method together with the value that it belongs to.
pub struct Method {
    pub of: Value,
    pub name: &'static str,
}

impl Object for Method {
    fn type_name(&self) -> &'static str {
        "builtin_function_or_method"
    }
    fn call(&self, _: &mut Eval<'_>, args: Args) -> Result<Value, Error> {
        super::methods::call(&self.of, self.name, &args)
    }
    fn print(&self) -> String {
        format!("<built-in method {} of {} object>", self.name, self.of.type_name())
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

/// `namespace(...)`: what `{% set ns.x = … %}` writes to.
#[derive(Default)]
pub struct Namespace(pub std::cell::RefCell<IndexMap<String, Value>>);

impl Object for Namespace {
    fn type_name(&self) -> &'static str {
        "Namespace"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        self.0.borrow().get(name).cloned()
    }
    fn known(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }
    fn print(&self) -> String {
        let pairs: Vec<String> =
            self.0.borrow().iter().map(|(k, v)| format!("'{k}': {}", super::print::repr(v))).collect();
        format!("<Namespace {{{}}}>", pairs.join(", "))
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

/// One group of the filter `groupby`: a pair whose parts also have names.
pub struct Group {
    pub grouper: Value,
    pub list: Value,
}

impl Object for Group {
    fn type_name(&self) -> &'static str {
        "tuple"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "grouper" => Some(self.grouper.clone()),
            "list" => Some(self.list.clone()),
            _ => None,
        }
    }
    fn item(&self, key: &Value) -> Result<Option<Value>, Error> {
        Ok(match key.as_int() {
            Some(0 | -2) => Some(self.grouper.clone()),
            Some(1 | -1) => Some(self.list.clone()),
            _ => None,
        })
    }
    fn iterate(&self) -> Result<Vec<Value>, Error> {
        Ok(vec![self.grouper.clone(), self.list.clone()])
    }
    fn print(&self) -> String {
        super::print::repr(&Value::tuple(vec![self.grouper.clone(), self.list.clone()]))
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

/// `cycler(a, b, …)`.
pub struct Cycler {
    pub items: Vec<Value>,
    pub at: Rc<std::cell::Cell<usize>>,
}

impl Object for Cycler {
    fn type_name(&self) -> &'static str {
        "Cycler"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "current" => self.items.get(self.at.get()).cloned(),
            "next" | "reset" => {
                let step = CyclerStep { items: self.items.clone(), at: self.at.clone(), reset: name == "reset" };
                Some(Value::Object(Rc::new(step)))
            }
            _ => None,
        }
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

struct CyclerStep {
    items: Vec<Value>,
    at: Rc<std::cell::Cell<usize>>,
    reset: bool,
}

impl Object for CyclerStep {
    fn type_name(&self) -> &'static str {
        "method"
    }
    fn call(&self, _: &mut Eval<'_>, _: Args) -> Result<Value, Error> {
        if self.reset || self.items.is_empty() {
            self.at.set(0);
            return Ok(Value::None);
        }
        let at = self.at.get();
        self.at.set((at + 1) % self.items.len());
        Ok(self.items[at].clone())
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

/// `joiner(', ')`: empty at its first call, its text from then on.
pub struct Joiner {
    pub text: Value,
    pub used: std::cell::Cell<bool>,
}

impl Object for Joiner {
    fn type_name(&self) -> &'static str {
        "Joiner"
    }
    fn call(&self, _: &mut Eval<'_>, _: Args) -> Result<Value, Error> {
        Ok(if self.used.replace(true) { self.text.clone() } else { "".into() })
    }
    fn any(&self) -> &dyn Any {
        self
    }
}
