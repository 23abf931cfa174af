//! New files of a run, whose bytes are brought to the disk together: each flush alone waits for the
//! disk, and many at once wait hardly longer than one.
//!
//! Why only new ones: see `docs/decisions/files.md`.

use std::{
    fs::File,
    io, mem,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    thread,
};

/// Files that are held open at most.
const ROOM: usize = 256;
/// Flushes at once. More do not wait shorter.
const FLUSHES: usize = 8;

type Unwritten = Vec<(PathBuf, io::Error)>;

#[derive(Debug, Default)]
pub struct Later(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Who holds files back; each will ask for them to be settled.
    holders: usize,
    files: Vec<(PathBuf, File)>,
    failed: Unwritten,
}

impl Later {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn hold(&self) {
        self.held().holders += 1;
    }

    pub fn release(&self) {
        let mut held = self.held();
        held.holders = held.holders.saturating_sub(1);
    }

    /// Makes a file: `create` gives one that is not on the disk yet, or nothing where it cannot;
    /// `write` one that is.
    pub fn make(
        &self,
        path: &Path,
        create: impl FnOnce() -> io::Result<Option<File>>,
        write: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<()> {
        if self.held().holders == 0 {
            return write();
        }
        let Some(file) = create()? else { return write() };
        let mut held = self.held();
        held.files.push((path.to_owned(), file));
        if held.files.len() >= ROOM {
            held.flush();
        }
        Ok(())
    }

    /// Waits until all is on the disk; gives what is not, each once.
    pub fn settle(&self) -> Unwritten {
        let mut held = self.held();
        held.flush();
        mem::take(&mut held.failed)
    }
}

impl Held {
    fn flush(&mut self) {
        let files = mem::take(&mut self.files);
        self.failed.extend(flush(&files));
    }
}

fn flush(files: &[(PathBuf, File)]) -> Unwritten {
    let one = |(path, file): &(PathBuf, File)| file.sync_all().err().map(|why| (path.clone(), why));
    let share = files.len().div_ceil(FLUSHES).max(1);
    let Some((mine, others)) = files.split_at_checked(share) else { return files.iter().filter_map(one).collect() };
    thread::scope(|scope| {
        let flushes = others.chunks(share).map(|part| {
            let work = move || part.iter().filter_map(one).collect::<Unwritten>();
            (part, thread::Builder::new().name("flush".into()).spawn_scoped(scope, work))
        });
        let flushes: Vec<_> = flushes.collect();
        let mut failed: Unwritten = mine.iter().filter_map(one).collect();
        for (part, flush) in flushes {
            // Where no thread could be started, or one panicked, it is done here.
            match flush.ok().and_then(|flush| flush.join().ok()) {
                Some(unwritten) => failed.extend(unwritten),
                None => failed.extend(part.iter().filter_map(one)),
            }
        }
        failed
    })
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs};

    use super::*;
    use crate::host::files;

    #[test]
    fn only_new_files_wait_and_only_while_they_are_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = |n: usize| folder.path().join(n.to_string());
        let later = Later::default();
        let written = Cell::new(0);
        let make = |n: usize, bytes: &[u8]| {
            let write = || {
                written.set(written.get() + 1);
                files::write(&path(n), bytes, 0o640)
            };
            later.make(&path(n), || files::create(&path(n), bytes, 0o640), write).unwrap();
        };
        make(0, b"at once");
        assert_eq!((written.get(), later.held().files.len()), (1, 0));
        later.hold();
        make(0, b"replaced");
        assert_eq!((written.get(), later.held().files.len()), (2, 0), "what was there is flushed before it goes");
        (1..=ROOM + 20).for_each(|n| make(n, b"new"));
        assert_eq!((written.get(), later.held().files.len()), (2, 20), "not too many are held open");
        assert_eq!(fs::read(path(ROOM + 20)).unwrap(), b"new", "it is there for whoever looks");
        assert_eq!(later.settle().len(), 0);
        assert!(later.held().files.is_empty());
        later.release();
        make(ROOM + 21, b"at once");
        assert_eq!((written.get(), fs::read_dir(folder.path()).unwrap().count()), (3, ROOM + 22));
    }

    #[test]
    fn what_the_system_cannot_flush_is_told_once_with_its_name() {
        let later = Later::default();
        later.hold();
        // A pipe cannot be flushed.
        let pipe = || Ok(Some(File::from(rustix::pipe::pipe().unwrap().1)));
        for n in 0..20 {
            later.make(Path::new(&format!("/{n}")), pipe, || unreachable!()).unwrap();
        }
        let mut names: Vec<PathBuf> = later.settle().into_iter().map(|(path, _)| path).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 20);
        assert_eq!(later.settle().len(), 0);
    }
}
