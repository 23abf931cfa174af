//! Repositories of apt.

use std::path::{Path, PathBuf};

use proto::{Map, Value};
use serde_json::json;

use super::{WILL, WOULD, check, enabled};
use crate::{
    Command, Host,
    modules::file::content,
    plan::{Call, Done, Plan, StateError, failed},
    resource::{
        apt_sources::{Source, Sources, main_file},
        command::{complaint, program, run_well},
        files::{Permissions, make_dirs},
        lines,
        packages::{self, Manager},
    },
};

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// The source that a state describes.
fn wanted(call: &Call<'_>) -> Result<Source, StateError> {
    let name = call.name();
    let file = call.some_text("file").map_or_else(main_file, PathBuf::from);
    let Some(mut source) = Source::parse(&name, &file).filter(|_| !name.contains('\n')) else {
        return failed(format!(
            "Failed to configure repo '{name}': Name {name} is not valid. This must be the complete repo entry as \
             seen in the sources file"
        ));
    };
    if !file.is_absolute() {
        return failed(format!("Failed to configure repo '{name}': file: {} is no absolute path", file.display()));
    }
    for comp in call.some_text("comps").map(|comps| list(&comps)).unwrap_or_default() {
        if !source.comps.contains(&comp) {
            source.comps.push(comp);
        }
    }
    if let Some(architectures) = call.some_text("architectures") {
        source.architectures = list(&architectures);
    }
    if let Some(dist) = call.some_text("dist") {
        source.suites = vec![dist];
    }
    source.trusted |= call.flag("trusted", false);
    source.disabled = !enabled(call);
    if call.value("comments").is_some() {
        source.comment = call.list("comments").join(" ");
    }
    Ok(source.into_file(&file))
}

/// What Salt shows of a source, in its order.
fn shown(source: &Source, line: &str) -> Map {
    let first = |list: &[String]| list.first().cloned().unwrap_or_default();
    let shown = json!({
        "comps": source.comps,
        "disabled": source.disabled,
        "dist": first(&source.suites),
        "suites": source.suites,
        "type": first(&source.types),
        "types": source.types,
        "uri": first(&source.uris),
        "uris": source.uris,
        "line": line,
        "architectures": source.architectures,
        "signedby": source.signed_by,
    });
    shown.as_object().cloned().unwrap_or_default()
}

fn now(source: &Source) -> Map {
    let line = if source.raw.is_empty() { source.line() } else { source.raw.clone() };
    shown(source, &line)
}

fn differing(wanted: &Map, now: &Map) -> Map {
    let differs = |(key, new): &(&String, &Value)| now.get(*key) != Some(*new);
    let pair = |(key, new): (&String, &Value)| (key.clone(), json!({"new": new, "old": now.get(key)}));
    wanted.iter().filter(differs).map(pair).collect()
}

fn sorted(list: &[String]) -> Vec<&String> {
    let mut list: Vec<&String> = list.iter().collect();
    list.sort();
    list
}

/// Whether a source is as it is wanted; the order of components does not count.
fn same(wanted: &Source, now: &Source) -> bool {
    let bare = |uris: &[String]| uris.iter().map(|uri| uri.trim_end_matches('/').to_owned()).collect::<Vec<_>>();
    sorted(&wanted.comps) == sorted(&now.comps)
        && wanted.disabled == now.disabled
        && wanted.suites.iter().all(|suite| now.suites.contains(suite))
        && bare(&wanted.uris) == bare(&now.uris)
        && sorted(&wanted.architectures) == sorted(&now.architectures)
        && wanted.signed_by == now.signed_by
        && (wanted.comment.is_empty() || wanted.comment.trim() == now.comment.trim())
}

/// Whether Salt takes a source that is as it is wanted for another, writes it again as it is, and says
/// so: its comparison leaves `trusted` out of one side, and sets lines against paragraphs.
fn written_anew(wanted: &Source, known: &Source) -> bool {
    !wanted.disabled && (known.trusted || known.file.extension().is_some_and(|end| end == "sources"))
}

/// Lines of a file that are not the wanted one (`clean_file`).
fn has_others(call: &Call<'_>, wanted: &Source) -> bool {
    let text = lines::read(call.look, &wanted.file).unwrap_or_default();
    let name = call.name();
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#') && line != name.trim())
}

pub fn managed(call: &Call<'_>) -> Result<Plan, StateError> {
    check(call)?;
    let name = call.name();
    let wanted = wanted(call)?;
    let sources = Sources::of(call.look);
    let known = sources.find(&wanted).cloned();
    let clean = call.flag("clean_file", false) && call.value("file").is_some();
    let unclean = clean && has_others(call, &wanted);
    if known.as_ref().is_some_and(|known| same(&wanted, known)) && !unclean {
        return Plan::keep(match !call.test && known.as_ref().is_some_and(|known| written_anew(&wanted, known)) {
            true => format!("Configured package repo '{name}'"),
            false => format!("Package repo '{name}' already configured"),
        });
    }
    let apt_key = call.flag("aptkey", true) && call.look.which("apt-key").is_some();
    if known.is_none() && !apt_key && wanted.signed_by.is_empty() && !wanted.trusted {
        return failed(format!(
            "Failed to configure repo '{name}': missing 'signedby' or 'trusted' option when apt-key is missing"
        ));
    }
    let preview = match &known {
        Some(known) => differing(&shown(&wanted, &wanted.line()), &now(known)),
        None => json!({ "repo": name }).as_object().cloned().unwrap_or_default(),
    };
    let key = Key::of(call, &wanted, apt_key)?;
    let refresh = call.flag("refresh_db", call.flag("refresh", true));
    Plan::change(format!("Package repo '{name}' {WOULD}"), preview, move |doing| {
        let host = doing.host;
        let done = key.add(host).and_then(|()| put(host, &wanted, known.as_ref(), clean));
        done.map_err(|why| StateError::failed(format!("Failed to configure repo '{name}': {why}")))?;
        if refresh {
            // Lists that cannot be fetched are the business of what installs from them.
            let _ = packages::apply(doing, &Manager::Apt.refresh());
        }
        let after = Sources::of(host).find(&wanted).map(now).unwrap_or_default();
        let changes = match &known {
            Some(known) => differing(&after, &now(known)),
            None => json!({ "repo": name }).as_object().cloned().unwrap_or_default(),
        };
        Ok(Done::new(format!("Configured package repo '{name}'"), changes))
    })
}

/// Puts a source in the place of the one that is known, or at the end of its file.
fn put(host: &dyn Host, wanted: &Source, known: Option<&Source>, clean: bool) -> Result<(), StateError> {
    let mut sources = Sources::of(host);
    if clean {
        sources.0.retain(|source| source.file != wanted.file);
    }
    let at = sources.0.iter().position(|source| Some(source) == known);
    let file = match at {
        Some(at) => {
            let old = sources.0[at].clone();
            let mut new = old.clone();
            new.comps.clone_from(&wanted.comps);
            new.disabled = wanted.disabled;
            new.architectures.clone_from(&wanted.architectures);
            new.signed_by.clone_from(&wanted.signed_by);
            new.uris.clone_from(&wanted.uris);
            new.trusted = wanted.trusted;
            if !wanted.comment.is_empty() {
                new.set_comment(&wanted.comment);
            }
            sources.0[at] = new;
            old.file
        }
        None => {
            let mut new = wanted.clone();
            if !wanted.comment.is_empty() {
                new.set_comment(&wanted.comment);
            }
            sources.0.push(new);
            wanted.file.clone()
        }
    };
    sources.save(host, &file)
}

/// The key that a repository is signed with, and how it is to be brought.
enum Key {
    None,
    Bytes { bytes: Vec<u8>, file: Option<PathBuf> },
    Server { ids: Vec<String>, server: String, file: Option<PathBuf> },
}

impl Key {
    fn of(call: &Call<'_>, wanted: &Source, apt_key: bool) -> Result<Self, StateError> {
        let file = Some(wanted.signed_by.clone()).filter(|file| file.starts_with('/')).map(PathBuf::from);
        let file =
            if apt_key && call.value("key_url").is_none() { file } else { file.or_else(|| fallback(call, apt_key)) };
        if let Some(url) = call.some_text("key_url") {
            if call.test {
                return Ok(Self::None);
            }
            let bytes = content::fetch(call, &url).map_err(|why| {
                StateError::failed(format!(
                    "Failed to configure repo '{}': Error: file not found: {url}: {why}",
                    call.name()
                ))
            })?;
            return Ok(Self::Bytes { bytes, file });
        }
        if let Some(text) = call.some_text("key_text") {
            return Ok(Self::Bytes { bytes: text.into_bytes(), file });
        }
        let ids = call.list("keyid");
        match (ids.is_empty(), call.some_text("keyserver")) {
            (true, _) => Ok(Self::None),
            (false, Some(server)) if ids.iter().chain([&server]).all(|word| !word.starts_with('-')) => {
                Ok(Self::Server { ids, server, file })
            }
            _ => failed(format!(
                "Failed to configure repo '{}': both keyserver and keyid options required.",
                call.name()
            )),
        }
    }

    fn add(&self, host: &dyn Host) -> Result<(), StateError> {
        match self {
            Self::None => Ok(()),
            Self::Bytes { bytes, file: Some(file) } => keep(host, bytes, file),
            Self::Bytes { bytes, file: None } => {
                let command = Command { stdin: Some(bytes.clone()), ..program(&["apt-key", "add", "-"]) };
                ran(host, &command).map(drop)
            }
            Self::Server { ids, server, file } => ids.iter().try_for_each(|id| {
                let file = file.as_ref().map(|file| file.to_string_lossy().into_owned());
                match &file {
                    Some(file) => {
                        let words = ["gpg", "--no-default-keyring", "--keyring", file, "--keyserver", server];
                        run_well(host, &[&words[..], &["--recv-keys", id]].concat())
                    }
                    None => run_well(host, &["apt-key", "adv", "--batch", "--keyserver", server, "--recv-keys", id]),
                }
                .map(drop)
            }),
        }
    }
}

/// Where a key goes that no source names, when `apt-key` is not to be used.
fn fallback(call: &Call<'_>, apt_key: bool) -> Option<PathBuf> {
    let url = call.some_text("key_url")?;
    let name = url.rsplit('/').next().filter(|name| !name.is_empty())?.to_owned();
    (!apt_key).then(|| Path::new("/etc/apt/keyrings").join(name))
}

fn ran(host: &dyn Host, command: &Command) -> Result<Vec<u8>, StateError> {
    let output = host.run(command).map_err(|why| StateError::failed(why.to_string()))?;
    if output.code == 0 { Ok(output.stdout) } else { failed(complaint(&output)) }
}

/// Writes a key's file; apt wants bytes, not armour, unless the file is called `.asc`.
fn keep(host: &dyn Host, bytes: &[u8], file: &Path) -> Result<(), StateError> {
    let armoured = bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP");
    let bytes = match armoured && file.extension().is_none_or(|end| end != "asc") {
        true => ran(host, &Command { stdin: Some(bytes.to_vec()), ..program(&["gpg", "--dearmor"]) })?,
        false => bytes.to_vec(),
    };
    if let Some(folder) = file.parent() {
        make_dirs(host, folder, &Permissions::default()).map_err(|why| StateError::io("create", folder, &why))?;
    }
    host.write(file, &bytes, 0o644).map_err(|why| StateError::io("write", file, &why))
}

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let wanted = wanted(call)?;
    let found = Sources::of(call.look).find(&wanted).cloned();
    let Some(found) = found.filter(|found| sorted(&found.architectures) == sorted(&wanted.architectures)) else {
        return Plan::keep(format!("Package repo {name} is absent"));
    };
    if call.value("keyid").or(call.value("keyid_ppa")).is_some() {
        return failed("Repo key management is not implemented for this platform");
    }
    let refresh = call.flag("refresh", true);
    Plan::change(format!("Package repo '{name}' {WILL}"), json!({}), move |doing| {
        let mut sources = Sources::of(doing.host);
        let mut wanted = wanted;
        wanted.architectures.clone_from(&found.architectures);
        for file in sources.remove(&wanted) {
            sources.save(doing.host, &file)?;
        }
        if refresh {
            let _ = packages::apply(doing, &Manager::Apt.refresh());
        }
        Ok(Done::new(format!("Removed repo {name}"), json!({ "repo": name })))
    })
}
