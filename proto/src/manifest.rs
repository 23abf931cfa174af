//! A file tree as values: what files there are, in which environment, with which contents.
//!
//! The hash of a manifest's bytes names the tree, and is what a job carries. A file is fetched by
//! the hash of its contents, never by its path.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Hash,
    codec::{self, CodecError, Limits},
    id::{IdError, check, name_type},
};

name_type! {
    /// A file's path beneath its environment's roots: relative, `/` between its parts, no part
    /// empty, `.` or `..`, at most 4,096 bytes.
    TreePath, check_path
}
name_type! {
    /// An environment's name: 1 to 253 bytes without control characters. A branch's name is one.
    EnvName, check_env
}

fn check_path(text: &str) -> Result<(), IdError> {
    check("path", text, 4096, |c| !c.is_control())?;
    match text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        true => Err(IdError::Form { kind: "path", text: text.into(), form: "folder/file" }),
        false => Ok(()),
    }
}

fn check_env(text: &str) -> Result<(), IdError> {
    check("environment", text, 253, |c| !c.is_control())
}

/// Every file of every environment at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub environments: BTreeMap<EnvName, Environment>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub files: BTreeMap<TreePath, FileEntry>,
    /// Folders without anything in them, which `files` cannot show.
    pub empty_dirs: BTreeSet<TreePath>,
    /// Symbolic links and where they point, as written. What a link to a file stands for is among
    /// `files` as well, where links are followed.
    pub links: BTreeMap<TreePath, String>,
    /// The commits of those roots that are in git, in the order of the roots.
    pub revisions: Vec<Revision>,
}

/// One file's contents and permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    pub hash: Hash,
    /// Bytes.
    pub size: u64,
    /// Permission bits, `0o7777` at most.
    pub mode: u32,
}

/// Which commit a root was at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The folder, or the repository's address without credentials.
    pub root: String,
    pub commit: String,
    /// Whether what is served differs from that commit (changed, gone, or never in it); `None`: nobody
    /// could tell.
    #[serde(default)]
    pub dirty: Option<bool>,
}

/// Why bytes are not the tree that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    #[error("the manifest is {found}, where {expected} was asked for")]
    OtherTree { expected: Hash, found: Hash },
    #[error("the manifest cannot be read: {0}")]
    Codec(#[from] CodecError),
}

impl Manifest {
    /// What reading one may cost: about half a million files.
    pub const LIMITS: Limits = Limits { bytes: 48 << 20, depth: 16, items: 4 << 20 };

    /// The bytes, and their hash: the tree's name.
    ///
    /// # Errors
    /// There are more files than [`LIMITS`](Self::LIMITS) allow.
    pub fn encode(&self) -> Result<(Bytes, Hash), CodecError> {
        let bytes = codec::encode_within(self, Self::LIMITS)?;
        let hash = Hash::of(&bytes);
        Ok((bytes, hash))
    }

    /// Reads what [`encode`](Self::encode) made; `expected` is the tree that was asked for.
    ///
    /// # Errors
    /// The bytes are another tree's, or no manifest.
    pub fn decode(bytes: &[u8], expected: Option<&Hash>) -> Result<Self, ManifestError> {
        let found = Hash::of(bytes);
        match expected {
            Some(expected) if *expected != found => Err(ManifestError::OtherTree { expected: *expected, found }),
            _ => Ok(codec::decode(bytes, Self::LIMITS)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let entry = FileEntry { hash: Hash::of(b"x"), size: 1, mode: 0o644 };
        let base = Environment {
            files: BTreeMap::from([("web/init.sls".parse().unwrap(), entry)]),
            empty_dirs: BTreeSet::from(["web/conf.d".parse().unwrap()]),
            links: BTreeMap::from([("web/link".parse().unwrap(), "init.sls".into())]),
            revisions: vec![Revision { root: "/srv/salt".into(), commit: "a".repeat(40), dirty: Some(true) }],
        };
        Manifest { environments: BTreeMap::from([("base".parse().unwrap(), base)]) }
    }

    #[test]
    fn a_manifest_survives_the_wire_and_is_named_by_its_bytes() {
        let (bytes, hash) = manifest().encode().unwrap();
        assert_eq!(Manifest::decode(&bytes, Some(&hash)).unwrap(), manifest());
        assert_eq!(manifest().encode().unwrap().1, hash, "the same tree has the same name");
        let other = Hash::of(b"other");
        assert!(matches!(Manifest::decode(&bytes, Some(&other)), Err(ManifestError::OtherTree { .. })));
    }

    #[test]
    fn paths_that_leave_their_root_are_no_paths() {
        for bad in ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a\0b", "a\nb", &"x".repeat(4097)] {
            assert!(bad.parse::<TreePath>().is_err(), "{bad:?}");
        }
        for good in ["top.sls", "web/Größe 1.txt", "..a/b..c", ".hidden"] {
            assert_eq!(good.parse::<TreePath>().unwrap().as_str(), good);
        }
        // Also when they come in a manifest.
        let mut bytes = manifest().encode().unwrap().0.to_vec();
        let at = bytes.windows(12).position(|part| part == b"web/init.sls").unwrap();
        bytes[at..at + 4].copy_from_slice(b"../i");
        assert!(matches!(Manifest::decode(&bytes, None), Err(ManifestError::Codec(CodecError::Form(_)))));
    }
}
