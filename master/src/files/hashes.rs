//! The hashes of files, remembered by what the file system says of them.

use std::{
    collections::HashMap,
    fs::{self, File, Metadata},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use proto::{
    Hash,
    codec::{self, Limits},
    manifest::FileEntry,
};
use serde::{Deserialize, Serialize};

use super::beneath::Root;

/// What a file is known again by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
    pub size: u64,
    /// Nanoseconds since 1970: of the contents, and of anything about the file.
    modified: i128,
    changed: i128,
}

impl Identity {
    pub fn of(meta: &Metadata) -> Self {
        let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.len(),
            modified: nanos(meta.mtime(), meta.mtime_nsec()),
            changed: nanos(meta.ctime(), meta.ctime_nsec()),
        }
    }
}

/// A file that was written within this time could be written again without its times showing it.
const RACY: i128 = 100_000_000;

/// What reading the file may cost: some four million files.
const LIMITS: Limits = Limits { bytes: 512 << 20, depth: 8, items: 32 << 20 };

/// Remembered hashes, in memory and in a file.
pub(super) struct Hashes {
    file: PathBuf,
    known: HashMap<(u64, u64), Row>,
    /// Counts looks: rows that the last look has not seen are forgotten.
    look: u64,
    /// When it began, in nanoseconds since 1970.
    now: i128,
    /// Files that it had to read.
    pub read: u64,
    changed: bool,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Row {
    identity: Identity,
    hash: Hash,
    #[serde(skip)]
    seen: u64,
}

impl Hashes {
    /// A file that is not there or cannot be read is an empty one: it only saves time.
    pub fn load(file: PathBuf) -> Self {
        let rows: Vec<Row> =
            fs::read(&file).ok().and_then(|bytes| codec::decode(&bytes, LIMITS).ok()).unwrap_or_default();
        let known = rows.into_iter().map(|row| ((row.identity.device, row.identity.inode), row)).collect();
        Self { file, known, look: 0, now: 0, read: 0, changed: false }
    }

    /// A look begins, at `now` in microseconds since 1970.
    pub fn begin(&mut self, now: u64) {
        self.look += 1;
        self.now = i128::from(now) * 1_000;
        self.read = 0;
    }

    /// What a manifest says of a file, and what it is to be known again by.
    pub fn file(&mut self, root: &Root, path: &Path) -> io::Result<(FileEntry, Identity)> {
        let file = root.open(path)?;
        let meta = file.metadata()?;
        let identity = Identity::of(&meta);
        let hash = match self.known.get_mut(&(identity.device, identity.inode)) {
            Some(row) if row.identity == identity => {
                row.seen = self.look;
                row.hash
            }
            _ => self.hash(&file, identity)?,
        };
        Ok((FileEntry { hash, size: identity.size, mode: meta.mode() & 0o7777 }, identity))
    }

    fn hash(&mut self, file: &File, identity: Identity) -> io::Result<Hash> {
        self.read += 1;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file)?;
        if Identity::of(&file.metadata()?) != identity {
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, "it changes while it is read"));
        }
        let hash = Hash::from_bytes(*hasher.finalize().as_bytes());
        if self.now - identity.changed > RACY {
            self.known.insert((identity.device, identity.inode), Row { identity, hash, seen: self.look });
            self.changed = true;
        }
        Ok(hash)
    }

    /// Writes down what is new. A disk that is full costs time at the next start, nothing else.
    pub fn save(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        let look = self.look;
        self.known.retain(|_, row| row.seen == look);
        if let Err(error) = self.write() {
            tracing::warn!(%error, file = %self.file.display(), "cannot remember the hashes of files");
        }
    }

    fn write(&self) -> io::Result<()> {
        let rows: Vec<Row> = self.known.values().copied().collect();
        let bytes = codec::encode_within(&rows, LIMITS).map_err(io::Error::other)?;
        let folder = self.file.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&bytes)?;
        file.persist(&self.file)?;
        Ok(())
    }
}
