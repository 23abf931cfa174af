//! Pillar: its top file, its SLS with their includes, merged.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use proto::{Map, Value};

use super::{Rendered, Renderer, render::Where};
use crate::{
    Context, Diagnostic, Tree,
    diag::{Place, did_you_mean},
    glob, matching,
    merge::{self, Strategy},
    yaml::{Node, to_value},
};

/// A compiled pillar, and what was wrong with it. With any error, no state may run.
#[derive(Debug, Default)]
pub struct Pillar {
    pub data: Map,
    pub errors: Vec<Diagnostic>,
}

impl Pillar {
    /// The data as Salt has it: errors stand beneath `_errors`.
    pub fn into_map(self) -> Map {
        let mut data = self.data;
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(|why| Value::String(why.to_string())).collect();
            data.insert("_errors".into(), Value::Array(errors));
        }
        data
    }
}

/// Compiles the pillar of one minion from `pillar_roots`. `over` are values of the command line.
/// The context's own pillar is what templates of pillar SLS see (usually nothing).
pub fn compile(context: &Context<'_>, roots: &dyn Tree, over: &Map) -> Pillar {
    crate::stack::deep(|| compile_here(context, roots, over))
}

fn compile_here(context: &Context<'_>, roots: &dyn Tree, over: &Map) -> Pillar {
    let opts = context.opts;
    let text = |key: &str, default: &'static str| opts.get(key).and_then(Value::as_str).unwrap_or(default).to_owned();
    let renderer_name = text("renderer", "jinja|yaml");
    let mut renderer = Renderer::over(context, roots);
    renderer.pillar = Some(over.clone());
    let mut work = Work {
        context,
        roots,
        renderer,
        strategy: Strategy::parse(&text("pillar_source_merging_strategy", "smart"), &renderer_name),
        merge_lists: opts.get("pillar_merge_lists").and_then(Value::as_bool).unwrap_or(false),
        override_sls: opts.get("pillar_includes_override_sls").and_then(Value::as_bool).unwrap_or(false),
        errors: Vec::new(),
        available: HashMap::new(),
        ignored: HashSet::new(),
        named_at: HashMap::new(),
    };
    let ext_first = opts.get("ext_pillar_first").and_then(Value::as_bool).unwrap_or(false);
    let mut data = over.clone();
    if ext_first {
        data = work.with_external(data);
        work.renderer.pillar = Some(data.clone());
    }
    let matches = work.matches();
    data = work.render(&matches, &data);
    if !ext_first {
        data = work.with_external(data);
    }
    if !over.is_empty() {
        data = merge::merge(data, over.clone(), work.strategy, work.merge_lists);
    }
    let mut errors = work.errors;
    errors.extend(super::decrypt::pillar(context, &mut data));
    Pillar { data, errors }
}

/// SLS that include one another may be nested this deeply.
const DEPTH: usize = 100;

struct Work<'a> {
    context: &'a Context<'a>,
    roots: &'a dyn Tree,
    renderer: Renderer<'a>,
    strategy: Strategy,
    merge_lists: bool,
    override_sls: bool,
    errors: Vec<Diagnostic>,
    available: HashMap<String, Vec<String>>,
    /// SLS that may be missing (`ignore_missing`), as `env:name`.
    ignored: HashSet<String>,
    /// Where an SLS, as `env:name`, is named first: in the top file or an include.
    named_at: HashMap<String, Place>,
}

/// A target of the top file: its order, where it is written, what it gets.
type Target = (i64, Place, Vec<Node>);

/// What an SLS gave, by name, so that none is rendered twice in an environment.
type Done = HashMap<String, Option<Map>>;

impl Work<'_> {
    /// What the `ext_pillar` of the configuration gives, merged over `data`.
    fn with_external(&mut self, data: Map) -> Map {
        let (found, errors) = super::ext_pillar::read(self.context);
        self.errors.extend(errors);
        found.into_iter().fold(data, |all, next| merge::merge(all, next, self.strategy, self.merge_lists))
    }

    fn environments(&self) -> Vec<String> {
        let opts = self.context.opts;
        let known = self.roots.environments();
        if let Some(env) = opts.get("pillarenv").and_then(Value::as_str) {
            return if known.iter().any(|k| k == env) || !self.roots.files(env).is_empty() {
                vec![env.to_owned()]
            } else {
                Vec::new()
            };
        }
        let mut all = vec!["base".to_owned()];
        all.extend(known.into_iter().filter(|env| env != "base"));
        if opts.get("pillar_source_merging_strategy").and_then(Value::as_str) == Some("none") {
            let only = opts.get("saltenv").and_then(Value::as_str).unwrap_or("base");
            all.retain(|env| env == only);
        }
        all
    }

    fn available(&mut self, env: &str) -> &[String] {
        let roots = self.roots;
        self.available.entry(env.to_owned()).or_insert_with(|| {
            let name = |path: &String| {
                let name = path.strip_suffix(".sls")?;
                Some(name.strip_suffix("/init").unwrap_or(name).replace('/', "."))
            };
            let mut names: Vec<String> = roots.files(env).iter().filter_map(name).collect();
            names.sort();
            names.dedup();
            names
        })
    }

    fn matching(&mut self, env: &str, pattern: &str) -> Vec<String> {
        self.available(env).iter().filter(|sls| glob::matches(pattern, sls)).cloned().collect()
    }

    /// The SLS that the top files of all environments give this minion.
    fn matches(&mut self) -> IndexMap<String, Vec<String>> {
        let mut targets: IndexMap<String, IndexMap<String, Target>> = IndexMap::new();
        for env in self.environments() {
            for top in self.tops(&env) {
                self.add_targets(&top, &mut targets);
            }
        }
        let mut matches: IndexMap<String, Vec<String>> = IndexMap::new();
        let only = self.context.opts.get("pillarenv").and_then(Value::as_str).map(str::to_owned);
        for (env, mut targets) in targets {
            if only.as_ref().is_some_and(|only| *only != env) {
                continue;
            }
            targets.sort_by(|_, (a, ..), _, (b, ..)| a.cmp(b));
            for (target, (_, place, items)) in targets {
                match matching::confirm(self.context, &target, super::top::match_type(&items), &place) {
                    Ok(true) => {
                        let of_env = matches.entry(env.clone()).or_default();
                        for item in &items {
                            let Some(name) = item.as_str() else { continue };
                            self.named_at.entry(format!("{env}:{name}")).or_insert_with(|| item.place());
                            if !of_env.iter().any(|known| known == name) {
                                of_env.push(name.to_owned());
                            }
                        }
                    }
                    Ok(false) => {}
                    Err(why) => self.errors.push(why),
                }
            }
        }
        matches
    }

    fn tops(&mut self, env: &str) -> Vec<Node> {
        let file = self.context.opts.get("state_top").and_then(Value::as_str).unwrap_or("top.sls");
        let file = file.trim_start_matches("salt://").trim_start_matches('/').to_owned();
        let mut tops = Vec::new();
        let mut waiting = vec![file];
        let mut done = HashSet::new();
        while let Some(path) = waiting.pop() {
            if !done.insert(path.clone()) {
                continue;
            }
            let Some(top) = self.top_file(env, &path) else { continue };
            for sls in top.get("include").and_then(Node::as_seq).unwrap_or(&[]) {
                let base = sls.to_text().replace('.', "/");
                let init = format!("{base}/init.sls");
                waiting.push(if self.roots.has(env, &init) { init } else { format!("{base}.sls") });
            }
            tops.push(top);
        }
        tops
    }

    fn top_file(&mut self, env: &str, path: &str) -> Option<Node> {
        let rendered = self.renderer.source(env, path).and_then(|source| match source {
            Some(source) => self.renderer.render(&source, Where { env, sls: "", path }, &Map::new()).map(Some),
            None => Ok(None),
        });
        match rendered {
            Ok(Some(Rendered::Data(node))) => Some(node),
            Ok(Some(Rendered::Text(_))) => {
                self.errors.push(Diagnostic::new(format!("the pillar's top file {path} renders to text, not to data")));
                None
            }
            Ok(None) => None,
            Err(why) => {
                self.errors.push(why.from("while rendering the pillar's top file", None));
                None
            }
        }
    }

    fn add_targets(&mut self, top: &Node, targets: &mut IndexMap<String, IndexMap<String, Target>>) {
        for (env, body) in top.as_map().unwrap_or(&[]) {
            let env_name = env.to_text();
            if env_name == "include" {
                continue;
            }
            let Some(pairs) = body.as_map() else {
                let message = format!("the environment {env_name} must have a mapping of targets, not {}", body.kind());
                self.errors.push(Diagnostic::new(message).at(&env.place()));
                continue;
            };
            for (target, data) in pairs {
                let items: Vec<Node> = data.as_seq().unwrap_or(std::slice::from_ref(data)).to_vec();
                let order = items
                    .iter()
                    .rev()
                    .find_map(|item| item.get("order"))
                    .map_or(0, |order| order.to_text().parse().unwrap_or(0));
                if items
                    .iter()
                    .any(|item| item.get("ignore_missing").is_some_and(|flag| to_value(flag) == Value::Bool(true)))
                {
                    self.ignored.extend(items.iter().filter_map(Node::as_str).map(|sls| format!("{env_name}:{sls}")));
                }
                targets.entry(env_name.clone()).or_default().insert(target.to_text(), (order, target.place(), items));
            }
        }
    }

    fn render(&mut self, matches: &IndexMap<String, Vec<String>>, over: &Map) -> Map {
        let mut pillar = over.clone();
        let order: Vec<String> = match self.context.opts.get("env_order") {
            Some(Value::Array(order)) => order.iter().filter_map(|env| env.as_str()).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let first = order.iter().filter(|env| matches.contains_key(*env));
        let all: Vec<&String> = first.chain(matches.keys().filter(|env| !order.contains(env))).collect();
        for env in all {
            let mut done = Done::new();
            for pattern in &matches[env] {
                let mut found = self.matching(env, pattern);
                if found.is_empty() {
                    found.push(pattern.clone());
                }
                for sls in found {
                    if let Some(state) = self.sls(&sls, env, &mut done, &Map::new(), 0) {
                        pillar = merge::merge(pillar, state, self.strategy, self.merge_lists);
                    }
                }
            }
        }
        pillar
    }

    /// One SLS with what it includes.
    fn sls(&mut self, sls: &str, env: &str, done: &mut Done, defaults: &Map, depth: usize) -> Option<Map> {
        let base = sls.replace('.', "/");
        let mut found = None;
        for path in [format!("{base}.sls"), format!("{base}/init.sls")] {
            match self.renderer.source(env, &path) {
                Ok(Some(source)) => {
                    found = Some((path, source));
                    break;
                }
                Ok(None) => {}
                Err(why) => self.errors.push(*why),
            }
        }
        let Some((path, source)) = found else {
            if !self.ignored.contains(&format!("{env}:{sls}")) && self.environments().iter().any(|known| known == env) {
                let hint = did_you_mean(sls, self.available(env).iter().map(String::as_str));
                let missing = Diagnostic::new(format!("the pillar SLS {sls} does not exist in the environment {env}"));
                let place = self.named_at.get(&format!("{env}:{sls}")).cloned();
                self.errors.push(Diagnostic { place, ..missing.hint_opt(hint) });
            }
            return None;
        };
        if depth > DEPTH {
            self.errors.push(Diagnostic::new(format!("the pillar SLS {sls} is included too deeply")));
            return None;
        }
        let node = match self.renderer.render(&source, Where { env, sls, path: &path }, defaults) {
            Ok(Rendered::Data(node)) => node,
            Ok(Rendered::Text(_)) => {
                self.errors.push(Diagnostic::new(format!("the pillar SLS {sls} renders to text, not to data")));
                return None;
            }
            Err(why) => {
                self.errors.push(why.from(format!("while rendering the pillar SLS {sls}"), None));
                done.insert(sls.to_owned(), None);
                return None;
            }
        };
        let Value::Object(mut state) = to_value(&node) else {
            let message = format!("the pillar SLS {sls} renders to {}, not to a mapping", node.kind());
            self.errors.push(Diagnostic::new(message).at(&node.place()));
            return None;
        };
        let Some(include) = node.get("include") else {
            done.insert(sls.to_owned(), Some(state.clone()));
            return Some(state);
        };
        let Some(items) = include.as_seq() else {
            self.errors.push(
                Diagnostic::new(format!("the include of the pillar SLS {sls} must be a list")).at(&include.place()),
            );
            return Some(state);
        };
        state.shift_remove("include");
        done.insert(sls.to_owned(), Some(state.clone()));
        Some(self.with_includes(state, items, sls, env, &path, done, defaults, depth))
    }

    #[allow(clippy::too_many_arguments, reason = "what one level of includes hands to the next")]
    fn with_includes(
        &mut self,
        state: Map,
        items: &[Node],
        sls: &str,
        env: &str,
        path: &str,
        done: &mut Done,
        defaults: &Map,
        depth: usize,
    ) -> Map {
        let mut before: Vec<Map> = Vec::new();
        let mut state = state;
        let mut defaults = defaults.clone();
        for item in items {
            let mut key = None;
            let name = match item.single() {
                Some((name, options)) => {
                    // Defaults stay for the includes behind, as they do in Salt.
                    defaults = match options.get("defaults").map(to_value) {
                        Some(Value::Object(map)) => map,
                        _ => Map::new(),
                    };
                    key = options.get("key").map(Node::to_text);
                    name.to_text()
                }
                None => item.to_text(),
            };
            for target in self.targets(&name, sls, env, path) {
                self.named_at.entry(format!("{env}:{target}")).or_insert_with(|| item.place());
                let nested = match done.get(&target) {
                    Some(known) => known.clone(),
                    None => self.sls(&target, env, done, &defaults, depth + 1),
                };
                let Some(nested) = nested.filter(|nested| !nested.is_empty()) else { continue };
                let nested = match &key {
                    Some(key) => key
                        .rsplit(':')
                        .fold(nested, |inner, part| [(part.to_owned(), Value::Object(inner))].into_iter().collect()),
                    None => nested,
                };
                if self.override_sls {
                    state = merge::merge(state, nested, self.strategy, self.merge_lists);
                } else {
                    before.push(nested);
                }
            }
        }
        before.push(state);
        let (strategy, lists) = (self.strategy, self.merge_lists);
        before.into_iter().reduce(|all, next| merge::merge(all, next, strategy, lists)).unwrap_or_default()
    }

    fn targets(&mut self, name: &str, sls: &str, env: &str, path: &str) -> Vec<String> {
        let mut targets = self.matching(env, &name.trim_start_matches('.').replace('/', "."));
        let full = match name.strip_prefix('.') {
            None => name.to_owned(),
            Some(rest) => {
                let mut parts: Vec<&str> = sls.split('.').collect();
                if !path.ends_with("/init.sls") {
                    parts.pop();
                }
                parts.push(rest);
                parts.join(".")
            }
        };
        for found in self.matching(env, &full) {
            if !targets.contains(&found) {
                targets.push(found);
            }
        }
        if targets.is_empty() {
            targets.push(full);
        }
        targets
    }
}
