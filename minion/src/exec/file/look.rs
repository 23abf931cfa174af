//! What files are, and what is in them.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt,
    path::Path,
};

use proto::{Map, Value};
use serde_json::json;
use states::{
    CallError, Context, Function, Stat,
    look::Kind,
    resource::{accounts, files::followed},
    value::float,
};

use super::{absolute, expand_glob, hash, owner::shown, path, system};
use crate::exec::bind::{Bound, REST, need, row, text_of, with};

/// The longest line that is looked at as a whole.
const LINE: u64 = 1 << 20;

pub static TABLE: &[Function] = &[
    row!(
        "file.stats",
        Reads,
        [need("path"), with("hash_type", "None"), with("follow_symlinks", "True")],
        stats,
        "Shows what is known of a path; with `hash_type` its hash too.\n\n    ctl run '*' file.stats /etc/passwd"
    ),
    row!(
        "file.lstat",
        Reads,
        [need("path")],
        |context, bound| {
            let name = path(bound, "path")?;
            if !name.starts_with('/') {
                return Err(CallError::arguments("Path to file must be absolute."));
            }
            let _ = context;
            let Ok(meta) = fs::symlink_metadata(&name) else { return Ok(json!({})) };
            let time = |seconds: i64, nanos: i64| float(seconds as f64 + nanos as f64 / 1e9);
            Ok(json!({
                "st_atime": time(meta.atime(), meta.atime_nsec()),
                "st_ctime": time(meta.ctime(), meta.ctime_nsec()),
                "st_gid": meta.gid(), "st_mode": meta.mode(),
                "st_mtime": time(meta.mtime(), meta.mtime_nsec()),
                "st_nlink": meta.nlink(), "st_size": meta.size(), "st_uid": meta.uid(),
            }))
        },
        "Shows what `lstat` says of a path.\n\n    ctl run '*' file.lstat /etc/mtab"
    ),
    row!(
        "file.statvfs",
        Reads,
        [need("path")],
        |_, bound| {
            let name = absolute(bound, "path")?;
            let stat =
                rustix::fs::statvfs(&name).map_err(|_| CallError::failed(format!("Could not statvfs '{name}'")))?;
            Ok(json!({
                "f_bavail": stat.f_bavail, "f_bfree": stat.f_bfree, "f_blocks": stat.f_blocks,
                "f_bsize": stat.f_bsize, "f_favail": stat.f_favail, "f_ffree": stat.f_ffree,
                "f_files": stat.f_files, "f_flag": stat.f_flag.bits(), "f_frsize": stat.f_frsize,
                "f_namemax": stat.f_namemax,
            }))
        },
        "Shows what is known of the file system of a path.\n\n    ctl run '*' file.statvfs /var"
    ),
    row!(
        "file.diskusage",
        Reads,
        [need("path")],
        |_, bound| Ok(disk_usage(Path::new(&path(bound, "path")?)).into()),
        "Adds up the sizes of a file, or of all files beneath a folder, in bytes.\n\n    ctl run '*' file.diskusage /var/log"
    ),
    row!(
        "file.is_blkdev",
        Reads,
        [need("name")],
        |context, bound| is(context, bound, Kind::Block),
        "Tells whether a path is a block device.\n\n    ctl run '*' file.is_blkdev /dev/sda"
    ),
    row!(
        "file.is_chrdev",
        Reads,
        [need("name")],
        |context, bound| is(context, bound, Kind::Character),
        "Tells whether a path is a character device.\n\n    ctl run '*' file.is_chrdev /dev/null"
    ),
    row!(
        "file.is_fifo",
        Reads,
        [need("name")],
        |context, bound| is(context, bound, Kind::Fifo),
        "Tells whether a path is a named pipe.\n\n    ctl run '*' file.is_fifo /run/app.pipe"
    ),
    row!(
        "file.is_hardlink",
        Reads,
        [need("path")],
        |_, bound| {
            let meta = fs::symlink_metadata(path(bound, "path")?);
            Ok(meta.map_or_else(|_| json!({}), |meta| (meta.nlink() > 1).into()))
        },
        "Tells whether a file has more than one name.\n\n    ctl run '*' file.is_hardlink /etc/motd"
    ),
    row!(
        "file.get_devmm",
        Reads,
        [need("name")],
        |_, bound| {
            let meta = fs::metadata(path(bound, "name")?);
            let device = meta.ok().filter(|meta| Stat::from(meta).kind != Kind::File).map_or(0, |meta| meta.rdev());
            Ok(json!([rustix::fs::major(device), rustix::fs::minor(device)]))
        },
        "Gives the two numbers of a device.\n\n    ctl run '*' file.get_devmm /dev/null"
    ),
    row!(
        "file.contains_glob",
        Reads,
        [need("path"), need("glob_expr")],
        contains_glob,
        "Tells whether a glob matches a line of a file.\n\n    ctl run '*' file.contains_glob /etc/passwd '*nobody*'"
    ),
    row!(
        "file.grep",
        Reads,
        [need("path"), need("pattern"), REST],
        grep,
        "Searches files by `grep`, with its options behind the pattern.\n\n    ctl run '*' file.grep /etc/passwd nobody -- -i"
    ),
    row!(
        "file.open_files",
        Reads,
        [with("by_pid", "False")],
        open_files,
        "Lists the files that processes hold open, by path or by process.\n\n    ctl run '*' file.open_files by_pid=True"
    ),
    row!(
        "file.pardir",
        Reads,
        [],
        |_, _| Ok("..".into()),
        "Gives the name of the folder above.\n\n    ctl run '*' file.pardir"
    ),
];

fn found(context: &Context<'_>, name: &str, follow: bool) -> std::io::Result<Stat> {
    match follow {
        true => followed(context.look, Path::new(name)).map(|(_, stat)| stat),
        false => context.look.stat(Path::new(name)),
    }
}

fn is(context: &Context<'_>, bound: &Bound, kind: Kind) -> Result<Value, CallError> {
    Ok(found(context, &path(bound, "name")?, true).is_ok_and(|stat| stat.kind == kind).into())
}

fn stats(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "path")?;
    let (look, follow) = (context.look, bound.flag("follow_symlinks", true));
    // A link that leads nowhere is shown itself.
    let stat = found(context, &name, follow).or_else(|_| found(context, &name, false));
    let stat = stat.map_err(|_| CallError::failed(format!("Path not found: {name}")))?;
    let mut row = json!({
        "inode": stat.inode, "uid": stat.uid, "gid": stat.gid,
        "group": accounts::group_name(look, stat.gid), "user": accounts::user_name(look, stat.uid),
        "atime": stat.atime, "mtime": stat.mtime, "ctime": stat.ctime, "size": stat.size,
        "mode": shown(stat.mode),
    });
    if let Some(kind) = bound.text("hash_type")? {
        row["sum"] = hash::of_file(context, &name, &kind)?.into();
    }
    row["type"] = match stat.kind {
        Kind::File => "file",
        Kind::Directory => "dir",
        Kind::Symlink => "link",
        Kind::Block => "block",
        Kind::Character => "char",
        Kind::Fifo => "pipe",
        Kind::Socket => "socket",
    }
    .into();
    // The link itself is at the path that was given.
    let target = if follow { fs::canonicalize(&name) } else { std::path::absolute(&name) };
    row["target"] = target.map_or(name, |path| path.display().to_string()).into();
    Ok(row)
}

fn disk_usage(path: &Path) -> u64 {
    if let Ok(meta) = fs::metadata(path)
        && meta.is_file()
    {
        return meta.len();
    }
    let (mut total, mut seen, mut waiting) = (0, std::collections::HashSet::new(), vec![path.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                waiting.push(entry.path());
                continue;
            }
            // As Salt: what a link leads to counts, and a file of several names once.
            if let Ok(meta) = fs::metadata(entry.path())
                && !meta.is_dir()
                && seen.insert(meta.ino())
            {
                total += meta.len();
            }
        }
    }
    total
}

fn contains_glob(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (name, glob) = (path(bound, "path")?, bound.need_text("glob_expr")?);
    let Ok(file) = context.look.open(Path::new(&name)) else { return Ok(false.into()) };
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = std::io::Read::take(&mut lines, LINE).read_until(b'\n', &mut line);
        match read.map_err(|error| system(&name, &error))? {
            0 => return Ok(false.into()),
            _ if states::glob::matches(&glob, String::from_utf8_lossy(&line).trim_end_matches('\n')) => {
                return Ok(true.into());
            }
            _ => {}
        }
    }
}

fn grep(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (name, pattern) = (path(bound, "path")?, bound.need_text("pattern")?);
    let mut command = vec!["grep".to_owned()];
    for option in bound.rest.iter().map(text_of) {
        let words = crate::exec::split_words(&option).map_err(|error| CallError::arguments(error.to_string()))?;
        if words.len() > 1 {
            let why = "Passing multiple command line arguments in a single string is not supported, please pass the \
                       following arguments separately";
            return Err(CallError::arguments(format!("{why}: {option}")));
        }
        command.extend(words);
    }
    command.push(pattern);
    let places = expand_glob(context, &name);
    command.extend(if places.is_empty() { vec![name] } else { places });
    super::run_all(context, command)
}

fn open_files(_: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (mut by_pid, mut by_file) = (BTreeMap::<u32, Vec<String>>::new(), BTreeMap::<String, Vec<u32>>::new());
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let own = by_pid.entry(pid).or_default();
        let links = fs::read_dir(entry.path().join("fd")).into_iter().flatten().flatten().map(|link| link.path());
        for link in links.chain([entry.path().join("exe")]) {
            // Sockets, and files that are gone, have no path.
            let Some(file) = fs::read_link(link).ok().filter(|file| file.is_absolute() && file.exists()) else {
                continue;
            };
            own.push(file.display().to_string());
        }
        own.sort();
        own.dedup();
        for file in own.iter() {
            by_file.entry(file.clone()).or_default().push(pid);
        }
    }
    Ok(match bound.flag("by_pid", false) {
        true => by_pid.into_iter().map(|(pid, files)| (pid.to_string(), files.into())).collect::<Map>().into(),
        false => by_file.into_iter().map(|(file, pids)| (file, pids.into())).collect::<Map>().into(),
    })
}
