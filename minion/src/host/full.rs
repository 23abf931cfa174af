//! A full disk by name: "no space left" alone does not say where.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The same result; an error that means a full file system says which one, and how much it holds.
pub fn named<T>(path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            io::Error::new(error.kind(), format!("{error}: {}", describe(path)))
        }
        _ => error,
    })
}

fn describe(path: &Path) -> String {
    let Some(mount) = mount_of(path) else { return "the file system is full".into() };
    let at = mount.display();
    match rustix::fs::statvfs(&mount) {
        Ok(stat) if stat.f_bavail == 0 || stat.f_ffree > 0 => {
            let mib = |blocks: u64| blocks.saturating_mul(stat.f_frsize) >> 20;
            format!("the file system at {at} has {} of {} MiB left", mib(stat.f_bavail), mib(stat.f_blocks))
        }
        Ok(stat) => format!("the file system at {at} has none of its {} inodes left", stat.f_files),
        Err(_) => format!("the file system at {at} is full"),
    }
}

/// The topmost folder on the same device.
fn mount_of(path: &Path) -> Option<PathBuf> {
    let device = |path: &Path| fs::metadata(path).ok().map(|meta| meta.dev());
    let there = path.ancestors().skip(1).find(|folder| device(folder).is_some())?;
    let wanted = device(there);
    there.ancestors().take_while(|folder| device(folder) == wanted).last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_file_system_is_named_and_other_errors_stay() {
        let full = named::<()>(Path::new("/proc/none/x"), Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert!(full.to_string().contains("the file system at /proc "), "{full}");
        let other = named::<()>(Path::new("/proc/x"), Err(io::ErrorKind::NotFound.into())).unwrap_err();
        assert!(!other.to_string().contains("file system"), "{other}");
    }
}
