//! `state.show_*`: every stage of a compile.

use proto::{Args, Map, Value};

use super::{args::Given, args::list, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    call::Param,
    compile::{Chunk, Compiler, Options, Problems, chunks},
    glob, merge,
};

const SLS: &[Param] = &[need("mods"), opt("saltenv", "base"), opt("pillar", "None")];
const TOP: &[Param] = &[opt("saltenv", "None"), opt("pillar", "None")];

pub const TABLE: &[Function] = &[
    Function {
        name: "state.show_sls",
        doc: "Shows the high state of some SLS.\n\nctl run '*' state.show_sls web",
        params: SLS,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_sls),
    },
    Function {
        name: "state.show_low_sls",
        doc: "Shows the low state of some SLS: one entry for each state, in order.\n\nctl run '*' state.show_low_sls web",
        params: SLS,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_low_sls),
    },
    Function {
        name: "state.show_highstate",
        doc: "Shows the high state of what the top file gives.\n\nctl run '*' state.show_highstate",
        params: TOP,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_highstate),
    },
    Function {
        name: "state.show_lowstate",
        doc: "Shows the low state of what the top file gives, as it would run.\n\nctl run '*' state.show_lowstate",
        params: TOP,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_lowstate),
    },
    Function {
        name: "state.show_top",
        doc: "Shows which SLS the top file gives.\n\nctl run '*' state.show_top",
        params: TOP,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_top),
    },
    Function {
        name: "state.show_states",
        doc: "Lists the SLS that a highstate would apply, includes among them.\n\nctl run '*' state.show_states",
        params: &[opt("sorted", "True")],
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, show_states),
    },
    Function {
        name: "state.sls_exists",
        doc: "Tells whether SLS can be compiled.\n\nctl run '*' state.sls_exists web",
        params: SLS,
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, sls_exists),
    },
    Function {
        name: "state.id_exists",
        doc: "Tells whether ids are part of the highstate.\n\nctl run '*' state.id_exists nginx",
        params: &[need("ids")],
        effect: Effect::Reads,
        call: |c, a| with_pillar(c, &a, id_exists),
    },
];

/// `pillar=` of the command line lies over the pillar.
pub(super) fn with_pillar(
    context: &Context<'_>,
    args: &Args,
    show: fn(&Context<'_>, &Args) -> Result<Value, CallError>,
) -> Result<Value, CallError> {
    crate::stack::deep(|| over_pillar(context, args, show))
}

fn over_pillar(
    context: &Context<'_>,
    args: &Args,
    show: fn(&Context<'_>, &Args) -> Result<Value, CallError>,
) -> Result<Value, CallError> {
    let over = match args.named.get("pillar") {
        None | Some(Value::Null) => return show(context, args),
        Some(Value::Object(over)) => over,
        Some(_) => return Err(CallError::arguments("Pillar data must be formatted as a dictionary")),
    };
    let mut pillar: Map = context.pillar.clone();
    merge::update(&mut pillar, over.clone(), false);
    show(&Context { pillar: &pillar, ..context.copy() }, args)
}

pub(super) fn options(context: &Context<'_>, args: &Args) -> Options {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let saltenv = args.named.get("saltenv").or_else(|| context.opts.get("saltenv")).and_then(text);
    Options {
        saltenv,
        exclude: args
            .named
            .get("exclude")
            .map(|e| list(e).into_iter().map(Value::String).collect())
            .unwrap_or_default(),
    }
}

/// All that is wrong with a tree, as one error.
pub(super) fn failed(context: &Context<'_>, problems: Problems) -> CallError {
    context.retcode.store(1, std::sync::atomic::Ordering::Relaxed);
    CallError::Problems(problems)
}

pub(super) fn refuse_broken_pillar(context: &Context<'_>) -> Result<(), CallError> {
    match context.pillar.get("_errors") {
        Some(Value::Array(errors)) if !errors.is_empty() => {
            let shown: Vec<String> = errors.iter().map(crate::value::python_str).collect();
            Err(CallError::failed(format!("Pillar failed to render:\n{}", shown.join("\n"))))
        }
        _ => Ok(()),
    }
}

fn mods(args: &Args) -> Result<Vec<String>, CallError> {
    Ok(list(Given::new(args, &["mods"]).need("mods")?))
}

fn show_sls(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let env = options(context, args).saltenv.unwrap_or_else(|| "base".into());
    let (high, problems) = Compiler::new(context).high_of(&mods(args)?, &env);
    if problems.is_empty() { Ok(high.to_value()) } else { Err(failed(context, problems)) }
}

fn shown(chunks: Vec<Chunk>) -> Value {
    Value::Array(chunks.into_iter().map(|chunk| Value::Object(chunk.data)).collect())
}

fn show_low_sls(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let env = options(context, args).saltenv.unwrap_or_else(|| "base".into());
    Compiler::new(context).shown_low(&mods(args)?, &env).map(shown).map_err(|problems| failed(context, problems))
}

fn show_highstate(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let (high, problems) = Compiler::new(context).high_of_top(&options(context, args));
    if problems.is_empty() { Ok(high.to_value()) } else { Err(failed(context, problems)) }
}

fn show_lowstate(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    Compiler::new(context)
        .low_of_top(&options(context, args))
        .map(chunks)
        .map(shown)
        .map_err(|problems| failed(context, problems))
}

fn show_top(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let options = options(context, args);
    let matches =
        Compiler::new(context).top_matches(options.saltenv.as_deref()).map_err(|why| failed(context, vec![why]))?;
    Ok(Value::Object(matches.into_iter().map(|(env, sls)| (env, sls.into_iter().collect())).collect()))
}

fn show_states(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let steps =
        Compiler::new(context).low_of_top(&options(context, args)).map_err(|problems| failed(context, problems))?;
    let mut seen: Vec<String> = Vec::new();
    for step in &steps {
        let sls = step.chunk.text("__sls__").to_owned();
        if !seen.contains(&sls) {
            seen.push(sls);
        }
    }
    Ok(seen.into_iter().collect())
}

fn sls_exists(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    Ok(Value::Bool(show_sls(context, args).is_ok()))
}

fn id_exists(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let ids = list(Given::new(args, &["ids"]).need("ids")?);
    let (high, problems) = Compiler::new(context).high_of_top(&options(context, args));
    if !problems.is_empty() {
        return Err(failed(context, problems));
    }
    let known = |id: &String| high.decls.keys().any(|other| glob::matches(id, other));
    Ok(Value::Bool(ids.iter().all(known)))
}
