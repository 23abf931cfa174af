//! `environ.*`: the minion's own environment. Salt's `modules/environ.py`; only what reads: what a
//! job sets ends with it.

use proto::{Map, Value};
use states::{CallError, Context, Function};

use super::bind::{Bound, need, row, text_of, with};

pub static TABLE: &[Function] = &[
    row!(
        "environ.get",
        Reads,
        [need("key"), with("default", "''")],
        |_, bound| {
            let default = || if bound.is_null("default") { Value::Null } else { "".into() };
            let default = bound.value("default").cloned().unwrap_or_else(default);
            Ok(std::env::var(bound.need_text("key")?).map_or(default, Value::from))
        },
        "Gives a variable of the environment.\n\n    ctl run '*' environ.get PATH"
    ),
    row!(
        "environ.has_value",
        Reads,
        [need("key"), with("value", "None")],
        |_, bound| {
            let wanted = bound.text("value")?;
            let found = std::env::var(bound.need_text("key")?).ok();
            Ok(found.is_some_and(|found| wanted.is_none_or(|wanted| wanted == found)).into())
        },
        "Tells whether a variable is set, or set to a value.\n\n    ctl run '*' environ.has_value HOME"
    ),
    row!(
        "environ.item",
        Reads,
        [need("keys"), with("default", "''")],
        item,
        "Gives several variables of the environment by name.\n\n    ctl run '*' environ.item '[HOME, PATH]'"
    ),
    row!(
        "environ.items",
        Reads,
        [],
        |_, _| {
            let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
            Ok(std::env::vars_os().map(|(name, value)| (text(name), text(value).into())).collect::<Map>().into())
        },
        "Shows the environment.\n\n    ctl run '*' environ.items"
    ),
];

fn item(_: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let keys = match bound.value("keys") {
        Some(Value::Array(keys)) => keys.iter().map(text_of).collect(),
        _ => vec![bound.need_text("keys")?],
    };
    let default = bound.text("default")?.unwrap_or_default();
    let one = |key: String| (key.clone(), std::env::var(key).unwrap_or_else(|_| default.clone()).into());
    Ok(keys.into_iter().map(one).collect::<Map>().into())
}
