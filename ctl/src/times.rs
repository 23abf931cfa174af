//! Times and durations as people type them, and as we print them.

use jiff::{
    Timestamp, ToSpan as _, Zoned,
    civil::{Date, DateTime, Time, Weekday},
    tz::TimeZone,
};

/// A duration option: `30s`, `5m`, `1h`, `2d`, `1h30m`, or plain seconds.
///
/// Gives seconds. The error is a sentence for the user.
pub fn seconds(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no duration; write 30s, 5m, 1h, 2d, 1h30m or plain seconds");
    if text.is_empty() {
        return Err(wrong());
    }
    let mut total: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
        let unit = match &rest[..letters] {
            "s" | "sec" | "seconds" => 1,
            "" if rest.is_empty() && total == 0 => 1,
            "m" | "min" | "minutes" => 60,
            "h" | "hours" => 3600,
            "d" | "days" => 86400,
            "w" | "weeks" => 7 * 86400,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        total = number.checked_mul(unit).and_then(|n| total.checked_add(n)).ok_or_else(wrong)?;
    }
    u32::try_from(total).map_err(|_| format!("{text:?} is longer than a duration may be"))
}

/// Which end of a day a bare date means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// `--since tuesday`: from its first moment.
    Start,
    /// `--until tuesday`: that day included.
    End,
}

/// `--since` and `--until` together, in microseconds since 1970. A weekday means the last one
/// that has begun; that of `since` is counted back from `until`, so that
/// `--since tuesday --until wednesday` is two days whatever today is.
pub fn range(since: Option<&str>, until: Option<&str>, now: &Zoned) -> Result<(Option<u64>, Option<u64>), String> {
    let until = until.map(|text| moment(text, now, Edge::End)).transpose()?;
    let reference = until.as_ref().filter(|until| *until < now).unwrap_or(now);
    let since = since.map(|text| moment_since(text, now, reference)).transpose()?;
    if let (Some(since), Some(until)) = (&since, &until)
        && since > until
    {
        return Err(format!(
            "the time between {} and {} is empty",
            since.strftime("%Y-%m-%d %H:%M"),
            until.strftime("%Y-%m-%d %H:%M")
        ));
    }
    Ok((since.as_ref().map(micros), until.as_ref().map(micros)))
}

fn moment_since(text: &str, now: &Zoned, reference: &Zoned) -> Result<Zoned, String> {
    let from = if weekday(text.trim_start_matches("last ")).is_some() { reference } else { now };
    moment(text, from, Edge::Start)
}

/// The moment that `text` names: `now`, `today`, `yesterday`, `tuesday`, `last tuesday`, `14:00`,
/// `yesterday 14:00`, `2h`, `2h ago`, `2026-11-20`, `2026-11-20 14:00[:05]`, RFC 3339, or a job id.
pub fn moment(text: &str, now: &Zoned, edge: Edge) -> Result<Zoned, String> {
    let text = text.trim().to_lowercase();
    let wrong =
        || format!("{text:?} is no time; write yesterday, tuesday, 14:00, 2h (ago), 2026-11-20 or '2026-11-20 14:00'");
    if text == "now" {
        return Ok(now.clone());
    }
    if let Ok(jid) = text.parse::<proto::JobId>() {
        return from_micros(jid.micros()).map(|time| time.to_zoned(now.time_zone().clone())).ok_or_else(wrong);
    }
    if let Ok(time) = text.to_uppercase().parse::<Timestamp>() {
        return Ok(time.to_zoned(now.time_zone().clone()));
    }
    let ago = text.strip_suffix(" ago").unwrap_or(&text);
    if ago.ends_with(|c: char| c.is_ascii_alphabetic())
        && let Ok(ago) = seconds(ago)
    {
        return now.checked_sub(i64::from(ago).seconds()).map_err(|_| wrong());
    }
    let civil = civil(&text, now, edge).ok_or_else(wrong)?;
    civil.to_zoned(now.time_zone().clone()).map_err(|_| wrong())
}

fn civil(text: &str, now: &Zoned, edge: Edge) -> Option<DateTime> {
    if let Some(time) = clock_time(text) {
        return Some(now.date().to_datetime(time));
    }
    let (day, time) = match text.rsplit_once([' ', 't']) {
        Some((day, time)) if clock_time(time).is_some() => (day, clock_time(time)),
        _ => (text, None),
    };
    let date = date(day, now.date())?;
    Some(date.to_datetime(time.unwrap_or(match edge {
        Edge::Start => Time::midnight(),
        Edge::End => Time::MAX,
    })))
}

fn clock_time(text: &str) -> Option<Time> {
    ["%H:%M", "%H:%M:%S"].iter().find_map(|format| Time::strptime(format, text).ok())
}

fn date(text: &str, today: Date) -> Option<Date> {
    match text {
        "today" => return Some(today),
        "yesterday" => return today.yesterday().ok(),
        _ => {}
    }
    if let Some(day) = weekday(text) {
        let back = day.since(today.weekday());
        return today.checked_sub(((7 - i64::from(back)) % 7).days()).ok();
    }
    if let Some(day) = text.strip_prefix("last ").and_then(weekday) {
        return today.nth_weekday(-1, day).ok();
    }
    Date::strptime("%Y-%m-%d", text).ok()
}

fn weekday(text: &str) -> Option<Weekday> {
    const DAYS: [(&str, Weekday); 7] = [
        ("monday", Weekday::Monday),
        ("tuesday", Weekday::Tuesday),
        ("wednesday", Weekday::Wednesday),
        ("thursday", Weekday::Thursday),
        ("friday", Weekday::Friday),
        ("saturday", Weekday::Saturday),
        ("sunday", Weekday::Sunday),
    ];
    DAYS.into_iter().find(|(name, _)| text.len() >= 3 && name.starts_with(text)).map(|(_, day)| day)
}

fn micros(time: &Zoned) -> u64 {
    u64::try_from(time.timestamp().as_microsecond()).unwrap_or(0)
}

fn from_micros(micros: u64) -> Option<Timestamp> {
    Timestamp::from_microsecond(i64::try_from(micros).ok()?).ok()
}

/// Now, in the operator's time zone.
pub fn now() -> Zoned {
    Zoned::now()
}

/// A time for people: `10:41` today, `2026-11-20 10:41` on other days.
pub fn show(micros: u64, now: &Zoned) -> String {
    let Some(time) = from_micros(micros) else { return "?".into() };
    let time = time.to_zoned(now.time_zone().clone());
    let format = if time.date() == now.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    time.strftime(format).to_string()
}

/// A time in a narrow column: `10:41` today, `11-20 10:41` on other days.
pub fn show_short(micros: u64, now: &Zoned) -> String {
    let long = show(micros, now);
    let this_year = now.strftime("%Y-").to_string();
    long.strip_prefix(&this_year).map(str::to_owned).unwrap_or(long)
}

/// A time with its seconds, for a table of jobs or events.
pub fn show_exact(micros: u64, now: &Zoned) -> String {
    let Some(time) = from_micros(micros) else { return "?".into() };
    time.to_zoned(now.time_zone().clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time for programs: RFC 3339, UTC.
pub fn json(micros: u64) -> serde_json::Value {
    match from_micros(micros) {
        Some(time) => time.to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string().into(),
        None => serde_json::Value::Null,
    }
}

/// A length of time for people: `0.3 s`, `12 s`, `4 min`, `3 h`, `2 d`.
pub fn show_length(micros: u64) -> String {
    let seconds = micros / 1_000_000;
    match seconds {
        0..10 => format!("{:.1} s", micros as f64 / 1e6),
        10..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Zoned {
        // A Saturday.
        "2026-11-21T10:41:05+00:00[UTC]".parse().unwrap()
    }

    fn start(text: &str) -> String {
        moment(text, &now(), Edge::Start).unwrap().strftime("%a %Y-%m-%d %H:%M:%S").to_string()
    }

    #[test]
    fn durations_as_people_type_them() {
        for (text, expected) in [("30", 30), ("30s", 30), ("5m", 300), ("1h", 3600), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(seconds(text), Ok(expected), "{text}");
        }
        for bad in ["", "x", "5x", "-3", "1.5", "m", "5m3", "99999999999999999999s", "4000000000000"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_as_people_type_them() {
        for (text, expected) in [
            ("now", "Sat 2026-11-21 10:41:05"),
            ("today", "Sat 2026-11-21 00:00:00"),
            ("yesterday", "Fri 2026-11-20 00:00:00"),
            ("yesterday 14:00", "Fri 2026-11-20 14:00:00"),
            ("Tuesday", "Tue 2026-11-17 00:00:00"),
            ("last tuesday", "Tue 2026-11-17 00:00:00"),
            ("saturday", "Sat 2026-11-21 00:00:00"),
            ("last saturday", "Sat 2026-11-14 00:00:00"),
            ("tue 9:30", "Tue 2026-11-17 09:30:00"),
            ("14:00", "Sat 2026-11-21 14:00:00"),
            ("2h", "Sat 2026-11-21 08:41:05"),
            ("2h ago", "Sat 2026-11-21 08:41:05"),
            ("1d", "Fri 2026-11-20 10:41:05"),
            ("2026-11-20", "Fri 2026-11-20 00:00:00"),
            ("2026-11-20 14:00", "Fri 2026-11-20 14:00:00"),
            ("2026-11-20T14:00:05", "Fri 2026-11-20 14:00:05"),
            ("2026-11-20T14:00:00+02:00", "Fri 2026-11-20 12:00:00"),
            ("20261121090000000000", "Sat 2026-11-21 09:00:00"),
        ] {
            assert_eq!(start(text), expected, "{text}");
        }
        for bad in ["", "soon", "25:00", "2026-13-01", "tu", "ago", "-2h"] {
            assert!(moment(bad, &now(), Edge::Start).is_err(), "{bad}");
        }
    }

    #[test]
    fn between_last_tuesday_and_wednesday_is_two_days() {
        let (since, until) = range(Some("last tuesday"), Some("wednesday"), &now()).unwrap();
        let day = |micros: Option<u64>| show_exact(micros.unwrap(), &now());
        assert_eq!((day(since), day(until)), ("2026-11-17 00:00:00".into(), "2026-11-18 23:59:59".into()));
        // Said on a Tuesday, the Tuesday before that Wednesday is meant.
        let tuesday: Zoned = "2026-11-24T09:00:00+00:00[UTC]".parse().unwrap();
        let (since, _) = range(Some("tuesday"), Some("wednesday"), &tuesday).unwrap();
        assert_eq!(show_exact(since.unwrap(), &tuesday), "2026-11-17 00:00:00");
        assert!(range(Some("today"), Some("yesterday"), &now()).is_err());
    }

    #[test]
    fn times_are_printed_short_today() {
        let at = |text: &str| u64::try_from(text.parse::<Timestamp>().unwrap().as_microsecond()).unwrap();
        assert_eq!(show(at("2026-11-21T09:05:00Z"), &now()), "09:05");
        assert_eq!(show(at("2026-11-20T09:05:00Z"), &now()), "2026-11-20 09:05");
        assert_eq!(show_short(at("2026-11-20T09:05:00Z"), &now()), "11-20 09:05");
        assert_eq!(show_short(at("2025-11-20T09:05:00Z"), &now()), "2025-11-20 09:05");
        assert_eq!(show(u64::MAX, &now()), "?");
        assert_eq!(json(at("2026-11-20T09:05:00.5Z")), "2026-11-20T09:05:00.500000Z");
    }
}
