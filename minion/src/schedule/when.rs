//! Times as people write them for `when`: `5:00pm`, `Monday 17:00`, `2026-11-21 17:00`.

use std::str::FromStr;

use jiff::{
    ToSpan, Zoned,
    civil::{DateTime, Time, Weekday},
};

#[derive(Debug, Clone, PartialEq)]
pub enum When {
    /// Every day, or every such weekday.
    Every(Option<Weekday>, Time),
    At(DateTime),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("when {text:?} is not understood; write 5:00pm, Monday 17:00 or 2026-11-21 17:00");
        if let Ok(at) = text.trim().parse() {
            return Ok(Self::At(at));
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            [time] => clock(time).map(|time| Self::Every(None, time)),
            [first, second] => match weekday(first) {
                Some(day) => clock(second).map(|time| Self::Every(Some(day), time)),
                None => clock(&format!("{first}{second}"))
                    .map(|time| Self::Every(None, time))
                    .or_else(|| Some(Self::At(first.parse::<jiff::civil::Date>().ok()?.to_datetime(clock(second)?)))),
            },
            [day, time, half] => {
                let time = clock(&format!("{time}{half}"));
                let weekly = weekday(day).zip(time).map(|(day, time)| Self::Every(Some(day), time));
                weekly.or_else(|| Some(Self::At(day.parse::<jiff::civil::Date>().ok()?.to_datetime(time?))))
            }
            _ => None,
        }
        .ok_or_else(wrong)
    }
}

/// `17:00`, `17:00:30`, `5pm`, `5:00pm`.
fn clock(text: &str) -> Option<Time> {
    let text = text.to_ascii_lowercase();
    let (digits, add) = match (text.strip_suffix("am"), text.strip_suffix("pm")) {
        (Some(rest), _) => (rest, Some(0)),
        (_, Some(rest)) => (rest, Some(12)),
        _ => (text.as_str(), None),
    };
    let parts = digits.split(':').map(|part| part.parse().ok()).collect::<Option<Vec<i8>>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour] if add.is_some() => (*hour, 0, 0),
        [hour, minute] => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let hour = match add {
        Some(add) if (1..=12).contains(&hour) => hour % 12 + add,
        Some(_) => return None,
        None => hour,
    };
    Time::new(hour, minute, second, 0).ok()
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
    let text = text.to_ascii_lowercase();
    DAYS.into_iter().find(|(name, _)| text.len() >= 3 && name.starts_with(&text)).map(|(_, day)| day)
}

impl When {
    /// The first such time after `now`, where `now` is.
    pub fn after(&self, now: &Zoned) -> Option<Zoned> {
        let zone = now.time_zone().clone();
        match self {
            Self::At(at) => at.to_zoned(zone).ok().filter(|at| at > now),
            // A day without this time (clocks are put forward) has the next one there is.
            Self::Every(day, time) => (0..=7).find_map(|days| {
                let date = now.date().checked_add(days.days()).ok()?;
                let fits = day.is_none_or(|day| date.weekday() == day);
                date.to_datetime(*time).to_zoned(zone.clone()).ok().filter(|at| fits && at > now)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(when: &str, now: &str) -> Option<String> {
        let now = now.parse::<DateTime>().unwrap().in_tz("UTC").unwrap();
        when.parse::<When>().unwrap().after(&now).map(|at| at.datetime().to_string())
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        // A Saturday.
        let now = "2026-11-21T14:00";
        for (when, then) in [
            ("5:00pm", "2026-11-21T17:00:00"),
            ("5 pm", "2026-11-21T17:00:00"),
            ("9:30am", "2026-11-22T09:30:00"),
            ("12am", "2026-11-22T00:00:00"),
            ("14:00", "2026-11-22T14:00:00"),
            ("Monday 17:00", "2026-11-23T17:00:00"),
            ("sat 1:00 pm", "2026-11-28T13:00:00"),
            ("2026-12-24 18:00", "2026-12-24T18:00:00"),
            ("2026-12-24 6:00pm", "2026-12-24T18:00:00"),
            ("2026-12-24 6:00 pm", "2026-12-24T18:00:00"),
        ] {
            assert_eq!(next(when, now).as_deref(), Some(then), "{when}");
        }
        assert_eq!(next("2026-11-20 18:00", now), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for bad in ["", "noon", "25:00", "13pm", "0pm", "5", "Foday 5:00pm", "1:2:3:4", "5:xx"] {
            assert!(bad.parse::<When>().is_err(), "{bad}");
        }
    }
}
