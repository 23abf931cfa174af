//! `event.send`. Salt's `modules/event.py`.

use proto::{Args, Map, Value};
use states::{CallError, Context, Effect, Function};

use super::bind::{Bound, NAMED, bind, need, truth, with};

pub static TABLE: &[Function] = &[Function {
    name: "event.send",
    doc: "Sends an event to the master. Tags that begin with `salt/` or `overstate/` are the bus's own and \
          are refused.\n\n    ctl run web1 event.send myco/deploy/done '{version: 7}'",
    params: SEND,
    effect: Effect::Runs,
    call: send,
}];

static SEND: &[states::call::Param] = &[
    need("tag"),
    with("data", "None"),
    with("preload", "None"),
    with("with_env", "False"),
    with("with_grains", "False"),
    with("with_pillar", "False"),
    with("with_env_opts", "False"),
    NAMED,
];

fn send(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("event.send", SEND, args)?;
    let tag = bound.need_text("tag")?;
    let mut data = Map::new();
    let environment: Map = std::env::vars().map(|(name, value)| (name, value.into())).collect();
    add(&mut data, "environ", bound.value("with_env"), &environment);
    add(&mut data, "grains", bound.value("with_grains"), context.look.grains());
    add(&mut data, "pillar", bound.value("with_pillar"), context.pillar);
    if bound.flag("with_env_opts", false) {
        for key in ["saltenv", "pillarenv"] {
            data.insert(key.into(), context.opts.get(key).cloned().unwrap_or_default());
        }
    }
    data.extend(bound.named.clone());
    data.extend(given(&bound)?);
    context.agent()?.send_event(&tag, Value::Object(data)).map(|()| Value::Bool(true))
}

fn given(bound: &Bound) -> Result<Map, CallError> {
    match bound.value("data") {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(other) => Err(bound.wrong("data", "a mapping", other)),
    }
}

/// Adds all of `source`, or those of its keys that a list names.
fn add(data: &mut Map, name: &str, wanted: Option<&Value>, source: &Map) {
    let part = match wanted {
        Some(Value::Array(keys)) => {
            keys.iter().filter_map(|key| Some((key.as_str()?.to_owned(), source.get(key.as_str()?)?.clone()))).collect()
        }
        Some(value) if truth(value) => source.clone(),
        _ => return,
    };
    data.insert(name.into(), Value::Object(part));
}
