//! The line that shows how far a run has come: `▸ 118/129 answered · 3 failed · 2.1 s`. Only on
//! a terminal, and only once a run takes long enough to wonder.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::MinionId;
use serde::Deserialize;

use crate::{
    account::Account,
    term::{self, Region},
};

const QUIET_START: Duration = Duration::from_millis(400);
const REDRAW: Duration = Duration::from_millis(100);

/// A state that ended on a minion, as it is told while a run goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Step {
    id: String,
    /// `file.managed`
    function: String,
    /// `None`: a dry run that would change something.
    result: Option<bool>,
    changed: bool,
    /// The how manieth of how many.
    number: u64,
    of: u64,
    /// It has not ended: what it waits for.
    waiting: Option<String>,
}

impl Step {
    /// What a minion tells; nothing of what cannot be read.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What it did, if it did anything.
    pub fn line(&self) -> Option<String> {
        if let Some(why) = &self.waiting {
            return Some(format!(
                "{} {}: {}",
                term::paint(term::CHANGED, "waiting"),
                term::clean(&self.name()),
                term::clean(why)
            ));
        }
        let (style, word) = match self.result {
            Some(false) => (term::BAD, "failed"),
            None => (term::VALUE, "would change"),
            Some(true) if self.changed => (term::CHANGED, "changed"),
            Some(true) => return None,
        };
        Some(format!("{} {}", term::paint(style, word), term::clean(&self.name())))
    }

    /// Whether it is about a state that waits, which is told to everybody who follows a run.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    fn name(&self) -> String {
        format!("{} {}", self.function, self.id).lines().next().unwrap_or_default().to_owned()
    }

    /// `45/100`
    fn far(&self) -> String {
        if self.of > 0 { format!("{}/{}", self.number, self.of) } else { self.number.to_string() }
    }
}

pub struct Progress {
    on: bool,
    /// Where there is no terminal and answers come all at once at the end, a line now and then.
    log: bool,
    /// How far each minion is that runs states now, and since when.
    steps: BTreeMap<MinionId, (Step, Instant)>,
    /// Minions without a connection, and when we stop waiting for each.
    lost: BTreeMap<MinionId, tokio::time::Instant>,
    /// States that failed, the latest last.
    failures: Vec<String>,
    start: Instant,
    drawn: Option<Instant>,
    region: Region,
}

/// Minions and failures that are shown at work, each.
const AT_WORK: usize = 6;
const FAILURES: usize = 3;
/// How often a line is written where there is no terminal.
const LOG: Duration = Duration::from_secs(15);

impl Progress {
    pub fn new(wanted: bool) -> Self {
        Self {
            on: wanted && term::interactive(),
            log: false,
            steps: BTreeMap::new(),
            lost: BTreeMap::new(),
            failures: Vec::new(),
            start: Instant::now(),
            drawn: None,
            region: Region::default(),
        }
    }

    /// Whether there is a terminal to draw on.
    pub fn draws(&self) -> bool {
        self.on
    }

    /// Has a line written now and then where there is no terminal.
    pub fn logging(self, wanted: bool) -> Self {
        Self { log: wanted && !self.on, drawn: Some(self.start), ..self }
    }

    /// A state ended on a minion.
    pub fn step(&mut self, minion: MinionId, step: Step) {
        if step.result == Some(false) {
            self.failures.push(format!("{minion} failed {}", step.name()));
            self.failures.drain(..self.failures.len().saturating_sub(FAILURES));
        }
        // A state that waits is no further than the one before it.
        let far = self.steps.get(&minion).filter(|_| step.waits()).map(|(last, _)| (last.number, last.of));
        let step = far.map_or_else(|| step.clone(), |(number, of)| Step { number, of, ..step.clone() });
        self.steps.insert(minion, (step, Instant::now()));
    }

    /// A minion lost its connection, and has until then to come back.
    pub fn lost(&mut self, minion: MinionId, until: tokio::time::Instant) {
        self.lost.insert(minion, until);
    }

    /// It is there again, or need not be.
    pub fn found(&mut self, minion: &MinionId) {
        self.lost.remove(minion);
    }

    /// A minion has answered.
    pub fn ended(&mut self, minion: &MinionId) {
        self.steps.remove(minion);
    }

    /// How often it wants to be drawn.
    pub fn interval(&self) -> Duration {
        if self.on { REDRAW } else { Duration::from_secs(1) }
    }

    fn due(&self) -> bool {
        let every = if self.log { LOG } else { REDRAW };
        let rested = self.drawn.is_none_or(|drawn| drawn.elapsed() >= every);
        (self.on || self.log) && rested && self.start.elapsed() >= QUIET_START
    }

    pub fn draw(&mut self, account: &Account) {
        if !self.due() {
            return;
        }
        self.drawn = Some(Instant::now());
        match self.log {
            true => term::complain(&format!("{}\n", line(account, self.start.elapsed()))),
            false => self.region.draw(&self.lines(account)),
        }
    }

    /// How far the one run on this host is: `▸ 45/100 file.managed motd · 2.1 s`.
    pub fn draw_step(&mut self, step: &Step) {
        if !self.due() {
            return;
        }
        self.drawn = Some(Instant::now());
        let waiting = step.waiting.as_ref().map_or(String::new(), |why| format!(" waits: {why}"));
        let name = term::clean(&format!("{}{waiting}", step.name()));
        self.region.draw(&[format!("▸ {} {name} · {:.1} s", step.far(), self.start.elapsed().as_secs_f64())]);
    }

    fn lines(&self, account: &Account) -> Vec<String> {
        let mut lines = vec![line(account, self.start.elapsed())];
        lines.extend(self.failures.iter().map(|failure| format!("  {}", term::paint(term::BAD, term::clean(failure)))));
        lines.extend(without_connection(&self.lost));
        lines.extend(at_work(self.steps.iter().filter(|(minion, _)| !self.lost.contains_key(*minion))));
        lines
    }

    /// Takes the lines away, before anything else is printed.
    pub fn clear(&mut self) {
        if !self.log {
            self.drawn = None;
            self.region.clear();
        }
    }
}

fn line(account: &Account, elapsed: Duration) -> String {
    let mut parts = vec![format!("▸ {}/{} answered", account.answered(), account.targeted())];
    if account.bad() > 0 {
        parts.push(format!("{} failed", account.bad()));
    }
    parts.push(format!("{:.1} s", elapsed.as_secs_f64()));
    parts.join(" · ")
}

/// The minions that are waited for to come back: `  web7  lost its connection; 12 s more to come back`.
fn without_connection(lost: &BTreeMap<MinionId, tokio::time::Instant>) -> Vec<String> {
    let now = tokio::time::Instant::now();
    let line = |(minion, until): (&MinionId, &tokio::time::Instant)| {
        let left = until.saturating_duration_since(now).as_secs();
        term::paint(term::BAD, format_args!("  {minion}  lost its connection; {left} s more to come back"))
    };
    let more = lost.len().saturating_sub(AT_WORK);
    let more = (more > 0).then(|| format!("  … and {more} more without a connection"));
    lost.iter().take(AT_WORK).map(line).chain(more).collect()
}

/// The minions that are behind the most: `  web7   3/100 after file.managed conf · 12 s`.
fn at_work<'a>(steps: impl Iterator<Item = (&'a MinionId, &'a (Step, Instant))>) -> Vec<String> {
    let mut last: Vec<_> = steps.collect();
    last.sort_by_key(|(_, (step, _))| step.number);
    let more = last.len().saturating_sub(AT_WORK);
    last.truncate(AT_WORK);
    let width = last.iter().map(|(minion, _)| minion.as_str().len()).max().unwrap_or(0).min(30);
    let mut lines: Vec<String> = last
        .iter()
        .map(|(minion, (step, since))| {
            let waited = match since.elapsed().as_secs() {
                0 | 1 => String::new(),
                seconds => format!(" · {seconds} s ago"),
            };
            format!("  {minion:width$}  {:>7} {}{waited}", step.far(), term::clean(&step.name()))
        })
        .collect();
    if more > 0 {
        lines.push(format!("  … and {more} more at work"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use proto::Outcome;

    use super::*;

    #[test]
    fn the_line_says_how_far_it_is() {
        let ids = ["a", "b", "c"].map(|id| id.parse().unwrap());
        let mut account = Account::new(&ids, &[]);
        account.end(&ids[0], Outcome::Ok);
        account.end(&ids[1], Outcome::Failed);
        assert_eq!(line(&account, Duration::from_millis(2100)), "▸ 2/3 answered · 1 failed · 2.1 s");
    }

    #[test]
    fn the_minion_that_is_behind_is_named() {
        let step = |number| {
            let text = format!(
                r#"{{"id": "nginx", "function": "pkg.installed", "result": true, "changed": true,
                "number": {number}, "of": 100, "duration": 1.5}}"#
            );
            Step::parse(&text).unwrap()
        };
        let mut progress = Progress::new(false);
        progress.step("web1".parse().unwrap(), step(45));
        progress.step("web7".parse().unwrap(), step(3));
        let expected = ["  web7    3/100 pkg.installed nginx", "  web1   45/100 pkg.installed nginx"];
        assert_eq!(at_work(progress.steps.iter()), expected);
        progress.ended(&"web7".parse().unwrap());
        assert_eq!(at_work(progress.steps.iter()).len(), 1);
        (0..20).for_each(|n| progress.step(format!("m{n}").parse().unwrap(), step(n)));
        assert_eq!(at_work(progress.steps.iter()).last().unwrap(), "  … and 15 more at work");
        assert!(step(1).line().unwrap().contains("changed"));
        assert!(Step::parse("no object").is_none());
    }

    #[test]
    fn a_minion_without_a_connection_is_told_of_and_not_at_work() {
        let mut progress = Progress::new(false);
        let step = r#"{"id": "nginx", "function": "pkg.installed", "result": true, "number": 3}"#;
        ["web1", "web2"].into_iter().for_each(|id| progress.step(id.parse().unwrap(), Step::parse(step).unwrap()));
        progress.lost("web1".parse().unwrap(), tokio::time::Instant::now() + Duration::from_secs(3600));
        let lines = progress.lines(&Account::default()).join("\n");
        assert!(lines.contains("web1  lost its connection; 3") && lines.matches("web1").count() == 1, "{lines}");
        assert!(lines.contains("web2        3 pkg.installed nginx"), "{lines}");
        progress.found(&"web1".parse().unwrap());
        assert!(!progress.lines(&Account::default()).join("\n").contains("connection"));
    }

    #[test]
    fn the_latest_failures_stay_in_sight() {
        let mut progress = Progress::new(false);
        for n in 0..5 {
            let text = format!(r#"{{"id": "nginx", "function": "pkg.installed", "result": false, "number": {n}}}"#);
            progress.step(format!("web{n}").parse().unwrap(), Step::parse(&text).unwrap());
        }
        let lines = progress.lines(&Account::default()).join("\n");
        assert!(lines.contains("web4 failed pkg.installed nginx") && !lines.contains("web1 failed"), "{lines}");
    }
}
