//! Where the content of a file comes from: `source`, `contents` and their kin, templates.

use std::path::{Path, PathBuf};

use proto::{Args, Map, Value};

use super::body::{Body, Place, SMALL};
use crate::{
    compile::{Rendered, Renderer, Where},
    diag::Source,
    functions::truth,
    plan::{Call, StateError, failed, missing},
    resource::{
        digest, encoding,
        files::{self, LIMIT},
    },
    run::arguments,
    value,
};

/// What a file is to hold.
pub struct Content {
    pub body: Body,
    /// Where it came from, if from a `source` that has a mode of its own.
    pub source: Option<String>,
}

/// The content that a state's arguments ask for; `None` if they ask for none.
pub fn wanted(call: &Call<'_>, extra: &Map) -> Result<Option<Content>, StateError> {
    let given = ["contents", "contents_pillar", "contents_grains"].map(|key| call.value(key).map(|value| (key, value)));
    let given: Vec<(&str, &Value)> = given.into_iter().flatten().collect();
    let has_source = call.value("source").is_some_and(truth);
    if has_source && !given.is_empty() {
        return failed(
            "'source' cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        );
    }
    if let ([_, ..], Some("keep")) = (&given[..], call.text("mode").map(|mode| mode.to_lowercase()).as_deref()) {
        return failed(
            "Mode preservation cannot be used in combination with 'contents', 'contents_pillar', or \
             'contents_grains'",
        );
    }
    let (key, value) = match given[..] {
        [] if has_source => return from_source(call, extra).map(Some),
        [] => return Ok(None),
        [one] => one,
        _ => return failed("Only one of 'contents', 'contents_pillar', and 'contents_grains' is permitted"),
    };
    let value = looked_up(call, key, value)?;
    if !call.flag("allow_empty", true) && !truth(&value) {
        let id = if key == "contents" { "'contents'".to_owned() } else { format!("{key} {}", call.text_or(key, "")) };
        return failed(format!(
            "{id} value would result in empty contents. Set allow_empty to True to allow the managed file to be empty."
        ));
    }
    // A list that a template or the pillar left empty is no wish for an empty file.
    if value.as_array().is_some_and(Vec::is_empty) {
        return failed(
            "Contents specified by contents/contents_pillar/contents_grains is not a string or list of strings, and \
             is not binary data. SLS is likely malformed.",
        );
    }
    let text = lines(&value, call.flag("contents_newline", true));
    let text = match call.some_text("template") {
        Some(engine) => {
            let bytes = rendered_with(call, &engine, "contents", text.into_bytes(), extra)?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
        None => text,
    };
    Ok(Some(Content { body: Body::Bytes(encoded(call, text)?), source: None }))
}

/// A text in the encoding that the state asks for.
pub fn encoded(call: &Call<'_>, text: String) -> Result<Vec<u8>, StateError> {
    let Some(encoding) = call.some_text("encoding") else { return Ok(text.into_bytes()) };
    encoding::encode(&text, &encoding, &call.text_or("encoding_errors", "strict"))
        .map_err(|why| StateError::Failed(format!("Unable to manage file: {why}")))
}

fn looked_up(call: &Call<'_>, key: &str, value: &Value) -> Result<Value, StateError> {
    let (function, what) = match key {
        "contents_pillar" => ("pillar.get", "Pillar"),
        "contents_grains" => ("grains.get", "Grain"),
        _ => return Ok(value.clone()),
    };
    let delimiter = call.text_or("contents_delimiter", ":");
    let one = |path: &Value| -> Result<Value, StateError> {
        let mut args = Args::positional([path.clone(), Value::Null]).with("delimiter", delimiter.clone());
        if function == "pillar.get" {
            args = args.with("unmask", true);
        }
        match call.call(function, args)? {
            Value::Null => failed(format!("{what} {} does not exist", value::python_str(path))),
            found => Ok(found),
        }
    };
    match value {
        Value::Array(paths) => {
            let parts: Result<Vec<String>, StateError> =
                paths.iter().map(|p| Ok(value::python_str(&one(p)?))).collect();
            Ok(Value::String(parts?.join("\n")))
        }
        path => one(path),
    }
}

/// A text, or a list of texts one below the other, with a line end behind each line.
fn lines(value: &Value, newline: bool) -> String {
    let mut out = String::new();
    let parts: &[Value] = match value {
        Value::Array(parts) => parts,
        one => std::slice::from_ref(one),
    };
    for part in parts {
        for line in value::python_str(part).lines() {
            out.push_str(line.trim_end_matches('\r'));
            out.push('\n');
        }
    }
    if newline { out } else { out.trim_end_matches(['\n', '\r']).to_owned() }
}

fn from_source(call: &Call<'_>, extra: &Map) -> Result<Content, StateError> {
    let (source, hash) = choose(call)?;
    let place = if call.some_text("template").is_none() { large(call, &source, hash.as_deref())? } else { None };
    let body = match place {
        Some(place) => Body::At(place),
        None => Body::Bytes(checked(call, &source, hash.as_deref(), extra)?),
    };
    Ok(Content { body, source: Some(source) })
}

/// Where a source lies that is too large to be kept in memory, checked against its hash.
fn large(call: &Call<'_>, source: &str, hash: Option<&str>) -> Result<Option<Place>, StateError> {
    let failed = |why: StateError| unmanaged(call, &why);
    let of_path = |path: &Path| files::followed(call.look, path).map_or(0, |(_, stat)| stat.size);
    let (size, tree) = match scheme(source) {
        Scheme::Salt(path, env) => {
            let env = env.unwrap_or_else(|| call.env());
            let entry = call.context().tree.entry(&env, &path);
            (entry.map_or(0, |entry| entry.size), Some((env, path)))
        }
        Scheme::Local(path) => (of_path(Path::new(&path)), None),
        Scheme::Remote => (of_path(&cached(call, source).map_err(failed)?), None),
        Scheme::Unknown => (0, None),
    };
    if size <= SMALL {
        return Ok(None);
    }
    let path = cached(call, source).map_err(failed)?;
    let unreadable = |why| StateError::io("read", &path, &why);
    verify(call, source, hash, &|kind| digest::of_file(call.look, &path, kind).map_err(unreadable))?;
    Ok(Some(Place { path, size, tree }))
}

/// The mode that a source has of its own.
pub fn mode_of(call: &Call<'_>, source: &str) -> Option<u32> {
    match scheme(source) {
        Scheme::Salt(path, env) => {
            let tree = call.context().tree;
            Some(tree.entry(&env.unwrap_or_else(|| call.env()), &path)?.mode)
        }
        Scheme::Local(path) => files::followed(call.look, Path::new(&path)).ok().map(|(_, stat)| stat.mode),
        _ => None,
    }
}

/// What a source that is not named `source` gives, checked and rendered as the state's arguments say.
pub fn of_source(call: &Call<'_>, source: &str) -> Result<Vec<u8>, StateError> {
    checked(call, source, call.some_text("source_hash").as_deref(), &Map::new())
}

/// A source that is not there, as Salt says it: shorter in a dry run.
fn unmanaged(call: &Call<'_>, why: &StateError) -> StateError {
    let start = if call.test { "" } else { "Unable to manage file: " };
    StateError::Failed(format!("{start}{why}"))
}

fn checked(call: &Call<'_>, source: &str, hash: Option<&str>, extra: &Map) -> Result<Vec<u8>, StateError> {
    let bytes = fetch(call, source).map_err(|why| unmanaged(call, &why))?;
    verify(call, source, hash, &|kind| Ok(digest::digest(kind, &bytes)))?;
    match call.some_text("template") {
        Some(engine) => rendered_with(call, &engine, source, bytes, extra),
        None => Ok(bytes),
    }
}

/// The source, or the first of several that exists, with its hash.
pub fn choose(call: &Call<'_>) -> Result<(String, Option<String>), StateError> {
    let hash = call.some_text("source_hash");
    let sources = match call.value("source") {
        Some(Value::Array(sources)) => sources,
        one => return Ok((one.map(value::python_str).unwrap_or_default(), hash)),
    };
    for source in sources {
        let (name, own) = match source {
            Value::Object(map) => match map.iter().next() {
                Some((name, own)) => (name.clone(), Some(value::python_str(own))),
                None => continue,
            },
            other => (value::python_str(other), None),
        };
        if source_exists(call, &name) {
            return Ok((name, own.or(hash)));
        }
    }
    failed("Unable to manage file: none of the specified sources were found")
}

fn source_exists(call: &Call<'_>, source: &str) -> bool {
    match scheme(source) {
        Scheme::Salt(path, env) => call.context().tree.has(&env.unwrap_or_else(|| call.env()), &path),
        Scheme::Local(path) => call.look.stat(Path::new(&path)).is_ok(),
        Scheme::Remote => fetch(call, source).is_ok(),
        Scheme::Unknown => false,
    }
}

enum Scheme {
    Salt(String, Option<String>),
    Local(String),
    Remote,
    Unknown,
}

fn scheme(source: &str) -> Scheme {
    if let Some(path) = source.strip_prefix("salt://") {
        let (path, env) = match path.split_once('?') {
            Some((path, query)) => (path, query.strip_prefix("saltenv=").map(str::to_owned)),
            None => (path, None),
        };
        return Scheme::Salt(path.to_owned(), env);
    }
    if let Some(path) = source.strip_prefix("file://") {
        return Scheme::Local(path.to_owned());
    }
    match source.split_once("://") {
        Some(("http" | "https" | "ftp", _)) => Scheme::Remote,
        None if source.starts_with('/') => Scheme::Local(source.to_owned()),
        _ => Scheme::Unknown,
    }
}

/// The bytes of a source.
pub fn fetch(call: &Call<'_>, source: &str) -> Result<Vec<u8>, StateError> {
    match scheme(source) {
        Scheme::Salt(path, env) => {
            let env = env.unwrap_or_else(|| call.env());
            match call.context().tree.read(&env, &path) {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => failed(format!("Source file {source} not found in saltenv '{env}'")),
                Err(why) => failed(format!("Source file {source} cannot be read: {why}")),
            }
        }
        Scheme::Local(path) => call.look.read(Path::new(&path), LIMIT).map_err(|why| match why.kind() {
            std::io::ErrorKind::NotFound => StateError::failed(format!("Local file source {path} does not exist")),
            _ => StateError::Failed(format!("Source file {source} cannot be read: {why}")),
        }),
        Scheme::Remote => download(call, source),
        Scheme::Unknown => failed(format!("Source {source} is not a salt://, file://, http:// or https:// address")),
    }
}

fn download(call: &Call<'_>, source: &str) -> Result<Vec<u8>, StateError> {
    let path = cached(call, source)?;
    call.look.read(&path, LIMIT).map_err(|why| StateError::io("read", &path, &why))
}

/// A source as a file of this host: fetched into the cache if it comes over the network.
pub fn cached(call: &Call<'_>, source: &str) -> Result<PathBuf, StateError> {
    match scheme(source) {
        Scheme::Local(path) if files::is_file(call.look, Path::new(&path)) => Ok(path.into()),
        Scheme::Local(path) => missing(format!("Local file source {path} does not exist")),
        Scheme::Unknown => failed(format!("Invalid source \"{source}\"")),
        Scheme::Salt(path, env) => {
            let env = env.unwrap_or_else(|| call.env());
            match call.context().tree.fetch(&env, &path) {
                Ok(Some(path)) => Ok(path),
                Ok(None) => failed(format!("Source file {source} not found in saltenv '{env}'")),
                Err(why) => failed(format!("Source file {source} cannot be read: {why}")),
            }
        }
        Scheme::Remote => {
            let args = Args::positional([source.into()]).with("saltenv", call.env());
            let args = args.with("verify_ssl", call.flag("verify_ssl", true));
            match call.call("cp.cache_file", args)? {
                Value::String(path) if !path.is_empty() => Ok(path.into()),
                _ => failed(format!("{source} cannot be fetched")),
            }
        }
    }
}

/// Whether a source comes over the network.
pub fn is_remote(source: &str) -> bool {
    matches!(scheme(source), Scheme::Remote)
}

/// Checks a source against its hash. What comes over the network must have one; the tree's own
/// files are checked where they are fetched.
fn verify(
    call: &Call<'_>,
    source: &str,
    hash: Option<&str>,
    found: &dyn Fn(&str) -> Result<Option<String>, StateError>,
) -> Result<(), StateError> {
    let of_tree = matches!(scheme(source), Scheme::Salt(..));
    if of_tree || call.flag("skip_verify", false) || hash.is_none() && !is_remote(source) {
        return Ok(());
    }
    let Some(hash) = hash else {
        return failed(format!(
            "Unable to manage file: Unable to verify upstream hash of source file {source}, please set source_hash or \
             set skip_verify to True"
        ));
    };
    let (kind, wanted) = hash_of(call, source, hash).map_err(|why| match why {
        StateError::Failed(why) if is_literal(hash) => StateError::Failed(format!("Unable to manage file: {why}")),
        other => other,
    })?;
    let found = found(&kind)?.ok_or_else(|| StateError::Failed(malformed(hash)))?;
    if found == wanted {
        return Ok(());
    }
    failed(format!("Specified {kind} checksum for {} ({wanted}) does not match actual checksum ({found})", call.name()))
}

/// The kind and digits of a `source_hash`: as it is, or out of the file that it names.
pub fn hash_of(call: &Call<'_>, source: &str, hash: &str) -> Result<(String, String), StateError> {
    let wanted = match scheme(hash) {
        Scheme::Unknown => hash.to_owned(),
        _ => hash_in_list(&String::from_utf8_lossy(&fetch(call, hash)?), source)?,
    };
    let (kind, digest) = match wanted.split_once(['=', ':']) {
        Some((kind, digest)) => (kind.trim().to_lowercase(), digest.trim().to_lowercase()),
        None => (kind_of(wanted.trim()).to_owned(), wanted.trim().to_lowercase()),
    };
    match kind.is_empty() || kind_of(&digest) != kind {
        true => failed(malformed(hash)),
        false => Ok((kind, digest)),
    }
}

fn malformed(hash: &str) -> String {
    format!(
        "Source hash {hash} format is invalid. It is to be a hash, <hash_type>=<hash>, or a file or an address that \
         holds one; md5 has 32 digits, sha1 40, sha224 56, sha256 64, sha384 96, sha512 128."
    )
}

/// Whether a `source_hash` stands there itself, and is not to be fetched first.
pub fn is_literal(hash: &str) -> bool {
    matches!(scheme(hash), Scheme::Unknown)
}

/// The line of a checksum file that names the source, or the only checksum in it.
fn hash_in_list(text: &str, source: &str) -> Result<String, StateError> {
    let name = source.rsplit('/').next().unwrap_or(source);
    let is_hash = |word: &&str| !kind_of(word).is_empty() && word.chars().all(|c| c.is_ascii_hexdigit());
    let mut only = None;
    for line in text.lines() {
        let Some(hash) = line.split_whitespace().find(is_hash) else { continue };
        if line.split_whitespace().any(|word| word.trim_start_matches(['*', '.', '/']).ends_with(name)) {
            return Ok(hash.to_owned());
        }
        only.get_or_insert_with(|| hash.to_owned());
    }
    only.ok_or_else(|| StateError::Failed("Unable to manage file: the source_hash file has no hash".into()))
}

fn kind_of(digest: &str) -> &'static str {
    match digest.len() {
        32 => "md5",
        40 => "sha1",
        56 => "sha224",
        64 => "sha256",
        96 => "sha384",
        128 => "sha512",
        _ => "",
    }
}

/// A text through a template engine, with the state's `defaults` and `context`.
pub fn rendered(call: &Call<'_>, engine: &str, source: &str, bytes: Vec<u8>) -> Result<Vec<u8>, StateError> {
    rendered_with(call, engine, source, bytes, &Map::new())
}

/// What a template is told of the file that it makes: `None` for what the state does not say.
fn of_the_file(call: &Call<'_>, source: &str) -> Map {
    let mut names: Map = ["user", "group", "mode", "attrs", "source", "name"]
        .into_iter()
        .map(|key| (key.to_owned(), call.value(key).cloned().unwrap_or_default()))
        .collect();
    // Of several sources, the one that was found.
    if let Some(of_several) = names.get_mut("source").filter(|value| value.is_array()) {
        *of_several = source.into();
    }
    if let Some(mode) = names.get_mut("mode").filter(|mode| !mode.is_null()) {
        let digits = value::python_str(mode).replacen("0o", "0", 1);
        *mode = format!("{:0>4}", digits.trim_start_matches('0')).into();
    }
    names
}

fn rendered_with(
    call: &Call<'_>,
    engine: &str,
    source: &str,
    bytes: Vec<u8>,
    extra: &Map,
) -> Result<Vec<u8>, StateError> {
    if engine != "jinja" {
        return failed(format!("Unable to manage file: the template engine {engine} is not available"));
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return failed(format!("Unable to manage file: the template {source} is not text in UTF-8"));
    };
    let (path, env) = match scheme(source) {
        Scheme::Salt(path, env) => (path, env.unwrap_or_else(|| call.env())),
        _ => (source.to_owned(), call.env()),
    };
    for key in ["context", "defaults"] {
        if call.value(key).is_some_and(|value| truth(value) && !value.is_object() && !value.is_array()) {
            let key = if key == "context" { "Context" } else { "Defaults" };
            return failed(format!("{key} must be formed as a dict"));
        }
    }
    let mut names = of_the_file(call, source);
    // Salt hands on what the state itself has no use for. So a `context` written one column too far to the left works.
    names.extend(arguments::unknown(call.low).map(|(key, value)| (key.clone(), value.clone())));
    names.extend(call.map("defaults"));
    names.extend(call.map("context"));
    names.extend(extra.clone());
    let renderer = Renderer::new(call.context());
    let at = Where { env: &env, sls: "", path: &path };
    let source = Source::new(&path, &text);
    match renderer.render_with(&source, at, &names, "jinja") {
        Ok(Rendered::Text(text)) => Ok(text.text.clone().into_bytes()),
        Ok(Rendered::Data(_)) => failed("Unable to manage file: the template renders to data, not to text"),
        Err(why) => failed(format!("Unable to manage file: {}", why.to_string().trim_start_matches("error: "))),
    }
}
