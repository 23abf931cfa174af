//! Changing a text file in place. What the states of the same names do is done by them.

use std::path::{Path, PathBuf};

use fancy_regex::Regex;
use proto::{Args, Value};
use states::{
    CallError, Context, Function,
    jinja::regex::{compile, expand},
    resource::{
        diff,
        files::{LIMIT, followed},
    },
};

use super::{path, system, text::put};
use crate::exec::bind::{Bound, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.replace",
        Writes,
        [
            need("path"),
            need("pattern"),
            need("repl"),
            with("count", "0"),
            with("flags", "8"),
            with("bufsize", "1"),
            with("append_if_not_found", "False"),
            with("prepend_if_not_found", "False"),
            with("not_found_content", "None"),
            with("backup", "'.bak'"),
            with("dry_run", "False"),
            with("search_only", "False"),
            with("show_changes", "True"),
            with("ignore_if_missing", "False"),
            with("preserve_inode", "True"),
            with("backslash_literal", "False"),
            with("encoding", "None"),
        ],
        replace,
        "Replaces what a regular expression finds in a file, and shows the difference. A copy of what was there is \
         kept beside it (`backup`).\n\n    ctl run '*' file.replace /etc/ssh/sshd_config '^PermitRootLogin.*' 'PermitRootLogin no'"
    ),
    row!(
        "file.search",
        Reads,
        [
            need("path"),
            need("pattern"),
            with("flags", "8"),
            with("bufsize", "1"),
            with("ignore_if_missing", "False"),
            with("multiline", "False"),
        ],
        |context, bound| search(context, bound, bound.flag("multiline", false)),
        "Tells whether a regular expression is found in a file.\n\n    ctl run '*' file.search /etc/crontab mymaintenance.sh"
    ),
    row!(
        "file.line",
        Writes,
        [
            need("path"),
            with("content", "None"),
            with("match", "None"),
            with("mode", "None"),
            with("location", "None"),
            with("before", "None"),
            with("after", "None"),
            with("show_changes", "True"),
            with("backup", "False"),
            with("quiet", "False"),
            with("indent", "True"),
        ],
        line,
        "Inserts, replaces or deletes one line of a file (`mode`), and shows the difference.\n\n    \
         ctl run '*' file.line /etc/nsswitch.conf 'networks: files dns' after='hosts:.*?' mode=ensure"
    ),
    row!(
        "file.blockreplace",
        Writes,
        [
            need("path"),
            with("marker_start", "'#-- start managed zone --'"),
            with("marker_end", "'#-- end managed zone --'"),
            with("content", "''"),
            with("append_if_not_found", "False"),
            with("prepend_if_not_found", "False"),
            with("backup", "'.bak'"),
            with("dry_run", "False"),
            with("show_changes", "True"),
            with("append_newline", "False"),
            with("insert_before_match", "None"),
            with("insert_after_match", "None"),
        ],
        |context, bound| edited(context, "file.blockreplace", bound, BLOCK),
        "Replaces what stands between two marks of a file, and shows the difference.\n\n    \
         ctl run '*' file.blockreplace /etc/hosts content='10.0.0.1 db' append_if_not_found=True"
    ),
    row!(
        "file.comment_line",
        Writes,
        [need("path"), need("regex"), with("char", "'#'"), with("cmnt", "True"), with("backup", "'.bak'")],
        |context, bound| comment(context, bound, bound.flag("cmnt", true)),
        "Comments the lines that begin with a pattern, or uncomments them (`cmnt=False`).\n\n    \
         ctl run '*' file.comment_line /etc/modules pcspkr"
    ),
    row!(
        "file.comment",
        Writes,
        [need("path"), need("regex"), with("char", "'#'"), with("backup", "'.bak'")],
        |context, bound| comment(context, bound, true),
        "Comments the lines that begin with a pattern.\n\n    ctl run '*' file.comment /etc/modules pcspkr"
    ),
    row!(
        "file.uncomment",
        Writes,
        [need("path"), need("regex"), with("char", "'#'"), with("backup", "'.bak'")],
        |context, bound| comment(context, bound, false),
        "Uncomments the lines that go on with a pattern.\n\n    ctl run '*' file.uncomment /etc/hosts.deny 'ALL: PARANOID'"
    ),
    row!(
        "file.psed",
        Writes,
        [
            need("path"),
            need("before"),
            need("after"),
            with("limit", "''"),
            with("backup", "'.bak'"),
            with("flags", "'gMS'"),
            with("escape_all", "False"),
            with("multi", "False"),
        ],
        psed,
        "Replaces by a regular expression, as `sed` would; `file.replace` tells more of what it did.\n\n    \
         ctl run '*' file.psed /etc/httpd/httpd.conf 'LogLevel warn' 'LogLevel info'"
    ),
    row!(
        "file.sed",
        Writes,
        [
            need("path"),
            need("before"),
            need("after"),
            with("limit", "''"),
            with("backup", "'.bak'"),
            with("options", "'-r -e'"),
            with("flags", "'g'"),
            with("escape_all", "False"),
            with("negate_match", "False"),
        ],
        sed,
        "Replaces by `sed`.\n\n    ctl run '*' file.sed /etc/httpd/httpd.conf 'LogLevel warn' 'LogLevel info'"
    ),
    row!(
        "file.sed_contains",
        Reads,
        [need("path"), need("text"), with("limit", "''"), with("flags", "'g'")],
        sed_contains,
        "Tells whether `sed` finds an expression in a file.\n\n    ctl run '*' file.sed_contains /etc/crontab mymaintenance.sh"
    ),
    row!(
        "file.patch",
        Writes,
        [need("originalfile"), need("patchfile"), with("options", "''"), with("dry_run", "False")],
        patch,
        "Applies a patch to a file or a folder by `patch`.\n\n    ctl run '*' file.patch /opt/app.conf /tmp/app.patch"
    ),
];

const BLOCK: &[&str] = &[
    "marker_start",
    "marker_end",
    "content",
    "append_if_not_found",
    "prepend_if_not_found",
    "backup",
    "show_changes",
    "append_newline",
    "insert_before_match",
    "insert_after_match",
];

const REPLACE: &[&str] = &[
    "pattern",
    "repl",
    "count",
    "flags",
    "append_if_not_found",
    "prepend_if_not_found",
    "not_found_content",
    "backup",
    "show_changes",
    "ignore_if_missing",
    "backslash_literal",
];

const LINE: &[&str] = &["content", "match", "mode", "location", "before", "after", "show_changes", "indent"];

/// Has the state of the same name do it. Gives the difference, or with `show_changes=False`
/// whether there is one.
fn edited(context: &Context<'_>, state: &str, bound: &Bound, keys: &[&str]) -> Result<Value, CallError> {
    context.host()?;
    let mut args = Args::positional([state.into(), path(bound, "path")?.into()]);
    for key in keys {
        match bound.value(key) {
            Some(value) => args = args.with(key, value.clone()),
            None if bound.is_null(key) => args = args.with(key, Value::Null),
            None => {}
        }
    }
    if state == "file.blockreplace" && !bound.has("append_newline") && !bound.is_null("append_newline") {
        // The state's own default is another.
        args = args.with("append_newline", false);
    }
    // `dry_run` is of this call alone.
    let args = args.with("test", bound.flag("dry_run", false)).with("concurrent", true);
    let silent = Context { progress: &|_| {}, ..context.copy() };
    let name = "state.single".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let rows = silent.call(&name, args)?;
    let row = rows.as_object().and_then(|rows| rows.values().next()).cloned().unwrap_or(rows);
    if row["result"] == Value::Bool(false) {
        return Err(CallError::failed(text_of(&row["comment"])));
    }
    let diff = row["changes"].get("diff").cloned();
    Ok(match bound.flag("show_changes", true) {
        true => diff.unwrap_or_else(|| "".into()),
        false => row["changes"].as_object().is_some_and(|changes| !changes.is_empty()).into(),
    })
}

fn replace(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if bound.has("encoding") {
        return Err(CallError::arguments("encoding: texts are UTF-8 here"));
    }
    if followed(context.look, Path::new(&name)).is_err() {
        return match bound.flag("ignore_if_missing", false) {
            true => Ok(false.into()),
            false => Err(CallError::arguments(format!("File not found: {name}"))),
        };
    }
    let adds = bound.flag("append_if_not_found", false) || bound.flag("prepend_if_not_found", false);
    match bound.flag("search_only", false) {
        true if adds => Err(CallError::arguments("search_only cannot be used with append/prepend_if_not_found")),
        true => search(context, bound, false),
        false => edited(context, "file.replace", bound, REPLACE),
    }
}

/// Python's flags by number or name.
fn pattern(text: &str, flags: &[Value]) -> Result<Regex, CallError> {
    let mut letters = String::new();
    for flag in flags {
        let flag = text_of(flag);
        match flag.to_uppercase().as_str() {
            "IGNORECASE" | "I" => letters.push('i'),
            "MULTILINE" | "M" => letters.push('m'),
            "DOTALL" | "S" => letters.push('s'),
            "VERBOSE" | "X" => letters.push('x'),
            "UNICODE" | "U" | "LOCALE" | "L" | "ASCII" | "A" => {}
            number => {
                let bits: u32 =
                    number.parse().map_err(|_| CallError::arguments(format!("Invalid re flag given: {flag}")))?;
                let known = [(2, 'i'), (8, 'm'), (16, 's'), (64, 'x')];
                letters.extend(known.into_iter().filter(|(bit, _)| bits & bit != 0).map(|(_, letter)| letter));
            }
        }
    }
    let full = if letters.is_empty() { text.to_owned() } else { format!("(?{letters}){text}") };
    compile(&full, false, false).map_err(|error| CallError::arguments(error.message))
}

fn text_at(context: &Context<'_>, name: &str) -> Result<(PathBuf, u32, String), CallError> {
    let missing = |_| CallError::arguments(format!("File not found: {name}"));
    let (target, stat) = followed(context.look, Path::new(name)).map_err(missing)?;
    let bytes = context.look.read(&target, LIMIT).map_err(|error| system(name, &error))?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Ok((target, stat.mode, text)),
        _ => Err(CallError::arguments(format!("Cannot perform string replacements on a binary file: {name}"))),
    }
}

fn found(regex: &Regex, text: &str) -> Result<bool, CallError> {
    regex.is_match(text).map_err(|error| CallError::failed(format!("the pattern took too long: {error}")))
}

fn search(context: &Context<'_>, bound: &Bound, multiline: bool) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if followed(context.look, Path::new(&name)).is_err() && bound.flag("ignore_if_missing", false) {
        return Ok(false.into());
    }
    let (_, _, text) = text_at(context, &name)?;
    let mut flags = if bound.has("flags") { bound.list("flags") } else { vec![8.into()] };
    flags.extend(multiline.then(|| Value::from("MULTILINE")));
    Ok(found(&pattern(&bound.need_text("pattern")?, &flags)?, &text)?.into())
}

fn line(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let Ok((target, mode, text)) = text_at(context, &name) else {
        return match bound.flag("quiet", false) {
            true => Ok(false.into()),
            false => Err(CallError::failed(format!("File \"{name}\" does not exists or is not a file."))),
        };
    };
    let shown = edited(context, "file.line", bound, LINE)?;
    if !truth(&shown) {
        return Ok(false.into());
    }
    if bound.value("backup").is_some_and(truth) {
        let time = jiff::Zoned::now().strftime("%Y-%m-%d-%H-%M-%S");
        let kept = PathBuf::from(format!("{}.{time}", target.display()));
        context.host()?.write(&kept, text.as_bytes(), mode).map_err(|error| system(&name, &error))?;
    }
    Ok(shown)
}

/// The suffix of a copy of what was there; none if it is false or empty.
fn suffix(bound: &Bound) -> Option<String> {
    match bound.value("backup") {
        None if bound.is_null("backup") => None,
        None => Some(".bak".into()),
        Some(given) => Some(text_of(given)).filter(|_| truth(given)),
    }
}

/// Puts a text in place of another, which is kept beside it.
fn put_with_backup(context: &Context<'_>, bound: &Bound, name: &str, new: &str) -> Result<(), CallError> {
    let (target, mode, old) = text_at(context, name)?;
    if let Some(suffix) = suffix(bound) {
        let kept = PathBuf::from(format!("{}{suffix}", target.display()));
        context.host()?.write(&kept, old.as_bytes(), mode).map_err(|error| system(name, &error))?;
    }
    put(context, name, new.as_bytes())
}

fn comment(context: &Context<'_>, bound: &Bound, comments: bool) -> Result<Value, CallError> {
    let (name, regex) = (path(bound, "path")?, bound.need_text("regex")?);
    let char = bound.text("char")?.unwrap_or_else(|| "#".into());
    let bare = regex.trim_start_matches('^').trim_end_matches('$');
    let end = if regex.ends_with('$') { "$" } else { "" };
    // Salt matches at the start of a line, whatever the pattern says.
    let whole = match comments {
        true => format!("\\A({bare}){end}"),
        false => format!("\\A{char}\\s*({bare}){end}"),
    };
    // `$` stands before the end of the line.
    let regex = pattern(&whole, &["MULTILINE".into()])?;
    let (_, _, text) = text_at(context, &name)?;
    let (mut old, mut new, mut all) = (String::new(), String::new(), String::new());
    for line in text.split_inclusive('\n') {
        if !found(&regex, line)? {
            all.push_str(line);
            continue;
        }
        let edited = match comments {
            true => format!("{char}{line}"),
            false => line.trim_start_matches(|c| char.contains(c)).to_owned(),
        };
        old.push_str(line);
        new.push_str(&edited);
        all.push_str(&edited);
    }
    if old.is_empty() {
        return Ok(false.into());
    }
    put_with_backup(context, bound, &name, &all)?;
    Ok(diff::unified(&old, &new).into())
}

/// What Salt does to an expression before `sed` gets it.
fn escaped(text: &str, all: bool) -> String {
    let text = text.replace('\'', "'\"'\"'").replace('/', "\\/");
    let special = |c| all && "^.[$()|*+?{".contains(c);
    text.chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

fn psed(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let all = bound.flag("escape_all", false);
    if bound.value("limit").is_some_and(truth) {
        return Err(CallError::arguments("limit: Salt itself cannot carry this out; use file.sed"));
    }
    let flags = bound.text("flags")?.unwrap_or_else(|| "gMS".into());
    let letters: Vec<Value> = flags.chars().filter(|c| *c != 'g').map(|c| c.to_string().into()).collect();
    let regex = pattern(&escaped(&bound.need_text("before")?, all), &letters)?;
    let (_, _, text) = text_at(context, &name)?;
    let (after, most) = (bound.need_text("after")?, if flags.contains('g') { usize::MAX } else { 1 });
    let (mut new, mut from) = (String::new(), 0);
    for captures in regex.captures_iter(text.as_str()).take(most) {
        let captures = captures.map_err(|error| CallError::failed(format!("the pattern took too long: {error}")))?;
        let Some(whole) = captures.get(0) else { break };
        new.push_str(&text[from..whole.start()]);
        new.push_str(&expand(&after, &captures));
        from = whole.end();
    }
    new.push_str(&text[from..]);
    put_with_backup(context, bound, &name, &new)?;
    Ok(Value::Null)
}

fn words(text: &str) -> Result<Vec<String>, CallError> {
    crate::exec::split_words(text).map_err(|error| CallError::arguments(format!("options: {error}")))
}

fn sed(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if followed(context.look, Path::new(&name)).is_err() {
        return Ok(false.into());
    }
    let all = bound.flag("escape_all", false);
    let text = |key: &str, default: &str| bound.text(key).map(|text| text.unwrap_or_else(|| default.to_owned()));
    let limit = escaped(&text("limit", "")?, all);
    let mut command = vec!["sed".to_owned(), format!("-i{}", suffix(bound).unwrap_or_default())];
    command.extend(words(&text("options", "-r -e")?)?);
    let limit = if limit.is_empty() { limit } else { format!("/{limit}/ ") };
    let negate = if bound.flag("negate_match", false) { "!" } else { "" };
    let (before, after) = (escaped(&bound.need_text("before")?, all), escaped(&bound.need_text("after")?, all));
    command.push(format!("{limit}{negate}s/{before}/{after}/{}", text("flags", "g")?));
    command.push(name);
    super::run_all(context, command)
}

fn sed_contains(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if followed(context.look, Path::new(&name)).is_err() {
        return Ok(false.into());
    }
    let text = |key: &str, default: &str| bound.text(key).map(|text| text.unwrap_or_else(|| default.to_owned()));
    let limit = escaped(&text("limit", "")?, false);
    let limit = if limit.is_empty() { limit } else { format!("/{limit}/ ") };
    let flags = text("flags", "g")?;
    // Others of sed's flags write files or start programs.
    if let Some(bad) = flags.chars().find(|c| !matches!(c, 'g' | 'i' | 'I' | 'm' | 'M' | '0'..='9')) {
        return Err(CallError::arguments(format!("flags: {bad} is not available here")));
    }
    let script = format!("{limit}s/{}/$/p{flags}", escaped(&bound.need_text("text")?, false));
    let said = super::probe(context, &["sed", "--sandbox", "-n", "-r", "-e", &script, "--", &name])?;
    Ok((!said.stdout.trim_ascii_end().is_empty()).into())
}

fn patch(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let program = context.look.which("patch").ok_or_else(|| {
        CallError::failed("patch executable not found. Is the distribution's patch package installed?")
    })?;
    let target = path(bound, "originalfile")?;
    let mut command = vec![program.display().to_string()];
    command.extend(words(&bound.text("options")?.unwrap_or_default())?);
    let has = |command: &[String], starts: &[&str]| {
        command.iter().any(|word| starts.iter().any(|start| word.starts_with(start)))
    };
    if bound.flag("dry_run", false) {
        command.push("--dry-run".into());
    }
    // No question is asked of anybody when it does not fit.
    if !has(&command, &["-N", "--forward"]) {
        command.push("--forward".into());
    }
    if !has(&command, &["-r", "--reject-file"]) {
        command.push("--reject-file=-".into());
    }
    command.extend(["-i".to_owned(), path(bound, "patchfile")?]);
    if states::resource::files::is_dir(context.look, Path::new(&target)) {
        command.extend(["-d".to_owned(), target]);
        if !has(&command, &["-p", "--strip="]) {
            command.push("--strip=0".into());
        }
    } else {
        command.push(target);
    }
    super::run_all(context, command)
}
