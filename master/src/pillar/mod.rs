//! Pillar: compiled here for the one minion that asks, from grains that it told and the master
//! fixed, on a few threads of their own that give way to everything else.
//!
//! What was compiled is kept in memory, and on no disk: for the same minion, tree, grains and
//! environments it is not compiled again within `pillar_cache_ttl`. The last one of each minion is
//! also what `I@` targets look at.

pub(crate) mod allowed;
mod commands;
pub(crate) mod look;
mod secrets;
mod workers;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use proto::{
    Hash, Map, MinionId, Packed, codec,
    manifest::EnvName,
    question::{Kind, Unanswered},
};

use crate::{
    files::{Files, PillarTree},
    fleet::Fleet,
    grains,
};
pub use allowed::Allowed;
use workers::{Order, Workers};

/// Memory for pillars that are kept, in bytes; beyond it they are compiled each time.
const KEPT: usize = 256 << 20;

/// How long a target that looks at pillar waits for those that are not known yet.
const LEARN: Duration = Duration::from_secs(10);

/// What a minion asks for beside its own.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub saltenv: Option<EnvName>,
    pub pillarenv: Option<EnvName>,
    pub overrides: Packed,
}

/// How pillar is compiled.
pub struct Settings {
    /// The configuration as Salt's `__opts__`.
    pub opts: Map,
    /// Functions beyond those that only read (`pillar_functions`).
    pub functions: Vec<proto::Glob>,
    pub workers: usize,
    pub keep: Duration,
}

pub struct Pillars {
    files: Arc<Files>,
    fleet: Arc<Fleet>,
    settings: Settings,
    workers: Workers,
    tree: Mutex<Option<Arc<PillarTree>>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    of: HashMap<MinionId, Pillar>,
    bytes: usize,
}

/// A compiled pillar, for a key that covers all that it depends on.
struct Pillar {
    key: Hash,
    at: Instant,
    bytes: Bytes,
}

impl Pillars {
    pub fn new(files: Arc<Files>, fleet: Arc<Fleet>, settings: Settings) -> Self {
        let allowed = Arc::new(Allowed::new(settings.functions.clone()));
        let workers = Workers::start(settings.workers, allowed);
        Self { files, fleet, settings, workers, tree: Mutex::default(), kept: Mutex::default() }
    }

    /// The pillar of `minion` as msgpack of a mapping; what is wrong with it is beneath `_errors`.
    ///
    /// # Errors
    /// The roots cannot be read, the question is malformed, or the minion is not known.
    pub async fn of(&self, minion: &MinionId, wanted: Wanted) -> Result<Bytes, Unanswered> {
        let overrides = wanted.overrides.open().map_err(|error| {
            Unanswered::new(Kind::Malformed, format!("the pillar that was given cannot be read: {error}"))
        })?;
        let tree = self.tree().await?;
        let Some((claimed, fixed)) = self.fleet.grains_of(minion) else {
            return Err(Unanswered::new(Kind::Failed, "the minion is not known any more"));
        };
        let key = key(&tree, &claimed, &fixed, &wanted);
        if let Some(bytes) = self.known(minion, &key) {
            return Ok(bytes);
        }
        let order = Order {
            minion: minion.clone(),
            grains: grains::all(minion, &claimed, &fixed),
            opts: self.opts(minion, &wanted),
            tree,
            overrides,
        };
        let plain = order.overrides.is_empty();
        let compiled = self.workers.compile(order).await?;
        // What a call gave beside the tree is of that call alone.
        if plain {
            self.fleet.set_pillar(minion, Packed::from_bytes(compiled.bytes.clone()));
            if compiled.pure && !compiled.failed {
                self.keep(minion, key, compiled.bytes.clone());
            }
        }
        Ok(compiled.bytes)
    }

    /// The pillar of the master itself, as orchestrations see it; what is `given` stands before it.
    ///
    /// # Errors
    /// It cannot be compiled, for people.
    pub async fn of_master(&self, id: &MinionId, grains: Map, saltenv: &str, given: Map) -> Result<Map, String> {
        let env = saltenv.parse().ok();
        let wanted = Wanted { saltenv: env, ..Wanted::default() };
        let tree = self.tree().await.map_err(|why| format!("the pillar files: {why}"))?;
        let opts = self.opts(id, &wanted);
        let order = Order { minion: id.clone(), grains, opts, tree, overrides: given };
        let compiled = self.workers.compile(order).await.map_err(|why| format!("the pillar of {id}: {why}"))?;
        let pillar = codec::decode::<Map>(&compiled.bytes, codec::Limits::MESSAGE);
        let pillar = pillar.map_err(|why| format!("the pillar of {id}: {why}"))?;
        match pillar.get("_errors").and_then(serde_json::Value::as_array) {
            Some(errors) => {
                let errors: Vec<String> = errors.iter().map(states::value::python_str).collect();
                Err(format!("the pillar of {id} has errors:\n{}", errors.join("\n")))
            }
            None => Ok(pillar),
        }
    }

    /// What templates of pillar see of the master's configuration.
    pub fn options(&self) -> &Map {
        &self.settings.opts
    }

    /// Compiles the pillars that are not known yet, as far as that is done soon: for targets that
    /// look at pillar.
    pub async fn learn(&self) {
        let unknown = self.fleet.without_pillar();
        let all = futures_util::future::join_all(unknown.iter().map(|minion| self.of(minion, Wanted::default())));
        if tokio::time::timeout(LEARN, all).await.is_err() {
            tracing::warn!(minions = unknown.len(), "not all of their pillars are known yet; a target looks at pillar");
        }
    }

    /// Nothing is known of this minion any more.
    pub fn forget(&self, minion: &MinionId) {
        let mut kept = self.kept();
        if let Some(pillar) = kept.of.remove(minion) {
            kept.bytes -= pillar.bytes.len();
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, minion: &MinionId, key: &Hash) -> Option<Bytes> {
        let kept = self.kept();
        let pillar = kept.of.get(minion)?;
        (pillar.key == *key && pillar.at.elapsed() < self.settings.keep).then(|| pillar.bytes.clone())
    }

    fn keep(&self, minion: &MinionId, key: Hash, bytes: Bytes) {
        self.forget(minion);
        let mut kept = self.kept();
        if kept.bytes + bytes.len() <= KEPT {
            kept.bytes += bytes.len();
            kept.of.insert(minion.clone(), Pillar { key, at: Instant::now(), bytes });
        }
    }

    /// The tree that is compiled from, made once for everyone who asks while it stays the same.
    async fn tree(&self) -> Result<Arc<PillarTree>, Unanswered> {
        let snapshot = self.files.newest().await?;
        let mut tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        match tree.as_ref().filter(|tree| *tree.hash() == snapshot.hash) {
            Some(known) => Ok(known.clone()),
            None => Ok(tree.insert(Arc::new(PillarTree::new(snapshot))).clone()),
        }
    }

    fn opts(&self, minion: &MinionId, wanted: &Wanted) -> Map {
        let mut opts = self.settings.opts.clone();
        let env = |env: &Option<EnvName>| env.as_ref().map(|env| env.as_str().into()).unwrap_or_default();
        opts.insert("id".into(), minion.as_str().into());
        opts.insert("saltenv".into(), env(&wanted.saltenv));
        opts.insert("pillarenv".into(), env(&wanted.pillarenv));
        opts
    }
}

/// A name for all that a pillar depends on, beside the minion.
fn key(tree: &PillarTree, claimed: &Packed, fixed: &Map, wanted: &Wanted) -> Hash {
    let env = |env: &Option<EnvName>| env.as_ref().map(|env| env.as_str().to_owned());
    let all = (
        tree.hash(),
        claimed,
        serde_json::Value::Object(fixed.clone()),
        env(&wanted.saltenv),
        env(&wanted.pillarenv),
        &wanted.overrides,
    );
    // What cannot be encoded is never found again.
    Hash::of(&codec::encode(&all).unwrap_or_else(|_| Bytes::copy_from_slice(&rand::random::<[u8; 32]>())))
}
