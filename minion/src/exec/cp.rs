//! `cp.*` that put files of the tree onto the host; those that only look are `states::functions`'.
//! Salt's `modules/cp.py`.

mod more;
mod push;
mod web;

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Component, Path, PathBuf},
};

use proto::{Args, Value};
use states::{CallError, Context, Effect, Function, Host, call::Param, look::Kind};

use web::Place;

use super::bind::{Bound, NAMED, bind, need, text_of, truth, with};

pub static MORE: &[Function] = more::TABLE;
/// What sends files to the master.
pub static PUSH: &[Function] = push::TABLE;

pub static TABLE: &[Function] = &[
    Function {
        name: "cp.get_file",
        doc: "Copies a file of the tree to a path of the host, and gives that path; an empty text when there is no \
              such file. A folder as the destination keeps the file's name.\n\n\
              ctl run '*' cp.get_file salt://web/vimrc /etc/vimrc",
        params: GET_FILE,
        effect: Effect::Writes,
        call: |context, args| {
            let bound = bind("cp.get_file", GET_FILE, args)?;
            refuse_templates(&bound)?;
            let source = Source::read(context, &bound.need_text("path")?, &bound)?;
            match source.place(context)? {
                None => Ok("".into()),
                Some(from) => put(context, &from, &source, &bound.need_text("dest")?, bound.flag("makedirs", false)),
            }
        },
    },
    Function {
        name: "cp.get_dir",
        doc: "Copies a folder of the tree into a folder of the host, and lists what it wrote.\n\n\
              ctl run '*' cp.get_dir salt://web/conf.d /etc/nginx",
        params: &[need("path"), need("dest"), with("saltenv", "None"), with("template", "None"), with("gzip", "None")],
        effect: Effect::Writes,
        call: get_dir,
    },
    Function {
        name: "cp.get_url",
        doc: "Copies a file of the tree, of the web, or of the host, to a path, and gives that path; without a path, \
              to the cache; with `None` for the path, gives what is in it.\n\n    \
              ctl run '*' cp.get_url https://example.org/vimrc /etc/vimrc",
        params: GET_URL,
        effect: Effect::Writes,
        call: get_url,
    },
    Function {
        name: "cp.cache_file",
        doc: "Has the host keep a file of the tree, and says where; false when there is no such file.\n\n\
              ctl run '*' cp.cache_file salt://web/vimrc",
        params: CACHE_FILE,
        effect: Effect::Reads,
        call: |context, args| {
            let bound = bind("cp.cache_file", CACHE_FILE, args)?;
            keep_any(context, &bound.need_text("path")?, &bound)
        },
    },
    Function {
        name: "cp.cache_files",
        doc: "Has the host keep several files of the tree, and says where.\n\n\
              ctl run '*' cp.cache_files salt://web/vimrc,salt://web/motd",
        params: &[need("paths"), with("saltenv", "None")],
        effect: Effect::Reads,
        call: |context, args| {
            let bound = bind("cp.cache_files", &[need("paths"), with("saltenv", "None")], args)?;
            let one = |path: &Value| keep_any(context, &text_of(path), &bound);
            bound.list("paths").iter().map(one).collect::<Result<Vec<_>, _>>().map(Value::Array)
        },
    },
    Function {
        name: "cp.cache_dir",
        doc: "Has the host keep all files of a folder of the tree, and says where.\n\n\
              ctl run '*' cp.cache_dir salt://web/conf.d include_pat='*.conf'",
        params: CACHE_DIR,
        effect: Effect::Reads,
        call: cache_dir,
    },
    Function {
        name: "cp.is_cached",
        doc: "Where the host keeps a file of the tree; an empty text when it does not.\n\n\
              ctl run '*' cp.is_cached salt://web/vimrc",
        params: &[need("path"), with("saltenv", "None")],
        effect: Effect::Reads,
        call: |context, args| {
            let bound = bind("cp.is_cached", &[need("path"), with("saltenv", "None")], args)?;
            let source = Source::read(context, &bound.need_text("path")?, &bound)?;
            let kept = source.kept_at(context).filter(|path| context.look.stat(path).is_ok());
            Ok(kept.map_or_else(|| "".into(), |path| shown(&path)))
        },
    },
    Function {
        name: "cp.cache_dest",
        doc: "Where the host would keep a file of the tree.\n\n    ctl run '*' cp.cache_dest salt://web/vimrc",
        params: &[need("url"), with("saltenv", "None")],
        effect: Effect::Reads,
        call: |context, args| {
            let bound = bind("cp.cache_dest", &[need("url"), with("saltenv", "None")], args)?;
            let source = Source::read(context, &bound.need_text("url")?, &bound)?;
            Ok(source.kept_at(context).map_or_else(|| "".into(), |path| shown(&path)))
        },
    },
];

static GET_FILE: &[Param] = &[
    need("path"),
    need("dest"),
    with("saltenv", "None"),
    with("makedirs", "False"),
    with("template", "None"),
    with("gzip", "None"),
    NAMED,
];
static GET_URL: &[Param] = &[
    need("path"),
    with("dest", "''"),
    with("saltenv", "None"),
    with("makedirs", "False"),
    with("source_hash", "None"),
];
static CACHE_FILE: &[Param] = &[
    need("path"),
    with("saltenv", "None"),
    with("source_hash", "None"),
    with("verify_ssl", "True"),
    with("use_etag", "False"),
];
static CACHE_DIR: &[Param] = &[
    need("path"),
    with("saltenv", "None"),
    with("include_empty", "False"),
    with("include_pat", "None"),
    with("exclude_pat", "None"),
];

/// A file of the tree as it was named.
struct Source {
    env: String,
    path: String,
}

impl Source {
    /// `salt://path?saltenv=env`; the environment may be given beside it, or by the configuration.
    fn read(context: &Context<'_>, url: &str, bound: &Bound) -> Result<Self, CallError> {
        let rest = url.strip_prefix("salt://").unwrap_or(url);
        let (path, in_url) = match rest.split_once("?saltenv=") {
            Some((path, env)) => (path, Some(env.to_owned())),
            None => (rest, None),
        };
        let configured = || context.opts.get("saltenv").and_then(Value::as_str).map(str::to_owned);
        let env = in_url.or(bound.text("saltenv")?).or_else(configured).unwrap_or_else(|| "base".into());
        Ok(Self { env, path: path.trim_start_matches(['|', '/']).trim_end_matches('/').to_owned() })
    }

    /// Where its bytes lie on this host; they are fetched if need be.
    fn place(&self, context: &Context<'_>) -> Result<Option<PathBuf>, CallError> {
        let failed = |error| CallError::failed(format!("salt://{} cannot be had: {error}", self.path));
        context.tree.fetch(&self.env, &self.path).map_err(failed)
    }

    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    fn with(&self, path: &str) -> Self {
        Self { env: self.env.clone(), path: path.to_owned() }
    }

    /// Where it is kept under its own name, as in Salt: `cachedir/files/ENV/PATH`. Names that
    /// would lead out of there are kept nowhere.
    fn kept_at(&self, context: &Context<'_>) -> Option<PathBuf> {
        let stays = |name: &str| {
            !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
        };
        let cachedir = context.opts.get("cachedir").and_then(Value::as_str)?;
        let inside = stays(&self.env) && stays(&self.path);
        inside.then(|| Path::new(cachedir).join("files").join(&self.env).join(&self.path))
    }

    /// The files beneath it.
    fn beneath(&self, context: &Context<'_>) -> Vec<String> {
        let prefix = if self.path.is_empty() { String::new() } else { format!("{}/", self.path) };
        context.tree.files(&self.env).iter().filter(|file| file.starts_with(&prefix)).cloned().collect()
    }
}

fn shown(path: &Path) -> Value {
    path.to_string_lossy().into()
}

fn refuse_templates(bound: &Bound) -> Result<(), CallError> {
    match bound.has("template") {
        true => Err(CallError::arguments("template: names of files cannot be templates here; render them first")),
        false => Ok(()),
    }
}

fn put(context: &Context<'_>, from: &Path, source: &Source, dest: &str, makedirs: bool) -> Result<Value, CallError> {
    let mut dest_path = PathBuf::from(dest);
    let is_folder = |path: &Path| context.look.stat(&path.join("")).is_ok_and(|stat| stat.kind == Kind::Directory);
    if dest.ends_with('/') || is_folder(&dest_path) {
        dest_path.push(source.name());
    }
    if !dest_path.is_absolute() {
        return Err(CallError::arguments(format!("the destination {dest} is no absolute path")));
    }
    let folder = dest_path.parent().unwrap_or(Path::new("/"));
    if !is_folder(folder) {
        if !makedirs {
            return Ok(Value::Bool(false));
        }
        make_folders(context.host()?, folder, 0o755)?;
    }
    copy(context, from, &dest_path, 0o644)?;
    Ok(shown(&dest_path))
}

/// In one step; what was there keeps its mode.
fn copy(context: &Context<'_>, from: &Path, to: &Path, mode: u32) -> Result<(), CallError> {
    context.host()?;
    let mode = context.look.stat(to).ok().filter(|stat| stat.kind == Kind::File).map_or(mode, |stat| stat.mode);
    crate::host::copy(from, to, mode).map_err(|error| cannot_write(to, &error))
}

fn cannot_write(path: &Path, error: &std::io::Error) -> CallError {
    CallError::failed(format!("{} cannot be written: {error}", path.display()))
}

fn make_folders(host: &dyn Host, path: &Path, mode: u32) -> Result<(), CallError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| host.stat(&folder.join("")).is_err()).collect();
    let mut missing = missing.into_iter().rev();
    missing.try_for_each(|folder| host.make_dir(folder, mode).map_err(|error| cannot_write(folder, &error)))
}

/// Keeps a file under its own name. That changes nothing but a cache, so templates may ask for it
/// in a dry run too. One of this host's own folders stays where it is.
fn keep(context: &Context<'_>, source: &Source) -> Result<Option<PathBuf>, CallError> {
    let Some(from) = source.place(context)? else { return Ok(None) };
    if context.opts.get("file_client").and_then(Value::as_str) == Some("local") {
        return Ok(Some(from));
    }
    let Some(to) = source.kept_at(context) else { return Ok(None) };
    let folder = to.parent().unwrap_or(Path::new("/"));
    let kept = crate::pki::private_folder(folder).and_then(|()| match is_cached(context, &from) {
        true => link(&from, &to, folder),
        false => crate::host::copy(&from, &to, 0o600),
    });
    kept.map(|()| Some(to.clone())).map_err(|error| cannot_write(&to, &error))
}

fn is_cached(context: &Context<'_>, path: &Path) -> bool {
    context.opts.get("cachedir").and_then(Value::as_str).is_some_and(|cache| path.starts_with(cache))
}

/// Gives a file of the cache this name as well, in one step; where it can have only one, a copy of it. The
/// cache notices when it is written to.
fn link(from: &Path, to: &Path, folder: &Path) -> io::Result<()> {
    let (file, now) = (fs::metadata(from)?, fs::symlink_metadata(to));
    // Renaming a name of a file to another of its names does nothing, and leaves both.
    if now.is_ok_and(|now| (now.dev(), now.ino()) == (file.dev(), file.ino())) {
        return Ok(());
    }
    let linked = tempfile::Builder::new().prefix(".new-").make_in(folder, |path| fs::hard_link(from, path));
    match linked {
        Ok(linked) => linked.into_temp_path().persist(to).map_err(|error| error.error),
        Err(_) => crate::host::copy(from, to, 0o600),
    }
}

fn get_dir(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let params = [need("path"), need("dest"), with("saltenv", "None"), with("template", "None"), with("gzip", "None")];
    let bound = bind("cp.get_dir", &params, args)?;
    refuse_templates(&bound)?;
    let source = Source::read(context, &bound.need_text("path")?, &bound)?;
    let dest = bound.need_text("dest")?;
    // The folder itself goes along, those that it lies in do not.
    let parent = source.path.rsplit_once('/').map_or(0, |(parent, _)| parent.len() + 1);
    let mut written = Vec::new();
    for file in source.beneath(context) {
        let one = source.with(&file);
        let Some(from) = one.place(context)? else { continue };
        written.push(text_of(&put(context, &from, &one, &format!("{dest}/{}", &file[parent..]), true)?));
    }
    written.sort();
    Ok(written.into_iter().collect())
}

/// Where a file lies that was kept: one of the host stays where it is.
fn keep_any(context: &Context<'_>, url: &str, bound: &Bound) -> Result<Value, CallError> {
    let kept = match web::place(url)? {
        Place::Here(path) => Some(path).filter(|path| context.look.stat(path).is_ok()),
        Place::Web(url) => Some(web::keep(context, bound, &url)?),
        Place::Tree => keep(context, &Source::read(context, url, bound)?)?,
    };
    Ok(kept.map_or(Value::Bool(false), |path| shown(&path)))
}

fn get_url(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("cp.get_url", GET_URL, args)?;
    let (url, makedirs) = (bound.need_text("path")?, bound.flag("makedirs", false));
    if bound.is_null("dest") {
        return contents(context, &keep_any(context, &url, &bound)?);
    }
    let dest = bound.text("dest")?.unwrap_or_default();
    if dest.is_empty() {
        return keep_any(context, &url, &bound);
    }
    match web::place(&url)? {
        Place::Here(path) => {
            let source = Source { env: String::new(), path: path.to_string_lossy().into_owned() };
            put(context, &path, &source, &dest, makedirs)
        }
        Place::Tree => {
            let source = Source::read(context, &url, &bound)?;
            match source.place(context)? {
                Some(from) => put(context, &from, &source, &dest, makedirs),
                None => Ok(Value::Bool(false)),
            }
        }
        Place::Web(url) => {
            context.host()?;
            let kept = web::keep(context, &bound, &url)?;
            let named = url.split(['?', '#']).next().unwrap_or(&url).to_owned();
            let put = put(context, &kept, &Source { env: String::new(), path: named }, &dest, makedirs);
            // It is where it was wanted.
            let _ = std::fs::remove_file(&kept);
            put
        }
    }
}

/// The text of a file that was kept, of at most 16 MiB.
fn contents(context: &Context<'_>, kept: &Value) -> Result<Value, CallError> {
    let Some(path) = kept.as_str() else { return Ok(Value::Bool(false)) };
    let bytes = context.look.read(Path::new(path), 16 << 20).map_err(|error| CallError::failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into())
}

fn cache_dir(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("cp.cache_dir", CACHE_DIR, args)?;
    let source = Source::read(context, &bound.need_text("path")?, &bound)?;
    if bound.value("include_empty").is_some_and(truth) {
        return Err(CallError::arguments("include_empty: empty folders are not kept; leave it out"));
    }
    let fits = |name: &str, pattern: &str| match pattern.strip_prefix("E@") {
        Some(regex) => fancy_regex::Regex::new(regex).and_then(|regex| regex.is_match(name)).unwrap_or(false),
        None => super::matches(pattern, name),
    };
    let (include, exclude) = (bound.text("include_pat")?, bound.text("exclude_pat")?);
    let wanted = |file: &String| {
        include.as_deref().is_none_or(|pattern| fits(file, pattern))
            && !exclude.as_deref().is_some_and(|pattern| fits(file, pattern))
    };
    let mut kept = Vec::new();
    for file in source.beneath(context).iter().filter(|file| wanted(file)) {
        kept.extend(keep(context, &source.with(file))?.map(|path| shown(&path)));
    }
    Ok(kept.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_cache_has_another_name_and_no_second_copy() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let names = || fs::read_dir(folder.path()).unwrap().count();
        fs::write(at("blob"), "new").unwrap();
        fs::write(at("name"), "old").unwrap();
        for _ in 0..2 {
            link(&at("blob"), &at("name"), folder.path()).unwrap();
            let inode = |name: &str| fs::metadata(at(name)).unwrap().ino();
            assert_eq!((inode("blob"), names()), (inode("name"), 2));
        }
        let elsewhere = Path::new("/proc/self/status");
        link(elsewhere, &at("copy"), folder.path()).unwrap();
        assert!(fs::read_to_string(at("copy")).unwrap().contains("VmRSS"), "what cannot be linked is copied");
        assert_eq!(names(), 3);
    }
}
