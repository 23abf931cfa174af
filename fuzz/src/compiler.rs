//! From text to low state: the YAML loader, templates, and the SLS compiler.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicI32},
};

use proto::{Args, Map, MinionId, Value};
use serde_json::json;
use states::{
    CallError, Command, Context, Function, Look, Output, Stat, Tree, call::Functions, functions, tree::NoTree, yaml,
};

/// A YAML document: what is read can be written, and reads the same again.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(node) = yaml::parse("fuzz", text) else { return };
    let value = yaml::to_value(&node);
    let written = yaml::emit(&value);
    let again = yaml::parse("written", &written).map(|node| yaml::to_value(&node));
    match again {
        Ok(again) => assert_eq!(again, value, "{text:?} was written as {written:?}"),
        // What is nested as deeply as it may be is nested more deeply in another form.
        Err(why) => assert!(why.message.contains("deeply"), "{text:?} was written as {written:?}: {why}"),
    }
}

/// A template, with a pillar, grains and the functions that only read.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let args = Args::default().with("string", text).with("default_renderer", "jinja");
    let _ = within(&NoTree, |context| context.call(&"slsutil.renderer".parse().unwrap(), args));
}

/// A tree of SLS files, cut at each NUL: `a`, `b`, `c`, each of which may include the others.
/// What compiles has an order without gaps in which no name stands twice.
pub fn sls(bytes: &[u8]) {
    let files = bytes.split(|byte| *byte == 0).take(NAMES.len()).map(<[u8]>::to_vec).collect();
    let low = within(&Files(files), |context| {
        context.call(&"state.show_low_sls".parse().unwrap(), Args::positional([Value::from("a")]))
    });
    let Ok(Value::Array(chunks)) = low else { return };
    for chunk in chunks.iter().filter_map(Value::as_object) {
        assert!(["state", "name", "fun", "__id__", "__sls__"].iter().all(|key| chunk.contains_key(*key)), "{chunk:?}");
    }
}

const NAMES: [&str; 3] = ["a.sls", "b.sls", "c.jinja"];

struct Files(Vec<Vec<u8>>);

impl Tree for Files {
    fn environments(&self) -> Vec<String> {
        vec!["base".into()]
    }
    fn read(&self, _: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        let index = NAMES.iter().position(|name| *name == path);
        Ok(index.and_then(|index| self.0.get(index)).cloned())
    }
    fn files(&self, _: &str) -> Arc<Vec<String>> {
        Arc::new(NAMES.iter().take(self.0.len()).map(ToString::to_string).collect())
    }
    fn local(&self, _: &str, _: &str) -> Option<PathBuf> {
        None
    }
}

fn within(tree: &dyn Tree, work: impl FnOnce(&Context<'_>) -> Result<Value, CallError>) -> Result<Value, CallError> {
    let pillar = map(json!({"web": {"port": 80, "hosts": ["a", "b"]}, "flag": true}));
    let host = Host(map(json!({"os": "Debian", "os_family": "Debian", "osmajorrelease": 12, "id": "minion1"})));
    let id: MinionId = "minion1".parse().unwrap();
    work(&Context {
        id: &id,
        look: &host,
        host: None,
        functions: &Table,
        tree,
        pillar: &pillar,
        opts: &map(json!({"id": "minion1", "file_client": "local"})),
        agent: None,
        progress: &|_| {},
        retcode: &AtomicI32::new(0),
    })
}

fn map(value: Value) -> Map {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

struct Table;

impl Functions for Table {
    fn find(&self, name: &str) -> Option<&'static Function> {
        functions::all().iter().copied().find(|function| function.name == name)
    }
    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        Box::new(functions::all().iter().copied())
    }
}

/// A host with grains and nothing else, so that what is found can be found again elsewhere.
struct Host(Map);

impl Look for Host {
    fn grains(&self) -> &Map {
        &self.0
    }
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn stat(&self, _: &Path) -> io::Result<Stat> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn which(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn probe(&self, _: &Command) -> io::Result<Output> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
