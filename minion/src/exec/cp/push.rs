//! `cp.push*`: files of this host that the master keeps (`file_recv`).

use std::{
    io::Read,
    path::{Component, Path, PathBuf},
};

use proto::{
    Question, Value,
    question::{PART, Piece},
};
use states::{CallError, Context, Function, look::Kind, resource::files::walk};

use crate::exec::bind::{Bound, need, row, with};

pub static TABLE: &[Function] = &[
    row!(
        "cp.push",
        Runs,
        [need("path"), with("keep_symlinks", "False"), with("upload_path", "None"), with("remove_source", "False")],
        |context, bound| {
            let given = bound.need_text("path")?;
            if !is_sound(&given) {
                return Ok(false.into());
            }
            let path = PathBuf::from(given);
            let path = match bound.flag("keep_symlinks", false) {
                true => path,
                false => real(path),
            };
            let pushed = push(context, &path, bound.text("upload_path")?.as_deref())?;
            if pushed && bound.flag("remove_source", false) {
                let removed = context.host()?.remove(&path);
                removed.map_err(|error| CallError::failed(format!("{}: {error}", path.display())))?;
            }
            Ok(pushed.into())
        },
        "Sends a file to the master, which keeps it in its cache, where its `file_recv` allows that. False for what is no \
         file, or has no absolute path.\n\n    ctl run web1 cp.push /etc/fstab"
    ),
    row!(
        "cp.push_dir",
        Runs,
        [need("path"), with("glob", "None"), with("upload_path", "None")],
        push_dir,
        "Sends the files of a folder to the master, those whose names match a glob.\n\n    \
         ctl run web1 cp.push_dir /etc/nginx glob='*.conf'"
    ),
];

/// The path without links. One that leads nowhere stays as it is.
fn real(path: PathBuf) -> PathBuf {
    std::fs::canonicalize(&path).unwrap_or(path)
}

/// A path that Salt would send: absolute, and not upwards.
fn is_sound(path: &str) -> bool {
    path.starts_with('/') && !path.contains("../")
}

/// The name that the master keeps a file under.
fn name_of(path: &str) -> Result<proto::manifest::TreePath, CallError> {
    let parts = Path::new(path).components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    });
    let name = parts.collect::<Vec<_>>().join("/");
    name.parse().map_err(|error: proto::IdError| CallError::arguments(error.to_string()))
}

fn push(context: &Context<'_>, path: &Path, upload: Option<&str>) -> Result<bool, CallError> {
    let shown = path.to_string_lossy();
    let upload = upload.filter(|upload| !upload.is_empty());
    if !is_sound(&shown) || upload.is_some_and(|upload| upload.contains("../")) {
        return Ok(false);
    }
    let Ok((_, stat)) = states::resource::files::followed(context.look, path) else { return Ok(false) };
    if stat.kind != Kind::File {
        return Ok(false);
    }
    let (name, agent) = (name_of(upload.unwrap_or(&shown))?, context.agent()?);
    let failed = |error: std::io::Error| CallError::failed(format!("{shown}: {error}"));
    let mut file = context.look.open(path).map_err(failed)?.take(stat.size);
    let mut offset = 0;
    loop {
        let mut data = Vec::with_capacity(PART.min(usize::try_from(stat.size - offset).unwrap_or(PART)));
        file.by_ref().take(PART as u64).read_to_end(&mut data).map_err(failed)?;
        let length = data.len() as u64;
        if length == 0 && offset < stat.size {
            return Err(CallError::failed(format!("{shown} became shorter while it was sent")));
        }
        let piece = Piece { path: name.clone(), size: stat.size, offset, data: data.into() };
        agent.ask(Question::Push(piece))?;
        offset += length;
        if offset >= stat.size {
            return Ok(true);
        }
    }
}

fn push_dir(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (given, upload) = (bound.need_text("path")?, bound.text("upload_path")?);
    if !is_sound(&given) {
        return Ok(false.into());
    }
    let folder = real(given.into());
    if states::resource::files::is_file(context.look, &folder) {
        return Ok(push(context, &folder, upload.as_deref())?.into());
    }
    let glob = bound.text("glob")?;
    let fits = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        glob.as_deref().is_none_or(|glob| crate::exec::matches(glob, &name))
    };
    let found =
        walk(context.look, &folder).map_err(|error| CallError::failed(format!("{}: {error}", folder.display())))?;
    let files = found.into_iter().filter(|(_, stat)| matches!(stat.kind, Kind::File | Kind::Symlink));
    let files: Vec<PathBuf> = files.map(|(path, _)| path).filter(|path| fits(path)).collect();
    for path in &files {
        let inside = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy();
        let upload = upload.as_ref().map(|upload| format!("/{}/{inside}", upload.trim_matches('/')));
        if !push(context, &real(path.clone()), upload.as_deref())? {
            return Ok(false.into());
        }
    }
    Ok((!files.is_empty()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_beneath_the_minions_folder() {
        assert_eq!(name_of("/etc//./fstab").unwrap().as_str(), "etc/fstab");
        assert_eq!(name_of("conf/x").unwrap().as_str(), "conf/x");
        assert!(name_of("/").is_err());
        assert_eq!(name_of("/a/../../b").unwrap().as_str(), "a/b");
        assert!(is_sound("/etc/fstab") && !is_sound("etc/fstab") && !is_sound("/a/../b"));
    }
}
