//! A throw-away copy of this machine: its files beneath an overlay, a network of its own. What is
//! installed, started or deleted there is gone with it.

use std::{path::Path, process::Command, time::Duration};

use crate::{
    needs,
    process::{Finished, Running},
    wait::{self, secs},
};

/// Runs `$2` in the copy, then keeps the copy open in a network of its own. `$0` is a folder, which
/// is seen in both at the same place.
const HOLD: &str = r#"
set -e
mkdir -p "$0/disk" "$0/shared"
mount -t tmpfs -o size=2g tmpfs "$0/disk"
mkdir "$0/disk/up" "$0/disk/work" "$0/disk/root"
mount -t overlay -o "lowerdir=/,upperdir=$0/disk/up,workdir=$0/disk/work" overlay "$0/disk/root"
cd "$0/disk/root"
for part in proc sys dev; do mount --rbind "/$part" "$part"; done
mkdir -p ".$1" ".$0/shared"
mount --bind "$1" ".$1"
mount --bind "$0/shared" ".$0/shared"
chroot . sh -c "$2"
exec unshare -n chroot . sh -c 'ip link set lo up && touch "$0/shared/ready" && exec sleep 100000' "$0"
"#;

/// The copy; its processes end with it.
pub struct Machine {
    holder: Running,
    folder: tempfile::TempDir,
}

impl Machine {
    /// Copies the machine and runs the shell command `prepare` in it, which still has the network.
    /// `shared` is a folder that is the same in both.
    ///
    /// # Panics
    /// Without root, or when `prepare` fails.
    pub fn new(shared: &Path, prepare: &str) -> Self {
        needs::program("unshare", "util-linux");
        let folder = tempfile::Builder::new().prefix("machine").tempdir().expect("a temporary folder can be made");
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", HOLD]).arg(folder.path()).arg(shared).arg(prepare);
        let holder = Running::start(command);
        let ready = folder.path().join("shared/ready");
        wait::until(secs(300), "a copy of this machine (it needs root and overlayfs)", || {
            let gone = !Path::new(&format!("/proc/{}/exe", holder.pid())).exists();
            assert!(!gone, "no copy of this machine: it needs root and overlayfs\n{}", holder.stderr());
            ready.exists().then_some(())
        });
        Self { holder, folder }
    }

    /// Words to put before a command that is to run in the copy.
    pub fn wrap(&self) -> Vec<String> {
        let pid = self.holder.pid().to_string();
        ["nsenter", "-t", &pid, "-m", "-n", "-r", "-w"].map(str::to_owned).to_vec()
    }

    /// A shell command in the copy, a minute at most.
    ///
    /// # Panics
    /// When it takes longer.
    pub fn shell(&self, command: &str) -> Finished {
        let wrap = self.wrap();
        let mut whole = Command::new(&wrap[0]);
        whole.args(&wrap[1..]).args(["sh", "-c", command]);
        Running::start(whole).wait(Duration::from_secs(60))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Whoever lives in its root: daemons that packages have started.
        let root = self.folder.path().join("disk/root");
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let lives_there = std::fs::read_link(process.path().join("root")).is_ok_and(|found| found == root);
            let pid = process.file_name().to_string_lossy().parse();
            if let (true, Ok(pid)) = (lives_there, pid) {
                // It may have ended by itself.
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}
