//! What can be called on a minion, and what states there are, by the tables of the crates that
//! have them.

use states::{
    Effect, Function,
    call::{Functions as _, Param},
};

/// All functions, by name.
pub fn functions() -> Vec<&'static Function> {
    let mut all: Vec<_> = minion::exec::Table.all().collect();
    all.sort_by_key(|function| function.name);
    all
}

/// Whether a function of the minion's own takes these arguments; the others bind theirs as they run.
///
/// # Errors
/// What it does not take or lacks.
pub fn check(name: &str, args: &proto::Args) -> Result<(), String> {
    let shared = |known: &&'static Function| states::functions::all().iter().any(|f| std::ptr::eq(*f, *known));
    match minion::exec::Table.find(name) {
        Some(known) if !shared(&known) => {
            minion::exec::bind::bind(known.name, known.params, args.clone()).map(drop).map_err(|why| why.to_string())
        }
        _ => Ok(()),
    }
}

/// A function or a state, as its documentation needs it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `module.function`
    pub name: String,
    pub doc: &'static str,
    pub params: &'static [Param],
    pub kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Function(Effect),
    State,
}

impl Entry {
    pub fn module(&self) -> &str {
        self.name.split_once('.').map_or(&*self.name, |(module, _)| module)
    }
}

/// All functions and all states, by name.
pub fn entries() -> Vec<Entry> {
    let function = |f: &'static Function| Entry {
        name: f.name.to_owned(),
        doc: f.doc,
        params: f.params,
        kind: Kind::Function(f.effect),
    };
    let mut all: Vec<Entry> = functions().into_iter().map(function).chain(states()).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn states() -> impl Iterator<Item = Entry> {
    states::modules::all().map(|(module, state)| Entry {
        name: format!("{}.{}", module.name, state.name),
        doc: state.doc,
        params: state.params,
        kind: Kind::State,
    })
}

/// States of orchestrate SLS, which the master runs (`ctl orchestrate`).
const ORCHESTRATION: &[&str] =
    &["salt.state", "salt.function", "salt.runner", "salt.wheel", "salt.wait_for_event", "salt.parallel_runners"];

/// Whether a state (`file.managed`) can be run.
pub fn has_state(name: &str) -> bool {
    if ORCHESTRATION.contains(&name) {
        return true;
    }
    name.split_once('.').is_some_and(|(module, fun)| fun != "mod_watch" && states::modules::find(module, fun).is_some())
}
