//! Where SLS and other `salt://` files come from.

use std::{
    collections::HashMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use proto::Map;

/// A file tree for each environment. Paths are relative, with `/` between their parts.
///
/// Folders on this host implement it ([`Folders`]), and so does whatever fetches from a master.
pub trait Tree: Send + Sync {
    /// The names of the environments, sorted as the configuration has them.
    fn environments(&self) -> Vec<String>;

    /// A file's bytes; `None` if the environment has no such file.
    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>>;

    /// Every file of an environment, sorted.
    fn files(&self, env: &str) -> Arc<Vec<String>>;

    /// Whether the environment has this file.
    fn has(&self, env: &str, path: &str) -> bool {
        self.files(env).binary_search_by(|file| file.as_str().cmp(path)).is_ok()
    }

    /// Where the file lies on this host, if it does.
    fn local(&self, env: &str, path: &str) -> Option<PathBuf>;

    /// The same, with the reason where a file that the environment has cannot be brought here.
    fn fetch(&self, env: &str, path: &str) -> io::Result<Option<PathBuf>> {
        Ok(self.local(env, path))
    }

    /// What is known of a file without reading it.
    fn entry(&self, env: &str, path: &str) -> Option<Entry> {
        let meta = fs::metadata(self.local(env, path)?).ok()?;
        Some(Entry { size: meta.len(), mode: meta.permissions().mode() & 0o7777, blake3: None })
    }

    /// The folders of an environment that have nothing in them, sorted.
    fn empty_dirs(&self, _env: &str) -> Vec<String> {
        Vec::new()
    }

    /// Which version of the files this is, for whoever asks later what was applied: `tree`, a hash, and
    /// `commits`, those of roots in git by environment. Nothing where nobody keeps count.
    fn revision(&self) -> Map {
        Map::new()
    }
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Bytes.
    pub size: u64,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    /// The hash of its contents, where that costs nothing.
    pub blake3: Option<[u8; 32]>,
}

/// No files at all.
pub struct NoTree;

impl Tree for NoTree {
    fn environments(&self) -> Vec<String> {
        Vec::new()
    }
    fn read(&self, _: &str, _: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn files(&self, _: &str) -> Arc<Vec<String>> {
        Arc::default()
    }
    fn local(&self, _: &str, _: &str) -> Option<PathBuf> {
        None
    }
}

/// Folders of this host: `file_roots` or `pillar_roots` of a configuration. The first folder of
/// an environment that has a file gives it. `__env__` stands for every environment that is not
/// named.
pub struct Folders {
    environments: Vec<(String, Vec<PathBuf>)>,
    listed: HashMap<String, OnceLock<Arc<Vec<String>>>>,
    limit: u64,
}

/// The largest file that is read into memory.
const LIMIT: u64 = 64 * 1024 * 1024;

impl Folders {
    pub fn new(environments: impl IntoIterator<Item = (String, Vec<PathBuf>)>) -> Self {
        let environments: Vec<_> = environments.into_iter().collect();
        let listed = environments.iter().map(|(env, _)| (env.clone(), OnceLock::new())).collect();
        Self { environments, listed, limit: LIMIT }
    }

    fn folders(&self, env: &str) -> &[PathBuf] {
        let named = self.environments.iter().find(|(name, _)| name == env);
        let any = || self.environments.iter().find(|(name, _)| name == "__env__");
        named.or_else(any).map_or(&[], |(_, folders)| folders)
    }

    fn find(&self, env: &str, path: &str) -> Option<(PathBuf, fs::Metadata)> {
        if !is_inside(path) {
            return None;
        }
        let full = self.folders(env).iter().map(|folder| folder.join(path));
        let mut there = full.filter_map(|full| fs::metadata(&full).ok().map(|meta| (full, meta)));
        there.find(|(_, meta)| meta.is_file())
    }
}

/// Whether a relative path stays inside of its root.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\0')
        && Path::new(path).components().all(|part| matches!(part, std::path::Component::Normal(_)))
}

impl Tree for Folders {
    fn environments(&self) -> Vec<String> {
        self.environments.iter().map(|(name, _)| name.clone()).filter(|name| name != "__env__").collect()
    }

    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        let Some((full, meta)) = self.find(env, path) else { return Ok(None) };
        if meta.len() > self.limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is larger than 64 MiB"));
        }
        fs::read(full).map(Some)
    }

    fn files(&self, env: &str) -> Arc<Vec<String>> {
        let list = || Arc::new(list_all(self.folders(env)));
        match self.listed.get(env) {
            Some(listed) => listed.get_or_init(list).clone(),
            None => list(),
        }
    }

    fn has(&self, env: &str, path: &str) -> bool {
        self.find(env, path).is_some()
    }

    fn local(&self, env: &str, path: &str) -> Option<PathBuf> {
        self.find(env, path).map(|(full, _)| full)
    }

    fn entry(&self, env: &str, path: &str) -> Option<Entry> {
        let (_, meta) = self.find(env, path)?;
        Some(Entry { size: meta.len(), mode: meta.permissions().mode() & 0o7777, blake3: None })
    }

    fn empty_dirs(&self, env: &str) -> Vec<String> {
        let mut found = Vec::new();
        for folder in self.folders(env) {
            list_empty(folder, "", 0, &mut found);
        }
        found.sort();
        found.dedup();
        found
    }
}

fn list_empty(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    let entries: Vec<_> = fs::read_dir(folder).into_iter().flatten().flatten().collect();
    if entries.is_empty() && !prefix.is_empty() {
        found.push(prefix.to_owned());
    }
    for entry in entries.iter().filter(|entry| depth < DEPTH && entry.path().is_dir()) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        list_empty(&entry.path(), &path, depth + 1, found);
    }
}

fn list_all(folders: &[PathBuf]) -> Vec<String> {
    let mut found = Vec::new();
    for folder in folders {
        list_into(folder, "", 0, &mut found);
    }
    found.sort();
    found.dedup();
    found
}

/// Folders inside one another; a loop of links ends here at the latest.
const DEPTH: usize = 40;

fn list_into(folder: &Path, prefix: &str, depth: usize, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        match fs::metadata(entry.path()) {
            Ok(meta) if meta.is_dir() && depth < DEPTH => list_into(&entry.path(), &path, depth + 1, found),
            Ok(meta) if meta.is_file() => found.push(path),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_do_not_leave_the_roots() {
        for bad in ["../x", "/etc/passwd", "a/../../x", "", "a\0b", "."] {
            assert!(!is_inside(bad), "{bad:?}");
        }
        assert!(is_inside("a/b.sls"));
    }

    #[test]
    fn the_first_folder_wins() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(one.path().join("web")).unwrap();
        fs::write(one.path().join("web/init.sls"), "1").unwrap();
        fs::create_dir(two.path().join("web")).unwrap();
        fs::write(two.path().join("web/init.sls"), "2").unwrap();
        fs::write(two.path().join("b.sls"), "b").unwrap();
        let roots = vec![one.path().to_owned(), two.path().to_owned()];
        let tree = Folders::new([("base".to_owned(), roots)]);
        assert_eq!(tree.read("base", "web/init.sls").unwrap().as_deref(), Some(&b"1"[..]));
        assert_eq!(*tree.files("base"), ["b.sls", "web/init.sls"]);
        assert_eq!(tree.read("dev", "b.sls").unwrap(), None);
        fs::create_dir_all(two.path().join("a/empty")).unwrap();
        assert_eq!((tree.empty_dirs("base"), tree.entry("base", "b.sls").unwrap().size), (vec!["a/empty".into()], 1));
    }
}
