//! `require_in`, `watch_in` and their like are turned round; `use` copies arguments.

use std::{collections::HashMap, sync::Arc};

use indexmap::IndexMap;

use super::{
    Decl, High, Problems, StateDecl, extend,
    high::{Arg, Body},
};
use crate::{
    Diagnostic,
    yaml::{Data, Node},
};

const TURNED: [&str; 7] = ["require_in", "watch_in", "onfail_in", "onchanges_in", "use", "use_in", "prereq_in"];
/// Arguments that `use` does not copy.
const NOT_USED: [&str; 15] = [
    "require_in",
    "watch_in",
    "onfail_in",
    "onchanges_in",
    "use",
    "use_in",
    "prereq_in",
    "require",
    "watch",
    "prereq",
    "onfail",
    "onfail_stop",
    "onchanges",
    "name",
    "names",
];

/// What is to be added, by id and module, in the order it was found.
type Added = IndexMap<(Arc<str>, Arc<str>), Vec<Arg>>;

pub fn apply(high: &mut High) -> Problems {
    let mut problems = Problems::new();
    let mut added = Added::new();
    let mut origin: HashMap<Arc<str>, (Arc<str>, Arc<str>, Node)> = HashMap::new();
    let names = names(high);
    for (id, decl) in &high.decls {
        for state in &decl.states {
            for arg in state.args() {
                let Arg::Pairs(pairs, _) = arg else { continue };
                let Some((key, value)) = pairs.first() else { continue };
                let Some(kind) = key.as_str().filter(|kind| TURNED.contains(kind)) else { continue };
                let from = From { high, id, decl, state, kind, key };
                from.turn(value, &names, &mut added, &mut origin, &mut problems);
            }
        }
    }
    let mut grouped: IndexMap<Arc<str>, Vec<StateDecl>> = IndexMap::new();
    for ((id, module), args) in added {
        let at = origin.get(&id).map(|(_, _, node)| node.clone());
        let Some(at) = at else { continue };
        grouped.entry(id).or_default().push(StateDecl { module, at, body: Body::Args(args) });
    }
    for (id, states) in grouped {
        let Some((sls, env, at)) = origin.get(&id).cloned() else { continue };
        let decl = Decl { id: at, states, sls, env, included_from: Vec::new(), other: Vec::new() };
        high.extend.push((id, decl));
    }
    problems.extend(extend::reconcile(high, true));
    problems
}

/// Ids by the value of their `name`, with the module that has it; the last one counts.
fn names(high: &High) -> HashMap<String, (Arc<str>, Arc<str>)> {
    let mut names = HashMap::new();
    for (id, decl) in &high.decls {
        for state in &decl.states {
            for arg in state.args() {
                let Arg::Pairs(pairs, _) = arg else { continue };
                for (key, value) in pairs {
                    if key.as_str() == Some("name")
                        && let Some(name) = value.as_str()
                    {
                        names.insert(name.to_owned(), (state.module.clone(), id.clone()));
                    }
                }
            }
        }
    }
    names
}

/// The state that has a `*_in`.
struct From<'h> {
    high: &'h High,
    id: &'h Arc<str>,
    decl: &'h Decl,
    state: &'h StateDecl,
    kind: &'h str,
    key: &'h Node,
}

type Origin = HashMap<Arc<str>, (Arc<str>, Arc<str>, Node)>;

impl From<'_> {
    fn turn(
        &self,
        value: &Node,
        names: &HashMap<String, (Arc<str>, Arc<str>)>,
        added: &mut Added,
        origin: &mut Origin,
        problems: &mut Problems,
    ) {
        match &value.data {
            Data::Map(pairs) => {
                for (module, name) in pairs.iter() {
                    let module = self.module(module, problems);
                    self.add(&name.to_text().into(), &module, name, added, origin);
                }
            }
            Data::Seq(items) => {
                for item in items.iter() {
                    for (name, module) in self.targets(item, names, problems) {
                        match self.kind {
                            "use_in" => self.give(&name, &module, item, added, origin),
                            "use" => self.take(&name, &module, item, added, origin),
                            _ => self.add(&name, &module, item, added, origin),
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// A module without the function that should not be there.
    fn module(&self, node: &Node, problems: &mut Problems) -> Arc<str> {
        let text = node.to_text();
        match text.split_once('.') {
            None => text.into(),
            Some((short, _)) => {
                problems.push(
                    Diagnostic::new(format!(
                        "a {} of the id '{}' names a function, where a module is expected",
                        self.kind, self.id
                    ))
                    .at(&node.place())
                    .hint(format!("did you mean {short}?")),
                );
                short.into()
            }
        }
    }

    /// The ids and modules that an entry means.
    fn targets(
        &self,
        item: &Node,
        names: &HashMap<String, (Arc<str>, Arc<str>)>,
        problems: &mut Problems,
    ) -> Vec<(Arc<str>, Arc<str>)> {
        if let Some(pairs) = item.as_map() {
            let Some((module, name)) = pairs.first() else { return Vec::new() };
            if module.as_str() == Some("sls") {
                return self.of_sls(&name.to_text());
            }
            let module = self.module(module, problems);
            return vec![(name.to_text().into(), module)];
        }
        let id = item.to_text();
        if let Some(decl) = self.high.decls.get(id.as_str()) {
            return decl
                .states
                .first()
                .map(|state| (Arc::from(id.as_str()), state.module.clone()))
                .into_iter()
                .collect();
        }
        names.get(&id).map(|(module, id)| (id.clone(), module.clone())).into_iter().collect()
    }

    fn of_sls(&self, sls: &str) -> Vec<(Arc<str>, Arc<str>)> {
        let of_sls = self.high.decls.iter().filter(|(_, decl)| &*decl.sls == sls);
        of_sls.flat_map(|(id, decl)| decl.states.iter().map(move |state| (id.clone(), state.module.clone()))).collect()
    }

    fn entry<'m>(
        &self,
        id: &Arc<str>,
        module: &Arc<str>,
        at: &Node,
        added: &'m mut Added,
        origin: &mut Origin,
    ) -> &'m mut Vec<Arg> {
        origin.insert(id.clone(), (self.decl.sls.clone(), self.decl.env.clone(), at.clone()));
        added.entry((id.clone(), module.clone())).or_default()
    }

    /// `require_in` here is `require` there.
    fn add(&self, id: &Arc<str>, module: &Arc<str>, at: &Node, added: &mut Added, origin: &mut Origin) {
        let requisite = self.kind.split('_').next().unwrap_or("");
        let text = |text: &str| Node { data: Data::Str(text.into()), ..at.clone() };
        let me =
            Node { data: Data::Map(Arc::new(vec![(text(&self.state.module), text(self.id))])), ..self.key.clone() };
        let args = self.entry(id, module, at, added, origin);
        let list = Node { data: Data::Seq(Arc::new(vec![me])), ..self.key.clone() };
        let arg = Arg::pair(&text(requisite), list);
        match args.iter_mut().find(|arg| arg.key() == Some(requisite)) {
            Some(known) => {
                extend::add_requisites(known, &arg);
            }
            None => args.push(arg),
        }
    }

    /// The states that a name means, for `use`: its id must have the module.
    fn found(&self, name: &Arc<str>, module: &Arc<str>) -> Vec<Arc<str>> {
        if let Some(decl) = self.high.decls.get(name)
            && decl.state(module).is_some()
        {
            return vec![name.clone()];
        }
        let has_name = |state: &StateDecl| {
            state.args().iter().any(|arg| arg.single().is_some_and(|(_, v)| v.as_str() == Some(name)))
        };
        let found = self.high.decls.iter().filter(|(_, decl)| decl.state(module).is_some_and(has_name));
        found.map(|(id, _)| id.clone()).collect()
    }

    /// Arguments of one state that another does not have itself.
    fn usable(from: &StateDecl, to: &StateDecl) -> Vec<Arg> {
        let has = |key: &str| to.args().iter().any(|arg| arg.key() == Some(key));
        let usable = |arg: &&Arg| match arg {
            Arg::Pairs(pairs, _) => {
                pairs.len() == 1 && arg.key().is_some_and(|key| !NOT_USED.contains(&key) && !has(key))
            }
            Arg::Order(_) => !has("order"),
            _ => false,
        };
        from.args().iter().filter(usable).cloned().collect()
    }

    /// `use_in`: my arguments for them.
    fn give(&self, name: &Arc<str>, module: &Arc<str>, at: &Node, added: &mut Added, origin: &mut Origin) {
        for id in self.found(name, module) {
            let Some(theirs) = self.high.decls.get(&id).and_then(|decl| decl.state(module)) else { continue };
            let args = Self::usable(self.state, theirs);
            self.entry(&id, module, at, added, origin).extend(args);
        }
    }

    /// `use`: their arguments for me.
    fn take(&self, name: &Arc<str>, module: &Arc<str>, at: &Node, added: &mut Added, origin: &mut Origin) {
        for id in self.found(name, module) {
            let Some(theirs) = self.high.decls.get(&id).and_then(|decl| decl.state(module)) else { continue };
            let args = Self::usable(theirs, self.state);
            self.entry(self.id, &self.state.module, at, added, origin).extend(args);
        }
    }
}
