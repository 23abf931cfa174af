//! The few programs that are asked, all at once and not for long.

use std::{fs, os::unix::fs::MetadataExt, path::Path, thread, time::Duration};

use proto::Map;
use serde::{Deserialize, Serialize};
use states::{Command, Host, Look};

use super::{hardware, is_there, system, text};
use crate::host::Local;

/// A host whose name service does not answer in this time has no name there, for us.
const PATIENCE: Duration = Duration::from_millis(250);

/// What programs said; `None` from those that are not there or failed.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct Probed {
    /// `systemd-detect-virt`: `docker`, `kvm`, `none`, …
    pub virt: Option<String>,
    /// `systemctl --version`.
    pub systemd: Option<String>,
    /// What process 1 is, which takes reading its program where that is called `init`.
    #[serde(default)]
    pub init: Option<String>,
    /// Grains that stay the same as long as the host is up.
    #[serde(default)]
    pub fixed: Map,
    /// `getent ahosts` of the host's name: lines of `ADDRESS STREAM NAME`. Never kept.
    #[serde(skip)]
    pub hosts: Option<String>,
}

/// What the programs said, and of what: as long as the host is up and the programs are the same,
/// they say it again. Starting them takes longer than a highstate without changes.
#[derive(Serialize, Deserialize)]
struct Kept {
    of: String,
    said: Probed,
}

/// Asks the programs, or takes what `kept` has of them.
pub fn run(kept: Option<&Path>) -> Probed {
    let of = identity();
    let known = kept.and_then(|path| fs::read(path).ok()).and_then(|text| serde_json::from_slice::<Kept>(&text).ok());
    if let Some(known) = known.filter(|known| known.of == of && !known.said.fixed.is_empty()) {
        return Probed { hosts: resolve(), ..known.said };
    }
    let said = ask_all();
    if let (Some(path), Ok(text)) = (kept, serde_json::to_vec(&Kept { of, said: said.clone() })) {
        // Whoever may not write there asks again the next time.
        let _ = path.parent().map_or(Ok(()), fs::create_dir_all);
        let _ = Local::default().write(path, &text, 0o600);
    }
    said
}

/// This boot, this container, these programs.
fn identity() -> String {
    let boot = text("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let container = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let programs = ["systemctl", "localectl", "systemd-detect-virt"].map(|program| {
        let meta = super::which(program).and_then(|path| fs::metadata(path).ok());
        meta.map(|meta| (meta.ino(), meta.size(), meta.mtime(), meta.mtime_nsec()))
    });
    // Not everybody may read what the firmware says.
    let who = nix::unistd::geteuid();
    format!("{} {} {programs:?} {} {who}", boot.trim(), container.display(), runs_systemd())
}

/// What the resolver says of the host's name, where the file of hosts does not know it.
fn resolve() -> Option<String> {
    let name = super::names::nodename();
    let unknown = text("/etc/hosts").is_none_or(|hosts| super::names::in_hosts(&hosts, &name).is_none());
    if unknown { ask(&["getent", "ahosts", &name], PATIENCE) } else { None }
}

fn ask_all() -> Probed {
    // As Salt: both programs, or it is not systemd.
    let has_systemd = super::which("systemctl").is_some() && super::which("localectl").is_some();
    thread::scope(|scope| {
        let virt = scope.spawn(|| ask(&["systemd-detect-virt"], Duration::from_secs(2)));
        let systemd =
            scope.spawn(|| if has_systemd { ask(&["systemctl", "--version"], Duration::from_secs(2)) } else { None });
        let hosts = scope.spawn(resolve);
        Probed {
            virt: virt.join().ok().flatten(),
            systemd: systemd.join().ok().flatten(),
            hosts: hosts.join().ok().flatten(),
            init: Some(system::init().to_owned()),
            fixed: hardware::fixed(),
        }
    })
}

/// A program's output, whatever its return code: `systemd-detect-virt` says `none` with 1.
fn ask(argv: &[&str], timeout: Duration) -> Option<String> {
    let host = Local::default();
    let program = host.which(argv.first()?)?;
    let mut argv: Vec<String> = argv.iter().map(|&word| word.to_owned()).collect();
    argv[0] = program.to_string_lossy().into_owned();
    let command = Command { argv, timeout: Some(timeout), ..Command::default() };
    let output = host.probe(&command).ok().filter(|output| !output.timed_out)?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Whether systemd is the one that runs the host.
pub fn runs_systemd() -> bool {
    is_there("/run/systemd/system")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_said_is_kept_until_they_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache/probes.json");
        let said = run(Some(&path));
        let kept: Kept = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!((kept.of, kept.said.virt), (identity(), said.virt.clone()));

        let other = |of: String| {
            let fixed = Map::from_iter([("cpu_model".to_owned(), "x".into())]);
            let said = Probed { virt: Some("parrot".into()), fixed, ..Probed::default() };
            fs::write(&path, serde_json::to_vec(&Kept { of, said }).unwrap()).unwrap();
            run(Some(&path)).virt
        };
        assert_eq!(other(identity()).as_deref(), Some("parrot"), "the same host is not asked again");
        assert_eq!(other("another boot".into()), said.virt);
        fs::write(&path, "{").unwrap();
        assert_eq!(run(Some(&path)).virt, said.virt, "what cannot be read is asked for");
    }
}
