//! The thread of an orchestration: from its steps to its end, each row on the disk before the next
//! step builds on it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicI32},
    thread,
    time::Duration,
};

use orchestrate::{Director, Fleet, fleet::Refused, room, run, saved};
use proto::{
    Args, Map, MinionId, Outcome, Value, event, message::orchestration::OrchestrationEnd,
    message::orchestration::Source,
};
use serde_json::json;
use states::{
    Context,
    compile::{Chunk, Problems, Step},
    run::{Results, Row},
};
use tokio::runtime::Handle;

use super::{calls, desk::Desk, here::Here, host, live::Live};
use crate::{
    files::{PillarTree, Snapshot},
    pillar::{
        allowed::{Allowed, Watched},
        look,
    },
    server::Master,
};

/// What the steps of one orchestration are compiled and run with.
pub struct Scene {
    id: MinionId,
    here: Here,
    tree: PillarTree,
    opts: Map,
    pillar: Map,
    functions: Allowed,
    director: Director,
}

impl Scene {
    /// `tree` is what the sources come from; `given` stands before what pillar says of the master.
    ///
    /// # Errors
    /// The master's pillar cannot be compiled.
    pub fn new(desk: Desk, tree: Arc<Snapshot>, saltenv: &str, given: Map, test: bool) -> Result<Self, Refused> {
        let host = desk.master.name.clone();
        let id = master_id(&host);
        let grains = host::grains(id.as_str(), &host);
        let pillar = desk.runtime.block_on(desk.master.pillars.of_master(&id, grains.clone(), saltenv, given));
        let pillar = pillar.map_err(Refused::Other)?;
        let opts = json!({
            "id": id, "__role": "master", "file_client": "local", "saltenv": saltenv, "test": test,
            "renderer": "jinja|yaml",
        });
        Ok(Self {
            id,
            here: Here(look::Master { grains, secrets: Default::default() }),
            tree: PillarTree::new(tree),
            opts: map(opts),
            pillar,
            functions: Allowed::new(Vec::new()).with(calls::TABLE),
            director: Director(Arc::new(desk)),
        })
    }

    pub fn fleet(&self) -> &dyn Fleet {
        &*self.director.0
    }

    pub fn compile(&self, source: &Source, saltenv: &str) -> Result<Vec<Step>, Problems> {
        self.with(|context| run::compile(context, source, saltenv))
    }

    pub fn run(
        &self,
        steps: &[Step],
        test: bool,
        known: HashMap<String, Row>,
        shown: states::run::Shown<'_>,
    ) -> Results {
        self.with(|context| run::run(context, steps, test, known, shown))
    }

    fn with<T>(&self, what: impl FnOnce(&Context<'_>) -> T) -> T {
        let functions = Watched::new(&self.functions);
        what(&Context {
            id: &self.id,
            look: &self.here,
            host: Some(&self.here),
            functions: &functions,
            tree: &self.tree,
            pillar: &self.pillar,
            opts: &self.opts,
            agent: Some(&self.director),
            progress: &|_| {},
            retcode: &AtomicI32::new(0),
        })
    }
}

fn map(value: Value) -> Map {
    if let Value::Object(map) = value { map } else { Map::new() }
}

/// `HOST_master`, as Salt calls what orchestrations run on; a host whose name cannot be part of an
/// id is `localhost`.
pub fn master_id(host: &str) -> MinionId {
    let plain: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).collect();
    let name = format!("{}_master", plain.trim_start_matches(['.', '-']));
    let id = name.parse().or_else(|_| "localhost_master".parse());
    id.unwrap_or_else(|_| unreachable!("a constant that is an id"))
}

/// Begins or goes on with an orchestration, on a thread of its own. `known` are rows that it need not
/// run for.
pub fn begin(master: Arc<Master>, live: Arc<Live>, tree: Arc<Snapshot>, known: HashMap<String, Row>) {
    let runtime = Handle::current();
    let name = format!("orchestrate-{}", live.jid);
    let thread = thread::Builder::new().name(name).spawn(move || {
        let worked = catch_unwind(AssertUnwindSafe(|| work(&master, &runtime, &live, tree, known)));
        if worked.is_err() {
            // What it waits for is on the disk: the next start of the master takes it up.
            tracing::error!(jid = %live.jid, "the orchestration was given up");
            master.orchestrations.remove(live.jid);
        }
    });
    if let Err(error) = thread {
        tracing::error!(%error, "cannot start a thread for an orchestration; the next start of the master takes it up");
    }
}

fn work(master: &Arc<Master>, runtime: &Handle, live: &Arc<Live>, tree: Arc<Snapshot>, known: HashMap<String, Row>) {
    let shown = |chunk: &Chunk, row: &Row| ended(master, runtime, live, chunk, row);
    let asker = live.authority.key;
    let desk = Desk { master: master.clone(), runtime: runtime.clone(), asker, live: Some(live.clone()) };
    let mut results = match Scene::new(desk, tree, &live.saltenv, live.pillar.clone(), live.test) {
        Ok(scene) => scene.run(&live.steps, live.test, known, &shown),
        // It was well when the whole was planned.
        Err(why) => none_ran(&live.steps, known, &why, &shown),
    };
    master.orchestrations.stay();
    let failed = results.values().any(|(_, row)| row.failed());
    let outcome = match (live.was_killed(), failed) {
        (true, _) => Outcome::Refused,
        (false, true) => Outcome::Failed,
        (false, false) => Outcome::Ok,
    };
    room::fit_all(&mut results);
    let value = run::to_value(master_id(&master.name).as_str(), &results);
    while let Err(error) = runtime.block_on(master.store.orchestrated(live.jid, outcome)) {
        tracing::error!(%error, jid = %live.jid, "cannot write down how the orchestration ended; trying again");
        thread::sleep(Duration::from_secs(1));
    }
    let data = json!({
        "jid": live.jid.to_string(), "fun": "runner.state.orchestrate", "user": live.operator, "name": live.name,
        "success": outcome == Outcome::Ok, "outcome": outcome,
    });
    master.events.send(event::run_ret(live.jid), data);
    master.orchestrations.remove(live.jid);
    live.over(&Arc::new(OrchestrationEnd { jid: live.jid, outcome, value }));
}

/// The rows of steps that cannot be run for.
fn none_ran(steps: &[Step], mut known: HashMap<String, Row>, why: &Refused, shown: states::run::Shown<'_>) -> Results {
    let row = |step: &Step| {
        let tag = step.chunk.tag();
        let row = known.remove(&tag).unwrap_or_else(|| {
            let row = Row::not_run(false, why.to_string());
            shown(&step.chunk, &row);
            row
        });
        (tag, (step.chunk.clone(), row))
    };
    steps.iter().filter(|step| !step.trial).map(row).collect()
}

/// A step has ended: written down before anything that builds on it is.
fn ended(master: &Master, runtime: &Handle, live: &Live, chunk: &Chunk, row: &Row) {
    master.orchestrations.stay();
    let tag = chunk.tag();
    let text = serde_json::to_string(row).unwrap_or_default();
    if is_told_by_its_jobs(chunk) || !row.ran {
        // After a crash, its jobs would give the same row again; and no later job is on the disk, and
        // so published, before this row is.
        runtime.block_on(master.store.step_in_turn(live.jid, tag.clone(), text));
    } else {
        while let Err(error) = runtime.block_on(master.store.step(live.jid, tag.clone(), text.clone())) {
            tracing::error!(%error, jid = %live.jid, "cannot write down how a stage ended; trying again");
            thread::sleep(Duration::from_secs(1));
        }
    }
    live.ended(&tag, row);
    let data = json!({
        "jid": live.jid.to_string(), "stage": chunk.text("__id__"), "result": row.result, "comment": row.comment,
    });
    master.events.send(event::stage_ended(live.jid), data);
}

/// Whether all that a step does are jobs, which are never published twice.
fn is_told_by_its_jobs(chunk: &Chunk) -> bool {
    chunk.text("state") == "salt" && matches!(chunk.text("fun"), "state" | "function" | "check")
}

/// Orchestrate SLS that a step runs as a whole (`salt.runner` of `state.orchestrate`). Its jobs
/// are the step's, so an interruption makes it begin anew and find them.
pub fn nested(desk: &Desk, step: &str, mods: Vec<String>, saltenv: &str, pillar: &Map) -> Result<Value, Refused> {
    const DEEPEST: usize = 8;
    if step.matches("||").count() >= DEEPEST {
        return Err(Refused::Other("orchestrations are nested too deeply".into()));
    }
    let live = desk.live.clone().ok_or_else(|| Refused::Other("nothing is run for a plan".into()))?;
    let tree = desk.runtime.block_on(super::pinned(&desk.master, live.tree));
    let tree = tree.map_err(|why| Refused::Other(why.message))?;
    let mut scene = Scene::new(desk.again(), tree, saltenv, pillar.clone(), live.test)?;
    let id = master_id(&desk.master.name);
    // As with Salt, one that cannot begin has an answer as one that fails has.
    let steps = match scene.compile(&Source::Sls(mods), saltenv) {
        Ok(steps) => steps,
        Err(problems) => return Ok(run::not_begun(id.as_str(), &problems)),
    };
    scene.director = Director(Arc::new(Nested { outer: scene.director.0.clone(), step: step.to_owned() }));
    let results = scene.run(&steps, live.test, HashMap::new(), &|_, _| ());
    live.alive()?;
    Ok(run::to_value(id.as_str(), &results))
}

/// A function that only reads, called on the master itself.
pub fn read_here(desk: &Desk, function: &str, args: Args) -> Result<Value, Refused> {
    let tree = desk.runtime.block_on(super::newest(&desk.master)).map_err(|why| Refused::Other(why.message))?;
    let scene = Scene::new(desk.again(), tree, "base", Map::new(), false)?;
    scene.with(|context| {
        let found = context.functions.find(function);
        let found = found.ok_or_else(|| {
            let why = format!("{function} is no function that only reads, and the master runs no others");
            Refused::Other(format!("{why}\n  hint: have a minion on the master's host, and call it with salt.function"))
        })?;
        (found.call)(context, args).map_err(|why| Refused::Other(why.to_string()))
    })
}

/// The fleet for steps within a step: all is told and kept as that one's.
struct Nested {
    outer: Arc<dyn Fleet>,
    step: String,
}

impl Nested {
    fn name(&self, step: &str) -> String {
        format!("{}||{step}", self.step)
    }
}

impl Fleet for Nested {
    fn resolve(&self, target: &str) -> Result<orchestrate::fleet::Matched, Refused> {
        self.outer.resolve(target)
    }
    fn publish(
        &self,
        step: &str,
        call: &proto::message::orchestration::Call,
        options: &proto::RunOptions,
    ) -> Result<orchestrate::fleet::Child, Refused> {
        self.outer.publish(&self.name(step), call, options)
    }
    fn follow(&self, child: &orchestrate::fleet::Child) -> Result<Box<dyn orchestrate::fleet::Follow + '_>, Refused> {
        self.outer.follow(child)
    }
    fn stop(&self, child: proto::JobId) {
        self.outer.stop(child);
    }
    fn listen(&self) -> Box<dyn orchestrate::fleet::Listen + '_> {
        self.outer.listen()
    }
    fn call(
        &self,
        step: &str,
        side: orchestrate::fleet::Side,
        function: &str,
        args: &proto::Args,
    ) -> Result<Value, Refused> {
        self.outer.call(&self.name(step), side, function, args)
    }
    fn look(&self, side: orchestrate::fleet::Side, function: &str, args: &proto::Args) -> Result<Value, Refused> {
        self.outer.look(side, function, args)
    }
    fn pause(&self, step: &str, length: Duration) -> Result<(), Refused> {
        self.outer.pause(&self.name(step), length)
    }
    fn counts(&self, step: &str, ends: &[(Outcome, u32)], open: u32) {
        self.outer.counts(&self.name(step), ends, open);
    }
    fn failed(&self, step: &str, minion: &MinionId, why: &str) {
        self.outer.failed(&self.name(step), minion, why);
    }
    fn says(&self, step: &str, text: String) {
        self.outer.says(&self.name(step), text);
    }
    fn send_event(&self, tag: &str, data: Value) -> Result<(), Refused> {
        self.outer.send_event(tag, data)
    }
}

/// What is kept of an orchestration beside its row.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Kept {
    pub name: String,
    pub saltenv: String,
    pub test: bool,
    pub pillar: Map,
    pub plan: proto::message::orchestration::Plan,
    /// As [`saved::save`] gives them.
    pub steps: String,
}

impl Kept {
    pub fn steps(&self) -> Result<Vec<Step>, serde_json::Error> {
        saved::restore(&self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_has_an_id_whatever_its_host_is_called() {
        assert_eq!(master_id("salt1.example.org").to_string(), "salt1.example.org_master");
        for odd in ["", "..", "a..b", "-x", "über/../etc", &"x".repeat(300)] {
            assert!(master_id(odd).to_string().ends_with("_master"), "{odd}");
        }
    }
}
