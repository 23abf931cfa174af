//! Execution modules: what an operator can call. One file a module, one row a function.

mod archive;
pub mod bind;
mod check;
mod cmd;
mod cp;
mod cron;
mod environ;
mod event;
mod file;
mod git;
mod grains;
mod group;
mod http;
mod mine;
mod minion;
mod pkg;
mod saltutil;
mod service;
mod state;
mod status;
mod sys;
mod test;
mod user;

use std::{collections::HashMap, sync::LazyLock};

use states::{Function, call::Functions};

pub use cmd::{FROM_OPERATOR, split_words};

/// All modules. A function that `states` has as well, for where there is no minion, is the one here.
static MODULES: &[&[Function]] = &[
    check::TABLE,
    cmd::TABLE,
    cp::TABLE,
    cp::MORE,
    cp::PUSH,
    cron::TABLE,
    environ::TABLE,
    event::TABLE,
    grains::TABLE,
    group::TABLE,
    http::TABLE,
    mine::TABLE,
    minion::TABLE,
    saltutil::TABLE,
    service::TABLE,
    state::TABLE,
    status::TABLE,
    sys::TABLE,
    test::TABLE,
    user::TABLE,
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let own = MODULES
        .iter()
        .chain(archive::TABLES)
        .chain(file::TABLES)
        .chain(git::TABLES)
        .chain(pkg::TABLES)
        .copied()
        .flatten();
    let all = states::functions::all().iter().copied().chain(own);
    all.map(|function| (function.name, function)).collect()
});

/// Functions that answer out of memory: no file, no process, no lock that is held for long, and
/// little arithmetic. They run where the job arrives, and cost no thread.
static INSTANT: &[&str] = &[
    "grains.get",
    "grains.has_value",
    "grains.item",
    "grains.items",
    "grains.ls",
    "saltutil.find_job",
    "saltutil.is_running",
    "saltutil.running",
    "test.arg",
    "test.arg_clean",
    "test.arg_type",
    "test.echo",
    "test.exception",
    "test.fail",
    "test.false",
    "test.kwarg",
    "test.outputter",
    "test.ping",
    "test.retcode",
    "test.true",
    "test.version",
];

/// Whether a function answers at once; see [`INSTANT`].
pub fn is_instant(name: &str) -> bool {
    INSTANT.binary_search(&name).is_ok()
}

/// What can be called on a minion.
pub struct Table;

impl Functions for Table {
    fn find(&self, name: &str) -> Option<&'static Function> {
        BY_NAME.get(name).copied()
    }

    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        Box::new(BY_NAME.values().copied())
    }
}

/// Whether a glob matches a name, as Python's `fnmatch` sees it. One that cannot be read matches
/// nothing.
pub fn matches(glob: &str, name: &str) -> bool {
    proto::event::matches(glob, name)
}

#[cfg(test)]
mod tests {
    use states::Effect;

    use super::*;

    #[test]
    fn what_is_instant_exists_and_only_reads() {
        assert!(INSTANT.is_sorted());
        for name in INSTANT {
            assert_eq!(Table.find(name).map(|function| function.effect), Some(Effect::Reads), "{name}");
        }
        assert!(is_instant("test.ping") && !is_instant("test.sleep") && !is_instant("cmd.run"));
    }
}
