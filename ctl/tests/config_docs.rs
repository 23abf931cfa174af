//! `docs/config.md` names every key that the files have, and no other.

use std::{collections::BTreeSet, fs, process::Command};

/// The keys that a file may have, as the error about one that it may not have lists them.
fn known(file: &str, command: &[&str]) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(file), "qqqqqqqqqqqqqqqq: 1\n").unwrap();
    let mut ctl = Command::new(env!("CARGO_BIN_EXE_ctl"));
    let output = ctl.env_clear().arg("--config-dir").arg(folder.path()).args(command).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let list = said.split("known here: ").nth(1).unwrap_or_else(|| panic!("{said}"));
    list.split(',').map(|key| key.trim().to_owned()).collect()
}

/// The keys that the documentation of a file speaks of: first cells of its table, and the names
/// in the paragraph of keys that are kept as they are.
fn documented(file: &str) -> BTreeSet<String> {
    let text = include_str!("../../docs/config.md");
    let section = text.split("\n## ").find(|section| section.starts_with(&format!("`{file}`"))).unwrap();
    let kept = section.split("the meaning is Salt's:").nth(1).and_then(|rest| rest.split(".\n").next());
    let cells = section.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    cells.chain(kept).flat_map(|text| text.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_key_is_documented() {
    for (file, command) in [("master", &["master"][..]), ("minion", &["minion"]), ("ctl", &["minion", "list"])] {
        assert_eq!(documented(file), known(file, command), "the keys of `{file}`");
    }
}
