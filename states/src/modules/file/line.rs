//! `file.line`.

use super::{
    edit::{self, Said, Text},
    owner,
};
use crate::{
    plan::{Call, Plan, StateError, failed},
    resource::files::{self, Permissions},
};

pub fn line(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let create = call.flag("create", false) && !files::exists(call.look, &path);
    let old = match create {
        true => Text { path: path.clone(), mode: 0o644, text: String::new() },
        false => Text::read(call.look, &path)?,
    };
    let Some(mode) = call.some_text("mode").map(|mode| mode.to_lowercase()) else {
        return failed("Mode was not defined. How to process the file?");
    };
    let content = call.text("content");
    if mode != "delete" && content.is_none() {
        return failed("Content can only be empty if mode is ['delete']");
    }
    let job = Job {
        content: content.clone().unwrap_or_default(),
        indent: call.flag("indent", true),
        location: call.some_text("location"),
        before: call.text("before"),
        after: call.text("after"),
        pattern: call.some_text("match").or(content),
    };
    let new = job.run(&mode, &old.text)?;
    if new == old.text && !create {
        return Plan::keep("No changes needed to be made");
    }
    let said = Said::new(call, "Changes would be made", "Changes were made", &old.text, &new);
    let now = || jiff::Zoned::now().strftime(".%Y-%m-%d-%H-%M-%S").to_string();
    let backup = (call.flag("backup", false) && !create).then(now);
    let owned = if create { owner::permissions(call, "file_mode")? } else { Permissions::default() };
    match edit::plan(old, new, backup, said)? {
        Plan::Change { comment, changes, apply, .. } if !owned.is_empty() => {
            Plan::change(comment, changes, move |doing| {
                let done = apply(doing)?;
                let given = owned.resolved(doing.host).apply(doing.host, &path);
                given.map_err(|why| StateError::io("change", &path, &why))?;
                Ok(done)
            })
        }
        plan => Ok(plan),
    }
}

struct Job {
    content: String,
    indent: bool,
    location: Option<String>,
    before: Option<String>,
    after: Option<String>,
    pattern: Option<String>,
}

impl Job {
    fn run(&self, mode: &str, text: &str) -> Result<String, StateError> {
        let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
        if lines.last().is_some_and(|last| last.ends_with('\n')) {
            lines.push(String::new());
        }
        let find = |pattern: &Option<String>| pattern.as_deref().map(|pattern| matching(&lines, pattern)).transpose();
        let (before, after) = (find(&self.before)?, find(&self.after)?);
        match mode {
            "delete" | "replace" => {
                let pattern = self.pattern.clone().filter(|p| !p.is_empty());
                let found = pattern.map(|pattern| matching(&lines, &pattern)).transpose()?.unwrap_or_default();
                if let Some(&at) = found.first() {
                    let line = lines[at].clone();
                    match mode {
                        "delete" => lines.retain(|other| *other != line),
                        _ => lines[at] = self.indented(&line),
                    }
                }
            }
            "insert" => self.insert(&mut lines, before, after)?,
            "ensure" => self.ensure(&mut lines, before, after)?,
            other => return failed(format!("Unknown mode: \"{other}\"")),
        }
        Ok(joined(lines))
    }

    /// The content with the white space that the line before it begins with.
    fn indented(&self, like: &str) -> String {
        if !self.indent {
            return self.content.clone();
        }
        let blank: String = like.chars().take_while(|c| *c == ' ' || *c == '\t').collect();
        blank + self.content.trim_start()
    }

    fn is_content(&self, line: Option<&String>) -> bool {
        let bare = |text: &str| text.trim_end_matches(['\r', '\n']).to_owned();
        line.is_some_and(|line| bare(line) == bare(&self.content))
    }

    fn insert(
        &self,
        lines: &mut Vec<String>,
        before: Option<Vec<usize>>,
        after: Option<Vec<usize>>,
    ) -> Result<(), StateError> {
        match (self.location.as_deref(), &before, &after) {
            (Some("end"), ..) => {
                let last = lines.last().cloned().unwrap_or_default();
                lines.push(self.indented(&last));
            }
            (Some("start"), ..) => lines.insert(0, format!("{}\n", self.content.trim_end())),
            (_, Some(before), Some(after)) => {
                once(after, "after")?;
                let at = once(before, "before")?;
                let new = self.indented(&lines[at]);
                lines.insert(at, new);
            }
            (_, None, Some(after)) => {
                let at = once(after, "after")?;
                if !self.is_content(lines.get(at + 1)) {
                    let new = self.indented(&lines[at]);
                    lines.insert(at + 1, new);
                }
            }
            (_, Some(before), None) => {
                let at = once(before, "before")?;
                let previous = if at == 0 { lines.last() } else { lines.get(at - 1) };
                if !self.is_content(previous) {
                    let new = self.indented(&lines[at]);
                    lines.insert(at, new);
                }
            }
            _ => return failed("On insert either \"location\" or \"before/after\" conditions are required."),
        }
        Ok(())
    }

    fn ensure(
        &self,
        lines: &mut Vec<String>,
        before: Option<Vec<usize>>,
        after: Option<Vec<usize>>,
    ) -> Result<(), StateError> {
        match (&before, &after) {
            (Some(before), Some(after)) => {
                let (after, before) = (once(after, "after")?, once(before, "before")?);
                if lines.iter().any(|line| line.trim_start().trim_end_matches('\n') == self.content) {
                    return Ok(());
                }
                let new = self.indented(&lines[after]);
                match before.checked_sub(after) {
                    Some(1) => lines.insert(after + 1, new),
                    Some(2) => lines[after + 1] = new,
                    _ => return failed("Found more than one line between boundaries \"before\" and \"after\"."),
                }
            }
            (Some(before), None) => {
                let at = once(before, "before")?;
                if at == 0 || !self.is_content(lines.get(at - 1)) {
                    let like = if at == 0 { lines.last() } else { lines.get(at - 1) };
                    let new = self.indented(like.map_or("", String::as_str));
                    lines.insert(at, new);
                }
            }
            (None, Some(after)) => {
                let at = once(after, "after")?;
                if !self.is_content(lines.get(at + 1)) {
                    let new = self.indented(&lines[at]);
                    lines.insert(at + 1, new);
                }
            }
            (None, None) => {
                return failed(
                    "Wrong conditions? Unable to ensure line without knowing where to put it before and/or after.",
                );
            }
        }
        Ok(())
    }
}

/// The lines that a pattern, or the text itself, is found in.
fn matching(lines: &[String], pattern: &str) -> Result<Vec<usize>, StateError> {
    let regex = edit::regex(pattern, &["DOTALL".to_owned()])?;
    let found = |line: &String| regex.is_match(line).unwrap_or(false) || line.contains(pattern);
    Ok(lines.iter().enumerate().filter(|(_, line)| found(line)).map(|(at, _)| at).collect())
}

fn once(found: &[usize], what: &str) -> Result<usize, StateError> {
    match found {
        [one] => Ok(*one),
        [] => failed(format!("Unable to find line to match: \"{what}\" in the file")),
        _ => failed(format!("Found more than expected occurrences in \"{what}\" expression")),
    }
}

/// Every line but the last has an end.
fn joined(mut lines: Vec<String>) -> String {
    let count = lines.len();
    for line in lines.iter_mut().take(count.saturating_sub(1)) {
        if !line.ends_with('\n') {
            let kept = line.trim_end().len();
            line.truncate(kept);
            line.push('\n');
        }
    }
    lines.concat()
}
