//! What is known of an orchestration that runs: its plan, and how far each stage is, from what the
//! master tells. Values in, values out.

use proto::{
    JobId, MinionId, Outcome,
    message::{
        Absent,
        orchestration::{Plan, StageEvent, StageNote},
    },
};

/// Hosts of a stage whose first errors are kept for the screen.
const FAILURES: usize = 100;

#[derive(Debug, Clone, Default, PartialEq)]
pub enum Status {
    #[default]
    Waits,
    Runs,
    Ended(Ended),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// `None`: a dry run that would change something.
    pub result: Option<bool>,
    /// Whether it was started at all.
    pub ran: bool,
    pub changed: bool,
    pub comment: String,
    /// Microseconds.
    pub duration: u64,
}

/// How far a stage is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stage {
    pub status: Status,
    /// When it was first heard of, on the master's clock.
    pub began: u64,
    pub jobs: Vec<JobId>,
    /// Minions of its newest job.
    pub expected: u32,
    pub absent: Vec<Absent>,
    pub ends: Vec<(Outcome, u32)>,
    pub failures: Vec<(MinionId, String)>,
    /// Hosts that failed beyond those.
    pub more_failures: usize,
    /// What it said last.
    pub says: Option<String>,
}

impl Stage {
    pub fn count(&self, outcome: Outcome) -> u32 {
        self.ends.iter().filter(|(o, _)| *o == outcome).map(|(_, count)| *count).sum()
    }

    /// Minions that gave an answer of any kind.
    pub fn answered(&self) -> u32 {
        [Outcome::Ok, Outcome::Failed, Outcome::Refused, Outcome::Lost].into_iter().map(|o| self.count(o)).sum()
    }

    /// Minions whose answers were not good ones.
    pub fn bad(&self) -> u32 {
        self.answered() - self.count(Outcome::Ok)
    }

    fn take(&mut self, at: u64, what: StageEvent) {
        if self.began == 0 {
            self.began = at;
        }
        match what {
            StageEvent::Job { jid, expected, absent, .. } => {
                // A new attempt: what the one before came to is no longer the news.
                *self = Self { jobs: std::mem::take(&mut self.jobs), began: self.began, ..Self::default() };
                self.status = Status::Runs;
                self.jobs.push(jid);
                (self.expected, self.absent) = (expected, absent);
            }
            StageEvent::Counts { ends, .. } => self.ends = ends,
            StageEvent::Failed { minion, why } if self.failures.len() < FAILURES => self.failures.push((minion, why)),
            StageEvent::Failed { .. } => self.more_failures += 1,
            StageEvent::Says(text) => {
                self.status = Status::Runs;
                self.says = Some(text);
            }
            StageEvent::Ended { result, ran, changed, comment, duration } => {
                self.status = Status::Ended(Ended { result, ran, changed, comment, duration });
            }
        }
    }
}

/// An orchestration under way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run {
    pub plan: Plan,
    pub stages: Vec<Stage>,
    /// The latest that was heard, on the master's clock.
    pub latest: u64,
}

impl Run {
    pub fn new(plan: Plan, at: u64) -> Self {
        Self { stages: vec![Stage::default(); plan.stages.len()], plan, latest: at }
    }

    /// Takes in what the master tells; gives the stage's place in the plan when it has ended by it. A
    /// stage that the plan does not have is passed over.
    pub fn take(&mut self, note: StageNote) -> Option<usize> {
        self.latest = self.latest.max(note.at);
        let index = note.stage as usize;
        let stage = self.stages.get_mut(index)?;
        stage.take(note.at, note.what);
        matches!(stage.status, Status::Ended(_)).then_some(index)
    }

    /// Ids of the stages that this one still waits for.
    pub fn awaited(&self, index: usize) -> Vec<&str> {
        let needs = self.plan.stages[index].needs.iter().map(|need| need.stage as usize);
        needs
            .filter(|need| self.stages.get(*need).is_some_and(|stage| !matches!(stage.status, Status::Ended(_))))
            .filter(|need| !self.is_left_out(*need))
            .filter_map(|need| Some(self.plan.stages.get(need)?.id.as_str()))
            .collect()
    }

    fn ended(&self) -> impl Iterator<Item = &Ended> {
        self.stages.iter().filter_map(|stage| match &stage.status {
            Status::Ended(ended) => Some(ended),
            _ => None,
        })
    }

    pub fn done(&self) -> usize {
        self.ended().count() + self.left_out()
    }

    /// Whether a stage is none of this run's: done in an earlier one, or not asked for.
    pub fn is_left_out(&self, index: usize) -> bool {
        self.plan.stages[index].skipped.is_some() && self.stages[index].status == Status::Waits
    }

    fn left_out(&self) -> usize {
        (0..self.stages.len()).filter(|index| self.is_left_out(*index)).count()
    }

    /// `4 stages: 2 ok, 1 failed, 1 not run`; always adds up.
    pub fn account(&self) -> String {
        let count = |what: fn(&Ended) -> bool| self.ended().filter(|ended| what(ended)).count();
        let ok = count(|e| e.ran && e.result != Some(false));
        let failed = count(|e| e.ran && e.result == Some(false));
        let skipped = count(|e| !e.ran);
        let open = self.stages.len() - self.done();
        let mut parts = vec![format!("{ok} ok")];
        for (number, what) in
            [(failed, "failed"), (skipped, "not run"), (self.left_out(), "left out"), (open, "not ended")]
        {
            if number > 0 {
                parts.push(format!("{number} {what}"));
            }
        }
        format!("{}: {}", crate::output::highstate::plural(self.stages.len(), "stage"), parts.join(", "))
    }
}

#[cfg(test)]
pub mod recorded {
    //! A run as the master tells of it.

    use proto::message::orchestration::{Need, PlanStage};

    use super::*;

    pub const BEGAN: u64 = 1_795_260_474_000_000;

    pub fn id(text: &str) -> MinionId {
        text.parse().unwrap()
    }

    fn stage(id_: &str, what: &str, minions: &[&str], needs: &[(&str, u32)]) -> PlanStage {
        PlanStage {
            id: id_.into(),
            tag: format!("salt_|-{id_}_|-{id_}_|-state"),
            function: "salt.state".into(),
            what: what.into(),
            target: Some(format!("{}*", id_)),
            needs: needs.iter().map(|&(kind, stage)| Need { kind: kind.into(), stage }).collect(),
            matched: minions.len() as u32,
            minions: minions.iter().map(|minion| id(minion)).collect(),
            place: format!("overstate.sls:{}:1", id_.len()),
            ..PlanStage::default()
        }
    }

    pub fn plan() -> Plan {
        let mut stages = vec![
            stage("database", "sls postgres.server, postgres.users", &["db1", "db2"], &[]),
            stage("cache", "sls redis", &["cache1"], &[]),
            stage(
                "app",
                "highstate",
                &["app1", "app2", "app3", "app4", "app5", "app6"],
                &[("require", 0), ("require", 1)],
            ),
            stage("proxy", "pkg.install haproxy", &["lb1", "lb2"], &[("require", 2)]),
            stage("roll back", "sls undo", &["app1"], &[("onfail", 2)]),
            stage("monitoring", "highstate", &[], &[("require", 0)]),
        ];
        stages[2].rules = vec!["25% at once".into(), "expect any".into()];
        stages[2].offline = 1;
        stages[2].absent = vec![Absent { minion: id("app6"), since: Some(BEGAN - 60_000_000) }];
        stages[5].fault = Some("no minion matches 'mon*'".into());
        Plan { name: "overstate.sls".into(), saltenv: "base".into(), stages, ..Plan::default() }
    }

    fn note(stage: u32, milliseconds: u64, what: StageEvent) -> StageNote {
        StageNote { stage, at: BEGAN + milliseconds * 1000, what }
    }

    fn job(stage: u32, milliseconds: u64, expected: u32) -> StageNote {
        let jid = JobId::from_micros(BEGAN + u64::from(stage));
        note(stage, milliseconds, StageEvent::Job { jid, function: "state.apply".into(), expected, absent: Vec::new() })
    }

    fn ended(stage: u32, milliseconds: u64, result: Option<bool>, ran: bool, comment: &str) -> StageNote {
        let duration = milliseconds * 900;
        let changed = result == Some(true) && ran;
        note(stage, milliseconds, StageEvent::Ended { result, ran, changed, comment: comment.into(), duration })
    }

    /// What comes while the application servers are at work.
    pub fn first_half() -> Vec<StageNote> {
        let counts = |ends: &[(Outcome, u32)], open| StageEvent::Counts { ends: ends.into(), open };
        vec![
            job(0, 10, 2),
            job(1, 12, 1),
            note(1, 800, counts(&[(Outcome::Ok, 1)], 0)),
            ended(1, 810, Some(true), true, "States ran successfully."),
            note(0, 4100, counts(&[(Outcome::Ok, 2)], 0)),
            ended(0, 4120, Some(true), true, "States ran successfully. Updating db1, db2."),
            ended(5, 4130, Some(false), false, "no minion matches 'mon*'"),
            job(2, 4130, 6),
            note(2, 5200, counts(&[(Outcome::Ok, 3), (Outcome::Failed, 1)], 2)),
            note(
                2,
                5210,
                StageEvent::Failed {
                    minion: id("app2"),
                    why: "pkg.installed nginx (web/init.sls:3:3): E: Unable to locate package nginx".into(),
                },
            ),
            note(2, 6000, StageEvent::Says("app6 is not connected; waiting for it until its time is up".into())),
        ]
    }

    pub fn second_half() -> Vec<StageNote> {
        vec![
            note(
                2,
                9000,
                StageEvent::Counts {
                    ends: vec![(Outcome::Ok, 4), (Outcome::Failed, 1), (Outcome::Offline, 1)],
                    open: 0,
                },
            ),
            ended(2, 9010, Some(false), true, "Run failed on minions: app2, app6"),
            ended(3, 9020, Some(false), false, "Requisite app failed for stage on minion app2"),
            job(4, 9030, 1),
            note(4, 9400, StageEvent::Counts { ends: vec![(Outcome::Ok, 1)], open: 0 }),
            ended(4, 9410, Some(true), true, "States ran successfully."),
        ]
    }

    pub fn run(notes: impl IntoIterator<Item = StageNote>) -> Run {
        let mut run = Run::new(plan(), BEGAN);
        for note in notes {
            run.take(note);
        }
        run
    }
}

#[cfg(test)]
mod tests {
    use super::{recorded::*, *};

    #[test]
    fn what_is_told_adds_up() {
        let half = run(first_half());
        assert_eq!(half.account(), "6 stages: 2 ok, 1 not run, 3 not ended");
        assert_eq!((half.stages[2].answered(), half.stages[2].bad()), (4, 1));
        assert_eq!(half.awaited(3), ["app"]);
        let whole = run(first_half().into_iter().chain(second_half()));
        assert_eq!(whole.account(), "6 stages: 3 ok, 1 failed, 2 not run");
        assert_eq!(whole.done(), 6);
    }

    #[test]
    fn a_new_attempt_starts_afresh_and_strange_stages_are_passed_over() {
        let mut run = run(first_half());
        let jid = JobId::from_micros(99);
        let event = StageEvent::Job { jid, function: "state.apply".into(), expected: 6, absent: Vec::new() };
        run.take(StageNote { stage: 2, at: BEGAN + 7_000_000, what: event.clone() });
        assert_eq!((run.stages[2].jobs.len(), run.stages[2].answered(), run.stages[2].failures.len()), (2, 0, 0));
        assert_eq!(run.take(StageNote { stage: 77, at: 1, what: event }), None);
    }
}
