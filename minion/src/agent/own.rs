//! Jobs that the minion starts by itself: what it applies at start, its schedule, its mine.
//!
//! The master has not asked for them, so it hears of them by events: `minion/schedule/NAME`, with
//! what Salt puts into a return. They are not marked and not spooled: what a stopped minion did not
//! finish comes again by the schedule.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use jiff::Zoned;
use proto::{
    Args, FunctionName, Job, JobId, Map, Outcome, Request, Return, RunOptions, Value,
    message::{FromMinion, Lane},
};
use rand::RngExt;
use serde_json::json;
use states::Effect;
use tokio::{
    sync::{Notify, Semaphore},
    time::sleep,
};

use super::{Inner, lock, run};
use crate::{
    child,
    config::FileClient,
    job::{self, Running},
    local::local_operator,
    schedule::{self, Entry},
};

/// Events that wait for a master.
const WAITING: usize = 64;
/// A larger return is told in short.
const LARGE: u64 = 48 * 1024;
/// How long after the start the pillar is looked at for a schedule, if nothing has had it compiled
/// before: past the rush of a whole fleet that starts, and not all at once.
const FIRST_LOOK: Duration = Duration::from_secs(10);
const SPREAD: Duration = Duration::from_secs(50);
/// Whoever needs a forgotten pillar has it compiled within this time.
const LINGER: Duration = Duration::from_secs(1);
/// The name of the job that keeps the mine fresh.
pub const MINE: &str = "__mine_interval";
/// The clock on the wall is looked at this often, since it may be set.
const LOOK: Duration = Duration::from_secs(30);

/// What an agent keeps of its own jobs.
#[derive(Default)]
pub struct Own {
    /// A master was there once.
    met: AtomicBool,
    meeting: Notify,
    last: AtomicU64,
    /// The pillar was compiled, or forgotten.
    pub pillar: Notify,
    /// Events that no master has heard yet.
    waiting: Mutex<VecDeque<Value>>,
}

impl Own {
    /// A connection stands.
    pub fn connected(&self, inner: &Inner) {
        self.met.store(true, SeqCst);
        self.meeting.notify_waiters();
        let waiting = std::mem::take(&mut *lock(&self.waiting));
        waiting.into_iter().for_each(|event| inner.tell_of(event));
    }

    async fn met(&self) {
        let met = self.meeting.notified();
        if !self.met.load(SeqCst) {
            met.await;
        }
    }

    fn next_jid(&self, now: u64) -> JobId {
        let before = self.last.fetch_max(now, SeqCst);
        if before >= now { JobId::from_micros(self.last.fetch_add(1, SeqCst) + 1) } else { JobId::from_micros(now) }
    }
}

/// Runs what the configuration says, until it is dropped. Never ends.
pub async fn schedule(inner: &Arc<Inner>) {
    if let Some((function, args)) = inner.config.startup.clone() {
        let inner = inner.clone();
        tokio::spawn(async move {
            inner.master_was_met().await;
            let ret = run_own(&inner, function.clone(), args.clone()).await;
            inner.report(
                &StartedBy { name: "startup_states", function: &function, args: &args, metadata: &Value::Null },
                &ret,
            );
        });
    }
    let mut running: HashMap<String, (String, AbortOnDrop)> = HashMap::new();
    let first_look = tokio::time::Instant::now() + FIRST_LOOK + SPREAD.mul_f64(random());
    let mut looked = false;
    loop {
        let pillar = lock(&inner.pillar).clone();
        let wanted = entries(inner, &pillar.unwrap_or_default());
        running.retain(|name, (text, _)| wanted.get(name).is_some_and(|(_, wanted)| wanted == text));
        for (name, (entry, text)) in wanted {
            running.entry(name).or_insert_with(|| {
                let task = tokio::spawn(keep_running(inner.clone(), Arc::new(entry)));
                (text, AbortOnDrop(task.abort_handle()))
            });
        }
        tokio::select! {
            () = inner.own.pillar.notified() => {}
            () = tokio::time::sleep_until(first_look), if !looked => looked = true,
        }
        look_at_pillar(inner).await;
    }
}

/// Ends what an entry waits for; a job that it has started goes on.
struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Has the pillar compiled if nobody else does.
async fn look_at_pillar(inner: &Arc<Inner>) {
    sleep(LINGER).await;
    if lock(&inner.pillar).is_some() {
        return;
    }
    inner.master_was_met().await;
    let compiling = inner.clone();
    let compiled = tokio::task::spawn_blocking(move || compiling.compile_pillar()).await;
    if let Ok(Err(error)) = compiled {
        tracing::warn!(%error, "the pillar cannot be looked at for a schedule");
    }
}

/// The jobs of the configuration, and those of the pillar that it does not hide. Each with a text
/// that tells one definition from another. As in Salt, `mine_functions` of the pillar count too;
/// when they change, the mine is brought up to date at once.
fn entries(inner: &Inner, pillar: &Map) -> HashMap<String, (Entry, String)> {
    let config = inner.config.schedule.iter().map(|entry| (entry.name.clone(), (entry.clone(), String::new())));
    let mut all: HashMap<String, (Entry, String)> = config.collect();
    match schedule::parse(pillar.get("schedule").unwrap_or(&Value::Null)) {
        Ok(more) => {
            for entry in more {
                let text = format!("{}{}", pillar["schedule"][&entry.name], pillar["schedule"]["splay"]);
                all.entry(entry.name.clone()).or_insert((entry, text));
            }
        }
        Err(why) => tracing::warn!(why, "the schedule in the pillar cannot be read"),
    }
    let interval = inner.config.keys.mine_interval;
    if let Some(functions) = pillar.get("mine_functions").filter(|functions| !functions.is_null() && interval > 0)
        && let Ok(update) = "mine.update".parse()
    {
        let entry = Entry::every(MINE, update, Duration::from_secs(interval.saturating_mul(60)));
        all.insert(MINE.into(), (entry, functions.to_string()));
    }
    all
}

async fn keep_running(inner: Arc<Inner>, entry: Arc<Entry>) {
    let places = Arc::new(Semaphore::new(entry.maxrunning));
    if entry.run_on_start {
        inner.master_was_met().await;
        sleep(entry.splay(random())).await;
        start(&inner, &entry, &places);
    }
    while wait_until_due(&entry).await {
        sleep(entry.splay(random())).await;
        start(&inner, &entry, &places);
    }
}

fn random() -> f64 {
    rand::rng().random_range(0.0..1.0)
}

/// Gives false when it will never be due again.
async fn wait_until_due(entry: &Entry) -> bool {
    loop {
        let Some(wait) = entry.due_in(&Zoned::now()) else { return false };
        if !entry.is_by_clock() || wait <= LOOK {
            sleep(wait).await;
            return true;
        }
        sleep(LOOK).await;
    }
}

/// Runs it beside the schedule, unless as many of it run as may.
fn start(inner: &Arc<Inner>, entry: &Arc<Entry>, places: &Arc<Semaphore>) {
    let Ok(place) = places.clone().try_acquire_owned() else {
        return tracing::warn!(job = %entry.name, most = entry.maxrunning, "a job of the schedule still runs, and is left out");
    };
    let (inner, entry) = (inner.clone(), entry.clone());
    tokio::spawn(async move {
        let _place = place;
        let ret = run_own(&inner, entry.function.clone(), entry.args.clone()).await;
        let Entry { name, function, args, metadata, .. } = &*entry;
        match entry.return_job {
            true => inner.report(&StartedBy { name, function, args, metadata }, &ret),
            false if ret.outcome != Outcome::Ok => {
                tracing::warn!(job = %name, jid = %ret.jid, value = %ret.value, "a job failed")
            }
            false => {}
        }
    });
}

/// Runs a function as an operator's job is run, only that nothing of it is kept.
pub(super) async fn run_own(inner: &Arc<Inner>, function: FunctionName, args: Args) -> Return {
    let started = inner.clock.now();
    let jid = inner.own.next_jid(started);
    let request = Request {
        nonce: rand::random(),
        operator: local_operator(),
        target: inner.config.id.to_string(),
        function,
        args,
        valid_until: u64::MAX,
        options: RunOptions::default(),
    };
    let job = Job { jid, request, expires: u64::MAX, tree: None };
    let effect = job::effect(&job);
    let running = Arc::new(Running::own(job));
    lock(&inner.ledger).begin(running.clone(), true);
    let permit = run::permit(inner, &running, effect).await;
    let ret = run::carry_out(inner, &running, effect, started).await;
    drop(permit);
    lock(&inner.ledger).discard(jid);
    if effect == Effect::Writes {
        child::forget(inner.root(), jid);
        // A look at drift writes nothing, and would have no end.
        if running.job.request.function.module() != "check" {
            inner.checks.may_be_others();
        }
    }
    ret
}

/// What started a job.
struct StartedBy<'a> {
    name: &'a str,
    function: &'a FunctionName,
    args: &'a Args,
    metadata: &'a Value,
}

impl Inner {
    /// With files and pillar on this host nobody needs to be waited for.
    pub(super) async fn master_was_met(&self) {
        if self.config.keys.file_client == FileClient::Remote {
            self.own.met().await;
        }
    }

    fn report(&self, by: &StartedBy<'_>, ret: &Return) {
        let (jid, function, ok) = (ret.jid, by.function, ret.outcome == Outcome::Ok);
        match ok {
            true => tracing::info!(job = by.name, %jid, %function, "a job of the minion's own has ended"),
            false => {
                tracing::warn!(job = by.name, %jid, %function, value = %brief(&ret.value), "a job of the minion's own failed")
            }
        }
        let large = proto::job::size(&ret.value) > LARGE;
        let mut event = json!({
            "cmd": "_return",
            "id": self.config.id,
            "jid": jid.to_string(),
            "fun": function,
            "fun_args": by.args.to_salt(),
            "schedule": by.name,
            "success": ok,
            "retcode": ret.retcode,
            "return": if large { brief(&ret.value) } else { ret.value.clone() },
        });
        if let (Some(event), false) = (event.as_object_mut(), by.metadata.is_null()) {
            event.insert("metadata".into(), by.metadata.clone());
        }
        self.tell_of(event);
    }

    fn tell_of(&self, event: Value) {
        let name = event["schedule"].as_str().unwrap_or_default();
        let message = FromMinion::Event { tag: format!("minion/schedule/{name}"), data: event.clone() };
        let sender = lock(&self.sender).clone();
        let told = sender.is_some_and(|sender| sender.try_send(Lane::Control, &message).is_ok());
        if !told {
            let mut waiting = lock(&self.own.waiting);
            waiting.push_back(event);
            let surplus = waiting.len().saturating_sub(WAITING);
            waiting.drain(..surplus);
        }
    }
}

/// A return in short: of states, how many there were, and which failed; of all else, its beginning.
fn brief(value: &Value) -> Value {
    let states = value.as_object().filter(|states| states.keys().any(|key| key.contains("_|-")));
    let Some(states) = states else {
        let text = value.to_string();
        return text[..text.floor_char_boundary(1000)].into();
    };
    let is = |wanted: Option<bool>| states.iter().filter(move |(_, row)| row["result"].as_bool() == wanted);
    let changed = states.values().filter(|row| row["changes"].as_object().is_some_and(|changes| !changes.is_empty()));
    let row = |(key, row): (&String, &Value)| (key.clone(), row["comment"].clone());
    json!({
        "states": states.len(),
        "changed": changed.count(),
        "failed": is(Some(false)).count(),
        "failures": is(Some(false)).take(20).map(row).collect::<Map>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jids_are_never_given_twice() {
        let own = Own::default();
        assert_eq!([5, 5, 4, 9].map(|now| own.next_jid(now).micros()), [5, 6, 7, 9]);
    }

    #[test]
    fn a_return_in_short_names_what_failed() {
        let row = |result, changes: Value| json!({"result": result, "changes": changes, "comment": "because"});
        let value = json!({"file_|-a_|-a_|-managed": row(true, json!({"diff": "x"})), "cmd_|-b_|-b_|-run": row(false, json!({}))});
        let failures = json!({"cmd_|-b_|-b_|-run": "because"});
        assert_eq!(brief(&value), json!({"states": 2, "changed": 1, "failed": 1, "failures": failures}));
        assert_eq!(brief(&json!("x".repeat(3000))).as_str().unwrap().len(), 1000);
    }
}
