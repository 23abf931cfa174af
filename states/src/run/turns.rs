//! Whose turn it is: steps in their order, and those with `parallel: True` beside them as soon as what
//! they need has ended.

use std::{
    sync::{MutexGuard, PoisonError, atomic::Ordering},
    thread::{self, Scope},
};

use super::{Row, Runner, Status, judge};
use crate::functions::truth;

/// How far a run has come.
pub(super) struct Course {
    pub rows: Vec<Option<Row>>,
    /// Steps that run beside others now.
    pub flying: usize,
    /// Rows that there are; it grows with each.
    ended: usize,
}

impl Course {
    pub fn new(steps: usize) -> Self {
        Self { rows: vec![None; steps], flying: 0, ended: 0 }
    }

    pub fn set(&mut self, index: usize, row: Row) {
        self.rows[index] = Some(row);
        self.ended += 1;
    }
}

/// Tells that a step no longer runs beside others, whatever became of it.
struct Landing<'a, 'r>(&'a Runner<'r>);

impl Drop for Landing<'_, '_> {
    fn drop(&mut self) {
        self.0.course().flying -= 1;
        self.0.ended.notify_all();
    }
}

impl<'r> Runner<'r> {
    pub(super) fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(super) fn go(&self) {
        thread::scope(|scope| {
            let mut later = Vec::new();
            for index in 0..self.steps.len() {
                later.retain(|&waiting| !self.start(waiting, scope));
                if self.is_stopped() || !self.let_go(index) {
                    return;
                }
                if self.is_parallel(index) {
                    later.push(index);
                    continue;
                }
                self.start_until(&mut later, scope, |course, _| self.is_ready(course, index));
                if self.is_stopped() {
                    return;
                }
                self.run_here(index);
            }
            self.start_until(&mut later, scope, |_, later| later.is_empty());
        });
    }

    /// Waits while the step is held; gives whether the run goes on.
    fn let_go(&self, index: usize) -> bool {
        let pauses = self.settings.pauses.as_ref();
        pauses.is_none_or(|pauses| pauses.let_go(self.context, &self.steps[index].chunk.data))
    }

    fn is_parallel(&self, index: usize) -> bool {
        let step = &self.steps[index];
        let in_turn = step.trial || self.settings.test && !self.settings.parallel_tests;
        step.chunk.data.get("parallel").is_some_and(truth) && !in_turn
    }

    fn is_ready(&self, course: &Course, index: usize) -> bool {
        self.steps[index].needs.iter().all(|&(_, need)| course.rows[need].is_some())
    }

    /// What the needs of a step make of it; nothing where it was decided before.
    fn status(&self, course: &Course, index: usize) -> Option<Status> {
        let needs = self.steps[index].needs.iter();
        let judged = || judge(needs.filter_map(|&(kind, need)| Some((kind, course.rows[need].as_ref()?))));
        course.rows[index].is_none().then(judged)
    }

    /// Starts what can run beside others by now, again and again as some of them end, until there is
    /// `enough`, the run is to stop, or nothing more can come.
    fn start_until<'s>(
        &'s self,
        later: &mut Vec<usize>,
        scope: &'s Scope<'s, '_>,
        enough: impl Fn(&Course, &[usize]) -> bool,
    ) {
        loop {
            let ended = self.course().ended;
            later.retain(|&waiting| !self.start(waiting, scope));
            let course = self.course();
            let over = enough(&course, later) || self.is_stopped();
            if over || course.flying == 0 && course.ended == ended {
                return;
            }
            let none_ended = |course: &mut Course| course.ended == ended && course.flying > 0;
            drop(self.ended.wait_while(course, none_ended).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Has a step run beside others, if nothing that it needs is missing. Gives whether that is done.
    fn start<'s>(&'s self, index: usize, scope: &'s Scope<'s, '_>) -> bool {
        let course = self.course();
        if !self.is_ready(&course, index) {
            return false;
        }
        let most = self.settings.parallel.max(1);
        let full = |course: &mut Course| course.flying >= most;
        let mut course = self.ended.wait_while(course, full).unwrap_or_else(PoisonError::into_inner);
        if let Some(status) = self.status(&course, index).filter(|_| !self.is_stopped()) {
            course.flying += 1;
            scope.spawn(move || {
                let _landing = Landing(self);
                self.finish(index, status);
            });
        }
        true
    }

    fn run_here(&self, index: usize) {
        let status = self.status(&self.course(), index);
        if let Some(status) = status {
            self.finish(index, status);
        }
    }
}
