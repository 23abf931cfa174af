//! `file.comment` and `file.uncomment`.

use std::path::Path;

use fancy_regex::Regex;

use super::edit::{self, Said, Text};
use crate::{
    plan::{Call, Plan, StateError, failed},
    resource::diff,
};

fn multiline(pattern: &str) -> Result<Regex, StateError> {
    edit::regex(pattern, &["MULTILINE".to_owned()])
}

fn found(regex: &Regex, text: &str) -> bool {
    regex.is_match(text).unwrap_or(false)
}

/// What all lines that begin with a pattern become.
fn edited(text: &str, line: &Regex, change: impl Fn(&str) -> String) -> String {
    text.split_inclusive('\n').map(|l| if found(line, l) { change(l) } else { l.to_owned() }).collect()
}

/// Salt names only the file in a dry run.
fn updated(plan: Plan, path: &Path) -> Plan {
    match plan {
        Plan::Change { comment, more, apply, .. } => {
            let changes = [(path.display().to_string(), "updated".into())].into_iter().collect();
            Plan::Change { comment, changes, more, apply }
        }
        other => other,
    }
}

fn said(old: &str, new: &str, name: &str, done: &str) -> Said {
    let changes = [("diff".to_owned(), diff::unified(old, new).into())].into_iter().collect();
    Said { would: format!("File {name} is set to be updated"), done: done.to_owned(), changes }
}

pub fn comment(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let old = Text::read(call.look, &path)?;
    let (regex, char) = (call.need("regex")?, call.text_or("char", "#"));
    let bare = regex.trim_start_matches("(?i)").trim_start_matches('^').trim_end_matches('$').to_owned();
    let open = multiline(&format!(r"^(?!\s*{char})\s*{bare}"))?;
    if !found(&open, &old.text) {
        return match found(&multiline(&format!("{char}{bare}"))?, &old.text) {
            true => Plan::keep("Pattern already commented"),
            false if call.flag("ignore_missing", false) => {
                Plan::keep("Pattern not found and ignore_missing set to True")
            }
            false => failed(format!("{bare}: Pattern not found")),
        };
    }
    let end = if regex.ends_with('$') { "$" } else { "" };
    let line = multiline(&format!(r"\A({}){end}", regex.trim_start_matches('^').trim_end_matches('$')))?;
    let new = edited(&old.text, &line, |line| format!("{char}{line}"));
    if new == old.text {
        return match found(&multiline(&format!("{char}{bare}"))?, &old.text) {
            true => Plan::keep("Commented lines successfully"),
            false => failed("Expected commented lines not found"),
        };
    }
    let said = said(&old.text, &new, &path.display().to_string(), "Commented lines successfully");
    edit::plan(old, new, edit::backup(call, Some(".bak")), said).map(|plan| updated(plan, &path))
}

pub fn uncomment(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let old = Text::read(call.look, &path)?;
    let (regex, char) = (call.need("regex")?, call.text_or("char", "#"));
    let bare = regex.trim_start_matches('^');
    if !found(&multiline(&format!("{char}[ \t]*{bare}"))?, &old.text) {
        return match found(&multiline(&format!("^[ \t]*{bare}"))?, &old.text) {
            true => Plan::keep("Pattern already uncommented"),
            false => failed(format!("{regex}: Pattern not found")),
        };
    }
    let end = if regex.ends_with('$') { "$" } else { "" };
    let line = multiline(&format!(r"\A{char}\s*({}){end}", bare.trim_end_matches('$')))?;
    let new = edited(&old.text, &line, |line| line.trim_start_matches(|c: char_type| char.contains(c)).to_owned());
    if new == old.text {
        return failed("Expected uncommented lines not found");
    }
    let said = said(&old.text, &new, &path.display().to_string(), "Uncommented lines successfully");
    edit::plan(old, new, edit::backup(call, Some(".bak")), said).map(|plan| updated(plan, &path))
}

#[allow(non_camel_case_types, reason = "the argument `char` hides the type's name above")]
type char_type = char;
