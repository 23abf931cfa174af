//! A host as it would be after what was planned so far: writes stay in memory, commands are not
//! run. So a dry run predicts through earlier states, and cannot write.

use std::{
    collections::{BTreeMap, HashSet},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use proto::Map;

use crate::{
    Command, Host, Look, Output, Stat,
    look::{Download, Expected, Kind},
};

/// Links that are followed before a path is given up.
const LINKS: usize = 40;

pub struct Overlay<'a> {
    under: &'a dyn Look,
    files: Mutex<BTreeMap<PathBuf, Entry>>,
    expected: Mutex<HashSet<Expected>>,
    /// Whether a command would have been run.
    ran: AtomicBool,
}

#[derive(Clone)]
enum Entry {
    Gone,
    There(Stat, Content),
}

#[derive(Clone)]
enum Content {
    /// A folder that was made here: what is under its path does not shine through.
    Folder,
    Bytes(Arc<[u8]>),
    Link(PathBuf),
    /// What the real host has at this path, with another name, mode or owner.
    Under(PathBuf),
}

/// Where a path leads.
enum Found {
    Here(Stat, Content),
    Under,
    Gone,
}

fn gone() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl<'a> Overlay<'a> {
    pub fn new(under: &'a dyn Look) -> Self {
        Self { under, files: Mutex::default(), expected: Mutex::default(), ran: AtomicBool::new(false) }
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Entry>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expected(&self) -> MutexGuard<'_, HashSet<Expected>> {
        self.expected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, path: &Path) -> (PathBuf, Found) {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let files = self.files();
            match files.get(&path) {
                Some(Entry::Gone) => return (path, Found::Gone),
                Some(Entry::There(stat, content)) => return (path, Found::Here(stat.clone(), content.clone())),
                None => {}
            }
            let nearest =
                path.ancestors().skip(1).find_map(|above| Some((above.to_owned(), files.get(above)?.clone())));
            match nearest {
                None => return (path, Found::Under),
                Some((_, Entry::Gone | Entry::There(_, Content::Folder | Content::Bytes(_)))) => {
                    return (path, Found::Gone);
                }
                Some((above, Entry::There(_, Content::Link(target)))) => {
                    let rest = path.strip_prefix(&above).unwrap_or(Path::new("")).to_owned();
                    path = beside(&above, &target).join(rest);
                }
                Some((above, Entry::There(_, Content::Under(real)))) if real == above => return (path, Found::Under),
                Some((above, Entry::There(_, Content::Under(real)))) => {
                    path = real.join(path.strip_prefix(&above).unwrap_or(Path::new("")));
                    return match self.under.stat(&path) {
                        Ok(stat) => (path.clone(), Found::Here(stat, Content::Under(path))),
                        Err(_) => (path, Found::Gone),
                    };
                }
            }
        }
        (path, Found::Gone)
    }

    /// Follows links at the end of a path.
    fn follow(&self, path: &Path) -> io::Result<(PathBuf, Found)> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            let (at, found) = self.find(&path);
            path = match &found {
                Found::Here(_, Content::Link(target)) => beside(&at, target),
                Found::Under if self.under.stat(&at).is_ok_and(|stat| stat.kind == Kind::Symlink) => {
                    beside(&at, &self.under.read_link(&at)?)
                }
                _ => return Ok((at, found)),
            };
        }
        Err(gone())
    }

    fn put(&self, path: &Path, stat: Stat, content: Content) {
        let (at, _) = self.find(path);
        self.files().insert(at, Entry::There(stat, content));
    }

    /// A folder that is missing after a command would have been run may be there by then.
    fn needs_parent(&self, path: &Path) -> io::Result<()> {
        match self.has_parent(path) {
            Err(why) if why.kind() == io::ErrorKind::NotFound && self.may_come(path.parent().unwrap_or(path)) => {
                let missing: Vec<&Path> =
                    path.ancestors().skip(1).take_while(|above| self.stat(above).is_err()).collect();
                for folder in missing.into_iter().rev() {
                    self.put(folder, fresh(Kind::Directory, 0o755, 0), Content::Folder);
                }
                Ok(())
            }
            other => other,
        }
    }

    fn has_parent(&self, path: &Path) -> io::Result<()> {
        let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
        let kind = match self.follow(parent)? {
            (_, Found::Here(stat, _)) => stat.kind,
            (at, Found::Under) => self.under.stat(&at)?.kind,
            (_, Found::Gone) => return Err(gone()),
        };
        if kind == Kind::Directory { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Changes what `stat` tells of a path.
    fn change(&self, path: &Path, change: impl FnOnce(&mut Stat)) -> io::Result<()> {
        let (at, found) = self.find(path);
        let (mut stat, content) = match found {
            Found::Gone => return Err(gone()),
            Found::Here(stat, content) => (stat, content),
            Found::Under => (self.under.stat(&at)?, Content::Under(at.clone())),
        };
        change(&mut stat);
        self.files().insert(at, Entry::There(stat, content));
        Ok(())
    }
}

/// What a link at `path` points to.
fn beside(path: &Path, target: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).join(target)
}

fn fresh(kind: Kind, mode: u32, size: usize) -> Stat {
    let now = jiff::Timestamp::now().as_second();
    Stat { kind, size: size as u64, mode, uid: 0, gid: 0, mtime: now, atime: now, ctime: now, inode: 0 }
}

impl Look for Overlay<'_> {
    fn grains(&self) -> &Map {
        self.under.grains()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        match self.follow(path)? {
            (_, Found::Here(_, Content::Bytes(bytes))) if bytes.len() as u64 <= limit => Ok(bytes.to_vec()),
            (_, Found::Here(_, Content::Bytes(_))) => Err(io::ErrorKind::FileTooLarge.into()),
            (_, Found::Here(_, Content::Under(real))) => self.under.read(&real, limit),
            (_, Found::Here(_, Content::Folder)) => Err(io::ErrorKind::IsADirectory.into()),
            (at, Found::Under) => self.under.read(&at, limit),
            (_, Found::Gone | Found::Here(_, Content::Link(_))) => Err(gone()),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        match self.follow(path)? {
            (_, Found::Here(_, Content::Under(real))) => self.under.open(&real),
            (at, Found::Under) => self.under.open(&at),
            _ => Ok(Box::new(io::Cursor::new(self.read(path, u64::MAX)?))),
        }
    }

    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        self.under.download(what, to)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        match self.find(path) {
            (_, Found::Here(stat, _)) => Ok(stat),
            (at, Found::Under) => self.under.stat(&at),
            (_, Found::Gone) => Err(gone()),
        }
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let (at, found) = self.follow(path)?;
        let mut names = match found {
            Found::Gone | Found::Here(_, Content::Link(_)) => return Err(gone()),
            Found::Here(_, Content::Bytes(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Found::Here(_, Content::Folder) => Vec::new(),
            Found::Here(_, Content::Under(real)) => self.under.list(&real)?,
            Found::Under => self.under.list(&at)?,
        };
        for (path, entry) in self.files().iter().filter(|(path, _)| path.parent() == Some(&at)) {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            names.retain(|known| *known != name);
            if matches!(entry, Entry::There(..)) {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match self.find(path) {
            (_, Found::Here(_, Content::Link(target))) => Ok(target),
            (_, Found::Here(_, Content::Under(real))) => self.under.read_link(&real),
            (at, Found::Under) => self.under.read_link(&at),
            (_, Found::Here(..)) => Err(io::ErrorKind::InvalidInput.into()),
            (_, Found::Gone) => Err(gone()),
        }
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        self.under.which(program)
    }

    fn probe(&self, command: &Command) -> io::Result<Output> {
        self.under.probe(command)
    }

    fn expects(&self, what: &Expected) -> bool {
        self.expected().contains(what)
    }

    fn expects_anything(&self) -> bool {
        self.ran.load(Ordering::Relaxed) || !self.expected().is_empty()
    }

    fn may_come(&self, path: &Path) -> bool {
        let (at, _) = self.find(path);
        let files = self.files();
        let is_removed = at.ancestors().any(|above| matches!(files.get(above), Some(Entry::Gone)));
        drop(files);
        !is_removed && self.expects_anything()
    }

    fn expects_change(&self) -> bool {
        !self.files().is_empty() || self.expects_anything()
    }

    fn expects_packages(&self) -> bool {
        self.expected().iter().any(|what| matches!(what, Expected::Package(_)))
    }
}

impl Host for Overlay<'_> {
    /// Nothing is run; the command seems to end well without output.
    fn run(&self, _command: &Command) -> io::Result<Output> {
        self.ran.store(true, Ordering::Relaxed);
        Ok(Output::default())
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.needs_parent(path)?;
        let mut stat = fresh(Kind::File, mode, bytes.len());
        if let Ok(old) = self.stat(path) {
            (stat.uid, stat.gid) = (old.uid, old.gid);
        }
        self.put(path, stat, Content::Bytes(bytes.into()));
        Ok(())
    }

    fn copy(&self, from: &Path, to: &Path, mode: u32) -> io::Result<()> {
        self.needs_parent(to)?;
        let (at, found) = self.follow(from)?;
        let (source, content) = match found {
            Found::Gone => return Err(gone()),
            Found::Here(stat, content) => (stat, content),
            Found::Under => (self.under.stat(&at)?, Content::Under(at)),
        };
        let mut stat = Stat { size: source.size, ..fresh(Kind::File, mode, 0) };
        if let Ok(old) = self.stat(to) {
            (stat.uid, stat.gid) = (old.uid, old.gid);
        }
        self.put(to, stat, content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.stat(path)?;
        let (at, _) = self.find(path);
        let mut files = self.files();
        files.retain(|other, _| !other.starts_with(&at));
        files.insert(at, Entry::Gone);
        Ok(())
    }

    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()> {
        self.needs_parent(path)?;
        if self.stat(path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.put(path, fresh(Kind::Directory, mode, 0), Content::Folder);
        Ok(())
    }

    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.needs_parent(path)?;
        self.put(path, fresh(Kind::Symlink, 0o777, 0), Content::Link(target.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.needs_parent(to)?;
        let (at, found) = self.find(from);
        let (stat, content) = match found {
            Found::Gone => return Err(gone()),
            Found::Here(stat, content) => (stat, content),
            Found::Under => (self.under.stat(&at)?, Content::Under(at.clone())),
        };
        let (target, _) = self.find(to);
        let mut files = self.files();
        let inside: Vec<(PathBuf, Entry)> = files
            .iter()
            .filter(|(path, _)| path.starts_with(&at) && **path != at)
            .filter_map(|(path, entry)| Some((target.join(path.strip_prefix(&at).ok()?), entry.clone())))
            .collect();
        files.retain(|path, _| !path.starts_with(&at));
        files.insert(at, Entry::Gone);
        files.extend(inside);
        files.insert(target, Entry::There(stat, content));
        Ok(())
    }

    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()> {
        let (at, _) = self.follow(path)?;
        self.change(&at, |stat| stat.mode = mode)
    }

    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
        self.change(path, |stat| {
            stat.uid = uid.unwrap_or(stat.uid);
            stat.gid = gid.unwrap_or(stat.gid);
        })
    }

    fn hard_link(&self, target: &Path, path: &Path) -> io::Result<()> {
        self.needs_parent(path)?;
        let (at, found) = self.find(target);
        let (stat, content) = match found {
            Found::Gone => return Err(gone()),
            Found::Here(stat, content) => (stat, content),
            Found::Under => (self.under.stat(&at)?, Content::Under(at)),
        };
        self.put(path, stat, content);
        Ok(())
    }

    fn set_times(&self, path: &Path, atime: Option<i64>, mtime: Option<i64>) -> io::Result<()> {
        self.change(path, |stat| {
            stat.atime = atime.unwrap_or(stat.atime);
            stat.mtime = mtime.unwrap_or(stat.mtime);
        })
    }

    fn expect(&self, what: Expected) {
        self.expected().insert(what);
    }
}
