//! Finding programs as a shell would.

use std::{
    env,
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// Where programs are when the environment does not say.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The absolute path of a program: a name with a slash is taken as it is, any other is searched
/// along `PATH`. Relative folders in `PATH` are left out: a daemon's working folder means nothing.
pub fn which(program: &str) -> Option<PathBuf> {
    let path = env::var("PATH").unwrap_or_default();
    which_in(program, if path.is_empty() { DEFAULT_PATH } else { &path })
}

fn which_in(program: &str, path: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return std::path::absolute(program).ok().filter(|path| runnable(path));
    }
    env::split_paths(path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(program))
        .find(|candidate| !program.is_empty() && runnable(candidate))
}

fn runnable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_executable_is_passed_over() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        super::super::files::write(&first.path().join("tool"), b"", 0o644).unwrap();
        super::super::files::write(&second.path().join("tool"), b"", 0o755).unwrap();
        let path = format!(".:{}:{}", first.path().display(), second.path().display());
        assert_eq!(which_in("tool", &path), Some(second.path().join("tool")));
        assert_eq!(which_in("none", &path), None);
        assert_eq!(which_in("", &path), None);
        let absolute = second.path().join("tool");
        assert_eq!(which_in(absolute.to_str().unwrap(), ""), Some(absolute));
    }
}
