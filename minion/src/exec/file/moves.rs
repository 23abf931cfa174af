//! Making, moving and removing files, folders and links.

use std::{
    io,
    path::{Component, Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use proto::Value;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use serde_json::json;
use states::{
    CallError, Context, Function, Host,
    look::Kind,
    resource::{
        accounts,
        files::{self, Permissions, followed},
    },
};

use super::{absolute, owner::mode_of, path, system};
use crate::exec::bind::{Bound, NAMED, need, row, text_of, truth, with};

pub static TABLE: &[Function] = &[
    row!(
        "file.copy",
        Writes,
        [need("src"), need("dst"), with("recurse", "False"), with("remove_existing", "False")],
        copy,
        "Copies a file with its owner and mode, or a folder (`recurse`).\n\n    ctl run '*' file.copy /etc/motd /root/motd"
    ),
    row!(
        "file.move",
        Writes,
        [need("src"), need("dst"), with("disallow_copy_and_unlink", "False")],
        moved,
        "Moves a file or folder, to another file system too.\n\n    ctl run '*' file.move /srv/old /srv/new"
    ),
    row!(
        "file.rename",
        Writes,
        [need("src"), need("dst")],
        rename,
        "Gives a file or folder another name on the same file system.\n\n    ctl run '*' file.rename /srv/old /srv/new"
    ),
    row!(
        "file.symlink",
        Writes,
        [need("src"), need("path"), with("force", "False"), with("atomic", "False"), with("follow_symlinks", "True"),],
        symlink,
        "Makes a symbolic link; `force` replaces what is there, `atomic` does so in one step.\n\n    \
         ctl run '*' file.symlink /opt/app-2 /opt/app"
    ),
    row!(
        "file.link",
        Writes,
        [need("src"), need("path")],
        |context, bound| {
            let (src, to) = (absolute(bound, "src")?, path(bound, "path")?);
            let failed = |error| CallError::failed(format!("Could not create '{to}': {error}"));
            context.host()?.hard_link(Path::new(&src), Path::new(&to)).map_err(failed)?;
            Ok(true.into())
        },
        "Gives a file a second name (a hard link).\n\n    ctl run '*' file.link /srv/a /srv/b"
    ),
    row!(
        "file.mkdir",
        Writes,
        [need("dir_path"), with("user", "None"), with("group", "None"), with("mode", "None")],
        |context, bound| {
            let name = path(bound, "dir_path")?;
            make_all(context, Path::new(&name), &permissions(context, bound)?)?;
            Ok(true.into())
        },
        "Makes a folder, and those above it that are missing.\n\n    ctl run '*' file.mkdir /opt/jetty/context"
    ),
    row!(
        "file.makedirs",
        Writes,
        [need("path"), with("user", "None"), with("group", "None"), with("mode", "None")],
        makedirs,
        "Makes the folders above a path; a path that ends with a slash is a folder itself.\n\n    \
         ctl run '*' file.makedirs /opt/code/"
    ),
    row!(
        "file.makedirs_perms",
        Writes,
        [need("name"), with("user", "None"), with("group", "None"), with("mode", "'0755'")],
        |context, bound| {
            let name = path(bound, "name")?;
            let mut permissions = permissions(context, bound)?;
            permissions.mode = permissions.mode.or(Some(0o755));
            if context.look.stat(Path::new(&name)).is_ok() {
                return Err(CallError::failed(format!("[Errno 17] File exists: '{name}'")));
            }
            make_all(context, Path::new(&name), &permissions)?;
            Ok(Value::Null)
        },
        "Makes a folder and those above it, all with an owner and a mode.\n\n    ctl run '*' file.makedirs_perms /opt/code"
    ),
    row!(
        "file.remove",
        Writes,
        [need("path"), NAMED],
        |context, bound| {
            let name = path(bound, "path")?;
            if !name.starts_with('/') {
                return Err(CallError::arguments(format!("File path must be absolute: {name}")));
            }
            if context.look.stat(Path::new(&name)).is_err() {
                return Ok(false.into());
            }
            let failed = |error| CallError::failed(format!("Could not remove '{name}': {error}"));
            context.host()?.remove(Path::new(&name)).map_err(failed)?;
            Ok(true.into())
        },
        "Removes a file, a link, or a folder with all that is in it.\n\n    ctl run '*' file.remove /tmp/scratch"
    ),
    row!(
        "file.rmdir",
        Writes,
        [need("path"), with("recurse", "False"), with("verbose", "False"), with("older_than", "None")],
        rmdir,
        "Removes a folder that is empty; with `recurse` the empty folders beneath it too.\n\n    \
         ctl run '*' file.rmdir /tmp/empty"
    ),
    row!(
        "file.mknod_fifo",
        Writes,
        [need("name"), with("user", "None"), with("group", "None"), with("mode", "'0660'")],
        |context, bound| node(context, bound, FileType::Fifo, "Fifo pipe"),
        "Makes a named pipe.\n\n    ctl run '*' file.mknod_fifo /run/app.pipe"
    ),
    row!(
        "file.mknod_chrdev",
        Writes,
        [
            need("name"),
            need("major"),
            need("minor"),
            with("user", "None"),
            with("group", "None"),
            with("mode", "'0660'"),
        ],
        |context, bound| node(context, bound, FileType::CharacterDevice, "Character device"),
        "Makes a character device.\n\n    ctl run '*' file.mknod_chrdev /dev/chr 180 31"
    ),
    row!(
        "file.mknod_blkdev",
        Writes,
        [
            need("name"),
            need("major"),
            need("minor"),
            with("user", "None"),
            with("group", "None"),
            with("mode", "'0660'"),
        ],
        |context, bound| node(context, bound, FileType::BlockDevice, "Block device"),
        "Makes a block device.\n\n    ctl run '*' file.mknod_blkdev /dev/blk 8 999"
    ),
    row!(
        "file.mknod",
        Writes,
        [
            need("name"),
            need("ntype"),
            with("major", "0"),
            with("minor", "0"),
            with("user", "None"),
            with("group", "None"),
            with("mode", "'0600'"),
        ],
        |context, bound| {
            makedirs_above(context, &path(bound, "name")?, &permissions(context, bound)?)?;
            match bound.need_text("ntype")?.as_str() {
                "c" => node(context, bound, FileType::CharacterDevice, "Character device"),
                "b" => node(context, bound, FileType::BlockDevice, "Block device"),
                "p" => node(context, bound, FileType::Fifo, "Fifo pipe"),
                other => Err(CallError::arguments(format!(
                    "Node type unavailable: '{other}'. Available node types are character ('c'), block ('b'), and \
                     pipe ('p')."
                ))),
            }
        },
        "Makes a pipe (`p`) or a device (`c`, `b`), and the folders above it.\n\n    ctl run '*' file.mknod /dev/chr c 180 31"
    ),
];

fn copy(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (src, dst) = (absolute(bound, "src")?, path(bound, "dst")?);
    let (from, stat) = followed(context.look, Path::new(&src))
        .map_err(|_| CallError::failed(format!("No such file or directory '{src}'")))?;
    let host = context.host()?;
    let to = Path::new(&dst);
    let folder = stat.kind == Kind::Directory || files::is_dir(context.look, to);
    if folder && !bound.flag("recurse", false) {
        return Err(CallError::arguments("Cannot copy overwriting a directory without recurse flag set to true!"));
    }
    let all = || {
        if folder && bound.flag("remove_existing", false) && files::is_there(host, to) {
            host.remove(to)?;
        }
        copy_all(host, &from, to)
    };
    all().map_err(|error: io::Error| CallError::failed(format!("Could not copy '{src}' to '{dst}': {error}")))?;
    let same = || {
        host.set_owner(to, Some(stat.uid), Some(stat.gid))?;
        host.set_mode(to, stat.mode)
    };
    same().map_err(|error| system(&dst, &error))?;
    Ok(true.into())
}

fn copy_all(host: &dyn Host, from: &Path, to: &Path) -> io::Result<()> {
    let stat = host.stat(from)?;
    match stat.kind {
        Kind::Directory => {
            if !files::is_dir(host, to) {
                host.make_dir(to, stat.mode)?;
            }
            host.list(from)?.iter().try_for_each(|name| copy_all(host, &from.join(name), &to.join(name)))
        }
        Kind::Symlink => {
            if files::is_there(host, to) {
                host.remove(to)?;
            }
            host.symlink(&host.read_link(from)?, to)
        }
        Kind::File => host.copy(from, &followed(host, to).map_or_else(|_| to.to_owned(), |(path, _)| path), stat.mode),
        _ => Ok(()),
    }
}

fn moved(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    if bound.flag("disallow_copy_and_unlink", false) {
        return rename(context, bound);
    }
    let (src, dst) = (path(bound, "src")?, path(bound, "dst")?);
    for (name, what) in [(&src, "Source"), (&dst, "Destination")] {
        if !name.starts_with('/') {
            return Err(CallError::arguments(format!("{what} path must be absolute.")));
        }
    }
    let host = context.host()?;
    let mut to = PathBuf::from(&dst);
    // As `mv`: into a folder that is there.
    if files::is_dir(context.look, &to) {
        to.extend(Path::new(&src).file_name());
    }
    let from = Path::new(&src);
    let done = match host.rename(from, &to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy_with_owners(host, from, &to).and_then(|()| host.remove(from))
        }
        done => done,
    };
    done.map_err(|error| CallError::failed(format!("Unable to move '{src}' to '{dst}': {error}")))?;
    Ok(json!({"result": true, "comment": format!("'{src}' moved to '{dst}'")}))
}

fn copy_with_owners(host: &dyn Host, from: &Path, to: &Path) -> io::Result<()> {
    copy_all(host, from, to)?;
    let mut all = vec![PathBuf::new()];
    while let Some(inside) = all.pop() {
        let stat = host.stat(&from.join(&inside))?;
        if stat.kind == Kind::Directory {
            all.extend(host.list(&from.join(&inside))?.iter().map(|name| inside.join(name)));
        }
        let copied = if inside.as_os_str().is_empty() { to.to_owned() } else { to.join(&inside) };
        host.set_owner(&copied, Some(stat.uid), Some(stat.gid))?;
        if stat.kind != Kind::Symlink {
            host.set_mode(&copied, stat.mode)?;
        }
    }
    Ok(())
}

fn rename(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (src, dst) = (absolute(bound, "src")?, path(bound, "dst")?);
    let failed = |_| CallError::failed(format!("Could not rename '{src}' to '{dst}'"));
    context.host()?.rename(Path::new(&src), Path::new(&dst)).map_err(failed)?;
    Ok(true.into())
}

fn symlink(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (src, name) = (bound.need_text("src")?, path(bound, "path")?);
    if !name.starts_with('/') {
        return Err(CallError::arguments(format!("Link path must be absolute: {name}")));
    }
    let (host, link, target) = (context.host()?, Path::new(&name), Path::new(&src));
    let (force, atomic) = (bound.flag("force", false), bound.flag("atomic", false));
    let is_link = files::is_link(host, link);
    if is_link && host.read_link(link).is_ok_and(|now| clean(&now) == clean(target)) {
        return Ok(true.into());
    }
    let there =
        if bound.flag("follow_symlinks", true) { files::exists(host, link) } else { files::is_there(host, link) };
    if !force && !atomic && (is_link || there) {
        let what = if is_link { "Found existing symlink" } else { "Existing path is not a symlink" };
        return Err(CallError::failed(format!("{what}: {name}")));
    }
    let failed = |error: io::Error| CallError::failed(format!("Could not create '{name}': {error}"));
    if atomic {
        let beside = link.with_file_name(format!(".overstate-{:032x}", rand::random::<u128>()));
        host.symlink(target, &beside).map_err(failed)?;
        return match host.rename(&beside, link) {
            Ok(()) => Ok(true.into()),
            Err(error) => {
                let _ = host.remove(&beside);
                Err(failed(error))
            }
        };
    }
    if is_link || there {
        if files::is_dir(host, link) && !is_link {
            return Err(CallError::failed(format!("Could not create '{name}': it is a directory")));
        }
        host.remove(link).map_err(failed)?;
    }
    host.symlink(target, link).map_err(failed)?;
    Ok(true.into())
}

/// Without `.` and `..`, as far as that can be told from the text.
fn clean(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut clean, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir if clean.file_name().is_some() => drop(clean.pop()),
            other => clean.push(other),
        }
        clean
    })
}

fn permissions(context: &Context<'_>, bound: &Bound) -> Result<Permissions, CallError> {
    let one = |key: &str, find: fn(&dyn states::Look, &str) -> Option<u32>| {
        let Some(name) = bound.value(key).filter(|value| truth(value)).map(text_of) else { return Ok(None) };
        let missing = || CallError::failed(format!("{key} {name} is not available"));
        find(context.look, &name).map(|id| Some((name.clone(), id))).ok_or_else(missing)
    };
    let mode = bound.value("mode").filter(|mode| truth(mode));
    let wrong = |mode: &Value| CallError::arguments(format!("Invalid Mode {}", text_of(mode)));
    Ok(Permissions {
        user: one("user", accounts::uid)?,
        group: one("group", accounts::gid)?,
        mode: mode.map(|mode| mode_of(mode).ok_or_else(|| wrong(mode))).transpose()?,
    })
}

fn make_all(context: &Context<'_>, folder: &Path, permissions: &Permissions) -> Result<(), CallError> {
    let failed = |error| system(&folder.display().to_string(), &error);
    if files::exists(context.look, folder) && !files::is_dir(context.look, folder) {
        return Err(failed(rustix::io::Errno::EXIST.into()));
    }
    files::make_dirs(context.host()?, folder, permissions).map(drop).map_err(failed)
}

fn makedirs_above(context: &Context<'_>, name: &str, permissions: &Permissions) -> Result<Value, CallError> {
    let folder = match name.strip_suffix('/') {
        Some(folder) => Path::new(folder),
        None => Path::new(name).parent().unwrap_or(Path::new("/")),
    };
    let shown = folder.display();
    if files::is_dir(context.look, folder) {
        return Ok(format!("Directory '{shown}' already exists").into());
    }
    if files::exists(context.look, folder) {
        return Ok(format!("The path '{shown}' already exists and is not a directory").into());
    }
    make_all(context, folder, permissions).map(|()| Value::Null)
}

fn makedirs(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    if !name.starts_with('/') {
        let why = format!(
            "Recursive creation for path '{name}' would result in an infinite loop. Please use an absolute path."
        );
        return Err(CallError::arguments(why));
    }
    makedirs_above(context, &name, &permissions(context, bound)?)
}

fn rmdir(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = absolute(bound, "path")?;
    if !files::is_dir(context.look, Path::new(&name)) {
        return Err(CallError::arguments(format!("A valid directory was not specified: {name}")));
    }
    context.host()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64);
    let before = bound.integer("older_than")?.filter(|days| *days != 0).map(|days| now - days.saturating_mul(86400));
    let old = |path: &Path| before.is_none_or(|before| context.look.stat(path).is_ok_and(|stat| stat.mtime < before));
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    let mut remove = |path: &Path| match std::fs::remove_dir(path) {
        Ok(()) => deleted.push(path.display().to_string()),
        Err(error) => errors.push(json!([path.display().to_string(), super::python(&error, path)])),
    };
    if bound.flag("recurse", false) {
        let beneath = files::walk(context.look, Path::new(&name)).map_err(|error| system(&name, &error))?;
        // What lies deeper goes first.
        let mut folders: Vec<_> = beneath.into_iter().filter(|(_, stat)| stat.kind == Kind::Directory).collect();
        folders.sort_by_key(|(path, _)| std::cmp::Reverse(path.components().count()));
        folders.iter().filter(|(path, _)| old(path)).for_each(|(path, _)| remove(path));
    }
    if old(Path::new(&name)) {
        remove(Path::new(&name));
    }
    let result = errors.is_empty() && (bound.flag("recurse", false) || !deleted.is_empty());
    Ok(match bound.flag("verbose", false) {
        true => json!({"deleted": deleted, "errors": errors, "result": result}),
        false => result.into(),
    })
}

fn node(context: &Context<'_>, bound: &Bound, kind: FileType, what: &str) -> Result<Value, CallError> {
    let name = path(bound, "name")?;
    let mut permissions = permissions(context, bound)?;
    permissions.mode = permissions.mode.or(Some(if bound.has("ntype") { 0o600 } else { 0o660 }));
    let host = context.host()?;
    let number = |key: &str| {
        let number = bound.integer(key)?.unwrap_or(0);
        u32::try_from(number).map_err(|_| CallError::arguments(format!("{key} must be a number of a device")))
    };
    let device = makedev(number("major")?, number("minor")?);
    let created = format!("{what} {name} created.");
    let row = |changes: Value, comment: String, result: Value| json!({"name": name, "changes": changes, "comment": comment, "result": result});
    if context.opts.get("test").is_some_and(truth) {
        return Ok(row(json!({"new": created}), String::new(), Value::Null));
    }
    match mknodat(CWD, name.as_str(), kind, Mode::RUSR | Mode::WUSR, device) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => {
            let comment = format!("File {name} exists and cannot be overwritten");
            return Ok(row(json!({}), comment, false.into()));
        }
        Err(error) => return Err(system(&name, &error.into())),
    }
    permissions.apply(host, Path::new(&name)).map_err(|error| system(&name, &error))?;
    Ok(row(json!({"new": created}), String::new(), true.into()))
}
