//! The runner: low chunks in their order, each when its requisites allow it.
//!
//! Everything that is common to all states is done here, once: requisites, `onlyif` and its like,
//! `retry`, `test=True`, `prereq`, `mod_watch`, `listen`, `failhard`, `parallel`. The rules are
//! those of `salt.state.State` of Salt 3008.

mod accumulated;
pub(crate) mod arguments;
mod attempt;
mod checks;
mod held;
mod listen;
mod overlay;
pub mod pause;
mod retry;
mod row;
mod slots;
mod status;
#[cfg(test)]
mod tests;
mod turns;

use std::{
    collections::HashMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use indexmap::IndexMap;
use proto::{Map, Value};

pub use accumulated::Accumulated;
use held::Held;
pub use overlay::Overlay;
pub use pause::Pauses;
pub use row::Row;
pub use status::{Status, judge};
use turns::Course;

use crate::{
    Context, Look,
    compile::{Chunk, Group, Kind, Step},
    functions::truth,
    plan::StateModule,
};

/// How to run.
#[derive(Clone)]
pub struct Settings {
    /// Only say what would be done.
    pub test: bool,
    /// Stop after the first failure.
    pub failhard: bool,
    /// States with `parallel: True` that run at once.
    pub parallel: usize,
    /// They do so in a dry run too: what they would do does not depend on what others would.
    pub parallel_tests: bool,
    /// State modules beside ours (`salt` of orchestrations).
    pub modules: &'static [StateModule],
    /// Rows that are known by tag, from before an interruption: their states are not run again, nor
    /// is anything told of them.
    pub known: HashMap<String, Row>,
    /// Where it is said that the run is to wait, or to end early.
    pub pauses: Option<Pauses>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            test: false,
            failhard: false,
            parallel: 16,
            parallel_tests: false,
            modules: &[],
            known: HashMap::new(),
            pauses: None,
        }
    }
}

/// Told of each state as it ends.
pub type Shown<'a> = &'a (dyn Fn(&Chunk, &Row) + Sync);

/// Results by tag, in the order of the run.
pub type Results = IndexMap<String, (Arc<Chunk>, Row)>;

/// Runs steps that the compiler gave, and gives what became of each.
pub fn run(context: &Context<'_>, steps: &[Step], settings: &Settings, shown: Shown<'_>) -> Results {
    crate::stack::deep(|| {
        let overlay = settings.test.then(|| Overlay::new(context.look));
        let base = Context { host: if settings.test { None } else { context.host }, ..context.copy() };
        let look: &dyn Look = match &overlay {
            Some(overlay) => overlay,
            None => context.look,
        };
        let context = Context { look, ..base };
        let held = context.host.map(Held::new);
        let accumulated = Accumulated::default();
        let number = AtomicU64::new(0);
        let all = steps;
        let run = |steps: &[Step]| {
            let runner = Runner {
                context: &context,
                overlay: overlay.as_ref(),
                steps,
                all,
                settings,
                accumulated: &accumulated,
                held: held.as_ref(),
                shown,
                course: Mutex::new(Course::new(steps.len())),
                ended: Condvar::new(),
                number: &number,
                stopped: AtomicBool::new(false),
            };
            runner.go();
            let stopped = runner.is_stopped();
            (runner.into_results(), stopped)
        };
        let (mut results, stopped) = run(steps);
        if !stopped {
            let listeners = listen::steps(steps, &results);
            results.extend(run(&listeners).0);
            results.extend(listen::faults(steps, &number));
        }
        settings.pauses.iter().for_each(|pauses| pauses.forget(&context));
        held.into_iter().for_each(|held| held.end(&mut results));
        results
    })
}

/// Results in Salt's JSON shape.
pub fn to_value(results: &Results) -> Value {
    into_value(results.clone())
}

/// The same of results that nobody needs any more.
pub fn into_value(results: Results) -> Value {
    Value::Object(results.into_iter().map(|(tag, (chunk, row))| (tag, row.into_value(&chunk))).collect::<Map>())
}

struct Runner<'a> {
    context: &'a Context<'a>,
    /// In a dry run, what was planned so far.
    overlay: Option<&'a Overlay<'a>>,
    steps: &'a [Step],
    /// The steps of the whole run, for states that look at others.
    all: &'a [Step],
    settings: &'a Settings,
    accumulated: &'a Accumulated,
    /// New files that are not on the disk yet; none in a dry run.
    held: Option<&'a Held<'a>>,
    shown: Shown<'a>,
    course: Mutex<Course>,
    /// A state that runs beside others has ended.
    ended: Condvar,
    number: &'a AtomicU64,
    stopped: AtomicBool,
}

impl Runner<'_> {
    /// Runs a step, or notes why it does not run.
    fn finish(&self, index: usize, status: Status) {
        let step = &self.steps[index];
        let known = if step.trial { None } else { self.settings.known.get(&step.chunk.tag()) };
        let (mut row, called) = match known.cloned() {
            Some(row) => (row, true),
            None => match self.refusal(index, status) {
                Some(row) => (row, false),
                None => (self.perform(index, status), true),
            },
        };
        if !step.trial || !called {
            row.number = self.number.fetch_add(1, Ordering::Relaxed);
        }
        if row.start.is_empty() {
            row.start = clock();
        }
        if !step.trial && known.is_none() {
            (self.shown)(&step.chunk, &row);
        }
        let failhard = step.chunk.data.get("failhard").map_or(self.settings.failhard, truth);
        if failhard && !self.settings.test && row.failed() && !step.trial {
            self.stopped.store(true, Ordering::Relaxed);
        }
        let mut course = self.course();
        // A trial that did not take place decides for the state itself.
        if step.trial
            && !called
            && let Some(own) = self.steps.iter().position(|other| other.tried == Some(index))
        {
            (self.shown)(&step.chunk, &row);
            course.set(own, row.clone());
        }
        course.set(index, row);
    }

    /// The result of a step that its requisites keep from running.
    fn refusal(&self, index: usize, status: Status) -> Option<Row> {
        let step = &self.steps[index];
        Some(match status {
            Status::Met | Status::Change | Status::SkipWatch => return None,
            Status::SkipReq => Row::not_run(true, "State was not run because requisites were skipped by another state"),
            Status::Pre => Row::not_run(true, "No changes detected"),
            Status::Onfail => Row::not_run(true, "State was not run because onfail req did not change"),
            Status::Onchanges => Row::not_run(true, "State was not run because none of the onchanges reqs changed"),
            Status::Fail => {
                let rows = &self.course().rows;
                match step.tried.and_then(|tried| rows[tried].clone()) {
                    Some(tried) => Row { changes: Map::new(), ..tried },
                    None => {
                        let mut failed: Vec<String> = Vec::new();
                        for &(_, need) in &step.needs {
                            let chunk = &self.steps[need].chunk;
                            let name = format!("{}.{}", chunk.text("__sls__"), chunk.text("__id__"));
                            if rows[need].as_ref().is_some_and(Row::failed) && !failed.contains(&name) {
                                failed.push(name);
                            }
                        }
                        Row::not_run(false, format!("One or more requisite failed: {}", failed.join(", ")))
                    }
                }
            }
        })
    }

    fn perform(&self, index: usize, status: Status) -> Row {
        let step = &self.steps[index];
        let needs: Vec<(Kind, &Chunk)> =
            step.needs.iter().map(|&(kind, need)| (kind, &*self.steps[need].chunk)).collect();
        let row = self.attempts(step, &needs, Vec::new());
        match status {
            Status::Change if step.trial => match row.changes.is_empty() {
                true => Row { changes: [("watch".into(), "watch".into())].into_iter().collect(), result: None, ..row },
                false => row,
            },
            Status::Change if row.changes.is_empty() && !row.skip_watch => {
                // Salt counts the run that is replaced.
                self.number.fetch_add(1, Ordering::Relaxed);
                let watched = self.watched(step);
                self.attempts(&watching(step), &needs, watched)
            }
            Status::SkipWatch => {
                let comment =
                    row.comment.clone() + " mod_watch was not run because requisites were skipped by another state";
                Row { comment, ..row }
            }
            _ => row,
        }
    }

    /// The watched states that have changed.
    fn watched(&self, step: &Step) -> Vec<String> {
        let rows = &self.course().rows;
        let of_watch = step.needs.iter().filter(|(kind, _)| kind.group() == Group::Watch);
        of_watch
            .filter(|(_, need)| rows[*need].as_ref().is_some_and(|row| !row.changes.is_empty()))
            .map(|(_, need)| {
                let chunk = &self.steps[*need].chunk;
                format!("{}: {}", chunk.text("state"), chunk.text("__id__"))
            })
            .collect()
    }

    fn into_results(self) -> Results {
        let rows = self.course.into_inner().unwrap_or_else(PoisonError::into_inner).rows;
        let mut results = Results::with_capacity(rows.len());
        for (step, row) in self.steps.iter().zip(rows) {
            if let Some(row) = row.filter(|_| !step.trial) {
                results.insert(step.chunk.tag(), (step.chunk.clone(), row));
            }
        }
        results.sort_by(|_, (_, a), _, (_, b)| a.number.cmp(&b.number));
        results
    }
}

/// The step as its module's `mod_watch` sees it.
fn watching(step: &Step) -> Step {
    let mut step = step.clone();
    let data = &mut Arc::make_mut(&mut step.chunk).data;
    let fun = data.insert("fun".into(), "mod_watch".into());
    data.insert("sfun".into(), fun.unwrap_or(Value::Null));
    step
}

/// The time of day here, as Python's `isoformat` writes it.
fn clock() -> String {
    crate::clock::now().strftime("%H:%M:%S.%6f").to_string()
}
