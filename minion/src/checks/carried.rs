//! Checks that states brought along (`check.present`): one file each beneath `root_dir/checks.d`,
//! named and written by the state.

use std::{fs, path::Path, time::SystemTime};

use proto::{Map, Value};
use states::modules::check::{FOLDER, name_of};

/// Files that are read at most, and how long one may be.
const MOST: usize = 256;
const LONGEST: u64 = 64 * 1024;

/// The checks by name. What cannot be read stands there as null, and is refused by name later.
pub fn read(root: &Path) -> Map {
    let Ok(folder) = fs::read_dir(root.join(FOLDER)) else { return Map::new() };
    let mut found: Vec<(String, Value)> = folder
        .flatten()
        .filter_map(|entry| Some((name_of(entry.file_name().to_str()?)?, options(&entry.path()))))
        .take(MOST)
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().collect()
}

fn options(path: &Path) -> Value {
    let small = fs::metadata(path).is_ok_and(|meta| meta.len() <= LONGEST);
    let text = if small { fs::read(path).ok() } else { None };
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_else(|| "unreadable".into())
}

/// Changes when a file is added, removed or replaced.
pub fn stamp(root: &Path) -> Option<SystemTime> {
    fs::metadata(root.join(FOLDER)).and_then(|meta| meta.modified()).ok()
}
