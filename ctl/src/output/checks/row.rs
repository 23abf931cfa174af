//! What one check said, and how bad that is.

use std::fmt;

use proto::{
    Value,
    checks::{CheckRow, CheckStatus},
};
use serde::{Deserialize, Deserializer, de};
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

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Word;
        impl de::Visitor<'_> for Word {
            type Value = Status;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status")
            }
            fn visit_str<E>(self, text: &str) -> Result<Status, E> {
                Ok(Status::parse(text))
            }
        }
        from.deserialize_str(Word)
    }
}

/// What one check said: of what `check.run` returns, what people are shown. Of ten thousand hosts
/// these are more than a hundred thousand, and most say that all is well.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Row {
    pub name: String,
    pub status: Status,
    #[serde(default)]
    pub output: String,
    /// What it said below its first line.
    #[serde(default)]
    pub long_output: Option<String>,
    /// Milliseconds.
    #[serde(default)]
    pub duration: f64,
    /// Since when it has this status, where the master keeps an eye on it.
    #[serde(skip)]
    pub since: Option<u64>,
}

/// What is not known, and why.
pub fn unknown(name: &str, why: &str) -> Row {
    let (name, output) = (name.to_owned(), why.to_owned());
    Row { name, status: Status::Unknown, output, long_output: None, duration: 0.0, since: None }
}

/// The same, as `check.run` would return it.
pub fn whole_unknown(row: &Row) -> Value {
    json!({"name": row.name, "status": "UNKNOWN", "output": row.output, "perfdata": [], "duration": 0.0})
}

/// A row that the master keeps.
pub fn known(kept: &CheckRow) -> Row {
    let flaps = if kept.flapping { " (its status changes all the time)" } else { "" };
    Row {
        name: kept.name.clone(),
        status: Status::known(kept.status),
        output: format!("{}{flaps}", kept.output),
        long_output: None,
        duration: 0.0,
        since: Some(kept.since),
    }
}

/// The same for programs, and when its host said for the last time that it holds.
pub fn whole_known(kept: &CheckRow, confirmed: Option<u64>) -> Value {
    json!({
        "name": kept.name, "status": Status::known(kept.status).word(), "output": kept.output,
        "flapping": kept.flapping, "since": times::json(kept.since), "checked": times::json(kept.at),
        "interval": kept.interval, "confirmed": confirmed.map(times::json),
    })
}
