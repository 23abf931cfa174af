//! Requisites as a graph, and Salt's order of it: by dependencies first, then by `order`.
//!
//! Source of the order: `salt.utils.requisite` of Salt 3008 (a topological sort with a heap whose
//! key is the least order among a state and those that depend on it).

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;
use proto::Value;

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
/// An order beyond every other one.
const LAST: f64 = 1_000_000.0;

#[derive(Default)]
struct Node {
    chunk: usize,
    /// The same chunk in test mode, for `prereq`.
    check: Option<usize>,
    tag: String,
    out: IndexMap<usize, Vec<Kind>>,
    incoming: IndexMap<usize, Vec<Kind>>,
}

struct Graph {
    chunks: Vec<Chunk>,
    nodes: Vec<Node>,
    by_tag: HashMap<String, usize>,
    /// By module and by name or id.
    lookup: IndexMap<(Arc<str>, String), Vec<usize>>,
    by_sls: IndexMap<String, Vec<usize>>,
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
            by_tag: HashMap::with_capacity(chunks.len()),
            lookup: IndexMap::with_capacity(chunks.len() * 2),
            by_sls: IndexMap::new(),
            chunks,
        };
        for index in 0..graph.chunks.len() {
            graph.add(index);
        }
        graph
    }

    fn add(&mut self, index: usize) {
        let chunk = &self.chunks[index];
        let tag = chunk.tag();
        let node = *self.by_tag.entry(tag.clone()).or_insert(self.nodes.len());
        if node == self.nodes.len() {
            self.nodes.push(Node { tag, ..Node::default() });
        }
        self.nodes[node].chunk = index;
        let text = |key: &str| chunk.data.get(key).map_or(String::new(), value::python_str);
        let module: Arc<str> = text("state").into();
        let id: Arc<str> = "id".into();
        let keys = [
            (module.clone(), text("name")),
            (module, text("__id__")),
            (id.clone(), text("__id__")),
            (id, text("name")),
        ];
        for key in keys {
            push_new(self.lookup.entry(key).or_default(), node);
        }
        let mut sls = vec![text("__sls__")];
        if let Some(Value::Array(from)) = chunk.data.get("__sls_included_from__") {
            sls.extend(from.iter().map(value::python_str));
        }
        for sls in sls {
            push_new(self.by_sls.entry(sls).or_default(), node);
        }
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
        let Some(&node) = self.by_tag.get(&self.chunks[index].tag()) else { return problems };
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
        let near = if module == "sls" {
            crate::diag::did_you_mean(wanted, self.by_sls.keys().map(String::as_str))
        } else {
            let of_module = self.lookup.keys().filter(|(other, _)| &**other == module).map(|(_, name)| name.as_str());
            crate::diag::did_you_mean(wanted, of_module).or_else(|| self.other_module(wanted))
        };
        Diagnostic::new(format!(
            "the state '{}' has {requisite}: {module}: {wanted}, which does not exist",
            chunk.text("__id__")
        ))
        .at(&place)
        .hint(near.unwrap_or_else(|| "include the SLS that declares it".into()))
    }

    /// The same name in another module.
    fn other_module(&self, wanted: &str) -> Option<String> {
        let found = self.lookup.keys().find(|(module, name)| name == wanted && &**module != "id")?;
        Some(format!("there is {}: {wanted}", found.0))
    }

    /// Whether anything has this name; what has it must run before.
    fn depend(&mut self, node: usize, kind: Kind, module: &str, wanted: &str) -> bool {
        let pattern = glob::is_pattern(wanted);
        let targets: Vec<usize> = if module == "sls" && pattern {
            let matching = self.by_sls.iter().filter(|(sls, _)| glob::matches(wanted, sls));
            matching.flat_map(|(_, nodes)| nodes.clone()).collect()
        } else if module == "sls" {
            self.by_sls.get(wanted).cloned().unwrap_or_default()
        } else if pattern {
            let matching =
                self.lookup.iter().filter(|((other, name), _)| &**other == module && glob::matches(wanted, name));
            matching.flat_map(|(_, nodes)| nodes.clone()).collect()
        } else {
            self.lookup.get(&(Arc::from(module), wanted.to_owned())).cloned().unwrap_or_default()
        };
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
        !targets.is_empty() || (module == "sls" && pattern)
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
        let tag = format!("{}_|-__prereq_test__", self.nodes[target].tag);
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

    /// Nodes in order; fewer than there are if some wait for each other.
    fn sort(&mut self, cap: f64) -> Vec<usize> {
        let mut waiting: Vec<usize> =
            self.nodes.iter().map(|node| node.incoming.values().map(Vec::len).sum()).collect();
        let mut heap = BinaryHeap::new();
        for (node, _) in waiting.iter().enumerate().filter(|(_, count)| **count == 0) {
            heap.push(Reverse(self.key(node, cap)));
        }
        let mut sorted = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse(Key { node, .. })) = heap.pop() {
            sorted.push(node);
            let out: Vec<(usize, usize)> = self.nodes[node].out.iter().map(|(to, kinds)| (*to, kinds.len())).collect();
            for (to, count) in out {
                waiting[to] -= count;
                if waiting[to] == 0 {
                    heap.push(Reverse(self.key(to, cap)));
                }
            }
        }
        sorted
    }

    fn key(&mut self, node: usize, cap: f64) -> Key {
        let chunk = self.nodes[node].chunk;
        let own = self.settle(chunk, cap);
        let mut least = f64::INFINITY;
        let mut heaviest: Option<Kind> = None;
        let children: Vec<(usize, Vec<Kind>)> =
            self.nodes[node].out.iter().map(|(to, kinds)| (*to, kinds.clone())).collect();
        for (to, kinds) in children {
            for kind in kinds {
                if heaviest.is_none_or(|heaviest| heaviest <= kind) {
                    heaviest = Some(kind);
                    let child = self.nodes[to].chunk;
                    least = least.min(self.number(child, cap));
                }
            }
        }
        let data = &self.chunks[chunk].data;
        let text = |key: &str| data.get(key).map_or(String::new(), value::python_str);
        let label = text("state") + &text("name") + &text("fun");
        Key { order: own.min(least), own, label, tag: self.nodes[node].tag.clone(), node }
    }

    /// A chunk's order as a number, written back into it where it is a word or missing.
    fn number(&mut self, chunk: usize, cap: f64) -> f64 {
        let data = &mut self.chunks[chunk].data;
        let order = data.get("order");
        if let Some(number) = order.and_then(Value::as_f64) {
            return number;
        }
        let number = match order.and_then(Value::as_str) {
            Some("last") => cap + LAST,
            Some("first") => 0.0,
            _ => match order.and_then(Value::as_bool) {
                Some(flag) => f64::from(u8::from(flag)),
                None => cap,
            },
        };
        data.insert("order".into(), whole(number));
        number
    }

    /// A chunk's own order, with its place among `names` in it.
    fn settle(&mut self, chunk: usize, cap: f64) -> f64 {
        let mut order = self.number(chunk, cap);
        let data = &mut self.chunks[chunk].data;
        if let Some(place) = data.shift_remove("name_order").and_then(|place| place.as_f64()) {
            order += place / 10_000.0;
            data.insert("order".into(), value::float(order));
        }
        if order < 0.0 {
            let exact = data.get("order").is_some_and(Value::is_i64);
            order += cap + LAST;
            data.insert("order".into(), if exact { whole(order) } else { value::float(order) });
        }
        order
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
            steps.push(Step { chunk: data, trial, tried: check.map(|check| position[check]), needs });
        }
        steps
    }

    /// The states that wait for each other, as a chain.
    fn cycle(&self) -> Diagnostic {
        let chain = self.find_cycle();
        let name = |node: usize| {
            let chunk = &self.chunks[self.nodes[node].chunk];
            format!("{}: {}", chunk.text("state"), chunk.text("__id__"))
        };
        let shown: Vec<String> = chain.iter().chain(chain.first()).map(|&node| name(node)).collect();
        let mut problem = Diagnostic::new(format!("these states wait for each other: {}", shown.join(" → ")));
        for (i, &node) in chain.iter().enumerate() {
            let place = &self.chunks[self.nodes[node].chunk].place;
            problem = if i == 0 { problem.at(place) } else { problem.note(name(node), place) };
        }
        problem.hint("one of these requisites has to go (a → b: a must run before b)")
    }

    fn find_cycle(&self) -> Vec<usize> {
        let mut colour = vec![0u8; self.nodes.len()];
        for start in 0..self.nodes.len() {
            if colour[start] != 0 {
                continue;
            }
            let mut stack = vec![(start, 0)];
            colour[start] = 1;
            while let Some(&(node, at)) = stack.last() {
                let Some((&to, _)) = self.nodes[node].out.get_index(at) else {
                    colour[node] = 2;
                    stack.pop();
                    continue;
                };
                if let Some(top) = stack.last_mut() {
                    top.1 += 1;
                }
                if colour[to] == 1 {
                    let from = stack.iter().position(|&(other, _)| other == to).unwrap_or(0);
                    return stack[from..].iter().map(|&(node, _)| node).collect();
                }
                if colour[to] == 0 {
                    colour[to] = 1;
                    stack.push((to, 0));
                }
            }
        }
        Vec::new()
    }
}

fn push_new<T: PartialEq>(list: &mut Vec<T>, item: T) {
    // Most of the time the last one is the one that would be there twice.
    if list.last() != Some(&item) && (list.len() > 64 || !list.contains(&item)) {
        list.push(item);
    }
}

fn whole(number: f64) -> Value {
    Value::from(number as i64)
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

/// What the heap sorts by.
struct Key {
    order: f64,
    own: f64,
    label: String,
    tag: String,
    node: usize,
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = self.order.total_cmp(&other.order).then(self.own.total_cmp(&other.own));
        numbers.then_with(|| self.label.cmp(&other.label)).then_with(|| self.tag.cmp(&other.tag))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}
