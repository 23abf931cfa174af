//! The files of keys beneath `root_dir/pki`: who this minion is, and which master it trusts.

use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use proto::{
    layout,
    session::{Local, Peer, Pin},
    sign::{Fingerprint, Identity, PublicKey, SignError, StaticKey, StaticPublic},
};

use crate::host::{Local as Files, System};

/// The minion's session key, as 64 hexadecimal digits.
const STATIC_KEY: &str = "pki/minion.static";

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{path} can be read by others (mode {mode:04o})")]
    Open { path: PathBuf, mode: u32 },
    #[error("{path}: {error}")]
    Key { path: PathBuf, error: SignError },
    #[error("{0} does not hold a master's keys")]
    Pin(PathBuf),
}

impl PkiError {
    /// What to try.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => Some(format!("chmod 600 {}", path.display())),
            Self::Key { path, .. } | Self::Pin(path) => {
                Some(format!("restore {} from a copy, or move it away to begin anew", path.display()))
            }
            Self::File { .. } => None,
        }
    }
}

/// The minion's own keys; made when they are not there.
pub fn local(root: &Path) -> Result<Local, PkiError> {
    let identity = load_or_make(&root.join(layout::MINION_KEY), Identity::from_pem, || {
        let identity = Identity::generate();
        let pem = identity.to_pem()?.to_string();
        Ok((identity, pem))
    })?;
    let session = load_or_make(&root.join(STATIC_KEY), StaticKey::from_hex, || {
        let key = StaticKey::generate();
        let hex = key.to_hex().to_string();
        Ok((key, hex))
    })?;
    Ok(Local::new(&identity, session))
}

fn load_or_make<T>(
    path: &Path,
    parse: impl Fn(&str) -> Result<T, SignError>,
    make: impl Fn() -> Result<(T, String), SignError>,
) -> Result<T, PkiError> {
    let bad_key = |error| PkiError::Key { path: path.to_owned(), error };
    match read_secret(path)? {
        Some(text) => parse(&text).map_err(bad_key),
        None => {
            let (key, text) = make().map_err(bad_key)?;
            write_secret(path, &text)?;
            Ok(key)
        }
    }
}

fn read_secret(path: &Path) -> Result<Option<String>, PkiError> {
    let failed = |error| PkiError::File { path: path.to_owned(), error };
    let mode = match fs::metadata(path) {
        Ok(meta) => meta.mode() & 0o7777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if mode & 0o077 != 0 {
        return Err(PkiError::Open { path: path.to_owned(), mode });
    }
    fs::read_to_string(path).map(Some).map_err(failed)
}

fn write_secret(path: &Path, text: &str) -> Result<(), PkiError> {
    let failed = |error| PkiError::File { path: path.to_owned(), error };
    if let Some(folder) = path.parent() {
        private_folder(folder).map_err(failed)?;
    }
    let files: &dyn System = &Files::default();
    files.write(path, text.as_bytes(), 0o600).map_err(failed)
}

/// Makes a folder that only its owner may enter, and its parents.
pub fn private_folder(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(parent)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // It may have been there with other rights.
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

/// The master that this minion has trusted so far: its identity, and its session key if it is
/// known, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    pub identity: PublicKey,
    pub session: Option<StaticPublic>,
}

impl Pinned {
    pub fn load(root: &Path) -> Result<Option<Self>, PkiError> {
        let path = root.join(layout::PINNED_MASTER);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PkiError::File { path, error }),
        };
        let mut lines = text.lines();
        let identity = lines.next().and_then(|line| line.parse().ok());
        let session = lines.next().and_then(|line| line.parse().ok());
        identity.map(|identity| Some(Self { identity, session })).ok_or(PkiError::Pin(path))
    }

    pub fn store(&self, root: &Path) -> Result<(), PkiError> {
        let session = self.session.map(|key| format!("{key}\n")).unwrap_or_default();
        write_secret(&root.join(layout::PINNED_MASTER), &format!("{}\n{session}", self.identity))
    }
}

/// What to insist on when connecting: the configured fingerprint before the remembered key.
pub fn expected(fingerprint: Option<Fingerprint>, pinned: Option<&Pinned>) -> Peer {
    let remembered = pinned.filter(|pinned| fingerprint.is_none_or(|print| pinned.identity.fingerprint() == print));
    Peer {
        pin: fingerprint.map(Pin::Fingerprint).or(pinned.map(|pinned| Pin::Key(pinned.identity))),
        known_static: remembered.and_then(|pinned| pinned.session),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_kept_private() {
        let root = tempfile::tempdir().unwrap();
        let first = local(root.path()).unwrap();
        assert_eq!(local(root.path()).unwrap().identity, first.identity);
        assert_eq!(local(root.path()).unwrap().static_public(), first.static_public());
        let key = root.path().join(layout::MINION_KEY);
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o7777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let error = local(root.path()).unwrap_err();
        assert!(matches!(error, PkiError::Open { mode: 0o640, .. }), "{error}");
        assert!(error.hint().unwrap().starts_with("chmod 600"));
    }

    #[test]
    fn a_pin_is_remembered_and_the_configured_fingerprint_wins() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(Pinned::load(root.path()).unwrap(), None);
        let session = Some(StaticKey::generate().public());
        let pinned = Pinned { identity: Identity::generate().public(), session };
        pinned.store(root.path()).unwrap();
        assert_eq!(Pinned::load(root.path()).unwrap().as_ref(), Some(&pinned));
        let peer = expected(None, Some(&pinned));
        assert_eq!((peer.pin, peer.known_static), (Some(Pin::Key(pinned.identity)), session));
        let other = Identity::generate().public().fingerprint();
        let peer = expected(Some(other), Some(&pinned));
        assert_eq!((peer.pin, peer.known_static), (Some(Pin::Fingerprint(other)), None));
        fs::write(root.path().join(layout::PINNED_MASTER), "garbage").unwrap();
        assert!(matches!(Pinned::load(root.path()), Err(PkiError::Pin(_))));
    }
}
