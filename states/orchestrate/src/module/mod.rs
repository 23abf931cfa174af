//! The state module `salt`: `salt.state`, `salt.function` and the others of an orchestration.
//!
//! Verdicts and comments are those of `salt/states/saltmod.py` of Salt 3008, with one difference:
//! a targeted host that is offline or silent fails the step and is named, for functions too, unless
//! `expect` or `expect_minions: False` says otherwise. And a dry run stays one: `test: False` of a
//! step does not undo it.

pub mod check;
mod event;
mod function;
mod runner;
mod state;

use std::sync::Arc;

use states::{
    call::Param,
    functions::{need, opt},
    plan::{Call, Done, Plan, State, StateError, StateModule},
};

use crate::{Director, Fleet, fleet::Refused};

/// The modules that an orchestration has beside those of `states`.
pub static MODULES: &[StateModule] = &[MODULE];

const TARGETED: [Param; 10] = [
    need("name"),
    need("tgt"),
    opt("tgt_type", "glob"),
    opt("expect_minions", "True"),
    opt("fail_minions", "None"),
    opt("allow_fail", "0"),
    opt("timeout", "None"),
    opt("batch", "None"),
    opt("subset", "None"),
    opt("failhard", "None"),
];

const MODULE: StateModule = StateModule {
    name: "salt",
    states: &[
        State {
            name: "state",
            doc: "Applies SLS or the highstate on minions.\n\n```yaml\ndatabases:\n  salt.state:\n    - tgt: 'db*'\n    - sls: [mysql.server]\n```",
            params: &[
                TARGETED[0],
                TARGETED[1],
                TARGETED[2],
                TARGETED[3],
                TARGETED[4],
                TARGETED[5],
                TARGETED[6],
                TARGETED[7],
                TARGETED[8],
                TARGETED[9],
                opt("highstate", "None"),
                opt("sls", "None"),
                opt("top", "None"),
                opt("saltenv", "None"),
                opt("test", "None"),
                opt("pillar", "None"),
                opt("pillarenv", "None"),
                opt("exclude", "None"),
                opt("concurrent", "False"),
                opt("queue", "False"),
                opt("expect", "None"),
                opt("max_fail", "None"),
            ],
            plan: state::plan,
        },
        State {
            name: "function",
            doc: "Calls a function on minions.\n\n```yaml\ncmd.run:\n  salt.function:\n    - tgt: 'web*'\n    - arg: [uptime]\n```",
            params: &[
                TARGETED[0],
                TARGETED[1],
                TARGETED[2],
                TARGETED[3],
                TARGETED[4],
                TARGETED[5],
                TARGETED[6],
                TARGETED[7],
                TARGETED[8],
                TARGETED[9],
                opt("fail_function", "None"),
                opt("arg", "None"),
                opt("kwarg", "None"),
                opt("expect", "None"),
                opt("max_fail", "None"),
            ],
            plan: function::plan,
        },
        State {
            name: "wait_for_event",
            doc: "Waits until an event came for each of some ids.\n\n```yaml\nsalt/minion/*/start:\n  salt.wait_for_event:\n    - id_list: [web1, web2]\n    - timeout: 120\n```",
            params: &[
                need("name"),
                need("id_list"),
                opt("event_id", "id"),
                opt("timeout", "300"),
                opt("node", "master"),
            ],
            plan: event::plan,
        },
        State {
            name: "check",
            doc: "Calls functions on minions until all of them are true everywhere, or their time is over.\n\n```yaml\ndatabases are up:\n  salt.check:\n    - tgt: 'db*'\n    - checks:\n      - fun: service.status\n        args: [postgresql]\n```",
            params: &[need("name"), need("tgt"), opt("tgt_type", "glob"), need("checks")],
            plan: check::plan,
        },
        State {
            name: "runner",
            doc: "Calls a runner function on the master.\n\n```yaml\nmanage.up:\n  salt.runner: []\n```",
            params: &[need("name")],
            plan: runner::runner,
        },
        State {
            name: "wheel",
            doc: "Calls a wheel function on the master.\n\n```yaml\nkey.list_all:\n  salt.wheel: []\n```",
            params: &[need("name")],
            plan: runner::wheel,
        },
        State {
            name: "parallel_runners",
            doc: "Calls several runner functions at once.\n\n```yaml\nboth:\n  salt.parallel_runners:\n    - runners:\n        up:\n          - name: manage.up\n        down:\n          - name: manage.down\n```",
            params: &[need("name"), need("runners")],
            plan: runner::parallel,
        },
    ],
    watch: None,
};

/// The calls that the checks of a chunk make.
///
/// # Errors
/// What is malformed.
pub fn calls_of_checks(low: &proto::Map) -> Result<Vec<proto::message::orchestration::Call>, StateError> {
    check::calls(low)
}

/// For people: the functions and health checks of a chunk; nothing where they are malformed.
pub fn names_of_checks(low: &proto::Map) -> Vec<String> {
    check::names(low).unwrap_or_default()
}

impl From<Refused> for StateError {
    fn from(why: Refused) -> Self {
        StateError::failed(why.to_string())
    }
}

/// The fleet of the orchestration that makes the call.
fn fleet(call: &Call<'_>) -> Result<Arc<dyn Fleet>, StateError> {
    let beyond = call.context().agent.and_then(|agent| agent.beyond());
    match beyond.and_then(|any| any.downcast_ref::<Director>()) {
        Some(director) => Ok(director.0.clone()),
        None => Err(StateError::failed(format!(
            "{} is for orchestrations: `ctl orchestrate` and `ctl overstate` run them on the master",
            call.full()
        ))),
    }
}

/// The tag of the chunk that makes a call.
fn step(call: &Call<'_>) -> String {
    let part = |key: &str| call.low.get(key).map_or(String::new(), states::value::python_str);
    format!("{}_|-{}_|-{}_|-{}", part("state"), part("__id__"), part("name"), part("fun"))
}

/// A row of its own: a plan that has been carried out, or that carries itself out.
fn now_or_then(
    call: &Call<'_>,
    then: impl FnOnce() -> Result<Done, StateError> + Send + 'static,
) -> Result<Plan, StateError> {
    // `test` runs are asked of the minions while planning: these change nothing.
    if call.test {
        let done = then()?;
        return match (done.result, done.changes.is_empty()) {
            (true, false) => Ok(Plan::Change {
                comment: done.comment,
                changes: done.changes,
                more: done.more,
                apply: Box::new(|_| Ok(Done::default())),
            }),
            _ => Ok(Plan::KeepWith(done)),
        };
    }
    Plan::change("", proto::Map::new(), move |_| then())
}

/// A plan of which a dry run only says what it is.
fn would(
    call: &Call<'_>,
    comment: String,
    then: impl FnOnce() -> Result<Done, StateError> + Send + 'static,
) -> Result<Plan, StateError> {
    if call.test {
        return Plan::change(comment, proto::Map::new(), |_| Ok(Done::default()));
    }
    Plan::change("", proto::Map::new(), move |_| then())
}

/// What a step publishes at once is done again as `retry` says where the runner leaves that to the
/// module: states side by side (`parallel`) are not tried again by it.
fn retried(
    low: &proto::Map,
    fleet: &dyn Fleet,
    step: &str,
    mut once: impl FnMut() -> Result<Done, StateError>,
) -> Result<Done, StateError> {
    let beside = low.get("parallel").is_some_and(states::functions::truth);
    let retry = low.get("retry").filter(|_| beside).and_then(proto::Value::as_object);
    let number = |key: &str, default: u64| {
        retry.and_then(|retry| retry.get(key)).and_then(proto::Value::as_u64).unwrap_or(default)
    };
    let attempts = if retry.is_some() { number("attempts", 2) } else { 1 };
    for attempt in 1.. {
        let done = once()?;
        if done.result || attempt >= attempts {
            return Ok(done);
        }
        let interval = number("interval", 30);
        fleet.says(step, format!("attempt {attempt} of {attempts} failed, the next in {interval} s: {}", done.comment));
        fleet.pause(step, std::time::Duration::from_secs(interval))?;
    }
    Err(StateError::failed("no attempt was made"))
}
