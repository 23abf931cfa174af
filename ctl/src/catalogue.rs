//! What can be called on a minion, by the minion's own tables.

use states::{Function, call::Functions as _};

/// All functions, by name.
pub fn functions() -> Vec<&'static Function> {
    let mut all: Vec<_> = minion::exec::Table.all().collect();
    all.sort_by_key(|function| function.name);
    all
}

/// Whether a state (`file.managed`) can be run.
pub fn has_state(_name: &str) -> bool {
    false
}
