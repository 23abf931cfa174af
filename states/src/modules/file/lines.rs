//! `file.append`, `file.prepend`, `file.accumulated`.

use proto::Value;

use super::{
    content,
    edit::{self, Said, Text},
};
use crate::{
    plan::{Call, Plan, StateError, failed},
    resource::diff,
    value,
};

/// The texts of `text`, or of the sources.
fn texts(call: &Call<'_>) -> Result<Vec<String>, StateError> {
    let mut sources: Vec<Value> = call.values("sources");
    sources.extend(call.value("source").cloned());
    if sources.is_empty() {
        return Ok(call.list("text"));
    }
    let mut texts = Vec::new();
    for source in sources {
        let name = match &source {
            Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
            other => value::python_str(other),
        };
        let bytes = content::fetch(call, &name)?;
        let engine = call.text_or("template", "jinja");
        let bytes =
            if call.low.contains_key("template") { content::rendered(call, &engine, &name, bytes)? } else { bytes };
        texts.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    Ok(texts)
}

/// Whether a line, or a line's start up to white space, is in the text as Salt searches for it.
fn has(text: &str, chunk: &str, ignore_whitespace: bool) -> bool {
    if !ignore_whitespace {
        return format!("\n{text}").contains(&format!("\n{}", chunk.trim_end_matches('\n')))
            && text.lines().any(|line| line == chunk || chunk.contains('\n'));
    }
    let words: Vec<&str> = chunk.split_whitespace().collect();
    text.lines().any(|line| line.split_whitespace().collect::<Vec<_>>() == words)
}

/// The lines of some texts that are not in the file.
fn missing(call: &Call<'_>, old: &str, texts: &[String]) -> Vec<String> {
    let ignore = call.flag("ignore_whitespace", true);
    let mut new: Vec<String> = Vec::new();
    for text in texts {
        let whole = text.trim_end_matches('\n');
        if ignore && whole.lines().count() > 1 && block_in(old, whole) || !ignore && old.contains(whole) {
            continue;
        }
        if !text.contains('\n') && has(old, text, ignore) {
            continue;
        }
        new.extend(text.lines().map(str::to_owned));
    }
    new
}

/// Whether the lines of a block stand in the text one below the other.
fn block_in(text: &str, block: &str) -> bool {
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let lines: Vec<_> = text.lines().map(words).collect();
    let wanted: Vec<_> = block.lines().map(words).collect();
    lines.windows(wanted.len().max(1)).any(|window| window == wanted)
}

/// What has changed, unless that is to be hidden.
fn difference(call: &Call<'_>, before: &str, after: &str) -> Value {
    match call.flag("show_changes", true) {
        true => diff::bare(before, after).into(),
        false => "<show_changes=False>".into(),
    }
}

pub fn append(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    let texts = texts(call)?;
    if texts.is_empty() {
        return failed("No text found to append. Nothing appended");
    }
    let (old, parent) = Text::read_or_new(call, &path)?;
    let before = old.as_ref().map_or("", |old| &old.text).to_owned();
    let new = missing(call, &before, &texts);
    if new.is_empty() && old.is_some() {
        return Plan::keep(format!("File {name} is in correct state"));
    }
    let mut after = before.clone();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    new.iter().for_each(|line| after.extend([line.as_str(), "\n"]));
    let done = format!("Appended {} lines", new.len());
    let changes = [("diff".to_owned(), difference(call, &before, &after))].into_iter().collect();
    match old {
        Some(old) => {
            let said = Said { would: format!("File {name} is set to be updated"), done, changes };
            edit::plan(old, after, None, said)
        }
        None => {
            let said = Said { would: format!("File {name} is set to be created"), done, changes };
            edit::plan_new(path, after, parent, said)
        }
    }
}

pub fn prepend(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    let texts = texts(call)?;
    let (old, parent) = Text::read_or_new(call, &path)?;
    let before = old.as_ref().map_or("", |old| &old.text).to_owned();
    let new: Vec<String> = match call.flag("header", false) {
        // The file has to begin with these lines.
        true => {
            let wanted: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
            let now: Vec<&str> = before.lines().take(wanted.len()).collect();
            if now == wanted { Vec::new() } else { wanted.iter().map(ToString::to_string).collect() }
        }
        false => missing(call, &before, &texts),
    };
    if new.is_empty() && old.is_some() {
        return Plan::keep(format!("File {name} is in correct state"));
    }
    let mut after = String::new();
    new.iter().for_each(|line| after.extend([line.as_str(), "\n"]));
    after.push_str(&before);
    let said = |would: &str| {
        let said = Said::new(call, would, format!("Prepended {} lines", new.len()), &before, &after);
        match call.flag("show_changes", true) {
            true => said,
            false => {
                Said { changes: [("diff".to_owned(), "<show_changes=False>".into())].into_iter().collect(), ..said }
            }
        }
    };
    match old {
        Some(old) => {
            let said = said(&format!("File {name} is set to be updated"));
            edit::plan(old, after.clone(), None, said)
        }
        None => {
            let said = said(&format!("File {name} is set to be created"));
            edit::plan_new(path, after.clone(), parent, said)
        }
    }
}

pub fn accumulated(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, file) = (call.name(), call.need("filename")?);
    let texts = call.values("text");
    if texts.is_empty() {
        return failed("No text supplied for accumulator");
    }
    let mut ids = Vec::new();
    let mut for_a_file = false;
    for entry in call.values("require_in").into_iter().chain(call.values("watch_in")) {
        match entry {
            Value::Object(map) => {
                for_a_file |= map.contains_key("file");
                ids.extend(map.values().map(value::python_str));
            }
            other => {
                for_a_file = true;
                ids.push(value::python_str(&other));
            }
        }
    }
    if !for_a_file {
        return failed(format!(
            "Orphaned accumulator {name} in {}:{}",
            call.text_or("__sls__", ""),
            call.text_or("__id__", "")
        ));
    }
    let new = call.accumulated.add(&file, &name, ids, texts);
    Plan::keep(match new.is_empty() {
        true => String::new(),
        false => format!("Accumulator {name} for file {file} was charged by text"),
    })
}
