//! What one check said, and how bad that is.

use proto::{
    Value,
    checks::{CheckRow, CheckStatus},
};
use serde_json::json;

use crate::{
    term::{BAD, GOOD, VALUE},
    times,
};

/// The monitoring plugins' four. The worst one first: what is known to be bad counts before what is
/// not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Critical,
    Warning,
    Unknown,
    Ok,
}

impl Status {
    pub const ALL: [Status; 4] = [Self::Critical, Self::Warning, Self::Unknown, Self::Ok];

    pub fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.word() == text).unwrap_or(Self::Unknown)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Ok => "OK",
        }
    }

    /// The exit code of the monitoring plugins' guidelines.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// As it travels.
    fn known(status: CheckStatus) -> Self {
        match status {
            CheckStatus::Ok => Self::Ok,
            CheckStatus::Warning => Self::Warning,
            CheckStatus::Critical => Self::Critical,
            CheckStatus::Unknown => Self::Unknown,
        }
    }

    pub fn style(self) -> anstyle::Style {
        match self {
            Self::Critical => BAD,
            Self::Warning | Self::Unknown => VALUE,
            Self::Ok => GOOD,
        }
    }
}

/// What one check said, as `check.run` returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub status: Status,
    pub output: String,
    /// Milliseconds.
    pub duration: f64,
    /// Since when it has this status, where the master keeps an eye on it.
    pub since: Option<u64>,
    /// As it came, for programs.
    pub whole: Value,
}

/// As `check.run` returns it.
pub fn row(value: Value) -> Row {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Row {
        name: text("name"),
        status: Status::parse(&text("status")),
        output: text("output"),
        duration: value.get("duration").and_then(Value::as_f64).unwrap_or(0.0),
        since: None,
        whole: value,
    }
}

/// What is not known, and why.
pub fn unknown(name: &str, why: &str) -> Row {
    row(json!({"name": name, "status": "UNKNOWN", "output": why, "perfdata": [], "duration": 0.0}))
}

/// A row that the master keeps, and when its host said for the last time that it holds.
pub fn known(kept: &CheckRow, confirmed: Option<u64>) -> Row {
    let status = Status::known(kept.status);
    let whole = json!({
        "name": kept.name, "status": status.word(), "output": kept.output, "flapping": kept.flapping,
        "since": times::json(kept.since), "checked": times::json(kept.at), "interval": kept.interval,
        "confirmed": confirmed.map(times::json),
    });
    let flaps = if kept.flapping { " (its status changes all the time)" } else { "" };
    let output = format!("{}{flaps}", kept.output);
    Row { name: kept.name.clone(), status, output, duration: 0.0, since: Some(kept.since), whole }
}
