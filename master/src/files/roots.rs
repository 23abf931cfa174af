//! What a folder holds.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use fancy_regex::Regex;
use proto::{Glob, manifest::TreePath};

use super::beneath::Root;

/// Folders inside one another.
const DEPTH: usize = 64;
/// Files of one root; a thicket of links ends here.
const MOST: usize = 600_000;

/// What symbolic links in a root lead to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Links {
    /// Their files are no files of the tree.
    Ignored,
    /// Files and folders of the same root.
    #[default]
    Within,
    /// Anything on this host.
    Anywhere,
}

/// Files that are left out (`file_ignore_regex`, `file_ignore_glob`).
#[derive(Debug, Clone, Default)]
pub struct Ignore {
    pub regexes: Vec<Regex>,
    pub globs: Vec<Glob>,
}

impl Ignore {
    fn has(&self, path: &str) -> bool {
        // As the patterns of Salt's own example are written: `/\.git($|/)`.
        let rooted = format!("/{path}");
        self.globs.iter().any(|glob| glob.is_match(path))
            || self.regexes.iter().any(|regex| regex.is_match(&rooted).unwrap_or(false))
    }
}

/// What one root holds. Full paths are relative to the root.
pub(super) struct Listing {
    pub root: Arc<Root>,
    pub files: Vec<(TreePath, PathBuf)>,
    pub links: Vec<(TreePath, String)>,
    pub empty_dirs: BTreeSet<TreePath>,
}

/// Lists a root; `None` if there is no such folder.
pub(super) fn list(folder: &Path, ignore: &Ignore, links: Links) -> Option<Listing> {
    let root = Arc::new(Root::new(folder, links == Links::Anywhere).ok()?);
    let mut walk = Walk {
        ignore,
        links,
        through: Vec::new(),
        listing: Listing { root, files: Vec::new(), links: Vec::new(), empty_dirs: BTreeSet::new() },
    };
    walk.folder("", 0);
    Some(walk.listing)
}

struct Walk<'a> {
    ignore: &'a Ignore,
    links: Links,
    /// The real folders that the walk came through by links.
    through: Vec<PathBuf>,
    listing: Listing,
}

impl Walk<'_> {
    /// Whether anything was found in it.
    fn folder(&mut self, path: &str, depth: usize) -> bool {
        let full = self.listing.root.folder().join(path);
        let Ok(entries) = fs::read_dir(&full) else {
            tracing::warn!(folder = %full.display(), "cannot be read; it is left out of the tree");
            return false;
        };
        let mut any = false;
        for entry in entries.flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let path = if path.is_empty() { name } else { format!("{path}/{name}") };
            if !self.ignore.has(&path) {
                any |= self.entry(&entry, path, depth);
            }
        }
        any
    }

    fn entry(&mut self, entry: &fs::DirEntry, path: String, depth: usize) -> bool {
        let (Ok(kind), Ok(tree_path)) = (entry.file_type(), path.parse::<TreePath>()) else { return false };
        if kind.is_symlink() {
            self.link(entry, tree_path, depth);
            return true;
        }
        self.found(kind, tree_path, depth)
    }

    fn found(&mut self, kind: fs::FileType, path: TreePath, depth: usize) -> bool {
        if kind.is_file() && self.listing.files.len() < MOST {
            let full = path.as_str().into();
            self.listing.files.push((path, full));
            return true;
        }
        if kind.is_dir() && depth < DEPTH && !self.folder(path.as_str(), depth + 1) {
            self.listing.empty_dirs.insert(path);
        }
        kind.is_dir()
    }

    /// Takes a link, and what it leads to where that belongs to the tree.
    fn link(&mut self, entry: &fs::DirEntry, path: TreePath, depth: usize) -> Option<()> {
        let full = entry.path();
        let target = fs::read_link(&full).ok()?;
        self.listing.links.push((path.clone(), target.to_string_lossy().into_owned()));
        let (real, here) = (fs::canonicalize(&full).ok()?, fs::canonicalize(full.parent()?).ok()?);
        let root = &self.listing.root;
        let belongs = self.links != Links::Ignored && (root.is_open() || real.starts_with(root.folder()));
        // A link to a folder that the walk is in would go on for ever.
        let around = here.starts_with(&real) || self.through.iter().any(|folder| folder.starts_with(&real));
        if belongs && !around {
            let kind = fs::metadata(&real).ok()?.file_type();
            self.through.push(here);
            self.found(kind, path, depth);
            self.through.pop();
        }
        Some(())
    }
}
