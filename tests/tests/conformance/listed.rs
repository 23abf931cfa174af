//! What must have a case: the filters with their arguments, as Salt itself declares them
//! (`golden/filters_declared.json`), and everything of `items.txt`. A case says what it shows in
//! a line `#: item, item`: before it in `cases/*.txt`, anywhere in a file of `trees`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use proto::{Map, Value};

use crate::site::{folder, read_json};

/// Filters whose arguments need more than a host that is cut off from the network.
const NAME_ALONE: &[(&str, &str)] = &[("http_query", "it asks a server; its arguments are those of http.query")];

fn items() -> BTreeSet<String> {
    let text = fs::read_to_string(folder().join("items.txt")).unwrap();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).chain(filters()).collect()
}

fn filters() -> Vec<String> {
    let of_filter = |(name, arguments): (String, Value)| {
        let alone = NAME_ALONE.iter().any(|(known, _)| *known == name);
        let arguments = arguments.as_array().unwrap().iter().map(|argument| argument.as_str().unwrap().to_owned());
        let arguments: Vec<String> = if alone { Vec::new() } else { arguments.collect() };
        match arguments.as_slice() {
            [] => vec![name],
            some => some.iter().map(|argument| format!("{name}({argument})")).collect(),
        }
    };
    read_json("filters_declared.json").into_iter().flat_map(of_filter).collect()
}

/// The items that a line names.
fn named(line: &str) -> impl Iterator<Item = String> + '_ {
    line.trim().strip_prefix("#: ").into_iter().flat_map(|items| items.split(", ").map(str::to_owned))
}

/// Items of the single cases; each line of names stands before a case that Salt was asked.
fn in_cases(kind: &str) -> BTreeSet<String> {
    let golden = read_json(&format!("{kind}.json"));
    let text = fs::read_to_string(folder().join("cases").join(format!("{kind}.txt"))).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut found = BTreeSet::new();
    for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#: ")) {
        assert!(golden.contains_key(pair[1]), "{kind}: no answer to {:?}", pair[1]);
        found.extend(named(pair[0]));
    }
    found
}

/// Items of the trees; a file of names belongs to a tree, and an SLS is one that Salt was asked.
fn in_trees() -> BTreeSet<String> {
    let golden = read_json("trees.json");
    let base = folder().join("trees");
    let mut found = BTreeSet::new();
    for path in files_below(&base) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let items: Vec<String> = text.lines().flat_map(named).collect();
        if !items.is_empty() {
            asked(&golden, path.strip_prefix(&base).unwrap());
            found.extend(items);
        }
    }
    found
}

fn asked(golden: &Map, path: &Path) {
    let words: Vec<&str> = path.iter().map(|word| word.to_str().unwrap()).collect();
    let answers = golden.get(words[0]).unwrap_or_else(|| panic!("{}: no answers", path.display()));
    let Some(sls) = words.last().and_then(|file| file.strip_suffix(".sls")) else { return };
    if words[1] == "salt" && sls != "top" {
        let mut name = words[2..words.len() - 1].to_vec();
        name.extend((sls != "init").then_some(sls));
        let call = format!("state.show_low_sls {}", name.join("."));
        let answered = answers.as_object().unwrap().keys().any(|asked| asked.split('@').next() == Some(call.as_str()));
        assert!(answered, "{}: no answer to {call}", path.display());
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn whatever_is_listed_has_a_case() {
    let shown: BTreeSet<String> =
        [in_cases("jinja"), in_cases("filters"), in_cases("yaml"), in_trees()].into_iter().flatten().collect();
    let items = items();
    let without: Vec<&String> = items.difference(&shown).collect();
    assert!(without.is_empty(), "{} of {} items have no case: {without:#?}", without.len(), items.len());
    let unknown: Vec<&String> = shown.difference(&items).collect();
    assert!(unknown.is_empty(), "cases name what is no item of items.txt: {unknown:#?}");
}

#[test]
fn there_are_hundreds_of_snippets() {
    let snippets = read_json("jinja.json").len() + read_json("filters.json").len();
    assert!(snippets >= 300, "{snippets} templates");
}
