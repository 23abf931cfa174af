//! The two doors to a host: [`Look`] reads, [`Host`] writes.
//!
//! Planning a state is given a `&dyn Look`; only what a plan carries out is given a
//! `&dyn Host`. So a dry run cannot write, by type.

use std::{
    fs::{FileType, Metadata},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use proto::Map;

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Directory,
    Symlink,
    Block,
    Character,
    Fifo,
    Socket,
}

/// What `lstat` tells, with names where the host knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    pub kind: Kind,
    pub size: u64,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds since 1970.
    pub mtime: i64,
    pub atime: i64,
    pub ctime: i64,
    pub inode: u64,
}

impl From<FileType> for Kind {
    fn from(of: FileType) -> Self {
        match of {
            of if of.is_dir() => Self::Directory,
            of if of.is_symlink() => Self::Symlink,
            of if of.is_block_device() => Self::Block,
            of if of.is_char_device() => Self::Character,
            of if of.is_fifo() => Self::Fifo,
            of if of.is_socket() => Self::Socket,
            _ => Self::File,
        }
    }
}

/// What `lstat` said of a path of this machine.
impl From<&Metadata> for Stat {
    fn from(meta: &Metadata) -> Self {
        Self {
            kind: meta.file_type().into(),
            size: meta.size(),
            mode: meta.mode() & 0o7777,
            uid: meta.uid(),
            gid: meta.gid(),
            mtime: meta.mtime(),
            atime: meta.atime(),
            ctime: meta.ctime(),
            inode: meta.ino(),
        }
    }
}

/// A process to start.
#[derive(Debug, Clone, Default)]
pub struct Command {
    /// The program and its arguments; with `shell`, one element that the shell reads.
    pub argv: Vec<String>,
    /// The shell that reads `argv[0]`, or none to start the program itself.
    pub shell: Option<PathBuf>,
    pub cwd: Option<PathBuf>,
    pub env: Vec<(String, String)>,
    pub clean_env: bool,
    pub stdin: Option<Vec<u8>>,
    pub runas: Option<String>,
    pub group: Option<String>,
    pub umask: Option<u32>,
    pub timeout: Option<Duration>,
    /// Put standard error into `Output::stdout`, in the order it came.
    pub merge_stderr: bool,
}

/// What a finished process left.
#[derive(Debug, Clone, Default)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// The exit code; 128 + N for a process that signal N ended.
    pub code: i32,
    pub pid: u32,
    pub timed_out: bool,
    /// Output went over the bound and was cut.
    pub truncated: bool,
}

/// What a dry run has planned so far, beyond files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expected {
    Package(String),
    User(String),
    Group(String),
    Service(String),
}

/// What is to be fetched from the web, and how much of it at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// `http://`, `https://` or `ftp://`.
    pub url: String,
    /// Bytes; more is an error.
    pub limit: u64,
    pub timeout: Duration,
    /// Whether the server's certificate is checked.
    pub verify_ssl: bool,
    /// `Name: value` lines that go with the request.
    pub headers: Vec<String>,
}

/// The largest file that goes through memory where there is no other way.
const IN_MEMORY: u64 = 512 << 20;

/// What may be read of a host.
pub trait Look: Send + Sync {
    fn grains(&self) -> &Map;

    /// A file's bytes, at most `limit` of them; a longer file is an error, not a part.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;

    /// A file's bytes one after the other, however many there are.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(io::Cursor::new(self.read(path, IN_MEMORY)?)))
    }

    /// Fetches a file of the web into a cache of ours, piece by piece. It is there whole or not at
    /// all; the folder must exist.
    fn download(&self, _what: &Download, _to: &Path) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "nothing is fetched from the web here"))
    }

    /// Does not follow a link at the end of the path.
    fn stat(&self, path: &Path) -> io::Result<Stat>;

    /// The names in a directory, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// The absolute path of a program, searched as the shell would.
    fn which(&self, program: &str) -> Option<PathBuf>;

    /// Starts a command that is known to change nothing (`dpkg-query`, `systemctl is-active`).
    /// What may be started is ours to choose; a user's command goes through [`Host::run`].
    fn probe(&self, command: &Command) -> io::Result<Output>;

    /// Whether an earlier state of this dry run would make it. Always false on a real host.
    fn expects(&self, _what: &Expected) -> bool {
        false
    }

    /// Whether this is a dry run in which any package would be installed.
    fn expects_packages(&self) -> bool {
        false
    }

    /// Whether this is a dry run in which a command would have been run, which may have made anything.
    fn expects_anything(&self) -> bool {
        false
    }

    /// Whether this is a dry run in which what is missing at a path may be there by then: a command would have
    /// been run, and no state takes away what is there.
    fn may_come(&self, _path: &Path) -> bool {
        self.expects_anything()
    }

    /// Whether this is a dry run in which an earlier state would have changed the host.
    fn expects_change(&self) -> bool {
        self.expects_anything()
    }
}

/// What may be changed on a host.
pub trait Host: Look {
    /// Runs a command to its end, killing its whole process group at its time-out.
    fn run(&self, command: &Command) -> io::Result<Output>;

    /// Replaces a file in one step: a reader sees the old bytes or the new, never a part. They are on
    /// the disk when this returns, but for a new file between [`hold`](Self::hold) and
    /// [`settle`](Self::settle).
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()>;

    /// The same with the bytes of another file, which never lie in memory as a whole.
    fn copy(&self, from: &Path, to: &Path, mode: u32) -> io::Result<()> {
        self.write(to, &self.read(from, IN_MEMORY)?, mode)
    }

    fn remove(&self, path: &Path) -> io::Result<()>;
    fn make_dir(&self, path: &Path, mode: u32) -> io::Result<()>;
    fn symlink(&self, target: &Path, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn set_mode(&self, path: &Path, mode: u32) -> io::Result<()>;
    /// `None` leaves that half as it is; does not follow a link.
    fn set_owner(&self, path: &Path, uid: Option<u32>, gid: Option<u32>) -> io::Result<()>;

    /// Another name for the same file.
    fn hard_link(&self, _target: &Path, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Sets the times of access and change, in seconds since 1970; `None` leaves one as it is.
    fn set_times(&self, _path: &Path, _atime: Option<i64>, _mtime: Option<i64>) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// From here on, new files need not be on the disk before [`write`](Self::write) and
    /// [`copy`](Self::copy) return, so that many of them can be brought there together. To be called as
    /// often as [`release`](Self::release).
    fn hold(&self) {}

    /// Brings to the disk what was held back; gives the files of which the system says that it cannot.
    fn settle(&self) -> Vec<(PathBuf, io::Error)> {
        Vec::new()
    }

    /// Ends what [`hold`](Self::hold) began.
    fn release(&self) {}

    /// Tells a dry run what would be there from now on. A real host knows by itself.
    fn expect(&self, _what: Expected) {}
}
