//! The master's own keys, and the first operator's, in files that only their owner may read.

use std::{
    fs, io,
    io::Write,
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use proto::{
    layout,
    sign::{Identity, StaticKey},
};

/// Why a key file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    #[error("{path}: {source}")]
    Io { path: String, source: io::Error },
    #[error("{path} can be read by others (mode {mode:o})")]
    Open { path: String, mode: u32 },
    #[error("{path}: {why}")]
    Content { path: String, why: String },
}

impl PkiError {
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => Some(format!("if nobody else has seen it: chmod 600 {path}")),
            _ => None,
        }
    }
}

/// The master's Noise key, beside its identity.
pub const STATIC_KEY: &str = "pki/master-session.key";

/// What the master is, cryptographically.
pub struct Pki {
    pub identity: Identity,
    pub session: StaticKey,
    pub first_operator: Identity,
}

impl Pki {
    /// Reads the keys beneath `root_dir`, making those that are not there yet.
    ///
    /// # Errors
    /// A file cannot be read or written, holds no key, or could be read by others.
    pub fn load(root_dir: &Path) -> Result<Self, PkiError> {
        let identity = identity(&root_dir.join(layout::MASTER_KEY))?;
        let session = secret(
            &root_dir.join(STATIC_KEY),
            || StaticKey::generate().to_hex().to_string(),
            |text| StaticKey::from_hex(text.trim()).map_err(|error| error.to_string()),
        )?;
        let first_operator = self::identity(&root_dir.join(layout::FIRST_OPERATOR_KEY))?;
        let fingerprint = root_dir.join(layout::MASTER_FINGERPRINT);
        fs::write(&fingerprint, format!("{}\n", identity.public().fingerprint()))
            .map_err(|source| io_error(&fingerprint, source))?;
        Ok(Self { identity, session, first_operator })
    }
}

fn identity(path: &Path) -> Result<Identity, PkiError> {
    let fresh = || Identity::generate().to_pem().map(|pem| pem.to_string()).unwrap_or_default();
    secret(path, fresh, |text| Identity::from_pem(text).map_err(|error| error.to_string()))
}

/// Reads a secret, or makes it and writes it down first.
fn secret<T>(
    path: &Path,
    fresh: impl Fn() -> String,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, PkiError> {
    let text = match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            return Err(PkiError::Open { path: path.display().to_string(), mode: found.permissions().mode() & 0o7777 });
        }
        Ok(_) => fs::read_to_string(path).map_err(|source| io_error(path, source))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = fresh();
            create(path, &text).map_err(|source| io_error(path, source))?;
            text
        }
        Err(source) => return Err(io_error(path, source)),
    };
    parse(&text).map_err(|why| PkiError::Content { path: path.display().to_string(), why })
}

/// Whole or not at all, also when the machine stops in the middle.
fn create(path: &Path, text: &str) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(dir)?;
    let part = path.with_extension("part");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    fs::File::open(dir)?.sync_all()
}

fn io_error(path: &Path, source: io::Error) -> PkiError {
    PkiError::Io { path: path.display().to_string(), source }
}
