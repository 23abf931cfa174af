//! `overstate.sls`: roles in order.
//!
//! As Salt had it from 0.11 to 2015.5 (a mapping of stages with `match`, `sls`, `function` and `require`;
//! neither `sls` nor `function` is a highstate), with what it lacked: Jinja, places in errors, stages
//! side by side, and the keys `expect`, `max_fail`, `batch`, `timeout`, `retry`, `onfail`, `pillar`,
//! `saltenv`, `test`, `check` and `wait_for_event`.

mod chunks;
mod read;
#[cfg(test)]
mod tests;

use proto::{Args, Map, Value};
use states::{Diagnostic, compile::Problems, diag::Place, yaml::Node};

pub use chunks::steps;

/// One stage.
#[derive(Debug, Clone)]
pub struct Stage {
    pub id: String,
    pub place: Place,
    /// A compound expression; `None` only for a stage that waits for an event.
    pub target: Option<String>,
    pub work: Work,
    pub require: Vec<Reference>,
    pub onfail: Vec<Reference>,
    /// Keys that the chunk takes as they are: `batch`, `expect`, `max_fail`, `timeout`, `retry`.
    pub rules: Map,
    pub pillar: Option<Map>,
    pub saltenv: Option<String>,
    pub test: Option<bool>,
    /// As `salt.check` takes them.
    pub checks: Vec<Value>,
}

/// What a stage does.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    Highstate,
    Sls(Vec<String>),
    Function(String, Args),
    /// `salt.wait_for_event` with these arguments.
    Event(Map),
}

/// Another stage, and where it is named.
#[derive(Debug, Clone)]
pub struct Reference {
    pub id: String,
    pub place: Place,
}

/// The stages of a rendered overstate, in the order in which they are written.
///
/// # Errors
/// Everything that is wrong with them: unknown keys, unknown stages, circles.
pub fn stages(node: &Node) -> Result<Vec<Stage>, Problems> {
    let Some(pairs) = node.as_map() else {
        let message = format!("an overstate is a mapping of stages, not {}", node.kind());
        return Err(vec![Diagnostic::new(message).at(&node.place())]);
    };
    let mut problems = Problems::new();
    let stages: Vec<Stage> = pairs.iter().filter_map(|(id, body)| read::stage(id, body, &mut problems)).collect();
    if stages.is_empty() && problems.is_empty() {
        problems.push(Diagnostic::new("the overstate has no stages").at(&node.place()));
    }
    // Stages that could not be read are known by their name all the same.
    let known: Vec<String> = pairs.iter().map(|(id, _)| id.to_text()).collect();
    for stage in &stages {
        unknown(stage, &known, &mut problems);
    }
    if problems.is_empty() {
        problems.extend(circle(&stages));
    }
    if problems.is_empty() { Ok(stages) } else { Err(problems) }
}

fn unknown(stage: &Stage, known: &[String], problems: &mut Problems) {
    for reference in stage.require.iter().chain(&stage.onfail) {
        if !known.contains(&reference.id) {
            let hint = states::diag::did_you_mean(&reference.id, known.iter().map(String::as_str));
            let message = format!("there is no stage {}, which the stage {} waits for", reference.id, stage.id);
            problems.push(Diagnostic::new(message).at(&reference.place).hint_opt(hint));
        }
    }
}

/// Stages that wait for one another, as a chain with places.
fn circle(stages: &[Stage]) -> Option<Diagnostic> {
    let mut way: Vec<(&Stage, &Reference)> = Vec::new();
    let mut done = std::collections::HashSet::new();
    stages.iter().find_map(|stage| follow(stage, stages, &mut way, &mut done))
}

fn follow<'a>(
    stage: &'a Stage,
    stages: &'a [Stage],
    way: &mut Vec<(&'a Stage, &'a Reference)>,
    done: &mut std::collections::HashSet<&'a str>,
) -> Option<Diagnostic> {
    if done.contains(stage.id.as_str()) {
        return None;
    }
    for reference in stage.require.iter().chain(&stage.onfail) {
        way.push((stage, reference));
        if let Some(start) = way.iter().position(|(from, _)| from.id == reference.id) {
            return Some(circle_of(&way[start..]));
        }
        let next = stages.iter().find(|other| other.id == reference.id);
        if let Some(why) = next.and_then(|next| follow(next, stages, way, done)) {
            return Some(why);
        }
        way.pop();
    }
    done.insert(&stage.id);
    None
}

fn circle_of(way: &[(&Stage, &Reference)]) -> Diagnostic {
    let (first, entry) = way[0];
    let names: Vec<&str> = way.iter().map(|(stage, _)| stage.id.as_str()).chain([first.id.as_str()]).collect();
    let message = format!("stages wait for one another in a circle: {}", names.join(" → "));
    let notes = way[1..].iter();
    notes.fold(Diagnostic::new(message).at(&entry.place), |why, (stage, reference)| {
        why.note(format!("{} waits for {} here", stage.id, reference.id), &reference.place)
    })
}
