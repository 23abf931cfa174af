//! A folder of our own with one socket in it, between a guard and the crate's socket.
//!
//! What a killed listener leaves behind, its successor in the same place removes. A link's own
//! folder is gone again as soon as the link stands.

use std::{
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Removed when dropped.
pub(super) struct Tunnel(PathBuf);

impl Tunnel {
    /// For a moment, in the system's folder for such things.
    pub fn brief() -> io::Result<Self> {
        let name = format!("overstate-{:016x}", rand::random::<u64>());
        Self::make(std::env::temp_dir().join(name))
    }

    /// For as long as a listener lives, beneath `run`; only one listener has that folder.
    pub fn lasting(run: &Path) -> io::Result<Self> {
        let folder = run.join("zmq");
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Self::make(folder),
        }
    }

    fn make(folder: PathBuf) -> io::Result<Self> {
        std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
        Ok(Self(folder))
    }

    pub fn path(&self) -> PathBuf {
        self.0.join("s")
    }

    pub fn endpoint(&self) -> String {
        format!("ipc://{}", self.path().display())
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let folder: &Path = &self.0;
        let _ = std::fs::remove_dir_all(folder);
    }
}
