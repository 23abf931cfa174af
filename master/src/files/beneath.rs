//! Opening files beneath a root, which nothing leads out of.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Mode, OFlags, ResolveFlags},
    io::Errno,
};

/// A folder whose files are served.
#[derive(Debug)]
pub(super) struct Root {
    folder: PathBuf,
    /// Links may lead out of it.
    open: bool,
}

impl Root {
    /// # Errors
    /// There is no such folder.
    pub fn new(folder: &Path, open: bool) -> io::Result<Self> {
        Ok(Self { folder: fs::canonicalize(folder)?, open })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether links may lead out of it.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Opens a regular file. Waits for nothing (a FIFO is none), and follows no link out of the
    /// root.
    pub fn open(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match self.open {
            true => File::from(rustix::fs::open(self.folder.join(path), flags, Mode::empty())?),
            false => self.open_within(path, flags)?,
        };
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")),
        }
    }

    fn open_within(&self, path: &Path, flags: OFlags) -> io::Result<File> {
        let folder = rustix::fs::open(&self.folder, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&folder, path, flags, Mode::empty(), within) {
            Ok(file) => Ok(file.into()),
            Err(Errno::XDEV) => Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link leads out of the root")),
            // Before Linux 5.6: what the path comes to is checked, and opened without its links.
            Err(Errno::NOSYS) => {
                let real = fs::canonicalize(self.folder.join(path))?;
                if !real.starts_with(&self.folder) {
                    return Err(io::Error::new(io::ErrorKind::PermissionDenied, "a link leads out of the root"));
                }
                Ok(rustix::fs::open(real, flags | OFlags::NOFOLLOW, Mode::empty())?.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
