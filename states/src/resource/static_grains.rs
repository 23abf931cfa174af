//! The grains that a host is given by a file beside its configuration, which states change while a
//! run goes on.

use std::{
    io,
    path::{Path, PathBuf},
};

use proto::{Map, Value};

use crate::{
    Command, Look, Output, Stat,
    look::{Download, Expected},
    yaml,
};

const LIMIT: u64 = 16 << 20;

/// What a host's grains are by now: those that the run began with, and what the file says since.
pub fn current(look: &dyn Look, opts: &Map) -> Map {
    let mut grains = look.grains().clone();
    let dir = opts.get("config_dir").and_then(Value::as_str);
    let bytes = dir.and_then(|dir| look.read(&Path::new(dir).join("grains"), LIMIT).ok()).unwrap_or_default();
    let node = String::from_utf8(bytes).ok().and_then(|text| yaml::parse("grains", &text).ok());
    if let Some(Value::Object(stored)) = node.map(|node| yaml::to_value(&node)) {
        grains.extend(stored);
    }
    grains
}

/// A host whose grains are other ones.
pub struct With<'a> {
    pub look: &'a dyn Look,
    pub grains: Map,
}

impl Look for With<'_> {
    fn grains(&self) -> &Map {
        &self.grains
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.look.read(path, limit)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.look.open(path)
    }
    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        self.look.download(what, to)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.look.stat(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.look.list(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.look.read_link(path)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.look.which(program)
    }
    fn probe(&self, command: &Command) -> io::Result<Output> {
        self.look.probe(command)
    }
    fn expects(&self, what: &Expected) -> bool {
        self.look.expects(what)
    }
    fn expects_packages(&self) -> bool {
        self.look.expects_packages()
    }
    fn expects_anything(&self) -> bool {
        self.look.expects_anything()
    }
    fn may_come(&self, path: &Path) -> bool {
        self.look.may_come(path)
    }
    fn expects_change(&self) -> bool {
        self.look.expects_change()
    }
}
