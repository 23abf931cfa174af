//! A folder of our own with one socket in it, between a guard and the crate's socket.

use std::{
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

/// Removed when dropped.
pub(super) struct Tunnel(PathBuf);

impl Tunnel {
    pub fn new() -> io::Result<Self> {
        let name = format!("overstate-{:016x}", rand::random::<u64>());
        let folder = std::env::temp_dir().join(name);
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
