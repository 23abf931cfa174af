//! Thresholds as the monitoring plugins' guidelines write them: `10`, `10:`, `~:10`, `10:20`,
//! `@10:20`; with a percent sign, or with a unit of size or time behind each number.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

use super::Status;

/// What is well; what lies outside of it is not (with `@`: what lies inside).
#[derive(Debug, Clone, PartialEq)]
pub struct Range {
    start: f64,
    end: f64,
    inside: bool,
    /// The numbers are percentages.
    pub percent: bool,
    /// As it was written.
    text: String,
}

impl Range {
    pub fn alerts(&self, value: f64) -> bool {
        let within = self.start <= value && value <= self.end;
        within == self.inside
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (inside, bare) = text.strip_prefix('@').map_or((false, text), |bare| (true, bare));
        let wrong = |what: &str| format!("{text:?} is no threshold: {what}; write 10, 10:, ~:10, 10:20 or @10:20");
        let (start, end) = bare.split_once(':').map_or((None, bare), |(start, end)| (Some(start), end));
        let mut percent = false;
        let mut number = |part: &str| -> Result<f64, String> {
            let (number, of_hundred) = quantity(part).ok_or_else(|| wrong("it has no number"))?;
            percent |= of_hundred;
            Ok(number)
        };
        let start = match start {
            None | Some("") => 0.0,
            Some("~") => f64::NEG_INFINITY,
            Some(part) => number(part)?,
        };
        let end = match end {
            "" if bare.contains(':') => f64::INFINITY,
            part => number(part)?,
        };
        match start <= end {
            true => Ok(Self { start, end, inside, percent, text: text.to_owned() }),
            false => Err(wrong("it ends before it begins")),
        }
    }
}

/// A number with what may stand behind it: `%`, a size (`K`, `M`, `G`, `T`: powers of 1024), or a
/// time (`s`, `m`, `h`, `d`, `w`: in seconds). Gives whether it is a percentage.
pub fn quantity(text: &str) -> Option<(f64, bool)> {
    let text = text.trim();
    let (digits, unit) = match text.char_indices().last()? {
        (at, unit) if !unit.is_ascii_digit() && unit != '.' => (&text[..at], Some(unit)),
        _ => (text, None),
    };
    let factor = match unit {
        None | Some('%' | 's') => 1.0,
        Some('K') => 1024.0,
        Some('M') => 1024.0 * 1024.0,
        Some('G') => 1024.0 * 1024.0 * 1024.0,
        Some('T') => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        Some('m') => 60.0,
        Some('h') => 3600.0,
        Some('d') => 86400.0,
        Some('w') => 604_800.0,
        Some(_) => return None,
    };
    let number: f64 = digits.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    Some((number * factor, unit == Some('%')))
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => text.parse().map_err(D::Error::custom),
            serde_json::Value::Number(number) => number.to_string().parse().map_err(D::Error::custom),
            other => Err(D::Error::custom(format!("{other} is no threshold"))),
        }
    }
}

/// When a value is worth a warning, and when it is critical.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thresholds {
    pub warning: Option<Range>,
    pub critical: Option<Range>,
}

impl Thresholds {
    pub fn new(warning: Option<&Range>, critical: Option<&Range>) -> Self {
        Self { warning: warning.cloned(), critical: critical.cloned() }
    }

    /// Those that are given, or these.
    pub fn or(warning: Option<&Range>, critical: Option<&Range>, default: [&str; 2]) -> Self {
        let given = Self::new(warning, critical);
        let none = warning.is_none() && critical.is_none();
        if none { Self { warning: default[0].parse().ok(), critical: default[1].parse().ok() } } else { given }
    }

    pub fn judge(&self, value: f64) -> Status {
        let alerts = |range: &Option<Range>| range.as_ref().is_some_and(|range| range.alerts(value));
        match () {
            () if alerts(&self.critical) => Status::Critical,
            () if alerts(&self.warning) => Status::Warning,
            () => Status::Ok,
        }
    }

    /// Why a status is what it is: ` (critical at 90%)`.
    pub fn reason(&self, status: Status) -> String {
        let (word, range) = match status {
            Status::Critical => ("critical", &self.critical),
            Status::Warning => ("warning", &self.warning),
            _ => return String::new(),
        };
        range.as_ref().map_or_else(String::new, |range| format!(" ({word} at {range})"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alerts(range: &str, values: &[f64]) -> Vec<bool> {
        let range: Range = range.parse().unwrap();
        values.iter().map(|value| range.alerts(*value)).collect()
    }

    #[test]
    fn ranges_alert_as_the_guidelines_have_it() {
        let values = [-1.0, 0.0, 9.0, 10.0, 15.0, 20.0, 21.0];
        let yes = true;
        assert_eq!(alerts("10", &values), [yes, false, false, false, yes, yes, yes]);
        assert_eq!(alerts("10:", &values), [yes, yes, yes, false, false, false, false]);
        assert_eq!(alerts("~:10", &values), [false, false, false, false, yes, yes, yes]);
        assert_eq!(alerts("10:20", &values), [yes, yes, yes, false, false, false, yes]);
        assert_eq!(alerts("@10:20", &values), [false, false, false, yes, yes, yes, false]);
    }

    #[test]
    fn numbers_may_have_units() {
        assert_eq!(quantity("80%"), Some((80.0, true)));
        assert_eq!(quantity("1.5K"), Some((1536.0, false)));
        assert_eq!(quantity("2h"), Some((7200.0, false)));
        assert_eq!((quantity("x"), quantity(""), quantity("1e999"), quantity("5 apples")), (None, None, None, None));
        assert!("80%".parse::<Range>().unwrap().percent);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in ["", "@", "20:10", "a:b", "~", "1:2:3", "%", "nan"] {
            assert!(bad.parse::<Range>().is_err(), "{bad:?}");
        }
    }
}
