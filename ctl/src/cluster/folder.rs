//! Where test clusters live: a private folder of the user's, one folder in it for each cluster,
//! named after the process that runs it.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};

use crate::error::{Error, Exit, Outcome};

/// What the processes of a cluster carry in their environment, with its folder.
pub const TAG: &str = "OVERSTATE_DEV";

/// The folder of this user's clusters, which nobody else can read or write.
pub fn parent_folder() -> Result<PathBuf, Error> {
    let folder = std::env::temp_dir().join(format!("overstate-dev-{}", geteuid()));
    make_private(&folder)?;
    Ok(folder)
}

/// Makes a folder that only its owner enters; one that is there must be such a one.
pub fn make_private(folder: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_private(folder),
        made => made.map_err(|error| cannot(folder, &error)),
    }
}

/// Somebody else's folder in `/tmp` could hold any key and any master.
fn check_private(folder: &Path) -> Result<(), Error> {
    let status = fs::symlink_metadata(folder).map_err(|error| cannot(folder, &error))?;
    if status.is_dir() && status.uid() == geteuid().as_raw() && status.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::nothing(format!("{} is not a private folder of yours", folder.display()))
        .hint("remove it, or set TMPDIR to a folder of your own"))
}

/// The clusters in a folder, with their processes: those that still run.
fn clusters(parent: &Path) -> Vec<(PathBuf, bool)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let running = Path::new("/proc").join(pid.to_string()).exists();
            let made = entry.metadata().ok()?.modified().ok()?;
            Some((made, entry.path(), running))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path, running)| (path, running)).collect()
}

/// Removes what a machine that went down has left.
pub fn sweep(parent: &Path) {
    for (folder, running) in clusters(parent) {
        if !running {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The configuration folder of the newest cluster of this user: `ctl --dev`.
pub fn newest() -> Result<PathBuf, Error> {
    let parent = std::env::temp_dir().join(format!("overstate-dev-{}", geteuid()));
    let none = || Error::nothing("no test cluster is running").hint("`ctl dev` starts one, in another terminal");
    if !parent.exists() {
        return Err(none());
    }
    check_private(&parent)?;
    let running = clusters(&parent).into_iter().filter(|(_, running)| *running);
    // One that is about to start, or to end, has no configuration.
    let is_configured = |folder: &PathBuf| folder.join("master").is_file();
    let newest = running.map(|(folder, _)| folder.join("master")).rfind(is_configured);
    newest.ok_or_else(none)
}

/// Waits for the end of standard input, which comes when the cluster's process ends in whatever
/// way; then ends what jobs have left running, and removes the folder.
pub fn janitor(folder: &Path) -> Outcome {
    let parent = parent_folder()?;
    if folder.parent() != Some(&parent) {
        return Err(Error::nothing(format!("{} is no folder of a test cluster", folder.display())));
    }
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    for _ in 0..100 {
        if end_tagged(folder) == 0 && fs::remove_dir_all(folder).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Exit::OK)
}

/// Kills the processes that carry the folder in their environment. Gives how many there were.
fn end_tagged(folder: &Path) -> usize {
    let tag = format!("{TAG}={}", folder.display());
    let tagged = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == tag.as_bytes())
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(tagged).filter(|&pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok()).count()
}

pub fn cannot(path: &Path, error: &io::Error) -> Error {
    Error::nothing(format!("{}: {}", path.display(), crate::access::plain(error)))
        .hint("TMPDIR says where temporary folders are made")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("x");
        make_private(&inside).unwrap();
        make_private(&inside).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&inside).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/root", &link).unwrap();
        assert!(make_private(&link).is_err());
    }

    #[test]
    fn clusters_whose_process_is_gone_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, here) = (folder.path().join("4194399"), folder.path().join(std::process::id().to_string()));
        fs::create_dir(&gone).unwrap();
        fs::create_dir(&here).unwrap();
        sweep(folder.path());
        assert!(!gone.exists() && here.exists());
    }
}
