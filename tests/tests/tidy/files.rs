//! What files must be like.

use std::{collections::BTreeSet, path::Path};

use crate::{code_lines, files_ending, none, read, root};

/// More lines than this are several ideas.
const LINES: usize = 500;

/// Longer files, each with its reason.
const LONG: &[(&str, &str)] = &[];

#[test]
fn files_are_one_idea_each() {
    let long = files_ending(".rs").into_iter().filter_map(|file| {
        let lines = read(&file).lines().count();
        let excused = LONG.iter().any(|(known, _)| *known == file);
        (lines > LINES && !excused).then(|| format!("{file}: {lines} lines"))
    });
    none(long.collect(), &format!("no file has more than {LINES} lines"));
    let stale = LONG.iter().filter(|(file, _)| !root().join(file).is_file() || read(file).lines().count() <= LINES);
    none(stale.map(|(file, _)| (*file).to_owned()).collect(), "exceptions that are not needed any more");
}

/// Tables: the file that holds one, its folder, and what a row of it looks like.
const TABLES: &[(&str, &str, &str)] =
    &[("minion/src/exec.rs", "minion/src/exec", "{}::"), ("ctl/src/commands/mod.rs", "ctl/src/commands", "{}::")];

/// Files beside a table that are not rows of it.
const NOT_ROWS: &[(&str, &str)] = &[
    ("minion/src/exec/bind.rs", "reads arguments for all modules"),
    ("minion/src/exec/documented.rs", "holds the table against what Salt documents"),
];

#[test]
fn every_file_of_a_table_is_in_it() {
    let mut findings = Vec::new();
    for (table, folder, row) in TABLES {
        let text = read(table);
        for file in files_ending(".rs") {
            let Ok(rest) = Path::new(&file).strip_prefix(folder) else { continue };
            let one_deep = rest.components().count() == 1 && file != *table;
            if !one_deep || NOT_ROWS.iter().any(|(known, _)| *known == file) {
                continue;
            }
            let module = rest.file_stem().unwrap().to_string_lossy().into_owned();
            let words = row.replace("{}", &module);
            let raw = row.replace("{}", &format!("r#{module}"));
            if !text.contains(&words) && !text.contains(&raw) {
                findings.push(format!("{file} has no row `{words}` in {table}"));
            }
        }
    }
    none(findings, "one file, one row");
}

#[test]
fn every_source_file_is_a_module() {
    let sources: BTreeSet<String> = files_ending(".rs").into_iter().filter(|file| file.contains("/src/")).collect();
    let orphan = |file: &String| {
        let path = Path::new(file);
        let stem = path.file_stem().unwrap().to_string_lossy();
        let folder = path.parent().unwrap();
        if matches!(&*stem, "lib" | "main") || folder.ends_with("bin") {
            return false;
        }
        let (name, folder) = match &*stem {
            "mod" => (folder.file_name().unwrap().to_string_lossy().into_owned(), folder.parent().unwrap()),
            _ => (stem.into_owned(), folder),
        };
        let parents =
            [folder.join("mod.rs"), folder.join("lib.rs"), folder.join("main.rs"), folder.with_extension("rs")];
        let declared = [format!("mod {name};"), format!("mod r#{name};")];
        let named = |parent: &Path| {
            let text = std::fs::read_to_string(root().join(parent)).unwrap_or_default();
            declared.iter().any(|line| text.contains(line)) || text.contains(&format!("{name}.rs\""))
        };
        !parents.iter().any(|parent| named(parent))
    };
    none(sources.into_iter().filter(orphan).collect(), "nobody declares these modules");
}

/// Only `ctl` talks to people; libraries return values and trace.
#[test]
fn libraries_do_not_print() {
    let mut findings = Vec::new();
    for file in files_ending(".rs") {
        let library = ["proto/src/", "states/src/", "states/template/src/", "minion/src/", "master/src/"];
        if !library.iter().any(|folder| file.starts_with(folder)) {
            continue;
        }
        let text = read(&file);
        let prints = ["println!", "print!(", "eprint!(", "dbg!("];
        let lines = code_lines(&text).filter(|(_, line)| prints.iter().any(|print| line.contains(print)));
        findings.extend(lines.map(|(number, line)| format!("{file}:{number}: {}", line.trim())));
    }
    none(findings, "a library never prints");
}

#[test]
fn nothing_is_left_undone_in_silence() {
    let mut findings = Vec::new();
    for file in files_ending(".rs").into_iter().filter(|file| !file.starts_with("tests/tests/tidy/")) {
        let text = read(&file);
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let undone = ["todo!(", "unimplemented!(", "FIXME", "XXX"].iter().any(|word| line.contains(word));
            let skipped = line.starts_with("#[ignore]");
            let allowed = line.starts_with("#[allow(") || line.starts_with("#![allow(");
            let above = number.checked_sub(1).and_then(|above| text.lines().nth(above)).unwrap_or_default().trim();
            let reasonless = allowed && !line.contains("reason") && !line.contains("//") && !above.starts_with("//");
            if undone || skipped || (reasonless && line.ends_with(']')) {
                findings.push(format!("{file}:{}: {line}", number + 1));
            }
        }
    }
    none(findings, "work that is not done, or an exception without its reason");
}

#[test]
fn every_tag_of_the_bus_is_spelled_in_one_file() {
    let mut findings = Vec::new();
    for file in files_ending(".rs") {
        let product = ["proto/src/", "states/src/", "states/template/src/", "minion/src/", "master/src/", "ctl/src/"];
        if !product.iter().any(|folder| file.starts_with(folder)) || file.starts_with("proto/src/event") {
            continue;
        }
        let text = read(&file);
        let spelled = code_lines(&text).filter(|(_, line)| {
            let tag = ["\"salt/", "\"overstate/"].iter().any(|start| line.contains(start));
            // Folders of that name hold files, whose names have an end.
            let file = [".sls", ".sh\"", "\"salt/out\""].iter().any(|end| line.contains(end));
            tag && !file && !line.contains("///") && !line.contains("ctl ")
        });
        findings.extend(spelled.map(|(number, line)| format!("{file}:{number}: {}", line.trim())));
    }
    none(findings, "tags are spelled in proto/src/event.rs");
}
