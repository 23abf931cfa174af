//! `cpu`: how busy the processors are.

use std::time::Duration;

use serde::Deserialize;

use super::text;
use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cpu {
    warning: Option<Range>,
    critical: Option<Range>,
    /// Seconds between the two looks.
    #[serde(deserialize_with = "super::a_window")]
    window: f64,
}

impl Default for Cpu {
    fn default() -> Self {
        Self { warning: None, critical: None, window: 1.0 }
    }
}

impl Check for Cpu {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let window = Duration::try_from_secs_f64(self.window).unwrap_or_default().min(scene.timeout / 2);
        let before = times(&text("/proc/stat")?)?;
        std::thread::sleep(window);
        let after = times(&text("/proc/stat")?)?;
        let percent = busy(before, after);
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["90%", "95%"]);
        let status = thresholds.judge(percent);
        let output = format!("cpu {percent:.0} % busy{}", thresholds.reason(status));
        let perf = Perf::new("cpu", (percent * 10.0).round() / 10.0, "%").between(0.0, 100.0);
        Ok(Found::new(status, output).with(perf.judged(&thresholds)))
    }
}

/// Ticks that were busy, and all of them.
fn times(stat: &str) -> Result<(u64, u64), String> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu ")).ok_or("/proc/stat has no line of all cpus")?;
    // What runs in guests is within the first two already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    let all: u64 = ticks.iter().sum();
    Ok((all - idle, all))
}

fn busy(before: (u64, u64), after: (u64, u64)) -> f64 {
    let all = after.1.saturating_sub(before.1);
    if all == 0 { 0.0 } else { after.0.saturating_sub(before.0) as f64 / all as f64 * 100.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_disks_is_not_busy() {
        let times = |text: &str| times(text).unwrap();
        let (before, after) =
            (times("cpu  10 0 10 60 20 0 0 0 5 0\ncpu0 1\n"), times("cpu  40 0 20 100 40 0 0 0 5 0\n"));
        assert_eq!((before, after), ((20, 100), (60, 200)));
        assert_eq!(busy(before, after), 40.0);
        assert_eq!(busy(after, after), 0.0);
    }
}
