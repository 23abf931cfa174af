//! Reading and replacing files.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    },
    path::Path,
};

use nix::libc;
use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags},
    io::Errno,
};
use states::Stat;
use tempfile::{NamedTempFile, TempPath};

use super::full;
use crate::fault::crash_point;

/// The most that is set aside for a file before it is read.
const ROOM: u64 = 1 << 20;

/// At most `limit` bytes; a longer file is an error (`FileTooLarge`).
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    // Room for all of it saves reading it piece by piece; a size that is not so only costs that.
    let likely = file.metadata().map_or(0, |meta| meta.len()).min(limit).min(ROOM);
    let mut bytes = Vec::with_capacity(usize::try_from(likely).unwrap_or(0) + 1);
    // One byte more than allowed tells a file that is just as long as the limit from a longer one,
    // without trusting a size that /proc reports as 0.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("{} is longer than {limit} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

pub fn stat(path: &Path) -> io::Result<Stat> {
    Ok(Stat::from(&fs::symlink_metadata(path)?))
}

pub fn list(path: &Path) -> io::Result<Vec<String>> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

/// Replaces the file in one step and keeps the owner and the security label of what was there. A
/// link at the end of the path is replaced, not followed. When this returns, the bytes are on the
/// disk.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    replace(path, mode, |file| file.write_all(bytes))
}

/// The same with the bytes of another file.
pub fn copy(from: &Path, to: &Path, mode: u32) -> io::Result<()> {
    let mut source = File::open(from)?;
    replace(to, mode, |file| io::copy(&mut source, file).map(drop))
}

/// Makes a file where there is none. Its bytes are on their way to the disk: whoever is given the file
/// has to wait for them. Nothing where something is there, or a file cannot be made without a name.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<Option<File>> {
    make(path, mode, |file| file.write_all(bytes))
}

/// The same with the bytes of another file.
pub fn create_copy(from: &Path, to: &Path, mode: u32) -> io::Result<Option<File>> {
    let mut source = File::open(from)?;
    make(to, mode, |file| io::copy(&mut source, file).map(drop))
}

fn make(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Option<File>> {
    if fs::symlink_metadata(path).is_ok() {
        return Ok(None);
    }
    let Fresh { file, path: None } = filled(path, fill)? else { return Ok(None) };
    // To wait for the disk by. A program that is open for writing cannot be run.
    let written = File::open(by_descriptor(&file))?;
    file.set_permissions(Permissions::from_mode(mode))?;
    full::named(path, begin_writing(&file))?;
    match rustix::fs::linkat(CWD, by_descriptor(&file), CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Err(Errno::EXIST) => Ok(None),
        linked => linked.map(|()| Some(written)).map_err(io::Error::from),
    }
}

/// A new file with its bytes, which has no place yet.
fn filled(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Fresh> {
    let mut fresh = full::named(path, Fresh::new(folder_of(path)))?;
    // While what was written is still there: it is what fills the disk.
    full::named(path, fill(&mut fresh.file).and_then(|()| fresh.file.flush()))?;
    crash_point("mid-write");
    Ok(fresh)
}

/// Has the system begin to write a file to the disk, and does not wait for it.
fn begin_writing(file: &File) -> io::Result<()> {
    #[allow(unsafe_code, reason = "neither std nor rustix has this call")]
    // SAFETY: the descriptor is open, the rest are numbers, and no memory is touched.
    let begun = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    match Errno::from_io_error(&io::Error::last_os_error()) {
        _ if begun == 0 => Ok(()),
        // A file system that has no such thing writes when it is told to wait.
        Some(Errno::INVAL | Errno::NOSYS | Errno::SPIPE) | None => Ok(()),
        Some(why) => Err(why.into()),
    }
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn replace(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut fresh = filled(path, fill)?;
    if let Ok(old) = fs::symlink_metadata(path) {
        if (old.uid(), old.gid()) != (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()) {
            std::os::unix::fs::fchown(&fresh.file, Some(old.uid()), Some(old.gid()))?;
        }
        keep_label(path, &fresh.file)?;
    }
    // After the owner: changing the owner clears the set-user-id bit.
    fresh.file.set_permissions(Permissions::from_mode(mode))?;
    full::named(path, fresh.file.sync_all())?;
    match fresh.rename(path) {
        // A file that is mounted by itself, as containers have it, cannot be replaced.
        Err(error) if error.raw_os_error() == Some(Errno::BUSY.raw_os_error()) => fresh.pour_into(path),
        // The folder is left to the kernel: after a power cut it names the old file or the new one,
        // each whole, and the next run sees which.
        renamed => renamed,
    }
}

/// A new file in a folder. It has no name until it is whole, where the file system can do that, so
/// that a process that dies leaves nothing behind.
struct Fresh {
    file: File,
    /// The name it has for the moment.
    path: Option<TempPath>,
}

impl Fresh {
    fn new(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR) {
            Ok(file) => Ok(Self { file: file.into(), path: None }),
            Err(_) => {
                let (file, path) = named(folder)?.into_parts();
                Ok(Self { file, path: Some(path) })
            }
        }
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        let temporary = match self.path.take() {
            Some(path) => path,
            None => {
                // Under a name that nobody has: one that is taken is refused.
                let place = folder_of(to).join(format!(".overstate-{:032x}", rand::random::<u128>()));
                rustix::fs::linkat(CWD, by_descriptor(&self.file), CWD, &place, AtFlags::SYMLINK_FOLLOW)?;
                TempPath::try_from_path(place)?
            }
        };
        // Persisting would drop it after an error; it must stay to be poured.
        let renamed = fs::rename(&temporary, to);
        match &renamed {
            Ok(()) => temporary.keep().map(drop).map_err(|error| error.error)?,
            Err(_) => self.path = Some(temporary),
        }
        renamed
    }

    /// Writes the bytes into the file that is there.
    fn pour_into(&mut self, path: &Path) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut old = File::options().write(true).truncate(true).open(path)?;
        io::copy(&mut self.file, &mut old)?;
        old.sync_all()
    }
}

pub fn named(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".overstate-").tempfile_in(folder)
}

/// The label that SELinux goes by. Where there is none, or labels are not supported, there is
/// nothing to keep.
fn keep_label(old: &Path, new: &File) -> io::Result<()> {
    const LABEL: &str = "security.selinux";
    let mut label = [0; 256];
    match rustix::fs::lgetxattr(old, LABEL, &mut label) {
        Ok(length) => Ok(rustix::fs::fsetxattr(new, LABEL, &label[..length], rustix::fs::XattrFlags::empty())?),
        Err(_) => Ok(()),
    }
}

pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Removes whatever is there; a folder with all that is in it, never following links.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path)?.is_dir() {
        true => fs::remove_dir_all(path),
        false => fs::remove_file(path),
    }
}

/// Makes one folder; its parent must exist. The mode holds whatever the umask is.
pub fn make_dir(path: &Path, mode: u32) -> io::Result<()> {
    full::named(path, DirBuilder::new().mode(mode & 0o700).create(path))?;
    set_mode(path, mode)
}

/// Sets the permission bits. A link at the end of the path is an error: whoever may put one there
/// must not choose whose bits are set.
pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    let held = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&held)?;
    if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink() {
        return Err(Errno::LOOP.into());
    }
    let through = format!("/proc/self/fd/{}", held.as_raw_fd());
    fs::set_permissions(through, Permissions::from_mode(mode))
}

/// Sets the times that are given, in seconds since 1970; a link at the end of the path is not followed.
pub fn set_times(path: &Path, atime: Option<i64>, mtime: Option<i64>) -> io::Result<()> {
    use rustix::fs::{Timespec, Timestamps, UTIME_OMIT, utimensat};
    let time = |seconds: Option<i64>| match seconds {
        Some(tv_sec) => Timespec { tv_sec, tv_nsec: 0 },
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
    };
    let times = Timestamps { last_access: time(atime), last_modification: time(mtime) };
    // Not through an open file: opening a pipe would wait for its other end.
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_longer_than_the_limit_is_an_error_and_not_a_part() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write(&path, b"12345", 0o640).unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn writing_replaces_a_link_and_sets_the_mode() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write(&target, b"old", 0o600).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        write(&link, b"new", 0o4755).unwrap();
        assert_eq!(read(&target, 10).unwrap(), b"old");
        let now = stat(&link).unwrap();
        assert_eq!((now.kind, now.mode, now.size), (states::look::Kind::File, 0o4755, 3));
        assert_eq!(list(folder.path()).unwrap(), ["link", "target"]);
    }

    #[test]
    fn a_mode_is_not_set_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        write(&target, b"x", 0o600).unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert_eq!(set_mode(&link, 0o666).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()));
        assert_eq!(stat(&target).unwrap().mode, 0o600);
        set_mode(&target, 0o640).unwrap();
        assert_eq!(stat(&target).unwrap().mode, 0o640);
    }

    #[test]
    fn a_copy_is_a_file_of_its_own_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from, b"bytes", 0o600).unwrap();
        write(&to, b"old", 0o600).unwrap();
        fs::hard_link(&to, folder.path().join("other")).unwrap();
        copy(&from, &to, 0o644).unwrap();
        assert_eq!(read(&to, 10).unwrap(), b"bytes");
        assert_eq!(read(&folder.path().join("other"), 10).unwrap(), b"old", "its other name keeps what it was");
        assert!(copy(&folder.path().join("none"), &to, 0o644).is_err());
        assert_eq!(list(folder.path()).unwrap(), ["from", "other", "to"]);
    }

    #[test]
    fn what_cannot_be_written_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        write(&path, b"old", 0o600).unwrap();
        let full = |file: &mut File| file.write_all(b"ne").and(Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(replace(&path, 0o644, full).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!((read(&path, 10).unwrap(), stat(&path).unwrap().mode), (b"old".to_vec(), 0o600));
        assert_eq!(list(folder.path()).unwrap(), ["f"]);
    }

    #[test]
    fn a_new_file_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("f"), folder.path().join("link"));
        create(&path, b"new", 0o4750).unwrap().expect("nothing was there").sync_all().unwrap();
        assert_eq!((read(&path, 10).unwrap(), stat(&path).unwrap().mode), (b"new".to_vec(), 0o4750));
        std::os::unix::fs::symlink("nowhere", &link).unwrap();
        assert!(create(&path, b"other", 0o600).unwrap().is_none() && create(&link, b"x", 0o600).unwrap().is_none());
        assert!(create_copy(&folder.path().join("none"), &folder.path().join("g"), 0o600).is_err());
        create_copy(&path, &folder.path().join("g"), 0o600).unwrap().unwrap();
        assert_eq!(list(folder.path()).unwrap(), ["f", "g", "link"]);
    }

    #[test]
    fn a_file_system_that_gives_every_file_a_name_will_do() {
        let folder = tempfile::tempdir().unwrap();
        let (file, path) = named(folder.path()).unwrap().into_parts();
        let mut fresh = Fresh { file, path: Some(path) };
        fresh.file.write_all(b"new").unwrap();
        fresh.rename(&folder.path().join("f")).unwrap();
        assert_eq!(list(folder.path()).unwrap(), ["f"]);
        let mut poured = Fresh::new(folder.path()).unwrap();
        poured.file.write_all(b"in place").unwrap();
        poured.pour_into(&folder.path().join("f")).unwrap();
        assert_eq!(read(&folder.path().join("f"), 100).unwrap(), b"in place");
    }

    #[test]
    fn removing_a_folder_leaves_what_its_links_point_to() {
        let folder = tempfile::tempdir().unwrap();
        let (kept, gone) = (folder.path().join("kept"), folder.path().join("gone"));
        make_dir(&kept, 0o755).unwrap();
        write(&kept.join("f"), b"x", 0o600).unwrap();
        make_dir(&gone, 0o777).unwrap();
        std::os::unix::fs::symlink(&kept, gone.join("link")).unwrap();
        assert_eq!(stat(&gone).unwrap().mode, 0o777);
        remove(&gone).unwrap();
        assert!(stat(&gone).is_err() && stat(&kept.join("f")).is_ok());
    }

    #[test]
    fn a_new_program_runs_before_it_is_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        let written = create(&path, b"#!/bin/sh\nexit 7\n", 0o700).unwrap();
        // A child that another thread has just begun may hold what was written open for a moment.
        let ran = (0..100).find_map(|_| match std::process::Command::new(&path).status() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(std::time::Duration::from_millis(10));
                None
            }
            ran => Some(ran.unwrap()),
        });
        assert_eq!(ran.and_then(|status| status.code()), Some(7));
        if let Some(written) = written {
            written.sync_all().unwrap();
        }
    }
}
