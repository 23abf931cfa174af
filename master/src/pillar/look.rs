//! What pillar sees of a host: the minion's grains, and the files of the master, to read.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::Map;
use states::{Command, Look, Output, Stat};

use super::secrets::Secrets;

/// The master, wearing a minion's grains.
pub struct Master {
    pub grains: Map,
    pub secrets: Arc<Secrets>,
}

impl Look for Master {
    fn grains(&self) -> &Map {
        &self.grains
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let file = fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it is longer than {limit} bytes")));
        }
        Ok(bytes)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Ok(Stat::from(&fs::symlink_metadata(path)?))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(path)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.collect();
        names.sort();
        Ok(names)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(path)
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        let runs = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        };
        std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(runs)
    }

    fn probe(&self, command: &Command) -> io::Result<Output> {
        self.secrets.decrypt(command)
    }
}
