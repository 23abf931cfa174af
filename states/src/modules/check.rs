//! `check.*`: health checks that states bring along, so that a role is watched wherever it is
//! applied. Ours; Salt has no such states.
//!
//! A check is a file beneath `root_dir/checks.d` that the minion finds there; which kinds there are is
//! the minion's to know, so a check is held against `check.validate` where there is such a function.

use std::path::{Path, PathBuf};

use proto::{Args, Map, Value};
use serde_json::json;

use crate::{
    call::Param,
    compile::is_keyword,
    functions::{need, opt},
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        files::{self, Permissions},
        lines,
    },
};

/// The folder of such files, beneath `root_dir`.
pub const FOLDER: &str = "checks.d";
/// How long a file's name may be.
const LONGEST: usize = 240;

const PRESENT: &[Param] = &[need("name"), opt("check", "None"), opt("interval", "60"), opt("timeout", "10")];
const ABSENT: &[Param] = &[need("name")];

pub const MODULE: StateModule = StateModule {
    name: "check",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that this host is watched by a health check. What else is given are the options of the kind (`check`; the name, if there is none).\n\n    nginx answers:\n      check.present:\n        - check: http\n        - url: http://127.0.0.1/health\n        - interval: 30",
            params: PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a health check that a state brought along is gone.\n\n    nginx answers:\n      check.absent",
            params: ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

/// The file of a check with this name: all but letters, digits, `-` and `_` as `%` and two digits.
pub fn file_of(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let shown = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    format!("{}.json", name.bytes().map(shown).collect::<String>())
}

/// The name of the check that a file is of; none, if it is something else.
pub fn name_of(file: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::new(), file.strip_suffix(".json")?);
    while let Some(first) = rest.bytes().next() {
        let length = if first == b'%' { 3 } else { 1 };
        let part = rest.get(..length)?;
        bytes.push(if length == 3 { u8::from_str_radix(&part[1..], 16).ok()? } else { first });
        rest = &rest[length..];
    }
    let name = String::from_utf8(bytes).ok()?;
    (file_of(&name) == file).then_some(name)
}

fn path(call: &Call<'_>) -> Result<PathBuf, StateError> {
    let (name, root) = (call.name(), call.context().opts.get("root_dir").and_then(Value::as_str));
    let file = file_of(&name);
    if name.is_empty() || name.len() > 128 || name.contains(char::is_control) || file.len() > LONGEST {
        return failed(format!(
            "'{name}' is not the name of a check: at most 128 bytes, nothing that cannot be printed"
        ));
    }
    Ok(Path::new(root.unwrap_or("/var/lib/overstate")).join(FOLDER).join(file))
}

/// The check's options: what is given, but for what the runner takes.
fn options(call: &Call<'_>) -> Map {
    let own = |key: &str| key == "name" || is_keyword(key);
    call.low.iter().filter(|(key, _)| !own(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn validate(call: &Call<'_>, options: &Map) -> Result<(), StateError> {
    if call.context().functions.find("check.validate").is_none() {
        return Ok(());
    }
    let args = Args::positional([call.name().into(), options.clone().into()]);
    match call.call("check.validate", args)? {
        Value::String(why) => failed(why),
        _ => Ok(()),
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path, options) = (call.name(), path(call)?, options(call));
    validate(call, &options)?;
    let text = |options: &Map| format!("{:#}\n", Value::Object(options.clone()));
    let wanted = text(&options);
    let now = lines::read(call.look, &path);
    if now.as_deref() == Some(&wanted) {
        return Plan::keep(format!("Check {name} is in place"));
    }
    let old: Value = now.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let changes = json!({"old": old, "new": options});
    Plan::change(format!("Check {name} would be put in place"), changes.clone(), move |doing| {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let permissions = Permissions::default();
        files::make_dirs(doing.host, folder, &permissions).map_err(|why| StateError::io("create", folder, &why))?;
        lines::write(doing.host, &path, &wanted, 0o600)?;
        Ok(Done::new(format!("Check {name} was put in place"), changes))
    })
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, path) = (call.name(), path(call)?);
    if call.look.stat(&path).is_err() {
        return Plan::keep(format!("Check {name} is absent"));
    }
    let changes = json!({"removed": name});
    Plan::change(format!("Check {name} would be removed"), changes.clone(), move |doing| {
        doing.host.remove(&path).map_err(|why| StateError::io("remove", &path, &why))?;
        Ok(Done::new(format!("Check {name} was removed"), changes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Memory, thrice};

    #[test]
    fn names_survive_as_files_and_cannot_leave_the_folder() {
        for name in ["nginx answers", "../../etc/passwd", "a.b", "ä%", "x"] {
            let file = file_of(name);
            assert!(!file.contains('/') && !file.starts_with('.'), "{file}");
            assert_eq!(name_of(&file).as_deref(), Some(name));
        }
        for odd in ["x", "x.txt", "%.json", "%zz.json", "a b.json", "%41.json", "ä.json", "%c3.json"] {
            assert_eq!(name_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_check_is_put_in_place_once_and_taken_away() {
        let host = Memory::new(json!({}));
        let sls = "nginx answers:\n  check.present:\n    - check: http\n    - url: http://x/\n    - require: []\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!((&test.0, test.1.as_str()), (&Value::Null, "Check nginx answers would be put in place"));
        assert_eq!(first.2["new"], json!({"check": "http", "url": "http://x/"}));
        assert_eq!(second.1, "Check nginx answers is in place");
        let path = "/var/lib/overstate/checks.d/nginx%20answers.json";
        assert!(host.text(path).unwrap().contains("http://x/"));
        let [_, gone, _] = thrice(&host, &[("t.sls", "nginx answers:\n  check.absent\n")]);
        assert_eq!((gone.2, host.text(path)), (json!({"removed": "nginx answers"}), None));
    }
}
