//! From SLS files to high data: includes, extends, excludes, short forms.

use std::{rc::Rc, sync::Arc};

use super::{
    Compiler, Decl, High, Matches, Problems, Rendered, StateDecl,
    high::{Arg, Body, Exclude},
    render::Where,
};
use crate::{
    Diagnostic,
    diag::{Place, did_you_mean},
    glob,
    yaml::{Data, Node},
};

/// SLS that include one another may be nested this deeply.
const DEPTH: usize = 100;

impl Compiler<'_> {
    /// The SLS of an environment by name: `web` and `web.sub`, sorted.
    pub fn available(&mut self, env: &str) -> Rc<Vec<String>> {
        if let Some(known) = self.available.get(env) {
            return known.clone();
        }
        let mut names: Vec<String> = self.context.tree.files(env).iter().filter_map(|path| sls_name(path)).collect();
        names.sort();
        names.dedup();
        let names = Rc::new(names);
        self.available.insert(env.to_owned(), names.clone());
        names
    }

    fn matching(&mut self, env: &str, pattern: &str) -> Vec<String> {
        let available = self.available(env);
        if !glob::is_pattern(pattern) {
            return if available.binary_search_by(|name| name.as_str().cmp(pattern)).is_ok() {
                vec![pattern.to_owned()]
            } else {
                Vec::new()
            };
        }
        available.iter().filter(|name| glob::matches(pattern, name)).cloned().collect()
    }

    /// The high state of what each environment gives.
    pub fn render_highstate(&mut self, matches: &Matches) -> (High, Problems) {
        let mut high = High::default();
        let mut problems = Problems::new();
        for (env, patterns) in matches {
            for pattern in patterns {
                let mut found = self.matching(env, pattern);
                if found.is_empty() {
                    found.push(pattern.clone());
                }
                for sls in found {
                    if self.rendered.contains(&format!("{env}:{sls}")) {
                        continue;
                    }
                    let state = self.render_sls(&sls, env, matches, None, 0, &mut problems);
                    merge(&mut high, state, &mut problems);
                }
            }
        }
        clean_duplicate_extends(&mut high);
        (high, problems)
    }

    fn render_sls(
        &mut self,
        sls: &str,
        env: &str,
        matches: &Matches,
        from: Option<&Node>,
        depth: usize,
        problems: &mut Problems,
    ) -> High {
        self.rendered.insert(format!("{env}:{sls}"));
        let Some((path, source)) = self.find_sls(sls, env, from, problems) else { return High::default() };
        let at = Where { env, sls, path: &path };
        let node = match self.renderer.render(&source, at, &proto::Map::new()) {
            Ok(Rendered::Data(node)) => node,
            Ok(Rendered::Text(_)) => {
                problems.push(
                    Diagnostic::new(format!("SLS {sls} renders to text, not to data"))
                        .at(&Place::new(&source, 1, 1, 1)),
                );
                return High::default();
            }
            Err(why) => {
                problems.push(included(*why, sls, from));
                return High::default();
            }
        };
        if depth > DEPTH {
            problems.push(Diagnostic::new(format!("SLS {sls} is included too deeply")).at(&node.place()));
            return High::default();
        }
        let before = problems.len();
        let mut state = self.high_from_node(&node, sls, env, problems);
        for include in includes(&node, sls, problems) {
            self.include(&include, sls, env, &path, matches, depth, &mut state, problems);
        }
        self.number(&mut state);
        if let Some(from) = from {
            for problem in &mut problems[before..] {
                problem.chain.push(crate::diag::Frame { what: "included from".into(), place: Some(from.place()) });
            }
        }
        state
    }

    fn find_sls(
        &mut self,
        sls: &str,
        env: &str,
        from: Option<&Node>,
        problems: &mut Problems,
    ) -> Option<(String, Arc<crate::diag::Source>)> {
        let base = sls.replace('.', "/");
        for path in [format!("{base}.sls"), format!("{base}/init.sls")] {
            match self.renderer.source(env, &path) {
                Ok(Some(source)) => return Some((path, source)),
                Ok(None) => {}
                Err(why) => {
                    problems.push(*why);
                    return None;
                }
            }
        }
        let mut problem = match self.known_environment(env) {
            true => self.no_sls(sls, env),
            false => self.no_environment(env),
        };
        if let Some(from) = from {
            problem = problem.at(&from.place());
        }
        problems.push(problem);
        None
    }

    /// One entry of `include`: a name or a glob, relative or of another environment.
    #[allow(clippy::too_many_arguments)]
    fn include(
        &mut self,
        entry: &Node,
        sls: &str,
        env: &str,
        path: &str,
        matches: &Matches,
        depth: usize,
        state: &mut High,
        problems: &mut Problems,
    ) {
        let (wanted_env, node) = match entry.single() {
            Some((key, value)) => (key.to_text(), value),
            None => (env.to_owned(), entry),
        };
        let Some(name) = node.as_str() else {
            problems.push(
                Diagnostic::new(format!("an include must be the name of an SLS, not {}", node.kind()))
                    .at(&node.place()),
            );
            return;
        };
        let name = match absolute(name, sls, path) {
            Some(name) => name,
            None => {
                problems.push(
                    Diagnostic::new(format!("the include {name} goes above the top of the tree")).at(&node.place()),
                );
                return;
            }
        };
        let environments = if wanted_env == "_xenv" {
            let all: Vec<String> = matches.keys().cloned().collect();
            all.into_iter().filter(|env| !self.matching(env, &name).is_empty()).collect()
        } else if !self.known_environment(&wanted_env) {
            problems.push(self.no_environment(&wanted_env).at(&entry.place()));
            return;
        } else if matches.contains_key(&wanted_env) || !self.matching(&wanted_env, &name).is_empty() {
            vec![wanted_env.clone()]
        } else {
            Vec::new()
        };
        let chosen = match &environments[..] {
            [single] => single.clone(),
            all if all.iter().any(|other| other == env) => env.to_owned(),
            [] => {
                problems.push(self.no_sls(&name, &wanted_env).at(&node.place()));
                return;
            }
            all => {
                let message = format!("the include {name} is in several environments: {}", all.join(", "));
                problems.push(Diagnostic::new(message).at(&node.place()));
                return;
            }
        };
        // Globs are resolved in the including SLS's environment, as Salt does.
        let mut targets = self.matching(env, &name);
        if targets.is_empty() {
            targets.push(name);
        }
        for target in targets {
            if self.rendered.contains(&format!("{chosen}:{target}")) {
                continue;
            }
            let mut nested = self.render_sls(&target, &chosen, matches, Some(node), depth + 1, problems);
            for decl in nested.decls.values_mut() {
                decl.included_from.push(sls.into());
            }
            merge(state, nested, problems);
        }
    }

    fn known_environment(&self, env: &str) -> bool {
        let known = self.context.tree.environments();
        known.is_empty() || known.iter().any(|other| other == env) || !self.context.tree.files(env).is_empty()
    }

    fn no_environment(&self, env: &str) -> Diagnostic {
        let known = self.context.tree.environments();
        let near = did_you_mean(env, known.iter().map(String::as_str));
        let hint = near.unwrap_or_else(|| format!("those of file_roots are {}", known.join(", ")));
        Diagnostic::new(format!("the environment {env} does not exist")).hint(hint)
    }

    fn no_sls(&mut self, name: &str, env: &str) -> Diagnostic {
        let available = self.available(env);
        Diagnostic::new(format!("SLS {name} does not exist in the environment {env}"))
            .hint_opt(did_you_mean(name, available.iter().map(String::as_str)))
    }

    /// Gives every state without an order the next number.
    fn number(&mut self, state: &mut High) {
        for decl in state.decls.values_mut() {
            for state in &mut decl.states {
                if state.module.starts_with('_') {
                    continue;
                }
                let Some(args) = state.args_mut() else { continue };
                if args.iter().any(|arg| arg.key() == Some("order")) {
                    continue;
                }
                args.push(Arg::Order(self.next_order));
                self.next_order += 1;
            }
        }
    }

    /// The declarations of one rendered SLS, without its includes.
    pub(super) fn high_from_node(&mut self, node: &Node, sls: &str, env: &str, problems: &mut Problems) -> High {
        let mut high = High::default();
        let Some(pairs) = node.as_map() else {
            let message = format!("SLS {sls} renders to {}, where ids with their states are expected", node.kind());
            problems.push(Diagnostic::new(message).at(&node.place()));
            return high;
        };
        for (key, value) in pairs {
            match key.as_str() {
                Some("include") if value.as_seq().is_some() => {}
                Some("extend") => extend(&mut high, value, sls, env, problems),
                Some("exclude") => exclude(&mut high, value, problems),
                _ => {
                    if let Some(decl) = declaration(key, value, sls, env, problems) {
                        high.decls.insert(key.to_text().into(), decl);
                    }
                }
            }
        }
        high
    }
}

/// `web/init.sls` is `web`, `web/sub.sls` is `web.sub`.
fn sls_name(path: &str) -> Option<String> {
    let name = path.strip_suffix(".sls")?;
    let name = name.strip_suffix("/init").unwrap_or(name);
    Some(name.replace('/', "."))
}

fn included(mut problem: Diagnostic, sls: &str, from: Option<&Node>) -> Diagnostic {
    problem.chain.push(crate::diag::Frame { what: format!("while rendering SLS {sls}"), place: None });
    if let Some(from) = from {
        problem.chain.push(crate::diag::Frame { what: "included from".into(), place: Some(from.place()) });
    }
    problem
}

fn includes(node: &Node, sls: &str, problems: &mut Problems) -> Vec<Node> {
    let Some(value) = node.get("include") else { return Vec::new() };
    match value.as_seq() {
        Some(items) => items.to_vec(),
        None => {
            problems.push(
                Diagnostic::new(format!("the include of SLS {sls} must be a list"))
                    .at(&value.place())
                    .hint("write each name on its own line behind `- `"),
            );
            Vec::new()
        }
    }
}

/// A relative name (`.sub`, `..other`) in full.
fn absolute(name: &str, sls: &str, path: &str) -> Option<String> {
    if !name.starts_with('.') {
        return Some(name.to_owned());
    }
    let levels = name.len() - name.trim_start_matches('.').len();
    let mut parts: Vec<&str> = sls.split('.').collect();
    if path.ends_with("/init.sls") {
        parts.push("init");
    }
    let kept = parts.len().checked_sub(levels)?;
    parts.truncate(kept);
    parts.push(&name[levels..]);
    Some(parts.join("."))
}

/// Adds what another SLS declares; the same id twice is a problem unless it says the same.
fn merge(high: &mut High, other: High, problems: &mut Problems) {
    high.has_extend |= other.has_extend;
    high.has_exclude |= other.has_exclude;
    high.extend.extend(other.extend);
    high.exclude.extend(other.exclude);
    for (id, decl) in other.decls {
        if let Some(known) = high.decls.get(&id)
            && !known.same(&decl)
        {
            problems.push(
                Diagnostic::new(format!("the id '{id}' is declared by SLS {} and by SLS {}", known.sls, decl.sls))
                    .at(&decl.place())
                    .note("it was declared first here", &known.place())
                    .hint("an id may be declared once in a whole highstate: rename one, or use `extend`"),
            );
        }
        high.decls.insert(id, decl);
    }
}

fn clean_duplicate_extends(high: &mut High) {
    let mut kept: Vec<(Arc<str>, Decl)> = Vec::new();
    for (id, decl) in std::mem::take(&mut high.extend) {
        if !kept.iter().any(|(other, known)| *other == id && known.same(&decl)) {
            kept.push((id, decl));
        }
    }
    high.extend = kept;
}

/// One id of an SLS.
fn declaration(id: &Node, value: &Node, sls: &str, env: &str, problems: &mut Problems) -> Option<Decl> {
    let mut decl = Decl {
        id: id.clone(),
        states: Vec::new(),
        sls: sls.into(),
        env: env.into(),
        included_from: Vec::new(),
        other: Vec::new(),
    };
    if let Some(text) = value.as_str()
        && let Some((module, rest)) = text.split_once('.')
    {
        // `id: pkg.installed`, the shortest form.
        let fun = Node { data: Data::Str(rest.split('.').next().unwrap_or("").into()), ..value.clone() };
        decl.states.push(StateDecl { module: module.into(), at: value.clone(), body: Body::Args(vec![Arg::Fun(fun)]) });
        return Some(decl);
    }
    let Some(pairs) = value.as_map() else {
        let mut problem =
            Diagnostic::new(format!("the id '{}' has {}, where its states are expected", id.to_text(), value.kind()));
        if value.is_null() {
            problem = problem.hint("indent its states beneath it, as in `  pkg.installed`");
        }
        problems.push(problem.at(&id.place()));
        return None;
    };
    states(&mut decl, pairs, problems, false);
    Some(decl)
}

/// The states of an id. A dotted key moves behind the others, as it does in Salt.
fn states(decl: &mut Decl, pairs: &[(Node, Node)], problems: &mut Problems, extending: bool) {
    let mut seen: Vec<&str> = Vec::new();
    let mut dotted = Vec::new();
    for (key, value) in pairs {
        let name = key.to_text();
        if name.starts_with('_') {
            match name.as_str() {
                "__sls__" => decl.sls = value.to_text().into(),
                "__env__" => decl.env = value.to_text().into(),
                _ => decl.other.push((key.clone(), value.clone())),
            }
            continue;
        }
        let body = match value.as_seq() {
            Some(items) => Body::Args(items.iter().map(Arg::from_node).collect()),
            None => Body::Other(value.clone()),
        };
        let list = value.as_seq().is_some();
        match name.split_once('.').filter(|_| list) {
            None => {
                if list {
                    seen.push(key.as_str().unwrap_or(""));
                }
                decl.states.push(StateDecl { module: name.into(), at: key.clone(), body });
            }
            Some((module, rest)) => {
                if !extending
                    && (seen.contains(&module) || dotted.iter().any(|(other, _): &(String, _)| other == module))
                {
                    let message = format!("the id '{}' has two states of the module {module}", decl.id.to_text());
                    problems.push(
                        Diagnostic::new(message).at(&key.place()).hint("put the second one beneath an id of its own"),
                    );
                    continue;
                }
                let fun = Node { data: Data::Str(rest.split('.').next().unwrap_or("").into()), ..key.clone() };
                let mut body = body;
                if let Body::Args(args) = &mut body {
                    args.push(Arg::Fun(fun));
                }
                dotted.push((module.to_owned(), StateDecl { module: module.into(), at: key.clone(), body }));
            }
        }
    }
    for (module, state) in dotted {
        decl.states.retain(|other| *other.module != *module);
        decl.states.push(state);
    }
}

fn extend(high: &mut High, value: &Node, sls: &str, env: &str, problems: &mut Problems) {
    high.has_extend = true;
    let Some(pairs) = value.as_map() else {
        problems.push(Diagnostic::new(format!("the extend of SLS {sls} must be a mapping of ids")).at(&value.place()));
        return;
    };
    for (id, body) in pairs {
        let Some(states_of) = body.as_map() else {
            let message =
                format!("the extended id '{}' has {}, where its states are expected", id.to_text(), body.kind());
            problems.push(Diagnostic::new(message).at(&id.place()));
            continue;
        };
        let mut decl = Decl {
            id: id.clone(),
            states: Vec::new(),
            sls: sls.into(),
            env: env.into(),
            included_from: Vec::new(),
            other: Vec::new(),
        };
        states(&mut decl, states_of, problems, true);
        high.extend.push((id.to_text().into(), decl));
    }
}

fn exclude(high: &mut High, value: &Node, problems: &mut Problems) {
    high.has_exclude = true;
    let Some(items) = value.as_seq() else {
        problems.push(Diagnostic::new("exclude must be a list of SLS names, or of `- id: name`").at(&value.place()));
        return;
    };
    for item in items {
        high.exclude.extend(Exclude::from_value(&crate::yaml::to_value(item)));
    }
}
