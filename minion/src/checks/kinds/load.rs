//! `load`: the averages of 1, 5 and 15 minutes.

use serde::Deserialize;

use super::text;
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Load {
    /// One threshold for all three averages, or three.
    warning: Option<OneOrMore>,
    critical: Option<OneOrMore>,
    /// The averages are divided by the number of processors first.
    per_cpu: bool,
}

#[derive(Deserialize, Clone)]
#[serde(try_from = "proto::Value")]
enum OneOrMore {
    More(Vec<Range>),
    One(Range),
}

impl TryFrom<proto::Value> for OneOrMore {
    type Error = serde_json::Error;

    fn try_from(value: proto::Value) -> Result<Self, serde_json::Error> {
        match value {
            list @ proto::Value::Array(_) => serde_json::from_value(list).map(Self::More),
            one => serde_json::from_value(one).map(Self::One),
        }
    }
}

impl OneOrMore {
    fn at(&self, at: usize) -> Option<&Range> {
        match self {
            Self::One(range) => Some(range),
            Self::More(ranges) => ranges.get(at),
        }
    }
}

impl Check for Load {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let cpus = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
        let averages = averages(&text("/proc/loadavg")?)?.map(|load| if self.per_cpu { load / cpus } else { load });
        Ok(self.judge(averages, if self.per_cpu { 1.0 } else { cpus }))
    }
}

fn averages(text: &str) -> Result<[f64; 3], String> {
    let mut words = text.split_whitespace().map_while(|word| word.parse::<f64>().ok());
    let mut next = || words.next().ok_or_else(|| "/proc/loadavg cannot be read".to_owned());
    Ok([next()?, next()?, next()?])
}

impl Load {
    /// Without thresholds: some times as much as the processors can do.
    fn judge(&self, averages: [f64; 3], cpus: f64) -> Found {
        let (mut status, mut why) = (Status::Ok, String::new());
        let mut perfdata = Vec::new();
        for (at, (label, factor)) in [("load1", 4.0), ("load5", 3.0), ("load15", 2.0)].into_iter().enumerate() {
            let given = |of: &Option<OneOrMore>| of.as_ref().and_then(|of| of.at(at).cloned());
            let default = [(cpus * factor).to_string(), (cpus * factor * 2.0).to_string()];
            let thresholds = match self.warning.is_some() || self.critical.is_some() {
                true => Thresholds { warning: given(&self.warning), critical: given(&self.critical) },
                false => Thresholds::or(None, None, [&default[0], &default[1]]),
            };
            let found = thresholds.judge(averages[at]);
            if found.worse(status) != status {
                (status, why) = (found, thresholds.reason(found));
            }
            perfdata.push(Perf { min: Some(0.0), ..Perf::new(label, averages[at], "").judged(&thresholds) });
        }
        let [one, five, fifteen] = averages;
        let output = format!("load average {one:.2}, {five:.2}, {fifteen:.2}{why}");
        Found { perfdata, ..Found::new(status, output) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_one_or_three() {
        let load: Load = serde_json::from_str(r#"{"warning": [5, 4, 3], "critical": "10"}"#).unwrap();
        assert_eq!(load.judge([4.9, 3.9, 2.9], 2.0).status, Status::Ok);
        let found = load.judge([1.0, 1.0, 3.5], 2.0);
        assert_eq!(
            (found.status, found.output.as_str()),
            (Status::Warning, "load average 1.00, 1.00, 3.50 (warning at 3)")
        );
        assert_eq!(load.judge([11.0, 1.0, 1.0], 2.0).status, Status::Critical);
        let plain = Load::default();
        assert_eq!(plain.judge([7.0, 5.0, 3.0], 2.0).status, Status::Ok);
        assert_eq!(plain.judge([7.0, 5.0, 8.5], 2.0).status, Status::Critical);
        assert_eq!(averages("0.52 0.58 0.59 1/467 1234\n").unwrap(), [0.52, 0.58, 0.59]);
        assert!(averages("x").is_err());
    }
}
