//! Orchestrations: jobs of the master whose host is the fleet.
//!
//! What is on disk: its row among the jobs, with the operator's signed request, its steps, the id of
//! each step's job *before* that is published, and each step's row when it ends. After a crash all of
//! them are taken up: known rows are not run for again, a step whose job is known follows that one,
//! the rest runs ([`Orchestrations::take_up`]).

mod calls;
mod desk;
mod here;
mod host;
mod live;
mod runners;
mod work;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use orchestrate::{plan, room, run, saved};
use proto::{
    Hash, JobId, Request, codec, event,
    message::{
        Fault, FaultKind, JobDetail, ORCHESTRATE,
        orchestration::{
            Orchestration, OrchestrationDetail, OrchestrationEnd, OrchestrationStart, Plan, Source, StageDetail,
        },
    },
    sign::Signed,
};
use states::{compile::Step, diag, run::Row};
use tokio::{runtime::Handle, sync::mpsc};

use crate::{
    access, clock,
    files::Snapshot,
    jobs::{self, fault},
    server::{Caller, Master},
    store::{JobRecord, StoreError},
};
use desk::Desk;
pub use live::News;
use live::{Born, Live};
pub use work::master_id;
use work::{Kept, Scene};

/// The largest source, with all that goes with it: it travels with each job of a stage.
const LARGEST: usize = 256 * 1024;
/// How long the request of an orchestration must be good for when it begins, in microseconds.
const LEAST: u64 = 30_000_000;
/// Stands among the rows of a killed orchestration, with who did it: a crash does not bring it back.
const KILLED: &str = "__killed__";
/// Orchestrations at once: each has threads.
const MOST: usize = 64;

/// Those that are under way.
#[derive(Default)]
pub struct Orchestrations {
    live: Mutex<HashMap<JobId, Arc<Live>>>,
    /// The master is shutting down: what happens now is no verdict, and the next start goes on.
    leaving: AtomicBool,
}

/// What goes on, and how it began.
pub struct Followed {
    pub start: OrchestrationStart,
    pub news: mpsc::UnboundedReceiver<News>,
}

impl Orchestrations {
    fn live(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Live>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, jid: JobId) -> Option<Arc<Live>> {
        self.live().get(&jid).cloned()
    }

    fn remove(&self, jid: JobId) {
        self.live().remove(&jid);
    }

    /// Nothing more is begun or written down.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Holds a thread of an orchestration while the master shuts down, which ends it.
    fn stay(&self) {
        while self.leaving.load(Ordering::Acquire) {
            std::thread::park();
        }
    }

    pub fn count(&self) -> usize {
        self.live().len()
    }
}

/// What an orchestration would do.
///
/// # Errors
/// Why it could not be done at all.
pub async fn plan(master: &Arc<Master>, caller: &Caller, wanted: Orchestration) -> Result<Plan, Fault> {
    access::permit_admin(&caller.operator, ORCHESTRATE)?;
    Ok(prepare(master, caller, wanted).await?.plan)
}

/// Records an orchestration and lets it run.
///
/// # Errors
/// Nothing was done, and why.
pub async fn start(master: &Arc<Master>, caller: &Caller, signed: Signed) -> Result<Followed, Fault> {
    access::permit_admin(&caller.operator, ORCHESTRATE)?;
    if signed.body.len() > LARGEST {
        let hint = "put what is long into the state tree".to_owned();
        return Err(usage(format!("an orchestration of more than {LARGEST} bytes"), Some(hint)));
    }
    let request = master.jobs.verify(&caller.operator, &signed, clock::now())?;
    let wanted = orchestration_of(&request)?;
    if request.valid_until < clock::now() + LEAST {
        let hint = "an orchestration's stages are run on the word of its request: sign one that is good for a day";
        return Err(usage("the request will be over in less than half a minute".into(), Some(hint.to_owned())));
    }
    let concurrent = wanted.concurrent;
    let prepared = prepare(master, caller, wanted).await?;
    let jid = master.jobs.next_jid();
    let Prepared { kept, steps, plan, known, snapshot } = prepared;
    let record = Arc::new(JobRecord {
        jid,
        operator: caller.operator.name.clone(),
        origin: caller.origin.clone(),
        target: kept.name.clone(),
        function: request.function.clone(),
        args: request.args.clone(),
        comment: request.options.comment.clone(),
        request: signed,
        expected: Arc::from([]),
        expires: request.valid_until,
        tree: Some(snapshot.hash),
        authority: None,
        parent: None,
        step: None,
    });
    let live = Arc::new(Live::new(born(&record, &kept, request.valid_until, steps, Vec::new())));
    admit(master, &live, concurrent)?;
    if let Err(error) = write(master, record, &kept, &known).await {
        master.orchestrations.remove(jid);
        let hint = "nothing was begun: what is not on disk does not exist".to_owned();
        return Err(fault(FaultKind::Store, error.to_string(), Some(hint)));
    }
    let revisions = snapshot.revisions();
    if !revisions.is_empty() {
        master.store.tree(snapshot.hash, &revisions).await;
    }
    let data = serde_json::json!({
        "jid": jid.to_string(), "fun": "runner.state.orchestrate", "user": live.operator, "name": live.name,
    });
    master.events.send(event::run_new(jid), data);
    let followed = Followed { start: OrchestrationStart { jid, plan }, news: live.follow() };
    work::begin(master.clone(), live, snapshot, known);
    Ok(followed)
}

fn usage(message: String, hint: Option<String>) -> Fault {
    fault(FaultKind::Usage, message, hint)
}

fn stored(error: StoreError) -> Fault {
    fault(FaultKind::Store, error.to_string(), None)
}

fn orchestration_of(request: &Request) -> Result<Orchestration, Fault> {
    if request.function.as_str() != ORCHESTRATE {
        return Err(usage(format!("a request for {} starts no orchestration", request.function), None));
    }
    Orchestration::from_args(&request.args)
        .map_err(|error| usage(format!("the orchestration cannot be read: {error}"), None))
}

/// All that is known before anything runs.
struct Prepared {
    kept: Kept,
    steps: Vec<Step>,
    plan: Plan,
    known: HashMap<String, Row>,
    snapshot: Arc<Snapshot>,
}

/// An earlier run, to go on from.
struct Earlier {
    wanted: Orchestration,
    kept: Kept,
    rows: HashMap<String, Row>,
}

async fn prepare(master: &Arc<Master>, caller: &Caller, mut wanted: Orchestration) -> Result<Prepared, Fault> {
    let earlier = match wanted.resume {
        Some(jid) => Some(earlier(master, jid).await?),
        None => None,
    };
    if let (Source::Resumed, Some(earlier)) = (&wanted.source, &earlier) {
        let given = std::mem::take(&mut wanted.pillar);
        let mut pillar = earlier.kept.pillar.clone();
        pillar.extend(given);
        wanted = Orchestration {
            source: earlier.wanted.source.clone(),
            saltenv: wanted.saltenv.or_else(|| Some(earlier.kept.saltenv.clone())),
            pillar,
            ..wanted
        };
    }
    let snapshot = newest(master).await?;
    let desk = Desk { master: master.clone(), runtime: Handle::current(), asker: caller.operator.key, live: None };
    let compiled = tokio::task::spawn_blocking(move || compile(desk, wanted, earlier.as_ref(), snapshot));
    compiled
        .await
        .unwrap_or_else(|_| Err(usage("compiling the orchestration failed; the master's log says more".into(), None)))
}

fn compile(
    desk: Desk,
    wanted: Orchestration,
    earlier: Option<&Earlier>,
    snapshot: Arc<Snapshot>,
) -> Result<Prepared, Fault> {
    let saltenv = wanted.saltenv.clone().unwrap_or_else(|| "base".into());
    let scene = Scene::new(desk, snapshot.clone(), &saltenv, wanted.pillar.clone(), wanted.test);
    let scene = scene.map_err(|why| usage(why.to_string(), None))?;
    let steps = scene.compile(&wanted.source, &saltenv).map_err(|problems| {
        let text = diag::render_all(&problems, false);
        usage(text.strip_prefix("error: ").unwrap_or(&text).trim_end().to_owned(), None)
    })?;
    let mut known = run::leave_out(&steps, wanted.from.as_deref(), wanted.only.as_deref())
        .map_err(|why| usage(why.message, why.hint))?;
    if let Some(earlier) = earlier {
        let old = earlier.kept.steps().map_err(|error| usage(error.to_string(), None))?;
        for (tag, row) in run::take_over(&old, &earlier.rows, &steps) {
            known.entry(tag).or_insert(row);
        }
    }
    let mut plan = plan::plan(&steps, &known, scene.fleet(), wanted.test);
    plan.name = wanted.source.name();
    plan.saltenv = saltenv.clone();
    // What was signed with the request need not be kept a second time.
    let shown = Plan { calls: Vec::new(), ..plan.clone() };
    let kept = Kept {
        name: plan.name.clone(),
        saltenv,
        test: wanted.test,
        pillar: wanted.pillar,
        plan: shown,
        steps: saved::save(&steps),
    };
    Ok(Prepared { kept, steps, plan, known, snapshot })
}

async fn earlier(master: &Master, jid: JobId) -> Result<Earlier, Fault> {
    if master.orchestrations.get(jid).is_some() {
        let hint = format!("`ctl job follow {jid}` shows it");
        return Err(usage(format!("{jid} is still under way"), Some(hint)));
    }
    let (record, kept) = kept(master, jid).await?.ok_or_else(|| {
        let hint = "`ctl job list --function state.orchestrate` shows those that are known".to_owned();
        fault(FaultKind::NotFound, format!("there is no orchestration {jid}"), Some(hint))
    })?;
    if kept.test {
        return Err(usage(format!("{jid} was a dry run, which did nothing that could be gone on from"), None));
    }
    let rows = rows(master, jid).await?;
    let wanted = Orchestration::from_args(&record.args).map_err(|error| usage(error.to_string(), None))?;
    Ok(Earlier { wanted, kept, rows })
}

async fn kept(master: &Master, jid: JobId) -> Result<Option<(JobRecord, Kept)>, Fault> {
    let Some(text) = master.store.orchestration_steps(jid).await.map_err(stored)? else { return Ok(None) };
    let Some(record) = master.store.job_record(jid).await.map_err(stored)? else { return Ok(None) };
    let kept = serde_json::from_str(&text).map_err(|error| stored(StoreError(error.to_string())))?;
    Ok(Some((record, kept)))
}

async fn rows(master: &Master, jid: JobId) -> Result<HashMap<String, Row>, Fault> {
    let rows = master.store.step_rows(jid).await.map_err(stored)?;
    Ok(rows.into_iter().filter_map(|(tag, row)| Some((tag, serde_json::from_str(&row).ok()?))).collect())
}

/// The tree of this name, if it is still kept.
async fn pinned(master: &Master, tree: Option<Hash>) -> Result<Arc<Snapshot>, Fault> {
    // A master that has just started looks at the files first: they may be what they were.
    let newest = newest(master).await?;
    let Some(tree) = tree.filter(|tree| *tree != newest.hash) else { return Ok(newest) };
    master.files.tree(&tree).ok_or_else(|| jobs::tree_gone(&tree))
}

async fn newest(master: &Master) -> Result<Arc<Snapshot>, Fault> {
    let newest = master.files.current().await;
    newest.map_err(|why| fault(FaultKind::Store, format!("the state files: {why}"), None))
}

fn born(record: &JobRecord, kept: &Kept, valid_until: u64, steps: Vec<Step>, children: Vec<(String, JobId)>) -> Born {
    Born {
        jid: record.jid,
        name: kept.name.clone(),
        saltenv: kept.saltenv.clone(),
        test: kept.test,
        pillar: kept.pillar.clone(),
        operator: record.operator.clone(),
        authority: record.request.clone(),
        valid_until,
        origin: record.origin.clone(),
        tree: record.tree,
        steps,
        plan: kept.plan.clone(),
        children,
    }
}

/// Takes an orchestration among those under way, unless the same runs already.
fn admit(master: &Master, live: &Arc<Live>, concurrent: bool) -> Result<(), Fault> {
    let mut all = master.orchestrations.live();
    let same = |other: &&Arc<Live>| other.name == live.name && other.saltenv == live.saltenv && !other.test;
    if let Some(other) = all.values().find(same).filter(|_| !concurrent && !live.test) {
        let hint = format!(
            "`ctl job follow {0}` shows it, `ctl job kill {0}` ends it; --concurrent runs it beside",
            other.jid
        );
        return Err(usage(
            format!("{} runs already (job {}, of {})", live.name, other.jid, other.operator),
            Some(hint),
        ));
    }
    if all.len() >= MOST {
        return Err(usage(format!("{MOST} orchestrations are under way already"), None));
    }
    all.insert(live.jid, live.clone());
    Ok(())
}

async fn write(
    master: &Master,
    record: Arc<JobRecord>,
    kept: &Kept,
    known: &HashMap<String, Row>,
) -> Result<(), StoreError> {
    let jid = record.jid;
    let json = |error: serde_json::Error| StoreError(error.to_string());
    master.store.orchestration(record, serde_json::to_string(kept).map_err(json)?).await?;
    for (tag, row) in known {
        master.store.step(jid, tag.clone(), serde_json::to_string(row).map_err(json)?).await?;
    }
    Ok(())
}

/// Takes up every orchestration that the store holds open. To be called once, when the master starts.
pub async fn take_up(master: &Arc<Master>) {
    let open = match master.store.open_orchestrations().await {
        Ok(open) => open,
        Err(error) => return tracing::error!(%error, "cannot read the orchestrations that are open"),
    };
    for (record, text) in open {
        let jid = record.jid;
        if let Err(why) = take_up_one(master, record, &text).await {
            tracing::error!(%jid, why = why.message, "cannot go on with an orchestration");
        }
    }
}

async fn take_up_one(master: &Arc<Master>, record: JobRecord, text: &str) -> Result<(), Fault> {
    let broken = |error: serde_json::Error| stored(StoreError(error.to_string()));
    let kept: Kept = serde_json::from_str(text).map_err(broken)?;
    let steps = kept.steps().map_err(broken)?;
    let request: Request = codec::decode(&record.request.body, codec::Limits::SMALL)
        .map_err(|error| stored(StoreError(error.to_string())))?;
    let known = rows(master, record.jid).await?;
    let children = master.store.children(record.jid).await.map_err(stored)?;
    // Without its tree, what needs none goes on, and what does says so.
    let snapshot = match pinned(master, record.tree).await {
        Ok(snapshot) => snapshot,
        Err(why) => {
            tracing::warn!(jid = %record.jid, why = why.message, "an orchestration goes on without its files");
            newest(master).await?
        }
    };
    tracing::info!(jid = %record.jid, name = kept.name, ended = known.len(), steps = steps.len(), "goes on with an orchestration");
    let live = Arc::new(Live::new(born(&record, &kept, request.valid_until, steps, children)));
    for step in &live.steps {
        let tag = step.chunk.tag();
        if let Some(row) = known.get(&tag) {
            live.ended(&tag, row);
        }
    }
    let killed = master.store.step_rows(record.jid).await.map_err(stored)?;
    let killed = killed.into_iter().find(|(tag, _)| tag == KILLED);
    if let Some(who) = killed.and_then(|(_, who)| serde_json::from_str(&who).ok()) {
        live.kill(&who);
    }
    admit(master, &live, true)?;
    work::begin(master.clone(), live, snapshot, known);
    Ok(())
}

/// Follows an orchestration from its start; `None` if there is none with that id.
///
/// # Errors
/// The store cannot be read.
pub async fn follow(master: &Master, jid: JobId) -> Result<Option<Followed>, Fault> {
    if let Some(live) = master.orchestrations.get(jid) {
        return Ok(Some(Followed { start: live.start(), news: live.follow() }));
    }
    let Some((record, kept)) = kept(master, jid).await? else { return Ok(None) };
    let Some(outcome) = outcome(master, jid).await? else { return Ok(None) };
    let rows = rows(master, jid).await?;
    let steps = kept.steps().unwrap_or_default();
    let born = born(&record, &kept, 0, steps, Vec::new());
    let past = Live::new(born);
    for step in &past.steps {
        let tag = step.chunk.tag();
        if let Some(row) = rows.get(&tag) {
            past.ended(&tag, row);
        }
    }
    let followed = Followed { start: past.start(), news: past.follow() };
    let value = value(master, &past.steps, &rows);
    past.over(&Arc::new(OrchestrationEnd { jid, outcome, value }));
    Ok(Some(followed))
}

fn value(master: &Master, steps: &[Step], rows: &HashMap<String, Row>) -> proto::Value {
    let shown = steps.iter().filter(|step| !step.trial);
    let known =
        shown.filter_map(|step| Some((step.chunk.tag(), (step.chunk.clone(), rows.get(&step.chunk.tag())?.clone()))));
    let mut results: states::run::Results = known.collect();
    results.sort_by(|_, (_, a), _, (_, b)| a.number.cmp(&b.number));
    room::fit_all(&mut results);
    run::to_value(work::master_id(&master.name).as_str(), &results)
}

async fn outcome(master: &Master, jid: JobId) -> Result<Option<proto::Outcome>, Fault> {
    let detail = detail_of_job(master, jid).await?;
    Ok(detail.and_then(|detail| detail.row.ends.first().map(|(outcome, _)| *outcome)))
}

async fn detail_of_job(master: &Master, jid: JobId) -> Result<Option<JobDetail>, Fault> {
    Ok(master.jobs.detail(jid).await.map_err(stored)?.map(|(detail, _)| detail))
}

/// All about an orchestration; `None` if there is none with that id.
///
/// # Errors
/// The store cannot be read.
pub async fn detail(master: &Master, jid: JobId) -> Result<Option<OrchestrationDetail>, Fault> {
    let Some((_, kept)) = kept(master, jid).await? else { return Ok(None) };
    let Some(JobDetail { row, .. }) = detail_of_job(master, jid).await? else { return Ok(None) };
    let rows = rows(master, jid).await?;
    let children = master.store.children(jid).await.map_err(stored)?;
    let steps = kept.steps().unwrap_or_default();
    let share = room::share(kept.plan.stages.len());
    let shown = |tag: &str, chunk| {
        let mut row = rows.get(tag)?.clone();
        room::fit_row(&mut row, share);
        Some(row.to_value(chunk))
    };
    let stages = kept.plan.stages.iter().map(|stage| {
        let chunk = steps.iter().map(|step| &step.chunk).find(|chunk| chunk.tag() == stage.tag);
        let of = children.iter().filter(|(tag, _)| tag.starts_with(&stage.tag));
        StageDetail { jobs: of.map(|(_, jid)| *jid).collect(), row: chunk.and_then(|chunk| shown(&stage.tag, chunk)) }
    });
    let outcome = row.ends.first().map(|(outcome, _)| *outcome);
    Ok(Some(OrchestrationDetail { stages: stages.collect(), row, plan: kept.plan, outcome }))
}

/// Ends an orchestration that is under way, and gives its jobs that are still open. `None` if it
/// is not under way.
///
/// # Errors
/// The operator may not, or the store cannot be written.
pub async fn kill(master: &Master, caller: &Caller, jid: JobId) -> Result<Option<Vec<JobId>>, Fault> {
    let Some(live) = master.orchestrations.get(jid) else { return Ok(None) };
    // Who may start one may end one; and everyone may end their own.
    if live.operator != caller.operator.name {
        access::permit_admin(&caller.operator, "job.kill")?;
    }
    let who = serde_json::json!(caller.operator.name).to_string();
    master.store.step(jid, KILLED.to_owned(), who).await.map_err(stored)?;
    live.kill(&caller.operator.name);
    let mut open = Vec::new();
    for child in live.children() {
        if master.jobs.concerned(child).is_some() {
            master.jobs.kill(child, &caller.operator.name).await;
            open.push(child);
        }
    }
    master.audit(caller, &format!("job kill {jid}"), "done").await;
    Ok(Some(open))
}
