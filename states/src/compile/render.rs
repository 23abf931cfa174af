//! A file through its renderers: `jinja|yaml`, or what its `#!` line says.

use std::{
    cell::{OnceCell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::Arc,
};

use proto::{Args, FunctionName, Map};

use super::decrypt;
use crate::{
    CallError, Context, Diagnostic, Look, Tree,
    diag::{Place, Source},
    jinja::{self, Outside, Setup, Templates},
    yaml::{self, Node},
};

thread_local! {
    static RENDERING: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether a template made the call that runs now.
pub fn rendering() -> bool {
    RENDERING.get()
}

/// What came out of the last renderer.
#[derive(Debug, Clone)]
pub enum Rendered {
    Data(Node),
    Text(Arc<Source>),
}

/// Where a rendered file belongs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Where<'s> {
    pub env: &'s str,
    /// The SLS name; empty for a file that is none.
    pub sls: &'s str,
    /// The file's path in its tree; empty for a text from elsewhere.
    pub path: &'s str,
}

type MaybeSource = Option<Arc<Source>>;

/// Renders files of a tree. Parsed templates and the host's data are kept.
pub struct Renderer<'a> {
    pub(crate) context: &'a Context<'a>,
    tree: &'a dyn Tree,
    templates: Templates,
    sources: RefCell<HashMap<(String, String), MaybeSource>>,
    shared: RefCell<Option<Rc<Shared>>>,
    /// Templates of pillar SLS see no functions that start anything.
    pub(crate) pillar: Option<Map>,
}

/// The host's data as templates see it, made once.
struct Shared {
    salt: jinja::Value,
    grains: jinja::Value,
    pillar: jinja::Value,
    /// The pillar as functions give it, apart from the name `pillar`, as in Salt.
    got: OnceCell<jinja::Value>,
    opts: jinja::Value,
}

impl<'a> Renderer<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Self::over(context, context.tree)
    }

    /// Renders from another tree than the context's (pillar roots).
    pub fn over(context: &'a Context<'a>, tree: &'a dyn Tree) -> Self {
        Self {
            context,
            tree,
            templates: Templates::default(),
            sources: RefCell::default(),
            shared: RefCell::new(None),
            pillar: None,
        }
    }

    pub fn tree(&self) -> &'a dyn Tree {
        self.tree
    }

    /// The text of a file; `None` if there is none.
    pub fn source(&self, env: &str, path: &str) -> Result<Option<Arc<Source>>, Box<Diagnostic>> {
        let key = (env.to_owned(), path.to_owned());
        if let Some(source) = self.sources.borrow().get(&key) {
            return Ok(source.clone());
        }
        let source = match self.tree.read(env, path) {
            Ok(None) => None,
            Ok(Some(bytes)) => match String::from_utf8(bytes) {
                Ok(text) => Some(Arc::new(Source { name: path.to_owned(), text, origin: None })),
                Err(why) => return Err(not_utf8(path, &why)),
            },
            Err(why) => return Err(Box::new(Diagnostic::new(format!("{path} cannot be read: {why}")))),
        };
        self.sources.borrow_mut().insert(key, source.clone());
        Ok(source)
    }

    /// Renders a text with the default renderers of the configuration, or those of its first line.
    pub fn render(&self, source: &Arc<Source>, at: Where<'_>, extra: &Map) -> Result<Rendered, Box<Diagnostic>> {
        if source.text.trim().is_empty() {
            return Ok(Rendered::Data(empty(source)));
        }
        let default = self.context.opts.get("renderer").and_then(|r| r.as_str()).unwrap_or("jinja|yaml");
        self.render_with(source, at, extra, default)
    }

    /// As [`render`](Self::render), with a default pipe of the caller's.
    pub fn render_with(
        &self,
        source: &Arc<Source>,
        at: Where<'_>,
        extra: &Map,
        default: &str,
    ) -> Result<Rendered, Box<Diagnostic>> {
        let line = source.text.lines().next().unwrap_or("");
        let pipe = match line.strip_prefix("#!") {
            Some(pipe) if !pipe.starts_with('/') => pipe.trim(),
            _ => default,
        };
        let mut rendered = Rendered::Text(source.clone());
        for step in steps(pipe) {
            rendered = self.step(rendered, &step, source, at, extra)?;
        }
        Ok(rendered)
    }

    fn step(
        &self,
        input: Rendered,
        step: &str,
        source: &Arc<Source>,
        at: Where<'_>,
        extra: &Map,
    ) -> Result<Rendered, Box<Diagnostic>> {
        let name = step.split_whitespace().next().unwrap_or("");
        let text = match input {
            Rendered::Text(text) => text,
            data @ Rendered::Data(_) if name == "yamlex" => return Ok(data),
            Rendered::Data(node) if decrypt::NAMES.contains(&name) => {
                return decrypt::node(self.context, name, &node).map(Rendered::Data);
            }
            Rendered::Data(_) => {
                return Err(at_first_line(
                    source,
                    format!("the renderer {name} needs text, but the one before it gave data"),
                ));
            }
        };
        match name {
            "jinja" => self.jinja(&text, at, extra).map(Rendered::Text),
            "yaml" => yaml_data(&text, yaml::parse_source).map(Rendered::Data),
            "yamlex" => yaml_data(&text, yaml::parse_extended).map(Rendered::Data),
            "json" => json(&text).map(Rendered::Data),
            "text" => Ok(Rendered::Text(text)),
            name if decrypt::NAMES.contains(&name) => {
                let plain = decrypt::text(self.context, name, &text.text)?;
                Ok(Rendered::Text(Arc::new(Source { text: plain, ..Source::clone(&text) })))
            }
            _ => Err(Box::new(
                at_first_line(source, format!("the renderer {name} is not available"))
                    .hint("known renderers: jinja, yaml, json, text, yamlex, gpg, age"),
            )),
        }
    }

    fn jinja(&self, source: &Arc<Source>, at: Where<'_>, extra: &Map) -> Result<Arc<Source>, Box<Diagnostic>> {
        let outside = Reach { renderer: self, env: at.env };
        let setup = Setup {
            outside: &outside,
            templates: &self.templates,
            whitespace: jinja::whitespace(self.context.opts, !at.sls.is_empty()),
            lenient: self.context.opts.get("allow_undefined").and_then(proto::Value::as_bool).unwrap_or(false),
            context: self.names(at),
            extra,
        };
        jinja::render(&setup, source)
    }

    fn names(&self, at: Where<'_>) -> Vec<(&'static str, jinja::Value)> {
        let shared = self.shared();
        let mut names = vec![
            ("salt", shared.salt.clone()),
            ("grains", shared.grains.clone()),
            ("pillar", shared.pillar.clone()),
            ("opts", shared.opts.clone()),
            ("saltenv", at.env.into()),
            ("sls", at.sls.into()),
            ("proxy", jinja::Value::None),
        ];
        names.extend(path_names(self.tree, at).into_iter().map(|(name, value)| (name, value.into())));
        names
    }

    fn shared(&self) -> Rc<Shared> {
        self.shared
            .borrow_mut()
            .get_or_insert_with(|| {
                let names: Vec<&'static str> = self.context.functions.all().map(|function| function.name).collect();
                let pillar = self.pillar.as_ref().unwrap_or(self.context.pillar);
                Rc::new(Shared {
                    salt: jinja::salt(names),
                    grains: jinja::from_value(&proto::Value::Object(self.context.look.grains().clone())),
                    pillar: jinja::from_value(&proto::Value::Object(pillar.clone())),
                    got: OnceCell::new(),
                    opts: jinja::from_value(&proto::Value::Object(self.context.opts.clone())),
                })
            })
            .clone()
    }
}

fn not_utf8(path: &str, why: &std::string::FromUtf8Error) -> Box<Diagnostic> {
    let (good, bad) = why.as_bytes().split_at(why.utf8_error().valid_up_to());
    let source = Source::new(path, &String::from_utf8_lossy(why.as_bytes()));
    let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(good.rsplit(|byte| *byte == b'\n').next().unwrap_or(good)).chars().count() + 1;
    let at = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let byte = bad.first().copied().unwrap_or_default();
    Box::new(
        Diagnostic::new(format!("this is not text in UTF-8: the byte 0x{byte:02x} cannot stand here"))
            .at(&Place::new(&source, at(line), at(column), 1))
            .hint(format!("if it was written in Latin-1: iconv -f latin1 -t utf8 {path}")),
    )
}

/// The steps of a pipe; Salt's old names (`yaml_jinja`) stand for two.
fn steps(pipe: &str) -> Vec<String> {
    let parts: Vec<String> = pipe.split('|').map(|part| part.trim().to_owned()).collect();
    match (&parts[..], pipe.split_once('_')) {
        ([single], Some((format @ ("yaml" | "json" | "yamlex"), "jinja"))) if single == pipe => {
            vec!["jinja".into(), format.into()]
        }
        _ => parts,
    }
}

fn at_first_line(source: &Arc<Source>, message: String) -> Box<Diagnostic> {
    let length = source.line(1).chars().count();
    Box::new(Diagnostic::new(message).at(&Place::new(source, 1, 1, u32::try_from(length).unwrap_or(1))))
}

fn yaml_data(text: &Arc<Source>, read: fn(&Arc<Source>) -> Result<Node, Diagnostic>) -> Result<Node, Box<Diagnostic>> {
    let node = read(text)?;
    Ok(if is_falsy(&node) { empty(text) } else { node })
}

fn empty(source: &Arc<Source>) -> Node {
    Node { data: yaml::Data::Map(Arc::default()), source: source.clone(), line: 1, column: 1, length: 1 }
}

/// What Python's `not data` says of it: Salt reads all of these as nothing.
fn is_falsy(node: &Node) -> bool {
    match &node.data {
        yaml::Data::Null | yaml::Data::Bool(false) | yaml::Data::Int(0) => true,
        yaml::Data::Str(text) => text.is_empty(),
        yaml::Data::Seq(items) => items.is_empty(),
        yaml::Data::Map(pairs) => pairs.is_empty(),
        _ => false,
    }
}

/// JSON is YAML enough for a place at every value.
fn json(text: &Arc<Source>) -> Result<Node, Box<Diagnostic>> {
    let body = match text.text.split_once('\n') {
        Some((first, rest)) if first.starts_with("#!") => format!("\n{rest}"),
        _ => text.text.clone(),
    };
    let shown = Arc::new(Source { text: body, ..Source::clone(text) });
    if let Err(why) = serde_json::from_str::<serde::de::IgnoredAny>(&shown.text) {
        let at = |number: usize| u32::try_from(number).unwrap_or(1).max(1);
        let message = why.to_string();
        let cause = message.split(" at line ").next().unwrap_or(&message);
        let place = Place::new(&shown, at(why.line()), at(why.column()), 1);
        return Err(Box::new(Diagnostic::new(format!("this is not valid JSON: {cause}")).at(&place)));
    }
    yaml::parse_source(&shown).map_err(Box::new)
}

/// `tplpath`, `slspath` and their like, as Salt makes them.
fn path_names(tree: &dyn Tree, at: Where<'_>) -> Vec<(&'static str, String)> {
    let by_name = at.sls.replace('.', "/");
    let by_name = by_name.trim_end_matches('/');
    let mut names = Vec::new();
    let mut dir = by_name.to_owned();
    if !at.path.is_empty() {
        let full = tree.local(at.env, at.path);
        let full = full.map_or_else(|| at.path.to_owned(), |path| path.to_string_lossy().into_owned());
        let file = if at.sls.is_empty() {
            full.rsplit('/').next().unwrap_or("").to_owned()
        } else if at.path.ends_with(&format!("{by_name}.sls")) {
            format!("{by_name}.sls")
        } else if at.path.ends_with(&format!("{by_name}/init.sls")) {
            format!("{by_name}/init.sls")
        } else {
            let parent = at.sls.rsplit_once('/').map_or(".", |(parent, _)| parent);
            return vec![("tplpath", full), ("tplfile", at.sls.to_owned()), ("tpldir", parent.to_owned())];
        };
        dir = file.rsplit_once('/').map_or(String::new(), |(dir, _)| dir.to_owned());
        names.push(("tplpath", full));
        names.push(("tplfile", file));
        names.push(("tpldir", if dir.is_empty() { ".".to_owned() } else { dir.clone() }));
        names.push(("tpldot", dir.replace('/', ".")));
    }
    names.push(("slsdotpath", dir.replace('/', ".")));
    names.push(("slscolonpath", dir.replace('/', ":")));
    names.push(("sls_path", dir.replace('/', "_")));
    names.push(("slspath", dir));
    names
}

/// What templates of one environment reach.
struct Reach<'r, 'a> {
    renderer: &'r Renderer<'a>,
    env: &'r str,
}

impl Outside for Reach<'_, '_> {
    fn pillar(&self) -> Option<jinja::Value> {
        let pillar = || jinja::from_value(&proto::Value::Object(self.renderer.context.pillar.clone()));
        let whole = self.renderer.pillar.is_none();
        whole.then(|| self.renderer.shared().got.get_or_init(pillar).clone())
    }

    fn load(&self, name: &str) -> Result<Option<Arc<Source>>, Box<Diagnostic>> {
        self.renderer.source(self.env, name)
    }

    fn call(&self, function: &str, args: Args) -> Result<proto::Value, CallError> {
        let name: FunctionName = function.parse().map_err(|why: proto::IdError| CallError::Failed(why.to_string()))?;
        let outer = RENDERING.replace(true);
        let result = self.renderer.context.call(&name, args);
        RENDERING.set(outer);
        result
    }

    fn has_function(&self, function: &str) -> bool {
        self.renderer.context.functions.find(function).is_some()
    }

    fn functions(&self) -> Vec<&'static str> {
        self.renderer.context.functions.all().map(|function| function.name).collect()
    }

    fn look(&self) -> &dyn Look {
        self.renderer.context.look
    }
}
