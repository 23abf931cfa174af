//! `memory` and `swap`: what is used of them.

use serde::Deserialize;

use super::text;
use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

/// What programs could still have counts as free.
#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Memory {
    warning: Option<Range>,
    critical: Option<Range>,
}

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Swap {
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Memory {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let info = text("/proc/meminfo")?;
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["90%", "95%"]);
        Ok(judge("memory", bytes(&info, "MemTotal:")?, bytes(&info, "MemAvailable:")?, &thresholds))
    }
}

impl Check for Swap {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let info = text("/proc/meminfo")?;
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["50%", "80%"]);
        Ok(judge("swap", bytes(&info, "SwapTotal:")?, bytes(&info, "SwapFree:")?, &thresholds))
    }
}

fn bytes(info: &str, field: &str) -> Result<f64, String> {
    let line = info.lines().find_map(|line| line.strip_prefix(field));
    let kib: Option<f64> = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| format!("/proc/meminfo has no {field}"))
}

/// Thresholds with a percent sign are of the whole, others are bytes in use.
fn judge(what: &str, total: f64, free: f64, thresholds: &Thresholds) -> Found {
    let used = (total - free).max(0.0);
    let percent = if total > 0.0 { used / total * 100.0 } else { 0.0 };
    let of_hundred = [&thresholds.warning, &thresholds.critical].into_iter().flatten().any(|range| range.percent);
    let status = thresholds.judge(if of_hundred { percent } else { used });
    let gib = |bytes: f64| bytes / f64::from(1 << 30);
    let output = match total > 0.0 {
        true => format!("{what} {percent:.0} % used of {:.1} GiB{}", gib(total), thresholds.reason(status)),
        false => format!("{what}: there is none"),
    };
    let perf = match of_hundred {
        true => Perf::new(what, (percent * 10.0).round() / 10.0, "%").between(0.0, 100.0),
        false => Perf::new(what, used, "B").between(0.0, total),
    };
    Found::new(status, output).with(perf.judged(thresholds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Status;

    #[test]
    fn thresholds_are_percentages_or_bytes() {
        let info = "MemTotal:       8388608 kB\nMemAvailable:    419430 kB\n";
        let (total, free) = (bytes(info, "MemTotal:").unwrap(), bytes(info, "MemAvailable:").unwrap());
        let found = judge("memory", total, free, &Thresholds::or(None, None, ["90%", "95%"]));
        assert_eq!(
            (found.status, found.output.as_str()),
            (Status::Critical, "memory 95 % used of 8.0 GiB (critical at 95%)")
        );
        let in_bytes = Thresholds::or(None, None, ["7G", "8G"]);
        assert_eq!(judge("memory", total, free, &in_bytes).status, Status::Warning);
        assert_eq!(judge("swap", 0.0, 0.0, &in_bytes).output, "swap: there is none");
        assert!(bytes(info, "SwapTotal:").is_err());
    }
}
