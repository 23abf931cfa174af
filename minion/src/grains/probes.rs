//! The few programs that are asked, all at once and not for long.

use std::{thread, time::Duration};

use states::{Command, Look};

use super::{is_there, text};
use crate::host::Local;

/// A host whose name service does not answer in this time has no name there, for us.
const PATIENCE: Duration = Duration::from_millis(250);

/// What programs said; `None` from those that are not there or failed.
#[derive(Debug, Default)]
pub struct Probed {
    /// `systemd-detect-virt`: `docker`, `kvm`, `none`, …
    pub virt: Option<String>,
    /// `systemctl --version`.
    pub systemd: Option<String>,
    /// `getent ahosts` of the host's name: lines of `ADDRESS STREAM NAME`.
    pub hosts: Option<String>,
}

pub fn run() -> Probed {
    // As Salt: both programs, or it is not systemd.
    let has_systemd = super::which("systemctl").is_some() && super::which("localectl").is_some();
    let name = super::names::nodename();
    let needs_resolver = text("/etc/hosts").is_none_or(|hosts| super::names::in_hosts(&hosts, &name).is_none());
    thread::scope(|scope| {
        let virt = scope.spawn(|| ask(&["systemd-detect-virt"], Duration::from_secs(2)));
        let systemd =
            scope.spawn(|| if has_systemd { ask(&["systemctl", "--version"], Duration::from_secs(2)) } else { None });
        let hosts = scope.spawn(|| if needs_resolver { ask(&["getent", "ahosts", &name], PATIENCE) } else { None });
        Probed {
            virt: virt.join().ok().flatten(),
            systemd: systemd.join().ok().flatten(),
            hosts: hosts.join().ok().flatten(),
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
