//! `uptime`: how long the host has been up.

use serde::Deserialize;

use super::text;
use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Uptime {
    /// Seconds, or `10m:`.
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Uptime {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let said = text("/proc/uptime")?;
        let seconds: Option<f64> = said.split_whitespace().next().and_then(|word| word.parse().ok());
        let seconds = seconds.ok_or("/proc/uptime cannot be read")?;
        let thresholds = Thresholds::new(self.warning.as_ref(), self.critical.as_ref());
        let status = thresholds.judge(seconds);
        let (days, hours, minutes) = (seconds as u64 / 86400, seconds as u64 / 3600 % 24, seconds as u64 / 60 % 60);
        let output = format!("up for {days} days {hours}:{minutes:02}{}", thresholds.reason(status));
        Ok(Found::new(status, output).with(Perf::new("uptime", seconds, "s").judged(&thresholds)))
    }
}
