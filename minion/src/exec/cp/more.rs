//! `cp.*` that render, list and keep.

use std::path::{Path, PathBuf};

use proto::{Args, Map, Value};
use serde_json::json;
use states::{
    CallError, Context, Function,
    resource::files::{LIMIT, is_dir, mode_text, walk},
};

use super::{Source, cannot_write, keep, make_folders, shown, web};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "cp.get_template",
        Writes,
        [
            need("path"),
            need("dest"),
            with("template", "'jinja'"),
            with("saltenv", "None"),
            with("makedirs", "False"),
            NAMED
        ],
        get_template,
        "Renders a file of the tree as a template to a path of the host, and gives that path.\n\n    \
         ctl run '*' cp.get_template salt://web/motd.jinja /etc/motd"
    ),
    row!(
        "cp.stat_file",
        Reads,
        [need("path"), with("saltenv", "None"), with("octal", "True")],
        |context, bound| {
            let source = Source::read(context, &bound.need_text("path")?, bound)?;
            let entry = context.tree.entry(&source.env, &source.path);
            // The mode as `lstat` has it: with the bits that say that it is a file.
            let mode = entry.map(|entry| entry.mode);
            Ok(match bound.flag("octal", true) {
                true => mode.map_or(Value::Null, |mode| mode_text(mode).into()),
                false => mode.map_or(Value::Null, |mode| (mode | 0o100_000).into()),
            })
        },
        "Gives the mode of a file of the tree.\n\n    ctl run '*' cp.stat_file salt://web/vimrc"
    ),
    row!(
        "cp.cache_local_file",
        Writes,
        [need("path")],
        |context, bound| {
            context.host()?;
            let path = bound.need_text("path")?;
            if context.look.stat(Path::new(&path)).is_err() {
                return Ok("".into());
            }
            let to = local(context)?.join(path.trim_start_matches('/'));
            if !to.components().all(|part| !matches!(part, std::path::Component::ParentDir)) {
                return Err(CallError::arguments(format!("{path} makes no name in the cache")));
            }
            let folder = to.parent().unwrap_or(Path::new("/"));
            let kept =
                crate::pki::private_folder(folder).and_then(|()| crate::host::copy(Path::new(&path), &to, 0o600));
            kept.map_err(|error| cannot_write(&to, &error))?;
            Ok(shown(&to))
        },
        "Keeps a copy of a file of the host in the cache, and says where.\n\n    ctl run '*' cp.cache_local_file /etc/hosts"
    ),
    row!(
        "cp.cache_master",
        Reads,
        [with("saltenv", "None")],
        |context, bound| {
            let all = Source::read(context, "salt://", bound)?;
            let kept = all.beneath(context).into_iter().map(|file| keep(context, &all.with(&file)));
            let shown = |kept: Option<PathBuf>| kept.map_or(Value::Bool(false), |path| shown(&path));
            kept.map(|kept| kept.map(shown)).collect::<Result<Vec<_>, _>>().map(Value::Array)
        },
        "Has the host keep all files of the tree, and says where.\n\n    ctl run '*' cp.cache_master"
    ),
    row!(
        "cp.list_minion",
        Reads,
        [with("saltenv", "None")],
        |context, bound| {
            let env = Source::read(context, "salt://x", bound)?.env;
            let cache = cachedir(context)?;
            let mut found = Vec::new();
            for root in [cache.join("files").join(&env), cache.join("localfiles")] {
                let files = walk(context.look, &root).unwrap_or_default();
                let inside = |path: &Path| path.strip_prefix(&root).map(|path| path.display().to_string());
                let files = files.iter().filter(|(_, stat)| stat.kind == states::look::Kind::File);
                found.extend(files.filter_map(|(path, _)| inside(path).ok()));
            }
            found.sort();
            Ok(found.into())
        },
        "Lists the files that the host keeps under their names.\n\n    ctl run '*' cp.list_minion"
    ),
    row!(
        "cp.list_master_symlinks",
        Reads,
        [with("saltenv", "None"), with("prefix", "''")],
        |_, _| Ok(json!({})),
        "Lists the symbolic links of the tree: none, since links are followed where the tree lies.\n\n    \
         ctl run '*' cp.list_master_symlinks"
    ),
    row!(
        "cp.recv",
        Writes,
        [need("files"), need("dest")],
        recv,
        "Writes texts to a folder by name, or one text to a path.\n\n    ctl run '*' cp.recv '{motd: hello}' /etc/motd"
    ),
];

fn cachedir(context: &Context<'_>) -> Result<PathBuf, CallError> {
    let found = context.opts.get("cachedir").and_then(Value::as_str).map(PathBuf::from);
    found.ok_or_else(|| CallError::failed("there is no cachedir"))
}

fn local(context: &Context<'_>) -> Result<PathBuf, CallError> {
    Ok(cachedir(context)?.join("localfiles"))
}

fn get_template(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let engine = bound.text("template")?.unwrap_or_else(|| "jinja".into());
    if engine != "jinja" {
        return Err(CallError::arguments(format!("the template engine {engine} is not available")));
    }
    let url = bound.need_text("path")?;
    let from = match web::place(&url)? {
        web::Place::Here(path) => Some(path),
        web::Place::Web(url) => Some(web::keep(context, bound, &url)?),
        web::Place::Tree => Source::read(context, &url, bound)?.place(context)?,
    };
    let Some(from) = from else { return Ok("".into()) };
    let bytes = context.look.read(&from, LIMIT).map_err(|error| CallError::failed(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|_| CallError::failed(format!("{url} is not text in UTF-8")))?;
    let mut args = Args::default().with("string", text).with("default_renderer", "jinja");
    args.named.extend(bound.named.clone());
    let name = "slsutil.renderer".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let rendered = text_of(&context.call(&name, args)?);
    let dest = PathBuf::from(bound.need_text("dest")?);
    let folder = dest.parent().unwrap_or(Path::new("/"));
    let host = context.host()?;
    if !is_dir(context.look, folder) {
        if !bound.flag("makedirs", false) {
            return Ok("".into());
        }
        make_folders(host, folder, 0o755)?;
    }
    // As Salt: nobody else may read what was rendered, until its mode is set.
    host.write(&dest, rendered.as_bytes(), 0o600).map_err(|error| cannot_write(&dest, &error))?;
    Ok(shown(&dest))
}

fn recv(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let Some(Value::Object(files)) = bound.value("files") else {
        return Err(CallError::arguments("files must be a mapping of names to texts"));
    };
    let (dest, host) = (PathBuf::from(bound.need_text("dest")?), context.host()?);
    let mut done = Map::new();
    for (path, text) in files {
        let name = Path::new(path).file_name().ok_or_else(|| CallError::arguments(format!("{path} names no file")))?;
        let to = match () {
            () if is_dir(context.look, &dest) => dest.join(name),
            () if dest.file_name() == Some(name) => dest.clone(),
            () if is_dir(context.look, dest.parent().unwrap_or(Path::new("/"))) => dest.clone(),
            () => return Ok("Destination unavailable".into()),
        };
        let mode = context.look.stat(&to).map_or(0o644, |stat| stat.mode);
        let written = host.write(&to, text_of(text).as_bytes(), mode);
        done.insert(to.display().to_string(), written.is_ok().into());
    }
    Ok(done.into())
}
