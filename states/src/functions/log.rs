//! `log.*`: a template's words for the log. They are taken, and give `True`, as in Salt.

use proto::{Args, Value};

use super::need;
use crate::{CallError, Context, Effect, Function, call::Param};

const PARAMS: &[Param] = &[need("message")];

pub const TABLE: &[Function] = &[
    Function {
        name: "log.debug",
        doc: "Logs a message at debug level.\n\nctl run '*' log.debug hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
    Function {
        name: "log.info",
        doc: "Logs a message at info level.\n\nctl run '*' log.info hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
    Function {
        name: "log.warning",
        doc: "Logs a message at warning level.\n\nctl run '*' log.warning hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
    Function {
        name: "log.error",
        doc: "Logs a message at error level.\n\nctl run '*' log.error hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
    Function {
        name: "log.critical",
        doc: "Logs a message at critical level.\n\nctl run '*' log.critical hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
    Function {
        name: "log.exception",
        doc: "Logs a message at error level.\n\nctl run '*' log.exception hello",
        params: PARAMS,
        effect: Effect::Reads,
        call: log,
    },
];

fn log(_: &Context<'_>, _: Args) -> Result<Value, CallError> {
    Ok(Value::Bool(true))
}
