//! The threads that compile. The system gives them what all else leaves.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicI32, mpsc},
};

use bytes::Bytes;
use proto::{
    Map, MinionId, Value, codec,
    question::{ANSWER, Kind, Unanswered},
};
use states::{Context, Diagnostic, compile::pillar};
use tokio::sync::oneshot;

use super::{
    allowed::{Allowed, Watched},
    look::Master,
    secrets::Secrets,
};
use crate::files::PillarTree;

/// How much the threads give way to others.
const NICE: i32 = 10;

/// One pillar to compile.
pub struct Order {
    pub minion: MinionId,
    pub grains: Map,
    pub opts: Map,
    pub tree: Arc<PillarTree>,
    pub overrides: Map,
}

pub struct Compiled {
    pub bytes: Bytes,
    /// It depends on nothing but what was given.
    pub pure: bool,
    /// Something was wrong.
    pub failed: bool,
}

type Work = (Order, oneshot::Sender<Result<Compiled, Unanswered>>);

/// The threads end when this is dropped. Whoever waits is in the queue with at most as many orders
/// as a minion may have questions.
pub struct Workers(mpsc::Sender<Work>);

impl Workers {
    pub fn start(count: usize, allowed: Arc<Allowed>) -> Self {
        let (give, queue) = mpsc::channel::<Work>();
        let (queue, secrets) = (Arc::new(Mutex::new(queue)), Arc::new(Secrets::default()));
        for n in 0..count.max(1) {
            let (queue, allowed, secrets) = (queue.clone(), allowed.clone(), secrets.clone());
            let work = move || work(&queue, &allowed, &secrets);
            let started = std::thread::Builder::new().name(format!("pillar-{n}")).spawn(work);
            if let Err(error) = started {
                tracing::error!(%error, "cannot start a thread for pillar");
            }
        }
        Self(give)
    }

    /// Waits for its turn and for the result.
    pub async fn compile(&self, order: Order) -> Result<Compiled, Unanswered> {
        let gone = || Unanswered::new(Kind::Failed, "compiling the pillar was given up");
        let (answer, result) = oneshot::channel();
        self.0.send((order, answer)).map_err(|_| gone())?;
        result.await.map_err(|_| gone())?
    }
}

fn work(queue: &Mutex<mpsc::Receiver<Work>>, allowed: &Allowed, secrets: &Arc<Secrets>) {
    // On Linux this is the thread's own; where it is refused, the thread is as others are.
    let _ = rustix::process::nice(NICE);
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((order, answer)) = next else { return };
        // Nobody waits any more: the connection has ended.
        if answer.is_closed() {
            continue;
        }
        let minion = order.minion.clone();
        let compiled = catch_unwind(AssertUnwindSafe(|| compile(order, allowed, secrets))).unwrap_or_else(|_| {
            tracing::error!(%minion, "compiling its pillar panicked");
            Err(Unanswered::new(Kind::Failed, "compiling the pillar failed; the master's log says more"))
        });
        let _ = answer.send(compiled);
    }
}

fn compile(order: Order, allowed: &Allowed, secrets: &Arc<Secrets>) -> Result<Compiled, Unanswered> {
    let Order { minion, grains, opts, tree, overrides } = order;
    let (look, functions) = (Master { grains, secrets: secrets.clone() }, Watched::new(allowed));
    let context = Context {
        id: &minion,
        look: &look,
        host: None,
        functions: &functions,
        tree: &*tree,
        pillar: &Map::new(),
        opts: &opts,
        agent: None,
        progress: &|_| {},
        retcode: &AtomicI32::new(0),
    };
    let compiled = pillar::compile(&context, &*tree, &overrides);
    let failed = !compiled.errors.is_empty();
    if failed {
        let errors: Vec<String> = compiled.errors.iter().map(in_short).collect();
        tracing::warn!(%minion, ?errors, "its pillar has errors");
    }
    let map = with_errors(compiled);
    let bytes = codec::encode_within(&map, ANSWER)
        .map_err(|error| Unanswered::new(Kind::Failed, format!("the pillar is too large: {error}")))?;
    Ok(Compiled { bytes, pure: functions.is_pure(), failed })
}

/// As Salt has it, with errors that quote no line: beside what is meant for this minion it may hold
/// what is meant for others.
fn with_errors(compiled: pillar::Pillar) -> Map {
    let mut data = compiled.data;
    if !compiled.errors.is_empty() {
        let errors = compiled.errors.iter().map(in_short).map(Value::String);
        data.insert("_errors".into(), errors.collect());
    }
    data
}

/// The cause, the place and the hint.
fn in_short(error: &Diagnostic) -> String {
    let place = error.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    let way: String = error.chain.iter().map(|frame| format!("; {}", frame.what)).collect();
    let hint = error.hint.as_ref().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
    format!("{}{place}{way}{hint}", error.message)
}
