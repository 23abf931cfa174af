//! High data to low chunks: one for each state and name.

use std::borrow::Cow;

use proto::{Map, Value};

use super::{Decl, High, Problems, StateDecl, high::Arg, order};
use crate::{
    Context, Diagnostic,
    diag::Place,
    value,
    yaml::{Node, to_key, to_value},
};

/// One state call, as `state.show_low_sls` shows it, and where it was written.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub data: Map,
    pub place: Place,
}

impl Chunk {
    pub fn text(&self, key: &str) -> &str {
        self.data.get(key).and_then(Value::as_str).unwrap_or("")
    }

    /// An argument as Python prints it; nothing where there is none.
    pub fn printed(&self, key: &str) -> Cow<'_, str> {
        match self.data.get(key) {
            None => Cow::Borrowed(""),
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(other) => Cow::Owned(value::python_str(other)),
        }
    }

    /// What names a chunk in results: `file_|-id_|-name_|-managed`.
    pub fn tag(&self) -> String {
        ["state", "__id__", "name", "fun"].map(|key| self.printed(key)).join(BETWEEN)
    }
}

/// Stands between the parts of a tag.
pub const BETWEEN: &str = "_|-";

/// The chunks in the order in which they are to be run.
pub fn compile(high: High, context: &Context<'_>) -> Result<Vec<super::Step>, Problems> {
    let mut chunks = Vec::new();
    let mut problems = Problems::new();
    for (id, decl) in &high.decls {
        if id.starts_with("__") {
            continue;
        }
        for state in decl.states.iter().filter(|state| !state.module.starts_with("__")) {
            chunk(decl, state, &mut chunks, &mut problems);
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    order::order(chunks, &high, context)
}

fn chunk(decl: &Decl, state: &StateDecl, chunks: &mut Vec<Chunk>, problems: &mut Problems) {
    let mut data = base(decl, state);
    let mut names: Vec<&Node> = Vec::new();
    let mut fun = None;
    for arg in state.args() {
        match arg {
            Arg::Fun(node) => fun = Some(node.to_text()),
            Arg::Pairs(pairs, _) => {
                for (key, value) in pairs {
                    argument(decl, &mut data, &mut names, key, value);
                }
            }
            Arg::Order(number) => {
                data.insert("order".into(), Value::from(*number));
            }
            Arg::Other(_) => {}
        }
    }
    let Some(fun) = fun else { return };
    if names.is_empty() {
        data.insert("fun".into(), Value::String(fun));
        chunks.push(Chunk { data, place: state.at.place() });
        return;
    }
    for (i, name) in names.into_iter().enumerate() {
        let mut data = data.clone();
        if let Err(problem) = named(&mut data, name) {
            problems.push(problem);
            continue;
        }
        data.insert("name_order".into(), Value::from(i + 1));
        data.insert("fun".into(), Value::String(fun.clone()));
        chunks.push(Chunk { data, place: state.at.place() });
    }
}

fn base(decl: &Decl, state: &StateDecl) -> Map {
    // These, the function, and one argument of each item, as nearly everybody writes them.
    const OWN: usize = 7;
    let id = to_value(&decl.id);
    let mut data = Map::with_capacity(OWN + state.args().len());
    data.insert("state".into(), Value::String(state.module.to_string()));
    data.insert("name".into(), id.clone());
    data.insert("__sls__".into(), Value::String(decl.sls.to_string()));
    data.insert("__env__".into(), Value::String(decl.env.to_string()));
    if !decl.included_from.is_empty() {
        let from = decl.included_from.iter().map(|sls| Value::String(sls.to_string())).collect();
        data.insert("__sls_included_from__".into(), Value::Array(from));
    }
    data.insert("__id__".into(), id);
    data
}

fn argument<'n>(decl: &Decl, data: &mut Map, names: &mut Vec<&'n Node>, key: &Node, value: &'n Node) {
    match key.as_str() {
        Some("names") => {
            for name in value.as_seq().unwrap_or(&[]) {
                let known = |other: &&&Node| to_value(other) == to_value(name);
                if names.len() > 500 || !names.iter().any(|other| known(&other)) {
                    names.push(name);
                }
            }
        }
        Some("state") => {}
        Some("name") if value.as_str().is_none() => {
            data.insert("name".into(), to_value(&decl.id));
        }
        _ => {
            data.insert(to_key(key), to_value(value));
        }
    }
}

/// A name of `names`, alone or with arguments that only it has.
fn named(data: &mut Map, name: &Node) -> Result<(), Diagnostic> {
    let Some(pairs) = name.as_map() else {
        data.insert("name".into(), to_value(name));
        return Ok(());
    };
    let Some((key, overrides)) = pairs.first() else { return Ok(()) };
    data.insert("name".into(), to_value(key));
    let refuse = |node: &Node| {
        Diagnostic::new(format!("what stands beneath the name '{}' must be a list of arguments", key.to_text()))
            .at(&node.place())
            .hint("begin each argument with `- `")
    };
    for item in overrides.as_seq().ok_or_else(|| refuse(overrides))? {
        for (key, value) in item.as_map().ok_or_else(|| refuse(item))? {
            data.insert(to_key(key), to_value(value));
        }
    }
    Ok(())
}
