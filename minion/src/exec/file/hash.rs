//! Hashes of files, and what differs between two.

use std::{io::Read, path::Path};

use fancy_regex::Regex;
use proto::{Args, Value};
use serde_json::json;
use sha2::Digest;
use states::{
    CallError, Context, Function,
    resource::{diff, files::LIMIT},
};

use super::{path, system};
use crate::exec::bind::{Bound, need, row, text_of, with};

/// Kinds of hashes with the length of their text.
const KINDS: &[(&str, usize)] =
    &[("md5", 32), ("sha1", 40), ("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)];

pub static TABLE: &[Function] = &[
    row!(
        "file.get_hash",
        Reads,
        [need("path"), with("form", "'sha256'"), with("chunk_size", "65536")],
        |context, bound| {
            let form = bound.text("form")?.unwrap_or_else(|| "sha256".into());
            Ok(of_file(context, &path(bound, "path")?, &form)?.into())
        },
        "Gives the hash of a file: md5, sha1, sha224, sha256, sha384 or sha512.\n\n    \
         ctl run '*' file.get_hash /etc/shadow"
    ),
    row!(
        "file.get_sum",
        Reads,
        [need("path"), with("form", "'sha256'")],
        |context, bound| {
            let name = path(bound, "path")?;
            if !states::resource::files::is_file(context.look, Path::new(&name)) {
                return Ok("File not found".into());
            }
            let form = bound.text("form")?.unwrap_or_else(|| "sha256".into());
            Ok(of_file(context, &name, &form)?.into())
        },
        "Gives the hash of a file, or says that there is none.\n\n    ctl run '*' file.get_sum /etc/passwd sha512"
    ),
    row!(
        "file.check_hash",
        Reads,
        [need("path"), need("file_hash")],
        |context, bound| {
            let (kind, wanted) = split(&bound.need_text("file_hash")?)?;
            Ok((of_file(context, &path(bound, "path")?, &kind)? == wanted).into())
        },
        "Tells whether a file has a hash, written alone or as `sha256:…`.\n\n    \
         ctl run '*' file.check_hash /etc/motd md5:d41d8cd98f00b204e9800998ecf8427e"
    ),
    row!(
        "file.extract_hash",
        Reads,
        [
            need("hash_fn"),
            with("hash_type", "'sha256'"),
            with("file_name", "''"),
            with("source", "''"),
            with("source_hash_name", "None"),
        ],
        extract_hash,
        "Finds the hash of a file in a list of checksums.\n\n    \
         ctl run '*' file.extract_hash /path/to/SHA256SUMS file_name=app.tar.gz"
    ),
    row!(
        "file.get_source_sum",
        Reads,
        [
            with("file_name", "''"),
            with("source", "''"),
            with("source_hash", "None"),
            with("source_hash_name", "None"),
            with("saltenv", "'base'"),
            with("verify_ssl", "True"),
            with("source_hash_sig", "None"),
            with("signed_by_any", "None"),
            with("signed_by_all", "None"),
            with("keyring", "None"),
            with("gnupghome", "None"),
            with("sig_backend", "'gpg'"),
        ],
        source_sum,
        "Gives the hash that `source_hash` means: an expression, or a file with checksums.\n\n    \
         ctl run '*' file.get_source_sum source_hash=499ae16dcae71eeb7c3a30c75ea7a1a6"
    ),
    row!(
        "file.get_diff",
        Reads,
        [
            need("file1"),
            need("file2"),
            with("saltenv", "'base'"),
            with("show_filenames", "True"),
            with("show_changes", "True"),
            with("template", "False"),
            with("source_hash_file1", "None"),
            with("source_hash_file2", "None"),
            with("ignore_ordering", "False"),
            with("ignore_whitespace", "False"),
            with("ignore_comment_characters", "None"),
        ],
        get_diff,
        "Shows what differs between two files, of the host or of the tree (`salt://`).\n\n    \
         ctl run '*' file.get_diff /etc/motd salt://motd"
    ),
    row!(
        "file.source_list",
        Reads,
        [need("source"), need("source_hash"), need("saltenv")],
        source_list,
        "Gives the first of several sources that is there, with its hash.\n\n    \
         ctl run '*' file.source_list salt://http/httpd.conf '{hash_type: md5, hsum: 1234}' base"
    ),
];

/// The hash of a file's contents in hexadecimal, read piece by piece.
pub fn of_file(context: &Context<'_>, name: &str, kind: &str) -> Result<String, CallError> {
    let mut file = context.look.open(Path::new(name)).map_err(|error| system(name, &error))?;
    let hash = match kind {
        "md5" => stream::<md5::Md5>(&mut file),
        "sha1" => stream::<sha1::Sha1>(&mut file),
        "sha224" => stream::<sha2::Sha224>(&mut file),
        "sha256" => stream::<sha2::Sha256>(&mut file),
        "sha384" => stream::<sha2::Sha384>(&mut file),
        "sha512" => stream::<sha2::Sha512>(&mut file),
        _ => return Err(CallError::arguments(format!("Invalid hash type: {kind}"))),
    };
    hash.map_err(|error| system(name, &error))
}

fn stream<D: Digest>(from: &mut dyn Read) -> std::io::Result<String> {
    let (mut hasher, mut piece) = (D::new(), [0; 64 * 1024]);
    loop {
        match from.read(&mut piece)? {
            0 => return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            length => hasher.update(&piece[..length]),
        }
    }
}

fn kind_of(hash: &str) -> Option<&'static str> {
    KINDS.iter().find(|(_, length)| *length == hash.len()).map(|(kind, _)| *kind)
}

/// The kind and the digits of a hash.
fn split(hash: &str) -> Result<(String, String), CallError> {
    if let Some((kind, digits)) = hash.split_once([':', '=']) {
        return Ok((kind.to_owned(), digits.to_owned()));
    }
    let known: Vec<String> = KINDS.iter().map(|(kind, length)| format!("{kind} ({length})")).collect();
    let unknown = || {
        CallError::arguments(format!(
            "Hash {hash} (length: {}) could not be matched to a supported hash type. The supported hash types and \
             lengths are: {}",
            hash.len(),
            known.join(", ")
        ))
    };
    kind_of(hash).map(|kind| (kind.to_owned(), hash.to_owned())).ok_or_else(unknown)
}

fn extract_hash(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "hash_fn")?;
    let kind = bound.text("hash_type")?.unwrap_or_else(|| "sha256".into());
    let bytes = context.look.read(Path::new(&name), LIMIT).map_err(|error| system(&name, &error))?;
    extract(&String::from_utf8_lossy(&bytes), &kind, bound)
}

fn extract(text: &str, kind: &str, bound: &Bound) -> Result<Value, CallError> {
    let lengths = match KINDS.iter().find(|(known, _)| *known == kind) {
        Some((_, length)) => length.to_string(),
        None => "32,128".into(),
    };
    let regex = Regex::new(&format!("(?i)(?<![a-z0-9])([a-f0-9]{{{lengths}}})(?![a-z0-9])"))
        .map_err(|error| CallError::failed(error.to_string()))?;
    let last = |text: &str| text.split(['?', '#']).next().unwrap_or("").rsplit('/').next().unwrap_or("").to_owned();
    let named = bound.text("source_hash_name")?;
    let file = bound.text("file_name")?.map(|name| last(&name));
    let source = bound.text("source")?.map(|name| last(&name));
    let (mut partial, mut found) = (None, [None, None, None]);
    for line in text.lines().map(str::trim) {
        let Some(hash) = regex.find(line).ok().flatten().map(|found| found.as_str()) else { continue };
        let Some(kind) = kind_of(hash) else { continue };
        let row = json!({"hsum": hash, "hash_type": kind});
        partial.get_or_insert_with(|| row.clone());
        for (place, wanted) in [&named, &file, &source].into_iter().enumerate() {
            if wanted.as_deref().is_some_and(|wanted| names(line, wanted)) {
                found[place].get_or_insert_with(|| row.clone());
            }
        }
    }
    Ok(found.into_iter().flatten().next().or(partial).unwrap_or(Value::Null))
}

/// Whether a line of checksums is that of a file.
fn names(line: &str, name: &str) -> bool {
    let ends = line.strip_suffix(name).and_then(|front| front.chars().last());
    let begins = line.strip_prefix(name).and_then(|rest| rest.chars().next());
    !name.is_empty()
        && (ends.is_some_and(|c| c.is_whitespace() || "\\/*".contains(c)) || begins.is_some_and(char::is_whitespace))
}

fn source_sum(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let given = bound.text("source_hash")?.unwrap_or_default();
    if ["source_hash_sig", "signed_by_any", "signed_by_all"].iter().any(|key| bound.has(key)) {
        return Err(CallError::arguments("signatures of source_hash files are not checked here"));
    }
    let wrong = || {
        CallError::failed(format!(
            "Source hash {given} format is invalid. The supported formats are: 1) a hash, 2) an expression in the \
             format <hash_type>=<hash>, or 3) either a path to a local file containing hashes, or a URI of a remote \
             hash file."
        ))
    };
    if given.contains("://") || given.starts_with('/') {
        let place = cached(context, &given, &bound.text("saltenv")?.unwrap_or_else(|| "base".into()))?;
        let place = place.ok_or_else(|| CallError::failed(format!("Source hash file {given} not found")))?;
        let bytes = context.look.read(Path::new(&place), LIMIT).map_err(|error| system(&place, &error))?;
        let mut row = extract(&String::from_utf8_lossy(&bytes), "", bound)?;
        let hash = row["hsum"].as_str().map(str::to_lowercase).ok_or_else(wrong)?;
        row["hsum"] = hash.into();
        return Ok(row);
    }
    let (kind, hash) = match given.split_once('=') {
        Some((kind, hash)) => (kind.trim().to_owned(), hash.trim().to_lowercase()),
        None => (kind_of(&given).ok_or_else(wrong)?.to_owned(), given.to_lowercase()),
    };
    let known = KINDS.iter().find(|(known, _)| *known == kind).ok_or_else(wrong)?;
    match known.1 == hash.len() && hash.chars().all(|c| c.is_ascii_hexdigit()) {
        true => Ok(json!({"hash_type": kind, "hsum": hash})),
        false => Err(wrong()),
    }
}

/// Where a file of the host or of the tree lies here.
fn cached(context: &Context<'_>, name: &str, env: &str) -> Result<Option<String>, CallError> {
    let function = "cp.cache_file".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let found = context.call(&function, Args::positional([name.into()]).with("saltenv", env))?;
    Ok(found.as_str().map(str::to_owned))
}

fn get_diff(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let env = bound.text("saltenv")?.unwrap_or_else(|| "base".into());
    let special = ["ignore_ordering", "ignore_whitespace"].iter().any(|key| bound.flag(key, false));
    if special || bound.has("ignore_comment_characters") {
        return Err(CallError::arguments("file.get_diff: differences cannot be left out here (ignore_…)"));
    }
    let (mut places, mut missing) = (Vec::new(), Vec::new());
    for key in ["file1", "file2"] {
        let name = path(bound, key)?;
        match cached(context, &name, &env)? {
            Some(place) => places.push(place),
            None => missing.push(format!("File {name} not found")),
        }
    }
    if !missing.is_empty() {
        return Err(CallError::failed(format!("Failed to cache one or more files: {}", missing.join(", "))));
    }
    let read = |place: &String| {
        let read = context.look.read(Path::new(place), LIMIT);
        read.map_err(|error| CallError::failed(format!("Failed to read {place}: {}", super::plain(&error))))
    };
    let (old, new) = (read(&places[0])?, read(&places[1])?);
    if old == new {
        return Ok("".into());
    }
    if !bound.flag("show_changes", true) {
        return Ok("<show_changes=False>".into());
    }
    let shown = diff::of_bytes(&old, &new);
    Ok(match shown.strip_prefix("--- \n+++ \n").filter(|_| bound.flag("show_filenames", true)) {
        Some(rest) => format!("--- {}\n+++ {}\n{rest}", places[0], places[1]).into(),
        None => shown.into(),
    })
}

fn source_list(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let hash = bound.value("source_hash").cloned().unwrap_or_default();
    let Some(Value::Array(sources)) = bound.value("source") else {
        return Ok(json!([bound.value("source"), hash]));
    };
    let env = bound.text("saltenv")?.unwrap_or_else(|| "base".into());
    for source in sources {
        let (name, own) = match source {
            Value::Object(map) if map.len() == 1 => {
                map.iter().next().map_or((String::new(), Value::Null), |(name, own)| (name.clone(), own.clone()))
            }
            Value::String(name) => (name.clone(), Value::Null),
            _ => continue,
        };
        let local = name.strip_prefix("file://").unwrap_or(&name);
        let there = match name.strip_prefix("salt://") {
            Some(inside) => {
                let (inside, of) = inside.split_once("?saltenv=").unwrap_or((inside, &env));
                let folder = format!("{inside}/");
                context.tree.has(of, inside) || context.tree.files(of).iter().any(|file| file.starts_with(&folder))
            }
            None if local.starts_with('/') => context.look.stat(Path::new(local)).is_ok(),
            None => cached(context, &name, &env).is_ok_and(|place| place.is_some()),
        };
        if there {
            return Ok(json!([name, if own.is_null() { hash } else { own }]));
        }
    }
    let names: Vec<String> = sources.iter().map(text_of).collect();
    Err(CallError::failed(format!("none of the specified sources were found: {}", names.join(", "))))
}
