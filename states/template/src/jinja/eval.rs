//! The state of one rendering, and the bounds that it keeps.

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

use super::{
    Error, Outside, Setup, Templates, Whitespace,
    ast::{Span, Template},
    error, globals,
    imports::Module,
    scope::{Frame, Names},
    value::{Key, Value},
};
use crate::{Diagnostic, Look, diag::Place, diag::Source};

/// Statements and expressions that one rendering may evaluate.
const FUEL: u64 = 20_000_000;
/// Bytes of output, with what was captured on the way.
const OUTPUT: usize = 64 * 1024 * 1024;
/// Macros, imports and recursive loops inside one another.
const DEPTH: usize = 100;

/// One rendering of a template with all that it imports.
pub struct Eval<'a> {
    pub(super) outside: &'a dyn Outside,
    pub(super) templates: &'a Templates,
    pub(super) whitespace: Whitespace,
    lenient: bool,
    pub(super) globals: super::Shared<Names>,
    pub(super) context: Rc<Names>,
    pub(super) frame: Rc<Frame>,
    pub(super) out: String,
    /// How many captures are open; within one, the main template's own output.
    captures: usize,
    /// Where the statement that writes stands, and whether its text has that template's lines.
    pub(super) writing: (u32, bool),
    /// For each line of the output so far the template's line, and whether anything stands on it.
    lines: Vec<(u32, bool)>,
    traced: bool,
    /// The source of the template that is being evaluated.
    pub(super) source: Arc<Source>,
    pub(super) modules: HashMap<String, Rc<Module>>,
    pub(super) loaded: HashMap<String, Arc<Template>>,
    pub(super) blocks: Vec<BlockTable>,
    fuel: u64,
    written: usize,
    pub(super) depth: usize,
    /// Frames that macros point back to; emptied at the end, or they would live for ever.
    pub(super) cycles: Vec<Rc<Frame>>,
}

/// The blocks by name, the most derived template's first.
pub(super) type BlockTable = HashMap<Arc<str>, Vec<(Arc<Vec<super::ast::Stmt>>, Arc<Source>)>>;

impl<'a> Eval<'a> {
    pub(super) fn new(setup: &Setup<'a>, whitespace: Whitespace) -> Self {
        let mut names: Names = globals::all().into_iter().map(|(name, value)| (Arc::from(name), value)).collect();
        let mut context = Names::new();
        for (name, value) in &setup.context {
            context.insert(Arc::from(*name), value.clone());
        }
        for (name, value) in setup.extra {
            context.insert(Arc::from(name.as_str()), super::from_value(value));
        }
        names.extend(context.iter().map(|(name, value)| (name.clone(), value.clone())));
        let globals = Rc::new(RefCell::new(names));
        let context = Rc::new(context);
        let frame = Frame::root(Some(context.clone()), globals.clone());
        Self {
            outside: setup.outside,
            templates: setup.templates,
            whitespace,
            lenient: setup.lenient,
            globals,
            context,
            frame,
            out: String::new(),
            captures: 0,
            writing: (0, false),
            lines: vec![(0, false)],
            traced: true,
            source: Source::new("", ""),
            modules: HashMap::new(),
            loaded: HashMap::new(),
            blocks: Vec::new(),
            fuel: FUEL,
            written: 0,
            depth: 0,
            cycles: Vec::new(),
        }
    }

    /// Renders the main template.
    pub(super) fn template(&mut self, template: &Arc<Template>) -> Result<String, Error> {
        let frame = Frame::root(Some(self.context.clone()), self.globals.clone());
        self.run(template, frame)
    }

    pub fn look(&self) -> &dyn Look {
        self.outside.look()
    }

    pub(super) fn burn(&mut self) -> Result<(), Error> {
        match self.fuel.checked_sub(1) {
            Some(fuel) => {
                self.fuel = fuel;
                Ok(())
            }
            None => Err(Box::new(
                Diagnostic::new("this template runs too long: it may never end")
                    .hint("loops inside of one another multiply, and a macro may call itself more than once"),
            )),
        }
    }

    pub(super) fn enter(&mut self) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(Box::new(
                Diagnostic::new("templates and macros call one another too deeply")
                    .hint("does one of them call itself?"),
            ));
        }
        Ok(())
    }

    pub(super) fn write(&mut self, text: &str) -> Result<(), Error> {
        self.written += text.len();
        if self.written > OUTPUT {
            return error("this template writes more than 64 MiB");
        }
        self.out.push_str(text);
        if self.captures == 1 && self.traced {
            self.trace(text);
        }
        Ok(())
    }

    /// As [`write`](Self::write), of a statement that others may have run inside.
    pub(super) fn write_at(&mut self, span: Span, text: &str) -> Result<(), Error> {
        self.writing = (span.line, false);
        self.write(text)
    }

    /// From here on the output has lines of another template.
    pub(super) fn forget_lines(&mut self) {
        self.lines.clear();
        self.traced = false;
    }

    /// Notes which line of the template the lines of the output come from.
    fn trace(&mut self, text: &str) {
        let (mut number, own) = self.writing;
        for (i, part) in text.split('\n').enumerate() {
            if i > 0 {
                number += u32::from(own);
                self.lines.push((number, false));
            }
            if let Some(line) = self.lines.last_mut()
                && !line.1
                && !part.trim().is_empty()
            {
                *line = (number, true);
            }
        }
    }

    /// The template's line of each line that was written.
    pub(super) fn lines(&self) -> Vec<u32> {
        self.lines.iter().map(|(line, _)| *line).collect()
    }

    /// What `body` writes, apart from the output around it.
    pub(super) fn capture(&mut self, body: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<String, Error> {
        let outer = std::mem::take(&mut self.out);
        self.captures += 1;
        let result = body(self);
        self.captures -= 1;
        let written = std::mem::replace(&mut self.out, outer);
        result.map(|()| written)
    }

    pub(super) fn within<T>(&mut self, frame: Rc<Frame>, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.frame, frame);
        let result = body(self);
        self.frame = outer;
        result
    }

    pub(super) fn place(&self, span: Span) -> Place {
        Place::new(&self.source, span.line.max(1), span.column.max(1), span.length)
    }

    pub(super) fn lookup(&self, name: &str) -> Value {
        if let Some(value) = self.frame.get(name) {
            return value;
        }
        if self.lenient {
            return "".into();
        }
        let known = self.frame.all_names();
        let hint = crate::diag::did_you_mean(name, known.iter().map(|known| &**known));
        Value::missing(format!("the name '{name}' is not defined"), hint)
    }

    /// A member that does not exist: `a.b` and `a['b']`.
    pub(super) fn no_member(&self, of: &Value, name: &str) -> Value {
        if self.lenient {
            return "".into();
        }
        let known: Vec<String> = match of {
            Value::Dict(dict) => dict
                .borrow()
                .keys()
                .filter_map(|k| if let Key::Str(s) = k { Some(s.to_string()) } else { None })
                .collect(),
            Value::Object(object) => object.known(),
            _ => Vec::new(),
        };
        let hint = crate::diag::did_you_mean(name, known.iter().map(String::as_str));
        if let Some((message, elsewhere)) = self.lacking(of, name) {
            return Value::missing(message, hint.or(Some(elsewhere)));
        }
        let message = match of {
            Value::Object(object) if object.type_name() == "salt" && crate::known::is_salts(name) => {
                format!("the function {name} of Salt is not available here")
            }
            Value::Object(object) if object.type_name() == "salt" => format!("the function {name} does not exist"),
            _ => format!("{} has no member '{name}'", of.described()),
        };
        Value::missing(message, hint)
    }
}

impl Drop for Eval<'_> {
    fn drop(&mut self) {
        self.frame.vars.borrow_mut().clear();
        for frame in &self.cycles {
            frame.vars.borrow_mut().clear();
        }
    }
}
