//! Requisites as a graph, and Salt's order of it: by dependencies first, then by `order`.
//!
//! Source of the order: `salt.utils.requisite` of Salt 3008 (a topological sort with a heap whose
//! key is the least order among a state and those that depend on it).

mod cycle;
mod lookup;
mod sort;
mod tag;

use std::{cell::OnceCell, collections::HashMap};

use indexmap::IndexMap;
use proto::Value;

use self::{lookup::Lookup, tag::Tag};
use super::{Chunk, High, Kind, Problems, Step};
use crate::{Context, Diagnostic, glob, value};

/// In the order in which a state's requisites are looked at.
const KINDS: [(Kind, &str); 10] = [
    (Kind::Require, "require"),
    (Kind::RequireAny, "require_any"),
    (Kind::Watch, "watch"),
    (Kind::WatchAny, "watch_any"),
    (Kind::Prereq, "prereq"),
    (Kind::Onfail, "onfail"),
    (Kind::OnfailAny, "onfail_any"),
    (Kind::OnfailAll, "onfail_all"),
    (Kind::Onchanges, "onchanges"),
    (Kind::OnchangesAny, "onchanges_any"),
];

/// State modules with a `mod_watch` in Salt; a watch of any other is a require.
const WATCHES: [&str; 7] = ["cmd", "event", "module", "mount", "pkg", "service", "test"];
#[derive(Default)]
struct Node {
    chunk: usize,
    /// The same chunk in test mode, for `prereq`.
    check: Option<usize>,
    tag: Tag,
    out: IndexMap<usize, Vec<Kind>>,
    incoming: IndexMap<usize, Vec<Kind>>,
}

struct Graph {
    chunks: Vec<Chunk>,
    nodes: Vec<Node>,
    /// The node of each chunk; chunks with one tag share a node.
    node_of: Vec<usize>,
    /// Made when the first requisite asks.
    lookup: OnceCell<Lookup>,
}

/// The chunks in the order in which they run, with what each of them waits for.
pub fn order(chunks: Vec<Chunk>, high: &High, context: &Context<'_>) -> Result<Vec<Step>, Problems> {
    let mut graph = Graph::new(chunks);
    let disabled: Vec<String> = match context.opts.get("disabled_requisites") {
        Some(Value::Array(items)) => items.iter().map(value::python_str).collect(),
        Some(Value::String(one)) => vec![one.clone()],
        _ => Vec::new(),
    };
    let mut problems = Problems::new();
    let mut cap = 1.0f64;
    for index in 0..graph.chunks.len() {
        graph.watch_to_require(index);
        let found = graph.requisites(index, high, &disabled);
        let order = graph.chunks[index].data.get("order").and_then(Value::as_i64);
        match (found.is_empty(), order) {
            (false, _) => problems.extend(found),
            (true, Some(order)) if order > 0 && order as f64 > cap - 1.0 => cap = order as f64 + 100.0,
            _ => {}
        }
    }
    let sorted = graph.sort(cap);
    if sorted.len() < graph.nodes.len() {
        problems.push(graph.cycle());
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(graph.into_steps(&sorted))
}

impl Graph {
    fn new(chunks: Vec<Chunk>) -> Self {
        let mut graph = Graph {
            nodes: Vec::with_capacity(chunks.len()),
            node_of: Vec::with_capacity(chunks.len()),
            lookup: OnceCell::new(),
            chunks,
        };
        let mut by_tag = HashMap::with_capacity(graph.chunks.len());
        for (index, chunk) in graph.chunks.iter().enumerate() {
            let tag = Tag::of(chunk);
            let node = *by_tag.entry(tag.text.clone()).or_insert(graph.nodes.len());
            if node == graph.nodes.len() {
                graph.nodes.push(Node { tag, ..Node::default() });
            }
            graph.nodes[node].chunk = index;
            graph.node_of.push(node);
        }
        graph
    }

    fn lookup(&self) -> &Lookup {
        self.lookup.get_or_init(|| Lookup::new(self.node_of.iter().copied().zip(&self.chunks)))
    }

    fn watch_to_require(&mut self, index: usize) {
        let data = &mut self.chunks[index].data;
        let watches = data.get("state").and_then(Value::as_str).is_some_and(|module| WATCHES.contains(&module));
        if watches {
            return;
        }
        for (watch, require) in [("watch", "require"), ("watch_any", "require_any")] {
            let Some(moved) = data.shift_remove(watch) else { continue };
            let known = data.entry(require).or_insert_with(|| Value::Array(Vec::new()));
            if let (Value::Array(known), Value::Array(moved)) = (known, moved) {
                known.extend(moved);
            }
        }
    }

    /// Adds the edges of a chunk's requisites; gives what is wrong with them. As in Salt, the
    /// first fault of a chunk ends its list.
    fn requisites(&mut self, index: usize, high: &High, disabled: &[String]) -> Problems {
        let mut problems = Problems::new();
        let node = self.node_of[index];
        for (kind, name) in KINDS {
            let Some(Value::Array(items)) = self.chunks[index].data.get(name) else { continue };
            if disabled.iter().any(|other| other == name) {
                continue;
            }
            let references: Vec<Result<(String, String), String>> = items.iter().filter_map(reference).collect();
            for reference in references {
                let (module, wanted) = match reference {
                    Ok(reference) => reference,
                    Err(found) => {
                        let message = format!("a {name} must name a state, not {found}");
                        problems.push(Diagnostic::new(message).at(&self.chunks[index].place));
                        continue;
                    }
                };
                if !self.depend(node, kind, &module, &wanted) {
                    problems.push(self.nothing(index, name, &module, &wanted, high));
                }
            }
        }
        problems
    }

    fn nothing(&self, index: usize, requisite: &str, module: &str, wanted: &str, high: &High) -> Diagnostic {
        let chunk = &self.chunks[index];
        let place = requisite_place(high, chunk, requisite, wanted).unwrap_or_else(|| chunk.place.clone());
        let near = self.lookup().near(module, wanted);
        Diagnostic::new(format!(
            "the state '{}' has {requisite}: {module}: {wanted}, which does not exist",
            chunk.text("__id__")
        ))
        .at(&place)
        .hint(near.unwrap_or_else(|| match module {
            // Whether it is included and declares nothing, or is not included, is not known here.
            "sls" => format!("include {wanted}, or have it declare a state: an SLS without any cannot be waited for"),
            _ => "include the SLS that declares it".into(),
        }))
    }

    /// Whether anything has this name; what has it must run before.
    fn depend(&mut self, node: usize, kind: Kind, module: &str, wanted: &str) -> bool {
        let targets = self.lookup().find(module, wanted);
        for &target in &targets {
            if kind == Kind::Prereq {
                self.prereq(node, target);
            } else {
                if let Some(check) = self.nodes[node].check {
                    self.edge(target, check, kind);
                }
                self.edge(target, node, kind);
            }
        }
        !targets.is_empty() || (module == "sls" && glob::is_pattern(wanted))
    }

    fn edge(&mut self, from: usize, to: usize, kind: Kind) {
        push_new(self.nodes[from].out.entry(to).or_default(), kind);
        push_new(self.nodes[to].incoming.entry(from).or_default(), kind);
    }

    /// `target` is tried in test mode, then `node` runs, then `target` itself.
    fn prereq(&mut self, node: usize, target: usize) {
        let (chunk, required) = (self.nodes[node].chunk, self.nodes[target].chunk);
        self.chunks[chunk].data.insert("__prerequiring__".into(), Value::Bool(true));
        self.chunks[required].data.insert("__prereq__".into(), Value::Bool(true));
        let check = match self.nodes[target].check {
            Some(check) => check,
            None => self.check_node(target),
        };
        self.edge(check, node, Kind::Prereq);
        self.edge(node, target, Kind::Require);
        if let Some(own) = self.nodes[node].check {
            self.edge(check, own, Kind::Prereq);
        }
    }

    fn check_node(&mut self, target: usize) -> usize {
        let check = self.nodes.len();
        let tag = self.nodes[target].tag.tried();
        self.nodes.push(Node { chunk: self.nodes[target].chunk, tag, ..Node::default() });
        self.nodes[target].check = Some(check);
        let before: Vec<(usize, Kind)> = self.nodes[target]
            .incoming
            .iter()
            .flat_map(|(from, kinds)| kinds.iter().map(move |kind| (*from, *kind)))
            .collect();
        for (from, kind) in before {
            if kind != Kind::Prereq {
                self.edge(from, check, kind);
            }
        }
        check
    }

    fn into_steps(self, sorted: &[usize]) -> Vec<Step> {
        let mut position = vec![0; self.nodes.len()];
        let mut trial_of = vec![None; self.nodes.len()];
        for (at, &node) in sorted.iter().enumerate() {
            position[node] = at;
            if let Some(check) = self.nodes[node].check {
                trial_of[check] = Some(node);
            }
        }
        let mut chunks: Vec<Option<Chunk>> = self.chunks.into_iter().map(Some).collect();
        let mut steps = Vec::with_capacity(sorted.len());
        for &node in sorted {
            let Node { chunk, check, incoming, .. } = &self.nodes[node];
            // Only a chunk that is tried is there twice; its own step comes last.
            let trial = trial_of[node].is_some();
            let data = if trial { chunks[*chunk].clone() } else { chunks[*chunk].take() };
            let Some(data) = data else { continue };
            let needs = incoming.iter().flat_map(|(from, kinds)| kinds.iter().map(|kind| (*kind, position[*from])));
            let needs = needs.collect();
            steps.push(Step { chunk: data.into(), trial, tried: check.map(|check| position[check]), needs });
        }
        steps
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    // Most of the time the last one is the one that would be there twice.
    if list.last() != Some(&item) && (list.len() > 64 || !list.contains(&item)) {
        list.push(item);
    }
}

/// Module and name of a requisite's entry; an id alone is `id: name`. Nothing for `- pkg:`.
fn reference(item: &Value) -> Option<Result<(String, String), String>> {
    match item {
        Value::String(id) => Some(Ok(("id".into(), id.clone()))),
        Value::Object(map) => {
            let (module, wanted) = map.iter().next()?;
            let module = module.split('.').next().unwrap_or(module).to_owned();
            match wanted {
                Value::Null => None,
                Value::String(wanted) => Some(Ok((module, wanted.clone()))),
                other => Some(Err(value::python_repr(other))),
            }
        }
        _ => None,
    }
}

/// Where a requisite's entry was written.
fn requisite_place(high: &High, chunk: &Chunk, requisite: &str, wanted: &str) -> Option<crate::diag::Place> {
    let decl = high.decls.get(chunk.text("__id__"))?;
    let state = decl.state(chunk.text("state"))?;
    let names = [requisite, &requisite.replacen("require", "watch", 1)];
    let list = state.args().iter().find_map(|arg| match arg.single() {
        Some((key, value)) if names.contains(&key) => value.as_seq(),
        _ => None,
    })?;
    let is_it = |node: &&crate::yaml::Node| {
        node.as_str() == Some(wanted) || node.single().is_some_and(|(_, value)| value.as_str() == Some(wanted))
    };
    list.iter().find(is_it).map(crate::yaml::Node::place)
}
