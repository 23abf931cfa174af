//! The top file: which SLS of which environment this minion gets.

use std::collections::HashSet;

use indexmap::IndexMap;
use proto::{Map, Value};

use super::{Compiler, Rendered, render::Where};
use crate::{Context, Diagnostic, diag::Place, glob, matching, yaml::Node};

/// SLS names or globs by environment.
pub type Matches = IndexMap<String, Vec<String>>;

/// How the top files of several environments become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    Merge,
    Same,
    MergeAll,
}

impl Strategy {
    pub fn of(opts: &Map) -> Self {
        match opts.get("top_file_merging_strategy").and_then(Value::as_str) {
            Some("same") => Self::Same,
            Some("merge_all") => Self::MergeAll,
            _ => Self::Merge,
        }
    }
}

/// Targets and what they get, by environment.
pub type Top = IndexMap<String, IndexMap<String, Given>>;

/// What a target gets, and where the target is written.
pub type Given = (Place, Node);

impl Compiler<'_> {
    /// What the top files say together, as `state.show_top` finds it.
    pub fn top(&mut self, saltenv: Option<&str>) -> Result<Top, Diagnostic> {
        let tops = self.tops(saltenv)?;
        merged(tops, self.context)
    }

    /// The SLS that this minion gets.
    pub fn top_matches(&mut self, saltenv: Option<&str>) -> Result<Matches, Diagnostic> {
        let top = self.top(saltenv)?;
        let mut matches = Matches::new();
        for (env, targets) in &top {
            if saltenv.is_some_and(|only| only != env) {
                continue;
            }
            for (target, (at, data)) in targets {
                self.add_matches(env, target, at, data, &mut matches)?;
            }
        }
        Ok(matches)
    }

    fn add_matches(
        &mut self,
        env: &str,
        target: &str,
        at: &Place,
        data: &Node,
        matches: &mut Matches,
    ) -> Result<(), Diagnostic> {
        let items: Vec<Node> = match data.as_seq() {
            Some(items) => items.to_vec(),
            None if data.as_str().is_some() => vec![data.clone()],
            None => {
                let message = format!("the target '{target}' must have a list of SLS, not {}", data.kind());
                return Err(Diagnostic::new(message).at(&data.place()).hint("begin each SLS with `- `"));
            }
        };
        if !matching::confirm(self.context, target, match_type(&items), at)? {
            return Ok(());
        }
        matches.entry(env.to_owned()).or_default();
        for item in &items {
            if let Some(name) = item.as_str() {
                matches.entry(env.to_owned()).or_default().push(name.to_owned());
                continue;
            }
            if let Some(nested) = item.get("subfilter") {
                for (target, data) in nested.as_map().unwrap_or(&[]) {
                    self.add_matches(env, &target.to_text(), &target.place(), data, matches)?;
                }
                continue;
            }
            let Some((key, value)) = item.as_map().and_then(<[_]>::last) else { continue };
            let other = key.to_text();
            if self.environments().contains(&other) {
                matches.entry(other).or_default().push(value.to_text());
            }
        }
        Ok(())
    }

    /// `base` first, then the others as the configuration has them, or `env_order`.
    pub fn environments(&self) -> Vec<String> {
        let known = self.context.tree.environments();
        if let Some(Value::Array(order)) = self.context.opts.get("env_order")
            && !order.is_empty()
        {
            let mut seen = HashSet::new();
            let order = order.iter().filter_map(|env| env.as_str());
            return order
                .filter(|env| known.iter().any(|k| k == env) && seen.insert(*env))
                .map(str::to_owned)
                .collect();
        }
        let mut all = vec!["base".to_owned()];
        all.extend(known.into_iter().filter(|env| env != "base"));
        all
    }

    fn tops(&mut self, saltenv: Option<&str>) -> Result<IndexMap<String, Vec<Node>>, Diagnostic> {
        let opts = self.context.opts;
        let file = opts.get("state_top").and_then(Value::as_str).unwrap_or("salt://top.sls");
        let file = file.trim_start_matches("salt://").trim_start_matches('/').to_owned();
        let environments = match (saltenv, opts.get("state_top_saltenv").and_then(Value::as_str)) {
            (Some(env), _) | (None, Some(env)) => vec![env.to_owned()],
            (None, None) => self.environments(),
        };
        let mut tops: IndexMap<String, Vec<Node>> = IndexMap::new();
        for env in environments {
            let mut of_env = Vec::new();
            if let Some(node) = self.top_file(&env, &file)? {
                of_env.extend(self.with_includes(&env, node)?);
            }
            tops.insert(env, of_env);
        }
        Ok(tops)
    }

    fn top_file(&self, env: &str, path: &str) -> Result<Option<Node>, Diagnostic> {
        let Some(source) = self.renderer.source(env, path).map_err(|why| *why)? else { return Ok(None) };
        let at = Where { env, sls: "", path };
        match self.renderer.render(&source, at, &Map::new()).map_err(|why| *why)? {
            Rendered::Data(node) if node.as_map().is_some() => Ok(Some(node)),
            Rendered::Data(node) => {
                let message = format!("the top file must be a mapping of environments, not {}", node.kind());
                Err(Diagnostic::new(message).at(&node.place()))
            }
            Rendered::Text(_) => Err(Diagnostic::new(format!("the top file {path} renders to text, not to data"))),
        }
    }

    /// A top file with those that it includes.
    fn with_includes(&mut self, env: &str, first: Node) -> Result<Vec<Node>, Diagnostic> {
        let mut done = HashSet::new();
        let wanted: Vec<Node> = first.get("include").and_then(Node::as_seq).unwrap_or(&[]).to_vec();
        let mut all = vec![first];
        for pattern in wanted {
            let pattern = pattern.to_text();
            let found: Vec<String> =
                self.available(env).iter().filter(|sls| glob::matches(&pattern, sls)).cloned().collect();
            for sls in found {
                if !done.insert(sls.clone()) {
                    continue;
                }
                let base = sls.replace('.', "/");
                for path in [format!("{base}.sls"), format!("{base}/init.sls")] {
                    if let Some(node) = self.top_file(env, &path)? {
                        all.push(node);
                        break;
                    }
                }
            }
        }
        Ok(all)
    }
}

pub fn match_type(items: &[Node]) -> Option<&Node> {
    items.iter().rev().find_map(|item| item.get("match"))
}

/// An environment with its targets.
type Section = (String, Vec<(String, Given)>);

/// The sections of a top file: an environment and its targets.
fn sections(top: &Node) -> Result<Vec<Section>, Diagnostic> {
    let mut sections = Vec::new();
    for (env, targets) in top.as_map().unwrap_or(&[]) {
        let name = env.to_text();
        if name == "include" {
            continue;
        }
        let Some(pairs) = targets.as_map() else {
            let message = format!("the environment {name} must have a mapping of targets, not {}", targets.kind());
            return Err(Diagnostic::new(message).at(&env.place()));
        };
        let given = |(target, data): &(Node, Node)| (target.to_text(), (target.place(), data.clone()));
        sections.push((name, pairs.iter().map(given).collect()));
    }
    Ok(sections)
}

fn merged(mut tops: IndexMap<String, Vec<Node>>, context: &Context<'_>) -> Result<Top, Diagnostic> {
    let mut top = Top::new();
    match Strategy::of(context.opts) {
        Strategy::Merge => {
            for node in tops.shift_remove("base").unwrap_or_default() {
                for (env, targets) in sections(&node)? {
                    top.entry(env).or_default().extend(targets);
                }
            }
            let by_base: HashSet<String> = top.keys().cloned().collect();
            for (env, nodes) in tops {
                for node in nodes {
                    for (section, targets) in sections(&node)? {
                        if section == env && !by_base.contains(&section) && !top.contains_key(&section) {
                            top.entry(section).or_default().extend(targets);
                        }
                    }
                }
            }
        }
        Strategy::Same => {
            let default = context.opts.get("default_top").and_then(Value::as_str).unwrap_or("base").to_owned();
            for (env, nodes) in &tops {
                let nodes = if nodes.is_empty() { tops.get(&default).unwrap_or(nodes) } else { nodes };
                for node in nodes {
                    for (section, targets) in sections(node)?.into_iter().filter(|(section, _)| section == env) {
                        top.entry(section).or_default().extend(targets);
                    }
                }
            }
        }
        Strategy::MergeAll => {
            for node in tops.values().flatten() {
                for (env, targets) in sections(node)? {
                    let known = top.entry(env).or_default();
                    for (target, (at, data)) in targets {
                        let data = match known.get(&target) {
                            Some((_, before)) => joined(before, &data),
                            None => data,
                        };
                        known.insert(target, (at, data));
                    }
                }
            }
        }
    }
    Ok(top)
}

/// Both lists' SLS, each once, with the later one's match type.
fn joined(before: &Node, after: &Node) -> Node {
    let items = |node: &Node| node.as_seq().unwrap_or(&[]).to_vec();
    let (before_items, after_items) = (items(before), items(after));
    let option = |items: &[Node]| items.iter().rev().find(|item| item.as_map().is_some()).cloned();
    let mut all: Vec<Node> = option(&after_items).or_else(|| option(&before_items)).into_iter().collect();
    for item in before_items.into_iter().chain(after_items) {
        let Some(name) = item.as_str() else { continue };
        if !all.iter().any(|known| known.as_str() == Some(name)) {
            all.push(item.clone());
        }
    }
    Node { data: crate::yaml::Data::Seq(all.into()), ..after.clone() }
}
