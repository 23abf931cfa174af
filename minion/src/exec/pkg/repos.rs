//! Where packages come from, and the keys that they are signed with. Salt's `modules/aptpkg.py`.

use std::path::{Path, PathBuf};

use proto::{Args, Map, Value};
use serde_json::json;
use states::{
    CallError, Context, Function,
    resource::{
        apt_sources::{Source, Sources},
        files::{LIMIT, is_dir},
        packages::{self, Manager},
    },
};

use super::{ask, command, only_apt, why};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "pkg.list_repos",
        Reads,
        [NAMED],
        |context, _| {
            only_apt(context, "pkg.list_repos")?;
            Ok(listed(context).into())
        },
        "Shows the repositories that packages come from, by address.\n\n    ctl run '*' pkg.list_repos"
    ),
    row!(
        "pkg.get_repo",
        Reads,
        [need("repo"), NAMED],
        |context, bound| {
            only_apt(context, "pkg.get_repo")?;
            let repo = bound.need_text("repo")?;
            Ok(found(context, &wanted(&repo)?).into())
        },
        "Shows the repository that a line describes; nothing if there is none.\n\n    \
         ctl run '*' pkg.get_repo 'deb http://deb.debian.org/debian bookworm main'"
    ),
    row!(
        "pkg.mod_repo",
        Writes,
        [need("repo"), with("saltenv", "'base'"), with("aptkey", "True"), NAMED],
        mod_repo,
        "Adds or changes a repository, as the state `pkgrepo.managed` does, and shows it then.\n\n    \
         ctl run '*' pkg.mod_repo 'deb [trusted=yes] http://deb.example.org stable main' file=/etc/apt/sources.list.d/x.list"
    ),
    row!(
        "pkg.del_repo",
        Writes,
        [need("repo"), NAMED],
        del_repo,
        "Takes a repository away, and says from which files.\n\n    \
         ctl run '*' pkg.del_repo 'deb http://deb.example.org stable main'"
    ),
    row!(
        "pkg.get_repo_keys",
        Reads,
        [with("aptkey", "True"), with("keydir", "None")],
        |context, bound| {
            only_apt(context, "pkg.get_repo_keys")?;
            if by_apt_key(context, bound) {
                let words = ["apt-key", "adv", "--batch", "--list-public-keys", "--with-fingerprint"];
                let more = ["--with-fingerprint", "--with-colons", "--fixed-list-mode"];
                let (_, said) = ask(context, &[&words[..], &more].concat(), &[])?;
                return Ok(keys(&said).into());
            }
            let folder = key_folder(bound)?;
            Ok(match is_dir(context.look, &folder) {
                true => keys_beneath(context, &folder)?.into_iter().flat_map(|(_, keys)| keys).collect::<Map>().into(),
                false => false.into(),
            })
        },
        "Shows the keys that repositories are signed with.\n\n    ctl run '*' pkg.get_repo_keys aptkey=False"
    ),
    row!(
        "pkg.add_repo_key",
        Writes,
        [
            with("path", "None"),
            with("text", "None"),
            with("keyserver", "None"),
            with("keyid", "None"),
            with("saltenv", "'base'"),
            with("aptkey", "True"),
            with("keydir", "None"),
            with("keyfile", "None")
        ],
        add_key,
        "Adds a key that repositories are signed with.\n\n    \
         ctl run '*' pkg.add_repo_key salt://apt/docker.asc aptkey=False"
    ),
    row!(
        "pkg.del_repo_key",
        Writes,
        [with("name", "None"), with("aptkey", "True"), with("keydir", "None"), NAMED],
        delete_key,
        "Takes a key away that repositories are signed with.\n\n    \
         ctl run '*' pkg.del_repo_key keyid=0123ABCD aptkey=False"
    ),
];

/// The repository that a line describes.
fn wanted(repo: &str) -> Result<Source, CallError> {
    if repo.starts_with("ppa:") {
        return Err(CallError::arguments("ppa: is not available here; name the repository's line and its key instead"));
    }
    let source = Source::parse(repo, Path::new("/")).filter(|_| !repo.contains('\n'));
    source.ok_or_else(|| CallError::failed(format!("Error: repo '{repo}' is not a well formatted definition")))
}

/// One source as Salt shows it: an entry for each of its addresses, suites and types.
fn entries(source: &Source) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for uri in &source.uris {
        for suite in &source.suites {
            for kind in &source.types {
                let mut one = source.clone();
                (one.uris, one.suites, one.types) = (vec![uri.clone()], vec![suite.clone()], vec![kind.clone()]);
                let line = if source.raw.is_empty() { one.line() } else { source.raw.clone() };
                let shown = json!({
                    "file": source.file, "comps": source.comps, "disabled": source.disabled,
                    "enabled": !source.disabled, "dist": suite, "suites": source.suites, "type": kind,
                    "types": source.types, "uri": uri, "uris": source.uris, "line": line,
                    "architectures": source.architectures, "signedby": source.signed_by,
                });
                all.push((uri.clone(), shown));
            }
        }
    }
    all
}

fn listed(context: &Context<'_>) -> Map {
    let mut all = Map::new();
    for (uri, entry) in Sources::of(context.look).iter().flat_map(entries) {
        if let Value::Array(list) = all.entry(uri).or_insert_with(|| json!([])) {
            list.push(entry);
        }
    }
    all
}

/// The entry of [`listed`] that is meant.
fn found(context: &Context<'_>, wanted: &Source) -> Map {
    let (kind, uri, suite) = (&wanted.types[0], wanted.uris[0].trim_end_matches('/'), &wanted.suites[0]);
    let is = |entry: &Value| {
        let comps = entry["comps"].as_array();
        entry["type"] == **kind
            && entry["dist"] == **suite
            && entry["uri"].as_str().is_some_and(|known| known.trim_end_matches('/') == uri)
            && (wanted.comps.is_empty()
                || comps.is_some_and(|comps| wanted.comps.iter().any(|comp| comps.iter().any(|known| known == comp))))
    };
    let all = listed(context);
    let mut entries = all.values().filter_map(Value::as_array).flatten();
    entries.find(|entry| is(entry)).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn mod_repo(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.mod_repo")?;
    context.host()?;
    let repo = bound.need_text("repo")?;
    let source = wanted(&repo)?;
    let mut args = Args::positional(["pkgrepo.managed".into(), repo.clone().into()]);
    args.named.extend(bound.named.clone());
    for key in ["saltenv", "aptkey"] {
        args.named.extend(bound.value(key).map(|value| (key.to_owned(), value.clone())));
    }
    let silent = Context { progress: &|_| {}, ..context.copy() };
    let single = "state.single".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let rows = silent.call(&single, args.with("test", false).with("concurrent", true))?;
    let row = rows.as_object().and_then(|rows| rows.values().next()).cloned().unwrap_or_default();
    match &row["result"] {
        Value::Bool(true) => Ok(json!({ repo: found(context, &source) })),
        _ => Err(CallError::failed(text_of(&row["comment"]))),
    }
}

fn del_repo(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.del_repo")?;
    let (repo, host) = (bound.need_text("repo")?, context.host()?);
    let mut sources = Sources::of(context.look);
    let files = sources.remove(&wanted(&repo)?);
    if files.is_empty() {
        return Err(CallError::failed(format!("Repo {repo} doesn't exist in the sources.list(s)")));
    }
    let mut said = String::new();
    for file in &files {
        sources.save(host, file).map_err(why)?;
        said.push_str(&match context.look.stat(file) {
            Ok(_) => format!("Repo '{repo}' has been removed from {}.\n", file.display()),
            Err(_) => format!("File {} containing repo '{repo}' has been removed.", file.display()),
        });
    }
    // Lists that cannot be fetched are the business of what installs from them.
    let _ = packages::run(host, &Manager::Apt.refresh());
    Ok(said.into())
}

fn by_apt_key(context: &Context<'_>, bound: &Bound) -> bool {
    bound.flag("aptkey", true) && context.look.which("apt-key").is_some()
}

fn key_folder(bound: &Bound) -> Result<PathBuf, CallError> {
    let folder = PathBuf::from(bound.text("keydir")?.unwrap_or_else(|| "/etc/apt/keyrings".into()));
    match folder.is_absolute() {
        true => Ok(folder),
        false => Err(CallError::arguments(format!("keydir: {} is no absolute path", folder.display()))),
    }
}

/// The keys of each file of a folder.
fn keys_beneath(context: &Context<'_>, folder: &Path) -> Result<Vec<(PathBuf, Map)>, CallError> {
    let names = context.look.list(folder).map_err(|error| CallError::failed(error.to_string()))?;
    let of = |name: String| {
        let path = folder.join(name);
        let words =
            ["gpg", "--no-default-keyring", "--keyring", &path.to_string_lossy(), "--list-keys", "--with-colons"];
        let (_, said) = ask(context, &words, &[])?;
        Ok((path.clone(), keys(&said)))
    };
    names.into_iter().map(of).collect()
}

/// What `gpg --with-colons` says of keys, as Salt shows it.
fn keys(said: &str) -> Map {
    let mut all: Vec<Map> = Vec::new();
    for line in said.lines() {
        let fields: Vec<Value> = line.split(':').map(|field| number_or_text(field.trim())).collect();
        let field = |at: usize| fields.get(at).cloned().unwrap_or_default();
        match fields.first().and_then(Value::as_str) {
            Some(kind @ ("pub" | "sub")) if fields.len() > 11 => {
                let key = json!({
                    "algorithm": field(3), "bits": field(2), "capability": field(11), "date_creation": field(5),
                    "date_expiration": field(6), "keyid": text_of(&field(4)), "validity": field(1),
                });
                match (kind, all.last_mut()) {
                    ("sub", Some(last)) => drop(last.insert("subkey".into(), key)),
                    _ => all.extend(key.as_object().cloned()),
                }
            }
            Some("fpr") => {
                if let Some(last) = all.last_mut() {
                    match last.get_mut("subkey") {
                        Some(subkey) => subkey["fingerprint"] = field(9),
                        None => drop(last.insert("fingerprint".into(), field(9))),
                    }
                }
            }
            Some("uid") => {
                if let Some(last) = all.last_mut() {
                    last.insert("uid".into(), field(9));
                    last.insert("uid_hash".into(), field(7));
                }
            }
            _ => {}
        }
    }
    all.into_iter().map(|key| (text_of(&key["keyid"]), key.into())).collect()
}

fn number_or_text(field: &str) -> Value {
    match field.parse::<i64>() {
        _ if field.is_empty() => Value::Null,
        Ok(number) => number.into(),
        Err(_) => field.into(),
    }
}

fn add_key(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.add_repo_key")?;
    let host = context.host()?;
    let apt_key = by_apt_key(context, bound);
    let (folder, keyid) = (key_folder(bound)?, bound.text("keyid")?);
    if let Some(id) = &keyid {
        let known = match apt_key || !is_dir(context.look, &folder) {
            true => Map::new(),
            false => keys_beneath(context, &folder)?.into_iter().flat_map(|(_, keys)| keys).collect(),
        };
        if known.keys().any(|known| known.ends_with(id.as_str())) {
            return Ok(true.into());
        }
    }
    if !apt_key && !is_dir(context.look, &folder) {
        host.make_dir(&folder, 0o755).map_err(|error| CallError::failed(format!("{}: {error}", folder.display())))?;
    }
    let ran = |command: &states::Command| {
        host.run(command).map(|output| output.code == 0).map_err(|error| CallError::failed(error.to_string()))
    };
    match (bound.text("path")?, bound.text("text")?, bound.text("keyserver")?, keyid) {
        (Some(path), ..) => {
            let kept = kept(context, bound, &path)?;
            match apt_key {
                true => Ok(ran(&command(&["apt-key", "add"], &[kept]))?.into()),
                false => keep_key(context, bound, &folder, &kept, &path),
            }
        }
        (_, Some(_), ..) if !apt_key => Err(CallError::arguments("text needs apt-key; use path=")),
        (_, Some(text), ..) => {
            let add = states::Command { stdin: Some(text.into_bytes()), ..command(&["apt-key", "add", "-"], &[]) };
            Ok(ran(&add)?.into())
        }
        (_, _, Some(server), Some(id)) if [&server, &id].iter().all(|word| !word.starts_with('-')) => {
            let from = ["--keyserver".to_owned(), server];
            if apt_key {
                let words = from.into_iter().chain(["--recv".into(), id]).collect::<Vec<_>>();
                return Ok(ran(&command(&["apt-key", "adv", "--batch"], &words))?.into());
            }
            let name =
                bound.text("keyfile")?.ok_or_else(|| CallError::arguments("keyfile must name the key's file"))?;
            let ring = folder.join(file_name(&name)?).to_string_lossy().into_owned();
            let words = ["--keyring".to_owned(), ring].into_iter().chain(from).chain(["--recv-keys".into(), id]);
            Ok(ran(&command(&["gpg", "--no-default-keyring"], &words.collect::<Vec<_>>()))?.into())
        }
        (_, _, Some(server), _) => {
            Err(CallError::arguments(format!("No keyid or keyid too short for keyserver: {server}")))
        }
        (.., Some(id)) => Err(CallError::arguments(format!("No keyserver specified for keyid: {id}"))),
        _ => Err(CallError::arguments("pkg.add_repo_key takes at least 1 argument (0 given)")),
    }
}

/// A file of the tree or the web on this host.
fn kept(context: &Context<'_>, bound: &Bound, url: &str) -> Result<String, CallError> {
    let name = "cp.cache_file".parse().map_err(|error: proto::IdError| CallError::failed(error.to_string()))?;
    let mut args = Args::positional([url.into()]);
    args.named.extend(bound.value("saltenv").map(|env| ("saltenv".to_owned(), env.clone())));
    let kept = context.call(&name, args)?;
    kept.as_str().map(str::to_owned).ok_or_else(|| CallError::failed(format!("{url} cannot be had")))
}

/// The last part of a name: a key lies in the folder for keys and nowhere else.
fn file_name(name: &str) -> Result<String, CallError> {
    let last = Path::new(name).file_name().map(|last| last.to_string_lossy().into_owned());
    last.ok_or_else(|| CallError::arguments(format!("{name} names no file")))
}

/// Writes a key's file, as bytes rather than in armour unless it is called `.asc`.
fn keep_key(context: &Context<'_>, bound: &Bound, folder: &Path, kept: &str, url: &str) -> Result<Value, CallError> {
    let host = context.host()?;
    let name = file_name(&bound.text("keyfile")?.unwrap_or_else(|| url.to_owned()))?;
    let failed = |error: std::io::Error| CallError::failed(format!("{kept}: {error}"));
    let bytes = context.look.read(Path::new(kept), LIMIT).map_err(failed)?;
    let armoured = bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP");
    let bytes = match armoured && !name.ends_with(".asc") {
        false => bytes,
        true => {
            let dearmor = states::Command { stdin: Some(bytes), ..command(&["gpg", "--dearmor"], &[]) };
            let output = host.run(&dearmor).map_err(|error| CallError::failed(error.to_string()))?;
            if output.code != 0 {
                return Ok(false.into());
            }
            output.stdout
        }
    };
    host.write(&folder.join(name), &bytes, 0o644).map_err(failed)?;
    Ok(true.into())
}

fn delete_key(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    only_apt(context, "pkg.del_repo_key")?;
    let host = context.host()?;
    if bound.named.get("keyid_ppa").is_some_and(truth) {
        return Err(CallError::arguments("keyid_ppa is not available here, since it asks Launchpad; name the keyid"));
    }
    let id = bound.named.get("keyid").map(text_of).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| CallError::arguments("keyid or keyid_ppa and PPA name must be passed"))?;
    if by_apt_key(context, bound) {
        let output = host.run(&command(&["apt-key", "del", "--"], std::slice::from_ref(&id)));
        let output = output.map_err(|error| CallError::failed(error.to_string()))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return match output.code {
            0 => Ok(id.into()),
            _ => Err(CallError::failed(format!("Failed to remove keyid {id}: {said}"))),
        };
    }
    let folder = key_folder(bound)?;
    if !is_dir(context.look, &folder) || ![8, 16].contains(&id.len()) {
        return Ok(false.into());
    }
    let holds = |keys: &Map| keys.keys().any(|known| known.ends_with(id.as_str()));
    match keys_beneath(context, &folder)?.into_iter().find(|(_, keys)| holds(keys)) {
        None => Ok(false.into()),
        Some((file, _)) => {
            host.remove(&file).map_err(|error| CallError::failed(format!("{}: {error}", file.display())))?;
            Ok(id.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_salt_shows_them() {
        let said = "tru::1:1:0\npub:-:4096:1:7EA0A9C3F273FCD8:1487788586:::-:::scSC::::::23::0:\n\
                    fpr:::::::::9DC858229FC7DD38854AE2D88D81803C0EBFCD88:\n\
                    uid:-::::1487792064::F89C::Docker <x@y>::::::::::0:\n\
                    sub:-:4096:1:FEEE:1487788586::::::s::::::23:\nfpr:::::::::AB:\n";
        let keys = keys(said);
        let key = &keys["7EA0A9C3F273FCD8"];
        assert_eq!(
            (&key["bits"], &key["capability"], &key["date_expiration"]),
            (&json!(4096), &json!("scSC"), &Value::Null)
        );
        assert_eq!(key["fingerprint"], "9DC858229FC7DD38854AE2D88D81803C0EBFCD88");
        assert_eq!((&key["uid"], &key["subkey"]["fingerprint"]), (&json!("Docker <x@y>"), &json!("AB")));
        assert!(super::keys("fpr:\nuid:\npub:\nsub::::").is_empty());
    }

    #[test]
    fn a_key_lies_in_its_folder() {
        assert_eq!(file_name("salt://a/b.asc").unwrap(), "b.asc");
        assert_eq!(file_name("../../etc/passwd").unwrap(), "passwd");
        assert!(file_name("..").is_err());
    }

    #[test]
    fn a_source_is_an_entry_for_each_of_its_parts() {
        let source = wanted("deb [arch=amd64] http://h/d x main contrib").unwrap();
        let entry = &entries(&source)[0].1;
        assert_eq!((&entry["dist"], &entry["comps"]), (&json!("x"), &json!(["main", "contrib"])));
        assert_eq!(entry["line"], "deb [arch=amd64] http://h/d x main contrib");
        assert!(wanted("debs http://h").is_err() && wanted("ppa:a/b").is_err());
    }
}
