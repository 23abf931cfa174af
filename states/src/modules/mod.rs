//! State modules: one file a module of Salt's, one row a function.

mod alias;
mod alternatives;
mod archive;
mod at;
pub mod check;
mod cmd;
mod cron;
mod debconf;
mod environ;
mod event;
mod file;
mod git;
mod grains;
mod group;
mod host;
mod ini;
mod iptables;
mod kmod;
mod locale;
mod module;
mod mount;
mod params;
mod pip;
mod pkg;
mod pkgrepo;
mod postgres;
mod random;
mod service;
mod ssh_auth;
mod ssh_known_hosts;
mod strict;
mod sysctl;
mod test;
mod timezone;
mod user;
mod virtualenv;

pub use strict::takes_any;

use crate::plan::{PlanFn, State, StateModule};

/// All modules.
pub const TABLE: &[StateModule] = &[
    alias::MODULE,
    alternatives::MODULE,
    archive::MODULE,
    at::MODULE,
    check::MODULE,
    cmd::MODULE,
    cron::MODULE,
    debconf::MODULE,
    environ::MODULE,
    event::MODULE,
    file::MODULE,
    git::MODULE,
    grains::MODULE,
    group::MODULE,
    host::MODULE,
    ini::MODULE,
    iptables::MODULE,
    kmod::MODULE,
    locale::MODULE,
    module::MODULE,
    mount::MODULE,
    pip::MODULE,
    pkg::MODULE,
    pkgrepo::MODULE,
    postgres::DATABASE,
    postgres::EXTENSION,
    postgres::GROUP,
    postgres::SCHEMA,
    postgres::USER,
    random::MODULE,
    service::MODULE,
    ssh_auth::MODULE,
    ssh_known_hosts::MODULE,
    sysctl::MODULE,
    test::MODULE,
    timezone::MODULE,
    user::MODULE,
    virtualenv::MODULE,
];

/// Names of Salt's that are not those of its files.
fn module(name: &str) -> Option<&'static StateModule> {
    TABLE.iter().find(|module| module.name == name)
}

/// How a state function plans; `mod_watch` is what a module does when something it watches has
/// changed.
pub fn find(name: &str, fun: &str) -> Option<PlanFn> {
    function(module(name)?, fun)
}

/// A state function by its names.
pub fn state(name: &str, fun: &str) -> Option<&'static State> {
    let fun = spelled(name, fun);
    module(name)?.states.iter().find(|state| state.name == fun)
}

/// Salt knows some `wait` as `watch` too.
fn spelled<'f>(module: &str, fun: &'f str) -> &'f str {
    match (module, fun) {
        ("cmd" | "module", "watch") => "wait",
        _ => fun,
    }
}

/// How a state function of other modules plans.
pub fn find_in(modules: &[StateModule], name: &str, fun: &str) -> Option<PlanFn> {
    function(modules.iter().find(|module| module.name == name)?, fun)
}

fn function(module: &StateModule, fun: &str) -> Option<PlanFn> {
    match fun {
        "mod_watch" => module.watch,
        _ => module.states.iter().find(|state| state.name == spelled(module.name, fun)).map(|state| state.plan),
    }
}

/// Every state function by its module.
pub fn all() -> impl Iterator<Item = (&'static StateModule, &'static State)> {
    TABLE.iter().flat_map(|module| module.states.iter().map(move |state| (module, state)))
}

/// What to say of a state that is not here.
pub fn not_available(name: &str, fun: &str) -> String {
    let full = format!("{name}.{fun}");
    let known: Vec<String> = all().map(|(module, state)| format!("{}.{}", module.name, state.name)).collect();
    let hint = crate::diag::did_you_mean(&full, known.iter().map(String::as_str));
    let hint = hint.map_or(String::new(), |hint| format!("\n  hint: {hint}"));
    format!("not available: state {full} (module {name}){hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_a_summary_and_an_example() {
        for (module, state) in all() {
            let name = format!("{}.{}", module.name, state.name);
            assert!(state.doc.lines().next().is_some_and(|line| line.ends_with('.')), "{name}");
            assert!(state.doc.contains(&name), "{name} has no example of itself");
        }
    }

    #[test]
    fn what_is_not_here_is_named_with_what_is_like_it() {
        assert!(not_available("file", "manged").contains("did you mean file.managed?"));
        assert_eq!(not_available("nope", "x"), "not available: state nope.x (module nope)");
        assert!(find("cmd", "watch").is_some() && find("module", "watch").is_some() && find("file", "watch").is_none());
        assert!(find("file", "managed").is_some() && find("file", "mod_watch").is_none());
    }
}
