//! What templates of orchestrations may call beside the functions that every template has: the mine,
//! and the master's own functions that only look.

use orchestrate::{
    Director,
    fleet::{Refused, Side},
};
use proto::{Args, Map, Value};
use states::{CallError, Context, Effect, Function, call::Param};

const fn need(name: &'static str) -> Param {
    Param { name, default: None }
}

const fn opt(name: &'static str, default: &'static str) -> Param {
    Param { name, default: Some(default) }
}

pub static TABLE: &[Function] = &[
    Function {
        name: "mine.get",
        doc: "Gives what minions keep in the mine.",
        params: &[need("tgt"), need("fun"), opt("tgt_type", "glob")],
        effect: Effect::Reads,
        call: |context, args| look(context, Side::Runner, "mine.get", &args),
    },
    Function {
        name: "saltutil.runner",
        doc: "Calls a runner function of the master that only looks.",
        params: &[need("name"), opt("arg", "None"), opt("kwarg", "None")],
        effect: Effect::Reads,
        call: |context, args| by_name(context, Side::Runner, args),
    },
    Function {
        name: "saltutil.wheel",
        doc: "Calls a wheel function of the master that only looks.",
        params: &[need("name"), opt("arg", "None"), opt("kwarg", "None")],
        effect: Effect::Reads,
        call: |context, args| by_name(context, Side::Wheel, args),
    },
    plain("test.echo", "Gives its argument back.", &[need("text")], |_, args| {
        let text = args.positional.into_iter().next().or_else(|| args.named.get("text").cloned());
        text.ok_or_else(|| CallError::arguments("the argument text is missing"))
    }),
    plain("test.false", "Gives `false`.", &[], |_, _| Ok(false.into())),
    plain("test.ping", "Gives `true`.", &[], |_, _| Ok(true.into())),
    plain("test.true", "Gives `true`.", &[], |_, _| Ok(true.into())),
];

/// Functions that read nothing of a host, and that conditions and `fail_function` are made of.
const fn plain(
    name: &'static str,
    doc: &'static str,
    params: &'static [Param],
    call: fn(&Context<'_>, Args) -> Result<Value, CallError>,
) -> Function {
    Function { name, doc, params, effect: Effect::Reads, call }
}

fn look(context: &Context<'_>, side: Side, name: &str, args: &Args) -> Result<Value, CallError> {
    let beyond = context.agent.and_then(states::call::Agent::beyond);
    let director = beyond.and_then(|any| any.downcast_ref::<Director>());
    let director = director.ok_or_else(|| CallError::failed(format!("{name} is for orchestrations")))?;
    director.0.look(side, name, args).map_err(|why: Refused| CallError::failed(why.to_string()))
}

/// `saltutil.runner(name, arg=[…], kwarg={…})`; other named arguments are the function's too, as with Salt.
fn by_name(context: &Context<'_>, side: Side, mut args: Args) -> Result<Value, CallError> {
    let lacks = || CallError::arguments("the argument name is missing");
    let name = match args.positional.is_empty() {
        true => args.named.shift_remove("name").ok_or_else(lacks)?,
        false => args.positional.remove(0),
    };
    let mut positional = match args.named.shift_remove("arg") {
        Some(Value::Array(items)) => items,
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one],
    };
    positional.extend(args.positional);
    let mut named = match args.named.shift_remove("kwarg") {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    named.extend(args.named);
    look(context, side, &states::value::python_str(&name), &Args { positional, named })
}
