//! Salt's `schedule:` key: jobs that a minion starts by itself. Pure: values and times in, times
//! out. Salt's `utils/schedule.py`.

mod when;

use std::{str::FromStr, time::Duration};

use croner::Cron;
use jiff::{Zoned, civil::DateTime};
use proto::{Args, FunctionName, Map, Value};

use crate::exec::bind::{text_of, truth};

/// Keys of an entry. Those of Salt's that are not here are refused: a job that runs at other times
/// than it says is worse than one that is missing.
const KEYS: &[&str] = &[
    "args",
    "cron",
    "days",
    "enabled",
    "function",
    "hours",
    "job_args",
    "job_kwargs",
    "kwargs",
    "maxrunning",
    "metadata",
    "minutes",
    "name",
    "once",
    "return_job",
    "run_on_start",
    "seconds",
    "splay",
    "when",
    "jid_include",
    "once_fmt",
];

/// One job of the schedule.
#[derive(Debug, Clone)]
pub struct Entry {
    pub name: String,
    pub function: FunctionName,
    pub args: Args,
    timing: Timing,
    splay: Option<(u64, u64)>,
    /// How many of it may run at once.
    pub maxrunning: usize,
    pub run_on_start: bool,
    /// Whether the master hears how it ended.
    pub return_job: bool,
    /// Goes with what the master hears.
    pub metadata: Value,
}

#[derive(Debug, Clone)]
enum Timing {
    Every(Duration),
    Cron(Box<Cron>),
    When(Vec<when::When>),
    Once(DateTime),
}

/// The jobs of a schedule that are enabled.
///
/// # Errors
/// What is wrong with which entry.
pub fn parse(schedule: &Value) -> Result<Vec<Entry>, String> {
    let entries = match schedule {
        Value::Null => return Ok(Vec::new()),
        Value::Object(entries) => entries,
        _ => return Err("schedule must be a mapping of names to jobs".into()),
    };
    if entries.get("enabled").is_some_and(|on| !truth(on)) {
        return Ok(Vec::new());
    }
    let common = entries.get("splay");
    if let Some(key) = ["skip_function", "skip_during_range"].into_iter().find(|key| entries.contains_key(*key)) {
        return Err(format!("schedule: {key} is not supported"));
    }
    let jobs = entries.iter().filter(|(name, _)| !matches!(name.as_str(), "enabled" | "splay"));
    let parsed =
        jobs.map(|(name, job)| Entry::parse(name, job, common).map_err(|why| format!("schedule: {name}: {why}")));
    parsed.filter_map(Result::transpose).collect()
}

impl Entry {
    /// `None` for one that is switched off.
    fn parse(name: &str, job: &Value, common_splay: Option<&Value>) -> Result<Option<Self>, String> {
        let job = job.as_object().ok_or("a job is a mapping")?;
        if let Some(key) = job.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(format!("{key} is not supported"));
        }
        if job.get("enabled").is_some_and(|on| !truth(on)) {
            return Ok(None);
        }
        let function = job.get("function").and_then(Value::as_str).ok_or("it names no function")?;
        let timing = timing(job)?;
        let on_start = job.get("run_on_start").map(truth);
        Ok(Some(Self {
            name: name.to_owned(),
            function: function.parse().map_err(|error: proto::IdError| error.to_string())?,
            args: args(job)?,
            run_on_start: on_start.unwrap_or(matches!(timing, Timing::Every(_))),
            timing,
            splay: job.get("splay").or(common_splay).map(splay).transpose()?.flatten(),
            maxrunning: number(job, "maxrunning")?.unwrap_or(1).max(1) as usize,
            return_job: job.get("return_job").is_none_or(truth),
            metadata: job.get("metadata").cloned().unwrap_or_default(),
        }))
    }

    /// A job of our own making.
    pub fn every(name: &str, function: FunctionName, every: Duration) -> Self {
        Self {
            name: name.to_owned(),
            function,
            args: Args::default(),
            timing: Timing::Every(every),
            splay: None,
            maxrunning: 1,
            run_on_start: true,
            return_job: false,
            metadata: Value::Null,
        }
    }

    /// How long after `now` it is due; `None` if never again.
    pub fn due_in(&self, now: &Zoned) -> Option<Duration> {
        let next = match &self.timing {
            Timing::Every(every) => return Some(*every),
            Timing::Cron(cron) => cron.find_next_occurrence(now, false).ok()?,
            Timing::When(times) => times.iter().filter_map(|time| time.after(now)).min()?,
            Timing::Once(time) => time.to_zoned(now.time_zone().clone()).ok().filter(|time| time > now)?,
        };
        // At least a moment, so that a time is not found twice.
        let wait = Duration::try_from(now.duration_until(&next)).unwrap_or_default();
        Some(wait.max(Duration::from_millis(1)))
    }

    /// Whether it goes by the clock on the wall, which may be set.
    pub fn is_by_clock(&self) -> bool {
        !matches!(self.timing, Timing::Every(_))
    }

    /// How much later than due it runs. `random` is uniform in `0.0..1.0`.
    pub fn splay(&self, random: f64) -> Duration {
        self.splay.map_or(Duration::ZERO, |(least, most)| {
            Duration::from_secs(least) + Duration::from_secs(most.saturating_sub(least)).mul_f64(random.clamp(0.0, 1.0))
        })
    }
}

fn timing(job: &Map) -> Result<Timing, String> {
    let mut seconds = 0u64;
    let mut timings = Vec::new();
    for (unit, length) in [("seconds", 1), ("minutes", 60), ("hours", 3600), ("days", 86400)] {
        seconds = seconds.saturating_add(number(job, unit)?.unwrap_or(0).saturating_mul(length));
    }
    if seconds > 0 {
        timings.push(Timing::Every(Duration::from_secs(seconds.min(366 * 86400))));
    }
    if let Some(pattern) = job.get("cron") {
        let pattern = text_of(pattern);
        let cron = Cron::from_str(&pattern).map_err(|error| format!("cron {pattern:?}: {error}"))?;
        timings.push(Timing::Cron(Box::new(cron)));
    }
    if let Some(times) = job.get("when") {
        let times = times.as_array().map_or_else(|| std::slice::from_ref(times), Vec::as_slice);
        let times = times.iter().map(|time| text_of(time).parse()).collect::<Result<_, _>>()?;
        timings.push(Timing::When(times));
    }
    if let Some(time) = job.get("once") {
        let text = text_of(time);
        timings.push(Timing::Once(text.parse().map_err(|_| format!("once {text:?}: write 2026-11-21T14:00:00"))?));
    }
    match timings.len() {
        1 => Ok(timings.remove(0)),
        0 => Err("it does not say when: seconds, minutes, hours, days, cron, when or once".into()),
        _ => Err("it says in several ways when; use one of seconds (and the like), cron, when, once".into()),
    }
}

fn number(job: &Map, key: &str) -> Result<Option<u64>, String> {
    let Some(value) = job.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
    let read = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
    read.map(Some).ok_or_else(|| format!("{key} must be a whole number, not {value}"))
}

fn splay(value: &Value) -> Result<Option<(u64, u64)>, String> {
    let wrong = || format!("splay must be seconds, or start and end, not {value}");
    match value {
        Value::Null => Ok(None),
        Value::Object(range) => {
            let (start, end) = (number(range, "start")?, number(range, "end")?);
            start.zip(end).filter(|(start, end)| start <= end).map(Some).ok_or_else(wrong)
        }
        value => value.as_u64().map(|most| (most > 0).then_some((1, most))).ok_or_else(wrong),
    }
}

fn args(job: &Map) -> Result<Args, String> {
    let given = |names: [&str; 2]| names.into_iter().find_map(|name| job.get(name)).filter(|value| !value.is_null());
    let positional = match given(["args", "job_args"]) {
        None => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    };
    let named = match given(["kwargs", "job_kwargs"]) {
        None => Map::new(),
        Some(Value::Object(map)) => map.clone(),
        Some(other) => return Err(format!("kwargs must be a mapping, not {other}")),
    };
    Ok(Args { positional, named })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse::<DateTime>().unwrap().in_tz("UTC").unwrap()
    }

    fn one(job: Value) -> Entry {
        parse(&json!({"job": job})).unwrap().remove(0)
    }

    fn refusal(job: Value) -> String {
        parse(&json!({"job": job})).unwrap_err()
    }

    #[test]
    fn intervals_add_up_and_run_at_start() {
        let entry = one(json!({"function": "state.apply", "minutes": 1, "seconds": "30", "kwargs": {"test": true}}));
        assert_eq!(entry.due_in(&at("2026-11-21T00:00")), Some(Duration::from_secs(90)));
        assert!(entry.run_on_start && entry.return_job && !entry.is_by_clock());
        assert_eq!((entry.maxrunning, &entry.args.named["test"]), (1, &json!(true)));
        assert!(!one(json!({"function": "a.b", "hours": 1, "run_on_start": false})).run_on_start);
    }

    #[test]
    fn cron_goes_by_the_clock() {
        let entry = one(json!({"function": "state.highstate", "cron": "*/15 3 * * *"}));
        assert_eq!(entry.due_in(&at("2026-11-21T03:20")), Some(Duration::from_secs(600)));
        assert_eq!(entry.due_in(&at("2026-11-21T03:45")), Some(Duration::from_secs(86400 - 45 * 60)));
        assert!(!entry.run_on_start && entry.is_by_clock());
    }

    #[test]
    fn once_is_once() {
        let entry = one(json!({"function": "a.b", "once": "2026-11-21T12:00:00"}));
        assert_eq!(entry.due_in(&at("2026-11-21T11:59")), Some(Duration::from_secs(60)));
        assert_eq!(entry.due_in(&at("2026-11-21T12:00")), None);
    }

    #[test]
    fn splay_spreads() {
        let spread = |value| one(json!({"function": "a.b", "seconds": 9, "splay": value}));
        assert_eq!(spread(json!(11)).splay(0.5), Duration::from_secs(6));
        assert_eq!(spread(json!({"start": 10, "end": 20})).splay(0.0), Duration::from_secs(10));
        assert_eq!(spread(json!(null)).splay(1.0), Duration::ZERO);
        let common = parse(&json!({"splay": 5, "job": {"function": "a.b", "seconds": 9}})).unwrap();
        assert_eq!(common[0].splay(1.0), Duration::from_secs(5));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        assert_eq!(refusal(json!({"function": "a.b"})).split(':').nth(1), Some(" job"));
        assert!(refusal(json!({"seconds": 3})).contains("names no function"));
        assert!(refusal(json!({"function": "a.b", "seconds": 3, "cron": "* * * * *"})).contains("several ways"));
        assert!(refusal(json!({"function": "a.b", "cron": "61 * * * *"})).contains("cron"));
        assert!(refusal(json!({"function": "a.b", "seconds": "x"})).contains("whole number"));
        assert!(refusal(json!({"function": "a.b", "seconds": 1, "range": {}})).contains("range is not supported"));
        assert!(refusal(json!({"function": "a.b", "seconds": 1, "splay": {"start": 2, "end": 1}})).contains("splay"));
        assert!(parse(&json!([])).is_err());
    }

    #[test]
    fn what_is_switched_off_is_left_out() {
        let off = json!({"a": {"function": "a.b", "seconds": 1, "enabled": false}});
        assert!(parse(&off).unwrap().is_empty());
        assert!(parse(&json!({"enabled": false, "a": {"function": "a.b", "seconds": 1}})).unwrap().is_empty());
    }
}
