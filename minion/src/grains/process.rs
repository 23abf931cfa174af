//! The minion's own process: who, where, with which environment.

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid};
use proto::{Map, Value};
use serde_json::json;

pub fn grains() -> Map {
    let (uid, gid) = (geteuid(), getegid());
    let variable = |name: &str| std::env::var(name).ok();
    let path = variable("PATH").unwrap_or_default();
    let grains = json!({
        "pid": std::process::id(),
        "uid": uid.as_raw(),
        "gid": gid.as_raw(),
        "username": user_name(uid),
        "groupname": group_name(gid),
        "cwd": std::env::current_dir().map(|dir| dir.to_string_lossy().into_owned()).unwrap_or_default(),
        "shell": variable("SHELL").unwrap_or_else(|| "/bin/sh".into()),
        "path": path,
        "systempath": path.split(':').collect::<Vec<_>>(),
        "locale_info": locale(variable),
    });
    match grains {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn user_name(uid: Uid) -> Option<String> {
    User::from_uid(uid).ok().flatten().map(|user| user.name)
}

fn group_name(gid: Gid) -> String {
    Group::from_gid(gid).ok().flatten().map(|group| group.name).unwrap_or_default()
}

/// What Python's `locale.getlocale()` says: the plain locale `C` counts as American English in
/// UTF-8 there.
fn locale(variable: impl Fn(&str) -> Option<String>) -> Value {
    let set = |name: &&str| variable(name).filter(|value| !value.is_empty());
    let name = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_else(|| "C".into());
    let (language, encoding) = match name.split_once('.') {
        Some(("C" | "POSIX", _)) => ("en_US", "UTF-8"),
        None if matches!(name.as_str(), "C" | "POSIX") => ("en_US", "UTF-8"),
        Some((language, encoding)) => (language, encoding.split('@').next().unwrap_or(encoding)),
        None => (name.as_str(), "ISO8859-1"),
    };
    let utf8 = encoding.eq_ignore_ascii_case("utf8") || encoding.eq_ignore_ascii_case("utf-8");
    json!({
        "defaultlanguage": language,
        "defaultencoding": if utf8 { "UTF-8" } else { encoding },
        "detectedencoding": "utf-8",
        "timezone": states::clock::now().strftime("%Z").to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locales_are_named_as_python_names_them() {
        let of = |lang: &'static str| locale(move |name| (name == "LANG").then(|| lang.to_owned()));
        assert_eq!(of("")["defaultlanguage"], "en_US");
        assert_eq!(of("de_DE.utf8")["defaultencoding"], "UTF-8");
        assert_eq!(of("de_DE@euro.x")["defaultencoding"], "x");
        assert_eq!(of("de_DE")["defaultencoding"], "ISO8859-1");
    }
}
