//! Files that are watched, by way of the folders that they lie in: whoever replaces a file does not
//! touch the old one.

use std::{
    collections::{BTreeSet, HashMap},
    ffi::OsString,
    fs,
    hash::Hash,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::inotify::{self, CreateFlags, Reader, WatchFlags},
    io::Errno,
};

/// Folders that are watched, at most.
const FOLDERS: usize = 1024;
/// Links that are followed one after the other, at most; as the kernel.
const LINKS: usize = 40;

/// What of a folder matters; nothing named: everything.
type Wanted = HashMap<PathBuf, Option<BTreeSet<OsString>>>;

/// Watches paths. Readable when something may have happened to one of them.
pub struct Watcher {
    fd: OwnedFd,
    /// By the kernel's number: the names that matter; none, if all do.
    folders: HashMap<i32, Option<BTreeSet<OsString>>>,
    /// Every path is watched.
    pub complete: bool,
}

impl Watcher {
    /// A path with a slash at its end is a folder of which everything matters. A path need not be there, and
    /// may lead by way of links.
    ///
    /// # Errors
    /// The kernel has no room for another watcher.
    pub fn new(paths: &[String]) -> io::Result<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        let mut wanted = Wanted::new();
        for path in paths {
            match path.strip_suffix('/') {
                Some(folder) => whole(&mut wanted, Path::new(folder)),
                None => drop(follow(&mut wanted, Path::new(path))),
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
        let mut complete = wanted.len() <= FOLDERS;
        let mut folders = HashMap::new();
        for (folder, names) in wanted.into_iter().take(FOLDERS) {
            match inotify::add_watch(&fd, &folder, flags) {
                // Two names of one folder.
                Ok(number) => merge(&mut folders, number, names),
                Err(_) => complete = false,
            }
        }
        Ok(Self { fd, folders, complete })
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

fn merge<K: Eq + Hash>(
    wanted: &mut HashMap<K, Option<BTreeSet<OsString>>>,
    folder: K,
    names: Option<BTreeSet<OsString>>,
) {
    match (wanted.entry(folder).or_insert_with(|| Some(BTreeSet::new())), names) {
        (Some(known), Some(names)) => known.extend(names),
        (known, _) => *known = None,
    }
}

/// A folder of which everything matters, and what leads to it.
fn whole(wanted: &mut Wanted, folder: &Path) {
    if let Some(folder) = follow(wanted, folder).filter(|folder| folder.is_dir()) {
        merge(wanted, folder, None);
    }
}

/// Notes where a path is to be watched: in the folder that it lies in, and for each folder and link on the way
/// there in that one's. Gives what is found at its end.
fn follow(wanted: &mut Wanted, path: &Path) -> Option<PathBuf> {
    let mut ahead: Vec<OsString> = parts(path);
    let (mut here, mut links) = (PathBuf::from("/"), 0);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&part);
        let meta = fs::symlink_metadata(&next).ok();
        let link = meta.as_ref().filter(|meta| meta.is_symlink()).and_then(|_| fs::read_link(&next).ok());
        merge(wanted, here.clone(), Some([part].into()));
        match (meta, link) {
            (None, _) => return None,
            (_, Some(target)) if links < LINKS => {
                links += 1;
                ahead.extend(parts(&target));
                here = if target.is_absolute() { PathBuf::from("/") } else { here };
            }
            _ => here = next,
        }
    }
    Some(here)
}

/// The names of a path, the last one first.
fn parts(path: &Path) -> Vec<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    };
    path.components().rev().filter_map(name).collect()
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
        let watcher = Watcher::new(&[path("motd"), path("later"), path("all/"), path("none/x/y")]).unwrap();
        assert!(watcher.complete);
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

    #[test]
    fn what_is_not_there_yet_and_what_lies_behind_links_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, path(name)).unwrap();
        for folder in ["real", "other", "far"] {
            fs::create_dir(path(folder)).unwrap();
        }
        fs::write(path("far/x"), "").unwrap();
        link("real", "folder");
        link("../far/x", "real/x");
        link("round", "round");
        let watch =
            || Watcher::new(&[path("folder/x"), path("none/deep/y"), path("round"), "/../proc".into()]).unwrap();
        let notices = |change: &dyn Fn()| {
            let watcher = watch();
            change();
            watcher.happened().unwrap()
        };
        assert!(notices(&|| fs::write(path("far/x"), "1").unwrap()), "what the link names");
        assert!(!notices(&|| fs::write(path("far/z"), "1").unwrap()));
        assert!(notices(&|| fs::rename(path("real/x"), path("real/z")).unwrap()), "the link itself");
        assert!(notices(&|| fs::remove_file(path("folder")).unwrap()), "the link to the folder");
        assert!(notices(&|| link("other", "folder")));
        assert!(notices(&|| fs::write(path("other/x"), "").unwrap()));
        assert!(notices(&|| fs::create_dir(path("none")).unwrap()), "what would lead to it");
        assert!(notices(&|| fs::create_dir(path("none/deep")).unwrap()));
        assert!(notices(&|| fs::write(path("none/deep/y"), "").unwrap()));
        assert!(notices(&|| fs::rename(path("none/deep"), path("none/other")).unwrap()));
    }
}
