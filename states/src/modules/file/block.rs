//! `file.blockreplace`.

use proto::Value;

use super::{
    content,
    edit::{self, Said, Text},
};
use crate::{
    plan::{Call, Plan, StateError, failed},
    value,
};

fn blockreplace(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let old = Text::read(call.look, &path)?;
    let block = Block {
        start: call.text_or("marker_start", "#-- start managed zone --"),
        end: call.text_or("marker_end", "#-- end managed zone --"),
        content: wanted(call)?,
        append_newline: match call.low.get("append_newline") {
            Some(Value::Null) | None => None,
            Some(flag) => Some(crate::functions::truth(flag)),
        },
    };
    let new = block.put(call, &old.text).map_err(|why| {
        StateError::Failed(format!("Encountered error managing block: {why}. See the log for details."))
    })?;
    if new == old.text {
        return Plan::keep("No changes needed to be made");
    }
    let said = Said::new(call, "Changes would be made", "Changes were made", &old.text, &new);
    edit::plan(old, new, edit::backup(call, Some(".bak")), said)
}

/// `content`, what was accumulated for the file, then the sources.
fn wanted(call: &Call<'_>) -> Result<String, StateError> {
    let mut content = call.text_or("content", "");
    let mine = call.accumulated.of(&call.name(), call.text("__id__").as_deref());
    for text in mine.values().flat_map(|texts| texts.as_array().into_iter().flatten()) {
        if !content.is_empty() {
            content.push('\n');
        }
        content.push_str(&value::python_str(text));
    }
    let sources = call.values("sources").into_iter().chain(call.value("source").cloned());
    for source in sources {
        let name = match &source {
            Value::Object(map) => map.keys().next().cloned().unwrap_or_default(),
            other => value::python_str(other),
        };
        let bytes = content::fetch(call, &name)?;
        let bytes = content::rendered(call, &call.text_or("template", "jinja"), &name, bytes)?;
        content.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok(content)
}

struct Block {
    start: String,
    end: String,
    content: String,
    append_newline: Option<bool>,
}

impl Block {
    fn put(&self, call: &Call<'_>, old: &str) -> Result<String, String> {
        let eol =
            if old.lines().next().is_some() && old.split_inclusive('\n').next().is_some_and(|l| l.ends_with("\r\n")) {
                "\r\n"
            } else {
                "\n"
            };
        let mut out: Vec<String> = Vec::new();
        let (mut inside, mut found) = (false, false);
        for line in old.split_inclusive('\n') {
            if line.contains(&self.start) {
                inside = true;
                out.push(line.to_owned());
            } else if !inside {
                out.push(line.to_owned());
            } else if let Some(at) = line.find(&self.end) {
                (inside, found) = (false, true);
                self.add(&mut out, eol, &line[at..]);
            }
        }
        if inside {
            return Err("Unterminated marked block. End of file reached before marker_end.".into());
        }
        if found {
            return Ok(out.concat());
        }
        let mut new = vec![format!("{}{eol}", self.start)];
        self.add(&mut new, eol, &self.end);
        self.insert(call, out, new, eol).map(|lines| lines.concat())
    }

    /// The content's lines and the end marker.
    fn add(&self, out: &mut Vec<String>, eol: &str, end: &str) {
        let end = format!("{}{eol}", end.trim_end_matches(['\r', '\n']));
        let newline = self.append_newline.unwrap_or(!self.content.ends_with('\n'));
        let lines: Vec<&str> = self.content.split('\n').map(|line| line.trim_end_matches('\r')).collect();
        for (i, line) in lines.iter().enumerate() {
            if i + 1 < lines.len() {
                out.push(format!("{line}{eol}"));
            } else if newline {
                out.extend([format!("{line}{eol}"), end.clone()]);
            } else {
                out.push(format!("{line}{end}"));
            }
        }
    }

    fn insert(
        &self,
        call: &Call<'_>,
        mut old: Vec<String>,
        new: Vec<String>,
        eol: &str,
    ) -> Result<Vec<String>, String> {
        if call.flag("prepend_if_not_found", false) {
            return Ok(new.into_iter().chain(old).collect());
        }
        if call.flag("append_if_not_found", false) {
            if let Some(last) = old.last_mut()
                && !last.ends_with(eol)
            {
                last.push_str(eol);
            }
            return Ok(old.into_iter().chain(new).collect());
        }
        let (before, after) = (call.some_text("insert_before_match"), call.some_text("insert_after_match"));
        let Some(pattern) = before.as_ref().or(after.as_ref()) else {
            return Err("Cannot edit marked block. Markers were not found in file.".into());
        };
        let regex = edit::regex(pattern, &[]).map_err(|why| why.to_string())?;
        let found = old.iter().position(|line| regex.is_match(line).unwrap_or(false));
        let Some(at) = found else {
            return Err("Cannot edit marked block. Markers were not found in file.".into());
        };
        let at = if before.is_some() { at } else { at + 1 };
        old.splice(at..at, new);
        Ok(old)
    }
}

/// `file.blockreplace`. Only one way to insert may be given.
pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let flags = ["append_if_not_found", "prepend_if_not_found"].map(|key| call.flag(key, false));
    let texts = ["insert_before_match", "insert_after_match"].map(|key| call.some_text(key).is_some());
    if flags.iter().chain(&texts).filter(|given| **given).count() > 1 {
        return failed(
            "Only one of append_if_not_found, prepend_if_not_found, insert_before_match, and insert_after_match is \
             permitted",
        );
    }
    blockreplace(call)
}
