//! Names of Salt's execution functions (Salt 3008 on Linux), those that we lack among them.
//!
//! Templates ask whether a function exists (`salt['x.y'] is defined`) and go different ways, so a
//! name that Salt has is there for us too; calling it fails by name.

use std::{collections::HashSet, sync::LazyLock};

/// A module a line: its name and its functions.
static TEXT: &str = include_str!("salt.txt");

static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
    let of_line = |line: &str| {
        let (module, functions) = line.split_once(' ').unwrap_or((line, ""));
        functions.split(' ').map(|function| format!("{module}.{function}")).collect::<Vec<_>>()
    };
    TEXT.lines().flat_map(of_line).collect()
});

/// Whether Salt has a function of this name.
pub fn is_salts(name: &str) -> bool {
    NAMES.contains(name)
}

/// Whether Salt has a module of this name.
pub fn is_salts_module(name: &str) -> bool {
    TEXT.lines().any(|line| line.split(' ').next() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn salts_names_are_known() {
        assert!(is_salts("pkg.install") && is_salts("cmd.run") && !is_salts("pkg.instal"));
        assert!(is_salts_module("pkg") && !is_salts_module("pkgs"));
    }
}
