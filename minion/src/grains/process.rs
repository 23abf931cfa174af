//! The minion's own process: who, where, with which environment.

use nix::unistd::{Gid, Group, Uid, User, getegid, geteuid};
use proto::{Map, Value};
use serde_json::json;

use super::text;

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

/// A user's name. Nearly everybody stands in the file; the name service takes a while to start up.
pub fn user_name(uid: Uid) -> Option<String> {
    let elsewhere = || User::from_uid(uid).ok().flatten().map(|user| user.name);
    named("/etc/passwd", uid.as_raw()).or_else(elsewhere)
}

fn group_name(gid: Gid) -> String {
    let elsewhere = || Group::from_gid(gid).ok().flatten().map(|group| group.name);
    named("/etc/group", gid.as_raw()).or_else(elsewhere).unwrap_or_default()
}

/// The first name that has a number, in lines of `NAME:PASSWORD:NUMBER`.
fn named(file: &str, number: u32) -> Option<String> {
    let text = text(file)?;
    let mut lines = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let is = |fields: &Vec<&str>| fields.get(2).and_then(|field| field.parse().ok()) == Some(number);
    lines.find(is).map(|fields| fields[0].to_owned()).filter(|name| !name.starts_with(['+', '-']))
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

    #[test]
    fn names_stand_beside_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        std::fs::write(&path, "root:x:0:0::/:/bin/sh\n# why\n+::7\nweb:x:33:33\nbad\nwww:x:33:1\n").unwrap();
        let of = |number| named(path.to_str().unwrap(), number);
        assert_eq!((of(0).as_deref(), of(33).as_deref(), of(7), of(9)), (Some("root"), Some("web"), None, None));
        assert_eq!(user_name(Uid::from_raw(0)).as_deref(), Some("root"));
        assert_eq!(named("/no/such/file", 0), None);
    }
}
