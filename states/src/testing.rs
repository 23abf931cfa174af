//! A host and a tree in memory, for tests.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicI32},
};

use proto::{Args, Map, Value};

use crate::{
    CallError, Command, Context, Function, Host, Look, Output, Stat, Tree, call::Functions, look::Kind,
    resource::accounts, run::Overlay,
};

/// A machine without anything but its root folder.
struct Bare(Map);

impl Look for Bare {
    fn grains(&self) -> &Map {
        &self.0
    }
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        if path != Path::new("/") {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Stat { kind: Kind::Directory, size: 0, mode: 0o755, uid: 0, gid: 0, mtime: 0, atime: 0, ctime: 0, inode: 1 })
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Ok(Vec::new())
    }
    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        Err(io::ErrorKind::NotFound.into())
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        Some(Path::new("/usr/bin").join(program))
    }
    fn probe(&self, _: &Command) -> io::Result<Output> {
        Ok(Output::default())
    }
}

type Answer = Box<dyn Fn(&Memory, &str) -> Option<Output> + Send + Sync>;

/// A host whose files and commands are in memory.
pub struct Memory {
    files: Overlay<'static>,
    /// What commands do and print, by their command line; the first that answers counts.
    answers: Vec<Answer>,
    pub ran: Mutex<Vec<String>>,
    pub disk: Mutex<Disk>,
}

/// What of new files is on the disk.
#[derive(Default)]
pub struct Disk {
    holders: usize,
    waiting: Vec<PathBuf>,
    /// Which files were brought there before which command, in their order.
    pub log: Vec<String>,
    /// A file that cannot be.
    pub bad: Option<PathBuf>,
}

impl Memory {
    pub fn new(grains: Value) -> Self {
        let grains = grains.as_object().cloned().unwrap_or_default();
        let bare: &'static Bare = Box::leak(Box::new(Bare(grains)));
        Self { files: Overlay::new(bare), answers: Vec::new(), ran: Mutex::default(), disk: Mutex::default() }
    }

    /// Files with their folders.
    pub fn with(self, files: &[(&str, &str)]) -> Self {
        for (path, text) in files {
            self.put(path, text);
        }
        self
    }

    pub fn put(&self, path: &str, text: &str) {
        let path = Path::new(path);
        let parent = path.parent().unwrap();
        crate::resource::files::make_dirs(&self.files, parent, &Default::default()).unwrap();
        self.files.write(path, text.as_bytes(), 0o644).unwrap();
    }

    /// What a command does; it gives nothing for commands that are not its own.
    pub fn answer(mut self, answer: impl Fn(&Memory, &str) -> Option<Output> + Send + Sync + 'static) -> Self {
        self.answers.push(Box::new(answer));
        self
    }

    pub fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8(self.files.read(Path::new(path), u64::MAX).ok()?).unwrap())
    }

    pub fn ran(&self) -> Vec<String> {
        std::mem::take(&mut self.ran.lock().unwrap())
    }
}

/// What a command that went well printed.
pub fn said(text: &str) -> Option<Output> {
    Some(Output { stdout: text.into(), ..Output::default() })
}

/// What a command that failed with a code said.
pub fn refused(code: i32, text: &str) -> Option<Output> {
    Some(Output { stderr: text.into(), code, ..Output::default() })
}

impl Look for Memory {
    fn grains(&self) -> &Map {
        self.files.grains()
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.files.read(path, limit)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.files.stat(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.files.list(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.read_link(path)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.files.which(program)
    }
    /// As a host would: not at all, where the user that it is to run as does not exist.
    fn probe(&self, command: &Command) -> io::Result<Output> {
        if command.runas.as_ref().is_some_and(|name| name != "root" && accounts::user(self, name).is_none()) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let line = command.argv.join(" ");
        Ok(self.answers.iter().find_map(|answer| answer(self, &line)).unwrap_or_default())
    }
}

impl Host for Memory {
    fn run(&self, command: &Command) -> io::Result<Output> {
        let line = command.argv.join(" ");
        self.disk.lock().unwrap().log.push(line.clone());
        self.ran.lock().unwrap().push(line);
        self.probe(command)
    }
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut disk = self.disk.lock().unwrap();
        if disk.holders > 0 && self.stat(path).is_err() {
            disk.waiting.push(path.to_owned());
        }
        self.files.write(path, bytes, mode)
    }
    fn hold(&self) {
        self.disk.lock().unwrap().holders += 1;
    }
    fn settle(&self) -> Vec<(PathBuf, io::Error)> {
        let mut disk = self.disk.lock().unwrap();
        let (bad, good): (Vec<_>, _) =
            std::mem::take(&mut disk.waiting).into_iter().partition(|path| disk.bad.as_ref() == Some(path));
        disk.log.extend(good.iter().map(|path| path.display().to_string()));
        bad.into_iter().map(|path| (path, io::Error::other("Input/output error"))).collect()
    }
    fn release(&self) {
        self.disk.lock().unwrap().holders -= 1;
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.files.remove(path)
    }
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.files.make_dir(path, mode)
    }
    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.files.symlink(target, path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.files.rename(from, to)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.files.set_mode(path, mode)
    }
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        self.files.set_owner(path, uid, gid)
    }
    fn hard_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.files.hard_link(target, path)
    }
    fn set_times(&self, path: &Path, atime: Option<i64>, mtime: Option<i64>) -> io::Result<()> {
        self.files.set_times(path, atime, mtime)
    }
}

/// `salt://` files of the environment `base`.
#[derive(Default)]
pub struct Files(BTreeMap<String, String>);

impl Tree for Files {
    fn environments(&self) -> Vec<String> {
        vec!["base".into()]
    }
    fn read(&self, env: &str, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).filter(|_| env == "base").map(|text| text.clone().into_bytes()))
    }
    fn files(&self, env: &str) -> Arc<Vec<String>> {
        Arc::new(self.0.keys().filter(|_| env == "base").cloned().collect())
    }
    fn local(&self, _: &str, _: &str) -> Option<PathBuf> {
        None
    }
}

struct Own;

impl Functions for Own {
    fn find(&self, name: &str) -> Option<&'static Function> {
        crate::functions::all().iter().find(|function| function.name == name).copied()
    }
    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        Box::new(crate::functions::all().iter().copied())
    }
}

/// Calls a function on a host, with a tree of files and a pillar. Gives its return code as well.
pub fn call(
    host: &Memory,
    files: &[(&str, &str)],
    pillar: Value,
    name: &str,
    args: Args,
) -> (Result<Value, CallError>, i32) {
    let tree = Files(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect());
    let retcode = AtomicI32::new(0);
    let pillar = pillar.as_object().cloned().unwrap_or_default();
    let id = "m1".parse().unwrap();
    let context = Context {
        id: &id,
        look: host,
        host: Some(host),
        functions: &Own,
        tree: &tree,
        pillar: &pillar,
        opts: &[("cachedir".to_owned(), "/var/cache".into())].into_iter().collect(),
        agent: None,
        progress: &|_| {},
        retcode: &retcode,
    };
    let result = context.call(&name.parse().unwrap(), args);
    (result, retcode.into_inner())
}

/// The results of applying one SLS: for each id `result`, `comment` and `changes`.
pub fn apply(host: &Memory, sls: &str, test: bool) -> Vec<(String, Value, String, Value)> {
    apply_with(host, &[("t.sls", sls)], test)
}

pub fn apply_with(host: &Memory, files: &[(&str, &str)], test: bool) -> Vec<(String, Value, String, Value)> {
    let args = Args::positional(["t".into()]).with("test", test);
    let (result, _) = call(host, files, Value::Null, "state.apply", args);
    let rows = result.unwrap_or_else(|why| panic!("{why}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let row =
        |row: &Value| (text(&row["__id__"]), row["result"].clone(), text(&row["comment"]), row["changes"].clone());
    rows.as_object().unwrap().values().map(row).collect()
}

/// The three results of a state alone: what a dry run says, what a run does, what a second does.
/// Asserts that the second changes nothing.
pub fn thrice(host: &Memory, files: &[(&str, &str)]) -> [(Value, String, Value); 3] {
    let runs = [true, false, false].map(|test| {
        let mut rows = apply_with(host, files, test);
        let (_, result, comment, changes) = rows.pop().unwrap();
        (result, comment, changes)
    });
    assert_eq!(runs[2].0, Value::Bool(true), "the second run: {}", runs[2].1);
    assert_eq!(runs[2].2, serde_json::json!({}), "the second run changed something");
    runs
}
