//! `clock`: how far it is from the master's.

use serde::Deserialize;

use crate::{
    checks::{Check, Found, Perf, Range, Scene, Status, Thresholds},
    clock::Offset,
};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Clock {
    /// Seconds, before or behind.
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Clock {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        Ok(match scene.offset {
            Some(offset) => self.judge(offset),
            None => Found::new(Status::Ok, "clock: there is no master to compare it with"),
        })
    }
}

impl Clock {
    /// Judges what is certain: a slow answer of the master is no fault of this clock.
    fn judge(&self, offset: Offset) -> Found {
        let seconds = |micros: u64| micros as f64 / 1e6;
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["1", "60"]);
        let (likely, within) = (offset.likely as f64 / 1e6, seconds(offset.within));
        let status = thresholds.judge(seconds(offset.certain()));
        let output = match status {
            Status::Ok => "clock agrees with the master's".to_owned(),
            _ => {
                let side = if likely < 0.0 { "behind" } else { "ahead of" };
                format!("clock is {:.0} s {side} the master's{}", likely.abs(), thresholds.reason(status))
            }
        };
        let figure = Perf::new("offset", likely, "s").judged(&thresholds);
        Found::new(status, output).with(figure).with(Perf::new("within", within, "s"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_count() {
        let judge = |likely, within| Clock::default().judge(Offset { likely, within });
        let statuses = [10_000, -900_000, 5_000_000, -600_000_000].map(|offset| judge(offset, 0).status);
        assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Warning, Status::Critical]);
        assert_eq!(judge(-600_000_000, 0).output, "clock is 600 s behind the master's (critical at 60)");
        assert_eq!(judge(-8_000_000, 8_000_000).status, Status::Ok, "the master may just have been slow");
        assert_eq!(judge(600_000_000, 8_000_000).status, Status::Critical);
    }
}
