//! Other templates: finding them, `include`, `import`, and Salt's loaders of their text.

use std::{any::Any, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::{Load, Stmt, Template},
    error,
    object::Object,
    print,
    scope::{Frame, Names},
    value::Value,
};
use crate::{Diagnostic, diag};

/// A template that was imported: its names, and what it wrote.
pub struct Module {
    pub name: String,
    pub names: Names,
    pub body: String,
}

impl Object for Module {
    fn type_name(&self) -> &'static str {
        "template module"
    }
    fn attribute(&self, name: &str) -> Option<Value> {
        self.names.get(name).filter(|_| !name.starts_with('_')).cloned()
    }
    fn known(&self) -> Vec<String> {
        self.names.keys().map(ToString::to_string).collect()
    }
    fn print(&self) -> String {
        self.body.clone()
    }
    fn any(&self) -> &dyn Any {
        self
    }
}

impl Eval<'_> {
    /// The parsed template of a name, or of the first of several names that exists.
    pub(super) fn find(&mut self, name: &Value, stmt: &Stmt) -> Result<Arc<Template>, Error> {
        match self.try_find(name)? {
            Some(template) => Ok(template),
            None => {
                let shown = print::str(name);
                let mut error =
                    Diagnostic::new(format!("the template '{shown}' does not exist")).at(&self.place(stmt.span));
                if shown.starts_with("salt://") {
                    error = error.hint("templates are named without salt://");
                }
                Err(Box::new(error))
            }
        }
    }

    fn try_find(&mut self, name: &Value) -> Result<Option<Arc<Template>>, Error> {
        match name.check()? {
            Value::Str(name) => self.load_template(name),
            Value::List(_) | Value::Tuple(_) => {
                for name in name.iterate()? {
                    if let Some(template) = self.try_find(&name)? {
                        return Ok(Some(template));
                    }
                }
                Ok(None)
            }
            other => error(format!("a template's name must be a string, not {}", other.described())),
        }
    }

    /// Loads a template as Salt's loader does: it also changes `tpldir` and its like for
    /// everything that looks them up from now on.
    fn load_template(&mut self, name: &str) -> Result<Option<Arc<Template>>, Error> {
        if let Some(template) = self.loaded.get(name) {
            return Ok(Some(template.clone()));
        }
        let relative = matches!(name.split('/').next(), Some("." | ".."));
        let path = if relative {
            let base = self.globals.borrow().get("tpldir").map_or(String::new(), print::str);
            match normalized(&format!("{base}/{name}")) {
                Some(path) => path,
                None => return Ok(None),
            }
        } else {
            name.to_owned()
        };
        let Some(source) = self.outside.load(path.strip_prefix("salt://").unwrap_or(&path))? else { return Ok(None) };
        self.set_tpl_names(name, &path, relative);
        let template = self.templates.parse(&source, self.whitespace)?;
        self.loaded.insert(name.to_owned(), template.clone());
        Ok(Some(template))
    }

    fn set_tpl_names(&mut self, name: &str, path: &str, relative: bool) {
        let own = path.rsplit_once('/').map_or("", |(dir, _)| dir).to_owned();
        let (dir, file) =
            if relative { (self.globals.borrow().get("tpldir").map_or(own, print::str), name) } else { (own, path) };
        let mut globals = self.globals.borrow_mut();
        globals.insert("tplfile".into(), file.into());
        globals.insert("tpldot".into(), dir.replace('/', ".").into());
        globals.insert("tpldir".into(), if dir.is_empty() { ".".into() } else { dir.into() });
    }

    pub(super) fn include(
        &mut self,
        name: &Value,
        ignore_missing: bool,
        context: bool,
        stmt: &Stmt,
    ) -> Result<(), Error> {
        let template = match self.try_find(name)? {
            Some(template) => template,
            None if ignore_missing => return Ok(()),
            None => self.find(name, stmt)?,
        };
        let given = if context { Some(Rc::new(self.frame.snapshot())) } else { None };
        let frame = Frame::root(given, self.globals.clone());
        let text = self.run(&template, frame).map_err(|error| self.through("included from", error, stmt))?;
        self.write_at(stmt.span, &text)
    }

    pub(super) fn import(&mut self, name: &Value, context: bool, stmt: &Stmt) -> Result<Rc<Module>, Error> {
        let template = self.find(name, stmt)?;
        let key = template.source.name.clone();
        if !context && let Some(module) = self.modules.get(&key) {
            return Ok(module.clone());
        }
        let given = if context { Some(Rc::new(self.frame.snapshot())) } else { None };
        let frame = Frame::root(given, self.globals.clone());
        let body = self.run(&template, frame.clone()).map_err(|error| self.through("imported from", error, stmt))?;
        let names = frame.vars.borrow().clone();
        let module = Rc::new(Module { name: key.clone(), names, body });
        if !context {
            self.modules.insert(key, module.clone());
        }
        Ok(module)
    }

    fn through(&self, what: &str, mut error: Error, stmt: &Stmt) -> Error {
        error.chain.push(diag::Frame { what: what.into(), place: Some(self.place(stmt.span)) });
        error
    }

    pub(super) fn load(&mut self, load: Load, text: &str, name: &str) -> Result<Value, Error> {
        match load {
            Load::Text => Ok(text.into()),
            Load::Yaml => Ok(super::from_node(&crate::yaml::parse(name, text)?)),
            Load::Json => super::convert::from_json(text),
        }
    }
}

pub(super) fn missing_export(module: &Module, name: &str) -> Value {
    let hint = crate::diag::did_you_mean(name, module.names.keys().map(|known| &**known));
    Value::missing(format!("the template '{}' does not export the name '{name}'", module.name), hint)
}

/// Without `.` and `..`; `None` if it leaves the root.
fn normalized(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}
