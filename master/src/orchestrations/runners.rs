//! Runner and wheel functions that orchestrations call (`salt.runner`, `salt.wheel`): those that
//! trees use, under Salt's names. Each is permitted by the operator's rules under its own name.

use orchestrate::fleet::{Fleet, Refused, Side};
use proto::{Args, Map, MinionId, Value, message::KeyState};
use serde_json::json;

use super::{desk::Desk, work};
use crate::access;

type Run = fn(&Desk, &str, &Args) -> Result<Value, Refused>;

const RUNNERS: &[(&str, Run)] = &[
    ("cache.grains", grains),
    ("event.send", send),
    ("manage.down", |desk, _, _| presence(desk, false)),
    ("manage.present", |desk, _, _| presence(desk, true)),
    ("manage.status", |desk, _, _| Ok(json!({"up": presence(desk, true)?, "down": presence(desk, false)?}))),
    ("manage.up", |desk, _, _| presence(desk, true)),
    ("state.orch", nested),
    ("state.orchestrate", nested),
    ("state.sls", nested),
    ("test.arg", |_, _, args| Ok(json!({"args": args.positional, "kwargs": args.named}))),
    ("test.sleep", sleep),
];

const WHEELS: &[(&str, Run)] = &[
    ("key.accept", |desk, _, args| key(desk, "accept", args)),
    ("key.delete", |desk, _, args| key(desk, "delete", args)),
    ("key.list_all", |desk, _, _| Ok(list(desk))),
    ("key.reject", |desk, _, args| key(desk, "reject", args)),
];

/// Calls one for a step.
pub fn call(desk: &Desk, step: &str, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
    let (table, word) = match side {
        Side::Runner => (RUNNERS, "runner"),
        Side::Wheel => (WHEELS, "wheel"),
    };
    let Some((name, run)) = table.iter().find(|(name, _)| *name == function) else {
        let known: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
        let hint = states::diag::did_you_mean(function, known.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        return Err(Refused::Other(format!("there is no {word} function {function}\n  hint: {hint}")));
    };
    let live = desk.live.as_ref().ok_or_else(|| Refused::Other("nothing is run for a plan".into()))?;
    let operator = desk.master.operators.by_key(&live.authority.key);
    let operator = operator.ok_or_else(|| Refused::Other(format!("{} is no operator any more", live.operator)))?;
    access::permit_admin(&operator, name).map_err(|fault| Refused::Other(fault.message))?;
    run(desk, step, args)
}

fn presence(desk: &Desk, up: bool) -> Result<Value, Refused> {
    let rows = desk.master.fleet.rows(None).into_iter();
    Ok(rows.filter(|row| row.connected == up).map(|row| Value::from(row.id.as_str())).collect())
}

/// An argument by its place or its name.
fn argument<'a>(args: &'a Args, at: usize, names: &[&str]) -> Option<&'a Value> {
    args.positional.get(at).or_else(|| names.iter().find_map(|name| args.named.get(*name)))
}

fn text(args: &Args, at: usize, names: &[&str]) -> Result<String, Refused> {
    let lacks = || Refused::Other(format!("the argument {} is missing", names[0]));
    argument(args, at, names).map(states::value::python_str).ok_or_else(lacks)
}

fn grains(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let target = argument(args, 0, &["tgt"]).map_or_else(|| "*".to_owned(), states::value::python_str);
    let matched = desk.resolve(&target)?;
    let of = |id: &MinionId| {
        let (claimed, fixed) = desk.master.fleet.grains_of(id)?;
        Some((id.to_string(), Value::Object(crate::grains::all(&claimed, &fixed))))
    };
    Ok(Value::Object(matched.minions.iter().filter_map(of).collect()))
}

fn send(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let data = argument(args, 1, &["data"]).cloned().unwrap_or_else(|| json!({}));
    desk.send_event(&text(args, 0, &["tag"])?, data)?;
    Ok(true.into())
}

fn sleep(desk: &Desk, step: &str, args: &Args) -> Result<Value, Refused> {
    let seconds = argument(args, 0, &["s_time"]).and_then(Value::as_f64).unwrap_or(1.0).clamp(0.0, 86_400.0);
    desk.pause(step, std::time::Duration::from_secs_f64(seconds))?;
    Ok(true.into())
}

/// An orchestration within one: its jobs are those of the step.
fn nested(desk: &Desk, step: &str, args: &Args) -> Result<Value, Refused> {
    let mods = argument(args, 0, &["mods"]).ok_or_else(|| Refused::Other("the argument mods is missing".into()))?;
    let mods: Vec<String> = match mods {
        Value::Array(names) => names.iter().map(states::value::python_str).collect(),
        one => states::value::python_str(one).split(',').map(|name| name.trim().to_owned()).collect(),
    };
    let pillar = match argument(args, usize::MAX, &["pillar"]) {
        Some(Value::Object(pillar)) => pillar.clone(),
        _ => Map::new(),
    };
    let saltenv = argument(args, 1, &["saltenv"]).map_or_else(|| "base".to_owned(), states::value::python_str);
    work::nested(desk, step, mods, &saltenv, &pillar)
}

fn list(desk: &Desk) -> Value {
    let rows = desk.master.keys.list();
    let of = |state: KeyState| -> Value {
        rows.iter().filter(|row| row.state == state).map(|row| Value::from(row.id.as_str())).collect()
    };
    json!({
        "minions": of(KeyState::Accepted), "minions_pre": of(KeyState::Pending),
        "minions_rejected": of(KeyState::Rejected), "minions_denied": [], "local": [],
    })
}

/// Accepts, rejects or deletes keys that match a glob.
fn key(desk: &Desk, act: &'static str, args: &Args) -> Result<Value, Refused> {
    let glob = text(args, 0, &["match"])?;
    let changed = desk.runtime.block_on(crate::server::change_keys(&desk.master, act, &glob));
    changed.map(Value::from).map_err(|fault| Refused::Other(fault.message))
}
