//! External pillar: what commands of the configuration print, as Salt's `cmd_yaml`, `cmd_json` and
//! `cmd_yamlex` have it.

use std::time::Duration;

use proto::{Map, Value};

use crate::{Command, Context, Diagnostic, value, yaml};

/// How long one command may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What each entry of `ext_pillar` gives, in their order, and what failed.
pub fn read(context: &Context<'_>) -> (Vec<Map>, Vec<Diagnostic>) {
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    let entries = context.opts.get("ext_pillar").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for entry in entries {
        let Some((kind, what)) = entry.as_object().and_then(|entry| entry.iter().next()) else {
            errors.push(Diagnostic::new("an entry of ext_pillar must be a mapping").hint("- cmd_yaml: COMMAND"));
            continue;
        };
        match one(context, kind, what) {
            Ok(data) => found.push(data),
            Err(why) => errors.push(why.from(format!("in the external pillar {kind}"), None)),
        }
    }
    (found, errors)
}

fn one(context: &Context<'_>, kind: &str, what: &Value) -> Result<Map, Diagnostic> {
    if !["cmd_yaml", "cmd_json", "cmd_yamlex"].contains(&kind) {
        let known = "known external pillars: cmd_yaml, cmd_json, cmd_yamlex";
        return Err(Diagnostic::new(format!("the external pillar {kind} is not available")).hint(known));
    }
    let text = output(context, &value::python_str(what))?;
    let data = match kind {
        "cmd_json" => serde_json::from_str(&text)
            .map_err(|why| Diagnostic::new(format!("the command's output is not valid JSON: {why}")))?,
        _ => yaml::to_value(&yaml::parse("the command's output", &text)?),
    };
    match data {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(Map::new()),
        _ => Err(Diagnostic::new("the command's output is not a mapping")),
    }
}

/// What a command prints; `%s` in it stands for the minion's id. The id is a checked name, in
/// which nothing means anything to a shell.
fn output(context: &Context<'_>, command: &str) -> Result<String, Diagnostic> {
    let command = Command {
        argv: vec![command.replace("%s", context.id.as_str())],
        shell: Some("/bin/sh".into()),
        timeout: Some(TIMEOUT),
        ..Command::default()
    };
    let output = context
        .look
        .probe(&command)
        .map_err(|why| Diagnostic::new(format!("the command could not be started: {why}")))?;
    if output.code != 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Diagnostic::new(format!("the command ended with {}: {}", output.code, said.trim())));
    }
    String::from_utf8(output.stdout).map_err(|_| Diagnostic::new("the command's output is not UTF-8"))
}
