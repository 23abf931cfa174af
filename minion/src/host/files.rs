//! Reading and replacing files.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
};

use states::{Stat, look::Kind};

/// At most `limit` bytes; a longer file is an error (`FileTooLarge`).
pub fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a file that is just as long as the limit from a longer one,
    // without trusting a size that /proc reports as 0.
    File::open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        let why = format!("{} is longer than {limit} bytes", path.display());
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

pub fn stat(path: &Path) -> io::Result<Stat> {
    let meta = fs::symlink_metadata(path)?;
    Ok(Stat {
        kind: kind(meta.file_type()),
        size: meta.size(),
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        mtime: meta.mtime(),
        atime: meta.atime(),
        ctime: meta.ctime(),
        inode: meta.ino(),
    })
}

fn kind(kind: fs::FileType) -> Kind {
    match kind {
        k if k.is_dir() => Kind::Directory,
        k if k.is_symlink() => Kind::Symlink,
        k if k.is_block_device() => Kind::Block,
        k if k.is_char_device() => Kind::Character,
        k if k.is_fifo() => Kind::Fifo,
        k if k.is_socket() => Kind::Socket,
        _ => Kind::File,
    }
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

fn replace(path: &Path, mode: u32, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let folder = folder_of(path);
    // It has no name until it is whole, or one that is ours to clear away.
    let mut file = tempfile::Builder::new().prefix(".overstate-").tempfile_in(folder)?;
    fill(file.as_file_mut())?;
    if let Ok(old) = fs::symlink_metadata(path) {
        if (old.uid(), old.gid()) != (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw()) {
            std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()))?;
        }
        keep_label(path, file.as_file())?;
    }
    // After the owner: changing the owner clears the set-user-id bit.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(folder)?.sync_all()
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

fn folder_of(path: &Path) -> &Path {
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
    DirBuilder::new().mode(mode & 0o700).create(path)?;
    set_mode(path, mode)
}

pub fn set_mode(path: &Path, mode: u32) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(mode))
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
        assert_eq!((now.kind, now.mode, now.size), (Kind::File, 0o4755, 3));
        assert_eq!(list(folder.path()).unwrap(), ["link", "target"]);
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
}
