//! Health checks: what is looked at on this host, and what is said of it.
//!
//! `config` reads `checks:`, `range` and `perf` are the thresholds and figures of the monitoring
//! plugins' guidelines, `kinds` has one file a check, `run` runs many at once, `table` keeps what was found of
//! those that run on their interval, `drift` looks what a highstate would change.

pub mod carried;
mod config;
pub mod drift;
mod inotify;
mod kinds;
mod pattern;
mod perf;
mod places;
mod range;
mod run;
mod table;
mod tls;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use proto::{Map, Value};
use serde::Serialize;
use serde_json::json;

use crate::clock::Offset;

pub use config::{Configured, Definition, Memo, Source, Wrong, configured, read, validate};
pub use inotify::Watcher;
pub use kinds::{Kind, TABLE as KINDS, Work};
pub use pattern::Pattern;
pub use perf::{Perf, parse as figures};
pub use range::{Range, Thresholds};
pub use run::{GRACE, STUCK, run};
pub use table::Table;

/// How a check ended, in the order of the plugins' exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Status {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl Status {
    /// What an exit code of a plugin means.
    pub fn of_code(code: i32) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Warning,
            2 => Self::Critical,
            _ => Self::Unknown,
        }
    }

    /// The worse of two: CRITICAL above WARNING above UNKNOWN above OK.
    pub fn worse(self, other: Self) -> Self {
        let rank = |status| match status {
            Self::Ok => 0,
            Self::Unknown => 1,
            Self::Warning => 2,
            Self::Critical => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    pub status: Status,
    /// One line. It begins with the thing that it is about.
    pub output: String,
    pub perfdata: Vec<Perf>,
    /// What a plugin printed below its first line.
    pub long: Option<String>,
}

impl Found {
    pub fn new(status: Status, output: impl Into<String>) -> Self {
        Self { status, output: output.into(), perfdata: Vec::new(), long: None }
    }

    pub fn unknown(why: impl Into<String>) -> Self {
        Self::new(Status::Unknown, why)
    }

    pub fn with(mut self, perf: Perf) -> Self {
        self.perfdata.push(perf);
        self
    }
}

/// A row of what `check.run` gives.
#[derive(Debug, Clone)]
pub struct Row {
    pub name: String,
    pub found: Found,
    pub duration: Duration,
}

impl Row {
    /// As `check.run` returns it.
    pub fn into_value(self) -> Value {
        let Found { status, output, perfdata, long } = self.found;
        let duration = (self.duration.as_secs_f64() * 1e6).round() / 1e3;
        // Room at once: a check of ten thousand hosts makes more than a hundred thousand rows.
        let mut row = Map::with_capacity(6);
        row.insert("name".into(), self.name.into());
        row.insert("status".into(), json!(status));
        row.insert("output".into(), output.into());
        row.insert("perfdata".into(), perfdata.into_iter().map(Perf::into_value).collect());
        row.insert("duration".into(), duration.into());
        row.extend(long.map(|long| ("long_output".to_owned(), long.into())));
        Value::Object(row)
    }
}

/// What a check may know beside the host itself.
#[derive(Debug, Clone)]
pub struct Scene {
    /// How far this host's clock is off the master's; `None` without a master.
    pub offset: Option<Offset>,
    /// How long the check may take.
    pub timeout: Duration,
    /// Where a check keeps what it saw the last time.
    pub memory: Option<PathBuf>,
    /// Whom to ask for drift.
    pub drift: Option<Drifts>,
}

/// What drift is found by, within a time.
#[derive(Clone)]
pub struct Drifts(Arc<dyn Fn(Duration) -> Result<Found, String> + Send + Sync>);

impl Drifts {
    pub fn new(look: impl Fn(Duration) -> Result<Found, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    pub fn look(&self, patience: Duration) -> Result<Found, String> {
        (self.0)(patience)
    }
}

impl fmt::Debug for Drifts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Drifts")
    }
}

/// One kind of check, configured. What goes wrong while looking is UNKNOWN, with the reason.
pub trait Check: Send + Sync {
    fn look(&self, scene: &Scene) -> Result<Found, String>;
}
