//! Scripts and code that are put into a file, run, and taken away again.

use std::path::{Path, PathBuf};

use proto::{Args, Value};
use states::{CallError, Context, Host};

use super::{
    invocation::Invocation,
    params::{CODE, SCRIPT},
    result::Judgement,
};
use crate::exec::bind::{Bound, bind, text_of};

const SCRIPT_LIMIT: u64 = 64 * 1024 * 1024;

pub fn script(function: &'static str, context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind(function, SCRIPT, args)?;
    let source = bound.need_text("source")?;
    let mut invocation = Invocation::new(context, &bound)?;
    let bytes = fetch(context, &source, &bound)?;
    let file = Temporary::new(context, &bound, &bytes, extension(&source))?;
    let mut command = vec![Value::from(file.path.to_string_lossy())];
    command.extend(arguments(&bound)?);
    invocation.take(&Value::Array(command), false)?;
    let finished = invocation.run(context, &Judgement::of(&bound)?)?;
    Ok(finished.all(&bound))
}

pub fn exec_code(function: &'static str, context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind(function, CODE, args)?;
    let mut invocation = Invocation::new(context, &bound)?;
    invocation.merge_stderr = bound.flag("redirect_stderr", false);
    let file = Temporary::new(context, &bound, bound.need_text("code")?.as_bytes(), "")?;
    let mut command = vec![Value::from(bound.need_text("lang")?), file.path.to_string_lossy().into()];
    match bound.value("args") {
        None => {}
        Some(Value::Array(args)) => command.extend(args.iter().cloned()),
        Some(arg) => command.push(text_of(arg).into()),
    }
    invocation.take(&Value::Array(command), false)?;
    let finished = invocation.run(context, &Judgement::of(&bound)?)?;
    Ok(finished.all(&bound))
}

fn arguments(bound: &Bound) -> Result<Vec<Value>, CallError> {
    match bound.value("args") {
        None => Ok(Vec::new()),
        Some(Value::Array(args)) => Ok(args.clone()),
        Some(text) => {
            let words = super::split_words(&text_of(text)).map_err(CallError::failed)?;
            Ok(words.into_iter().map(Value::from).collect())
        }
    }
}

fn extension(source: &str) -> &str {
    let name = source.split('?').next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    name.rfind('.').filter(|&at| at > 0).map_or("", |at| &name[at..])
}

fn fetch(context: &Context<'_>, source: &str, bound: &Bound) -> Result<Vec<u8>, CallError> {
    if source.starts_with("salt://") {
        return fetch_salt(context, source, bound);
    }
    let path = source.strip_prefix("file://").unwrap_or(source);
    if !path.starts_with('/') {
        let why = format!("cmd.script: {source} is neither an absolute path nor a salt:// file");
        return Err(CallError::arguments(why));
    }
    let unreadable = |error| CallError::failed(format!("cmd.script: {path}: {error}"));
    context.look.read(Path::new(path), SCRIPT_LIMIT).map_err(unreadable)
}

fn fetch_salt(context: &Context<'_>, source: &str, bound: &Bound) -> Result<Vec<u8>, CallError> {
    let path = source.trim_start_matches("salt://");
    let (path, in_url) = path.split_once("?saltenv=").map_or((path, None), |(path, env)| (path, Some(env.to_owned())));
    let env = in_url.or(bound.text("saltenv")?).unwrap_or_else(|| "base".into());
    let unreadable = |error| CallError::failed(format!("cmd.script: {source} cannot be had: {error}"));
    let missing = || CallError::failed(format!("cmd.script: {source} does not exist"));
    context.tree.read(&env, path).map_err(unreadable)?.ok_or_else(missing)
}

/// A file that only the one who runs it may read, gone when this is dropped.
struct Temporary<'a> {
    path: PathBuf,
    host: &'a dyn Host,
}

impl<'a> Temporary<'a> {
    fn new(context: &Context<'a>, bound: &Bound, bytes: &[u8], extension: &str) -> Result<Self, CallError> {
        let host = context.host()?;
        let folder = std::env::temp_dir();
        let file = Self { path: folder.join(format!("overstate-{:032x}{extension}", rand::random::<u128>())), host };
        let failed = |error| CallError::failed(format!("{}: {error}", file.path.display()));
        host.write(&file.path, bytes, 0o500).map_err(failed)?;
        if let Some(name) = bound.text("runas")? {
            let owner = nix::unistd::User::from_name(&name).ok().flatten().map(|user| user.uid.as_raw());
            host.set_owner(&file.path, owner, None).map_err(failed)?;
        }
        Ok(file)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.host.remove(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "could not remove a temporary file");
        }
    }
}
