//! Package managers take turns: a command that finds another at work waits for it, for so long and
//! no longer, and says for whom it waits.

use std::{
    io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::command::{complaint, text};
use crate::{Command, Host, Look, Output};

/// How a command waits for the lock of a package manager.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long in all.
    pub limit: Duration,
    /// How often it is looked whether the lock is free.
    pub look: Duration,
    /// How often it is said for whom it waits.
    pub say: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { limit: Duration::from_secs(300), look: Duration::from_millis(500), say: Duration::from_secs(30) }
    }
}

/// Runs a command of a package manager; while another process holds the manager's lock, again and
/// again. `tell` gets a sentence for people when the waiting begins, and now and then while it lasts.
///
/// # Errors
/// What starting it says; time that ran out, with the name of whoever has the lock.
pub fn run(host: &dyn Host, command: &Command, patience: Patience, tell: &dyn Fn(&str)) -> io::Result<Output> {
    let begun = Instant::now();
    let mut told: Option<Instant> = None;
    loop {
        let output = host.run(command)?;
        let Some(held) = Held::of(host, &output) else { return Ok(output) };
        loop {
            if begun.elapsed() >= patience.limit {
                let seconds = patience.limit.as_secs();
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("gave up after {seconds} s: {}. Run it again when that has ended.", held.sentence()),
                ));
            }
            if told.is_none_or(|told| told.elapsed() >= patience.say) {
                told = Some(Instant::now());
                tell(&held.sentence());
            }
            thread::sleep(patience.look);
            // Where nobody can be seen to hold it, trying again is the only way to know.
            if !held.is_still(host) {
                break;
            }
        }
    }
}

/// A lock that a command could not get.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    /// The file, where it is known.
    file: Option<PathBuf>,
    pid: Option<u32>,
    /// The holder's program.
    program: String,
}

/// What managers say of a lock that another has.
const SIGNS: [&str; 5] = [
    "Could not get lock ",
    "Unable to acquire the dpkg frontend lock",
    "Unable to lock directory ",
    "lock was locked by another process",
    "Unable to lock database",
];

impl Held {
    fn of(look: &dyn Look, output: &Output) -> Option<Self> {
        let said = complaint(output);
        if output.code == 0 || !SIGNS.iter().any(|sign| said.contains(sign)) {
            return None;
        }
        let file = said.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ','));
        let file = file.map(|word| word.trim_end_matches(['.', ':', '?'])).find(|word| word.starts_with('/'));
        let file = file.map(PathBuf::from);
        let file = file.map(|file| if super::files::is_dir(look, &file) { file.join("lock") } else { file });
        let after = |sign: &str| -> Option<u32> {
            let rest = said.split(sign).nth(1)?;
            rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
        };
        let pid = after("held by process ").or_else(|| after("with pid "));
        let pid = pid.or_else(|| file.as_deref().and_then(|file| holder(look, file)));
        let program = pid.map(|pid| program(look, pid)).unwrap_or_default();
        Some(Self { file, pid, program })
    }

    fn is_still(&self, look: &dyn Look) -> bool {
        match (&self.file, self.pid) {
            (Some(file), Some(pid)) => holder(look, file) == Some(pid),
            _ => false,
        }
    }

    /// `the package lock /var/lib/dpkg/lock-frontend is held by process 4711 (apt-get)`
    fn sentence(&self) -> String {
        let file = self.file.as_ref().map_or(String::new(), |file| format!(" {}", file.display()));
        let who = match (self.pid, self.program.as_str()) {
            (None, _) => "another process".to_owned(),
            (Some(pid), "") => format!("process {pid}"),
            (Some(pid), program) => format!("process {pid} ({program})"),
        };
        format!("the package lock{file} is held by {who}")
    }
}

fn program(look: &dyn Look, pid: u32) -> String {
    text(&look.read(format!("/proc/{pid}/comm").as_ref(), 4096).unwrap_or_default())
}

/// The process that has locked a file, as the kernel lists it: `1: POSIX ADVISORY WRITE 4711
/// 08:01:1234 0 EOF`, with the file's number behind the last colon.
fn holder(look: &dyn Look, file: &Path) -> Option<u32> {
    let inode = look.stat(file).ok()?.inode.to_string();
    let table = look.read("/proc/locks".as_ref(), 4 << 20).ok()?;
    String::from_utf8_lossy(&table).lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            // With an arrow, the process only waits.
            [_, "POSIX" | "FLOCK" | "OFDLCK", _, "WRITE", pid, place, ..]
                if place.rsplit(':').next() == Some(&inode) =>
            {
                pid.parse().ok()
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, refused, said};

    const APT: &str = "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 4711 (apt-get)\nN: Be \
                       aware that removing the lock file is not a solution and may break your system.\nE: Unable to \
                       acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?";
    const HASTE: Patience = Patience { limit: Duration::from_secs(3600), look: Duration::ZERO, say: Duration::MAX };

    #[test]
    fn a_command_waits_until_the_other_has_ended() {
        let host = Memory::new(json!({})).with(&[("/proc/4711/comm", "apt-get\n")]).answer(|host, line| {
            let tries = host.text("/tries").unwrap_or_default() + "x";
            host.put("/tries", &tries);
            match (line, tries.len()) {
                ("apt-get install vim", 1..=2) => refused(100, APT),
                _ => said("done"),
            }
        });
        let told = Mutex::new(Vec::new());
        let command = super::super::command::program(&["apt-get", "install", "vim"]);
        let output = run(&host, &command, HASTE, &|text| told.lock().unwrap().push(text.to_owned())).unwrap();
        assert_eq!((output.code, text(&output.stdout).as_str()), (0, "done"));
        let sentence = "the package lock /var/lib/dpkg/lock-frontend is held by process 4711 (apt-get)";
        assert_eq!(told.into_inner().unwrap(), [sentence]);
        assert_eq!(host.ran().len(), 3);
    }

    #[test]
    fn waiting_has_an_end_that_names_the_holder_and_other_failures_do_not_wait() {
        let host = Memory::new(json!({})).answer(|_, line| match line {
            "apt-get update" => refused(100, "E: Unable to lock directory /var/lib/apt/lists/"),
            _ => refused(1, "E: Unable to locate package vim"),
        });
        let end = Patience { limit: Duration::ZERO, ..HASTE };
        let program = super::super::command::program;
        let why = run(&host, &program(&["apt-get", "update"]), end, &|_| {}).unwrap_err();
        assert!(why.to_string().contains("/var/lib/apt/lists/ is held by another process"), "{why}");
        assert_eq!(run(&host, &program(&["apt-get", "install"]), end, &|_| panic!("it waited")).unwrap().code, 1);
    }

    #[test]
    fn the_kernel_knows_who_has_a_lock() {
        let locks = "1: POSIX  ADVISORY  WRITE 12 08:01:NN 0 EOF\n1: -> POSIX ADVISORY WRITE 13 08:01:NN 0 EOF\n2: FLOCK \
                     ADVISORY WRITE 14 08:01:7777 0 EOF\n";
        let host = Memory::new(json!({})).with(&[("/lock", "")]);
        let inode = host.stat("/lock".as_ref()).unwrap().inode;
        host.put("/proc/locks", &locks.replace("NN", &inode.to_string()));
        assert_eq!(holder(&host, "/lock".as_ref()), Some(12));
        host.put("/proc/locks", &locks.replace("NN", &(inode + 1).to_string()));
        assert_eq!(holder(&host, "/lock".as_ref()), None);
    }
}
