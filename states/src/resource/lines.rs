//! Configuration files that are one line a setting: read, and one line changed.

use std::path::Path;

use super::files::{self, LIMIT, Permissions, make_dirs};
use crate::{Host, Look, plan::StateError};

/// A text file, or nothing where it is not there or no text.
pub fn read(look: &dyn Look, path: &Path) -> Option<String> {
    String::from_utf8(look.read(path, LIMIT).ok()?).ok()
}

/// Writes a text file with the mode that it had, or `mode`, its folder first.
pub fn write(host: &dyn Host, path: &Path, text: &str, mode: u32) -> Result<(), StateError> {
    let at = files::followed(host, path);
    let (path, mode) = match &at {
        Ok((real, stat)) => (real.as_path(), stat.mode),
        Err(_) => (path, mode),
    };
    if let Some(parent) = path.parent() {
        make_dirs(host, parent, &Permissions::default()).map_err(|why| StateError::io("create", parent, &why))?;
    }
    host.write(path, text.as_bytes(), mode).map_err(|why| StateError::io("write", path, &why))
}

/// A text with each line for which `is` holds replaced by `line`; at its end where there is none.
pub fn set(text: &str, line: &str, is: impl Fn(&str) -> bool) -> String {
    let mut found = false;
    let mut out: String = text
        .lines()
        .map(|old| {
            let hit = is(old);
            found |= hit;
            format!("{}\n", if hit { line } else { old })
        })
        .collect();
    if !found {
        out.push_str(line);
        out.push('\n');
    }
    out
}
