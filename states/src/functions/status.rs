//! `status.time`: the host's clock, for templates.

use proto::Value;

use super::{args::Given, opt};
use crate::{CallError, Effect, Function};

pub const TABLE: &[Function] = &[Function {
    name: "status.time",
    doc: "Gives the time in a format of strftime's.\n\nctl run '*' status.time '%Y-%m-%d'",
    params: &[opt("format", "%A, %d. %B %Y %I:%M%p")],
    effect: Effect::Reads,
    call: |_, args| {
        let format = Given::new(&args, &["format"]).text_or("format", "%A, %d. %B %Y %I:%M%p");
        match jiff::fmt::strtime::format(&format, &jiff::Zoned::now()) {
            Ok(text) => Ok(Value::String(text)),
            Err(why) => Err(CallError::arguments(format!("the format '{format}' cannot be used: {why}"))),
        }
    },
}];
