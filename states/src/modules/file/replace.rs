//! `file.replace`.

use super::edit::{self, Said, Text};
use crate::{
    jinja::regex::expand,
    plan::{Call, Plan, StateError, failed},
};

pub fn replace(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let old = match Text::read(call.look, &path) {
        Err(_) if !crate::resource::files::exists(call.look, &path) && call.flag("ignore_if_missing", false) => {
            return Plan::keep("No changes needed to be made");
        }
        other => other?,
    };
    let (append, prepend) = (call.flag("append_if_not_found", false), call.flag("prepend_if_not_found", false));
    if append && prepend {
        return failed("Only one of append and prepend_if_not_found is permitted");
    }
    let flags = if call.value("flags").is_some() { call.list("flags") } else { vec!["8".to_owned()] };
    let regex = edit::regex(&call.need("pattern")?, &flags)?;
    let repl = call.need("repl")?;
    let count = usize::try_from(call.int("count").unwrap_or(0)).unwrap_or(0);
    let literal = call.flag("backslash_literal", false);
    let (mut new, mut found) = (String::with_capacity(old.text.len()), false);
    let mut from = 0;
    for (done, captures) in regex.captures_iter(old.text.as_str()).enumerate() {
        let captures = captures.map_err(|why| StateError::Failed(format!("the pattern took too long: {why}")))?;
        let Some(whole) = captures.get(0) else { break };
        if count != 0 && done >= count {
            break;
        }
        found = true;
        new.push_str(&old.text[from..whole.start()]);
        new.push_str(&if literal { repl.clone() } else { expand(&repl, &captures) });
        from = whole.end();
    }
    new.push_str(&old.text[from..]);
    if !found && (append || prepend) {
        let content = call.text("not_found_content").unwrap_or(repl);
        if !old.text.lines().any(|line| line == content) && !old.text.contains(&format!("{content}\n")) {
            new = added(&old.text, &content, append);
        }
    }
    if new == old.text {
        return Plan::keep("No changes needed to be made");
    }
    let said = Said::new(call, "Changes would have been made", "Changes were made", &old.text, &new);
    edit::plan(old, new, edit::backup(call, Some(".bak")), said)
}

fn added(old: &str, content: &str, append: bool) -> String {
    match append {
        false => format!("{content}\n{old}"),
        true if old.is_empty() || old.ends_with('\n') => format!("{old}{content}\n"),
        true => format!("{old}\n{content}\n"),
    }
}
