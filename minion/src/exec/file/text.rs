//! Texts written to files as they are given.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::Path,
};

use proto::Value;
use states::{
    CallError, Context, Function,
    resource::files::{LIMIT, followed},
};

use super::{path, system};
use crate::exec::bind::{Bound, NAMED, REST, need, row, text_of, with};

/// What one call may read of a file.
const PIECE: u64 = 16 << 20;

pub static TABLE: &[Function] = &[
    row!(
        "file.write",
        Writes,
        [need("path"), REST, NAMED],
        |context, bound| {
            let lines = lines(bound);
            put(context, &path(bound, "path")?, lines.concat().as_bytes())?;
            Ok(format!("Wrote {} lines to \"{}\"", lines.len(), path(bound, "path")?).into())
        },
        "Replaces what a file holds by the lines that are given.\n\n    \
         ctl run '*' file.write /etc/motd \"args=['Welcome', 'Bye']\""
    ),
    row!(
        "file.append",
        Writes,
        [need("path"), REST, NAMED],
        append,
        "Adds lines at the end of a file that is there.\n\n    ctl run '*' file.append /etc/hosts '10.0.0.1 db'"
    ),
    row!(
        "file.prepend",
        Writes,
        [need("path"), REST, NAMED],
        |context, bound| {
            let (name, lines) = (path(bound, "path")?, lines(bound));
            let old = context.look.read(Path::new(&name), LIMIT).unwrap_or_default();
            put(context, &name, &[lines.concat().as_bytes(), &old].concat())?;
            Ok(format!("Prepended {} lines to \"{name}\"", lines.len()).into())
        },
        "Adds lines at the start of a file.\n\n    ctl run '*' file.prepend /etc/hosts '# managed'"
    ),
    row!(
        "file.touch",
        Writes,
        [need("name"), with("atime", "None"), with("mtime", "None")],
        touch,
        "Makes an empty file, or gives one that is there new times (seconds since 1970; now by default).\n\n    \
         ctl run '*' file.touch /var/log/app.log"
    ),
    row!(
        "file.truncate",
        Writes,
        [need("path"), need("length")],
        |context, bound| {
            let (name, length) = (path(bound, "path")?, size(bound, "length")?);
            context.host()?;
            let file = OpenOptions::new().write(true).open(&name).map_err(|error| system(&name, &error))?;
            file.set_len(length).map_err(|error| system(&name, &error))?;
            Ok(Value::Null)
        },
        "Cuts a file to a length in bytes, or fills it up to it.\n\n    ctl run '*' file.truncate /var/log/app.log 512"
    ),
    row!(
        "file.seek_read",
        Reads,
        [need("path"), need("size"), need("offset")],
        |_, bound| {
            let (name, length) = (path(bound, "path")?, size(bound, "size")?.min(PIECE));
            let read = || {
                let mut file = File::open(&name)?;
                file.seek(SeekFrom::Start(size(bound, "offset").unwrap_or(0)))?;
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes)?;
                Ok(bytes)
            };
            let bytes = read().map_err(|error| system(&name, &error))?;
            Ok(String::from_utf8_lossy(&bytes).into())
        },
        "Gives some bytes of a file from an offset on, 16 MiB at most.\n\n    ctl run '*' file.seek_read /etc/passwd 4 0"
    ),
    row!(
        "file.seek_write",
        Writes,
        [need("path"), need("data"), need("offset")],
        |context, bound| {
            let (name, data, offset) = (path(bound, "path")?, bound.need_text("data")?, size(bound, "offset")?);
            context.host()?;
            let write = || {
                let file = OpenOptions::new().write(true).open(&name)?;
                file.write_all_at(data.as_bytes(), offset)?;
                file.sync_all()
            };
            write().map_err(|error| system(&name, &error))?;
            Ok(data.len().into())
        },
        "Writes a text into a file from an offset on, and gives its length.\n\n    \
         ctl run '*' file.seek_write /var/lib/app/state 'x' 4"
    ),
];

fn size(bound: &Bound, name: &str) -> Result<u64, CallError> {
    let number = bound.integer(name)?.and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| CallError::arguments(format!("{name} must be a number of bytes")))
}

/// The lines of a call: its arguments, or those in `args`. Each ends with a line end.
fn lines(bound: &Bound) -> Vec<String> {
    let given = match bound.named.get("args") {
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => bound.rest.clone(),
    };
    given.iter().map(|line| format!("{}\n", text_of(line))).collect()
}

/// Replaces what a file holds; links are followed, and the mode stays.
pub fn put(context: &Context<'_>, name: &str, bytes: &[u8]) -> Result<(), CallError> {
    let found = followed(context.look, Path::new(name));
    let (target, mode) = found.map_or_else(|_| (Path::new(name).into(), 0o644), |(path, stat)| (path, stat.mode));
    context.host()?.write(&target, bytes, mode).map_err(|error| system(name, &error))
}

/// In one write, so that what others append stays whole.
fn append(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let (name, lines) = (path(bound, "path")?, lines(bound));
    context.host()?;
    let write = || {
        let mut file = OpenOptions::new().read(true).append(true).open(&name)?;
        let mut last = [b'\n'];
        if file.seek(SeekFrom::End(-1)).is_ok() {
            file.read_exact(&mut last)?;
        }
        let end = if last == *b"\n" { "" } else { "\n" };
        file.write_all(format!("{end}{}", lines.concat()).as_bytes())
    };
    write().map_err(|error| system(&name, &error))?;
    Ok(format!("Wrote {} lines to \"{name}\"", lines.len()).into())
}

fn touch(context: &Context<'_>, bound: &Bound) -> Result<Value, CallError> {
    let name = path(bound, "name")?;
    let time = |key: &str| bound.integer(key).map_err(|_| CallError::arguments("atime and mtime must be integers"));
    let (atime, mtime) = (time("atime")?, time("mtime")?);
    let host = context.host()?;
    let set = || {
        OpenOptions::new().append(true).create(true).open(&name).map(drop)?;
        let now = Some(jiff::Timestamp::now().as_second());
        let (target, _) = followed(context.look, Path::new(&name))?;
        host.set_times(&target, atime.or(now), mtime.or(now))
    };
    set().map_err(|error: std::io::Error| CallError::failed(super::plain(&error)))?;
    Ok(true.into())
}
