//! What a file held before it was changed (`backup: minion`), where Salt keeps it.

use std::path::{Path, PathBuf};

use proto::Value;

use super::files::{Permissions, make_dirs};
use crate::{Context, Host, plan::StateError};

/// The folder for backups: `file_backup` beneath the cache.
pub fn folder(context: &Context<'_>) -> PathBuf {
    let text = |key: &str| context.opts.get(key).and_then(Value::as_str).map(PathBuf::from);
    let cache = text("cachedir").or_else(|| Some(text("root_dir")?.join("cache")));
    cache.unwrap_or_else(|| "/var/cache/overstate".into()).join("file_backup")
}

/// Keeps the bytes that a file had, under its path and the time of day.
pub fn keep(host: &dyn Host, folder: &Path, path: &Path, bytes: &[u8]) -> Result<PathBuf, StateError> {
    let (kept, mode) = place(host, folder, path)?;
    host.write(&kept, bytes, mode).map_err(|why| StateError::io("write", &kept, &why))?;
    Ok(kept)
}

/// The same of a file that still holds them.
pub fn keep_file(host: &dyn Host, folder: &Path, path: &Path) -> Result<PathBuf, StateError> {
    let (kept, mode) = place(host, folder, path)?;
    host.copy(path, &kept, mode).map_err(|why| StateError::io("write", &kept, &why))?;
    Ok(kept)
}

/// Where they are kept, and with which mode.
fn place(host: &dyn Host, folder: &Path, path: &Path) -> Result<(PathBuf, u32), StateError> {
    let time = jiff::Zoned::now().strftime("%a_%b_%d_%H:%M:%S_%6f_%Y").to_string();
    let inside = path.strip_prefix("/").unwrap_or(path);
    let kept = folder.join(format!("{}_{time}", inside.display()));
    let parent = kept.parent().unwrap_or(folder);
    let private = Permissions { mode: Some(0o700), ..Permissions::default() };
    make_dirs(host, parent, &private).map_err(|why| StateError::io("create", parent, &why))?;
    let mode = host.stat(path).map_or(0o600, |stat| stat.mode);
    Ok((kept, mode))
}
