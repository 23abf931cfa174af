//! Files that are not the tree's: those of the web, and those of the host itself.

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use proto::{Args, Value};
use states::{CallError, Context, look::Download};

use super::{Bound, cannot_write};

/// What a path or an address names.
pub enum Place {
    Tree,
    /// A file of the host.
    Here(PathBuf),
    Web(String),
}

pub fn place(url: &str) -> Result<Place, CallError> {
    if let Some(path) = url.strip_prefix("file://").or_else(|| url.starts_with('/').then_some(url)) {
        return Ok(Place::Here(path.into()));
    }
    match url.split_once("://") {
        Some(("http" | "https" | "ftp", _)) => Ok(Place::Web(url.to_owned())),
        Some(("salt", _)) | None => Ok(Place::Tree),
        Some((scheme, _)) => Err(CallError::arguments(format!(
            "{scheme}:// is not available here; use salt://, http://, https://, ftp:// or file://"
        ))),
    }
}

/// Fetches a file of the web to a path.
pub fn fetch(context: &Context<'_>, bound: &Bound, url: &str, to: &Path) -> Result<(), CallError> {
    let number = |key: &str, default: u64| context.opts.get(key).and_then(Value::as_u64).unwrap_or(default);
    let what = Download {
        url: url.to_owned(),
        limit: number("http_max_body", 100 << 30),
        timeout: Duration::from_secs(number("http_request_timeout", 3600)),
        verify_ssl: bound.flag("verify_ssl", true),
        headers: Vec::new(),
    };
    context.look.download(&what, to).map_err(|error| CallError::failed(error.to_string()))
}

/// Has the cache hold a file of the web, where Salt has it too. One that has the hash that is asked
/// for is not fetched again.
pub fn keep(context: &Context<'_>, bound: &Bound, url: &str) -> Result<PathBuf, CallError> {
    let env = bound.text("saltenv")?.unwrap_or_else(|| "base".into());
    let to =
        kept_at(context, url, &env).ok_or_else(|| CallError::arguments(format!("{url} makes no name in the cache")))?;
    let hash = bound.text("source_hash")?;
    if let Some(hash) = &hash
        && has_hash(context, &to, hash)
    {
        return Ok(to);
    }
    let folder = to.parent().unwrap_or(Path::new("/"));
    crate::pki::private_folder(folder).map_err(|error| cannot_write(folder, &error))?;
    fetch(context, bound, url, &to)?;
    Ok(to)
}

fn has_hash(context: &Context<'_>, path: &Path, hash: &str) -> bool {
    let Ok(name) = "file.check_hash".parse() else { return false };
    let args = Args::positional([path.to_string_lossy().into(), hash.into()]);
    context.look.stat(path).is_ok() && context.call(&name, args).is_ok_and(|fits| fits == Value::Bool(true))
}

/// `cachedir/extrn_files/ENV/HOST/PATH`.
pub fn kept_at(context: &Context<'_>, url: &str, env: &str) -> Option<PathBuf> {
    let cachedir = context.opts.get("cachedir").and_then(Value::as_str)?;
    let inside = inside(url, env)?;
    Some(Path::new(cachedir).join("extrn_files").join(inside))
}

fn inside(url: &str, env: &str) -> Option<PathBuf> {
    let (_, rest) = url.split_once("://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, "index.html"));
    // No name or password, and no colon before the port.
    let host = host.rsplit('@').next().unwrap_or(host).replace(':', "");
    let path = path.split('#').next().unwrap_or(path).replacen('?', "-", 1);
    let path = if path.is_empty() { "index.html".to_owned() } else { path };
    let whole = Path::new(env).join(host).join(path.trim_start_matches('/'));
    let stays = whole.components().all(|part| matches!(part, Component::Normal(_)));
    let short = whole.components().all(|part| part.as_os_str().len() <= 255);
    (stays && short && !env.is_empty()).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_becomes_a_path_within_the_cache() {
        let path = |url: &str| inside(url, "base").map(|path| path.display().to_string());
        assert_eq!(path("https://me:secret@x.org:8080/a/b.tgz?v=2").unwrap(), "base/x.org8080/a/b.tgz-v=2");
        assert_eq!(path("http://x.org").unwrap(), "base/x.org/index.html");
        for bad in ["http://x.org/../../etc/passwd", "http://../x", "http:///etc", "x"] {
            let found = path(bad);
            assert!(
                found.as_deref().is_none_or(|path| path.starts_with("base/") && !path.contains("..")),
                "{bad} {found:?}"
            );
        }
    }
}
