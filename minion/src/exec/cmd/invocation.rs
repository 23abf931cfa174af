//! From arguments to a process: where, as whom, with which environment.

use std::{path::PathBuf, time::Duration};

use nix::unistd::User;
use proto::{Map, Value};
use states::{CallError, Command, Context};

use super::result::{Finished, Judgement};
use crate::exec::bind::{Bound, text_of, truth};

const DEFAULT_SHELL: &str = "/bin/sh";

/// A command about to be run.
pub struct Invocation {
    shell: PathBuf,
    cwd: PathBuf,
    env: Vec<(String, String)>,
    clean_env: bool,
    stdin: Option<Vec<u8>>,
    runas: Option<String>,
    group: Option<String>,
    umask: Option<u32>,
    timeout: Option<Duration>,
    background: bool,
    template: bool,
    pub merge_stderr: bool,
    argv: Vec<String>,
    through_shell: bool,
}

impl Invocation {
    /// Everything but the command itself; a fault in any argument is found before anything starts.
    pub fn new(context: &Context<'_>, bound: &Bound) -> Result<Self, CallError> {
        refuse_what_is_not_offered(bound)?;
        let runas = bound.text("runas")?;
        let user = runas.as_deref().map(user).transpose()?;
        Ok(Self {
            shell: shell(context, bound)?,
            cwd: cwd(context, bound, user.as_ref())?,
            env: environment(bound, user.as_ref())?,
            clean_env: bound.flag("clean_env", false),
            stdin: stdin(bound)?,
            runas,
            group: bound.text("group")?,
            umask: umask(bound)?,
            timeout: bound.seconds("timeout")?.filter(|timeout| !timeout.is_zero()),
            background: bound.flag("bg", false),
            template: bound.has("template"),
            merge_stderr: false,
            argv: Vec::new(),
            through_shell: false,
        })
    }

    /// The command: a text, or a list that no shell reads.
    pub fn take(&mut self, command: &Value, through_shell: bool) -> Result<(), CallError> {
        self.through_shell = through_shell && !command.is_array();
        self.argv = match command {
            Value::Array(words) => words.iter().map(text_of).collect(),
            text if self.through_shell => vec![text_of(text)],
            text => super::split_words(&text_of(text)).map_err(CallError::failed)?,
        };
        match self.argv.iter().all(String::is_empty) {
            true => Err(CallError::arguments("there is no command to run")),
            false => Ok(()),
        }
    }

    pub fn run(self, context: &Context<'_>, judgement: &Judgement) -> Result<Finished, CallError> {
        if self.template {
            return Err(CallError::arguments("template: a command cannot be a template here; render it first"));
        }
        let shown = self.argv.join(" ");
        let (timeout, background) = (self.timeout, self.background);
        let command = self.into_command();
        let host = context.host()?;
        tracing::info!(command = %shown, cwd = ?command.cwd, runas = ?command.runas, "running a command");
        let output = host
            .run(&command)
            .map_err(|error| CallError::failed(format!("Unable to run command '{shown}': {error}")))?;
        let late = timeout.filter(|_| output.timed_out);
        let message = late.map(|t| format!("{shown} : Timed out after {} seconds", t.as_secs_f64()));
        let mut finished = judgement.apply(context, &output, message);
        if background {
            finished.pid = finished.stdout.trim().parse().unwrap_or(0);
            finished.stdout.clear();
        }
        Ok(finished)
    }

    fn into_command(self) -> Command {
        let mut argv = self.argv;
        if self.through_shell {
            argv = vec![self.shell.to_string_lossy().into_owned(), "-c".into(), argv.concat()];
        }
        if self.background {
            let start = "\"$@\" </dev/null >/dev/null 2>&1 & echo $!";
            argv = [DEFAULT_SHELL, "-c", start, "sh"].into_iter().map(str::to_owned).chain(argv).collect();
        }
        Command {
            argv,
            shell: None,
            cwd: Some(self.cwd),
            env: self.env,
            clean_env: self.clean_env,
            stdin: self.stdin.filter(|_| !self.background),
            runas: self.runas,
            group: self.group,
            umask: self.umask,
            timeout: self.timeout,
            merge_stderr: self.merge_stderr,
        }
    }
}

fn refuse_what_is_not_offered(bound: &Bound) -> Result<(), CallError> {
    let refusal = |why: &str| Err(CallError::arguments(why));
    let encoding = bound.text("output_encoding")?.map(|name| name.to_ascii_lowercase().replace(['-', '_'], ""));
    if bound.flag("use_vt", false) {
        return refusal("use_vt: commands get no terminal here; leave it out");
    }
    if bound.has("password") || bound.flag("encoded_cmd", false) {
        return refusal("password and encoded_cmd are for Windows only");
    }
    match encoding.as_deref() {
        None | Some("utf8" | "ascii" | "usascii") => Ok(()),
        Some(other) => refusal(&format!("output_encoding: {other} is not known; output is read as UTF-8")),
    }
}

fn user(name: &str) -> Result<User, CallError> {
    let missing = || CallError::failed(format!("User '{name}' is not available"));
    User::from_name(name).ok().flatten().ok_or_else(missing)
}

fn shell(context: &Context<'_>, bound: &Bound) -> Result<PathBuf, CallError> {
    let shell = bound.text("shell")?.unwrap_or_else(|| DEFAULT_SHELL.to_owned());
    // Salt wants a path; a name is looked up, because that is what was meant.
    context.look.which(&shell).ok_or_else(|| CallError::failed(format!("The shell {shell} is not available")))
}

/// As Salt: the home of the user it runs as, if that can be entered.
fn cwd(context: &Context<'_>, bound: &Bound, user: Option<&User>) -> Result<PathBuf, CallError> {
    let is_folder = |path: &PathBuf| path.is_absolute() && is_folder(context, path);
    let Some(given) = bound.text("cwd")? else {
        let home = user.map(|user| user.dir.clone()).or_else(|| std::env::var_os("HOME").map(PathBuf::from));
        return Ok(home.filter(is_folder).unwrap_or_else(|| PathBuf::from("/")));
    };
    let given = PathBuf::from(given);
    let wrong = || format!("Specified cwd '{}' either not absolute or does not exist", given.display());
    if is_folder(&given) { Ok(given) } else { Err(CallError::failed(wrong())) }
}

fn is_folder(context: &Context<'_>, path: &std::path::Path) -> bool {
    // With the slash, a link to a folder counts as the folder it leads to.
    context.look.stat(&path.join("")).is_ok_and(|stat| stat.kind == states::look::Kind::Directory)
}

fn environment(bound: &Bound, user: Option<&User>) -> Result<Vec<(String, String)>, CallError> {
    let given = given_environment(bound)?;
    let mut env: Vec<(String, String)> = Vec::new();
    if let Some(user) = user {
        let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
        env.extend([("USER", user.name.clone()), ("LOGNAME", user.name.clone())].map(|(k, v)| (k.to_owned(), v)));
        env.extend([("HOME", text(&user.dir)), ("SHELL", text(&user.shell))].map(|(k, v)| (k.to_owned(), v)));
    }
    if bound.flag("reset_system_locale", true) {
        env.extend(states::resource::command::LOCALE.iter().map(|name| ((*name).to_owned(), "C".to_owned())));
    }
    env.extend(given.into_iter().map(|(name, value)| (name, value_text(&value))));
    if let Some(first) = bound.text("prepend_path")? {
        let given = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
        let path = given.or_else(|| std::env::var("PATH").ok()).unwrap_or_else(|| crate::host::DEFAULT_PATH.to_owned());
        env.push(("PATH".into(), format!("{first}:{path}")));
    }
    Ok(env)
}

/// `env` is a mapping, or a list of mappings (as SLS files write it).
fn given_environment(bound: &Bound) -> Result<Map, CallError> {
    let env = match bound.value("env") {
        None => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(Value::Array(items)) => items
            .iter()
            .filter_map(Value::as_object)
            .flatten()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
        Some(other) if !truth(other) => Map::new(),
        Some(other) => return Err(bound.wrong("env", "a mapping of names to values", other)),
    };
    match env.keys().find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        Some(name) => Err(CallError::arguments(format!("env: {name:?} cannot be the name of a variable"))),
        None => Ok(env),
    }
}

fn value_text(value: &Value) -> String {
    if value.is_null() { String::new() } else { text_of(value) }
}

fn stdin(bound: &Bound) -> Result<Option<Vec<u8>>, CallError> {
    let raw = bound.flag("stdin_raw_newlines", false);
    Ok(bound.text("stdin")?.map(|text| if raw { text } else { text.replace("\\n", "\n") }.into_bytes()))
}

fn umask(bound: &Bound) -> Result<Option<u32>, CallError> {
    let Some(text) = bound.text("umask")? else { return Ok(None) };
    match text.trim_start_matches('0') {
        "" => Err(CallError::failed("Zero umask is not allowed.")),
        digits => match u32::from_str_radix(digits, 8) {
            Ok(mask) if mask <= 0o777 => Ok(Some(mask)),
            _ => Err(CallError::failed(format!("Invalid umask: '{text}'"))),
        },
    }
}
