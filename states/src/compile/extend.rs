//! `extend` and `exclude`, and what `*_in` made of them.

use std::sync::Arc;

use super::{
    Decl, High, Problems,
    high::{Arg, Body, Exclude},
    verify::REQUISITES,
};
use crate::{
    Diagnostic, glob,
    yaml::{Data, Node},
};

/// Puts every extension into its declaration. `strict` is how requisites of others are added:
/// an id alone is not enough then, it must have the state as well.
pub fn reconcile(high: &mut High, strict: bool) -> Problems {
    let mut problems = Problems::new();
    let excluded: Vec<String> = high
        .exclude
        .iter()
        .filter_map(|exclude| match exclude {
            Exclude::Bare(sls) | Exclude::Sls(sls) => Some(sls.clone()),
            Exclude::Id(_) => None,
        })
        .collect();
    let mut by_name = None;
    for (id, extension) in std::mem::take(&mut high.extend) {
        let Some(first) = extension.states.first().map(|state| state.module.clone()) else { continue };
        let target = match high.decls.get(&id) {
            Some(decl) if decl.state(&first).is_some() => Some(id.clone()),
            _ => find(high, &id, &first, strict, &mut by_name),
        };
        let Some(target) = target else {
            problems.push(missing(high, &id, &extension));
            continue;
        };
        if excluded.contains(&extension.sls.to_string()) {
            continue;
        }
        if let Some(decl) = high.decls.get_mut(&target) {
            extend_one(decl, extension);
        }
    }
    high.has_extend = false;
    problems
}

fn missing(high: &High, id: &str, extension: &Decl) -> Diagnostic {
    Diagnostic::new(format!("the id '{id}', which is to be extended, is not part of this highstate"))
        .at(&extension.place())
        .hint_opt(high.nearest(id).or_else(|| Some("include the SLS that declares it".into())))
}

/// The one id that is meant: by itself, or by a value of one of its arguments.
fn find(high: &High, name: &Arc<str>, module: &str, strict: bool, index: &mut Option<NameIndex>) -> Option<Arc<str>> {
    if high.decls.contains_key(name) && !strict {
        return Some(name.clone());
    }
    if module == "sls" {
        let mut of_sls = high.decls.iter().filter(|(_, decl)| decl.sls == *name);
        return match (of_sls.next(), of_sls.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        };
    }
    let index = index.get_or_insert_with(|| NameIndex::new(high));
    match index.0.get(&(module.to_owned(), name.to_string())).map(Vec::as_slice) {
        Some([id]) => Some(id.clone()),
        _ => None,
    }
}

/// Which ids have an argument of some value, by module and value.
struct NameIndex(std::collections::HashMap<(String, String), Vec<Arc<str>>>);

impl NameIndex {
    fn new(high: &High) -> Self {
        let mut index: std::collections::HashMap<(String, String), Vec<Arc<str>>> = std::collections::HashMap::new();
        for (id, decl) in &high.decls {
            for state in &decl.states {
                for arg in state.args() {
                    if let Some((_, value)) = arg.single()
                        && let Some(text) = value.as_str()
                    {
                        index.entry((state.module.to_string(), text.to_owned())).or_default().push(id.clone());
                    }
                }
            }
        }
        Self(index)
    }
}

fn extend_one(decl: &mut Decl, extension: Decl) {
    for state in extension.states {
        let Some(known) = decl.state_mut(&state.module) else {
            decl.states.push(state);
            continue;
        };
        match (&mut known.body, state.body) {
            (Body::Args(known), Body::Args(args)) => {
                for arg in args {
                    extend_arg(known, arg);
                }
            }
            (body, other) => *body = other,
        }
    }
}

fn extend_arg(known: &mut Vec<Arg>, arg: Arg) {
    let mut updated = false;
    for old in known.iter_mut() {
        match (&mut *old, &arg) {
            (Arg::Fun(_), Arg::Fun(_)) => {
                *old = arg.clone();
                updated = true;
            }
            (Arg::Pairs(..) | Arg::Order(_), Arg::Pairs(..) | Arg::Order(_)) => {
                if old.key() == arg.key() {
                    updated = true;
                    if !arg.key().is_some_and(|key| REQUISITES.contains(&key)) || !add_requisites(old, &arg) {
                        *old = arg.clone();
                    }
                } else if arg.key() == Some("name") && old.key() == Some("names") {
                    *old = arg.clone();
                }
            }
            _ => {}
        }
    }
    if !updated {
        known.push(arg);
    }
}

/// Adds a list of requisites to another; false if one of them is no list.
pub fn add_requisites(old: &mut Arg, new: &Arg) -> bool {
    let more = match new {
        Arg::Pairs(pairs, _) => pairs.first().and_then(|(_, value)| value.as_seq()).map(<[Node]>::to_vec),
        _ => None,
    };
    let (Arg::Pairs(pairs, _), Some(more)) = (old, more) else { return false };
    let Some((_, value)) = pairs.first_mut() else { return false };
    match &mut value.data {
        Data::Seq(items) => {
            Arc::make_mut(items).extend(more);
            true
        }
        _ => false,
    }
}

/// Takes out what is excluded, by id and by SLS.
pub fn exclude(high: &mut High) {
    let excludes = std::mem::take(&mut high.exclude);
    if excludes.is_empty() {
        return;
    }
    high.decls.retain(|id, decl| {
        !excludes.iter().any(|exclude| match exclude {
            Exclude::Id(excluded) => **id == **excluded,
            Exclude::Bare(pattern) | Exclude::Sls(pattern) => glob::matches(pattern, &decl.sls),
        })
    });
}
