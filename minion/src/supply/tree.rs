//! The master's files as a tree: a manifest says what there is, the cache has what was needed.

use std::{
    collections::HashMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use proto::{
    Hash, Map, Value,
    manifest::{EnvName, Environment, FileEntry, Manifest, TreePath},
};
use states::tree::{Entry, Tree};

use super::{Cache, Missing, Stock};

/// The largest file that is read into memory.
const LIMIT: u64 = 512 * 1024 * 1024;

/// One job's view of the master's files: the manifest that is used first stays to its end.
pub struct Remote {
    stock: Arc<dyn Stock>,
    cache: Arc<Cache>,
    /// The tree that the job names.
    pinned: Option<Hash>,
    manifest: OnceLock<Result<(Hash, Manifest), Missing>>,
    listed: Mutex<HashMap<String, Arc<Vec<String>>>>,
}

impl Remote {
    pub fn new(stock: Arc<dyn Stock>, cache: Arc<Cache>, pinned: Option<Hash>) -> Self {
        Self { stock, cache, pinned, manifest: OnceLock::new(), listed: Mutex::default() }
    }

    /// Fetches the manifest now; later it can only be missing without a word. Gives its name.
    pub fn ready(&self) -> Result<Hash, Missing> {
        self.manifest().map(|(hash, _)| *hash)
    }

    fn manifest(&self) -> Result<&(Hash, Manifest), Missing> {
        let fetched = self.manifest.get_or_init(|| {
            let hash = self.stock.manifest(self.pinned)?;
            let lost = || Missing::Disk(format!("the manifest {hash} is gone"));
            Ok((hash, self.cache.manifest(&hash).ok_or_else(lost)?))
        });
        fetched.as_ref().map_err(Clone::clone)
    }

    /// What the manifest has of an environment. Nobody can be told of an error here.
    fn environment(&self, env: &str) -> Option<&Environment> {
        match self.manifest() {
            Ok((_, manifest)) => manifest.environments.get(env),
            Err(error) => {
                tracing::warn!(%error, "the master's files cannot be listed");
                None
            }
        }
    }

    fn find(&self, env: &str, path: &str) -> Option<FileEntry> {
        self.environment(env)?.files.get(path).copied()
    }

    /// Where the file lies, once it is here.
    fn bring(&self, entry: &FileEntry) -> Result<PathBuf, Missing> {
        // It may be evicted between the two steps, by a job that needs much.
        for _ in 0..3 {
            if let Some(path) = self.cache.find(&entry.hash) {
                return Ok(path);
            }
            self.stock.blob(entry.hash, entry.size)?;
        }
        self.cache.find(&entry.hash).ok_or_else(|| Missing::Disk("the cache is too small".into()))
    }
}

/// `[{"root": …, "commit": …}]`
fn commits(env: &Environment) -> Value {
    env.revisions
        .iter()
        .map(|at| serde_json::json!({"root": at.root, "commit": at.commit, "dirty": at.dirty}))
        .collect()
}

fn names<'a>(files: impl Iterator<Item = &'a TreePath>) -> Vec<String> {
    files.map(|path| path.as_str().to_owned()).collect()
}

impl Tree for Remote {
    fn revision(&self) -> Map {
        let Ok((hash, manifest)) = self.manifest() else { return Map::new() };
        let in_git = manifest.environments.iter().filter(|(_, env)| !env.revisions.is_empty());
        let commits: Map = in_git.map(|(name, env)| (name.to_string(), commits(env))).collect();
        Map::from_iter([("tree".to_owned(), hash.to_string().into()), ("commits".to_owned(), commits.into())])
    }

    fn environments(&self) -> Vec<String> {
        let environments = self.manifest().map(|(_, manifest)| manifest.environments.keys());
        environments.map(|names| names.map(EnvName::to_string).collect()).unwrap_or_default()
    }

    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(place) = Tree::fetch(self, env, path)? else { return Ok(None) };
        if std::fs::metadata(&place)?.len() > LIMIT {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 512 MiB"));
        }
        std::fs::read(place).map(Some)
    }

    fn files(&self, env: &str) -> Arc<Vec<String>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = listed.get(env) {
            return files.clone();
        }
        let files = Arc::new(self.environment(env).map(|env| names(env.files.keys())).unwrap_or_default());
        listed.insert(env.to_owned(), files.clone());
        files
    }

    fn has(&self, env: &str, path: &str) -> bool {
        self.find(env, path).is_some()
    }

    fn local(&self, env: &str, path: &str) -> Option<PathBuf> {
        let found = Tree::fetch(self, env, path);
        found.inspect_err(|error| tracing::warn!(%error, path, "a file of the master's is missing")).ok().flatten()
    }

    fn fetch(&self, env: &str, path: &str) -> io::Result<Option<PathBuf>> {
        let (_, manifest) = self.manifest()?;
        let entry = manifest.environments.get(env).and_then(|env| env.files.get(path));
        Ok(entry.map(|entry| self.bring(entry)).transpose()?)
    }

    fn entry(&self, env: &str, path: &str) -> Option<Entry> {
        let FileEntry { hash, size, mode } = self.find(env, path)?;
        Some(Entry { size, mode, blake3: Some(*hash.as_bytes()) })
    }

    fn empty_dirs(&self, env: &str) -> Vec<String> {
        self.environment(env).map(|env| names(env.empty_dirs.iter())).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    use proto::Question;

    use super::*;

    /// A stock that puts into the cache what it has.
    struct Shelf {
        cache: Arc<Cache>,
        manifest: Manifest,
        files: Vec<&'static [u8]>,
        fetched: AtomicU32,
    }

    impl Stock for Shelf {
        fn manifest(&self, _: Option<Hash>) -> Result<Hash, Missing> {
            self.cache.keep_manifest(&self.manifest.encode().unwrap().0).map_err(Missing::disk)
        }
        fn blob(&self, hash: Hash, _: u64) -> Result<(), Missing> {
            self.fetched.fetch_add(1, Relaxed);
            let file = self.files.iter().find(|file| Hash::of(file) == hash).ok_or(Missing::Silent(1))?;
            let mut part = self.cache.part(hash).unwrap();
            part.append(file).unwrap();
            assert!(self.cache.keep(part).unwrap());
            Ok(())
        }
        fn ask(&self, _: Question) -> Result<Vec<u8>, Missing> {
            Err(Missing::NoMaster)
        }
    }

    #[test]
    fn a_tree_is_what_its_manifest_says_and_fetches_what_is_read() {
        let root = tempfile::tempdir().unwrap();
        let cache = Arc::new(Cache::new(root.path().into(), 1 << 20));
        let entry = |bytes: &[u8]| FileEntry { hash: Hash::of(bytes), size: bytes.len() as u64, mode: 0o644 };
        let files = [("top.sls", entry(b"top")), ("web/init.sls", entry(b"web")), ("web/gone", entry(b"gone"))];
        let files = files.into_iter().map(|(path, entry)| (path.parse().unwrap(), entry)).collect();
        let base = Environment { files, ..Environment::default() };
        let manifest = Manifest { environments: [("base".parse().unwrap(), base)].into() };
        let files: Vec<&'static [u8]> = vec![b"top", b"web"];
        let shelf = Arc::new(Shelf { cache: cache.clone(), manifest, files, fetched: AtomicU32::new(0) });
        let tree = Remote::new(shelf.clone(), cache, None);
        assert_eq!((tree.environments(), tree.files("base").len()), (vec!["base".to_owned()], 3));
        assert_eq!(shelf.fetched.load(Relaxed), 0, "listing fetches nothing");
        assert_eq!(tree.read("base", "web/init.sls").unwrap().as_deref(), Some(&b"web"[..]));
        assert_eq!(tree.read("base", "web/init.sls").unwrap().as_deref(), Some(&b"web"[..]));
        assert_eq!(shelf.fetched.load(Relaxed), 1, "and a file is fetched once");
        for none in ["../top.sls", "/etc/passwd", "web", "none"] {
            assert_eq!(tree.read("base", none).unwrap(), None, "{none}");
        }
        assert_eq!(tree.read("dev", "top.sls").unwrap(), None);
        assert!(tree.read("base", "web/gone").unwrap_err().to_string().contains("could not be reached"));
        assert_eq!(tree.entry("base", "web/gone").unwrap().blake3, Some(*Hash::of(b"gone").as_bytes()));
        assert!(tree.local("base", "top.sls").is_some() && tree.local("base", "web/gone").is_none());
    }
}
