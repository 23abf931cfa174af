//! The daemons' logs: to standard error, as text or as one JSON object a line.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, Registry, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

use crate::error::Error;

/// Changes what is logged while the daemon runs.
pub struct Level(reload::Handle<EnvFilter, Registry>);

impl Level {
    /// `log_level` of a configuration that was read again.
    pub fn set(&self, level: Option<&str>) {
        let changed = filter(level, 0).map(|filter| self.0.reload(filter));
        if !matches!(changed, Ok(Ok(()))) {
            tracing::warn!(level, "log_level is left as it was");
        }
    }
}

/// Starts logging. `level` and `format` are the configuration's `log_level` and `log_format`;
/// each `-v` says more than that.
///
/// # Errors
/// A level or format that is none.
pub fn start(level: Option<&str>, format: Option<&str>, verbose: u8) -> Result<Level, Error> {
    let (filter, handle) = reload::Layer::new(filter(level, verbose)?);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let started = match format.unwrap_or("text") {
        "text" => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
        "json" => registry.with(lines.json().flatten_event(true)).try_init(),
        other => return Err(Error::nothing(format!("log_format: {other:?} is none")).hint("it is `text` or `json`")),
    };
    started.map_err(|error| Error::nothing(format!("logging cannot be started: {error}")))?;
    Ok(Level(handle))
}

/// Salt's names of levels, and Rust's.
fn filter(level: Option<&str>, verbose: u8) -> Result<EnvFilter, Error> {
    let level = match (level.unwrap_or("info"), verbose) {
        (_, 2..) => "trace",
        (_, 1) => "debug",
        ("quiet" | "off", _) => "off",
        ("critical" | "fatal" | "error", _) => "error",
        ("warning" | "warn", _) => "warn",
        ("info" | "profile", _) => "info",
        ("debug", _) => "debug",
        ("trace" | "garbage" | "all", _) => "trace",
        (other, _) => {
            return Err(Error::nothing(format!("log_level: {other:?} is none"))
                .hint("it is one of quiet, error, warning, info, debug, trace"));
        }
    };
    // What libraries say of themselves is for those who work on them.
    Ok(EnvFilter::new(format!("{level},sqlx=warn,snow=warn,zeromq=warn")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_salts_and_misspelt_ones_are_refused() {
        assert!(filter(Some("warning"), 0).unwrap().to_string().contains("warn"));
        assert!(filter(Some("error"), 1).unwrap().to_string().contains("debug"));
        assert!(filter(None, 0).unwrap().to_string().contains("info"));
        assert!(filter(Some("loud"), 0).unwrap_err().render().contains("quiet, error"));
    }
}
