//! A call on this host without a master: Salt's `salt-call --local`.

use std::sync::{Arc, atomic::AtomicI32};

use proto::{Args, FunctionName, Job, JobId, Map, Request, Return, RunOptions};
use states::{
    CallError, Context,
    tree::{Folders, Tree},
};

use crate::{
    clock::local_now,
    config::Config,
    exec, footprint, grains,
    host::Local,
    job::{self, Live, Running, Site},
};

/// What a call on this host came to.
pub struct Called {
    /// As a minion would return it: where there is an error, `value` is its text.
    pub ret: Return,
    /// Why the function gave no value, with places and hints where there are any.
    pub error: Option<CallError>,
}

/// Calls a function here. Nothing is marked, spooled or sent: it runs on this thread, as the user
/// who asks. `live` gets output lines while it runs.
pub fn perform(config: &Config, function: FunctionName, args: Args, live: Option<Live>) -> Called {
    // One thing is done at a time.
    footprint::arenas(1);
    // Once for all that is compiled here.
    states::stack::deep(|| called(config, function, args, live))
}

fn called(config: &Config, function: FunctionName, args: Args, live: Option<Live>) -> Called {
    let now = local_now();
    let job = Job { jid: JobId::from_micros(now), request: request(function, args), expires: u64::MAX, tree: None };
    let grains = Arc::new(grains::of(config));
    let system = Arc::new(Local::new((*grains).clone()));
    let tree = tree(config);
    let pillar = pillar(config, &grains, &Map::new());
    let site = Site { id: &config.id, system, grains, tree: &*tree, pillar: &pillar, opts: &config.opts, agent: None };
    let (ret, error) = job::perform_here(&Arc::new(Running::new(job, live)), &site, now);
    Called { ret, error }
}

/// The same, with errors as text alone.
pub fn call(config: &Config, function: FunctionName, args: Args, live: Option<Live>) -> Return {
    perform(config, function, args, live).ret
}

/// The pillar that `pillar_roots` gives this host; what is wrong with it stands in `_errors`.
pub fn pillar(config: &Config, grains: &Map, over: &Map) -> Map {
    if config.keys.pillar_roots.is_empty() {
        return Map::new();
    }
    let (look, tree) = (Local::new(grains.clone()), tree(config));
    let context = Context {
        id: &config.id,
        look: &look,
        host: None,
        functions: &exec::Table,
        tree: &*tree,
        pillar: &Map::new(),
        opts: &config.opts,
        agent: None,
        progress: &|_| {},
        retcode: &AtomicI32::new(0),
    };
    let roots = Folders::new(config.keys.pillar_roots.clone());
    states::compile::pillar::compile(&context, &roots, over).into_map()
}

fn request(function: FunctionName, args: Args) -> Request {
    Request {
        nonce: rand::random(),
        operator: local_operator(),
        target: String::new(),
        function,
        args,
        valid_until: u64::MAX,
        options: RunOptions::default(),
    }
}

/// Nobody signs a local call; its operator is whoever runs it.
pub(crate) fn local_operator() -> proto::OperatorName {
    let named = grains::user_name(nix::unistd::geteuid()).and_then(|name| name.parse().ok());
    // The name is a constant that parses.
    named.or_else(|| "local".parse().ok()).unwrap_or_else(|| unreachable!("`local` is an operator's name"))
}

/// The state files of this host, as `file_roots` names them.
pub fn tree(config: &Config) -> Box<dyn Tree> {
    Box::new(Folders::new(config.keys.file_roots.clone()))
}
