//! The host as a look at drift sees it: nothing is run that a state file names, and all that was looked at
//! is noted, since only a change there can change what was found.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use proto::Map;
use states::{
    CallError, Command, Effect, Function, Look, Output, Stat,
    call::Functions,
    look::{Download, Expected},
};

/// Programs that only tell something, and the files that they tell it from (with a slash at its end: all
/// that lies in the folder). No other program is started. Where no file is named, what they tell may change
/// at any time.
const TELLERS: &[(&str, &[&str])] = &[
    ("alternatives", &["/etc/alternatives/", "/var/lib/alternatives/"]),
    ("apk", &["/lib/apk/db/installed", "/etc/apk/world"]),
    ("apt-cache", &["/var/lib/dpkg/status", "/var/lib/apt/lists/", "/etc/apt/sources.list", "/etc/apt/preferences.d/"]),
    ("apt-mark", &["/var/lib/dpkg/status", "/var/lib/apt/extended_states"]),
    ("chkconfig", &[]),
    ("crontab", &["/var/spool/cron/crontabs/", "/var/spool/cron/"]),
    ("debconf-show", &["/var/cache/debconf/config.dat"]),
    ("dnf", &[]),
    ("dpkg", &["/var/lib/dpkg/status"]),
    ("dpkg-query", &["/var/lib/dpkg/status"]),
    ("getent", &["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/hosts", "/etc/services"]),
    ("localectl", &["/etc/locale.conf", "/etc/default/locale", "/etc/vconsole.conf"]),
    ("lsattr", &[]),
    ("rc-status", &[]),
    ("rc-update", &[]),
    ("rpm", &["/var/lib/rpm/", "/usr/lib/sysimage/rpm/"]),
    ("sysctl", &[]),
    ("systemctl", &[]),
    ("timedatectl", &["/etc/localtime", "/etc/adjtime"]),
    ("update-alternatives", &["/etc/alternatives/", "/var/lib/dpkg/alternatives/"]),
];
/// Of the functions that only know the host by way of [`Look`], the modules that tell something else besides …
const UNSTEADY: &[&str] = &["mine", "random"];
/// … and those of others that tell nothing that could change.
const STEADY: &[&str] = &["check", "test"];
/// File systems whose files change without a word.
const SILENT: &[&str] = &["/proc", "/sys"];
/// Where it is said which units start with the host.
const UNITS: &[&str] = &["/etc/systemd/system/", "/etc/systemd/system/multi-user.target.wants/"];
/// Paths that are noted, at most.
const NOTED: usize = 8192;

/// What was looked at.
#[derive(Default)]
pub struct Notes {
    paths: Mutex<BTreeSet<String>>,
    units: Mutex<BTreeSet<String>>,
    /// Something was asked whose answer may change at any time.
    loose: AtomicBool,
    /// Something would have to be run.
    refused: AtomicBool,
}

impl Notes {
    /// Whether something was refused since the last time.
    pub fn refused(&self) -> bool {
        self.refused.swap(false, Relaxed)
    }

    pub fn loosen(&self) {
        self.loose.store(true, Relaxed);
    }

    /// The paths, the units, and whether that is all.
    pub fn take(self) -> (Vec<String>, Vec<String>, bool) {
        let list = |set: Mutex<BTreeSet<String>>| {
            set.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect()
        };
        (list(self.paths), list(self.units), self.loose.into_inner())
    }

    fn note(&self, path: String) {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        match paths.len() < NOTED {
            true => drop(paths.insert(path)),
            false => self.loosen(),
        }
    }
}

/// The host, of which nothing is asked that would run a command of the state files.
pub struct Guard<'a> {
    pub under: &'a dyn Look,
    pub notes: &'a Notes,
    /// Where the minion keeps its own files, which are what they are.
    pub own: PathBuf,
}

impl Guard<'_> {
    fn saw(&self, path: &Path, end: &str) {
        match path.to_str() {
            _ if !path.is_absolute() || path.starts_with(&self.own) => {}
            Some(_) if SILENT.iter().any(|root| path.starts_with(root)) => self.notes.loosen(),
            Some(path) => self.notes.note(format!("{}{end}", path.trim_end_matches('/'))),
            None => self.notes.loosen(),
        }
    }

    /// Whether this program may be asked; what it looks at is noted.
    fn may(&self, command: &Command) -> bool {
        let program = command.argv.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
        let teller = TELLERS.iter().find(|(name, _)| command.shell.is_none() && Some(*name) == program);
        let Some((name, files)) = teller else { return false };
        let units = command.argv.iter().skip_while(|word| *word != "--").skip(1);
        if *name == "systemctl" && units.clone().next().is_some() {
            self.notes.units.lock().unwrap_or_else(PoisonError::into_inner).extend(units.cloned());
            UNITS.iter().for_each(|path| self.notes.note((*path).to_owned()));
        } else if files.is_empty() {
            self.notes.loosen();
        }
        files.iter().for_each(|path| self.notes.note((*path).to_owned()));
        true
    }
}

impl Look for Guard<'_> {
    fn grains(&self) -> &Map {
        self.under.grains()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.saw(path, "");
        self.under.read(path, limit)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.saw(path, "");
        self.under.open(path)
    }

    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        self.notes.loosen();
        self.under.download(what, to)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.saw(path, "");
        self.under.stat(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.saw(path, "");
        self.saw(path, "/");
        self.under.list(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.saw(path, "");
        self.under.read_link(path)
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        self.under.which(program)
    }

    fn probe(&self, command: &Command) -> io::Result<Output> {
        if self.may(command) {
            return self.under.probe(command);
        }
        self.notes.refused.store(true, Relaxed);
        Err(io::Error::new(io::ErrorKind::Unsupported, "nothing is run while drift is looked for"))
    }

    fn expects(&self, what: &Expected) -> bool {
        self.under.expects(what)
    }

    fn expects_packages(&self) -> bool {
        self.under.expects_packages()
    }

    fn expects_anything(&self) -> bool {
        self.under.expects_anything()
    }
}

/// Functions that templates call: those that run or change something are not there.
pub struct Quiet<'a> {
    pub under: &'a dyn Functions,
    pub notes: &'a Notes,
}

static REFUSED: Function = Function {
    name: "check.refused",
    doc: "",
    params: &[],
    effect: Effect::Reads,
    call: |_, _| Err(CallError::failed("a template calls a function that runs something, which is not done for drift")),
};

impl Functions for Quiet<'_> {
    fn find(&self, name: &str) -> Option<&'static Function> {
        let found = self.under.find(name)?;
        let module = name.split_once('.').map_or(name, |(module, _)| module);
        let by_look = states::functions::all().iter().any(|function| function.name == name);
        if !STEADY.contains(&module) && (!by_look || UNSTEADY.contains(&module)) {
            self.notes.loosen();
        }
        Some(if found.effect == Effect::Reads { found } else { &REFUSED })
    }

    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        self.under.all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Local;

    /// What is noted of what this does.
    fn noted(work: impl Fn(&Guard<'_>)) -> (Vec<String>, Vec<String>, bool) {
        let (host, notes) = (Local::default(), Notes::default());
        work(&Guard { under: &host, notes: &notes, own: "/own".into() });
        notes.take()
    }

    fn command(argv: &[&str]) -> Command {
        Command { argv: argv.iter().map(ToString::to_string).collect(), ..Command::default() }
    }

    #[test]
    fn what_is_looked_at_is_noted_and_may_be_watched() {
        let (paths, _, loose) = noted(|guard| {
            let _ = guard.stat("/etc/passwd".as_ref());
            let _ = guard.read("/no/such".as_ref(), 9);
            let _ = guard.list("/etc/".as_ref());
            let _ = guard.read_link("/own/cache/x".as_ref());
        });
        assert_eq!(
            (paths.as_slice(), loose),
            (&["/etc", "/etc/", "/etc/passwd", "/no/such"].map(str::to_owned)[..], false)
        );
        let loosened = |work: &dyn Fn(&Guard<'_>)| noted(work).2;
        assert!(loosened(&|guard| drop(guard.read("/proc/uptime".as_ref(), 999))), "nobody hears of a change there");
        assert!(loosened(&|guard| drop(guard.stat("/sys/kernel".as_ref()))));
        assert!(!loosened(&|guard| (0..NOTED).for_each(|n| drop(guard.stat(format!("/x/{n}").as_ref())))));
        assert!(loosened(&|guard| (0..=NOTED).for_each(|n| drop(guard.stat(format!("/x/{n}").as_ref())))), "too much");
    }

    #[test]
    fn programs_that_only_tell_are_asked_and_no_other() {
        let asked = |argv: &[&str], shell: bool| {
            let (host, notes) = (Local::default(), Notes::default());
            let guard = Guard { under: &host, notes: &notes, own: "/own".into() };
            let may = guard.may(&Command { shell: shell.then(|| "/bin/sh".into()), ..command(argv) });
            (may, notes.take())
        };
        let (may, (paths, units, loose)) = asked(&["systemctl", "show", "-p", "Id", "--", "a.service"], false);
        assert!(may && !loose && units == ["a.service"] && paths.iter().all(|path| path.starts_with("/etc/systemd/")));
        let (_, (paths, _, loose)) = asked(&["/usr/bin/dpkg-query", "-W"], false);
        assert_eq!((paths, loose), (vec!["/var/lib/dpkg/status".to_owned()], false));
        assert!(asked(&["systemctl", "list-unit-files"], false).1.2, "nobody says when that changes");
        assert!(!asked(&["rm", "-rf", "/x"], false).0);
        assert!(!asked(&["dpkg-query"], true).0, "a shell would read it");
        noted(|guard| {
            assert!(guard.probe(&command(&["touch", "/x"])).is_err());
            assert!(guard.notes.refused() && !guard.notes.refused());
        });
    }
}
