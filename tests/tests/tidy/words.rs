//! What is written for people.

use crate::{files_ending, none, read, root};

#[test]
fn links_between_documents_lead_somewhere() {
    let mut findings = Vec::new();
    for file in files_ending(".md") {
        let folder = root().join(&file).parent().unwrap().to_owned();
        // What stands between backticks is code, and may look like a link.
        let text: String = read(&file).split('`').step_by(2).collect();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#', ' ']).next());
        let local =
            targets.filter(|target| !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:"));
        findings.extend(local.filter(|target| !folder.join(target).exists()).map(|target| format!("{file}: {target}")));
    }
    none(findings, "broken links");
}

/// Folders that exist on one developer's machine only.
#[test]
fn no_file_names_the_machine_it_was_written_on() {
    let mut findings = Vec::new();
    let folders = [["/wo", "rk/"].concat(), ["/ro", "ot/"].concat(), ["salt-or", "acle"].concat()];
    for end in [".rs", ".md", ".toml", ".yaml", ".service", ".py", ".sls", "run"] {
        for file in files_ending_or_none(end) {
            let text = read(&file);
            let lines = text.lines().enumerate().filter(|(_, line)| folders.iter().any(|folder| names(line, folder)));
            findings.extend(lines.map(|(number, line)| format!("{file}:{}: {}", number + 1, line.trim())));
        }
    }
    none(findings, "paths of a developer's machine");
}

fn files_ending_or_none(end: &str) -> Vec<String> {
    std::panic::catch_unwind(|| files_ending(end)).unwrap_or_default()
}

/// `/root/` is also what tests and documents call the superuser's home; a checkout lies elsewhere.
fn names(line: &str, folder: &str) -> bool {
    let home = ["/ro", "ot/"].concat();
    line.contains(folder) && (folder != home || line.contains(".cargo") || line.contains("overstate/"))
}
