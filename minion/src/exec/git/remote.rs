//! Repositories elsewhere: what comes from them, and what goes there.

use std::path::Path;

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Context, Function, resource::git::redacted};

use super::{git, options, refuse, run, said, told, words_of};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    git!(
        "git.clone",
        Writes,
        [
            with("url", "None"),
            with("name", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("https_user", "None"),
            with("https_pass", "None"),
            with("saltenv", "'base'")
        ],
        clone,
        "Clones a repository.\n\n    ctl run '*' git.clone /srv/repo https://example.org/repo.git"
    ),
    row!(
        "git.fetch",
        Writes,
        [
            need("cwd"),
            with("remote", "None"),
            with("force", "False"),
            with("refspecs", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("identity", "None"),
            with("ignore_retcode", "False"),
            with("saltenv", "'base'"),
            with("output_encoding", "None")
        ],
        fetch,
        "Fetches what a remote repository has that is new, and shows which branches and tags that are.\n\n    \
         ctl run '*' git.fetch /srv/repo origin"
    ),
    git!(
        "git.ls_remote",
        Runs,
        anywhere [
            with("cwd", "None"), with("remote", "'origin'"), with("ref", "None"), with("opts", "''"),
            with("git_opts", "''"), with("identity", "None"), with("https_user", "None"), with("https_pass", "None"),
            with("saltenv", "'base'")
        ],
        ls_remote,
        "Lists what a remote repository has, by name.\n\n    ctl run '*' git.ls_remote /srv/repo origin main"
    ),
    git!(
        "git.pull",
        Writes,
        [with("opts", "''"), with("git_opts", "''"), with("identity", "None"), with("saltenv", "'base'")],
        |context, bound| said(context, bound, "pull", |words| options(bound, words)),
        "Fetches and merges.\n\n    ctl run '*' git.pull /srv/repo opts='--rebase origin main'"
    ),
    git!(
        "git.push",
        Writes,
        [
            with("remote", "None"),
            with("ref", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("saltenv", "'base'")
        ],
        |context, bound| said(context, bound, "push", |words| {
            options(bound, words)?;
            words.extend([bound.need_text("remote")?, bound.need_text("ref")?]);
            Ok(())
        }),
        "Pushes to a remote repository.\n\n    ctl run '*' git.push /srv/repo origin main"
    ),
    row!(
        "git.remote_refs",
        Runs,
        [
            need("url"),
            with("heads", "False"),
            with("tags", "False"),
            with("user", "None"),
            with("password", "None"),
            with("identity", "None"),
            with("https_user", "None"),
            with("https_pass", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None"),
            with("saltenv", "'base'"),
            NAMED
        ],
        remote_refs,
        "Lists the branches and tags of a repository elsewhere, by name.\n\n    \
         ctl run '*' git.remote_refs https://example.org/repo.git heads=True"
    ),
    row!(
        "git.remote_set",
        Writes,
        [
            need("cwd"),
            need("url"),
            with("remote", "'origin'"),
            with("user", "None"),
            with("password", "None"),
            with("https_user", "None"),
            with("https_pass", "None"),
            with("push_url", "None"),
            with("push_https_user", "None"),
            with("push_https_pass", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        remote_set,
        "Gives a remote repository its address, and shows it then.\n\n    \
         ctl run '*' git.remote_set /srv/repo https://example.org/repo.git"
    ),
    git!(
        "git.remotes",
        Reads,
        [with("redact_auth", "True")],
        |context, bound| remotes(context, bound).map(Value::Object),
        "Lists the remote repositories.\n\n    ctl run '*' git.remotes /srv/repo"
    ),
    git!(
        "git.remote_get",
        Reads,
        [with("remote", "'origin'"), with("redact_auth", "True")],
        remote_get,
        "Shows a remote repository.\n\n    ctl run '*' git.remote_get /srv/repo origin"
    ),
];

fn login(bound: &Bound, url: &str) -> Result<String, CallError> {
    login_as(bound, url, ["https_user", "https_pass"])
}

fn login_as(bound: &Bound, url: &str, [user, password]: [&str; 2]) -> Result<String, CallError> {
    let (user, password) = (bound.text(user)?, bound.text(password)?);
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

/// The name of the remote repository that is meant.
fn remote_name(bound: &Bound) -> Result<String, CallError> {
    Ok(bound.text("remote")?.unwrap_or_else(|| "origin".into()))
}

fn remote_get(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = remote_name(bound)?;
    let cwd = text_of(bound.value("cwd").unwrap_or(&Value::Null));
    let missing = || CallError::failed(format!("Remote '{name}' not present in git checkout located at {cwd}"));
    remotes(context, bound)?.get(&name).cloned().ok_or_else(missing)
}

fn remote_set(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let (name, url) = (remote_name(bound)?, login(bound, &bound.need_text("url")?)?);
    let remote = |more: &[&str]| {
        said(context, bound, "remote", |words| {
            words.extend(more.iter().map(ToString::to_string));
            Ok(())
        })
    };
    if remotes(context, bound)?.contains_key(&name) {
        remote(&["rm", &name])?;
    }
    remote(&["add", &name, &url])?;
    if let Some(push) = bound.text("push_url")? {
        let push = login_as(bound, &push, ["push_https_user", "push_https_pass"])?;
        remote(&["set-url", "--push", &name, &push])?;
    }
    remote_get(context, bound)
}

fn remote_refs(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    if let Some(other) = bound.named.keys().find(|name| *name != "filter") {
        return Err(CallError::arguments(format!("git.remote_refs takes no argument named '{other}'")));
    }
    let url = login(bound, &bound.need_text("url")?)?;
    let said = said(context, bound, "ls-remote", |words| {
        words.extend(bound.flag("heads", false).then(|| "--heads".to_owned()));
        words.extend(bound.flag("tags", false).then(|| "--tags".to_owned()));
        words.push(url);
        words.extend(bound.named.get("filter").map(text_of));
        Ok(())
    })?;
    Ok(refs_of(&said).into())
}

fn fetch(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let output = git(context, bound, "fetch", true, |words| {
        words.extend(bound.flag("force", false).then(|| "--force".to_owned()));
        let at = words.len();
        options(bound, words)?;
        let given = words.split_off(at);
        words.extend(given.into_iter().filter(|word| word != "-f" && word != "--force"));
        words.extend(bound.text("remote")?);
        words.extend(bound.list("refspecs").iter().map(text_of));
        Ok(())
    })?;
    Ok(fetched(&text_of(&told(output)?)).into())
}

/// What `git fetch` says that it brought: `   12ab..34cd  main -> origin/main`,
/// ` * [new tag]  v1 -> v1`.
fn fetched(said: &str) -> Map {
    let mut found = Map::new();
    for line in said.lines() {
        let line = line.trim_start_matches([' ', '\t', '*']);
        let Some((what, name)) = line.split_once("->").and_then(|(before, _)| update(before)) else { continue };
        let list = |found: &mut Map, key: &str| {
            if let Value::Array(names) = found.entry(key).or_insert_with(|| json!([])) {
                names.push(name.into());
            }
        };
        match what {
            Update::NewTag => list(&mut found, "new tags"),
            Update::NewBranch => list(&mut found, "new branches"),
            Update::Tag => list(&mut found, "updated tags"),
            Update::Branch(old, new) => {
                let branches = found.entry("updated branches").or_insert_with(|| json!({}));
                branches[name] = json!({"old": old, "new": new});
            }
        }
    }
    found
}

enum Update<'a> {
    NewTag,
    NewBranch,
    Tag,
    Branch(&'a str, &'a str),
}

fn update(text: &str) -> Option<(Update<'_>, &str)> {
    let marks = [("[new tag]", Update::NewTag), ("[new branch]", Update::NewBranch), ("[tag update]", Update::Tag)];
    for (mark, update) in marks {
        if let Some(name) = text.strip_prefix(mark) {
            return Some((update, name.trim()));
        }
    }
    let (range, name) = text.split_once(char::is_whitespace)?;
    let (old, new) = range.split_once("..")?;
    let is_hash = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
    (is_hash(old) && is_hash(new)).then(|| (Update::Branch(old, new), name.trim()))
}

fn ls_remote(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let remote = login(bound, &bound.text("remote")?.unwrap_or_else(|| "origin".into()))?;
    let said = said(context, bound, "ls-remote", |words| {
        options(bound, words)?;
        words.push(remote);
        words.extend(bound.text("ref")?.filter(|name| !name.is_empty()));
        Ok(())
    })?;
    Ok(refs_of(&said).into())
}

fn refs_of(said: &Value) -> Map {
    let row =
        |line: &str| line.split_once(char::is_whitespace).map(|(hash, name)| (name.trim().to_owned(), hash.into()));
    text_of(said).lines().filter_map(row).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_is_read() {
        let said = "From /srv/a\n   0c1f2aa..77e9d01  main       -> origin/main\n * [new branch]      fix/a      -> origin/fix/a\n \
                    * [new tag]         v1 -> v1\n t [tag update] v0 -> v0\n + 12..34 x (forced update)\n";
        let found = fetched(said);
        assert_eq!(found["updated branches"], json!({"main": {"old": "0c1f2aa", "new": "77e9d01"}}));
        assert_eq!((&found["new branches"], &found["new tags"]), (&json!(["fix/a"]), &json!(["v1"])));
        assert!(fetched("nothing -> here\n..\n->").is_empty());
    }
}
