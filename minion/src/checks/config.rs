//! `checks:` of the minion's configuration and of the pillar.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use proto::{Map, Value};
use serde_json::json;

use super::{
    Check, Found, Scene,
    kinds::{self, Kind},
};

/// How long a check may take unless it says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How often a check is due unless it says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);
/// A shorter interval is a slip.
const SHORTEST: Duration = Duration::from_secs(1);
/// The same for drift, which takes longer and is looked for between times when files change.
const DRIFT: Duration = Duration::from_secs(300);
const DRIFT_TIMEOUT: Duration = Duration::from_secs(60);

/// Checks that need no configuration.
const DEFAULTS: &[&str] = &["load", "memory", "disk", "systemd", "clock", "drift"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Default,
    Config,
    Pillar,
    /// A state brought it along.
    State,
}

/// A check by its name.
#[derive(Clone)]
pub struct Configured {
    pub name: String,
    pub kind: &'static Kind,
    pub check: Arc<dyn Check>,
    pub timeout: Duration,
    pub interval: Duration,
    pub source: Source,
    /// Tells one definition from another.
    pub text: String,
}

/// A check that cannot be read.
struct Broken(String);

impl Check for Broken {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        Err(self.0.clone())
    }
}

impl Configured {
    /// One that is UNKNOWN, and says why.
    pub fn broken(name: String, why: String) -> Self {
        let (text, check) = (why.clone(), Arc::new(Broken(why)));
        let (timeout, interval, source) = (TIMEOUT, INTERVAL, Source::Config);
        Self { name, kind: &kinds::TABLE[0], check, timeout, interval, source, text }
    }

    pub fn is_drift(&self) -> bool {
        self.kind.name == "drift"
    }

    pub fn describe(&self) -> Value {
        let source = match self.source {
            Source::Default => "default",
            Source::Config => "config",
            Source::Pillar => "pillar",
            Source::State => "state",
        };
        json!({
            "name": self.name, "check": self.kind.name, "interval": self.interval.as_secs_f64(),
            "timeout": self.timeout.as_secs_f64(), "source": source,
        })
    }
}

/// What is wrong with a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The option that it is about; none where it is about the whole check.
    pub option: Option<String>,
    why: String,
}

impl Wrong {
    pub fn whole(why: impl Into<String>) -> Self {
        Self { option: None, why: why.into() }
    }

    /// `why` names the option.
    pub fn of(option: &str, why: String) -> Self {
        Self { option: Some(option.to_owned()), why }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// What a definition comes to, or its name and what is wrong with it.
pub type Definition = Result<Arc<Configured>, (String, Wrong)>;

/// What the definitions came to the last time: to read them takes longer than most checks do.
#[derive(Default)]
pub struct Memo(Mutex<Option<Known>>);

struct Known {
    config: Option<Value>,
    pillar: Option<Value>,
    carried: Map,
    all: Vec<Definition>,
}

impl Memo {
    /// As [`configured`].
    pub fn configured(&self, config: Option<&Value>, pillar: Option<&Value>, carried: &Map) -> Vec<Definition> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |known: &&Known| {
            (known.config.as_ref(), known.pillar.as_ref(), &known.carried) == (config, pillar, carried)
        };
        if let Some(known) = known.as_ref().filter(same) {
            return known.all.clone();
        }
        let all = configured(config, pillar, carried);
        let (config, pillar) = (config.cloned(), pillar.cloned());
        *known = Some(Known { config, pillar, carried: carried.clone(), all: all.clone() });
        all
    }
}

/// Every check that is configured, those of the configuration before those of the pillar, which
/// they hide; without any, the defaults. Then those that states brought along. What cannot be read is
/// told by name. `checks: false` in the configuration switches all of them off.
pub fn configured(config: Option<&Value>, pillar: Option<&Value>, carried: &Map) -> Vec<Definition> {
    if config == Some(&Value::Bool(false)) {
        return Vec::new();
    }
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
            Some(_) => {
                all.push(Err(("checks".into(), Wrong::whole("checks must be a mapping of names to checks"))));
            }
        }
    }
    if seen.is_empty() && all.is_empty() {
        // Where systemd does not run, there is nothing to say of it.
        let there = |name: &&&str| **name != "systemd" || std::path::Path::new("/run/systemd/system").is_dir();
        let one = |name: &&str| read(name, &Value::Null, Source::Default).map_err(|why| ((*name).to_owned(), why));
        all.extend(DEFAULTS.iter().filter(there).map(one));
        seen.extend(DEFAULTS.iter().map(ToString::to_string));
    }
    for (name, options) in carried.iter().filter(|(name, _)| seen.insert((*name).clone())) {
        all.push(read(name, options, Source::State).map_err(|why| (name.clone(), why)));
    }
    all
}

/// Whether a configuration makes sense.
///
/// # Errors
/// The name of the check that is wrong, and why.
pub fn validate(checks: &Value) -> Result<(), (String, Wrong)> {
    let wrong = configured(Some(checks), None, &Map::new()).into_iter().find_map(Result::err);
    wrong.map_or(Ok(()), Err)
}

/// Reads one check.
///
/// # Errors
/// What is wrong with it.
pub fn read(name: &str, options: &Value, source: Source) -> Result<Arc<Configured>, Wrong> {
    let text = format!("{source:?} {options}");
    let mut options = match options {
        Value::Null | Value::Bool(true) => Map::new(),
        Value::Object(options) => options.clone(),
        other => return Err(Wrong::whole(format!("a check is a mapping, not {other}"))),
    };
    let kind = match options.shift_remove("check") {
        Some(Value::String(kind)) => kind,
        Some(other) => return Err(Wrong::of("check", format!("check: {other} is no name"))),
        None => name.to_owned(),
    };
    let kind = kinds::find(&kind).ok_or_else(|| {
        let near = states::diag::did_you_mean(&kind, kinds::TABLE.iter().map(|kind| kind.name));
        let near = near.map_or(String::new(), |near| format!("; {near}"));
        Wrong::of("check", format!("there is no check {kind}{near}"))
    })?;
    let (timeout, interval) = if kind.name == "drift" { (DRIFT_TIMEOUT, DRIFT) } else { (TIMEOUT, INTERVAL) };
    let timeout = seconds(&mut options, "timeout", timeout)?;
    let interval = seconds(&mut options, "interval", interval)?;
    if interval < SHORTEST {
        return Err(Wrong::of("interval", format!("interval must be {} s or more", SHORTEST.as_secs())));
    }
    let check = (kind.read)(Value::Object(options))?.into();
    Ok(Arc::new(Configured { name: name.to_owned(), kind, check, timeout, interval, source, text }))
}

fn seconds(options: &mut Map, key: &str, default: Duration) -> Result<Duration, Wrong> {
    let Some(value) = options.shift_remove(key) else { return Ok(default) };
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let found = super::range::quantity(&text).filter(|(number, percent)| *number > 0.0 && !percent);
    let found = found.and_then(|(number, _)| Duration::try_from_secs_f64(number).ok());
    found.ok_or_else(|| Wrong::of(key, format!("{key} must be a number of seconds above 0, not {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(config: Value, pillar: Value) -> Vec<(String, &'static str)> {
        let all = configured(Some(&config), Some(&pillar), &Map::new());
        all.into_iter()
            .map(|check| check.map_err(|(name, why)| panic!("{name}: {why}")).unwrap())
            .map(|c| (c.name.clone(), c.kind.name))
            .collect()
    }

    #[test]
    fn a_name_is_a_kind_unless_it_says_otherwise_and_config_wins() {
        let config = json!({"load": null, "web": {"check": "tcp", "port": 80}, "off": false});
        let pillar = json!({"web": {"check": "http", "url": "http://x/"}, "off": {"check": "load"}, "uptime": {}});
        let web = ("web".to_owned(), "tcp");
        assert_eq!(names(config, pillar), [("load".to_owned(), "load"), web, ("uptime".to_owned(), "uptime")]);
        let carried = Map::from_iter([("web".to_owned(), json!({"check": "port", "port": 80}))]);
        let defaults = configured(None, None, &carried);
        assert!(defaults.iter().all(Result::is_ok) && defaults.len() >= 6, "a role adds to what is looked at anyway");
        let hidden = configured(Some(&json!({"web": {"check": "tcp", "port": 1}})), None, &carried);
        assert_eq!(hidden.len(), 1, "and is hidden by what is configured by the same name");
        assert!(configured(Some(&json!(false)), Some(&json!({"load": {}})), &carried).is_empty());
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (bad, part) in [
            (json!({"laod": null}), "did you mean load?"),
            (json!({"load": {"warnign": 3}}), "warnign"),
            (json!({"load": {"warning": "x"}}), "no threshold"),
            (json!({"load": {"timeout": 0}}), "timeout"),
            (json!({"load": {"interval": "1ms"}}), "interval"),
            (json!({"load": {"interval": 0.5}}), "1 s or more"),
            (json!({"x": {"check": "log", "path": "y", "pattern": "("}}), "pattern"),
            (json!({"x": {"check": "tcp"}}), "port"),
            (json!([]), "mapping"),
        ] {
            let why = validate(&bad).unwrap_err().1.to_string();
            assert!(why.contains(part), "{bad}: {why}");
        }
    }
}
