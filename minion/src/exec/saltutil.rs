//! `saltutil.*`: a minion's jobs and what it knows of itself. Salt's `modules/saltutil.py`.

use proto::{Args, Value};
use states::{CallError, Context, Effect, Function, call::Param};

use super::bind::{bind, need, with};

/// All of these count as `Reads`, although some send signals: asking them again does no harm, and
/// a job must be killable when the disk is full and nothing can be marked.
pub static TABLE: &[Function] = &[
    Function {
        name: "saltutil.running",
        doc: "The jobs that run on the minion now.\n\n    ctl run '*' saltutil.running",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| {
            bind("saltutil.running", &[], args)?;
            Ok(context.agent()?.running().into())
        },
    },
    Function {
        name: "saltutil.is_running",
        doc: "Those of the running jobs whose function matches a glob.\n\n    ctl run '*' saltutil.is_running 'state.*'",
        params: &[need("fun")],
        effect: Effect::Reads,
        call: |context, args| {
            let fun = bind("saltutil.is_running", &[need("fun")], args)?.need_text("fun")?;
            let matching = |job: &Value| job["fun"].as_str().is_some_and(|name| super::matches(&fun, name));
            Ok(context.agent()?.running().into_iter().filter(matching).collect())
        },
    },
    Function {
        name: "saltutil.find_job",
        doc: "A running job by its jid; an empty mapping when it does not run.\n\n\
              ctl run '*' saltutil.find_job 20261121112754000042",
        params: &[need("jid")],
        effect: Effect::Reads,
        call: |context, args| {
            let jid = bind("saltutil.find_job", &[need("jid")], args)?.need_text("jid")?;
            Ok(find(context, &jid)?.unwrap_or_else(|| Value::Object(Default::default())))
        },
    },
    Function {
        name: "saltutil.signal_job",
        doc: "Sends a signal, by number, to all that a job has started.\n\n\
              ctl run '*' saltutil.signal_job 20261121112754000042 15",
        params: &[need("jid"), need("sig")],
        effect: Effect::Reads,
        call: |context, args| {
            let bound = bind("saltutil.signal_job", &[need("jid"), need("sig")], args)?;
            let signal = bound.integer("sig")?.and_then(|signal| i32::try_from(signal).ok());
            let signal = signal.filter(|&signal| nix::sys::signal::Signal::try_from(signal).is_ok());
            let signal = signal.ok_or_else(|| CallError::arguments("saltutil.signal_job: there is no such signal"))?;
            send(context, &bound.need_text("jid")?, signal).map(Value::from)
        },
    },
    Function {
        name: "saltutil.term_job",
        doc: "Asks a job to end (SIGTERM to all that it has started).\n\n\
              ctl run '*' saltutil.term_job 20261121112754000042",
        params: &[need("jid")],
        effect: Effect::Reads,
        call: |context, args| one("saltutil.term_job", context, args, 15),
    },
    Function {
        name: "saltutil.kill_job",
        doc: "Ends a job at once (SIGKILL to all that it has started).\n\n\
              ctl run '*' saltutil.kill_job 20261121112754000042",
        params: &[need("jid")],
        effect: Effect::Reads,
        call: |context, args| one("saltutil.kill_job", context, args, 9),
    },
    Function {
        name: "saltutil.term_all_jobs",
        doc: "Asks every job of the minion to end.\n\n    ctl run web1 saltutil.term_all_jobs",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| all("saltutil.term_all_jobs", context, args, 15),
    },
    Function {
        name: "saltutil.kill_all_jobs",
        doc: "Ends every job of the minion at once.\n\n    ctl run web1 saltutil.kill_all_jobs",
        params: &[],
        effect: Effect::Reads,
        call: |context, args| all("saltutil.kill_all_jobs", context, args, 9),
    },
    Function {
        name: "saltutil.refresh_grains",
        doc: "Detects the grains anew and tells the master.\n\n    ctl run '*' saltutil.refresh_grains",
        params: &[with("refresh_pillar", "True"), with("clean_pillar_cache", "False")],
        effect: Effect::Reads,
        call: |context, args| {
            let params = &[with("refresh_pillar", "True"), with("clean_pillar_cache", "False")];
            bind("saltutil.refresh_grains", params, args)?;
            let agent = context.agent()?;
            agent.refresh_grains();
            agent.refresh_pillar();
            Ok(Value::Bool(true))
        },
    },
    Function {
        name: "saltutil.refresh_pillar",
        doc: "Has the pillar compiled anew when it is needed next.\n\n    ctl run '*' saltutil.refresh_pillar",
        params: REFRESH_PILLAR,
        effect: Effect::Reads,
        call: |context, args| {
            bind("saltutil.refresh_pillar", REFRESH_PILLAR, args)?;
            context.agent()?.refresh_pillar();
            Ok(Value::Bool(true))
        },
    },
    Function {
        name: "saltutil.sync_all",
        doc: "Has grains and pillar made anew, and shows which custom modules the tree brought: none, since those \
              are not run yet; a tree that has some is refused.\n\n    ctl run '*' saltutil.sync_all",
        params: SYNC,
        effect: Effect::Reads,
        call: |context, args| {
            bind("saltutil.sync_all", SYNC, args)?;
            let none = CUSTOM.iter().map(|kind| Ok(((*kind).to_owned(), custom(context, kind)?)));
            let synced = none.collect::<Result<proto::Map, CallError>>()?;
            let agent = context.agent()?;
            agent.refresh_grains();
            agent.refresh_pillar();
            Ok(Value::Object(synced))
        },
    },
    Function {
        name: "saltutil.sync_modules",
        doc: "As `saltutil.sync_all`, for execution modules.\n\n    ctl run '*' saltutil.sync_modules",
        params: SYNC,
        effect: Effect::Reads,
        call: |context, args| bind("saltutil.sync_modules", SYNC, args).and_then(|_| custom(context, "modules")),
    },
    Function {
        name: "saltutil.sync_states",
        doc: "As `saltutil.sync_all`, for state modules.\n\n    ctl run '*' saltutil.sync_states",
        params: SYNC,
        effect: Effect::Reads,
        call: |context, args| bind("saltutil.sync_states", SYNC, args).and_then(|_| custom(context, "states")),
    },
    Function {
        name: "saltutil.sync_grains",
        doc: "As `saltutil.sync_all`, for grains.\n\n    ctl run '*' saltutil.sync_grains",
        params: SYNC,
        effect: Effect::Reads,
        call: |context, args| {
            bind("saltutil.sync_grains", SYNC, args)?;
            context.agent()?.refresh_grains();
            custom(context, "grains")
        },
    },
];

static REFRESH_PILLAR: &[Param] = &[with("wait", "False"), with("timeout", "30"), with("clean_cache", "True")];
static SYNC: &[Param] = &[
    with("saltenv", "None"),
    with("refresh", "True"),
    with("extmod_whitelist", "None"),
    with("extmod_blacklist", "None"),
    with("clean_pillar_cache", "False"),
];

/// The kinds of custom modules, as `saltutil.sync_all` names them; the tree has them in folders
/// with a `_` before the name.
const CUSTOM: &[&str] = &[
    "beacons",
    "clouds",
    "engines",
    "executors",
    "grains",
    "log_handlers",
    "matchers",
    "modules",
    "output",
    "pillar",
    "proxymodules",
    "renderers",
    "returners",
    "sdb",
    "serializers",
    "states",
    "thorium",
    "tops",
    "utils",
    "wrapper",
];

fn custom(context: &Context<'_>, kind: &str) -> Result<Value, CallError> {
    let folder = format!("_{kind}/");
    let found = context.tree.environments().into_iter().flat_map(|env| {
        context.tree.files(&env).iter().filter(|file| file.starts_with(&folder)).cloned().collect::<Vec<_>>()
    });
    match found.into_iter().next() {
        None => Ok(Value::Array(Vec::new())),
        Some(file) => Err(CallError::failed(format!("the tree has {file}, and custom modules are not run yet"))),
    }
}

fn find(context: &Context<'_>, jid: &str) -> Result<Option<Value>, CallError> {
    Ok(context.agent()?.running().into_iter().find(|job| job["jid"] == jid))
}

fn one(function: &'static str, context: &Context<'_>, args: Args, signal: i32) -> Result<Value, CallError> {
    let jid = bind(function, &[need("jid")], args)?.need_text("jid")?;
    send(context, &jid, signal).map(Value::from)
}

fn all(function: &'static str, context: &Context<'_>, args: Args, signal: i32) -> Result<Value, CallError> {
    bind(function, &[], args)?;
    let jobs = context.agent()?.running();
    jobs.iter().filter_map(|job| job["jid"].as_str()).map(|jid| send(context, jid, signal).map(Value::from)).collect()
}

/// Salt's words: an empty text when there is no such job.
fn send(context: &Context<'_>, jid: &str, signal: i32) -> Result<String, CallError> {
    let Some(job) = find(context, jid)? else { return Ok(String::new()) };
    match context.agent()?.signal(jid, signal) {
        true => Ok(format!("Signal {signal} sent to job {jid} at pid {}", job["pid"])),
        false => Ok(String::new()),
    }
}
