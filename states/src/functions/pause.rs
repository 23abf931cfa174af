//! `state.pause` and its kin: a run that is under way is held at a state, let go, or ended early.

use std::path::{Path, PathBuf};

use proto::{Args, JobId, Map, Value};

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    resource::files,
    run::pause::{self, ALL},
    value,
};

pub const TABLE: &[Function] = &[
    Function {
        name: "state.pause",
        doc: "Holds a run at the state with an id, or at its next one, until `state.resume` or for some seconds.\n\nctl run web1 state.pause 20171130110407769519 vim 20",
        params: &[need("jid"), opt("state_id", "None"), opt("duration", "None")],
        // It must not wait for its turn among the runs: it speaks to the one that has it.
        effect: Effect::Runs,
        call: |context, args| {
            let given = Given::new(&args, &["jid", "state_id", "duration"]);
            let duration = match given.get("duration").filter(|given| super::truth(given)) {
                None => None,
                Some(given) => Some(value::python_str(given).trim().parse::<u32>().map_err(|_| {
                    CallError::arguments(format!("duration is a number of seconds, not {}", value::python_repr(given)))
                })?),
            };
            change(context, &given, |set, id| {
                let of_id = set.entry(id).or_insert_with(|| Value::Object(Map::new()));
                if let (Some(of_id), Some(duration)) = (of_id.as_object_mut(), duration) {
                    of_id.insert("duration".into(), duration.into());
                }
            })
        },
    },
    Function {
        name: "state.resume",
        doc: "Lets a held run go on: at the state with an id, or altogether.\n\nctl run web1 state.resume 20171130110407769519 vim",
        params: &[need("jid"), opt("state_id", "None")],
        effect: Effect::Runs,
        call: |context, args| {
            change(context, &Given::new(&args, &["jid", "state_id"]), |set, id| match id == ALL {
                true => set.clear(),
                false => drop(set.shift_remove(&id)),
            })
        },
    },
    Function {
        name: "state.soft_kill",
        doc: "Ends a run before the state with an id, or before its next one; what has begun is finished.\n\nctl run web1 state.soft_kill 20171130110407769519 vim",
        params: &[need("jid"), opt("state_id", "None")],
        effect: Effect::Runs,
        call: |context, args| {
            change(context, &Given::new(&args, &["jid", "state_id"]), |set, id| {
                let of_id = set.entry(id).or_insert_with(|| Value::Object(Map::new()));
                of_id.as_object_mut().map(|of_id| of_id.insert("kill".into(), true.into()));
            })
        },
    },
    Function {
        name: "state.get_pauses",
        doc: "Shows what is set for the runs that are under way: by jid, then by id.\n\nctl run '*' state.get_pauses",
        params: &[opt("jid", "None")],
        effect: Effect::Reads,
        call: pauses,
    },
];

fn change(context: &Context<'_>, given: &Given<'_>, change: impl FnOnce(&mut Map, String)) -> Result<Value, CallError> {
    let jid = given.text("jid")?;
    let jid: JobId = jid.trim().parse().map_err(|why: proto::IdError| CallError::arguments(why.to_string()))?;
    let id = given.text_or("state_id", ALL);
    let (host, folder) = (context.host()?, folder(context)?);
    sweep(context, &folder, &jid.to_string());
    files::make_dirs(host, &folder, &files::Permissions { mode: Some(0o700), ..Default::default() }).map_err(failed)?;
    let path = folder.join(jid.to_string());
    let mut set = pause::read(context.look, &path);
    change(&mut set, id);
    match set.is_empty() {
        true if host.stat(&path).is_err() => {}
        true => host.remove(&path).map_err(failed)?,
        false => host.write(&path, Value::Object(set).to_string().as_bytes(), 0o600).map_err(failed)?,
    }
    Ok(Value::Null)
}

fn failed(why: std::io::Error) -> CallError {
    CallError::failed(format!("the state_pause folder of the cache cannot be written: {why}"))
}

fn folder(context: &Context<'_>) -> Result<PathBuf, CallError> {
    pause::folder(context.opts).ok_or_else(|| CallError::failed("this host has no cache folder (root_dir)"))
}

/// The jids of the runs of states that are under way.
fn active(context: &Context<'_>) -> Vec<String> {
    let jobs = context.agent.map(|agent| agent.running()).unwrap_or_default();
    let text = |job: &Value, key: &str| job.get(key).map(value::python_str).unwrap_or_default();
    jobs.iter().filter(|job| text(job, "fun").starts_with("state.")).map(|job| text(job, "jid")).collect()
}

/// Takes away what was set for runs that have ended; not of the one that is spoken of, which may be
/// about to begin.
fn sweep(context: &Context<'_>, folder: &Path, spared: &str) {
    let Some(host) = context.host.filter(|_| context.agent.is_some()) else { return };
    let active = active(context);
    let set = context.look.list(folder).unwrap_or_default().into_iter();
    for jid in set.filter(|jid| jid != spared && !active.contains(jid)) {
        let _ = host.remove(&folder.join(jid));
    }
}

fn pauses(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["jid"]);
    let asked = match given.get("jid") {
        None | Some(Value::Null) => None,
        Some(Value::Array(jids)) => Some(jids.iter().map(value::python_str).collect::<Vec<_>>()),
        Some(one) => Some(vec![value::python_str(one)]),
    };
    let (folder, active) = (folder(context)?, active(context));
    let set = context.look.list(&folder).unwrap_or_default().into_iter();
    let set = set.filter(|jid| active.contains(jid) && asked.as_ref().is_none_or(|asked| asked.contains(jid)));
    Ok(Value::Object(set.map(|jid| (jid.clone(), pause::read(context.look, &folder.join(jid)).into())).collect()))
}

#[cfg(test)]
mod tests {
    use proto::Args;
    use serde_json::json;

    use crate::{
        run::pause,
        testing::{Memory, call},
    };

    #[test]
    fn what_is_set_for_a_run_is_kept_by_its_jid_and_nothing_else_is_a_path() {
        let host = Memory::new(json!({}));
        let set = |function: &str, args: &[&str]| {
            let args = Args::positional(args.iter().map(|arg| (*arg).into()));
            call(&host, &[], json!({}), function, args).0
        };
        let path = std::path::Path::new("/var/cache/state_pause/20171130110407769519");
        let kept = || serde_json::Value::Object(pause::read(&host, path));
        let jid = "20171130110407769519";
        assert_eq!(set("state.pause", &[jid, "vim", "20"]).unwrap(), json!(null));
        assert_eq!(set("state.soft_kill", &[jid]).unwrap(), json!(null));
        assert_eq!(kept(), json!({"vim": {"duration": 20}, "__all__": {"kill": true}}));
        assert_eq!(set("state.resume", &[jid, "vim"]).unwrap(), json!(null));
        assert_eq!(kept(), json!({"__all__": {"kill": true}}));
        assert_eq!(set("state.resume", &[jid]).unwrap(), json!(null));
        assert_eq!(kept(), json!({}));
        for bad in ["../../etc/passwd", "", "vim"] {
            assert!(set("state.pause", &[bad]).is_err(), "{bad}");
        }
        assert!(set("state.pause", &[jid, "vim", "soon"]).is_err());
    }
}
