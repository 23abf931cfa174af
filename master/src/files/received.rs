//! Files that minions push here (`cp.push`): beneath a folder of each minion's own, as Salt keeps them.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use proto::{
    Hash, MinionId,
    question::{Kind, Piece, Unanswered},
};

/// Where pushed files are kept, and how large each may be.
pub struct Received {
    folder: PathBuf,
    /// In bytes; `None`: nothing is taken.
    most: Option<u64>,
}

impl Received {
    pub fn new(folder: PathBuf, most: Option<u64>) -> Self {
        Self { folder, most }
    }

    /// Keeps a piece of a file. The first one begins it anew; with the last one it is there as a whole,
    /// in place of what was there before. Blocks on the disk.
    ///
    /// # Errors
    /// No files are taken, this one is too large, its pieces do not follow one another, or the disk is at fault.
    pub fn take(&self, minion: &MinionId, piece: &Piece) -> Result<(), Unanswered> {
        let Some(most) = self.most else {
            return Err(Unanswered::new(
                Kind::Failed,
                "the master takes no files: `file_recv: true` in its configuration",
            ));
        };
        if piece.size > most {
            let why = format!("{} has {} bytes; file_recv_max_size allows {most}", piece.path, piece.size);
            return Err(Unanswered::new(Kind::Failed, why));
        }
        let end = piece.offset.checked_add(piece.data.len() as u64).filter(|end| *end <= piece.size);
        let Some(end) = end else {
            return Err(Unanswered::new(
                Kind::Malformed,
                format!("{}: a piece goes beyond the file's end", piece.path),
            ));
        };
        let own = self.folder.join(minion.as_str());
        let part = own.join("partial").join(Hash::of(piece.path.as_str().as_bytes()).to_string());
        let failed = |error: io::Error| Unanswered::new(Kind::Failed, format!("{}: {error}", piece.path));
        append(&part, piece.offset, &piece.data).map_err(failed)?;
        if end == piece.size {
            put(&part, &own.join("files").join(piece.path.as_str())).map_err(failed)?;
        }
        Ok(())
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn append(part: &Path, offset: u64, data: &[u8]) -> io::Result<()> {
    make_folder(part.parent().unwrap_or(Path::new("/")))?;
    let mut open = OpenOptions::new();
    open.write(true).mode(0o600);
    let mut file = match offset {
        0 => open.create(true).truncate(true).open(part)?,
        _ => open.append(true).open(part)?,
    };
    // Two pushes of one file at once: the later one has begun it anew.
    if file.metadata()?.len() != offset {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a piece is missing: push it again"));
    }
    file.write_all(data)
}

fn put(part: &Path, place: &Path) -> io::Result<()> {
    make_folder(place.parent().unwrap_or(Path::new("/")))?;
    fs::File::open(part)?.sync_all()?;
    fs::rename(part, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(path: &str, size: u64, offset: u64, data: &'static [u8]) -> Piece {
        Piece { path: path.parse().unwrap(), size, offset, data: data.into() }
    }

    #[test]
    fn a_file_is_there_when_its_last_piece_is() {
        let folder = tempfile::tempdir().unwrap();
        let received = Received::new(folder.path().to_owned(), Some(100));
        let id: MinionId = "web1".parse().unwrap();
        let place = folder.path().join("web1/files/etc/motd");
        received.take(&id, &piece("etc/motd", 6, 0, b"abc")).unwrap();
        assert!(!place.exists());
        received.take(&id, &piece("etc/motd", 6, 3, b"def")).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"abcdef");
        received.take(&id, &piece("etc/motd", 0, 0, b"")).unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"", "pushed again, it is another one");
        assert_eq!(received.take(&id, &piece("etc/motd", 6, 3, b"def")).unwrap_err().kind, Kind::Failed);
    }

    #[test]
    fn what_is_too_large_or_not_wanted_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let id: MinionId = "web1".parse().unwrap();
        let refused = |most, piece: Piece| Received::new(folder.path().to_owned(), most).take(&id, &piece).unwrap_err();
        assert!(refused(None, piece("a", 1, 0, b"x")).message.contains("file_recv"));
        assert!(refused(Some(5), piece("a", 6, 0, b"x")).message.contains("file_recv_max_size"));
        assert_eq!(refused(Some(5), piece("a", 1, 0, b"xyz")).kind, Kind::Malformed);
        assert_eq!(refused(Some(5), piece("a", 1, u64::MAX, b"x")).kind, Kind::Malformed);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // A file where a folder would have to be.
        let received = Received::new(folder.path().to_owned(), Some(5));
        received.take(&id, &piece("a", 1, 0, b"x")).unwrap();
        assert_eq!(received.take(&id, &piece("a/b", 1, 0, b"x")).unwrap_err().kind, Kind::Failed);
    }
}
