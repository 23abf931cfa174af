//! `clock`: how far it is from the master's.

use serde::Deserialize;

use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

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
            Some(offset) => self.judge(offset as f64 / 1e6),
            None => Found::new(Status::Ok, "clock: there is no master to compare it with"),
        })
    }
}

impl Clock {
    fn judge(&self, offset: f64) -> Found {
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["1", "60"]);
        let status = thresholds.judge(offset.abs());
        let output = match status {
            Status::Ok => "clock agrees with the master's".to_owned(),
            _ => {
                let side = if offset < 0.0 { "behind" } else { "ahead of" };
                format!("clock is {:.0} s {side} the master's{}", offset.abs(), thresholds.reason(status))
            }
        };
        Found::new(status, output).with(Perf::new("offset", offset, "s").judged(&thresholds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_count() {
        let statuses = [0.01, -0.9, 5.0, -600.0].map(|offset| Clock::default().judge(offset).status);
        assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Warning, Status::Critical]);
        assert_eq!(Clock::default().judge(-600.0).output, "clock is 600 s behind the master's (critical at 60)");
    }
}
