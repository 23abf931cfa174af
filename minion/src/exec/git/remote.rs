//! Repositories elsewhere: what comes from them, and what goes there.

use std::path::Path;

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Context, Function, resource::git::redacted};

use super::{options, refuse, run, said, told, words_of};
use crate::exec::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "git.clone",
        Writes,
        [
            need("cwd"),
            with("url", "None"),
            with("name", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("https_user", "None"),
            with("https_pass", "None"),
            with("saltenv", "'base'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        clone,
        "Clones a repository.\n\n    ctl run '*' git.clone /srv/repo https://example.org/repo.git"
    ),
    row!(
        "git.ls_remote",
        Runs,
        [
            with("cwd", "None"),
            with("remote", "'origin'"),
            with("ref", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("https_user", "None"),
            with("https_pass", "None"),
            with("saltenv", "'base'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        ls_remote,
        "Lists what a remote repository has, by name.\n\n    ctl run '*' git.ls_remote /srv/repo origin main"
    ),
    row!(
        "git.pull",
        Writes,
        [
            need("cwd"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("saltenv", "'base'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "pull", |words| options(bound, words)),
        "Fetches and merges.\n\n    ctl run '*' git.pull /srv/repo opts='--rebase origin main'"
    ),
    row!(
        "git.push",
        Writes,
        [
            need("cwd"),
            with("remote", "None"),
            with("ref", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("saltenv", "'base'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "push", |words| {
            options(bound, words)?;
            words.extend([bound.need_text("remote")?, bound.need_text("ref")?]);
            Ok(())
        }),
        "Pushes to a remote repository.\n\n    ctl run '*' git.push /srv/repo origin main"
    ),
    row!(
        "git.remotes",
        Reads,
        [
            need("cwd"),
            with("redact_auth", "True"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| remotes(context, bound).map(Value::Object),
        "Lists the remote repositories.\n\n    ctl run '*' git.remotes /srv/repo"
    ),
    row!(
        "git.remote_get",
        Reads,
        [
            need("cwd"),
            with("remote", "'origin'"),
            with("redact_auth", "True"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| {
            let name = bound.text("remote")?.unwrap_or_else(|| "origin".into());
            let missing = || {
                CallError::failed(format!(
                    "Remote '{name}' not present in git checkout located at {}",
                    text_of(bound.value("cwd").unwrap_or(&Value::Null))
                ))
            };
            remotes(context, bound)?.get(&name).cloned().ok_or_else(missing)
        },
        "Shows a remote repository.\n\n    ctl run '*' git.remote_get /srv/repo origin"
    ),
];

fn login(bound: &Bound, url: &str) -> Result<String, CallError> {
    let (user, password) = (bound.text("https_user")?, bound.text("https_pass")?);
    let url = states::resource::git::with_login(url, user.as_deref(), password.as_deref());
    url.map_err(|why| CallError::arguments(why.to_string()))
}

fn clone(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse(bound)?;
    let url = bound.text("url")?.ok_or_else(|| CallError::arguments("Missing 'url' argument"))?;
    let cwd = bound.need_text("cwd")?;
    let mut words = words_of(bound.value("git_opts"))?;
    words.push("clone".into());
    options(bound, &mut words)?;
    words.extend(["--".to_owned(), login(bound, &url)?]);
    let from = match bound.text("name")? {
        Some(name) => {
            words.push(name);
            let made = states::resource::files::make_dirs(context.host()?, Path::new(&cwd), &Default::default());
            made.map_err(|error| CallError::failed(format!("{cwd}: {error}")))?;
            cwd
        }
        None => {
            words.push(cwd);
            "/tmp".to_owned()
        }
    };
    context.host()?;
    told(run(context, Some(&from), bound.text("user")?, &words, false)?)?;
    Ok(true.into())
}

fn ls_remote(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let remote = login(bound, &bound.text("remote")?.unwrap_or_else(|| "origin".into()))?;
    let said = said(context, bound, "ls-remote", |words| {
        options(bound, words)?;
        words.push(remote);
        words.extend(bound.text("ref")?.filter(|name| !name.is_empty()));
        Ok(())
    })?;
    let text = text_of(&said);
    let row =
        |line: &str| line.split_once(char::is_whitespace).map(|(hash, name)| (name.trim().to_owned(), hash.into()));
    Ok(text.lines().filter_map(row).collect::<Map>().into())
}

fn remotes(context: &Context<'_>, bound: &Bound) -> Result<Map, CallError> {
    let said = said(context, bound, "remote", |words| {
        words.push("--verbose".into());
        Ok(())
    })?;
    let mut found = Map::new();
    for line in text_of(&said).lines() {
        let Some((name, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((url, action)) = rest.trim().rsplit_once(char::is_whitespace) else { continue };
        let url = if bound.flag("redact_auth", true) { redacted(url) } else { url.to_owned() };
        let action = action.trim_matches(['(', ')']).to_owned();
        found.entry(name.to_owned()).or_insert_with(|| json!({}))[action] = url.into();
    }
    Ok(found)
}
