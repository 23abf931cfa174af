//! Commands as states name them: `cwd`, `runas`, `env` and their like.

use std::time::Duration;

use proto::Value;

use super::{accounts, environ};
use crate::{
    Command, Host, Look, Output,
    functions::truth,
    plan::StateError,
    value::{self, python_str},
};

/// A command line for a shell, with the settings that `setting` gives.
///
/// # Errors
/// Settings that cannot be read.
pub fn shell(look: &dyn Look, line: &str, setting: &dyn Fn(&str) -> Option<Value>) -> Result<Command, String> {
    let text = |key: &str| setting(key).filter(truth).map(|value| python_str(&value));
    let grain = || look.grains().get("shell").and_then(Value::as_str).map(str::to_owned);
    let shell = text("shell").or_else(grain).unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command {
        argv: vec![line.to_owned()],
        shell: Some(shell.into()),
        cwd: text("cwd").map(Into::into).or_else(|| home(look, text("runas").or_else(|| text("user")).as_deref())),
        runas: text("runas").or_else(|| text("user")),
        group: text("group"),
        stdin: text("stdin").map(String::into_bytes),
        env: surroundings(look, text("runas").or_else(|| text("user")).as_deref())
            .into_iter()
            .chain(environ::changed())
            .chain(environment(setting("env").as_ref())?)
            .collect(),
        clean_env: setting("clean_env").is_some_and(|flag| truth(&flag)),
        umask: setting("umask").map(|mask| umask(&mask)).transpose()?.flatten(),
        timeout: setting("timeout").filter(truth).map(|value| seconds(&value)).transpose()?.flatten(),
        ..Command::default()
    };
    if let Some(more) = text("prepend_path") {
        let path = command.env.iter().position(|(name, _)| name == "PATH");
        let old = path.map(|at| command.env.remove(at).1);
        let old = old.or_else(|| std::env::var("PATH").ok()).unwrap_or_default();
        command.env.push(("PATH".into(), format!("{more}:{old}")));
    }
    Ok(command)
}

/// Salt sets all of these to `C`, so that output is English whatever the host's language is.
pub const LOCALE: [&str; 13] = [
    "LC_CTYPE",
    "LC_NUMERIC",
    "LC_TIME",
    "LC_COLLATE",
    "LC_MONETARY",
    "LC_MESSAGES",
    "LC_PAPER",
    "LC_NAME",
    "LC_ADDRESS",
    "LC_TELEPHONE",
    "LC_MEASUREMENT",
    "LC_IDENTIFICATION",
    "LANGUAGE",
];

/// What a command finds around it: English, and the home of the user it runs as.
fn surroundings(look: &dyn Look, runas: Option<&str>) -> Vec<(String, String)> {
    let own = |(name, value): (&str, String)| (name.to_owned(), value);
    let mut env: Vec<(String, String)> = LOCALE.map(|name| own((name, "C".into()))).to_vec();
    if let Some(user) = runas.and_then(|name| accounts::user(look, name)) {
        let of_user = [("USER", user.name.clone()), ("LOGNAME", user.name), ("HOME", user.home), ("SHELL", user.shell)];
        env.extend(of_user.map(own));
    }
    env
}

/// Where a command starts if nobody says: in the home of the user it runs as.
fn home(look: &dyn Look, runas: Option<&str>) -> Option<std::path::PathBuf> {
    let home: std::path::PathBuf = match runas {
        Some(name) => accounts::user(look, name)?.home.into(),
        None => std::env::var_os("HOME")?.into(),
    };
    super::files::is_dir(look, &home).then_some(home)
}

/// A number; also one that is written as a text. None is no limit.
fn seconds(value: &Value) -> Result<Option<Duration>, String> {
    let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let seconds: f64 = number.ok_or_else(|| format!("Error: timeout {} must be a number", python_str(value)))?;
    Ok(if seconds > 0.0 { Duration::try_from_secs_f64(seconds).ok() } else { None })
}

fn umask(value: &Value) -> Result<Option<u32>, String> {
    if !truth(value) {
        return Ok(None);
    }
    let text = python_str(value);
    u32::from_str_radix(&text, 8).map(Some).map_err(|_| format!("Invalid umask: '{text}'"))
}

/// `env`: a mapping, or a list of mappings. False takes a variable away, as an empty text does here.
pub fn environment(env: Option<&Value>) -> Result<Vec<(String, String)>, String> {
    let mut all = Vec::new();
    let pairs = |map: &proto::Map| -> Vec<(String, String)> {
        let text = |value: &Value| if *value == Value::Bool(false) { String::new() } else { python_str(value) };
        map.iter().map(|(name, value)| (python_str(&value::from_key(name)), text(value))).collect()
    };
    match env {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => all.extend(pairs(map)),
        Some(Value::Array(items)) => {
            for item in items {
                match item {
                    Value::Object(map) => all.extend(pairs(map)),
                    Value::String(pair) => {
                        let (name, text) = pair.split_once('=').ok_or(BAD_ENV)?;
                        all.push((name.to_owned(), text.to_owned()));
                    }
                    _ => return Err(BAD_ENV.into()),
                }
            }
        }
        Some(_) => return Err(BAD_ENV.into()),
    }
    Ok(all)
}

const BAD_ENV: &str = "Invalidly-formatted 'env' parameter. See documentation.";

/// Output as Salt shows it: text without the line ends at its end.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}

/// A program started with arguments of ours, in plain English.
pub fn program(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(ToString::to_string).collect(),
        env: environ::changed().into_iter().chain([("LC_ALL".into(), "C".into())]).collect(),
        ..Command::default()
    }
}

/// What a program said of its failure: its errors, else its output.
pub fn complaint(output: &Output) -> String {
    let errors = text(&output.stderr);
    if errors.trim().is_empty() { text(&output.stdout) } else { errors }
}

/// Runs a program with arguments of ours; whether it went well is for the caller to see.
pub fn run(host: &dyn Host, argv: &[&str]) -> Result<Output, StateError> {
    host.run(&program(argv)).map_err(|why| StateError::failed(format!("{}: {why}", argv.first().unwrap_or(&""))))
}

/// As [`run`], and a failure is an error with what the program said.
pub fn run_well(host: &dyn Host, argv: &[&str]) -> Result<Output, StateError> {
    let output = run(host, argv)?;
    if output.code == 0 { Ok(output) } else { Err(StateError::failed(complaint(&output))) }
}

/// Starts a program that only looks.
pub fn ask(look: &dyn Look, argv: &[&str]) -> Result<Output, StateError> {
    look.probe(&program(argv)).map_err(|why| StateError::failed(format!("{}: {why}", argv.first().unwrap_or(&""))))
}
