//! A configuration with its trees, imitated down to the grains, and calls into it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicI32,
};

use proto::{Args, Map, Value};
use states::{CallError, Command, Context, Look, Output, Stat, compile, tree::Folders, value, yaml};

/// A host of which only the grains are ours to say.
struct Host(Map);

impl Look for Host {
    fn grains(&self) -> &Map {
        &self.0
    }
    fn read(&self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let meta = fs::symlink_metadata(path)?;
        let kind = if meta.is_dir() { states::look::Kind::Directory } else { states::look::Kind::File };
        Ok(Stat { kind, size: meta.len(), mode: 0o644, uid: 0, gid: 0, mtime: 0, atime: 0, ctime: 0, inode: 0 })
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        Some(PathBuf::from(program)).filter(|path| path.is_absolute() && path.exists())
    }
    fn probe(&self, _: &Command) -> io::Result<Output> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

pub fn read_json(name: &str) -> Map {
    let text = fs::read_to_string(folder().join("golden").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub fn read_yaml(path: &Path) -> Map {
    let Ok(text) = fs::read_to_string(path) else { return Map::new() };
    match yaml::to_value(&yaml::parse(&path.display().to_string(), &text).unwrap()) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn roots(config: &Map, key: &str, base: &Path, default: &str) -> Folders {
    let given = config.get(key).and_then(Value::as_object).cloned();
    let map = given.unwrap_or_else(|| serde_json::json!({"base": [default]}).as_object().unwrap().clone());
    let paths = |list: &Value| list.as_array().unwrap().iter().map(|path| base.join(path.as_str().unwrap())).collect();
    Folders::new(map.iter().map(|(env, list)| (env.clone(), paths(list))).collect::<Vec<_>>())
}

/// One configuration with its trees, and calls into it.
pub struct Site {
    opts: Map,
    host: Host,
    files: Folders,
    pillar: Map,
}

impl Site {
    /// The site of single texts: a pillar, and no states.
    pub fn bare() -> Self {
        let config = serde_json::json!({"pillar_roots": {"base": ["pillar"]}, "file_roots": {"base": ["none"]}});
        Self::new(&folder(), config.as_object().unwrap().clone())
    }

    pub fn new(base: &Path, config: Map) -> Self {
        let mut opts = read_yaml(&folder().join("base.yaml"));
        let mut grains = opts["grains"].as_object().unwrap().clone();
        if let Some(Value::Object(more)) = config.get("grains") {
            grains.extend(more.clone());
        }
        grains.insert("id".into(), opts["id"].clone());
        let files = roots(&config, "file_roots", base, "salt");
        let pillar_roots = roots(&config, "pillar_roots", base, "pillar");
        opts.extend(config);
        let mut site = Self { opts, host: Host(grains), files, pillar: Map::new() };
        let pillar = site.within(&Map::new(), |context| compile::pillar::compile(context, &pillar_roots, &Map::new()));
        site.pillar = pillar.into_map();
        site
    }

    fn within<T>(&self, pillar: &Map, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let id = self.opts["id"].as_str().unwrap().parse().unwrap();
        work(&Context {
            id: &id,
            look: &self.host,
            host: None,
            functions: &minion::exec::Table,
            tree: &self.files,
            pillar,
            opts: &self.opts,
            agent: None,
            progress: &|_| {},
            retcode: &AtomicI32::new(0),
        })
    }

    pub fn call(&self, function: &str, args: Args) -> Result<Value, CallError> {
        let function = function.parse().unwrap();
        self.within(&self.pillar, |context| context.call(&function, args)).map(value::plain)
    }
}
