//! Statements: what writes, sets names, loops, imports.

use std::{any::Any, cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::{
    Error, Eval,
    ast::{Filter, For, Load, Macro, Stmt, StmtKind, Target, Template},
    error,
    object::{Args, Namespace, Object},
    print,
    scope::{Frame, Names},
    value::Value,
};
use crate::{
    Diagnostic, diag,
    diag::{Place, Source},
};

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

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

    /// A template that extends another writes what that one writes, with its own blocks.
    fn body_or_parent(&mut self, template: &Arc<Template>) -> Result<(), Error> {
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

    pub(super) fn stmts(&mut self, body: &[Stmt]) -> Result<Flow, Error> {
        for stmt in body {
            match self.stmt(stmt)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn stmt(&mut self, stmt: &Stmt) -> Result<Flow, Error> {
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

    fn macro_value(&mut self, def: &Arc<Macro>) -> Value {
        self.cycles.push(self.frame.clone());
        Value::Object(Rc::new(MacroValue { def: def.clone(), frame: self.frame.clone(), source: self.source.clone() }))
    }

    fn define(&mut self, def: &Arc<Macro>) {
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
            let dict = named.into_iter().map(|(name, value)| (super::value::Key::Str(name.into()), value)).collect();
            self.frame.set(&"kwargs".into(), Value::dict(dict));
        } else if let Some(name) = named.keys().next() {
            let hint = crate::diag::did_you_mean(name, def.params.iter().map(|(name, _)| &**name));
            let message = format!("the macro {} has no parameter '{name}'", def.name);
            return Err(Box::new(Diagnostic::new(message).hint_opt(hint)));
        }
        Ok(())
    }

    fn for_loop(&mut self, each: &Arc<For>) -> Result<Flow, Error> {
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

    fn block(&mut self, name: &Arc<str>, level: usize) -> Result<(), Error> {
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

    /// The parsed template of a name, or of the first of several names that exists.
    fn find(&mut self, name: &Value, stmt: &Stmt) -> Result<Arc<Template>, Error> {
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

    fn include(&mut self, name: &Value, ignore_missing: bool, context: bool, stmt: &Stmt) -> Result<(), Error> {
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

    fn import(&mut self, name: &Value, context: bool, stmt: &Stmt) -> Result<Rc<Module>, Error> {
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

fn missing_export(module: &Module, name: &str) -> Value {
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

/// Where an error of a called macro shows the call.
pub(super) fn called_from(mut error: Error, name: &str, place: &Place) -> Error {
    error.chain.push(diag::Frame { what: format!("in the macro {name} called from"), place: Some(place.clone()) });
    error
}
