//! What is in an archive, and archives of files by name rather than by command line.

use std::path::{Path, PathBuf};

use proto::{Args, Value};
use serde_json::json;
use states::{
    CallError, Command, Context, Function,
    plan::StateError,
    resource::archive::{self, Archive, Contents, Format},
};

use super::{sources, trimmed};
use crate::exec::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "archive.list",
        Reads,
        [
            need("name"),
            with("archive_format", "None"),
            with("options", "None"),
            with("strip_components", "None"),
            with("clean", "False"),
            with("verbose", "False"),
            with("saltenv", "'base'"),
            with("source_hash", "None"),
            with("use_etag", "False")
        ],
        list,
        "Lists what is in an archive (`tar` in its kinds, `zip`); with `verbose` by kind.\n\n    \
         ctl run '*' archive.list salt://app.tar.gz verbose=True"
    ),
    row!(
        "archive.is_encrypted",
        Reads,
        [
            need("name"),
            with("clean", "False"),
            with("saltenv", "'base'"),
            with("source_hash", "None"),
            with("use_etag", "False")
        ],
        |context, bound| {
            let kept = cached(context, bound)?;
            let members = archive(&kept, Format::Zip, None, None).list(context.look);
            clean(context, bound, &kept)?;
            let not_zip = |_| CallError::failed(format!("{} is not a ZIP file", text_of(&name(bound))));
            Ok(members.map_err(not_zip)?.iter().any(|member| member.encrypted).into())
        },
        "Tells whether a ZIP file needs a password.\n\n    ctl run '*' archive.is_encrypted /srv/app.zip"
    ),
    row!(
        "archive.zip",
        Writes,
        [
            need("zip_file"),
            need("sources"),
            with("template", "None"),
            with("cwd", "None"),
            with("runas", "None"),
            with("zip64", "False")
        ],
        zip,
        "Packs files and folders into a ZIP file, and lists what is in it.\n\n    \
         ctl run '*' archive.zip /tmp/conf.zip /etc/hosts,/etc/apt"
    ),
    row!(
        "archive.unzip",
        Writes,
        [
            need("zip_file"),
            need("dest"),
            with("excludes", "None"),
            with("options", "None"),
            with("template", "None"),
            with("runas", "None"),
            with("trim_output", "False"),
            with("password", "None"),
            with("extract_perms", "True")
        ],
        unzip,
        "Unpacks a ZIP file, and lists what was in it. One with a member that would leave the folder is refused.\n\n    \
         ctl run '*' archive.unzip /tmp/conf.zip /srv/conf excludes=hosts"
    ),
];

fn why(error: StateError) -> CallError {
    CallError::failed(error.to_string())
}

fn name(bound: &Bound) -> Value {
    bound.value("name").cloned().unwrap_or_default()
}

fn archive(path: &str, format: Format, decompress: Option<String>, password: Option<String>) -> Archive {
    Archive { path: path.to_owned(), format, decompress, password }
}

/// Where the archive lies on this host; it is fetched if need be.
fn cached(context: &Context<'_>, bound: &Bound) -> Result<String, CallError> {
    let function = "cp.cache_file".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let mut args = Args::positional([name(bound)]);
    for key in ["saltenv", "source_hash", "use_etag"] {
        args.named.extend(bound.value(key).map(|value| (key.to_owned(), value.clone())));
    }
    let kept = context.call(&function, args)?;
    kept.as_str()
        .map(str::to_owned)
        .ok_or_else(|| CallError::failed(format!("Failed to cache {}", text_of(&name(bound)))))
}

/// `clean`: a copy that was fetched is not kept. A file of this host is nobody's copy and stays.
fn clean(context: &Context<'_>, bound: &Bound, kept: &str) -> Result<(), CallError> {
    if !bound.flag("clean", false) || text_of(&name(bound)).trim_start_matches("file://").starts_with('/') {
        return Ok(());
    }
    let removed = context.host()?.remove(Path::new(kept));
    removed.map_err(|error| CallError::failed(format!("Failed to clean cached archive {kept}: {error}")))
}

fn format(bound: &Bound) -> Result<Format, CallError> {
    let name = text_of(&name(bound));
    match bound.text("archive_format")?.as_deref() {
        Some("tar") => Ok(Format::Tar),
        Some("zip") => Ok(Format::Zip),
        Some(other) => Err(CallError::failed(format!("Unsupported archive format '{other}'"))),
        None if name.to_lowercase().ends_with(".rar") => Err(CallError::failed("Unsupported archive format 'rar'")),
        None => Format::guess(name.split(['?', '#']).next().unwrap_or(&name)).ok_or_else(|| {
            CallError::failed("Unable to guess archive format, please pass an 'archive_format' argument.")
        }),
    }
}

fn list(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let strip = match bound.integer("strip_components")? {
        None | Some(0) => 0,
        Some(strip) => {
            usize::try_from(strip).map_err(|_| CallError::failed("'strip_components' must be a positive integer"))?
        }
    };
    let format = format(bound)?;
    let kept = cached(context, bound)?;
    let members = archive(&kept, format, bound.text("options")?, None).list(context.look);
    clean(context, bound, &kept)?;
    let all = Contents::of(&members.map_err(why)?, format, strip);
    if bound.flag("verbose", false) {
        return Ok(json!({
            "dirs": all.folders, "files": all.files, "links": all.links, "top_level_dirs": all.top_folders,
            "top_level_files": all.top_files, "top_level_links": all.top_links,
        }));
    }
    let mut paths = [all.folders, all.files, all.links].concat();
    paths.sort();
    Ok(paths.into())
}

fn refuse_template(bound: &Bound) -> Result<(), CallError> {
    match bound.has("template") {
        true => Err(CallError::arguments("template: names of files cannot be templates here; render them first")),
        false => Ok(()),
    }
}

fn zip(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse_template(bound)?;
    let (host, cwd) = (context.host()?, bound.text("cwd")?);
    let given = sources(context, bound)?;
    match &cwd {
        Some(cwd) if !cwd.starts_with('/') => return Err(CallError::arguments("cwd must be absolute")),
        None if given.iter().any(|source| !source.starts_with('/')) => {
            return Err(CallError::arguments("Relative paths require the 'cwd' parameter"));
        }
        _ => {}
    }
    let file = bound.need_text("zip_file")?;
    let to = Path::new(cwd.as_deref().unwrap_or("/")).join(&file);
    if context.look.stat(&to).is_ok() {
        host.remove(&to).map_err(|error| CallError::failed(format!("{file}: {error}")))?;
    }
    // Names in the archive are relative: to the folder given, or to the root.
    let from = PathBuf::from(cwd.as_deref().unwrap_or("/"));
    let inside = |source: &String| {
        let path = Path::new(source);
        path.strip_prefix(&from).unwrap_or(path).to_string_lossy().trim_start_matches('/').to_owned()
    };
    let is_there = |source: &&String| context.look.stat(&from.join(source)).is_ok();
    let (mut below, mut above): (Vec<&String>, Vec<&String>) =
        given.iter().filter(is_there).partition(|source| from.join(source).starts_with(&from));
    below.dedup();
    above.dedup();
    if let Some(outside) = above.first() {
        return Err(CallError::arguments(format!(
            "{outside} lies outside of cwd, and would have no name in the archive"
        )));
    }
    let path = to.to_string_lossy().into_owned();
    let words = ["zip", "-q", "-r", &path, "--"].map(str::to_owned).into_iter().chain(below.into_iter().map(inside));
    let command =
        Command { argv: words.collect(), cwd: Some(from.clone()), runas: bound.text("runas")?, ..Command::default() };
    let output = host.run(&command).map_err(|error| CallError::failed(error.to_string()))?;
    if output.code != 0 {
        let said = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
        let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        return Err(CallError::failed(format!("Exception encountered creating zipfile: {said}")));
    }
    let members = archive(&path, Format::Zip, None, None).list(context.look).map_err(why)?;
    Ok(archive::names(&members, Format::Zip).into())
}

fn unzip(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    refuse_template(bound)?;
    if let Some(key) = ["runas", "options"].into_iter().find(|key| bound.has(key)) {
        return Err(CallError::arguments(format!("{key} is not available here; archive.cmd_unzip takes it")));
    }
    let (file, dest) = (bound.need_text("zip_file")?, bound.need_text("dest")?);
    let zip = archive(&file, Format::Zip, None, bound.text("password")?);
    let excludes: Vec<String> = bound.list("excludes").iter().map(text_of).collect();
    let unpack = || -> Result<Vec<String>, StateError> {
        let mut members = zip.list(context.look)?;
        members.retain(|member| !excludes.contains(&member.path));
        if let Some(bad) = archive::escaping(&members) {
            return Err(StateError::failed(bad));
        }
        let host = context.host.ok_or_else(|| StateError::failed(CallError::NotHere.to_string()))?;
        let mut words = vec!["unzip".to_owned(), "-o".into(), "-q".into()];
        words.extend(zip.password.iter().flat_map(|password| ["-P".to_owned(), password.clone()]));
        words.extend([zip.path.clone(), "-d".into(), dest.clone()]);
        if !excludes.is_empty() {
            words.push("-x".into());
            words.extend(excludes.iter().cloned());
        }
        let output = host.run(&Command { argv: words, ..Command::default() });
        let output = output.map_err(|error| StateError::failed(error.to_string()))?;
        match output.code {
            0 => Ok(archive::names(&members, Format::Zip)),
            _ => Err(StateError::failed(states::resource::command::complaint(&output))),
        }
    };
    let done =
        unpack().map_err(|error| CallError::failed(format!("Exception encountered unpacking zipfile: {error}")))?;
    Ok(trimmed(bound, done).into())
}
