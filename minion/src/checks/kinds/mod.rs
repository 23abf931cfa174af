//! The kinds of checks: one file each, one row in the table.

mod cert;
mod clock;
mod cpu;
mod disk;
mod dns;
mod drift;
mod file;
mod http;
mod load;
mod log;
mod memory;
mod mount;
mod plugin;
mod port;
mod process;
mod reboot_required;
mod service;
mod systemd;
mod tcp;
mod uptime;
mod users;

use std::{fs::File, io, os::unix::fs::OpenOptionsExt, path::Path};

use proto::Value;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error},
};
use serde_path_to_error::Segment;

use super::{Check, Wrong};

/// A kind of check: its name, what it looks at, and how its options are read.
pub struct Kind {
    pub name: &'static str,
    pub doc: &'static str,
    pub work: Work,
    pub read: fn(Value) -> Result<Box<dyn Check>, Wrong>,
}

/// What a look takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The kernel's answers out of memory: nothing to wait for, and nothing that can hang.
    Quick,
    /// Something that may take its time: another host, a file system.
    Waits,
    /// A program.
    Starts,
}

/// A row of the table: its name, what a look takes, who reads its options, what it is for.
macro_rules! kind {
    ($name:ident, $work:ident, $check:ty, $doc:literal) => {
        Kind { name: stringify!($name), doc: $doc, work: Work::$work, read: read::<$check> }
    };
}

pub static TABLE: &[Kind] = &[
    kind!(cert, Waits, cert::Cert, "Days until a certificate in a file (`path`) ends."),
    kind!(clock, Quick, clock::Clock, "How far this host's clock is from the master's, in seconds."),
    kind!(cpu, Waits, cpu::Cpu, "How busy the processors are, in percent, over `window` seconds."),
    kind!(disk, Waits, disk::Disk, "How full file systems are, in percent of space and inodes."),
    kind!(dns, Waits, dns::Dns, "Whether a name has addresses, and those that are expected."),
    kind!(drift, Waits, drift::Drift, "What a highstate would change now; nothing is changed or run for it."),
    kind!(file, Waits, file::File, "Whether a file is there, its age, its size, what is in it."),
    kind!(http, Waits, http::Http, "What a web server answers."),
    kind!(load, Quick, load::Load, "The load averages."),
    kind!(log, Waits, log::Log, "Lines of a file that match a pattern and are new since the last time."),
    kind!(memory, Quick, memory::Memory, "How much of the memory is used, in percent."),
    kind!(mount, Quick, mount::Mount, "Whether something is mounted at a path."),
    kind!(plugin, Starts, plugin::Plugin, "What a monitoring plugin says."),
    kind!(port, Quick, port::Port, "Whether a program of this host listens on a port."),
    kind!(process, Quick, process::Process, "How many processes run, all or of a name."),
    kind!(reboot_required, Quick, reboot_required::RebootRequired, "Whether packages ask for a restart of the host."),
    kind!(service, Starts, service::Service, "Whether a service runs."),
    kind!(swap, Quick, memory::Swap, "How much of the swap space is used, in percent."),
    kind!(systemd, Starts, systemd::Systemd, "Units of systemd that have failed."),
    kind!(tcp, Waits, tcp::Tcp, "Whether a port can be connected to, and what is said there."),
    kind!(uptime, Quick, uptime::Uptime, "How long the host has been up."),
    kind!(users, Quick, users::Users, "How many users are logged in."),
];

pub fn find(name: &str) -> Option<&'static Kind> {
    TABLE.iter().find(|kind| kind.name == name)
}

fn read<C: Check + DeserializeOwned + 'static>(options: Value) -> Result<Box<dyn Check>, Wrong> {
    match serde_path_to_error::deserialize::<_, C>(options) {
        Ok(check) => Ok(Box::new(check)),
        Err(error) => Err(wrong(&error)),
    }
}

/// What is wrong with options: which of them, and what may have been meant.
fn wrong(error: &serde_path_to_error::Error<serde_json::Error>) -> Wrong {
    let why = error.inner().to_string();
    let Some(Segment::Map { key }) = error.path().iter().next() else { return Wrong::whole(why) };
    let Some((_, known)) = why.split_once(&format!("unknown field `{key}`")) else {
        return Wrong::of(key, format!("{key}: {why}"));
    };
    let near = states::diag::did_you_mean(key, known.split('`').skip(1).step_by(2));
    Wrong::of(key, near.map_or_else(|| why.clone(), |near| format!("unknown field `{key}`; {near}")))
}

fn a_port<'de, D: Deserializer<'de>>(from: D) -> Result<u16, D::Error> {
    let port = Value::deserialize(from)?.as_u64().and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port > 0).ok_or_else(|| D::Error::custom("a port is a number from 1 to 65535"))
}

fn a_window<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let seconds = Value::deserialize(from)?.as_f64().filter(|seconds| (0.01..=60.0).contains(seconds));
    seconds.ok_or_else(|| D::Error::custom("a window is a number of seconds above 0, 60 at most"))
}

/// A text file of `/proc` or the like.
fn text(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{path}: {}", plain(&error)))
}

/// Opens a plain file. Of all else, reading might have no end.
fn plain_file(path: &Path) -> Result<File, String> {
    let at = |error: io::Error| format!("{}: {}", path.display(), plain(&error));
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let file = File::options().read(true).custom_flags(flags).open(path).map_err(at)?;
    let kind = file.metadata().map_err(at)?.file_type();
    match (kind.is_file(), kind.is_dir()) {
        (true, _) => Ok(file),
        (_, true) => Err(format!("{}: it is a folder", path.display())),
        _ => Err(format!("{}: it is no plain file", path.display())),
    }
}

/// An error of the system in words, without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.strip_prefix("failed to lookup address information: ").unwrap_or(&text);
    text.split_once(" (os error").map_or(text, |(words, _)| words).to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_option_that_is_wrong_is_named_with_what_was_meant() {
        for (kind, options, said) in [
            ("load", json!({"warnign": 3}), "unknown field `warnign`; did you mean warning?"),
            ("load", json!({"per_cpu": true, "critical": "x"}), "critical: \"x\" is no threshold"),
            ("port", json!({"port": "http"}), "port: a port is a number from 1 to 65535"),
            ("tcp", json!({"port": 0}), "port: a port is a number from 1 to 65535"),
            ("cpu", json!({"warning": 80, "window": -1}), "window: a window is a number of seconds above 0"),
            ("http", json!({"url": 5}), "url: invalid type"),
            ("disk", json!({"warning": 3, "path": 5}), "path: a path is a text, or a list of texts"),
            ("plugin", json!({"command": 5}), "command: a command is a text, or a list of texts"),
            ("tcp", json!({}), "missing field `port`"),
        ] {
            let why = (find(kind).unwrap().read)(options).err().unwrap().to_string();
            assert!(why.starts_with(said), "{kind}: {why}");
        }
    }

    #[test]
    fn every_file_has_its_row_and_every_kind_refuses_what_it_does_not_know() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/checks/kinds");
        let files = std::fs::read_dir(folder).unwrap().flatten().filter(|file| file.file_name() != "mod.rs").count();
        // `swap` lives beside `memory`.
        assert_eq!(TABLE.len(), files + 1);
        assert!(TABLE.is_sorted_by_key(|kind| kind.name));
        for kind in TABLE {
            let why = (kind.read)(json!({"no_such_option": 1})).err().unwrap().to_string();
            assert!(why.contains("no_such_option"), "{}: {why}", kind.name);
            assert!(kind.doc.ends_with('.'), "{}", kind.name);
        }
    }
}
