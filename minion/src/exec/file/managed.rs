//! What the state `file.managed` is made of in Salt, done by that state.

use proto::{Args, Map, Value};
use serde_json::json;
use states::{CallError, Context, Function};

use super::path;
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.manage_file",
        Writes,
        [
            need("name"),
            need("sfn"),
            need("ret"),
            need("source"),
            need("source_sum"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("saltenv"),
            need("backup"),
            with("makedirs", "False"),
            with("template", "None"),
            with("show_changes", "True"),
            with("contents", "None"),
            with("dir_mode", "None"),
            with("follow_symlinks", "True"),
            with("skip_verify", "False"),
            with("keep_mode", "False"),
            with("verify_ssl", "True"),
            with("new_file_diff", "False"),
            NAMED,
        ],
        manage_file,
        "Puts a file in place with a content, an owner and a mode: what the state `file.managed` does.\n\n    \
         ctl run '*' file.manage_file /etc/motd '' '{}' salt://motd '{}' root root 644 '' base ''"
    ),
    row!(
        "file.check_managed",
        Reads,
        [
            need("name"),
            need("source"),
            need("source_hash"),
            need("source_hash_name"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("template"),
            need("context"),
            need("defaults"),
            need("saltenv"),
            with("contents", "None"),
            with("skip_verify", "False"),
            NAMED,
        ],
        |context, bound| {
            let changes = planned(context, bound)?;
            let lines: Vec<String> =
                changes.iter().map(|(key, value)| format!("{key}: {}\n", text_of(value))).collect();
            Ok(match lines.is_empty() {
                true => json!([true, format!("The file {} is in the correct state", path(bound, "name")?)]),
                false => json!([null, format!("The following values are set to be changed:\n{}", lines.concat())]),
            })
        },
        "Tells whether a file is as `file.managed` would make it.\n\n    \
         ctl run '*' file.check_managed /etc/motd salt://motd '' '' root root 755 '' jinja '' '' base"
    ),
    row!(
        "file.check_managed_changes",
        Reads,
        [
            need("name"),
            need("source"),
            need("source_hash"),
            need("source_hash_name"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("template"),
            need("context"),
            need("defaults"),
            need("saltenv"),
            with("contents", "None"),
            with("skip_verify", "False"),
            NAMED,
        ],
        |context, bound| planned(context, bound).map(Value::Object),
        "Shows what `file.managed` would change of a file.\n\n    \
         ctl run '*' file.check_managed_changes /etc/motd salt://motd '' '' root root 755 '' jinja '' '' base"
    ),
    row!(
        "file.check_file_meta",
        Reads,
        [
            need("name"),
            need("sfn"),
            need("source"),
            need("source_sum"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("saltenv"),
            with("contents", "None"),
            with("seuser", "None"),
            with("serole", "None"),
            with("setype", "None"),
            with("serange", "None"),
            with("verify_ssl", "True"),
            with("follow_symlinks", "False"),
            with("ignore_ordering", "False"),
            with("ignore_whitespace", "False"),
            with("ignore_comment_characters", "None"),
            with("new_file_diff", "False"),
        ],
        check_file_meta,
        "Shows what of a file's content, owner and mode is not as it is wanted.\n\n    \
         ctl run '*' file.check_file_meta /etc/motd '' '' '{}' root root 644 '' base"
    ),
    row!(
        "file.get_managed",
        Writes,
        [
            need("name"),
            need("template"),
            need("source"),
            need("source_hash"),
            need("source_hash_name"),
            need("user"),
            need("group"),
            need("mode"),
            need("attrs"),
            need("saltenv"),
            need("context"),
            need("defaults"),
            with("skip_verify", "False"),
            with("verify_ssl", "True"),
            with("use_etag", "False"),
            NAMED,
        ],
        get_managed,
        "Brings the source of a managed file here, rendered if it is a template. Gives where it lies, its hash, and \
         what went wrong.\n\n    \
         ctl run '*' file.get_managed /etc/motd jinja salt://motd '' '' root root 644 '' base '{}' '{}'"
    ),
    row!(
        "file.apply_template_on_contents",
        Reads,
        [need("contents"), need("template"), need("context"), need("defaults"), need("saltenv")],
        apply_template,
        "Renders a text as a template.\n\n    \
         ctl run '*' file.apply_template_on_contents 'hello {{ who }}' jinja '{who: world}' '{}' base"
    ),
];

/// Arguments that mean the same to the state; those that are empty are left out.
const SAME: &[&str] = &[
    "source",
    "source_hash",
    "source_hash_name",
    "user",
    "group",
    "mode",
    "template",
    "context",
    "defaults",
    "saltenv",
    "backup",
    "makedirs",
    "show_changes",
    "contents",
    "dir_mode",
    "follow_symlinks",
    "skip_verify",
    "verify_ssl",
    "new_file_diff",
];

/// What the state says of it; with `test` nothing is changed.
fn state(context: &Context<'_>, bound: &Bound, test: bool, source: Option<Value>) -> Result<Value, CallError> {
    let mut args = Args::positional(["file.managed".into(), path(bound, "name")?.into()]);
    for key in SAME {
        let given = bound.value(key).filter(|value| truth(value) || value.is_boolean());
        if let Some(value) = given {
            args = args.with(key, value.clone());
        }
    }
    if let Some(source) = source {
        args = args.with("source", source).with("skip_verify", true);
    }
    let silent = Context { progress: &|_| {}, ..context.copy() };
    let name = "state.single".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let rows = silent.call(&name, args.with("test", test).with("concurrent", true))?;
    Ok(rows.as_object().and_then(|rows| rows.values().next()).cloned().unwrap_or(rows))
}

fn manage_file(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let cached = bound.value("sfn").filter(|value| truth(value)).cloned();
    let row = state(context, bound, false, cached)?;
    let mut ret = match bound.value("ret") {
        Some(Value::Object(given)) if !given.is_empty() => Value::Object(given.clone()),
        _ => json!({"name": path(bound, "name")?, "changes": {}, "comment": "", "result": true}),
    };
    for key in ["changes", "comment", "result"] {
        ret[key] = row[key].clone();
    }
    Ok(ret)
}

fn check_file_meta(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let ignored = ["ignore_ordering", "ignore_whitespace", "ignore_comment_characters"];
    if let Some(key) =
        ignored.into_iter().chain(["seuser", "serole", "setype", "serange"]).find(|key| bound.flag(key, false))
    {
        return Err(CallError::arguments(format!("{key} is not available here")));
    }
    // Without a hash to hold it against, the content does not count.
    let hashed = bound.value("source_sum").is_some_and(|sum| sum["hsum"].is_string());
    let file = ["sfn", "source"].into_iter().find_map(|key| bound.value(key).filter(|value| truth(value)));
    let mut bare = bound.copy();
    ["source", "source_sum"].into_iter().for_each(|key| bare.forget(key));
    let row = state(context, &bare, true, file.filter(|_| hashed).cloned())?;
    match &row["result"] {
        Value::Bool(false) => Err(CallError::failed(text_of(&row["comment"]))),
        _ => Ok(row["changes"].clone()),
    }
}

/// `(path, {hsum, hash_type}, why not)`, as a list.
fn get_managed(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let source = bound.text("source")?.filter(|source| !source.is_empty());
    let Some(source) = source else { return Ok(json!(["", {}, ""])) };
    let (remote, local) =
        (source.contains("://") && !source.starts_with("file://"), source.trim_start_matches("file://"));
    let given = bound.text("source_hash")?.filter(|hash| !hash.is_empty());
    let web = remote && !source.starts_with("salt://");
    if web && given.is_none() && !bound.flag("skip_verify", false) {
        let why = format!(
            "Unable to verify upstream hash of source file {source}, please set source_hash or set skip_verify to True"
        );
        return Ok(json!(["", {}, why]));
    }
    if !remote && context.look.stat(local.as_ref()).is_err() {
        return Ok(json!(["", {}, format!("Local file source {local} does not exist")]));
    }
    let mut args = Args::positional([source.clone().into()]);
    args.named.extend(bound.value("saltenv").map(|env| ("saltenv".to_owned(), env.clone())));
    args.named.extend(given.filter(|_| web).map(|hash| ("source_hash".to_owned(), hash.into())));
    let kept = called(context, "cp.cache_file", args)?;
    let Some(kept) = kept.as_str() else {
        let env = bound.text("saltenv")?.unwrap_or_else(|| "base".into());
        return Ok(json!(["", {}, format!("Source file {source} not found in saltenv '{env}'")]));
    };
    let path = match bound.text("template")?.filter(|engine| !engine.is_empty()) {
        None => kept.to_owned(),
        Some(engine) if engine == "jinja" => render(context, bound, kept)?,
        Some(engine) => return Ok(json!([kept, {}, format!("Specified template format {engine} is not supported")])),
    };
    let hash = called(context, "file.get_hash", Args::positional([path.clone().into()]).with("form", "sha256"))?;
    Ok(json!([path, {"hash_type": "sha256", "hsum": hash}, ""]))
}

fn called(context: &Context<'_>, name: &str, args: Args) -> Result<Value, CallError> {
    let name = name.parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    context.call(&name, args)
}

/// Renders a template into a file that is the caller's to remove, as Salt does.
fn render(context: &Context<'_>, bound: &Bound, from: &str) -> Result<String, CallError> {
    let failed = |error: std::io::Error| CallError::failed(error.to_string());
    let to = tempfile::Builder::new().prefix("__salt.tmp.").tempfile().map_err(failed)?;
    let (_, to) = to.keep().map_err(|error| CallError::failed(error.to_string()))?;
    let mut args = Args::positional([from.into(), to.to_string_lossy().into()]);
    for key in ["defaults", "context"] {
        for (name, value) in bound.value(key).and_then(Value::as_object).into_iter().flatten() {
            args = args.with(name, value.clone());
        }
    }
    called(context, "cp.get_template", args)?;
    Ok(to.to_string_lossy().into_owned())
}

fn planned(context: &Context<'_>, bound: &Bound) -> Result<Map, CallError> {
    let row = state(context, bound, true, None)?;
    match &row["result"] {
        Value::Bool(false) => Err(CallError::failed(text_of(&row["comment"]))),
        _ => Ok(row["changes"].as_object().cloned().unwrap_or_default()),
    }
}

fn apply_template(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let engine = bound.need_text("template")?;
    if engine != "jinja" {
        let why = format!("Specified template format {engine} is not supported");
        return Ok(json!({"result": false, "comment": why}));
    }
    let mut args = Args::default().with("string", bound.need_text("contents")?).with("default_renderer", "jinja");
    for key in ["defaults", "context"] {
        for (name, value) in bound.value(key).and_then(Value::as_object).into_iter().flatten() {
            args = args.with(name, value.clone());
        }
    }
    let name = "slsutil.renderer".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    context.call(&name, args)
}
