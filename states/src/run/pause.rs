//! Runs that are held at a state, or ended before it: `state.pause`, `state.resume`,
//! `state.soft_kill`.
//!
//! A run looks before each of its states into a file of its own, named by its jid, which these
//! functions write: an id of a state (`__all__` for any) and how long it is held (`duration`, in
//! seconds), or that the run ends there (`kill`).

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use proto::{JobId, Map, Value};

use crate::{Context, Look};

/// Stands for whatever state is next.
pub const ALL: &str = "__all__";
/// How often a held run looks whether it may go on.
const LOOK: Duration = Duration::from_millis(250);
/// The largest file that is read.
const LIMIT: u64 = 1 << 20;

/// The folder of these files; none where the configuration names no place for it.
pub fn folder(opts: &Map) -> Option<PathBuf> {
    let text = |key: &str| opts.get(key).and_then(Value::as_str).map(PathBuf::from);
    Some(text("cachedir").or_else(|| Some(text("root_dir")?.join("cache")))?.join("state_pause"))
}

/// What is set for a run: a mapping of ids to settings, empty where nothing is.
pub fn read(look: &dyn Look, path: &Path) -> Map {
    let bytes = look.read(path, LIMIT).unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// Where a run finds out that it is to wait.
#[derive(Debug, Clone)]
pub struct Pauses(PathBuf);

impl Pauses {
    /// Of the run that is calling; none where it has no jid that anybody could name.
    pub fn of(context: &Context<'_>) -> Option<Self> {
        let jid: JobId = context.agent?.jid()?;
        Some(Self(folder(context.opts)?.join(jid.to_string())))
    }

    /// Waits while the state `low` is held. Gives whether it is to run.
    pub(super) fn let_go(&self, context: &Context<'_>, low: &Map) -> bool {
        let id = low.get("__id__").and_then(Value::as_str).unwrap_or_default();
        let begun = Instant::now();
        let mut told = false;
        loop {
            let set = read(context.look, &self.0);
            let Some(set) = set.get(id).or_else(|| set.get(ALL)) else { return true };
            let duration = set.get("duration").and_then(Value::as_f64);
            if duration.is_some_and(|seconds| begun.elapsed().as_secs_f64() > seconds) {
                return true;
            }
            if set.get("kill").is_some() || context.agent.is_some_and(|agent| agent.cancelled()) {
                return false;
            }
            if !told {
                told = true;
                let until = duration.map_or(String::new(), |seconds| format!(", or for {seconds} s"));
                context.wait_for(low, &format!("paused until `state.resume`{until}"));
            }
            thread::sleep(LOOK);
        }
    }

    /// What was set for a run is nobody's business when it has ended.
    pub(super) fn forget(&self, context: &Context<'_>) {
        if let Some(host) = context.host.filter(|host| host.stat(&self.0).is_ok()) {
            let _ = host.remove(&self.0);
        }
    }
}
