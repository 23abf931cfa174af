//! Jinja2 as Salt configures it, with Python's values.
//!
//! A template is parsed once for a whole compile ([`Templates`]) and evaluated by [`Eval`], whose
//! steps, depth and output are bounded. What a template can reach outside comes through
//! [`Outside`].

mod ast;
mod blocks;
mod check;
mod convert;
mod eval;
mod expr;
mod expr_parser;
mod filters;
mod format;
mod globals;
mod imports;
mod jmespath;
mod lacking;
mod lexer;
mod loops;
mod macros;
mod methods;
mod object;
mod operators;
mod parser;
mod pprint;
mod print;
pub mod regex;
mod salt;
mod scope;
mod statements;
mod tags;
mod tests_table;
mod uses;
mod value;

use std::{cell::RefCell, collections::HashMap, rc::Rc, sync::Arc};

pub use convert::{from_node, from_value, to_value};
pub use eval::Eval;
pub use lexer::Whitespace;
use proto::{Args, Map};
pub use uses::{Use, What, uses};
pub use value::Value;

use crate::{
    CallError, Diagnostic, Look,
    diag::{Origin, Source},
};

/// As Python's `pprint.pformat`.
pub fn pprint(value: &proto::Value) -> String {
    pprint::pformat(&from_value(value))
}

/// Boxed, since every step of a template may give one.
pub type Error = Box<Diagnostic>;

fn error<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Box::new(Diagnostic::new(message)))
}

/// What a template can reach.
pub trait Outside {
    /// The text of another template of the same environment; `None` if there is none.
    fn load(&self, name: &str) -> Result<Option<Arc<Source>>, Error>;
    /// Calls an execution function (`salt['m.f']`).
    fn call(&self, function: &str, args: Args) -> Result<proto::Value, CallError>;
    fn has_function(&self, function: &str) -> bool;
    /// Names of functions, for "did you mean".
    fn functions(&self) -> Vec<&'static str>;
    fn look(&self) -> &dyn Look;
    /// The pillar that `pillar.get` gives parts of, shared by all templates of a compile; `None`
    /// while the pillar itself is compiled.
    fn pillar(&self) -> Option<Value> {
        None
    }
}

/// Parsed templates, kept by the name and settings that they were read with.
#[derive(Default)]
pub struct Templates {
    parsed: RefCell<HashMap<(String, Whitespace), Arc<ast::Template>>>,
}

impl Templates {
    /// Parses a text, or gives what was parsed of it before.
    fn parse(&self, source: &Arc<Source>, settings: Whitespace) -> Result<Arc<ast::Template>, Error> {
        let key = (source.name.clone(), settings);
        if let Some(template) = self.parsed.borrow().get(&key)
            && (Arc::ptr_eq(&template.source, source) || template.source.text == source.text)
        {
            return Ok(template.clone());
        }
        let template = Arc::new(parser::parse(source, settings)?);
        check::names(&template)?;
        self.parsed.borrow_mut().insert(key, template.clone());
        Ok(template)
    }
}

/// The names that a template starts with, and how it is read.
pub struct Setup<'a> {
    pub outside: &'a dyn Outside,
    pub templates: &'a Templates,
    pub whitespace: Whitespace,
    /// `allow_undefined`: names that do not exist are empty instead of errors.
    pub lenient: bool,
    pub context: Vec<(&'static str, Value)>,
    /// What the caller of a template adds (`context:` of a state).
    pub extra: &'a Map,
}

/// Renders a text. The final line end is kept, as Salt does. What is given knows which lines of the
/// template its own lines come from.
pub fn render(setup: &Setup<'_>, source: &Arc<Source>) -> Result<Arc<Source>, Error> {
    let header = file_options(&source.text);
    let (template, whitespace) = match header {
        Some((text, options)) => (Source::new(&source.name, &text), options.over(setup.whitespace)),
        None => (source.clone(), setup.whitespace),
    };
    let parsed = setup.templates.parse(&template, whitespace)?;
    let mut eval = Eval::new(setup, whitespace);
    let mut text = eval.template(&parsed)?;
    if template.text.ends_with('\n') {
        text.push('\n');
    }
    Ok(Source::rendered(Origin { lines: eval.lines(), source: template }, text))
}

/// `#jinja2: {"trim_blocks": true}` in the first line, or behind a `#!` line.
#[derive(Default)]
struct FileOptions {
    trim_blocks: Option<bool>,
    lstrip_blocks: Option<bool>,
    keep_trailing_newline: Option<bool>,
}

impl FileOptions {
    fn over(&self, base: Whitespace) -> Whitespace {
        Whitespace {
            trim_blocks: self.trim_blocks.unwrap_or(base.trim_blocks),
            lstrip_blocks: self.lstrip_blocks.unwrap_or(base.lstrip_blocks),
            keep_trailing_newline: self.keep_trailing_newline.unwrap_or(base.keep_trailing_newline),
        }
    }
}

fn file_options(text: &str) -> Option<(String, FileOptions)> {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let first = lines.first()?;
    let index = usize::from(first.starts_with("#!") && !first.starts_with("#!/"));
    let payload = lines.get(index)?.strip_prefix("#jinja2:")?;
    let options: Map = serde_json::from_str(payload.trim()).ok()?;
    let flag = |name: &str| options.get(name).and_then(proto::Value::as_bool);
    let parsed = FileOptions {
        trim_blocks: flag("trim_blocks"),
        lstrip_blocks: flag("lstrip_blocks"),
        keep_trailing_newline: flag("keep_trailing_newline"),
    };
    lines.remove(index);
    Some((lines.concat(), parsed))
}

/// `trim_blocks` and `lstrip_blocks` of `jinja_sls_env` or `jinja_env`.
pub fn whitespace(opts: &Map, is_sls: bool) -> Whitespace {
    let env = opts.get(if is_sls { "jinja_sls_env" } else { "jinja_env" });
    let flag = |name: &str| {
        let named = env.and_then(|env| env.get(name)).and_then(proto::Value::as_bool);
        let old = opts.get(&format!("jinja_{name}")).and_then(proto::Value::as_bool);
        named.or(old).unwrap_or(false)
    };
    Whitespace {
        trim_blocks: flag("trim_blocks"),
        lstrip_blocks: flag("lstrip_blocks"),
        keep_trailing_newline: flag("keep_trailing_newline"),
    }
}

/// `salt` in templates, over functions of these names.
pub fn salt(names: Vec<&'static str>) -> Value {
    Value::Object(Rc::new(salt::Salt::new(names)))
}

type Shared<T> = Rc<RefCell<T>>;
