//! A throw-away machine with users, package sources and a systemd of its own, as
//! `conformance/twins/boot.sh` makes it of this one.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    Alone, binary,
    process::{Running, Signal},
    wait::{self, secs},
};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/twins/boot.sh");

/// What commands find there: nothing of whoever runs the tests.
const BARE: [&str; 5] =
    ["env", "-i", "HOME=/root", "SHELL=/bin/sh", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/// Such a machine, until this is dropped.
pub struct Booted {
    boot: Option<Running>,
    init: String,
    /// Its disk, and where `boot.sh` says which process its init is.
    _folder: tempfile::TempDir,
}

impl Booted {
    /// A machine that sees the folders of `alone`, and `ctl`.
    ///
    /// # Panics
    /// Without root, overlayfs or systemd.
    pub fn new(alone: &Alone) -> Self {
        Self::sharing(&[&alone.path("")])
    }

    /// A machine that sees these folders, and `ctl`.
    ///
    /// # Panics
    /// Without root, overlayfs or systemd.
    pub fn sharing(folders: &[&Path]) -> Self {
        let folder = tempfile::Builder::new().prefix("booted").tempdir().expect("a temporary folder can be made");
        let mut command = Command::new("bash");
        command.arg(SCRIPT).arg(folder.path()).args(folders).arg(binary::ctl());
        let boot = Running::start(command);
        let init = wait::until(secs(30), "a machine (it needs root, overlayfs and systemd)", || {
            std::fs::read_to_string(folder.path().join("init")).ok()
        });
        let booted = Self { boot: Some(boot), init: init.trim().to_owned(), _folder: folder };
        wait::until(secs(30), "a systemd that has come up", || {
            (booted.shell("/", "systemctl is-system-running") == "running\n").then_some(())
        });
        booted
    }

    /// The words before a command that is to run there.
    pub fn wrap(&self) -> Vec<String> {
        let go = ["nsenter", "-t", &self.init, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"];
        go.iter().chain(&BARE).map(|word| (*word).to_owned()).collect()
    }

    /// What a shell command prints there.
    ///
    /// # Panics
    /// Without nsenter.
    pub fn shell(&self, place: &str, line: &str) -> String {
        let wrap = self.wrap();
        let mut command = Command::new(&wrap[0]);
        command.args(&wrap[1..]).args(["sh", "-c", &format!("cd {place}; {line}")]).stdin(Stdio::null());
        String::from_utf8_lossy(&command.output().expect("nsenter can be started").stdout).into_owned()
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        // Asked, and not killed, it takes its control groups with it.
        if let Some(boot) = self.boot.take() {
            boot.signal(Signal::SIGTERM);
            // Counted from its start.
            boot.wait(secs(3600));
        }
    }
}
