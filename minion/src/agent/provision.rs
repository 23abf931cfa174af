//! What a job needs beside its arguments: the files and the pillar. All of it waits.

use std::sync::Arc;

use proto::{Args, Hash, Job, Map, Packed, Question, Value, codec, manifest::EnvName, question::ANSWER};
use states::{
    CallError,
    tree::{NoTree, Tree},
};

use super::{Inner, lock};
use crate::{
    child::{Files, Task},
    config::{Config, FileClient},
    job::Running,
    local,
    supply::{Cache, Missing, PATIENCE, Questions, Remote, Stock, Store},
};

/// Modules whose functions use the tree whenever they are called.
const FILES: &[&str] = &["cp", "state"];
/// Modules whose functions, or the templates that they render, may look at the pillar.
const PILLAR: &[&str] = &["check", "config", "defaults", "match", "mine", "pillar", "slsutil", "state"];
/// Functions of other modules that render templates.
const RENDER: &[&str] = &[
    "cp.get_template",
    "file.apply_template_on_contents",
    "file.check_managed",
    "file.check_managed_changes",
    "file.manage_file",
];

/// What a job finds.
pub struct Provision {
    pub tree: Box<dyn Tree>,
    pub pillar: Arc<Map>,
}

/// The supply of an agent with this configuration.
pub fn store(config: &Config) -> Arc<Store> {
    let limit = config.keys.cache_limit.saturating_mul(1 << 20);
    let cache = Arc::new(Cache::new(config.path("cache"), limit));
    Arc::new(Store::new(cache, Arc::new(Questions::new(PATIENCE))))
}

impl Inner {
    /// What is here without asking anybody.
    pub(super) fn at_hand(&self) -> Provision {
        Provision { tree: Box::new(NoTree), pillar: lock(&self.pillar).clone().unwrap_or_default() }
    }

    /// Gets what the job's function needs, before it is called.
    pub(super) fn provide(&self, job: &Job) -> Result<Provision, CallError> {
        let needed = lists_files(job);
        let tree: Box<dyn Tree> = match self.config.keys.file_client {
            FileClient::Local => local::tree(&self.config),
            FileClient::Remote => {
                let tree = Remote::new(self.store.clone(), self.store.cache.clone(), pinned(job)?);
                if needed {
                    tree.ready()
                        .map_err(|error| CallError::failed(format!("the state files cannot be had: {error}")))?;
                }
                Box::new(tree)
            }
        };
        Ok(Provision { tree, pillar: self.pillar_for(job)? })
    }

    /// What a child must know to run a job.
    pub(crate) fn task(&self, running: &Running, started: u64) -> Result<Task, CallError> {
        let job = &running.job;
        let files = match self.config.keys.file_client {
            FileClient::Local => Files::Here(self.config.keys.file_roots.clone()),
            FileClient::Remote => Files::Master {
                tree: self.tree_of(job)?,
                cache: self.config.path("cache"),
                limit: self.config.keys.cache_limit.saturating_mul(1 << 20),
            },
        };
        Ok(Task {
            job: job.clone(),
            started,
            id: self.config.id.clone(),
            grains: (*self.grains()).clone(),
            pillar: (*self.pillar_for(job)?).clone(),
            opts: self.config.opts.clone(),
            files,
        })
    }

    /// The tree that a job in a child keeps to.
    fn tree_of(&self, job: &Job) -> Result<Option<Hash>, CallError> {
        let pinned = pinned(job)?;
        match lists_files(job) {
            true => Ok(Some(self.store.manifest(pinned)?)),
            false => Ok(pinned),
        }
    }

    /// Where a child's errands go.
    pub(crate) fn stock(&self) -> &dyn Stock {
        &*self.store
    }

    /// Has the pillar compiled anew when it is needed next.
    pub(crate) fn forget_pillar(&self) {
        *lock(&self.pillar) = None;
        self.own.pillar.notify_one();
        self.checks.changed.notify_one();
    }

    /// Has the pillar compiled and keeps it.
    pub(super) fn compile_pillar(&self) -> Result<(), CallError> {
        let pillar = self.compile(Asked::of(&Args::default(), &self.config.opts)?)?;
        match pillar.get("_errors") {
            Some(errors) => Err(CallError::failed(errors.to_string())),
            None => {
                *lock(&self.pillar) = Some(Arc::new(pillar));
                self.checks.changed.notify_one();
                Ok(())
            }
        }
    }

    /// As Salt: states and `pillar.items` have it compiled anew, all others use what was compiled
    /// last. What does not look at it gets none.
    fn pillar_for(&self, job: &Job) -> Result<Arc<Map>, CallError> {
        let (function, args) = (&job.request.function, &job.request.args);
        let module = function.module();
        let fresh = module == "state" || matches!(function.as_str(), "pillar.items" | "pillar.data");
        let kept = lock(&self.pillar).clone();
        match kept {
            Some(kept) if !fresh => return Ok(kept),
            None if !PILLAR.contains(&module) && !RENDER.contains(&function.as_str()) => return Ok(Arc::default()),
            _ => {}
        }
        let named = |name: &str| args.named.contains_key(name);
        let special = fresh && ["pillar", "saltenv", "pillarenv"].into_iter().any(named);
        let none = Args::default();
        let asked = Asked::of(if special { args } else { &none }, &self.config.opts)?;
        let pillar = Arc::new(self.compile(asked)?);
        if !special && !pillar.contains_key("_errors") {
            *lock(&self.pillar) = Some(pillar.clone());
            self.own.pillar.notify_one();
            self.checks.changed.notify_one();
        }
        Ok(pillar)
    }

    fn compile(&self, asked: Asked) -> Result<Map, CallError> {
        if self.config.keys.file_client == FileClient::Local {
            return Ok(local::pillar(&self.config, &self.grains(), &asked.overrides));
        }
        let overrides = Packed::new(&asked.overrides).map_err(|error| CallError::arguments(error.to_string()))?;
        let question = Question::Pillar { saltenv: asked.saltenv, pillarenv: asked.pillarenv, overrides };
        let answer = self.store.ask(question).map_err(no_pillar)?;
        codec::decode(&answer, ANSWER).map_err(|error| no_pillar(Missing::Form(error.to_string())))
    }
}

fn no_pillar(error: Missing) -> CallError {
    CallError::failed(format!("the pillar cannot be had: {error}"))
}

/// Whether a job is sure to look at the tree.
fn lists_files(job: &Job) -> bool {
    let function = &job.request.function;
    let reads = FILES.contains(&function.module()) || function.as_str() == "check.drift";
    reads || function.as_str().starts_with("saltutil.sync_")
}

/// The tree that a job names.
fn pinned(job: &Job) -> Result<Option<Hash>, CallError> {
    let tree = job.tree.as_deref().map(str::parse).transpose();
    tree.map_err(|error| CallError::failed(format!("the job's tree: {error}")))
}

/// Which pillar is wanted.
struct Asked {
    overrides: Map,
    saltenv: Option<EnvName>,
    pillarenv: Option<EnvName>,
}

impl Asked {
    fn of(args: &Args, opts: &Map) -> Result<Self, CallError> {
        let overrides = match args.named.get("pillar") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(given)) => given.clone(),
            Some(_) => return Err(CallError::arguments("Pillar data must be formatted as a dictionary")),
        };
        let env = |name: &str| {
            let given = args.named.get(name).or_else(|| opts.get(name)).and_then(Value::as_str);
            given.map(str::parse).transpose().map_err(|error| CallError::arguments(format!("{name}: {error}")))
        };
        Ok(Self { overrides, saltenv: env("saltenv")?, pillarenv: env("pillarenv")? })
    }
}
