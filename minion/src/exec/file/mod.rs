//! `file.*` beyond what `states::functions` reads. Salt's `modules/file.py`.

mod backups;
mod edit;
mod find;
mod hash;
mod look;
mod managed;
mod moves;
mod owner;
mod text;

use std::{io, path::Path};

use proto::{Args, Value};
use states::{CallError, Command, Context, Function, Output};

use super::bind::Bound;

pub static TABLES: &[&[Function]] = &[
    backups::TABLE,
    edit::TABLE,
    find::TABLE,
    hash::TABLE,
    look::TABLE,
    managed::TABLE,
    moves::TABLE,
    owner::TABLE,
    text::TABLE,
];

/// A path as it was given, with `~` as a shell would read it.
pub fn path(bound: &Bound, name: &str) -> Result<String, CallError> {
    let given = bound.need_text(name)?;
    let Some(rest) = given.strip_prefix('~') else { return Ok(given) };
    let (user, inside) = rest.split_once('/').map_or((rest, ""), |(user, inside)| (user, inside));
    let home = match user {
        "" => std::env::var("HOME").ok(),
        user => nix::unistd::User::from_name(user).ok().flatten().map(|user| user.dir.display().to_string()),
    };
    Ok(match home {
        Some(home) if inside.is_empty() => home,
        Some(home) => format!("{}/{inside}", home.trim_end_matches('/')),
        None => given,
    })
}

/// A path that does not depend on where the minion was started.
pub fn absolute(bound: &Bound, name: &str) -> Result<String, CallError> {
    let given = path(bound, name)?;
    match given.starts_with('/') {
        true => Ok(given),
        false => Err(CallError::arguments("File path must be absolute.")),
    }
}

/// What the system said, in Python's words.
pub fn system(name: &str, error: &io::Error) -> CallError {
    CallError::failed(python(error, Path::new(name)))
}

pub fn python(error: &io::Error, path: &Path) -> String {
    match error.raw_os_error() {
        Some(number) => format!("[Errno {number}] {}: '{}'", plain(error), path.display()),
        None => format!("{}: {error}", path.display()),
    }
}

/// An error of the system without its number.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

fn command(words: &[&str]) -> Command {
    Command {
        argv: words.iter().map(ToString::to_string).collect(),
        env: vec![("LC_ALL".into(), "C".into())],
        ..Command::default()
    }
}

/// A command that changes nothing.
fn probe(context: &Context<'_>, words: &[&str]) -> Result<Output, CallError> {
    context.look.probe(&command(words)).map_err(|error| CallError::failed(error.to_string()))
}

/// A command that changes the host.
fn run(context: &Context<'_>, words: &[&str]) -> Result<Output, CallError> {
    context.host()?.run(&command(words)).map_err(|error| CallError::failed(error.to_string()))
}

/// What `cmd.run_all` gives, without a shell.
fn run_all(context: &Context<'_>, words: Vec<String>) -> Result<Value, CallError> {
    let name = "cmd.run_all".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    context.call(&name, Args::positional([words.into()]).with("python_shell", false))
}

/// The paths that a glob matches, sorted; a path without wild cards if it is there.
pub fn expand_glob(context: &Context<'_>, pattern: &str) -> Vec<String> {
    let mut places = vec![if pattern.starts_with('/') { "/".to_owned() } else { String::new() }];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let join = |place: &String, name: &str| match place.is_empty() || place.ends_with('/') {
            true => format!("{place}{name}"),
            false => format!("{place}/{name}"),
        };
        let step = |place: &String| -> Vec<String> {
            if !states::glob::is_pattern(part) {
                return vec![join(place, part)];
            }
            let folder = if place.is_empty() { "." } else { place };
            let names = context.look.list(Path::new(folder)).unwrap_or_default();
            let fits =
                |name: &&String| states::glob::matches(part, name) && (part.starts_with('.') || !name.starts_with('.'));
            names.iter().filter(fits).map(|name| join(place, name)).collect()
        };
        places = places.iter().flat_map(step).collect();
    }
    places.retain(|place| context.look.stat(Path::new(place)).is_ok());
    places
}
