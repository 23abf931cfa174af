//! `mine.*`: what minions let one another know. Salt's `modules/mine.py`.

mod definition;

use std::collections::BTreeMap;

use proto::{
    Args, Map, Question, Value,
    codec::{self, Limits},
    question::{ANSWER, MineAnswer, MineEntry, MineName},
};
use serde_json::json;
use states::{CallError, Context, Effect, Function, call::Param};

use super::bind::{NAMED, REST, bind, need, with};
use definition::{Definition, compound};

pub static TABLE: &[Function] = &[
    Function {
        name: "mine.get",
        doc: "Gives what the matching minions keep in the mine under a name, by minion. Several names (a list, or \
              with commas between them) give a mapping by name.\n\n\
              ctl run '*' mine.get 'web*' network.ip_addrs",
        params: GET,
        effect: Effect::Reads,
        call: get,
    },
    Function {
        name: "mine.send",
        doc: "Calls a function and puts what it gives into the mine, under its name or as an alias of it \
              (`mine_function`). `allow_tgt` says who may have it.\n\n\
              ctl run '*' mine.send eth0_addrs mine_function=network.ip_addrs eth0",
        params: SEND,
        effect: Effect::Runs,
        call: send,
    },
    Function {
        name: "mine.update",
        doc: "Calls every function of `mine_functions` and puts what they give into the mine; with `clear`, all \
              else of this minion's is removed.\n\n    ctl run '*' mine.update",
        params: UPDATE,
        effect: Effect::Runs,
        call: |context, args| {
            let bound = bind("mine.update", UPDATE, args)?;
            let given = bound.value("mine_functions").map(definition::all).transpose()?;
            let functions = given.map_or_else(|| definition::configured(context), Ok)?;
            store(context, &functions, bound.flag("clear", false))
        },
    },
    Function {
        name: "mine.delete",
        doc: "Takes a name of this minion's out of the mine.\n\n    ctl run '*' mine.delete network.ip_addrs",
        params: &[need("fun")],
        effect: Effect::Runs,
        call: |context, args| {
            let fun = bind("mine.delete", &[need("fun")], args)?.need_text("fun")?;
            context.agent()?.ask(Question::MineDelete { names: vec![name(&fun)?] }).map(|_| Value::Bool(true))
        },
    },
    Function {
        name: "mine.flush",
        doc: "Takes everything of this minion's out of the mine.\n\n    ctl run '*' mine.flush",
        params: &[],
        effect: Effect::Runs,
        call: |context, args| {
            bind("mine.flush", &[], args)?;
            let nothing = Question::MineUpdate { entries: Vec::new(), clear: true };
            context.agent()?.ask(nothing).map(|_| Value::Bool(true))
        },
    },
    Function {
        name: "mine.valid",
        doc: "Lists what of `mine_functions` can be called here.\n\n    ctl run '*' mine.valid",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| {
            bind("mine.valid", &[], args)?;
            let functions = definition::configured(context)?;
            let there = functions.iter().filter(|(name, defined)| defined.is_available(name, context));
            let shown: Map = there.map(|(name, defined)| (name.clone(), defined.shown())).collect();
            Ok(if shown.is_empty() { Value::Null } else { Value::Object(shown) })
        },
    },
];

static GET: &[Param] = &[need("tgt"), need("fun"), with("tgt_type", "'glob'"), with("exclude_minion", "False")];
static SEND: &[Param] = &[need("name"), REST, NAMED];
static UPDATE: &[Param] = &[with("clear", "False"), with("mine_functions", "None")];

fn name(text: &str) -> Result<MineName, CallError> {
    text.parse().map_err(|error: proto::IdError| CallError::arguments(error.to_string()))
}

fn get(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("mine.get", GET, args)?;
    let texts: Vec<String> = bound.list("fun").iter().map(super::bind::text_of).collect();
    let names = texts.iter().map(|text| name(text)).collect::<Result<Vec<_>, _>>()?;
    let several = names.len() > 1 || bound.value("fun").is_some_and(Value::is_array);
    let tgt_type = bound.text("tgt_type")?.unwrap_or_else(|| "glob".into());
    let target = compound(&bound.need_text("tgt")?, &tgt_type)?;
    // Without a master there is no mine, and templates are to render all the same.
    let Ok(agent) = context.agent() else { return Ok(json!({})) };
    let bytes = agent.ask(Question::Mine { target, names: names.clone() })?;
    let mut answer: MineAnswer = codec::decode(&bytes, ANSWER).map_err(unreadable)?;
    if bound.flag("exclude_minion", false) {
        answer.values_mut().for_each(|minions| drop(minions.remove(context.id)));
    }
    let mut found = names.iter().map(|name| Ok((name.to_string(), values(answer.remove(name).unwrap_or_default())?)));
    match several {
        true => found.collect::<Result<Map, _>>().map(Value::Object),
        false => found.next().map_or(Ok(json!({})), |first| first.map(|(_, values)| values)),
    }
}

fn values(minions: BTreeMap<proto::MinionId, bytes::Bytes>) -> Result<Value, CallError> {
    let value = |bytes: &[u8]| codec::decode::<Value>(bytes, Limits::SMALL).map_err(unreadable);
    let all = minions.iter().map(|(minion, bytes)| Ok((minion.to_string(), value(bytes)?)));
    all.collect::<Result<Map, _>>().map(Value::Object)
}

fn unreadable(error: codec::CodecError) -> CallError {
    CallError::failed(format!("the master's answer cannot be read: {error}"))
}

fn send(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let bound = bind("mine.send", SEND, args)?;
    let alias = bound.need_text("name")?;
    let defined = Definition::new(bound.rest.clone(), bound.named.clone())?;
    if !defined.is_available(&alias, context) {
        return Ok(Value::Bool(false));
    }
    store(context, &[(alias, defined)], false)
}

/// Calls the functions and sends what they give. One that fails is left out, as in Salt.
fn store(context: &Context<'_>, functions: &[(String, Definition)], clear: bool) -> Result<Value, CallError> {
    let mut entries = Vec::new();
    for (alias, defined) in functions {
        match entry(context, alias, defined) {
            Ok(entry) => entries.push(entry),
            Err(error) if functions.len() == 1 => return Err(error),
            Err(error) => tracing::warn!(function = %alias, %error, "a function of the mine failed"),
        }
    }
    context.agent()?.ask(Question::MineUpdate { entries, clear }).map(|_| Value::Bool(true))
}

fn entry(context: &Context<'_>, alias: &str, defined: &Definition) -> Result<MineEntry, CallError> {
    let value = defined.call(alias, context)?;
    let data = codec::encode_within(&value, Limits::SMALL).map_err(|error| CallError::failed(error.to_string()))?;
    Ok(MineEntry { name: name(alias)?, data, allow_tgt: defined.allow_tgt.clone() })
}
