//! Changing a text file in place: what all states that edit have in common.

use std::path::{Path, PathBuf};

use proto::Map;
use serde_json::json;

use crate::{
    Look,
    plan::{Call, Doing, Done, Plan, StateError, failed, missing_at},
    resource::{
        diff,
        files::{self, LIMIT, Permissions},
    },
};

/// A text file as it is.
pub struct Text {
    /// Where it lies, links followed.
    pub path: PathBuf,
    pub mode: u32,
    pub text: String,
}

impl Text {
    /// Reads a file that must be there.
    pub fn read(look: &dyn Look, name: &Path) -> Result<Self, StateError> {
        let Ok((path, stat)) = files::followed(look, name) else {
            return missing_at(look, name, format!("{}: file not found", name.display()));
        };
        if files::is_dir(look, &path) {
            return failed(format!("{}: is a directory", name.display()));
        }
        let bytes = look.read(&path, LIMIT).map_err(|why| StateError::io("read", &path, &why))?;
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(Self { path, mode: stat.mode, text }),
            _ => failed(format!("Cannot perform string replacements on a binary file: {}", name.display())),
        }
    }

    /// The same, or an empty text where no file is; makes sure that its folder is there, or will be.
    pub fn read_or_new(call: &Call<'_>, name: &Path) -> Result<(Option<Self>, Option<PathBuf>), StateError> {
        if files::exists(call.look, name) {
            return Self::read(call.look, name).map(|text| (Some(text), None));
        }
        let parent = name.parent().unwrap_or(Path::new("/")).to_owned();
        match files::is_dir(call.look, &parent) {
            true => Ok((None, None)),
            false if call.flag("makedirs", false) => Ok((None, Some(parent))),
            false => missing_at(call.look, &parent, format!("{}: file not found", name.display())),
        }
    }
}

/// What a state says of an edit.
pub struct Said {
    /// In a dry run.
    pub would: String,
    pub done: String,
    pub changes: Map,
}

impl Said {
    /// Comments of Salt's, with the difference as changes unless it is hidden.
    pub fn new(call: &Call<'_>, would: impl Into<String>, done: impl Into<String>, old: &str, new: &str) -> Self {
        Self { would: would.into(), done: done.into(), changes: changes(call, old, new) }
    }
}

pub fn changes(call: &Call<'_>, old: &str, new: &str) -> Map {
    let diff = match call.flag("show_changes", true) {
        true => diff::unified(old, new).into(),
        // What Salt shows of a hidden difference.
        false => true.into(),
    };
    [("diff".to_owned(), diff)].into_iter().collect()
}

/// Plans to put `new` where `old` is, keeping a copy with the suffix `backup`.
pub fn plan(old: Text, new: String, backup: Option<String>, said: Said) -> Result<Plan, StateError> {
    Plan::change(said.would, said.changes.clone(), move |doing| {
        if let Some(suffix) = backup {
            let kept = PathBuf::from(format!("{}{suffix}", old.path.display()));
            write(doing, &kept, &old.text, old.mode)?;
        }
        write(doing, &old.path, &new, old.mode)?;
        Ok(Done::new(said.done, said.changes))
    })
}

/// Plans to make a file that is not there.
pub fn plan_new(name: PathBuf, text: String, parent: Option<PathBuf>, said: Said) -> Result<Plan, StateError> {
    let preview = json!({ "new": name.display().to_string() });
    Plan::change(said.would, preview, move |doing| {
        if let Some(parent) = parent {
            let made = files::make_dirs(doing.host, &parent, &Permissions::default());
            made.map_err(|why| StateError::io("create", &parent, &why))?;
        }
        write(doing, &name, &text, 0o644)?;
        Ok(Done::new(said.done, said.changes))
    })
}

pub fn write(doing: &Doing<'_>, path: &Path, text: &str, mode: u32) -> Result<(), StateError> {
    doing.host.write(path, text.as_bytes(), mode).map_err(|why| StateError::io("write", path, &why))
}

/// The suffix of a backup: the argument's text, `.bak` where it has a default, none if it is false.
pub fn backup(call: &Call<'_>, default: Option<&str>) -> Option<String> {
    match call.low.get("backup") {
        None => default.map(str::to_owned),
        Some(serde_json::Value::String(suffix)) if !suffix.is_empty() => Some(suffix.clone()),
        Some(_) => None,
    }
}

/// A pattern of Python's, with its flags by number or name.
pub fn regex(pattern: &str, flags: &[String]) -> Result<fancy_regex::Regex, StateError> {
    let mut letters = String::new();
    for flag in flags {
        let named = match flag.to_uppercase().as_str() {
            "IGNORECASE" | "I" => "i",
            "MULTILINE" | "M" => "m",
            "DOTALL" | "S" => "s",
            "VERBOSE" | "X" => "x",
            "UNICODE" | "U" | "LOCALE" | "L" => "",
            number => {
                let bits: u32 =
                    number.parse().map_err(|_| StateError::Failed(format!("Invalid re flag given: {flag}")))?;
                for (bit, letter) in [(2, "i"), (8, "m"), (16, "s"), (64, "x")] {
                    if bits & bit != 0 {
                        letters.push_str(letter);
                    }
                }
                ""
            }
        };
        letters.push_str(named);
    }
    let full = if letters.is_empty() { pattern.to_owned() } else { format!("(?{letters}){pattern}") };
    crate::jinja::regex::compile(&full, false, false).map_err(|why| StateError::Failed(why.message))
}
