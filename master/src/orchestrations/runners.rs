//! Runner and wheel functions that orchestrations call (`salt.runner`, `salt.wheel`, and templates by
//! way of `saltutil.runner`): those that trees use, under Salt's names and with what Salt's give. Each is
//! permitted by the operator's rules under its own name.

mod jobs;
mod keys;

use orchestrate::fleet::{Fleet, Refused, Side};
use proto::{Args, Map, MinionId, Value};
use serde_json::json;

use super::{desk::Desk, work};
use crate::access;

type Run = fn(&Desk, &str, &Args) -> Result<Value, Refused>;

/// A function of the master.
struct Runner {
    name: &'static str,
    /// It only looks: templates may call it before anything runs.
    looks: bool,
    run: Run,
}

const fn looks(name: &'static str, run: Run) -> Runner {
    Runner { name, looks: true, run }
}

const fn acts(name: &'static str, run: Run) -> Runner {
    Runner { name, looks: false, run }
}

const RUNNERS: &[Runner] = &[
    looks("cache.grains", grains),
    looks("cache.mine", cached_mine),
    looks("cache.pillar", pillars),
    looks("config.get", config),
    acts("error.error", error),
    acts("event.send", send),
    looks("fileserver.envs", |desk, _, _| {
        tree(desk, |tree| tree.keys().map(|env| Value::from(env.as_str())).collect())
    }),
    looks("fileserver.file_list", files),
    acts("fileserver.update", update),
    looks("jobs.active", jobs::active),
    looks("jobs.exit_success", jobs::exit_success),
    looks("jobs.list_job", jobs::list_job),
    looks("jobs.list_jobs", jobs::list_jobs),
    looks("jobs.lookup_jid", jobs::lookup_jid),
    looks("manage.alived", |desk, _, args| presence(desk, args, true)),
    looks("manage.down", |desk, _, args| presence(desk, args, false)),
    looks("manage.not_alived", |desk, _, args| presence(desk, args, false)),
    looks("manage.not_present", |desk, _, args| presence(desk, args, false)),
    looks("manage.present", |desk, _, args| presence(desk, args, true)),
    looks("manage.status", |desk, _, args| {
        Ok(json!({"up": presence(desk, args, true)?, "down": presence(desk, args, false)?}))
    }),
    looks("manage.up", |desk, _, args| presence(desk, args, true)),
    looks("mine.get", mine),
    looks("pillar.show_pillar", show_pillar),
    looks("salt.cmd", command),
    acts("saltutil.sync_all", sync),
    acts("state.orch", nested),
    acts("state.orchestrate", nested),
    acts("state.sls", nested),
    looks("test.arg", |_, _, args| Ok(json!({"args": args.positional, "kwargs": args.named}))),
    acts("test.sleep", sleep),
];

/// The kinds of modules that a tree of Salt's can bring for its master, each in a folder of this name
/// with a `_` before it. None of them is run here, on the master or on minions.
const CUSTOM: &[&str] = &[
    "cache",
    "clouds",
    "engines",
    "executors",
    "fileserver",
    "grains",
    "modules",
    "output",
    "pillar",
    "proxymodules",
    "queues",
    "renderers",
    "returners",
    "roster",
    "runners",
    "sdb",
    "serializers",
    "states",
    "thorium",
    "tokens",
    "tops",
    "utils",
    "wheel",
    "wrapper",
];

/// Functions of Salt's that people may look for, and what does it here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("http.query", "call http.query on a minion with salt.function"),
    ("salt.execute", "salt.function calls a function on minions"),
    ("cloud.", "there is no cloud here"),
    ("ssh.", "there is no salt-ssh here"),
    ("git_pillar.", "pillar comes from pillar_roots here"),
    ("saltutil.sync_", "saltutil.sync_all looks for modules of the tree's own, which are not run here"),
];

/// Calls one for a step.
pub fn call(desk: &Desk, step: &str, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
    let runner = find(side, function)?;
    permit(desk, runner)?;
    (runner.run)(desk, step, args)
}

/// Calls one that only looks.
pub fn look(desk: &Desk, side: Side, function: &str, args: &Args) -> Result<Value, Refused> {
    let runner = find(side, function)?;
    if !runner.looks {
        let why = format!("{function} does something, and templates are rendered before anything runs");
        return Err(Refused::Other(format!("{why}\n  hint: make it a stage: salt.runner")));
    }
    permit(desk, runner)?;
    (runner.run)(desk, "", args)
}

fn find(side: Side, function: &str) -> Result<&'static Runner, Refused> {
    let (table, word) = match side {
        Side::Runner => (RUNNERS, "runner"),
        Side::Wheel => (keys::WHEELS, "wheel"),
    };
    table.iter().find(|runner| runner.name == function).ok_or_else(|| {
        let known: Vec<&str> = table.iter().map(|runner| runner.name).collect();
        let elsewhere =
            ELSEWHERE.iter().find(|(name, _)| function.starts_with(name)).map(|(_, hint)| (*hint).to_owned());
        let hint = elsewhere.or_else(|| states::diag::did_you_mean(function, known.iter().copied()));
        let hint = hint.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        Refused::Other(format!("there is no {word} function {function}\n  hint: {hint}"))
    })
}

fn permit(desk: &Desk, runner: &Runner) -> Result<(), Refused> {
    access::permit_admin(&desk.operator()?, runner.name).map_err(|fault| Refused::Other(fault.message))
}

/// An argument by its place or its name.
fn argument<'a>(args: &'a Args, at: usize, names: &[&str]) -> Option<&'a Value> {
    args.positional.get(at).or_else(|| names.iter().find_map(|name| args.named.get(*name)))
}

fn text(args: &Args, at: usize, names: &[&str]) -> Result<String, Refused> {
    let lacks = || Refused::Other(format!("the argument {} is missing", names[0]));
    argument(args, at, names).map(states::value::python_str).ok_or_else(lacks)
}

/// A list, or words with commas between them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(states::value::python_str).collect(),
        one => states::value::python_str(one).split(',').map(|word| word.trim().to_owned()).collect(),
    }
}

/// Whom `tgt` and `tgt_type` mean; everyone where they say nothing. `kind` is the place of `tgt_type`.
fn targeted(desk: &Desk, args: &Args, kind: usize) -> Result<Vec<MinionId>, Refused> {
    let mut low = Map::from_iter([("tgt".to_owned(), argument(args, 0, &["tgt"]).cloned().unwrap_or("*".into()))]);
    if let Some(kind) = argument(args, kind, &["tgt_type", "expr_form"]) {
        low.insert("tgt_type".into(), kind.clone());
    }
    let target = orchestrate::target(&low).map_err(|why| Refused::Other(why.to_string()))?;
    match desk.resolve(&target) {
        Ok(matched) => Ok(matched.minions),
        // As Salt's: nobody is no error.
        Err(Refused::NoMatch(_)) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

fn presence(desk: &Desk, args: &Args, up: bool) -> Result<Value, Refused> {
    let among = match argument(args, usize::MAX, &["tgt", "subset"]) {
        Some(tgt) => {
            let args = Args { positional: vec![tgt.clone()], named: args.named.clone() };
            Some(targeted(desk, &args, usize::MAX)?)
        }
        None => None,
    };
    let wanted = |id: &MinionId| among.as_ref().is_none_or(|among| among.contains(id));
    let rows = desk.master.fleet.rows(None).into_iter();
    Ok(rows.filter(|row| row.connected == up && wanted(&row.id)).map(|row| Value::from(row.id.as_str())).collect())
}

fn grains(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let of = |id: MinionId| {
        let (claimed, fixed) = desk.master.fleet.grains_of(&id)?;
        Some((id.to_string(), Value::Object(crate::grains::all(&id, &claimed, &fixed))))
    };
    Ok(Value::Object(targeted(desk, args, 1)?.into_iter().filter_map(of).collect()))
}

fn pillars(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let minions = targeted(desk, args, 1)?;
    desk.runtime.block_on(desk.master.pillars.learn());
    let of = |id: MinionId| {
        let pillar = desk.master.fleet.pillar_of(&id)?.open().ok()?;
        Some((id.to_string(), Value::Object(pillar)))
    };
    Ok(Value::Object(minions.into_iter().filter_map(of).collect()))
}

fn show_pillar(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let minion = text(args, 0, &["minion"])?;
    let minion: MinionId = minion.parse().map_err(|why: proto::IdError| Refused::Other(why.to_string()))?;
    let compiled = desk.runtime.block_on(desk.master.pillars.of(&minion, crate::pillar::Wanted::default()));
    let bytes = compiled.map_err(|why| Refused::Other(why.to_string()))?;
    proto::Packed::from_bytes(bytes).open().map(Value::Object).map_err(|why| Refused::Other(why.to_string()))
}

fn cached_mine(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    Ok(Value::Object(desk.master.mine.all_of(&targeted(desk, args, 1)?).into_iter().collect()))
}

/// One name: what each minion keeps under it. Several: that for each of them.
fn mine(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let fun = argument(args, 1, &["fun"]).ok_or_else(|| Refused::Other("the argument fun is missing".into()))?;
    let names = texts(fun);
    let all = desk.master.mine.all_of(&targeted(desk, args, 2)?);
    let under = |name: &str| -> Value {
        let of = all.iter().filter_map(|(id, kept)| Some((id.clone(), kept.get(name)?.clone())));
        Value::Object(of.collect())
    };
    Ok(match (names.as_slice(), fun) {
        ([one], Value::String(_)) => under(one),
        (many, _) => Value::Object(many.iter().map(|name| (name.clone(), under(name))).collect()),
    })
}

/// Of the master's configuration, what templates of pillar see: nothing secret is among it.
fn config(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let key = text(args, 0, &["key"])?;
    let default = argument(args, 1, &["default"]).cloned().unwrap_or_else(|| "".into());
    let mut options = Value::Object(desk.master.pillars.options().clone());
    let found = key.split(':').try_fold(&mut options, |value, name| value.get_mut(name));
    Ok(found.map_or(default, |value| value.take()))
}

/// Fails with the message that it is given.
fn error(_: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let name = argument(args, 0, &["name"]).map_or_else(|| "Exception".to_owned(), states::value::python_str);
    let message = argument(args, 1, &["message"]).map(states::value::python_str).unwrap_or_default();
    Err(Refused::Other(format!("{name}: {message}")))
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

/// The newest tree's environments and their files.
fn tree(desk: &Desk, what: impl FnOnce(&Map) -> Value) -> Result<Value, Refused> {
    let newest = desk.runtime.block_on(desk.master.files.current());
    let newest = newest.map_err(|why| Refused::Other(format!("the state files: {why}")))?;
    let names = newest.manifest.environments.iter().map(|(env, of)| {
        let files: Value = of.files.keys().map(|path| Value::from(path.as_str())).collect();
        (env.to_string(), files)
    });
    Ok(what(&names.collect()))
}

fn files(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let env = argument(args, 0, &["saltenv"]).map_or_else(|| "base".to_owned(), states::value::python_str);
    tree(desk, |tree| tree.get(&env).cloned().unwrap_or_else(|| json!([])))
}

/// Fails where the tree has modules of its own: a site that relies on them is told so here, not by
/// whatever lacks them later.
fn sync(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let env = argument(args, 0, &["saltenv"]).map_or_else(|| "base".to_owned(), states::value::python_str);
    let files = tree(desk, |tree| tree.get(&env).cloned().unwrap_or_else(|| json!([])))?;
    match custom(files.as_array().into_iter().flatten().filter_map(Value::as_str)) {
        Some(file) => Err(Refused::Other(format!("the tree has {file}, and custom modules are not run here"))),
        None => Ok(CUSTOM.iter().map(|kind| ((*kind).to_owned(), json!([]))).collect()),
    }
}

/// The first of these files that is a module of the tree's own.
fn custom<'a>(mut files: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let kind = |path: &'a str| path.strip_prefix('_').and_then(|path| path.split_once('/')).map(|(kind, _)| kind);
    files.find(|path| kind(path).is_some_and(|kind| CUSTOM.contains(&kind)))
}

/// Looks at the git repositories now.
fn update(desk: &Desk, _: &str, _: &Args) -> Result<Value, Refused> {
    if let Some(git) = &desk.master.git {
        git.update();
    }
    tree(desk, |_| true.into())
}

/// A function that only reads, on the master itself.
fn command(desk: &Desk, _: &str, args: &Args) -> Result<Value, Refused> {
    let function = text(args, 0, &["fun"])?;
    let mut args = args.clone();
    match args.positional.is_empty() {
        true => drop(args.named.shift_remove("fun")),
        false => drop(args.positional.remove(0)),
    }
    work::read_here(desk, &function, args)
}

/// An orchestration within one: its jobs are those of the step.
fn nested(desk: &Desk, step: &str, args: &Args) -> Result<Value, Refused> {
    let mods = argument(args, 0, &["mods"]).ok_or_else(|| Refused::Other("the argument mods is missing".into()))?;
    let pillar = match argument(args, usize::MAX, &["pillar"]) {
        Some(Value::Object(pillar)) => pillar.clone(),
        _ => Map::new(),
    };
    let saltenv = argument(args, 1, &["saltenv"]).map_or_else(|| "base".to_owned(), states::value::python_str);
    work::nested(desk, step, texts(mods), &saltenv, &pillar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_not_is_refused_with_what_to_do_instead() {
        let refused = |side, name: &str| find(side, name).err().unwrap().to_string();
        assert!(find(Side::Runner, "manage.up").is_ok() && find(Side::Wheel, "key.accept").is_ok());
        assert!(refused(Side::Runner, "manage.upp").contains("did you mean manage.up?"));
        assert!(refused(Side::Runner, "http.query").contains("on a minion with salt.function"));
        assert!(refused(Side::Runner, "saltutil.sync_roster").contains("which are not run here"));
        assert!(refused(Side::Wheel, "manage.up").contains("there is no wheel function manage.up"));
    }

    #[test]
    fn modules_of_a_tree_are_found_by_their_folders() {
        assert_eq!(custom(["top.sls", "_states/mine.py"].into_iter()), Some("_states/mine.py"));
        assert_eq!(custom(["_states", "states/_x.py", "_data/x.json", "web/_states/x.py"].into_iter()), None);
    }

    #[test]
    fn tables_are_in_order() {
        for table in [RUNNERS, keys::WHEELS] {
            assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
        }
    }

    #[test]
    fn lists_are_lists_or_words() {
        assert_eq!(texts(&json!("a, b")), ["a", "b"]);
        assert_eq!(texts(&json!(["a", 1])), ["a", "1"]);
    }
}
