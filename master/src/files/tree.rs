//! A snapshot as the tree that pillar is compiled from, its files kept in memory.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use proto::{
    Hash,
    manifest::{EnvName, Environment},
};
use states::Tree;

use super::Snapshot;

/// The largest file that a template may read, and what is kept of all files together.
const LARGEST: u64 = 16 << 20;
const KEPT: usize = 64 << 20;

/// Holds still however the roots change: a file that is not what it was fails by name.
pub struct PillarTree {
    snapshot: Arc<Snapshot>,
    lists: HashMap<EnvName, Arc<Vec<String>>>,
    contents: Mutex<Contents>,
}

#[derive(Default)]
struct Contents {
    files: HashMap<Hash, Arc<[u8]>>,
    bytes: usize,
}

impl PillarTree {
    pub fn new(snapshot: Arc<Snapshot>) -> Self {
        let list = |environment: &Environment| {
            // `/` sorts before letters in a path's text as it does in the manifest's.
            let mut paths: Vec<String> = environment.files.keys().map(ToString::to_string).collect();
            paths.sort();
            Arc::new(paths)
        };
        let environments = snapshot.manifest.environments.iter();
        let lists = environments.map(|(name, environment)| (name.clone(), list(environment))).collect();
        Self { snapshot, lists, contents: Mutex::default() }
    }

    /// The tree's name.
    pub fn hash(&self) -> &Hash {
        &self.snapshot.hash
    }

    /// `__env__` stands for every environment that is not named.
    fn environment(&self, env: &str) -> Option<&Environment> {
        let all = &self.snapshot.manifest.environments;
        all.get(env).or_else(|| all.get("__env__"))
    }

    fn contents(&self, hash: &Hash, size: u64) -> io::Result<Arc<[u8]>> {
        if let Some(known) = self.lock().files.get(hash) {
            return Ok(known.clone());
        }
        if size > LARGEST {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 16 MiB"));
        }
        let place = self.snapshot.places.get(hash).cloned().ok_or(io::ErrorKind::NotFound)?;
        let read = place.open().and_then(|open| open.read(0, size as usize));
        let bytes: Arc<[u8]> = read.map_err(io::Error::other)?.as_ref().into();
        let mut contents = self.lock();
        if contents.bytes + bytes.len() <= KEPT && contents.files.insert(*hash, bytes.clone()).is_none() {
            contents.bytes += bytes.len();
        }
        Ok(bytes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tree for PillarTree {
    fn environments(&self) -> Vec<String> {
        let names = self.snapshot.manifest.environments.keys().map(ToString::to_string);
        names.filter(|name| name != "__env__").collect()
    }

    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(entry) = self.environment(env).and_then(|environment| environment.files.get(path)) else {
            return Ok(None);
        };
        self.contents(&entry.hash, entry.size).map(|bytes| Some(bytes.to_vec()))
    }

    fn files(&self, env: &str) -> Arc<Vec<String>> {
        self.lists.get(env).or_else(|| self.lists.get("__env__")).cloned().unwrap_or_default()
    }

    fn has(&self, env: &str, path: &str) -> bool {
        self.environment(env).is_some_and(|environment| environment.files.contains_key(path))
    }

    fn local(&self, _: &str, _: &str) -> Option<PathBuf> {
        None
    }
}
