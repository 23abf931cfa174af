//! What `file.accumulated` gathers for the states of the same run.

use std::sync::{Mutex, PoisonError};

use indexmap::IndexMap;
use proto::{Map, Value};

/// Texts by file and name, with the ids of the states that they are for.
#[derive(Default)]
pub struct Accumulated(Mutex<IndexMap<(String, String), Entry>>);

#[derive(Default, Clone)]
struct Entry {
    texts: Vec<Value>,
    ids: Vec<String>,
}

impl Accumulated {
    /// Adds texts for the states of these ids; gives those that were not there yet.
    pub fn add(&self, file: &str, name: &str, ids: Vec<String>, texts: Vec<Value>) -> Vec<Value> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = all.entry((file.to_owned(), name.to_owned())).or_default();
        entry.ids.extend(ids.into_iter().filter(|id| !entry.ids.contains(id)).collect::<Vec<_>>());
        let new: Vec<Value> = texts.into_iter().filter(|text| !entry.texts.contains(text)).collect();
        entry.texts.extend(new.clone());
        new
    }

    /// What was gathered for a file, by name; with an id, what is for that state if anything is.
    pub fn of(&self, file: &str, id: Option<&str>) -> Map {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_for = |entry: &Entry| id.is_some_and(|id| entry.ids.iter().any(|known| known == id));
        let some = all.iter().any(|((other, _), entry)| other == file && is_for(entry));
        let mine = all.iter().filter(|((other, _), entry)| other == file && (!some || is_for(entry)));
        mine.map(|((_, name), entry)| (name.clone(), Value::Array(entry.texts.clone()))).collect()
    }
}
