//! What a `salt.state` or `salt.function` chunk asks for, read from its arguments.

use std::time::Duration;

use proto::{Args, Batch, Map, RunOptions, Value, message::orchestration::Call as FleetCall};
use states::{
    functions::truth,
    plan::{StateError, failed},
    value::python_str,
};

/// How many of the targeted hosts must answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    All,
    Any,
    Count(u32),
    Percent(u8),
}

impl Expect {
    /// # Errors
    /// What would be right.
    pub fn parse(value: &Value) -> Result<Self, &'static str> {
        const RIGHT: &str = "`all`, `any`, a number, or a percentage such as 50%";
        match value {
            Value::String(text) if text == "all" => Ok(Self::All),
            Value::String(text) if text == "any" => Ok(Self::Any),
            other => match Limit::parse(other) {
                Ok(Limit::Count(count)) => Ok(Self::Count(count)),
                Ok(Limit::Percent(percent)) => Ok(Self::Percent(percent)),
                Err(_) => Err(RIGHT),
            },
        }
    }

    /// Whether it says in so many words that nobody need answer.
    pub fn is_none(self) -> bool {
        matches!(self, Self::Count(0) | Self::Percent(0))
    }

    /// How many of `total` that is.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::All => total,
            Self::Any => 1,
            Self::Count(count) => count as usize,
            // A part of a host is a host.
            Self::Percent(percent) => (total * usize::from(percent)).div_ceil(100),
        }
    }
}

/// A number, or a share of the targeted hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    Count(u32),
    Percent(u8),
}

impl Limit {
    /// # Errors
    /// What would be right.
    pub fn parse(value: &Value) -> Result<Self, &'static str> {
        const RIGHT: &str = "a number, or a percentage such as 25%";
        let text = python_str(value);
        match text.trim().strip_suffix('%') {
            Some(percent) => match percent.trim().parse::<u8>() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(RIGHT),
            },
            None => text.trim().parse().map(Self::Count).map_err(|_| RIGHT),
        }
    }

    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(count) => count as usize,
            Self::Percent(percent) => total * usize::from(percent) / 100,
        }
    }

    pub fn batch(self) -> Batch {
        match self {
            Self::Count(count) => Batch::Count(count),
            Self::Percent(percent) => Batch::Percent(percent),
        }
    }
}

/// A length of time: seconds, or `90s`, `5m`, `2h`.
pub fn duration(value: &Value) -> Option<Duration> {
    let text = python_str(value);
    let text = text.trim();
    let (number, unit) = match text.char_indices().last()? {
        (at, 's') => (&text[..at], 1.0),
        (at, 'm') => (&text[..at], 60.0),
        (at, 'h') => (&text[..at], 3600.0),
        _ => (text, 1.0),
    };
    let seconds = number.trim().parse::<f64>().ok()? * unit;
    // At most ten years: more would overflow what it is added to.
    (0.0..=3.2e8).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

/// Salt's rules about who may fail, and ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    pub fail_minions: Vec<String>,
    /// How many hosts may fail.
    pub allow_fail: Limit,
    /// Ours; else hosts without an answer count as failed unless `expect_minions: False`.
    pub expect: Option<Expect>,
    pub expect_minions: Option<bool>,
    /// Nobody else of a batch starts once more than `allow_fail` have failed.
    pub stop_early: bool,
    pub timeout: Option<Duration>,
    /// Hosts that fail are not told of: it will be asked again.
    pub quiet: bool,
    pub warnings: Vec<String>,
}

impl Rules {
    /// Whether a target that nobody matches is as good as any: Salt's word for it, and ours.
    pub fn may_be_nobody(&self) -> bool {
        self.expect_minions == Some(false) || self.expect.is_some_and(Expect::is_none)
    }
}

/// The target of a chunk as a compound expression.
pub fn target(low: &Map) -> Result<String, StateError> {
    let list = |value: &Value| match value {
        Value::Array(items) => items.iter().map(python_str).collect::<Vec<_>>().join(","),
        one => python_str(one),
    };
    let Some(tgt) = low.get("tgt").filter(|tgt| !tgt.is_null()) else {
        return failed("Missing parameter tgt for a state of the module salt");
    };
    let text = list(tgt);
    let kind = low.get("tgt_type").or_else(|| low.get("expr_form")).map_or("glob".into(), python_str);
    let prefix = match kind.as_str() {
        // A list of globs is not Salt's, and its meaning is clear.
        "glob" | "compound" => "",
        "list" => "L@",
        "grain" => "G@",
        "grain_pcre" => "P@",
        "pillar" => "I@",
        "pillar_exact" => "I@",
        "pillar_pcre" => "J@",
        "pcre" => "E@",
        "ipcidr" => "S@",
        "nodegroup" => "N@",
        other => return failed(format!("the tgt_type {other} is not known")),
    };
    Ok(format!("{prefix}{text}"))
}

pub fn rules(low: &Map) -> Result<Rules, StateError> {
    let mut warnings = Vec::new();
    let get = |key: &str| low.get(key).filter(|value| !value.is_null());
    let fail_minions = match get("fail_minions") {
        None => Vec::new(),
        Some(Value::String(names)) => names.split(',').map(|name| name.trim().to_owned()).collect(),
        Some(Value::Array(names)) => names.iter().map(python_str).collect(),
        Some(_) => {
            warnings.push("'fail_minions' needs to be a list or a comma separated string. Ignored.".to_owned());
            Vec::new()
        }
    };
    let allow_fail = match (get("max_fail"), get("allow_fail")) {
        (Some(limit), _) => {
            Limit::parse(limit).map_err(|right| StateError::failed(format!("max_fail must be {right}")))?
        }
        (None, Some(count)) => match python_str(count).trim().parse() {
            Ok(count) => Limit::Count(count),
            Err(_) => return failed("Passed invalid value for 'allow_fail', must be an int"),
        },
        (None, None) => Limit::Count(0),
    };
    let expect = get("expect").map(Expect::parse).transpose();
    let expect = expect.map_err(|right| StateError::failed(format!("expect must be {right}")))?;
    let timeout = match get("timeout") {
        None => None,
        Some(value) => {
            Some(duration(value).ok_or_else(|| StateError::failed("timeout must be seconds, or such as 5m"))?)
        }
    };
    Ok(Rules {
        fail_minions,
        allow_fail,
        expect,
        expect_minions: get("expect_minions").map(truth),
        stop_early: get("max_fail").is_some(),
        timeout,
        quiet: false,
        warnings,
    })
}

fn options(low: &Map) -> Result<RunOptions, StateError> {
    let get = |key: &str| low.get(key).filter(|value| !value.is_null());
    let batch = get("batch").map(Limit::parse).transpose();
    let batch = batch.map_err(|right| StateError::failed(format!("batch must be {right}")))?;
    let subset = match get("subset") {
        None => None,
        Some(count) => Some(
            python_str(count).trim().parse().map_err(|_| StateError::failed("subset must be a number of minions"))?,
        ),
    };
    let fail_fast = get("failhard").is_some_and(truth) && batch.is_some();
    Ok(RunOptions { batch: batch.map(Limit::batch), subset, fail_fast, ..RunOptions::default() })
}

/// What a chunk publishes. `test` is whether the whole run is a dry one.
pub fn call(low: &Map, test: bool) -> Result<(FleetCall, RunOptions), StateError> {
    let (function, args) = match low.get("fun").and_then(Value::as_str) {
        Some("state") => state(low, test)?,
        _ => function(low)?,
    };
    let function = function.parse().map_err(|why: proto::IdError| StateError::failed(format!("{function}: {why}")))?;
    Ok((FleetCall { target: target(low)?, function, args }, options(low)?))
}

fn state(low: &Map, test: bool) -> Result<(String, Args), StateError> {
    let get = |key: &str| low.get(key).filter(|value| !value.is_null());
    let joined = |value: &Value| match value {
        Value::Array(names) => names.iter().map(python_str).collect::<Vec<_>>().join(","),
        one => python_str(one),
    };
    let some = |key: &str| get(key).filter(|value| truth(value));
    let (function, mut args) = match (some("highstate"), some("top"), some("sls")) {
        (Some(_), _, _) => ("state.highstate", Args::default()),
        (None, Some(top), _) => ("state.top", Args::positional([top.clone()])),
        (None, None, Some(sls)) => ("state.sls", Args::positional([joined(sls).into()])),
        (None, None, None) => return failed("No highstate or sls specified, no execution made"),
    };
    if get("concurrent").is_some_and(|value| !value.is_boolean()) {
        return failed("Must pass in boolean for value of 'concurrent'");
    }
    for key in ["pillar", "pillarenv", "saltenv", "exclude", "queue", "concurrent"] {
        if let Some(value) = get(key).filter(|value| **value != Value::Bool(false)) {
            args = args.with(key, value.clone());
        }
    }
    match get("test") {
        // What says that nothing is to be changed is not undone by a stage.
        Some(own) if !test => args = args.with("test", own.clone()),
        _ if test => args = args.with("test", true),
        _ => {}
    }
    Ok((function.to_owned(), args))
}

fn function(low: &Map) -> Result<(String, Args), StateError> {
    let get = |key: &str| low.get(key).filter(|value| !value.is_null());
    let positional = match get("arg") {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(Value::String(words)) => words.split_whitespace().map(Value::from).collect(),
        Some(one) => vec![one.clone()],
    };
    let named = match get("kwarg") {
        None => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_object).flat_map(Clone::clone).collect(),
        Some(_) => return failed("kwarg must be a mapping"),
    };
    Ok((low.get("name").map_or(String::new(), python_str), Args { positional, named }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn low(value: Value) -> Map {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_target_of_any_type_is_a_compound_one() {
        let of = |value| target(&low(value)).unwrap();
        assert_eq!(of(json!({"tgt": "web*"})), "web*");
        assert_eq!(of(json!({"tgt": ["a", "b"], "tgt_type": "list"})), "L@a,b");
        assert_eq!(of(json!({"tgt": "role:db", "tgt_type": "grain"})), "G@role:db");
        assert!(target(&low(json!({"tgt": "x", "tgt_type": "range"}))).is_err());
        assert!(target(&low(json!({}))).is_err());
    }

    #[test]
    fn a_state_is_called_as_salt_calls_it() {
        let of = |value, test| call(&low(value), test).map(|(call, _)| (call.function.to_string(), call.args));
        let chunk = json!({"fun": "state", "tgt": "*", "sls": ["a", "b"], "pillar": {"x": 1}, "queue": false});
        let expected = Args::positional(["a,b".into()]).with("pillar", json!({"x": 1}));
        assert_eq!(of(chunk.clone(), false).unwrap(), ("state.sls".into(), expected.clone()));
        assert_eq!(of(chunk, true).unwrap().1, expected.with("test", true));
        let all = json!({"fun": "state", "tgt": "*", "sls": ["a"], "highstate": true, "test": true});
        assert_eq!(of(all, false).unwrap(), ("state.highstate".into(), Args::default().with("test", true)));
        let never = json!({"fun": "state", "tgt": "*", "highstate": true, "test": false});
        assert_eq!(of(never, true).unwrap().1, Args::default().with("test", true), "a dry run stays one");
        assert!(of(json!({"fun": "state", "tgt": "*"}), false).is_err());
        assert!(of(json!({"fun": "state", "tgt": "*", "sls": "a", "concurrent": 1}), false).is_err());
    }

    #[test]
    fn a_function_takes_its_arguments_and_a_batch() {
        let chunk = json!({"fun": "function", "name": "cmd.run", "tgt": "*", "arg": ["ls"], "kwarg": {"cwd": "/"}, "batch": "25%"});
        let (call, options) = call(&low(chunk), true).unwrap();
        assert_eq!(call.args, Args::positional(["ls".into()]).with("cwd", "/"));
        assert_eq!(options.batch, Some(Batch::Percent(25)));
        assert!(super::call(&low(json!({"fun": "function", "name": "cmd", "tgt": "*"})), false).is_err());
    }

    #[test]
    fn limits_are_numbers_or_shares() {
        assert_eq!(Limit::parse(&json!("25%")), Ok(Limit::Percent(25)));
        assert_eq!(Limit::parse(&json!(3)), Ok(Limit::Count(3)));
        assert!(Limit::parse(&json!("101%")).is_err() && Limit::parse(&json!(-1)).is_err());
        assert_eq!(Expect::parse(&json!("any")), Ok(Expect::Any));
        assert_eq!((Expect::Percent(50).of(3), Expect::All.of(3), Limit::Percent(50).of(3)), (2, 3, 1));
        assert_eq!(duration(&json!("5m")), Some(Duration::from_secs(300)));
        assert_eq!(duration(&json!(2)), Some(Duration::from_secs(2)));
        assert!(duration(&json!("soon")).is_none() && duration(&json!(-1)).is_none());
    }
}
