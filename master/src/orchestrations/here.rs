//! The master as the host of an orchestration: read by templates, changed by nothing.

use std::{
    io,
    path::{Path, PathBuf},
};

use proto::Map;
use states::{Command, Host, Look, Output, Stat};

use crate::pillar::look::Master;

pub struct Here(pub Master);

fn refused<T>() -> io::Result<T> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "an orchestration changes nothing on the master itself: have a minion there, and call it with salt.state or salt.function",
    ))
}

impl Look for Here {
    fn grains(&self) -> &Map {
        self.0.grains()
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.0.read(path, limit)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.0.stat(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.0.list(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.read_link(path)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        self.0.which(program)
    }
    fn probe(&self, command: &Command) -> io::Result<Output> {
        self.0.probe(command)
    }
}

impl Host for Here {
    fn run(&self, _: &Command) -> io::Result<Output> {
        refused()
    }
    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        refused()
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        refused()
    }
    fn make_dir(&self, _: &Path, _: u32) -> io::Result<()> {
        refused()
    }
    fn symlink(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }
    fn set_mode(&self, _: &Path, _: u32) -> io::Result<()> {
        refused()
    }
    fn set_owner(&self, _: &Path, _: Option<u32>, _: Option<u32>) -> io::Result<()> {
        refused()
    }
}
