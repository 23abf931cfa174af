//! What became of a step's job: answers as they come, and when to wait no longer.
//!
//! A host that is connected is waited for as long as its job takes, or until the step's time-out. One
//! that is not has [`GRACE`] to come (back), unless nothing depends on it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use proto::{MinionId, Outcome, Value, job::PairEnd, message::Absent};

use crate::{
    fleet::{Child, Fleet, Note, Refused},
    wish::Rules,
};

/// How long a host that is not connected is waited for.
pub const GRACE: Duration = Duration::from_secs(30);
/// How often counts are told, at most.
const TELL: Duration = Duration::from_millis(250);

/// The answers to a job.
#[derive(Debug, Default)]
pub struct Gathered {
    /// Everyone it was for.
    pub targeted: Vec<MinionId>,
    /// Those that answered, well or not.
    pub answers: BTreeMap<MinionId, Arc<PairEnd>>,
    /// Those that did not, each with why.
    pub silent: BTreeMap<MinionId, String>,
}

/// Waits for a job.
///
/// # Errors
/// The orchestration was killed meanwhile.
pub fn gather(fleet: &dyn Fleet, step: &str, child: &Child, rules: &Rules) -> Result<Gathered, Refused> {
    let begun = Instant::now();
    let absent = child.absent.iter().map(|absent| (absent.minion.clone(), (begun, absent.since))).collect();
    let mut waiting = Waiting {
        fleet,
        step,
        rules,
        open: child.expected.iter().cloned().collect(),
        absent,
        begun,
        told: None,
        counts: Vec::new(),
        last: None,
        failures: 0,
        found: Gathered { targeted: child.expected.clone(), ..Gathered::default() },
    };
    let mut follow = fleet.follow(child)?;
    while !waiting.open.is_empty() {
        let now = Instant::now();
        let Some(patience) = waiting.patience(now) else { break };
        match follow.next(patience)? {
            Note::Ended(end) => {
                let stop = waiting.ended(end);
                if stop {
                    fleet.stop(child.jid);
                }
            }
            Note::Absent(Absent { minion, since }) => {
                waiting.absent.insert(minion, (Instant::now(), since));
            }
            Note::Present(minion) => {
                waiting.absent.remove(&minion);
            }
            Note::Done => break,
            Note::Quiet => {}
        }
        waiting.tell();
    }
    Ok(waiting.finish())
}

struct Waiting<'a> {
    fleet: &'a dyn Fleet,
    step: &'a str,
    rules: &'a Rules,
    open: std::collections::BTreeSet<MinionId>,
    /// Since when it has been waited for, and since when it was gone.
    absent: HashMap<MinionId, (Instant, Option<u64>)>,
    begun: Instant,
    told: Option<Instant>,
    counts: Vec<(Outcome, u32)>,
    /// How many were open when counts were told last.
    last: Option<usize>,
    failures: usize,
    found: Gathered,
}

impl Waiting<'_> {
    /// How long to wait for the next note; `None` when it is enough.
    fn patience(&self, now: Instant) -> Option<Duration> {
        let mut longest = TELL;
        if let Some(timeout) = self.rules.timeout {
            let left = (self.begun + timeout).checked_duration_since(now).filter(|left| !left.is_zero())?;
            longest = longest.min(left);
        }
        let here = self.open.iter().any(|minion| match self.absent.get(minion) {
            None => true,
            Some((since, _)) => now.duration_since(*since) < GRACE,
        });
        (here && !self.enough()).then_some(longest)
    }

    /// Whether those who are still out are all absent, and not needed.
    fn enough(&self) -> bool {
        if self.open.iter().any(|minion| !self.absent.contains_key(minion)) {
            return false;
        }
        match self.rules.expect {
            Some(expect) => self.found.answers.len() >= expect.of(self.found.targeted.len()),
            None => self.rules.expect_minions == Some(false),
        }
    }

    /// Gives whether the rest of a batch is not to start.
    fn ended(&mut self, end: Arc<PairEnd>) -> bool {
        let minion = end.minion.clone();
        if !self.open.remove(&minion) {
            return false;
        }
        let outcome = end.ret.outcome;
        match self.counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((outcome, 1)),
        }
        match outcome {
            Outcome::Ok | Outcome::Failed => {
                if outcome == Outcome::Failed || is_bad(&end.ret.value) {
                    self.failed(&minion, &first_error(&end.ret.value));
                    self.failures += usize::from(!self.rules.fail_minions.iter().any(|name| name == minion.as_str()));
                }
                self.found.answers.insert(minion, end);
            }
            _ => {
                let why = match &end.ret.value {
                    Value::String(why) => format!("{outcome}: {why}"),
                    _ => outcome.to_string(),
                };
                self.failed(&minion, &why);
                self.found.silent.insert(minion, why);
            }
        }
        self.rules.stop_early && self.failures > self.rules.allow_fail.of(self.found.targeted.len())
    }

    /// Tells how the job stands, if that has changed and was not told just now.
    fn tell(&mut self) {
        let now = Instant::now();
        let soon = self.told.is_some_and(|told| now.duration_since(told) < TELL);
        if self.last != Some(self.open.len()) && (!soon || self.open.is_empty()) {
            (self.told, self.last) = (Some(now), Some(self.open.len()));
            self.fleet.counts(self.step, &self.counts, self.open.len() as u32);
        }
    }

    fn failed(&self, minion: &MinionId, why: &str) {
        if !self.rules.quiet {
            self.fleet.failed(self.step, minion, why);
        }
    }

    fn finish(mut self) -> Gathered {
        self.told = None;
        self.tell();
        let waited = self.begun.elapsed().as_secs();
        for minion in std::mem::take(&mut self.open) {
            let why = match self.absent.get(&minion) {
                Some((_, Some(since))) => format!("not connected since {}", clock(*since)),
                Some((_, None)) => "never connected".to_owned(),
                None => format!("no answer within {waited} s, it may still be at work"),
            };
            self.failed(&minion, &why);
            self.found.silent.insert(minion, why);
        }
        self.found
    }
}

/// `10:41:07 UTC`, the time of day of microseconds since 1970.
fn clock(micros: u64) -> String {
    let seconds = micros / 1_000_000 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Whether a return says of itself that something failed: false, or rows of states of which one is.
fn is_bad(value: &Value) -> bool {
    let fails = |row: &Value| row.get("result") == Some(&Value::Bool(false));
    *value == Value::Bool(false) || value.as_object().is_some_and(|rows| rows.values().any(fails))
}

/// The first thing that went wrong in a return, in one line or a few: of a state run, the first
/// state that failed, with its place.
pub fn first_error(value: &Value) -> String {
    let rows = value.as_object().into_iter().flatten().filter_map(|(_, row)| row.as_object());
    let failed = rows.filter(|row| row.get("result") == Some(&Value::Bool(false)));
    let number = |row: &&proto::Map| row.get("__run_num__").and_then(Value::as_u64).unwrap_or(u64::MAX);
    if let Some(row) = failed.min_by_key(number) {
        let text = |key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default();
        let place = match text("__place__") {
            "" => String::new(),
            place => format!(" ({place})"),
        };
        return short(&format!("{}: {}{place}", text("__id__"), text("comment")));
    }
    short(&match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().map(states::value::python_str).collect::<Vec<_>>().join("; "),
        Value::Object(map) => match map.get("stderr").and_then(Value::as_str).filter(|text| !text.is_empty()) {
            Some(stderr) => stderr.to_owned(),
            None => value.to_string(),
        },
        other => states::value::python_str(other),
    })
}

/// A text that fits into a line or a few.
fn short(text: &str) -> String {
    const LONGEST: usize = 400;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_error_is_the_first_state_that_failed() {
        let rows = json!({
            "b": {"result": false, "__run_num__": 2, "__id__": "later", "comment": "y"},
            "a": {"result": false, "__run_num__": 1, "__id__": "conf", "comment": "no such file", "__place__": "db.sls:3:1"},
            "c": {"result": true, "__run_num__": 0, "__id__": "ok", "comment": ""},
        });
        assert_eq!(first_error(&rows), "conf: no such file (db.sls:3:1)");
        assert_eq!(first_error(&json!(["a", "b"])), "a; b");
        assert_eq!(first_error(&json!("x".repeat(500))).chars().count(), 401);
        assert_eq!(first_error(&json!({"retcode": 1, "stderr": "boom"})), "boom");
    }
}
