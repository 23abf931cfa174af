//! The line that shows how far a run has come: `▸ 118/129 answered · 3 failed · 2.1 s`. Only on
//! a terminal, and only once a run takes long enough to wonder.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use proto::MinionId;
use serde::Deserialize;

use crate::{account::Account, term};

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
}

impl Step {
    /// What a minion tells; nothing of what cannot be read.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// What it did, if it did anything.
    pub fn line(&self) -> Option<String> {
        let (style, word) = match self.result {
            Some(false) => (term::BAD, "failed"),
            None => (term::VALUE, "would change"),
            Some(true) if self.changed => (term::CHANGED, "changed"),
            Some(true) => return None,
        };
        Some(format!("{} {}", term::paint(style, word), term::clean(&self.name())))
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
    /// How far each minion is that runs states now.
    steps: BTreeMap<MinionId, Step>,
    start: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub fn new(wanted: bool) -> Self {
        Self { on: wanted && term::interactive(), steps: BTreeMap::new(), start: Instant::now(), drawn: None }
    }

    /// A state ended on a minion.
    pub fn step(&mut self, minion: MinionId, step: Step) {
        self.steps.insert(minion, step);
    }

    /// A minion has answered.
    pub fn ended(&mut self, minion: &MinionId) {
        self.steps.remove(minion);
    }

    /// How often it wants to be drawn.
    pub fn interval(&self) -> Duration {
        if self.on { REDRAW } else { Duration::from_secs(1) }
    }

    pub fn draw(&mut self, account: &Account) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if !self.on || !due || self.start.elapsed() < QUIET_START {
            return;
        }
        self.drawn = Some(Instant::now());
        term::control(&format!("\r\x1b[K{}", self.line(account, self.start.elapsed())));
    }

    /// How far the one run on this host is: `▸ 45/100 file.managed motd · 2.1 s`.
    pub fn draw_step(&mut self, step: &Step) {
        let due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW);
        if !self.on || !due || self.start.elapsed() < QUIET_START {
            return;
        }
        self.drawn = Some(Instant::now());
        let name = term::clean(&step.name());
        let text = format!("▸ {} {name} · {:.1} s", step.far(), self.start.elapsed().as_secs_f64());
        let width = term::error_width().unwrap_or(80).saturating_sub(1);
        let text: String = text.chars().take(width.into()).collect();
        term::control(&format!("\r\x1b[K{text}"));
    }

    fn line(&self, account: &Account, elapsed: Duration) -> String {
        let width = term::error_width().unwrap_or(80).saturating_sub(1);
        let text = line(account, elapsed) + &states(&self.steps);
        text.chars().take(width.into()).collect()
    }

    /// Takes the line away, before anything else is printed.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            term::control("\r\x1b[K");
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

/// What is behind the most, as far as it is: ` · web7 at 3/100 pkg.installed nginx`.
fn states(steps: &BTreeMap<MinionId, Step>) -> String {
    let last = steps.iter().min_by_key(|(_, step)| step.number);
    last.map_or(String::new(), |(minion, step)| format!(" · {minion} at {} {}", step.far(), term::clean(&step.name())))
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
        assert_eq!(states(&progress.steps), " · web7 at 3/100 pkg.installed nginx");
        progress.ended(&"web7".parse().unwrap());
        assert!(states(&progress.steps).contains("web1 at 45/100"));
        assert!(step(1).line().unwrap().contains("changed"));
        assert!(Step::parse("no object").is_none());
    }
}
