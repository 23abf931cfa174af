//! Processes that are known by more than a number: pids come again.

use std::{fmt, fs, io, path::Path};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use procfs::process::{Process as Proc, Stat, all_processes};

/// A process and when it started, in ticks since the machine did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    pub pid: u32,
    started: u64,
}

impl Process {
    pub fn current() -> io::Result<Self> {
        let stat = Proc::myself().and_then(|me| me.stat()).map_err(io::Error::other)?;
        Ok(Self { pid: stat.pid as u32, started: stat.starttime })
    }

    /// Reads what [`fmt::Display`] wrote.
    pub fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let (pid, started) = text.trim().split_once(' ')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    pub fn is_alive(&self) -> bool {
        let alive = |stat: Stat| stat.starttime == self.started && stat.state != 'Z';
        self.pid != 0 && Proc::new(self.pid as i32).and_then(|process| process.stat()).is_ok_and(alive)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.started)
    }
}

/// Sends a signal to every process of a session, its leader last, so that it starts nothing new
/// behind our back.
pub fn signal_session(session: u32, signal: Signal) {
    let leader = session as i32;
    let members = all_processes().into_iter().flatten().flatten().filter_map(|process| process.stat().ok());
    for member in members.filter(|stat| stat.session == leader && stat.pid != leader) {
        // It may just have ended.
        let _ = kill(Pid::from_raw(member.pid), signal);
    }
    let _ = kill(Pid::from_raw(leader), signal);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_too() {
        let me = Process::current().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        fs::write(&path, me.to_string()).unwrap();
        assert_eq!(Process::read(&path), Some(me));
        assert!(me.is_alive());
        assert!(!Process { started: me.started + 1, ..me }.is_alive());
        assert_eq!(Process::read(&folder.path().join("none")), None);
    }
}
