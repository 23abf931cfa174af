//! Rules about the code itself. Whoever breaks one is told which and where; whoever has a good
//! reason adds an exception here, with the reason beside it.

mod arrows;
mod files;
mod named;
mod supply;
mod words;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_owned()
}

/// All files that are or would be committed, as paths from the root, that end so.
fn files_ending(end: &str) -> Vec<String> {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let list = list.expect("git can be started").stdout;
    let names = String::from_utf8(list).expect("file names are UTF-8");
    let mut found: Vec<String> = names.lines().filter(|name| name.ends_with(end)).map(str::to_owned).collect();
    found.retain(|name| root().join(name).is_file());
    assert!(!found.is_empty(), "there are files ending in {end}");
    found
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).args(["--offline", "--locked"]).current_dir(root()).output();
    let output = output.expect("cargo can be started");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

fn metadata(args: &[&str]) -> Value {
    let all: Vec<&str> = ["metadata", "--format-version", "1"].iter().chain(args).copied().collect();
    serde_json::from_str(&cargo(&all)).expect("cargo metadata is JSON")
}

/// The lines of a file before its `#[cfg(test)]`, numbered from 1, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let before_tests = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let numbered = before_tests.enumerate().map(|(i, line)| (i + 1, line));
    numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// Fails with all findings at once.
#[track_caller]
fn none(findings: Vec<String>, rule: &str) {
    assert!(findings.is_empty(), "{rule}:\n  {}", findings.join("\n  "));
}
