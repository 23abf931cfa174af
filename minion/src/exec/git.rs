//! `git.*`: repositories, by the program `git`. Salt's `modules/git.py`.

use std::path::Path;

use proto::{Map, Value};
use serde_json::json;
use states::{CallError, Command, Context, Function, Output, resource::git::redacted};

use super::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "git.add",
        Writes,
        [
            need("cwd"),
            need("filename"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "add", |words| {
            words.push("--verbose".into());
            options(bound, words)?;
            words.extend(["--".into(), bound.need_text("filename")?]);
            Ok(())
        }),
        "Stages a file.\n\n    ctl run '*' git.add /srv/repo foo.py"
    ),
    row!(
        "git.archive",
        Writes,
        [
            need("cwd"),
            need("output"),
            with("rev", "'HEAD'"),
            with("prefix", "None"),
            with("git_opts", "''"),
            with("format", "None"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        archive,
        "Packs a revision into an archive.\n\n    ctl run '*' git.archive /srv/repo /tmp/repo.tar"
    ),
    row!(
        "git.branch",
        Writes,
        [
            need("cwd"),
            with("name", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| {
            said(context, bound, "branch", |words| {
                options(bound, words)?;
                words.extend(bound.text("name")?);
                Ok(())
            })?;
            Ok(true.into())
        },
        "Makes, renames or removes a branch.\n\n    ctl run '*' git.branch /srv/repo feature"
    ),
    row!(
        "git.checkout",
        Writes,
        [
            need("cwd"),
            with("rev", "None"),
            with("force", "False"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        checkout,
        "Checks a revision out.\n\n    ctl run '*' git.checkout /srv/repo main"
    ),
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
        "git.commit",
        Writes,
        [
            need("cwd"),
            need("message"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("filename", "None"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "commit", |words| {
            words.extend(["-m".into(), bound.need_text("message")?]);
            options(bound, words)?;
            words.extend(bound.text("filename")?.into_iter().flat_map(|name| ["--".to_owned(), name]));
            Ok(())
        }),
        "Commits what is staged.\n\n    ctl run '*' git.commit /srv/repo 'The message'"
    ),
    row!(
        "git.config_get",
        Reads,
        [
            need("key"),
            with("cwd", "None"),
            with("all", "False"),
            with("global", "False"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        config_get,
        "Gives a value of the configuration; null if there is none.\n\n    ctl run '*' git.config_get user.email /srv/repo"
    ),
    row!(
        "git.config_set",
        Writes,
        [
            need("key"),
            with("value", "None"),
            with("multivar", "None"),
            with("cwd", "None"),
            with("add", "False"),
            with("global", "False"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        config_set,
        "Sets a value of the configuration, and lists what it is then.\n\n    ctl run '*' git.config_set user.email me@example.org /srv/repo"
    ),
    row!(
        "git.config_unset",
        Writes,
        [
            need("key"),
            with("value_regex", "None"),
            with("cwd", "None"),
            with("all", "False"),
            with("global", "False"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        config_unset,
        "Takes a value out of the configuration.\n\n    ctl run '*' git.config_unset user.email cwd=/srv/repo"
    ),
    row!(
        "git.current_branch",
        Reads,
        [
            need("cwd"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "rev-parse", |words| {
            words.extend(["--abbrev-ref", "HEAD"].map(str::to_owned));
            Ok(())
        }),
        "Names the branch that is checked out.\n\n    ctl run '*' git.current_branch /srv/repo"
    ),
    row!(
        "git.describe",
        Reads,
        [
            need("cwd"),
            with("rev", "'HEAD'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "describe", |words| {
            words.extend(["--always".into(), rev(bound, "HEAD")?]);
            Ok(())
        }),
        "Describes a revision by the tags before it.\n\n    ctl run '*' git.describe /srv/repo"
    ),
    row!(
        "git.discard_local_changes",
        Writes,
        [
            need("cwd"),
            with("path", "'.'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| {
            let path = bound.text("path")?.unwrap_or_else(|| ".".into());
            both(context, bound, "checkout", |words| {
                words.extend(["--".into(), path]);
                Ok(())
            })
        },
        "Undoes changes that are not committed.\n\n    ctl run '*' git.discard_local_changes /srv/repo"
    ),
    row!(
        "git.init",
        Writes,
        [
            need("cwd"),
            with("bare", "False"),
            with("template", "None"),
            with("separate_git_dir", "None"),
            with("shared", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        init,
        "Makes a repository.\n\n    ctl run '*' git.init /srv/repo bare=True"
    ),
    row!(
        "git.list_branches",
        Reads,
        [
            need("cwd"),
            with("remote", "False"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| {
            let refs = if bound.flag("remote", false) { "refs/remotes/" } else { "refs/heads/" };
            listed(context, bound, refs)
        },
        "Lists the branches.\n\n    ctl run '*' git.list_branches /srv/repo"
    ),
    row!(
        "git.list_tags",
        Reads,
        [
            need("cwd"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| listed(context, bound, "refs/tags/"),
        "Lists the tags.\n\n    ctl run '*' git.list_tags /srv/repo"
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
        "git.merge",
        Writes,
        [
            need("cwd"),
            with("rev", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "merge", |words| {
            options(bound, words)?;
            words.extend(bound.text("rev")?);
            Ok(())
        }),
        "Merges a revision.\n\n    ctl run '*' git.merge /srv/repo upstream/main"
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
        "git.rebase",
        Writes,
        [
            need("cwd"),
            with("rev", "'master'"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "rebase", |words| {
            options(bound, words)?;
            if words.iter().any(|word| word == "-i" || word == "--interactive") {
                return Err(CallError::arguments("Interactive rebases are not supported"));
            }
            words.extend(split(&rev(bound, "master")?)?);
            Ok(())
        }),
        "Rebases the branch.\n\n    ctl run '*' git.rebase /srv/repo main"
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
    row!(
        "git.reset",
        Writes,
        [
            need("cwd"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "reset", |words| options(bound, words)),
        "Resets the branch.\n\n    ctl run '*' git.reset /srv/repo opts='--hard origin/main'"
    ),
    row!(
        "git.rev_parse",
        Reads,
        [
            need("cwd"),
            with("rev", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "rev-parse", |words| {
            options(bound, words)?;
            words.extend(bound.text("rev")?);
            Ok(())
        }),
        "Asks `git rev-parse`.\n\n    ctl run '*' git.rev_parse /srv/repo HEAD"
    ),
    row!(
        "git.revision",
        Reads,
        [
            need("cwd"),
            with("rev", "'HEAD'"),
            with("short", "False"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "rev-parse", |words| {
            words.extend(bound.flag("short", false).then(|| "--short".to_owned()));
            words.push(rev(bound, "HEAD")?);
            Ok(())
        }),
        "Gives the hash of a revision.\n\n    ctl run '*' git.revision /srv/repo main"
    ),
    row!(
        "git.rm",
        Writes,
        [
            need("cwd"),
            need("filename"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "rm", |words| {
            options(bound, words)?;
            words.extend(["--".into(), bound.need_text("filename")?]);
            Ok(())
        }),
        "Removes a file from the repository.\n\n    ctl run '*' git.rm /srv/repo foo.py"
    ),
    row!(
        "git.stash",
        Writes,
        [
            need("cwd"),
            with("action", "'save'"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| {
            let action = bound.text("action")?.unwrap_or_else(|| "save".into());
            said(context, bound, "stash", |words| {
                words.push(action);
                options(bound, words)
            })
        },
        "Puts changes aside, or takes them up again.\n\n    ctl run '*' git.stash /srv/repo pop"
    ),
    row!(
        "git.status",
        Reads,
        [
            need("cwd"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        status,
        "Shows what is changed and not committed.\n\n    ctl run '*' git.status /srv/repo"
    ),
    row!(
        "git.submodule",
        Writes,
        [
            need("cwd"),
            need("command"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("saltenv", "'base'"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        |context, bound| said(context, bound, "submodule", |words| {
            words.push(bound.need_text("command")?);
            options(bound, words)
        }),
        "Manages submodules.\n\n    ctl run '*' git.submodule /srv/repo update opts=--init"
    ),
    row!(
        "git.tag",
        Writes,
        [
            need("cwd"),
            need("name"),
            with("ref", "'HEAD'"),
            with("message", "None"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("user", "None"),
            with("password", "None"),
            with("ignore_retcode", "False"),
            with("output_encoding", "None")
        ],
        tag,
        "Makes or removes a tag.\n\n    ctl run '*' git.tag /srv/repo v1.0"
    ),
    row!(
        "git.version",
        Reads,
        [with("versioninfo", "False")],
        |context, bound| {
            if bound.flag("versioninfo", false) {
                return Err(CallError::arguments("versioninfo: the version is given as a text here"));
            }
            let output = run(context, None, None, &["--version".to_owned()], false)?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(said.split('(').next().unwrap_or_default().split_whitespace().last().unwrap_or("unknown").into())
        },
        "Gives the version of git.\n\n    ctl run '*' git.version"
    ),
];

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

fn listed(context: &Context<'_>, bound: &Bound, refs: &str) -> Result<Value, CallError> {
    let format = ["--format", "%(refname:short)", refs].map(str::to_owned);
    let said = said(context, bound, "for-each-ref", |words| {
        words.extend(format);
        Ok(())
    })?;
    Ok(text_of(&said).lines().map(str::to_owned).collect())
}

fn archive(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let cwd = bound.need_text("cwd")?;
    let name = Path::new(&cwd).file_name().map(|name| format!("{}/", name.to_string_lossy()));
    let prefix = bound.text("prefix")?.or(name).unwrap_or_default();
    said(context, bound, "archive", |words| {
        if !prefix.is_empty() {
            words.extend(["--prefix".to_owned(), prefix]);
        }
        words.extend(bound.text("format")?.into_iter().flat_map(|format| ["--format".to_owned(), format]));
        words.extend(["--output".to_owned(), bound.need_text("output")?, rev(bound, "HEAD")?]);
        Ok(())
    })?;
    Ok(true.into())
}

fn checkout(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    both(context, bound, "checkout", |words| {
        words.extend(bound.flag("force", false).then(|| "--force".to_owned()));
        options(bound, words)?;
        let makes = words.iter().any(|word| word == "-b" || word == "-B");
        match bound.text("rev")? {
            Some(rev) => words.push(rev),
            None if makes => {}
            None => return Err(CallError::arguments("'rev' argument is required unless -b or -B in opts")),
        }
        Ok(())
    })
}

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

fn init(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse(bound)?;
    let mut words = words_of(bound.value("git_opts"))?;
    words.push("init".into());
    words.extend(bound.flag("bare", false).then(|| "--bare".to_owned()));
    words.extend(bound.text("template")?.map(|template| format!("--template={template}")));
    words.extend(bound.text("separate_git_dir")?.map(|folder| format!("--separate-git-dir={folder}")));
    words.extend(match bound.value("shared") {
        Some(Value::Number(mode)) => Some(format!("--shared=0{mode}")),
        Some(shared) => Some(format!("--shared={}", text_of(shared).to_lowercase())),
        None => None,
    });
    options(bound, &mut words)?;
    words.push(bound.need_text("cwd")?);
    context.host()?;
    told(run(context, None, bound.text("user")?, &words, false)?)
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

fn status(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let said = said(context, bound, "status", |words| {
        words.extend(["-z", "--porcelain"].map(str::to_owned));
        Ok(())
    })?;
    let mut found = Map::new();
    for line in text_of(&said).split('\0') {
        let Some((state, name)) = line.trim_start().split_once(char::is_whitespace) else { continue };
        let state = match state {
            "M" => "modified",
            "A" => "new",
            "D" => "deleted",
            "??" => "untracked",
            other => other,
        };
        let list = found.entry(state.to_owned()).or_insert_with(|| json!([]));
        list.as_array_mut().into_iter().for_each(|list| list.push(name.trim_start().into()));
    }
    Ok(found.into())
}

fn tag(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let mut more = Vec::new();
    options(bound, &mut more)?;
    // A message that is not given would start an editor.
    more.retain(|word| word != "-a" && word != "--annotate");
    if more.iter().any(|word| word == "-m" || word.contains("--message")) {
        return Err(CallError::arguments("Tag messages must be passed in the \"message\" argument"));
    }
    both(context, bound, "tag", |words| {
        let message = bound.text("message")?.map(|message| ["-a".to_owned(), "-m".to_owned(), message]);
        words.extend(message.into_iter().flatten());
        let removes = more.iter().any(|word| word == "-d" || word == "--delete");
        words.extend(more);
        words.push(bound.need_text("name")?);
        if !removes {
            words.push(bound.text("ref")?.unwrap_or_else(|| "HEAD".into()));
        }
        Ok(())
    })
}

/// Whose configuration: the user's, or that of the repository.
fn scope(bound: &Bound) -> Result<Vec<String>, CallError> {
    match (bound.flag("global", false), bound.has("cwd")) {
        (true, _) => Ok(vec!["--global".into()]),
        (false, true) => Ok(vec!["--local".into()]),
        (false, false) => Err(CallError::arguments("'cwd' argument required unless global=True")),
    }
}

fn values(context: &Context<'_>, bound: &Bound) -> Result<Option<Vec<String>>, CallError> {
    let scope = scope(bound)?;
    let output = git(context, bound, "config", false, |words| {
        words.extend(scope);
        words.extend(["--get-all".to_owned(), bound.need_text("key")?]);
        Ok(())
    })?;
    if output.code == 1 {
        return Ok(None);
    }
    told(output).map(|said| Some(text_of(&said).lines().map(str::to_owned).collect()))
}

fn config_get(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let Some(values) = values(context, bound)? else { return Ok(Value::Null) };
    Ok(match bound.flag("all", false) {
        true => values.into(),
        false => values.last().cloned().unwrap_or_default().into(),
    })
}

fn config_set(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let set = |how: &[&str], value: String| {
        let scope = scope(bound)?;
        said(context, bound, "config", |words| {
            words.extend(scope);
            words.extend(how.iter().map(ToString::to_string));
            words.extend([bound.need_text("key")?, value]);
            Ok(())
        })
    };
    match (bound.text("value")?, bound.has("multivar")) {
        (Some(_), true) => return Err(CallError::arguments("Only one of 'value' and 'multivar' is permitted")),
        (Some(value), false) => {
            set(if bound.flag("add", false) { &["--add"] } else { &[] }, value)?;
        }
        (None, _) => {
            for (at, value) in bound.list("multivar").iter().map(text_of).enumerate() {
                set(if at == 0 { &["--replace-all"] } else { &["--add"] }, value)?;
            }
        }
    }
    Ok(values(context, bound)?.unwrap_or_default().into())
}

fn config_unset(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    context.host()?;
    let scope = scope(bound)?;
    let output = git(context, bound, "config", false, |words| {
        words.extend(scope);
        words.push(if bound.flag("all", false) { "--unset-all" } else { "--unset" }.into());
        words.push(bound.need_text("key")?);
        words.extend(bound.text("value_regex")?);
        Ok(())
    })?;
    match output.code {
        0 => Ok(true.into()),
        1 => Err(CallError::failed("Section or key is invalid")),
        5 if values(context, bound)?.is_none() => {
            Err(CallError::failed(format!("Key '{}' does not exist", bound.need_text("key")?)))
        }
        5 => Err(CallError::failed(format!("Multiple values exist for key '{}'", bound.need_text("key")?))),
        _ => told(output),
    }
}
