//! `listen`: `mod_watch` of a state at the end of the run, if what it listens to has changed.

use std::sync::atomic::{AtomicU64, Ordering};

use proto::{Map, Value};

use super::{Results, Row, clock};
use crate::{
    compile::{Chunk, Step},
    value,
};

/// Requisites have no meaning at the end.
const REQUISITES: [&str; 12] = [
    "require",
    "require_any",
    "watch",
    "watch_any",
    "onchanges",
    "onchanges_any",
    "onfail",
    "onfail_any",
    "onfail_all",
    "onfail_stop",
    "prereq",
    "listen",
];

/// A state that listens, and what to.
struct Ear {
    /// Module and id or name.
    who: (String, String),
    to: (String, String),
}

/// The `mod_watch` calls that the results ask for.
pub fn steps(steps: &[Step], results: &Results) -> Vec<Step> {
    let mut found: Vec<Step> = Vec::new();
    for Ear { who, to } in ears(steps) {
        let heard = named(steps, &to)
            .any(|step| results.get(&step.chunk.tag()).is_some_and(|(_, row)| !row.changes.is_empty()));
        if !heard {
            continue;
        }
        for step in named(steps, &who) {
            let watcher = watcher(step);
            if !found.iter().any(|other| other.chunk.tag() == watcher.chunk.tag()) {
                found.push(watcher);
            }
        }
    }
    found
}

/// References to states that do not exist, as Salt shows them.
pub fn faults(steps: &[Step], number: &AtomicU64) -> Results {
    let mut faults = Results::new();
    for Ear { to: (module, name), .. } in ears(steps) {
        if named(steps, &(module.clone(), name.clone())).next().is_some() {
            continue;
        }
        let Some(any) = steps.first() else { continue };
        let mut row = Row::ran(Some(false), format!("Referenced state {module}: {name} does not exist"), Map::new());
        row.number = number.fetch_add(1, Ordering::Relaxed);
        row.start = clock();
        let name_of = ("name".to_owned(), Value::String(format!("listen_{module}:{name}")));
        let chunk = Chunk { data: Map::from_iter([name_of]), place: any.chunk.place.clone() };
        faults.insert(format!("listen_{module}_|-{name}"), (chunk.into(), row));
    }
    faults
}

fn ears(steps: &[Step]) -> Vec<Ear> {
    let mut ears = Vec::new();
    for step in steps.iter().filter(|step| !step.trial) {
        let me = (step.chunk.text("state").to_owned(), step.chunk.text("__id__").to_owned());
        for entry in entries(step, "listen") {
            if let Some(to) = reference(steps, entry) {
                ears.push(Ear { who: (me.0.clone(), step.chunk.text("name").to_owned()), to });
            }
        }
        for entry in entries(step, "listen_in") {
            if let Some(who) = reference(steps, entry) {
                ears.push(Ear { who, to: me.clone() });
            }
        }
    }
    ears
}

fn entries<'s>(step: &'s Step, key: &str) -> &'s [Value] {
    step.chunk.data.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Module and name; an id alone is looked up.
fn reference(steps: &[Step], entry: &Value) -> Option<(String, String)> {
    match entry {
        Value::Object(map) => {
            let (module, name) = map.iter().next()?;
            Some((module.clone(), value::python_str(name)))
        }
        Value::String(id) => {
            let found = steps.iter().find(|step| step.chunk.text("__id__") == id || step.chunk.text("name") == id)?;
            Some((found.chunk.text("state").to_owned(), id.clone()))
        }
        _ => None,
    }
}

fn named<'s>(steps: &'s [Step], (module, name): &(String, String)) -> impl Iterator<Item = &'s Step> {
    let (module, name) = (module.clone(), name.clone());
    steps.iter().filter(move |step| {
        !step.trial
            && step.chunk.text("state") == module
            && (step.chunk.text("__id__") == name || step.chunk.text("name") == name)
    })
}

fn watcher(step: &Step) -> Step {
    let mut chunk = Chunk::clone(&step.chunk);
    for requisite in REQUISITES {
        chunk.data.shift_remove(requisite);
    }
    let id = format!("listener_{}", chunk.text("__id__"));
    chunk.data.insert("__id__".into(), Value::String(id));
    let fun = chunk.data.insert("fun".into(), "mod_watch".into());
    chunk.data.insert("sfun".into(), fun.unwrap_or(Value::Null));
    Step { chunk: chunk.into(), trial: false, tried: None, needs: Vec::new() }
}
