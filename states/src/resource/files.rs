//! Files: what they are, who owns them, how they are replaced.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::accounts;
use crate::{Host, Look, Stat, look::Kind};

/// The largest file that is read into memory.
pub const LIMIT: u64 = 512 << 20;
const LINKS: usize = 40;

/// What a path leads to, links followed.
pub fn followed(look: &dyn Look, path: &Path) -> io::Result<(PathBuf, Stat)> {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        let stat = look.stat(&at)?;
        if stat.kind != Kind::Symlink {
            return Ok((at, stat));
        }
        let target = look.read_link(&at)?;
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(io::Error::other("too many levels of symbolic links"))
}

/// What is at a path, looked at once.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Whether the name itself is a link.
    pub link: bool,
    /// What it leads to, with the path of that; none where nothing is.
    pub real: Option<(PathBuf, Stat)>,
}

impl Seen {
    pub fn of(look: &dyn Look, path: &Path) -> Self {
        match look.stat(path) {
            Ok(stat) if stat.kind != Kind::Symlink => Self { link: false, real: Some((path.to_owned(), stat)) },
            Ok(_) => Self { link: true, real: followed(look, path).ok() },
            Err(_) => Self::default(),
        }
    }

    pub fn exists(&self) -> bool {
        self.real.is_some()
    }

    /// Whether it is, or leads to, something of a kind.
    pub fn is(&self, kind: Kind) -> bool {
        self.real.as_ref().is_some_and(|(_, stat)| stat.kind == kind)
    }
}

pub fn exists(look: &dyn Look, path: &Path) -> bool {
    followed(look, path).is_ok()
}

/// Whether anything has this name, be it a link to nothing.
pub fn is_there(look: &dyn Look, path: &Path) -> bool {
    look.stat(path).is_ok()
}

pub fn is_dir(look: &dyn Look, path: &Path) -> bool {
    followed(look, path).is_ok_and(|(_, stat)| stat.kind == Kind::Directory)
}

pub fn is_file(look: &dyn Look, path: &Path) -> bool {
    followed(look, path).is_ok_and(|(_, stat)| stat.kind == Kind::File)
}

pub fn is_link(look: &dyn Look, path: &Path) -> bool {
    look.stat(path).is_ok_and(|stat| stat.kind == Kind::Symlink)
}

/// Everything beneath a folder: of each folder its files, then its folders, then what is in them.
/// Links are not followed.
pub fn walk(look: &dyn Look, folder: &Path) -> io::Result<Vec<(PathBuf, Stat)>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let all = look.list(&folder)?.into_iter().map(|name| folder.join(name));
        let all = all.filter_map(|path| look.stat(&path).ok().map(|stat| (path, stat)));
        let (folders, files): (Vec<_>, Vec<_>) = all.partition(|(_, stat)| stat.kind == Kind::Directory);
        waiting.extend(folders.iter().rev().map(|(path, _)| path.clone()));
        found.extend(files);
        found.extend(folders);
    }
    Ok(found)
}

/// A mode as Salt prints it: `0644`.
pub fn mode_text(mode: u32) -> String {
    format!("{mode:04o}")
}

/// A mode as people write it: octal digits, as a text or as the number that YAML made of them.
pub fn parse_mode(text: &str) -> Option<u32> {
    let digits = text.trim().trim_start_matches("0o");
    u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o7777)
}

/// Owner, group and mode that a file is to have; `None` leaves one as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    /// Names as they were given, with what they stand for.
    pub user: Option<(String, u32)>,
    pub group: Option<(String, u32)>,
    pub mode: Option<u32>,
}

impl Permissions {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What has to change of a file for these, with their names in Salt's order.
    pub fn missing(&self, stat: &Stat) -> Vec<(&'static str, String)> {
        let mut missing = Vec::new();
        if let Some((name, uid)) = &self.user
            && *uid != stat.uid
        {
            missing.push(("user", name.clone()));
        }
        if let Some((name, gid)) = &self.group
            && *gid != stat.gid
        {
            missing.push(("group", name.clone()));
        }
        if let Some(mode) = self.mode
            && mode != stat.mode
            && stat.kind != Kind::Symlink
        {
            missing.push(("mode", mode_text(mode)));
        }
        missing
    }

    /// Gives a file these; the owner first, since that clears the set-user-id bit.
    pub fn apply(&self, host: &dyn Host, path: &Path) -> io::Result<()> {
        let stat = host.stat(path)?;
        let uid = self.user.as_ref().map(|(_, uid)| *uid).filter(|uid| *uid != stat.uid);
        let gid = self.group.as_ref().map(|(_, gid)| *gid).filter(|gid| *gid != stat.gid);
        if uid.is_some() || gid.is_some() {
            host.set_owner(path, uid, gid)?;
        }
        match self.mode.filter(|_| stat.kind != Kind::Symlink) {
            Some(mode) if mode != stat.mode || uid.is_some() || gid.is_some() => host.set_mode(path, mode),
            _ => Ok(()),
        }
    }

    /// The same with owners looked up again: a user may have been made meanwhile.
    pub fn resolved(&self, look: &dyn Look) -> Self {
        let again = |named: &Option<(String, u32)>, find: fn(&dyn Look, &str) -> Option<u32>| {
            named.as_ref().map(|(name, id)| (name.clone(), find(look, name).unwrap_or(*id)))
        };
        Self { user: again(&self.user, accounts::uid), group: again(&self.group, accounts::gid), mode: self.mode }
    }
}

/// Makes a folder and those above it that are missing. Gives what was made.
pub fn make_dirs(host: &dyn Host, path: &Path, permissions: &Permissions) -> io::Result<Vec<PathBuf>> {
    let missing: Vec<&Path> = path.ancestors().take_while(|above| !exists(host, above)).collect();
    let mut made = Vec::new();
    for folder in missing.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
        host.make_dir(folder, permissions.mode.unwrap_or(0o755))?;
        permissions.apply(host, folder)?;
        made.push(folder.to_owned());
    }
    Ok(made)
}
