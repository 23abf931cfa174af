//! `checks:` of the minion's configuration and of the pillar.

use std::{collections::BTreeSet, time::Duration};

use proto::{Map, Value};
use serde_json::json;

use super::{
    Check,
    kinds::{self, Kind},
};

/// How long a check may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a check is due unless it says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);

/// Checks that need no configuration.
const DEFAULTS: &[&str] = &["load", "memory", "disk", "systemd", "clock"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Default,
    Config,
    Pillar,
}

/// A check by its name.
pub struct Configured {
    pub name: String,
    pub kind: &'static Kind,
    pub check: Box<dyn Check>,
    pub timeout: Duration,
    pub interval: Duration,
    pub source: Source,
}

impl Configured {
    pub fn describe(&self) -> Value {
        let source = match self.source {
            Source::Default => "default",
            Source::Config => "config",
            Source::Pillar => "pillar",
        };
        json!({
            "name": self.name, "check": self.kind.name, "interval": self.interval.as_secs_f64(),
            "timeout": self.timeout.as_secs_f64(), "source": source,
        })
    }
}

/// Every check that is configured, those of the configuration before those of the pillar, which
/// they hide; without any, the defaults. What cannot be read is told by name.
pub fn configured(config: Option<&Value>, pillar: Option<&Value>) -> Vec<Result<Configured, (String, String)>> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for (value, source) in [(config, Source::Config), (pillar, Source::Pillar)] {
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(checks)) => {
                for (name, options) in checks.iter().filter(|(name, _)| seen.insert((*name).clone())) {
                    match options {
                        // Switched off.
                        Value::Bool(false) => {}
                        options => all.push(read(name, options, source).map_err(|why| (name.clone(), why))),
                    }
                }
            }
            Some(_) => all.push(Err(("checks".into(), "checks must be a mapping of names to checks".into()))),
        }
    }
    if seen.is_empty() && all.is_empty() {
        // Where systemd does not run, there is nothing to say of it.
        let there = |name: &&&str| **name != "systemd" || std::path::Path::new("/run/systemd/system").is_dir();
        let one = |name: &&str| read(name, &Value::Null, Source::Default).map_err(|why| ((*name).to_owned(), why));
        all.extend(DEFAULTS.iter().filter(there).map(one));
    }
    all
}

/// Whether a configuration makes sense.
///
/// # Errors
/// Which check is wrong, and why.
pub fn validate(checks: &Value) -> Result<(), String> {
    let wrong = configured(Some(checks), None).into_iter().find_map(Result::err);
    wrong.map_or(Ok(()), |(name, why)| Err(format!("checks: {name}: {why}")))
}

fn read(name: &str, options: &Value, source: Source) -> Result<Configured, String> {
    let mut options = match options {
        Value::Null | Value::Bool(true) => Map::new(),
        Value::Object(options) => options.clone(),
        other => return Err(format!("a check is a mapping, not {other}")),
    };
    let kind = match options.shift_remove("check") {
        Some(Value::String(kind)) => kind,
        Some(other) => return Err(format!("check: {other} is no name")),
        None => name.to_owned(),
    };
    let kind = kinds::find(&kind).ok_or_else(|| {
        let near = states::diag::did_you_mean(&kind, kinds::TABLE.iter().map(|kind| kind.name));
        format!("there is no check {kind}{}", near.map_or(String::new(), |near| format!("; {near}")))
    })?;
    let timeout = seconds(&mut options, "timeout", TIMEOUT)?;
    let interval = seconds(&mut options, "interval", INTERVAL)?;
    let check = (kind.read)(Value::Object(options))?;
    Ok(Configured { name: name.to_owned(), kind, check, timeout, interval, source })
}

fn seconds(options: &mut Map, key: &str, default: Duration) -> Result<Duration, String> {
    let Some(value) = options.shift_remove(key) else { return Ok(default) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let found = super::range::quantity(&text).filter(|(number, percent)| *number > 0.0 && !percent);
    let found = found.and_then(|(number, _)| Duration::try_from_secs_f64(number).ok());
    found.ok_or_else(|| format!("{key} must be a number of seconds above 0, not {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(config: Value, pillar: Value) -> Vec<(String, &'static str)> {
        let all = configured(Some(&config), Some(&pillar));
        all.into_iter()
            .map(|check| check.map_err(|(name, why)| panic!("{name}: {why}")).unwrap())
            .map(|c| (c.name, c.kind.name))
            .collect()
    }

    #[test]
    fn a_name_is_a_kind_unless_it_says_otherwise_and_config_wins() {
        let config = json!({"load": null, "web": {"check": "tcp", "port": 80}, "off": false});
        let pillar = json!({"web": {"check": "http", "url": "http://x/"}, "off": {"check": "load"}, "uptime": {}});
        let web = ("web".to_owned(), "tcp");
        assert_eq!(names(config, pillar), [("load".to_owned(), "load"), web, ("uptime".to_owned(), "uptime")]);
        let defaults = configured(None, None);
        assert!(defaults.iter().all(Result::is_ok) && defaults.len() >= 4);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (bad, part) in [
            (json!({"laod": null}), "did you mean load?"),
            (json!({"load": {"warnign": 3}}), "warnign"),
            (json!({"load": {"warning": "x"}}), "no threshold"),
            (json!({"load": {"timeout": 0}}), "timeout"),
            (json!({"x": {"check": "tcp"}}), "port"),
            (json!([]), "mapping"),
        ] {
            let why = validate(&bad).unwrap_err();
            assert!(why.contains(part), "{bad}: {why}");
        }
    }
}
