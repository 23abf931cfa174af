//! `file.*` that read the host.

use proto::{Args, Value};

use super::{args::Given, need, opt};
use crate::{
    CallError, Context, Effect, Function,
    look::{Kind, Stat},
};

/// The largest file that is read.
const LIMIT: u64 = 64 << 20;

pub const TABLE: &[Function] = &[
    Function {
        name: "file.file_exists",
        doc: "Tells whether a path is a file.\n\nctl run '*' file.file_exists /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| is(c, &a, Kind::File),
    },
    Function {
        name: "file.directory_exists",
        doc: "Tells whether a path is a folder.\n\nctl run '*' file.directory_exists /etc",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| is(c, &a, Kind::Directory),
    },
    Function {
        name: "file.path_exists_glob",
        doc: "Tells whether any path matches a glob.\n\nctl run '*' file.path_exists_glob '/etc/pass*'",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |context, args| {
            let path = Given::new(&args, &["path"]).text("path")?;
            let (folder, pattern) = path.rsplit_once('/').unwrap_or((".", &path));
            let names = context.look.list(if folder.is_empty() { "/" } else { folder }.as_ref()).unwrap_or_default();
            Ok(Value::Bool(names.iter().any(|name| crate::glob::matches(pattern, name))))
        },
    },
    Function {
        name: "file.is_link",
        doc: "Tells whether a path is a symbolic link.\n\nctl run '*' file.is_link /etc/mtab",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |context, args| {
            let path = Given::new(&args, &["path"]).text("path")?;
            Ok(Value::Bool(context.look.stat(path.as_ref()).is_ok_and(|stat| stat.kind == Kind::Symlink)))
        },
    },
    Function {
        name: "file.readlink",
        doc: "Gives what a symbolic link points to.\n\nctl run '*' file.readlink /etc/mtab",
        params: &[need("path"), opt("canonicalize", "False")],
        effect: Effect::Reads,
        call: readlink,
    },
    Function {
        name: "file.readdir",
        doc: "Lists a folder.\n\nctl run '*' file.readdir /etc",
        params: &[need("path")],
        effect: Effect::Reads,
        call: readdir,
    },
    Function {
        name: "file.read",
        doc: "Gives the text of a file.\n\nctl run '*' file.read /etc/hostname",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| Ok(Value::String(read(c, &Given::new(&a, &["path"]).text("path")?)?)),
    },
    Function {
        name: "file.contains",
        doc: "Tells whether a file has a text in it.\n\nctl run '*' file.contains /etc/passwd root",
        params: &[need("path"), need("text")],
        effect: Effect::Reads,
        call: contains,
    },
    Function {
        name: "file.contains_regex",
        doc: "Tells whether a line of a file matches a regular expression.\n\nctl run '*' file.contains_regex /etc/passwd '^root'",
        params: &[need("path"), need("regex"), opt("lchar", "")],
        effect: Effect::Reads,
        call: contains_regex,
    },
    Function {
        name: "file.stats",
        doc: "Shows what is known of a path.\n\nctl run '*' file.stats /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: stats,
    },
    Function {
        name: "file.get_user",
        doc: "Gives the owner of a path.\n\nctl run '*' file.get_user /etc/passwd",
        params: &[need("path"), opt("follow_symlinks", "True")],
        effect: Effect::Reads,
        call: |c, a| owner(c, &a, "/etc/passwd", |s| s.uid),
    },
    Function {
        name: "file.get_group",
        doc: "Gives the group of a path.\n\nctl run '*' file.get_group /etc/passwd",
        params: &[need("path"), opt("follow_symlinks", "True")],
        effect: Effect::Reads,
        call: |c, a| owner(c, &a, "/etc/group", |s| s.gid),
    },
    Function {
        name: "file.get_uid",
        doc: "Gives the number of the owner of a path.\n\nctl run '*' file.get_uid /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| Ok(stat(c, &a)?.uid.into()),
    },
    Function {
        name: "file.get_gid",
        doc: "Gives the number of the group of a path.\n\nctl run '*' file.get_gid /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| Ok(stat(c, &a)?.gid.into()),
    },
    Function {
        name: "file.get_mode",
        doc: "Gives the permission bits of a path.\n\nctl run '*' file.get_mode /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |c, a| Ok(Value::String(mode(stat(c, &a)?.mode))),
    },
    Function {
        name: "file.dirname",
        doc: "Gives the folder of a path.\n\nctl run '*' file.dirname /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |_, a| Ok(dirname(&Given::new(&a, &["path"]).text("path")?).into()),
    },
    Function {
        name: "file.basename",
        doc: "Gives the last part of a path.\n\nctl run '*' file.basename /etc/passwd",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |_, args| {
            let path = Given::new(&args, &["path"]).text("path")?;
            Ok(path.rsplit('/').next().unwrap_or("").into())
        },
    },
    Function {
        name: "file.join",
        doc: "Joins parts of a path.\n\nctl run '*' file.join / etc passwd",
        params: &[],
        effect: Effect::Reads,
        call: |_, a| Ok(join(&a.positional).into()),
    },
    Function {
        name: "file.normpath",
        doc: "Gives a path without `.` and `..`.\n\nctl run '*' file.normpath /etc/../tmp",
        params: &[need("path")],
        effect: Effect::Reads,
        call: |_, args| Ok(normpath(&Given::new(&args, &["path"]).text("path")?).into()),
    },
];

fn follow(context: &Context<'_>, path: &str) -> Option<Stat> {
    let mut path = std::path::PathBuf::from(path);
    for _ in 0..40 {
        let stat = context.look.stat(&path).ok()?;
        if stat.kind != Kind::Symlink {
            return Some(stat);
        }
        let target = context.look.read_link(&path).ok()?;
        path = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    }
    None
}

fn is(context: &Context<'_>, args: &Args, kind: Kind) -> Result<Value, CallError> {
    let path = Given::new(args, &["path"]).text("path")?;
    Ok(Value::Bool(follow(context, &path).is_some_and(|stat| stat.kind == kind)))
}

fn stat(context: &Context<'_>, args: &Args) -> Result<Stat, CallError> {
    let path = Given::new(args, &["path"]).text("path")?;
    follow(context, &path).ok_or_else(|| CallError::failed(format!("Path not found: {path}")))
}

fn mode(mode: u32) -> String {
    format!("{mode:04o}")
}

fn readlink(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let path = Given::new(&args, &["path"]).text("path")?;
    match context.look.read_link(path.as_ref()) {
        Ok(target) => Ok(target.to_string_lossy().into_owned().into()),
        Err(_) => Err(CallError::failed(format!("Path is not a link: {path}"))),
    }
}

fn readdir(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let path = Given::new(&args, &["path"]).text("path")?;
    let names =
        context.look.list(path.as_ref()).map_err(|_| CallError::failed("A valid directory was not specified."))?;
    Ok([".", ".."].into_iter().map(str::to_owned).chain(names).collect())
}

fn read(context: &Context<'_>, path: &str) -> Result<String, CallError> {
    let bytes = context
        .look
        .read(path.as_ref(), LIMIT)
        .map_err(|why| CallError::failed(format!("{path} cannot be read: {why}")))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn contains(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["path", "text"]);
    let text = given.text("text")?;
    Ok(Value::Bool(read(context, &given.text("path")?).is_ok_and(|content| content.contains(text.trim()))))
}

fn contains_regex(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["path", "regex", "lchar"]);
    let pattern = given.text("regex")?;
    let regex = fancy_regex::Regex::new(&pattern)
        .map_err(|why| CallError::arguments(format!("the pattern '{pattern}' cannot be read: {why}")))?;
    let Ok(content) = read(context, &given.text("path")?) else { return Ok(Value::Bool(false)) };
    let strip = given.text_or("lchar", "");
    let matches = |line: &str| regex.is_match(line.trim_start_matches(|c| strip.contains(c))).unwrap_or(false);
    Ok(Value::Bool(content.lines().any(matches)))
}

fn stats(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let path = Given::new(&args, &["path"]).text("path")?;
    let stat = stat(context, &args)?;
    let kind = match stat.kind {
        Kind::File => "file",
        Kind::Directory => "dir",
        Kind::Symlink => "link",
        Kind::Block => "block",
        Kind::Character => "char",
        Kind::Fifo => "pipe",
        Kind::Socket => "socket",
    };
    Ok(serde_json::json!({
        "inode": stat.inode, "uid": stat.uid, "gid": stat.gid,
        "group": name_of(context, "/etc/group", stat.gid), "user": name_of(context, "/etc/passwd", stat.uid),
        "atime": stat.atime, "mtime": stat.mtime, "ctime": stat.ctime, "size": stat.size,
        "mode": mode(stat.mode), "type": kind, "target": path,
    }))
}

fn owner(context: &Context<'_>, args: &Args, table: &str, number: fn(&Stat) -> u32) -> Result<Value, CallError> {
    Ok(Value::String(name_of(context, table, number(&stat(context, args)?))))
}

/// The name behind a number in `/etc/passwd` or `/etc/group`.
fn name_of(context: &Context<'_>, table: &str, number: u32) -> String {
    let number = number.to_string();
    let text = read(context, table).unwrap_or_default();
    let found = text
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&number.as_str()));
    found.map_or(number.clone(), |fields| fields[0].to_owned())
}

fn dirname(path: &str) -> String {
    match path.rsplit_once('/') {
        Some(("", _)) => "/".into(),
        Some((folder, _)) => folder.trim_end_matches('/').into(),
        None => String::new(),
    }
}

fn join(parts: &[Value]) -> String {
    let mut path = String::new();
    for part in parts.iter().map(crate::value::python_str) {
        if part.starts_with('/') || path.is_empty() {
            path = part;
        } else if path.ends_with('/') {
            path.push_str(&part);
        } else {
            path = format!("{path}/{part}");
        }
    }
    path
}

fn normpath(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            other => parts.push(other),
        }
    }
    match (absolute, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}
