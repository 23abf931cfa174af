//! The real host: what [`Look`] and [`Host`] mean on a Linux machine.
//!
//! [`System`] adds to [`Host`] what only an agent needs: to watch a command while it runs.
//! [`Scoped`] is a host as one job sees it, with the grains of the moment and the job's watch.

mod download;
mod files;
mod full;
mod later;
mod process;
mod search;
mod tables;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::Map;
use states::{Command, Host, Look, Output, Stat, call::Progress, look::Download};

pub use files::{copy, write};
pub use process::{OUTPUT_LIMIT, run_bounded};
pub use search::DEFAULT_PATH;

/// Follows the commands that are run, for live output and for killing them.
pub trait Watch: Send + Sync {
    /// A command was started as the leader of a process group of its own, with this id.
    fn started(&self, _group: u32) {}
    /// It printed a line (without its end).
    fn line(&self, _line: Progress) {}
    /// It has ended.
    fn ended(&self, _group: u32, _output: &Output) {}
    /// Whether no more commands may be started: the job was killed.
    fn stopped(&self) -> bool {
        false
    }
}

/// Watches nothing.
pub struct Unwatched;

impl Watch for Unwatched {}

/// A host whose commands can be followed while they run. A host in memory may leave the
/// default: it runs the command and tells only its end.
pub trait System: Host {
    fn run_watched(&self, command: &Command, watch: &dyn Watch) -> io::Result<Output> {
        let output = self.run(command)?;
        watch.ended(output.pid, &output);
        Ok(output)
    }
}

/// This machine.
#[derive(Debug, Default)]
pub struct Local {
    grains: Map,
    tables: tables::Tables,
    later: later::Later,
}

impl Local {
    pub fn new(grains: Map) -> Self {
        Self { grains, ..Self::default() }
    }
}

impl Look for Local {
    fn grains(&self) -> &Map {
        &self.grains
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let table = self.tables.read(path, || files::read(path, limit));
        let fits = |read: &io::Result<Vec<u8>>| read.as_ref().is_ok_and(|bytes| bytes.len() as u64 <= limit);
        table.filter(fits).unwrap_or_else(|| files::read(path, limit))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(std::fs::File::open(path)?))
    }

    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        download::download(what, to)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        files::stat(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        files::list(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        std::fs::read_link(path)
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        search::which(program)
    }

    fn probe(&self, command: &Command) -> io::Result<Output> {
        process::probe(command)
    }
}

impl Host for Local {
    fn run(&self, command: &Command) -> io::Result<Output> {
        process::run(command, &Unwatched)
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.later.make(path, || files::create(path, bytes, mode), || files::write(path, bytes, mode))
    }

    fn copy(&self, from: &Path, to: &Path, mode: u32) -> io::Result<()> {
        self.later.make(to, || files::create_copy(from, to, mode), || files::copy(from, to, mode))
    }

    fn hold(&self) {
        self.later.hold();
    }

    fn settle(&self) -> Vec<(PathBuf, io::Error)> {
        self.later.settle()
    }

    fn release(&self) {
        self.later.release();
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        files::remove(path)
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        files::make_dir(path, mode)
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        std::os::unix::fs::symlink(target, path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        files::set_mode(path, mode)
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        std::os::unix::fs::lchown(path, uid, gid)
    }

    fn hard_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        std::fs::hard_link(target, path)
    }

    fn set_times(&self, path: &Path, atime: Option<i64>, mtime: Option<i64>) -> io::Result<()> {
        files::set_times(path, atime, mtime)
    }
}

impl System for Local {
    fn run_watched(&self, command: &Command, watch: &dyn Watch) -> io::Result<Output> {
        process::run(command, watch)
    }
}

/// A host as one job sees it.
pub struct Scoped {
    system: Arc<dyn System>,
    grains: Arc<Map>,
    watch: Arc<dyn Watch>,
}

impl Scoped {
    pub fn new(system: Arc<dyn System>, grains: Arc<Map>, watch: Arc<dyn Watch>) -> Self {
        Self { system, grains, watch }
    }
}

impl Look for Scoped {
    fn grains(&self) -> &Map {
        &self.grains
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.system.read(path, limit)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.system.open(path)
    }
    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        self.system.download(what, to)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.system.stat(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.system.list(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.system.read_link(path)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.system.which(program)
    }
    fn probe(&self, command: &Command) -> io::Result<Output> {
        self.system.probe(command)
    }
}

impl Host for Scoped {
    fn run(&self, command: &Command) -> io::Result<Output> {
        self.system.run_watched(command, &*self.watch)
    }
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.system.write(path, bytes, mode)
    }
    fn copy(&self, from: &Path, to: &Path, mode: u32) -> io::Result<()> {
        self.system.copy(from, to, mode)
    }
    fn hold(&self) {
        self.system.hold();
    }
    fn settle(&self) -> Vec<(PathBuf, io::Error)> {
        self.system.settle()
    }
    fn release(&self) {
        self.system.release();
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.system.remove(path)
    }
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.system.make_dir(path, mode)
    }
    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.system.symlink(target, path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.system.rename(from, to)
    }
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.system.set_mode(path, mode)
    }
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        self.system.set_owner(path, uid, gid)
    }
    fn hard_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.system.hard_link(target, path)
    }
    fn set_times(&self, path: &Path, atime: Option<i64>, mtime: Option<i64>) -> io::Result<()> {
        self.system.set_times(path, atime, mtime)
    }
}
