//! Execution functions that only read: what templates call, and `ctl call` shows.
//!
//! One file a module of Salt's, with its rows; [`TABLE`] has them all.

mod alternatives;
mod apply;
mod args;
mod config;
mod cp;
mod defaults;
mod dig;
mod file;
mod grains;
mod hashutil;
mod host_tables;
mod iptables;
mod log;
mod matches;
mod mine;
mod network;
mod pause;
mod pillar;
mod pkg;
mod random;
mod request;
mod service;
mod slsutil;
mod state;
mod status;
mod sys;
mod user;

use std::sync::LazyLock;

use crate::{Function, call::Param};

pub use apply::{NAMED as STATE_ARGUMENTS, refuse_unknown};
pub use args::{Given, truth};

static ALL: LazyLock<Vec<&'static Function>> = LazyLock::new(|| {
    let tables: [&'static [Function]; 26] = [
        alternatives::TABLE,
        apply::TABLE,
        config::TABLE,
        cp::TABLE,
        defaults::TABLE,
        dig::TABLE,
        file::TABLE,
        grains::TABLE,
        hashutil::TABLE,
        host_tables::TABLE,
        iptables::TABLE,
        log::TABLE,
        matches::TABLE,
        mine::TABLE,
        network::TABLE,
        pause::TABLE,
        pillar::TABLE,
        pkg::TABLE,
        random::TABLE,
        request::TABLE,
        service::TABLE,
        slsutil::TABLE,
        state::TABLE,
        status::TABLE,
        sys::TABLE,
        user::TABLE,
    ];
    tables.into_iter().flatten().collect()
});

/// Every function of this crate.
pub fn all() -> &'static [&'static Function] {
    &ALL
}

/// A required parameter.
pub const fn need(name: &'static str) -> Param {
    Param { name, default: None }
}

/// A parameter with its default, as Salt writes it.
pub const fn opt(name: &'static str, default: &'static str) -> Param {
    Param { name, default: Some(default) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_summary_and_an_example() {
        for function in all() {
            assert!(function.doc.lines().any(|line| line.starts_with("ctl run")), "{}", function.name);
            assert!(function.doc.lines().next().is_some_and(|line| line.ends_with('.')), "{}", function.name);
        }
        let mut names: Vec<&str> = all().iter().map(|function| function.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }
}
