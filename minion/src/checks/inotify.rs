//! Files that are watched, by way of the folders that they lie in: whoever replaces a file does not
//! touch the old one.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
    io::Errno,
};

/// Watches paths. Readable when something may have happened to one of them.
pub struct Watcher {
    fd: OwnedFd,
    /// By the kernel's number: the names that matter; none, if all do.
    folders: HashMap<i32, Option<BTreeSet<OsString>>>,
}

impl Watcher {
    /// A path with a slash at its end is a folder of which everything matters. Folders that are not
    /// there are left out.
    ///
    /// # Errors
    /// The kernel has no room for another watcher.
    pub fn new(paths: &[String]) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut wanted: HashMap<PathBuf, Option<BTreeSet<OsString>>> = HashMap::new();
        for path in paths {
            match path.strip_suffix('/') {
                Some(folder) => drop(wanted.insert(folder.into(), None)),
                None => {
                    let path = Path::new(path);
                    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { continue };
                    if let Some(names) = wanted.entry(folder.to_owned()).or_insert_with(|| Some(BTreeSet::new())) {
                        names.insert(name.to_owned());
                    }
                }
            }
        }
        let flags = WatchFlags::MODIFY
            | WatchFlags::ATTRIB
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let mut folders = HashMap::new();
        for (folder, names) in wanted {
            if let Ok(number) = inotify::add_watch(&fd, &folder, flags) {
                folders.insert(number, names);
            }
        }
        Ok(Self { fd, folders })
    }

    /// Whether something happened to what is watched since the last time; never waits.
    ///
    /// # Errors
    /// The watcher is of no use any more.
    pub fn happened(&self) -> io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = Reader::new(&self.fd, &mut buffer);
        let mut happened = false;
        loop {
            match events.next() {
                Err(Errno::WOULDBLOCK) => return Ok(happened),
                Err(error) => return Err(error.into()),
                Ok(event) => {
                    let name =
                        event.file_name().map(|name| OsString::from(std::ffi::OsStr::from_bytes(name.to_bytes())));
                    happened |= match (self.folders.get(&event.wd()), name) {
                        (Some(Some(names)), Some(name)) => names.contains(&name),
                        // The folder itself went, or the kernel lost count.
                        _ => true,
                    };
                }
            }
        }
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Watcher {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_watched_is_noticed_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        fs::create_dir(path("all")).unwrap();
        fs::write(path("motd"), "a").unwrap();
        let watcher = Watcher::new(&[path("motd"), path("later"), path("all/"), path("none/x")]).unwrap();
        fs::write(path("other"), "b").unwrap();
        assert!(!watcher.happened().unwrap());
        fs::write(path("motd"), "c").unwrap();
        assert!(watcher.happened().unwrap() && !watcher.happened().unwrap());
        fs::write(path("new"), "d").unwrap();
        fs::rename(path("new"), path("motd")).unwrap();
        assert!(watcher.happened().unwrap());
        fs::write(path("later"), "").unwrap();
        assert!(watcher.happened().unwrap());
        fs::write(path("all/x"), "").unwrap();
        assert!(watcher.happened().unwrap());
        fs::remove_file(path("motd")).unwrap();
        assert!(watcher.happened().unwrap());
    }
}
