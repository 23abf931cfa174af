//! Execution modules: what an operator can call. One file a module, one row a function.

pub mod bind;
mod cmd;
mod event;
mod grains;
mod minion;
mod saltutil;
mod status;
mod sys;
mod test;

use std::{collections::HashMap, sync::LazyLock};

use states::{Function, call::Functions};

pub use cmd::{FROM_OPERATOR, split_words};

/// All modules. A function that `states` has as well is taken from there.
static MODULES: &[&[Function]] =
    &[cmd::TABLE, event::TABLE, grains::TABLE, minion::TABLE, saltutil::TABLE, status::TABLE, sys::TABLE, test::TABLE];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> = LazyLock::new(|| {
    let own = MODULES.iter().copied().flatten();
    own.chain(states::functions::all().iter().copied()).map(|function| (function.name, function)).collect()
});

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
