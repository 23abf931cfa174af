//! `salt.state`.

use proto::{Map, MinionId, Outcome, Return, Value};
use states::plan::{Call, Done, Plan, StateError};

use super::{fleet, now_or_then, retried, step};
use crate::{
    Fleet,
    fleet::Refused,
    gather::{Gathered, first_error, gather},
    room::fit,
    wish::{self, Rules},
};

pub fn plan(of: &Call<'_>) -> Result<Plan, StateError> {
    let (fleet, step, low, test) = (fleet(of)?, step(of), of.low.clone(), of.test);
    let rules = wish::rules(&low)?;
    let (call, options) = wish::call(&low, test)?;
    let own_test = !test && low.get("test").is_some_and(states::functions::truth);
    now_or_then(of, move || {
        retried(&low, &*fleet, &step, || {
            let child = match fleet.publish(&step, &call, &options) {
                Ok(child) => child,
                Err(Refused::NoMatch(why)) if !rules.may_be_nobody() => {
                    return Ok(Done::failed(format!("No minions returned: {why}"), Map::new()));
                }
                Err(Refused::NoMatch(_)) => return Ok(Done::new("States ran successfully.", Map::new())),
                Err(other) => return Err(other.into()),
            };
            let gathered = gather(&*fleet, &step, &child, &rules)?;
            let mut done = verdict(&gathered, &rules);
            done.more.insert("__jid__".into(), child.jid.to_string().into());
            // A stage that is a dry run by itself has done nothing of what it tells.
            if own_test && done.result && !done.changes.is_empty() {
                done.more.insert("undecided".into(), true.into());
            }
            Ok(done)
        })
    })
}

/// What the rules say of the answers.
pub fn verdict(gathered: &Gathered, rules: &Rules) -> Done {
    let mut tally = Tally::default();
    for (minion, end) in &gathered.answers {
        tally.answer(minion, &end.ret, rules);
    }
    let total = gathered.targeted.len();
    for (minion, why) in &gathered.silent {
        tally.details.push(format!("{minion}: {why}"));
        if rules.expect_minions == Some(false) {
            continue;
        }
        tally.changes.insert(minion.to_string(), Value::Bool(false));
        if rules.expect.is_none() && !rules.forgives(minion) {
            tally.failed.push(minion.to_string());
        }
    }
    let answered = gathered.answers.len();
    let needed = rules.expect.map_or(0, |expect| expect.of(total));
    let silent: Vec<String> = gathered.silent.keys().map(ToString::to_string).collect();
    let too_few = answered < needed;
    let too_many = tally.failed.len() > rules.allow_fail.of(total);
    let mut comment = match (too_many, too_few) {
        (true, _) => format!("Run failed on minions: {}", tally.failed.join(", ")),
        (false, true) => format!("{answered} of {total} minions answered, {needed} had to."),
        (false, false) => tally.success(),
    };
    if !too_many && !silent.is_empty() {
        comment.push_str(&format!(" No answer from {}.", silent.join(", ")));
    }
    if too_many || too_few {
        tally.details.iter().for_each(|detail| comment.push_str(&format!("\n{detail}")));
    }
    let changes = match tally.changes.is_empty() {
        true => Map::new(),
        false => {
            fit(&mut tally.changes);
            Map::from_iter([("out".to_owned(), "highstate".into()), ("ret".to_owned(), Value::Object(tally.changes))])
        }
    };
    let mut done = Done { result: !too_many && !too_few, comment, changes, more: Map::new() };
    if !rules.warnings.is_empty() {
        done.more.insert("warnings".into(), rules.warnings.iter().cloned().map(Value::from).collect());
    }
    done
}

impl Rules {
    /// Whether this minion may fail without that counting.
    pub fn forgives(&self, minion: &MinionId) -> bool {
        self.fail_minions.iter().any(|name| name == minion.as_str())
    }
}

#[derive(Default)]
struct Tally {
    failed: Vec<String>,
    /// One line for each minion without good rows.
    details: Vec<String>,
    unchanged: Vec<String>,
    changes: Map,
}

impl Tally {
    fn answer(&mut self, minion: &MinionId, ret: &Return, rules: &Rules) {
        if ret.outcome != Outcome::Ok || !good(&ret.value) {
            self.details.push(format!("{minion}: {}", first_error(&ret.value)));
            if !rules.forgives(minion) {
                self.failed.push(minion.to_string());
            }
            self.changes.insert(minion.to_string(), ret.value.clone());
            return;
        }
        // In a dry run, a state that would do something may not know what it would change.
        let would = |row: &Value| row.get("result").is_some_and(Value::is_null);
        let changed = |row: &Value| would(row) || row.get("changes").is_some_and(states::functions::truth);
        match ret.value.as_object().is_some_and(|rows| rows.values().any(changed)) {
            true => {
                self.changes.insert(minion.to_string(), ret.value.clone());
            }
            false => self.unchanged.push(minion.to_string()),
        }
    }

    fn success(&self) -> String {
        let mut comment = "States ran successfully.".to_owned();
        let changed: Vec<&str> = self.changes.keys().map(String::as_str).collect();
        if !changed.is_empty() {
            comment.push_str(&format!(" Updating {}.", changed.join(", ")));
        }
        if !self.unchanged.is_empty() {
            comment.push_str(&format!(" No changes made to {}.", self.unchanged.join(", ")));
        }
        comment
    }
}

/// Whether a return is rows of states none of which failed.
fn good(value: &Value) -> bool {
    let fails = |row: &Value| row.get("result") == Some(&Value::Bool(false));
    value.as_object().is_some_and(|rows| !rows.is_empty() && !rows.values().any(fails))
}

/// For functions that publish alike.
pub(super) fn publish_and_gather(
    fleet: &dyn Fleet,
    step: &str,
    call: &proto::message::orchestration::Call,
    options: &proto::RunOptions,
    rules: &Rules,
) -> Result<(proto::JobId, Gathered), Refused> {
    let child = fleet.publish(step, call, options)?;
    Ok((child.jid, gather(fleet, step, &child, rules)?))
}
