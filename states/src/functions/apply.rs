//! `state.apply` and its kin: compile, then run.

use std::sync::Arc;

use proto::{Args, Map, Value};

use super::{
    args::{Given, list, truth},
    need, opt,
    state::{failed, options, refuse_broken_pillar, with_pillar},
};
use crate::{
    CallError, Context, Effect, Function,
    call::{Param, Progress},
    compile::{Chunk, Compiler, Options, Problems, Step},
    glob,
    run::{self, Pauses, Row, Settings},
    yaml,
};

const SLS: &[Param] = &[
    need("mods"),
    opt("test", "None"),
    opt("exclude", "None"),
    opt("queue", "None"),
    opt("saltenv", "None"),
    opt("pillar", "None"),
];
const TOP: &[Param] = &[opt("test", "None"), opt("queue", "None"), opt("saltenv", "None"), opt("pillar", "None")];

pub const TABLE: &[Function] = &[
    Function {
        name: "state.apply",
        doc: "Applies the SLS that are named, or the highstate.\n\nctl run '*' state.apply web test=True",
        params: &[opt("mods", "None"), opt("test", "None"), opt("saltenv", "None"), opt("pillar", "None")],
        effect: Effect::Writes,
        call: apply,
    },
    Function {
        name: "state.sls",
        doc: "Applies some SLS.\n\nctl run '*' state.sls web,db",
        params: SLS,
        effect: Effect::Writes,
        call: |context, args| with_known("state.sls", context, &args, sls),
    },
    Function {
        name: "state.highstate",
        doc: "Applies what the top file gives this minion.\n\nctl run '*' state.highstate",
        params: TOP,
        effect: Effect::Writes,
        call: |context, args| with_known("state.highstate", context, &args, highstate),
    },
    Function {
        name: "state.top",
        doc: "Applies what another top file of the tree gives this minion.\n\nctl run '*' state.top reboot_top.sls",
        params: &[
            need("topfn"),
            opt("test", "None"),
            opt("queue", "None"),
            opt("saltenv", "None"),
            opt("pillar", "None"),
        ],
        effect: Effect::Writes,
        call: |context, args| with_known("state.top", context, &args, top),
    },
    Function {
        name: "state.test",
        doc: "Tells what `state.apply` would change, and changes nothing.\n\nctl run '*' state.test web",
        params: &[opt("mods", "None"), opt("saltenv", "None"), opt("pillar", "None")],
        effect: Effect::Reads,
        call: |context, args| {
            let args = args.with("test", true);
            let run = if given_mods(&args) { sls } else { highstate };
            with_known("state.test", &Context { host: None, ..context.copy() }, &args, run)
        },
    },
    Function {
        name: "state.sls_id",
        doc: "Applies the states of one id of some SLS, with what they require.\n\nctl run '*' state.sls_id nginx web",
        params: &[need("id_"), need("mods"), opt("test", "None"), opt("saltenv", "None"), opt("pillar", "None")],
        effect: Effect::Writes,
        call: |context, args| with_known("state.sls_id", context, &args, sls_id),
    },
    Function {
        name: "state.single",
        doc: "Applies one state, given by its arguments.\n\nctl run '*' state.single pkg.installed name=vim",
        params: &[need("fun"), need("name"), opt("test", "None")],
        effect: Effect::Writes,
        call: |context, args| with_pillar(context, &args, single),
    },
    Function {
        name: "state.low",
        doc: "Applies one low chunk.\n\nctl run '*' state.low '{state: pkg, fun: installed, name: vim}'",
        params: &[need("data")],
        effect: Effect::Writes,
        call: low,
    },
    Function {
        name: "state.high",
        doc: "Applies high data.\n\nctl run '*' state.high '{vim: {pkg: [installed]}}'",
        params: &[need("data"), opt("test", "None")],
        effect: Effect::Writes,
        call: high,
    },
    Function {
        name: "state.template_str",
        doc: "Applies an SLS given as a text.\n\nctl run '*' state.template_str 'x: test.nop'",
        params: &[need("tem"), opt("test", "None")],
        effect: Effect::Writes,
        call: template_str,
    },
];

/// What all that apply states take by name beside their own parameters (`salt/modules/state.py`).
pub const NAMED: &[&str] = &[
    "test",
    "pillar",
    "pillar_enc",
    "pillarenv",
    "saltenv",
    "exclude",
    "queue",
    "concurrent",
    "localconfig",
    "umask",
    "sync_mods",
    "state_events",
];

/// Refuses a named argument that a function of this table does not take: Salt ignores it, and applies what
/// was only to be tested. `state.single` hands on what it does not know.
///
/// # Errors
/// The name, and what may have been meant.
pub fn refuse_unknown(function: &str, args: &Args) -> Result<(), CallError> {
    let Some(known) = TABLE.iter().find(|known| known.name == function && function != "state.single") else {
        return Ok(());
    };
    let takes = || known.params.iter().map(|param| param.name).chain(NAMED.iter().copied());
    let unknown = args.named.keys().find(|name| !name.starts_with("__") && !takes().any(|known| known == *name));
    unknown.map_or(Ok(()), |name| {
        let near = crate::diag::did_you_mean(name, takes()).map(|near| format!("; {near}")).unwrap_or_default();
        Err(CallError::arguments(format!("{function} takes no argument named '{name}'{near}")))
    })
}

fn with_known(
    function: &str,
    context: &Context<'_>,
    args: &Args,
    run: fn(&Context<'_>, &Args) -> Result<Value, CallError>,
) -> Result<Value, CallError> {
    refuse_unknown(function, args)?;
    with_pillar(context, args, run)
}

/// The SLS that are named, or the highstate.
pub(super) fn apply(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    with_known("state.apply", context, &args, if given_mods(&args) { sls } else { highstate })
}

fn given_mods(args: &Args) -> bool {
    Given::new(args, &["mods"]).get("mods").is_some_and(truth)
}

/// Whether nothing may be changed: the argument, else the configuration.
fn is_test(context: &Context<'_>, args: &Args) -> bool {
    let given = args.named.get("test").filter(|test| !test.is_null());
    given.or_else(|| context.opts.get("test")).is_some_and(truth)
}

fn sls(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let mods = list(Given::new(args, &["mods"]).need("mods")?);
    let steps = Compiler::new(context).low_of(&mods, &with_exclude(context, args));
    finish(context, args, steps)
}

fn with_exclude(context: &Context<'_>, args: &Args) -> Options {
    options(context, args)
}

fn highstate(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let steps = Compiler::new(context).low_of_top(&options(context, args));
    if matches!(&steps, Ok(steps) if steps.is_empty()) {
        return Ok(nothing(context));
    }
    finish(context, args, steps)
}

fn top(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let mut opts = context.opts.clone();
    opts.insert("state_top".into(), Given::new(args, &["topfn"]).text("topfn")?.into());
    highstate(&Context { opts: &opts, ..context.copy() }, args)
}

/// Salt's row for a highstate without states.
fn nothing(context: &Context<'_>) -> Value {
    context.retcode.store(FAILED, std::sync::atomic::Ordering::Relaxed);
    serde_json::json!({"no_|-states_|-states_|-None": {
        "result": false,
        "comment": "No Top file or master_tops data matches found. Please see master log for details.",
        "name": "No States",
        "changes": {},
        "__run_num__": 0,
    }})
}

fn sls_id(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    refuse_broken_pillar(context)?;
    let given = Given::new(args, &["id_", "mods"]);
    let (ids, mods) = (list(given.need("id_")?), list(given.need("mods")?));
    let steps = Compiler::new(context).low_of(&mods, &options(context, args));
    let wanted = |step: &Step| {
        let id = step.chunk.text("__id__");
        ids.iter().any(|wanted| glob::matches(wanted, id))
    };
    let steps = steps.map(|steps| only(steps, wanted));
    if matches!(&steps, Ok(steps) if steps.is_empty()) {
        return Err(CallError::failed(format!(
            "No matches for ID '{}' found in SLS '{}' within saltenv '{}'",
            ids.join(","),
            mods.join(","),
            options(context, args).saltenv.unwrap_or_else(|| "base".into())
        )));
    }
    finish(context, args, steps)
}

/// The steps that are wanted, with all that they wait for.
fn only(steps: Vec<Step>, wanted: impl Fn(&Step) -> bool) -> Vec<Step> {
    let mut keep: Vec<bool> = steps.iter().map(&wanted).collect();
    // What a step waits for stands before it.
    for index in (0..steps.len()).rev() {
        if keep[index] {
            steps[index].needs.iter().for_each(|(_, need)| keep[*need] = true);
            steps[index].tried.into_iter().for_each(|tried| keep[tried] = true);
        }
    }
    let place: Vec<usize> = keep
        .iter()
        .scan(0, |next, keep| {
            let at = *next;
            *next += usize::from(*keep);
            Some(at)
        })
        .collect();
    let kept = steps.into_iter().enumerate().filter(|(index, _)| keep[*index]);
    kept.map(|(_, step)| Step {
        needs: step.needs.iter().map(|(kind, need)| (*kind, place[*need])).collect(),
        tried: step.tried.map(|tried| place[tried]),
        ..step
    })
    .collect()
}

fn single(context: &Context<'_>, args: &Args) -> Result<Value, CallError> {
    let given = Given::new(args, &["fun", "name"]);
    let fun = given.text("fun")?;
    let Some((state, fun)) = fun.split_once('.') else {
        return Err(CallError::arguments(format!("{fun} is no state: write MODULE.FUNCTION")));
    };
    let mut data = args.named.clone();
    for known in ["fun", "test", "pillar", "queue", "concurrent", "saltenv", "pillarenv"] {
        data.shift_remove(known);
    }
    let name = Value::String(given.text("name")?);
    data.retain(|key, _| !key.starts_with("__"));
    for (key, value) in [("state", state.into()), ("fun", fun.into()), ("name", name.clone()), ("__id__", name)] {
        data.insert(key.to_owned(), value);
    }
    one(context, args, data)
}

fn low(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    refuse_unknown("state.low", &args)?;
    let mut data = Given::new(&args, &["data"]).map("data")?;
    for key in ["state", "fun", "name"] {
        if !data.contains_key(key) {
            return Err(CallError::arguments(format!("a low chunk needs the key {key}")));
        }
    }
    if !data.contains_key("__id__") {
        data.insert("__id__".into(), data["name"].clone());
    }
    let results = one(context, &args, data)?;
    Ok(results.as_object().and_then(|rows| rows.values().next().cloned()).unwrap_or(results))
}

fn one(context: &Context<'_>, args: &Args, mut data: Map) -> Result<Value, CallError> {
    let env = args.named.get("saltenv").and_then(Value::as_str).unwrap_or("base");
    data.entry("__env__").or_insert_with(|| env.into());
    data.entry("__sls__").or_insert(Value::Null);
    data.entry("order").or_insert_with(|| 1.into());
    let place = yaml::parse("state", "{}").map_err(|why| CallError::Diagnostic(Box::new(why)))?.place();
    let chunk = Arc::new(Chunk { data, place });
    finish(context, args, Ok(vec![Step { chunk, trial: false, tried: None, needs: Vec::new() }]))
}

fn high(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    refuse_unknown("state.high", &args)?;
    let data = Given::new(&args, &["data"]).map("data")?;
    let steps = Compiler::new(context).low_of_high(&data);
    finish(context, &args, steps)
}

fn template_str(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    refuse_unknown("state.template_str", &args)?;
    let text = Given::new(&args, &["tem"]).text("tem")?;
    let rendered = crate::stack::deep(|| Compiler::new(context).low_of_text(&text));
    finish(context, &args, rendered)
}

/// The return code of a run with failed states, as Salt has it.
const FAILED: i32 = 2;

fn finish(context: &Context<'_>, args: &Args, steps: Result<Vec<Step>, Problems>) -> Result<Value, CallError> {
    let steps = steps.map_err(|problems| failed(context, problems))?;
    let settings = Settings {
        test: is_test(context, args),
        failhard: context.opts.get("failhard").is_some_and(truth),
        pauses: Pauses::of(context),
        ..Settings::default()
    };
    let of = steps.iter().filter(|step| !step.trial).count();
    let shown = |chunk: &Chunk, row: &Row| (context.progress)(Progress::State(progress(chunk, row, of)));
    let results = run::run(context, &steps, &settings, &shown);
    if results.values().any(|(_, row)| row.failed()) {
        context.retcode.store(FAILED, std::sync::atomic::Ordering::Relaxed);
    }
    Ok(run::into_value(results))
}

/// What is told of a state while the run goes on.
fn progress(chunk: &Chunk, row: &Row, of: usize) -> Value {
    serde_json::json!({
        "id": chunk.text("__id__"),
        "name": chunk.text("name"),
        "function": format!("{}.{}", chunk.text("state"), chunk.text("fun")),
        "sls": chunk.text("__sls__"),
        "result": row.result,
        "changed": !row.changes.is_empty(),
        "number": row.number + 1,
        "of": of,
        "duration": row.duration as f64 / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call};

    #[test]
    fn a_misspelt_test_applies_nothing() {
        for (function, args) in [
            ("state.apply", Args::positional(["t".into()])),
            ("state.sls", Args::positional(["t".into()])),
            ("state.sls_id", Args::positional(["x".into(), "t".into()])),
            ("state.highstate", Args::default()),
            ("state.high", Args::positional([json!({"x": {"file.touch": [{"name": "/x"}]}})])),
        ] {
            let host = Memory::new(json!({}));
            let files = [("t.sls", "x:\n  file.touch:\n    - name: /x\n"), ("top.sls", "base: {'*': [t]}\n")];
            let (refused, _) = call(&host, &files, json!({}), function, args.clone().with("tset", true));
            let why = refused.unwrap_err().to_string();
            assert_eq!(why, format!("{function} takes no argument named 'tset'; did you mean test?"));
            let (planned, _) = call(&host, &files, json!({}), function, args.with("test", true).with("queue", false));
            assert_eq!((planned.unwrap().as_object().unwrap().len(), host.text("/x")), (1, None), "{function}");
        }
    }

    #[test]
    fn another_top_file() {
        let files =
            [("t.sls", "x:\n  test.nop: []\n"), ("tops/b.sls", "base: {'*': [t]}\n"), ("top.sls", "base: {}\n")];
        for top in ["tops/b.sls", "salt://tops/b.sls"] {
            let args = Args::positional([top.into()]).with("test", true);
            let (rows, retcode) = call(&Memory::new(json!({})), &files, json!({}), "state.top", args);
            let rows = rows.unwrap();
            assert_eq!((rows["test_|-x_|-x_|-nop"]["result"].clone(), retcode), (json!(true), 0), "{rows}");
        }
    }
}
