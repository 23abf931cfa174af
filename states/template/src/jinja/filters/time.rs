//! Filters on time.

use jiff::{Timestamp, Zoned, civil, tz::TimeZone};

use super::{Table, string};
use crate::jinja::{Error, Eval, error, object::Args, value::Value};

pub const TABLE: Table = &[("strftime", strftime), ("date_format", strftime)];

fn strftime(_: &mut Eval<'_>, value: Value, args: &Args) -> Result<Value, Error> {
    let format = args.text_or(0, "format", "%Y-%m-%d")?;
    let time = cast(&value)?;
    match jiff::fmt::strtime::format(format, &time) {
        Ok(text) => Ok(text.into()),
        Err(why) => error(format!("the format '{format}' cannot be used: {why}")),
    }
}

/// Seconds since 1970, a date, or now.
fn cast(value: &Value) -> Result<Zoned, Error> {
    if matches!(value.check()?, Value::None) {
        return Ok(Zoned::now());
    }
    if let Some(seconds) = value.as_float() {
        return from_seconds(seconds);
    }
    let text = string(value)?;
    if let Ok(seconds) = text.parse::<f64>() {
        return from_seconds(seconds);
    }
    let clean = text.replace('/', "-");
    let civil =
        clean.parse::<civil::DateTime>().or_else(|_| clean.parse::<civil::Date>().map(|date| date.at(0, 0, 0, 0)));
    match civil.map(|civil| civil.to_zoned(TimeZone::system())) {
        Ok(Ok(time)) => Ok(time),
        _ => error(format!("Unable to parse {text}")),
    }
}

fn from_seconds(seconds: f64) -> Result<Zoned, Error> {
    let micros = (seconds * 1e6) as i64;
    match Timestamp::from_microsecond(micros) {
        Ok(time) => Ok(time.to_zoned(TimeZone::system())),
        Err(_) => error(format!("{seconds} is too far from 1970")),
    }
}
