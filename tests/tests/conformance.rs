//! Our compiler against real Salt's answers, which are kept in `conformance/golden`.
//!
//! `conformance/refresh.py` asks Salt again. A case that differs fails, unless
//! `conformance/differences.toml` names it with a reason; at most 2 % may be named.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicI32,
};

use proto::{Args, Map, Value};
use states::{
    CallError, Command, Context, Function, Look, Output, Stat, call::Functions, compile, functions, tree::Folders,
    value, yaml,
};

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
    fn which(&self, _: &str) -> Option<PathBuf> {
        None
    }
    fn probe(&self, _: &Command) -> io::Result<Output> {
        Err(io::ErrorKind::Unsupported.into())
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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn read_json(name: &str) -> Map {
    let text = fs::read_to_string(folder().join("golden").join(name)).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn read_yaml(path: &Path) -> Map {
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
struct Site {
    opts: Map,
    host: Host,
    files: Folders,
    pillar: Map,
}

impl Site {
    fn new(base: &Path, config: Map) -> Self {
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
            functions: &Table,
            tree: &self.files,
            pillar,
            opts: &self.opts,
            agent: None,
            progress: &|_| {},
            retcode: &AtomicI32::new(0),
        })
    }

    fn call(&self, function: &str, args: Args) -> Result<Value, CallError> {
        let function = function.parse().unwrap();
        self.within(&self.pillar, |context| context.call(&function, args)).map(value::plain)
    }
}

/// The cases that may differ, from `differences.toml`: lines `case = "…"`.
fn differences() -> Vec<String> {
    let text = fs::read_to_string(folder().join("differences.toml")).unwrap();
    let quoted = |line: &str| serde_json::from_str(line.strip_prefix("case = ")?).ok();
    text.lines().filter_map(quoted).collect()
}

#[derive(Default)]
struct Score {
    cases: usize,
    wrong: Vec<(String, String)>,
}

impl Score {
    fn compare(&mut self, name: String, salt: &Value, ours: Result<Value, CallError>) {
        self.cases += 1;
        let said = match (salt.get("ok"), &ours) {
            (Some(salt), Ok(ours)) if same(salt, ours) => return,
            (None, Err(_)) => return,
            (Some(salt), Ok(ours)) => format!("Salt: {salt}\n  ours: {ours}"),
            (Some(salt), Err(ours)) => format!("Salt: {salt}\n  ours: {ours}"),
            (None, Ok(ours)) => format!("Salt refuses: {salt}\n  ours: {ours}"),
        };
        self.wrong.push((name, said));
    }

    fn finish(self) {
        let known = differences();
        let (allowed, wrong): (Vec<_>, Vec<_>) = self.wrong.iter().partition(|(name, _)| known.contains(name));
        let shown: Vec<String> = wrong.iter().map(|(name, said)| format!("{name}\n  {said}")).collect();
        assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), self.cases, shown.join("\n"));
        let gone: Vec<&String> =
            known.iter().filter(|case| !self.wrong.iter().any(|(name, _)| name == *case)).collect();
        assert!(gone.is_empty(), "these do not differ any more: {gone:?}");
        assert!(allowed.len() * 50 <= self.cases, "{} of {} cases differ: more than 2 %", allowed.len(), self.cases);
    }
}

/// Equal as JSON; Salt's own traces of errors in a pillar are not compared word by word.
fn same(salt: &Value, ours: &Value) -> bool {
    match (salt, ours) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| key == "_errors" || same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (a, b) => a == b,
    }
}

fn call_of(text: &str) -> (&str, Args) {
    match text.split_once(' ') {
        Some((function, sls)) => (function, Args::positional([Value::from(sls)])),
        None if text == "pillar.items" => (text, Args::default().with("unmask", true)),
        None => (text, Args::default()),
    }
}

#[test]
fn we_compile_what_salt_compiles() {
    let mut score = Score::default();
    let config = serde_json::json!({"pillar_roots": {"base": ["pillar"]}, "file_roots": {"base": ["none"]}});
    let site = Site::new(&folder(), config.as_object().unwrap().clone());
    for (golden, pipe) in [("jinja.json", "jinja"), ("yaml.json", "yaml")] {
        for (line, salt) in read_json(golden) {
            let args = Args::default().with("string", line.replace('⏎', "\n")).with("default_renderer", pipe);
            score.compare(format!("{pipe}: {line}"), &salt, site.call("slsutil.renderer", args));
        }
    }
    for (tree, answers) in read_json("trees.json") {
        let base = folder().join("trees").join(&tree);
        let site = Site::new(&base, read_yaml(&base.join("config.yaml")));
        for (call, salt) in answers.as_object().unwrap() {
            let (function, args) = call_of(call);
            score.compare(format!("{tree}: {call}"), salt, site.call(function, args));
        }
    }
    score.finish();
}
