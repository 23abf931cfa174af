//! One state, called until it holds or `retry` gives up.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Instant,
};

use proto::{Map, Value};

use super::{
    Row, Runner,
    arguments::{self, Verdict},
    checks, clock,
    retry::Retry,
    slots,
};
use crate::{
    Context,
    compile::{Chunk, Kind, Step},
    modules,
    plan::{BY_THEN, Call, Doing, Plan, PlanFn, StateError, StateModule},
};

impl Runner<'_> {
    /// Calls a state, again and again as its `retry` says.
    pub(super) fn attempts(&self, step: &Step, needs: &[(Kind, &Chunk)], watched: Vec<String>) -> Row {
        let data = &step.chunk.data;
        let retry = data.get("retry").filter(|_| !data.contains_key("parallel")).map(Retry::parse);
        let mut row = self.once(step, needs, watched.clone());
        let Some(retry) = retry else { return row };
        if self.settings.test {
            row.comment = format!("{}  {}", row.comment, retry.sentence());
            return row;
        }
        if step.trial {
            return row;
        }
        let mut comments = Vec::new();
        for attempt in 1..retry.attempts {
            if row.result == Some(retry.until) {
                break;
            }
            comments.push(format!(
                "Attempt {attempt}: Returned a result of \"{}\", with the following comment: \"{}\"",
                if row.failed() { "False" } else { "True" },
                row.comment
            ));
            let pause = retry.pause();
            thread::sleep(pause);
            let next = self.once(step, needs, watched.clone());
            let duration = row.duration + next.duration + u64::try_from(pause.as_micros()).unwrap_or(0);
            row = Row { start: row.start, duration, ..next };
        }
        if !comments.is_empty() {
            comments.push(row.comment);
            row.comment = comments.join("\n");
        }
        row
    }

    fn once(&self, step: &Step, needs: &[(Kind, &Chunk)], watched: Vec<String>) -> Row {
        let (start, begun) = (clock(), Instant::now());
        let call = Call {
            look: self.context.look,
            low: &step.chunk.data,
            test: self.settings.test || step.trial,
            context: self.context,
            steps: self.all,
            needs: needs.to_vec(),
            accumulated: self.accumulated,
            watched,
        };
        let called = catch_unwind(AssertUnwindSafe(|| self.called(&call, step.trial)));
        let mut row = called.unwrap_or_else(|_| {
            Row::ran(Some(false), "The state panicked, which is a fault of ours and not of your tree", Map::new())
        });
        row.start = start;
        row.duration = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        if step.chunk.data.get("no_log").is_some_and(crate::functions::truth) {
            hide(&mut row);
        }
        row
    }

    fn called(&self, call: &Call<'_>, trial: bool) -> Row {
        let plan = match find(call, self.settings.modules) {
            Ok(plan) => plan,
            Err(why) => return Row { ran: true, ..Row::not_run(false, why) },
        };
        if let Some(held) = self.held {
            held.before(module(call));
        }
        // What a command answers now, it may not answer then.
        let too_early = call.test && !trial && call.look.expects_change() && checks::has_commands(call.low);
        if let Some(checks::Skip(comment)) = checks::before(call) {
            let comment = if too_early { comment + TOO_EARLY } else { comment };
            return Row { skip_watch: true, ..Row::ran(Some(true), comment, Map::new()) };
        }
        let warnings = match arguments::judge(call.low) {
            Verdict::Known => Vec::new(),
            Verdict::Refused(why) => return Row::ran(Some(false), why, Map::new()),
            Verdict::Doubtful(warnings) => warnings,
        };
        let planned = slots::filled(call.context, call.low).and_then(|low| match &low {
            std::borrow::Cow::Borrowed(_) => Ok(self.carry_out(call, plan(call)?, trial)),
            std::borrow::Cow::Owned(low) => {
                let call = call.with_low(low);
                Ok(self.carry_out(&call, plan(&call)?, trial))
            }
        });
        let mut row = match planned {
            Ok(row) => row,
            Err(StateError::Missing(why)) if call.test && call.look.expects_anything() => {
                Row::ran(None, format!("{why}{BY_THEN}"), Map::new())
            }
            Err(why) => Row::of_error(&why),
        };
        // These check the new file themselves, before it is put in place.
        if !(call.test || matches!(call.full().as_str(), "file.managed" | "file.serialize"))
            && let Some((good, comment)) = checks::after(call)
        {
            row.result = Some(good);
            row.comment = comment.into();
        }
        if too_early && row.result.is_none() {
            row.comment += TOO_EARLY;
        }
        row.warn(warnings);
        row
    }

    fn carry_out(&self, call: &Call<'_>, plan: Plan, trial: bool) -> Row {
        let (comment, changes, more, apply) = match plan {
            Plan::Keep(comment) => return Row::ran(Some(true), comment, Map::new()),
            Plan::KeepWith(done) => return Row::of_done(done),
            Plan::Change { comment, changes, more, apply } => (comment, changes, more, apply),
        };
        match (self.overlay, self.context.host) {
            // Its own turn is yet to come, and finds the host as it is.
            _ if trial => {}
            (Some(overlay), _) => {
                // What later states see. Whether it would go well is not known, so its result is not ours.
                let context = Context { host: Some(overlay), agent: None, ..self.context.copy() };
                let _ = apply(&Doing { host: overlay, context: &context, low: call.low, is_real: false });
            }
            (_, Some(host)) => {
                return match apply(&Doing { host, context: self.context, low: call.low, is_real: true }) {
                    Ok(done) => Row::of_done(done),
                    Err(why) => Row::of_error(&why),
                };
            }
            (_, None) => return Row::of_error(&StateError::from(crate::CallError::NotHere)),
        }
        Row { more, ..Row::ran(None, comment, changes) }
    }
}

/// What is said in a dry run of a state whose own commands have been asked too early.
const TOO_EARLY: &str =
    "\nNote: an earlier state of this run would change the host; whether this one runs may come out otherwise.";

fn module<'c>(call: &'c Call<'_>) -> &'c str {
    call.low.get("state").and_then(Value::as_str).unwrap_or("")
}

fn find(call: &Call<'_>, more: &[StateModule]) -> Result<PlanFn, String> {
    let text = |key: &str| call.low.get(key).and_then(Value::as_str).unwrap_or("");
    let (module, fun) = (text("state"), text("fun"));
    modules::find(module, fun)
        .or_else(|| modules::find_in(more, module, fun))
        .ok_or_else(|| modules::not_available(module, fun))
}

/// `no_log`: nothing of what a state did is shown.
fn hide(row: &mut Row) {
    const HIDDEN: &str = "NO LOG";
    row.comment = HIDDEN.into();
    row.changes.values_mut().for_each(|value| *value = HIDDEN.into());
}
