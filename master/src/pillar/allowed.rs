//! Which functions the templates of pillar may call.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
};

use proto::Glob;
use states::{CallError, Effect, Function, call::Functions};

use super::commands;

/// Modules whose functions look at nothing but the minion's grains, the tree and their arguments:
/// a pillar that calls no others is the same each time.
const PURE: &[&str] = &["config", "cp", "defaults", "grains", "log", "match", "pillar", "slsutil"];

/// The functions of a master: those that only read, and what `pillar_functions` lists.
pub struct Allowed {
    table: HashMap<&'static str, &'static Function>,
}

impl Allowed {
    pub fn new(listed: Vec<Glob>) -> Self {
        let may = |function: &&'static Function| {
            function.effect == Effect::Reads || listed.iter().any(|glob| glob.is_match(function.name))
        };
        let all = states::functions::all().iter().copied().chain(commands::TABLE);
        let table = all.filter(may).map(|function| (function.name, function));
        Self { table: table.collect() }
    }

    /// With more of them, which stand before others of their names.
    pub fn with(mut self, more: &'static [Function]) -> Self {
        self.table.extend(more.iter().map(|function| (function.name, function)));
        self
    }
}

/// Stands for what could be allowed, so that its refusal is not told as something missing.
static REFUSED: Function = Function {
    name: "",
    doc: "",
    params: &[],
    effect: Effect::Reads,
    call: |_, _| {
        Err(CallError::failed(
            "templates may not call it on the master, since it starts a process or changes something; \
             for pillar, `pillar_functions` of the master's configuration can allow it",
        ))
    },
};

fn is_known(name: &str) -> bool {
    states::functions::all().iter().copied().chain(commands::TABLE).any(|function| function.name == name)
}

/// The functions as one compile sees them; it is noticed whether they make it depend on this host.
pub struct Watched<'a> {
    allowed: &'a Allowed,
    pure: AtomicBool,
}

impl<'a> Watched<'a> {
    pub fn new(allowed: &'a Allowed) -> Self {
        Self { allowed, pure: AtomicBool::new(true) }
    }

    /// Whether nothing was called that could give something else tomorrow.
    pub fn is_pure(&self) -> bool {
        self.pure.load(Ordering::Relaxed)
    }
}

impl Functions for Watched<'_> {
    fn find(&self, name: &str) -> Option<&'static Function> {
        let module = name.split('.').next().unwrap_or_default();
        if !PURE.contains(&module) {
            self.pure.store(false, Ordering::Relaxed);
        }
        self.allowed.table.get(name).copied().or_else(|| is_known(name).then_some(&REFUSED))
    }

    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        Box::new(self.allowed.table.values().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_or_writes_is_refused_unless_it_is_listed() {
        let none = Allowed::new(Vec::new());
        let watched = Watched::new(&none);
        assert!(watched.find("grains.get").is_some() && watched.is_pure());
        assert!(std::ptr::eq(watched.find("cmd.run").unwrap(), &REFUSED) && watched.find("cmd.nothing").is_none());
        assert!(watched.all().all(|function| function.effect == Effect::Reads));
        let some = Allowed::new(vec![Glob::new("cmd.run*")]);
        let watched = Watched::new(&some);
        assert!(std::ptr::eq(watched.find("cmd.retcode").unwrap(), &REFUSED));
        assert!(!std::ptr::eq(watched.find("cmd.run_stdout").unwrap(), &REFUSED));
        assert!(!watched.is_pure(), "what depends on this host is not kept");
    }
}
