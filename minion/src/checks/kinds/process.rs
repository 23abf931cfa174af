//! `process`: how many run.

use std::{
    fs,
    io::{self, Read},
    os::fd::OwnedFd,
    path::Path,
};

use fancy_regex::Regex;
use rustix::fs::{Mode, OFlags, open, openat};
use serde::Deserialize;

use crate::checks::{Check, Found, Pattern, Perf, Range, Scene, Thresholds};

/// What the kernel keeps of a name, and room for the longer ones of its own threads.
const KEPT: usize = 15;
const LONGEST_NAME: usize = 64;

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Process {
    /// Processes with this name, as `ps` shows it.
    name: Option<String>,
    /// Processes whose command line has this pattern in it.
    pattern: Option<Pattern>,
    /// How many of them; with a name or a pattern, at least one is needed without thresholds.
    warning: Option<Range>,
    critical: Option<Range>,
}

impl Check for Process {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let pattern = self.pattern.as_ref().map(Pattern::regex).transpose()?;
        let count = self.count(pattern.as_ref()).map_err(|error| format!("/proc: {error}"))?;
        let selected = self.name.as_deref().or(self.pattern.as_ref().map(Pattern::as_str));
        let default = if selected.is_some() { ["1:", "1:"] } else { ["", ""] };
        let thresholds = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), default);
        let status = thresholds.judge(count as f64);
        let what = selected.unwrap_or("all");
        let plural = if count == 1 { "" } else { "es" };
        let output = format!("{what}: {count} process{plural}{}", thresholds.reason(status));
        let perf = Perf { min: Some(0.0), ..Perf::new("processes", count as f64, "").judged(&thresholds) };
        Ok(Found::new(status, output).with(perf))
    }
}

impl Process {
    fn count(&self, pattern: Option<&Regex>) -> io::Result<usize> {
        let folder = open("/proc", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let all = fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(all.filter(|pid| self.fits(&folder, *pid, pattern)).count())
    }

    /// Reads no more of a process than is asked for: this is done for each of the host.
    fn fits(&self, folder: &OwnedFd, pid: u32, pattern: Option<&Regex>) -> bool {
        let named = |name: &String| {
            let mut comm = [0; LONGEST_NAME];
            let length = read(folder, &format!("{pid}/comm"), &mut comm).unwrap_or(0);
            is_name(&comm[..length], name.as_bytes())
        };
        let matches = |pattern: &Regex| {
            // Who looks is no process of what is looked for.
            let own = pid == std::process::id();
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            !own && pattern.is_match(line.trim_end()).unwrap_or(false)
        };
        self.name.as_ref().is_none_or(named) && pattern.is_none_or(matches)
    }
}

/// Without the turns that `fs::read` takes to learn how long a file is.
fn read(folder: &OwnedFd, path: &str, into: &mut [u8]) -> io::Result<usize> {
    let file = openat(folder, Path::new(path), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    fs::File::from(file).read(into)
}

/// The kernel keeps 15 bytes of a name.
fn is_name(comm: &[u8], name: &[u8]) -> bool {
    let comm = comm.strip_suffix(b"\n").unwrap_or(comm);
    comm == name || (comm.len() == KEPT && name.starts_with(comm))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn long_names_are_known_by_what_the_kernel_keeps_of_them() {
        assert!(is_name(b"nginx\n", b"nginx") && !is_name(b"nginx\n", b"nginx-debug"));
        assert!(is_name(b"systemd-resolve\n", b"systemd-resolved"));
        assert!(!is_name(b"", b"nginx"));
    }

    #[test]
    fn processes_are_counted_by_name_and_by_command_line() {
        let mut child = std::process::Command::new("sleep").arg("86399.25").spawn().unwrap();
        let pattern = Regex::new(r"^sleep 86399\.25$").unwrap();
        let by_name = Process { name: Some("sleep".into()), ..Process::default() };
        // It shows its own command line only a moment after it was started.
        let there = || by_name.count(Some(&pattern)).unwrap() == 1;
        let seen = (0..1000).any(|_| {
            there() || {
                std::thread::sleep(Duration::from_millis(5));
                false
            }
        });
        let counted = (seen, by_name.count(None).unwrap() >= 1);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(counted, (true, true));
        assert_eq!(by_name.count(Some(&pattern)).unwrap(), 0);
    }
}
