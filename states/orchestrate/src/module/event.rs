//! `salt.wait_for_event`.

use std::time::{Duration, Instant};

use proto::{Glob, Map, Value, event::Event};
use states::plan::{Call, Done, Plan, StateError};

use super::{fleet, step, would};
use crate::{Fleet, wish::duration};

pub fn plan(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step, tag) = (fleet(of)?, step(of), of.name());
    let key = of.text_or("event_id", "id");
    let timeout = match of.value("timeout") {
        None => Duration::from_secs(300),
        Some(value) => duration(value).ok_or_else(|| StateError::failed("timeout must be seconds, or such as 5m"))?,
    };
    // Ours: everyone who matches, or the first event at all.
    let target = of.some_text("tgt").map(|_| crate::wish::target(of.low)).transpose()?;
    if of.value("id_list").is_none() && target.is_none() && !of.flag("any", false) {
        return states::plan::failed("Missing parameter id_list for state salt.wait_for_event");
    }
    let mut ids = of.list("id_list");
    would(of, format!("Orchestration would wait for event '{tag}'"), move || {
        if let Some(target) = &target {
            ids.extend(fleet.resolve(target)?.minions.iter().map(ToString::to_string));
        }
        wait(&*fleet, &step, &Wanted { tag, key, ids, timeout })
    })
}

struct Wanted {
    tag: String,
    /// Where an event says whom it is about.
    key: String,
    /// Whom to wait for; nobody: one event is enough.
    ids: Vec<String>,
    timeout: Duration,
}

fn wait(fleet: &dyn Fleet, step: &str, wanted: &Wanted) -> Result<Done, StateError> {
    let begun = Instant::now();
    let glob = Glob::new(&wanted.tag);
    let mut missing = wanted.ids.clone();
    let mut seen: Vec<Value> = Vec::new();
    let mut events = fleet.listen();
    fleet.says(step, format!("waits for the event {}", wanted.tag));
    loop {
        let Some(left) = (begun + wanted.timeout).checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        else {
            return Ok(Done::failed(out_of_time(&missing), changes(seen)));
        };
        let Some(event) = events.next(left.min(Duration::from_secs(1)))? else { continue };
        if !glob.is_match(&event.tag) {
            continue;
        }
        for id in about(&event, &wanted.key) {
            if let Some(at) = missing.iter().position(|other| *other == id) {
                missing.remove(at);
                seen.push(id.into());
            }
        }
        if missing.is_empty() {
            let comment = format!("All events seen in {} seconds.", begun.elapsed().as_secs_f64());
            return Ok(Done::new(comment, changes(seen)));
        }
    }
}

fn out_of_time(missing: &[String]) -> String {
    match missing {
        [] => "Timeout value reached.".to_owned(),
        some => format!("Timeout value reached. No event came for {}.", some.join(", ")),
    }
}

fn changes(seen: Vec<Value>) -> Map {
    match seen.is_empty() {
        true => Map::new(),
        false => Map::from_iter([("minions_seen".to_owned(), Value::Array(seen))]),
    }
}

/// The ids that an event names, in its data or one level deeper.
fn about(event: &Event, key: &str) -> Vec<String> {
    let found = event.data.get(key).or_else(|| event.data.get("data")?.get(key));
    match found {
        Some(Value::Array(ids)) => ids.iter().map(states::value::python_str).collect(),
        Some(id) => vec![states::value::python_str(id)],
        None => Vec::new(),
    }
}
