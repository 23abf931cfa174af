//! A repository as a whole, and the program itself.

use std::path::Path;

use proto::Value;
use states::{CallError, Context, Function};

use super::{options, refuse, rev, run, said, told, words_of};
use crate::exec::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    git!(
        "git.archive",
        Writes,
        [need("output"), with("rev", "'HEAD'"), with("prefix", "None"), with("git_opts", "''"), with("format", "None")],
        archive,
        "Packs a revision into an archive.\n\n    ctl run '*' git.archive /srv/repo /tmp/repo.tar"
    ),
    git!(
        "git.init",
        Writes,
        [
            with("bare", "False"),
            with("template", "None"),
            with("separate_git_dir", "None"),
            with("shared", "None"),
            with("opts", "''"),
            with("git_opts", "''")
        ],
        init,
        "Makes a repository.\n\n    ctl run '*' git.init /srv/repo bare=True"
    ),
    git!(
        "git.submodule",
        Writes,
        [
            need("command"),
            with("opts", "''"),
            with("git_opts", "''"),
            with("identity", "None"),
            with("saltenv", "'base'")
        ],
        |context, bound| said(context, bound, "submodule", |words| {
            words.push(bound.need_text("command")?);
            options(bound, words)
        }),
        "Manages submodules.\n\n    ctl run '*' git.submodule /srv/repo update opts=--init"
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
