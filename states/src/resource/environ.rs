//! Variables that a run has set for the commands that it starts. A run is a process of its own, so
//! they end with it, as they do with Salt's.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// By name; none for a variable that is taken away.
static SET: Mutex<BTreeMap<String, Option<String>>> = Mutex::new(BTreeMap::new());

/// A variable as commands of this run find it.
pub fn get(name: &str) -> Option<String> {
    let set = SET.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
    set.unwrap_or_else(|| std::env::var(name).ok())
}

/// The names of all variables that commands of this run find.
pub fn names() -> Vec<String> {
    let mut names: Vec<String> = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
    names.extend(SET.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned());
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| get(name).is_some()).collect()
}

/// Sets a variable, or takes it away.
pub fn set(name: &str, value: Option<String>) {
    SET.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), value);
}

/// What was set, for a command's own environment, in which an empty text takes a variable away.
pub fn changed() -> Vec<(String, String)> {
    let set = SET.lock().unwrap_or_else(PoisonError::into_inner);
    set.iter().map(|(name, value)| (name.clone(), value.clone().unwrap_or_default())).collect()
}
