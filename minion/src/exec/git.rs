//! `git.*`: repositories, by the program `git`. Salt's `modules/git.py`.

/// A row of the table: what it does in a repository (`cwd`), or `anywhere`. Its own parameters stand before
/// those that all have; `; NAMED` takes more.
macro_rules! git {
    ($name:literal, $effect:ident, [$($own:expr),* $(; $named:expr)?], $call:expr, $doc:literal $(,)?) => {
        git!($name, $effect, anywhere [$crate::exec::bind::need("cwd") $(, $own)* $(; $named)?], $call, $doc)
    };
    ($name:literal, $effect:ident, anywhere [$($own:expr),* $(; $named:expr)?], $call:expr, $doc:literal $(,)?) => {
        $crate::exec::bind::row!(
            $name,
            $effect,
            [
                $($own,)*
                $crate::exec::bind::with("user", "None"),
                $crate::exec::bind::with("password", "None"),
                $crate::exec::bind::with("ignore_retcode", "False"),
                $crate::exec::bind::with("output_encoding", "None"),
                $($named)?
            ],
            $call,
            $doc
        )
    };
}

mod compare;
mod config;
mod refs;
mod remote;
mod repository;
mod tree;
mod worktree;

use proto::Value;
use states::{CallError, Command, Context, Function, Output, resource::git::redacted};

use super::bind::{Bound, text_of};

pub static TABLES: &[&[Function]] =
    &[compare::TABLE, config::TABLE, refs::TABLE, remote::TABLE, repository::TABLE, tree::TABLE, worktree::TABLE];

fn split(text: &str) -> Result<Vec<String>, CallError> {
    crate::exec::split_words(text).map_err(|error| CallError::arguments(error.to_string()))
}

fn words_of(value: Option<&Value>) -> Result<Vec<String>, CallError> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items.iter().map(text_of).collect()),
        Some(text) => split(&text_of(text)),
    }
}

/// `opts`: more words for the command.
fn options(bound: &Bound, words: &mut Vec<String>) -> Result<(), CallError> {
    words.extend(words_of(bound.value("opts"))?);
    Ok(())
}

fn rev(bound: &Bound, default: &str) -> Result<String, CallError> {
    Ok(bound.text("rev")?.unwrap_or_else(|| default.to_owned()))
}

fn run(
    context: &Context<'_>,
    cwd: Option<&str>,
    user: Option<String>,
    words: &[String],
    merge_stderr: bool,
) -> Result<Output, CallError> {
    let argv = ["git".to_owned()].into_iter().chain(words.iter().cloned()).collect();
    let env = [("LC_ALL", "C"), ("GIT_TERMINAL_PROMPT", "0")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let command =
        Command { argv, cwd: cwd.map(Into::into), runas: user, env: env.into(), merge_stderr, ..Command::default() };
    // Where nothing may be changed, what only looks is still asked.
    let output = match context.host {
        Some(host) => host.run(&command),
        None => context.look.probe(&command),
    };
    output.map_err(|error| CallError::failed(error.to_string()))
}

fn refuse(bound: &Bound) -> Result<(), CallError> {
    let key = ["password", "identity", "output_encoding"].into_iter().find(|key| bound.has(key));
    key.map_or(Ok(()), |key| Err(CallError::arguments(format!("git: {key} is not available here"))))
}

/// Runs a command of git where `cwd` says.
fn git(
    context: &Context<'_>,
    bound: &Bound,
    command: &str,
    merge_stderr: bool,
    fill: impl FnOnce(&mut Vec<String>) -> Result<(), CallError>,
) -> Result<Output, CallError> {
    refuse(bound)?;
    let mut words = words_of(bound.value("git_opts"))?;
    words.push(command.to_owned());
    fill(&mut words)?;
    let cwd = bound.text("cwd")?;
    run(context, cwd.as_deref(), bound.text("user")?, &words, merge_stderr)
}

fn told(output: Output) -> Result<Value, CallError> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.code {
        0 => Ok(text(&output.stdout).into()),
        _ => {
            let said = [&output.stderr, &output.stdout].map(|bytes| text(bytes));
            let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
            Err(CallError::failed(redacted(&said)))
        }
    }
}

/// What a command printed.
fn said(
    context: &Context<'_>,
    bound: &Bound,
    command: &str,
    fill: impl FnOnce(&mut Vec<String>) -> Result<(), CallError>,
) -> Result<Value, CallError> {
    told(git(context, bound, command, false, fill)?)
}

/// The same with its errors, which is where some commands tell what they did.
fn both(
    context: &Context<'_>,
    bound: &Bound,
    command: &str,
    fill: impl FnOnce(&mut Vec<String>) -> Result<(), CallError>,
) -> Result<Value, CallError> {
    told(git(context, bound, command, true, fill)?)
}
