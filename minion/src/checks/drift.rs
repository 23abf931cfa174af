//! Drift: what a highstate would change now. Nothing is changed for it, and no command of a state
//! file is run: what cannot be known without running something is counted as unknown.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use proto::{Map, Value};
use serde_json::json;
use states::{
    CallError, Command, Context, Effect, Function, Look, Output, Stat,
    call::Functions,
    compile::{Chunk, Compiler, Options},
    look::{Download, Expected},
    run::{self, Row, Settings},
};

use super::{Found, Perf, Status};
use crate::exec::bind::truth;

/// State modules whose doing cannot be foretold, because it is that something is run.
const RUNNERS: &[&str] = &["cmd", "event", "http", "module", "test"];
/// Programs that only tell something. All else that a state would start is not started.
const TELLERS: &[&str] = &[
    "alternatives",
    "apk",
    "apt-cache",
    "apt-mark",
    "chkconfig",
    "crontab",
    "debconf-show",
    "dnf",
    "dpkg",
    "dpkg-query",
    "getent",
    "localectl",
    "lsattr",
    "rc-status",
    "rc-update",
    "rpm",
    "sysctl",
    "systemctl",
    "timedatectl",
    "update-alternatives",
];
/// Paths that are watched, at most.
const WATCHED: usize = 2048;
/// States that one line names, and the lines below it.
const NAMED: usize = 3;
const LISTED: usize = 50;

/// What is said where no top file has anything for this host.
pub const NOTHING: &str = "no top file matches: nothing is declared of this host";

/// What a highstate would do.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Drift {
    /// States that would change something, and those that would fail; each as
    /// `file.managed /etc/motd (motd.sls:3:5)`.
    pub differing: Vec<String>,
    pub failing: Vec<String>,
    /// How many cannot be known, and how many there are in all.
    pub unknown: usize,
    pub states: usize,
    /// Files that the states are about. With a slash at its end: all that lies in the folder.
    pub watch: Vec<String>,
}

/// Looks what a highstate would change. Nothing, where no top file matches.
///
/// # Errors
/// A tree that cannot be compiled, with all that is wrong with it.
pub fn look(context: &Context<'_>) -> Result<Option<Drift>, CallError> {
    let guard = Guard { under: context.look, refused: AtomicBool::new(false) };
    let functions = Quiet(context.functions);
    let quiet = Context { look: &guard, host: None, functions: &functions, progress: &|_| {}, ..context.copy() };
    states::stack::deep(|| {
        let steps = Compiler::new(&quiet).low_of_top(&Options::default()).map_err(CallError::Problems)?;
        if steps.is_empty() {
            return Ok(None);
        }
        let drift = Mutex::new(Drift::default());
        let shown = |chunk: &Chunk, row: &Row| {
            let refused = guard.refused.swap(false, Relaxed);
            drift.lock().unwrap_or_else(PoisonError::into_inner).take(chunk, row, refused);
        };
        run::run(&quiet, &steps, &Settings { test: true, ..Settings::default() }, &shown);
        Ok(Some(drift.into_inner().unwrap_or_else(PoisonError::into_inner)))
    })
}

impl Drift {
    fn take(&mut self, chunk: &Chunk, row: &Row, refused: bool) {
        self.states += 1;
        let state = chunk.text("state");
        let runs = RUNNERS.contains(&state) && row.result != Some(true);
        match row.result {
            _ if refused || runs => self.unknown += 1,
            Some(true) => {}
            Some(false) => self.failing.push(named(chunk)),
            None => self.differing.push(named(chunk)),
        }
        let room = WATCHED.saturating_sub(self.watch.len());
        self.watch.extend(watched(chunk).into_iter().take(room));
    }

    pub fn found(&self) -> Found {
        let bad: Vec<&String> = self.differing.iter().chain(&self.failing).collect();
        let of = |what: &str, list: &[String]| match list.len() {
            0 => None,
            1 => Some(format!("1 state {what}")),
            n => Some(format!("{n} states {what}")),
        };
        let (differ, fail) = (if self.differing.len() == 1 { "differs" } else { "differ" }, "would fail");
        let counts = [of(differ, &self.differing), of(fail, &self.failing)].into_iter().flatten();
        let unknown = match self.unknown {
            0 => String::new(),
            n => format!("; {n} cannot be known without running something"),
        };
        let mut found = match bad.is_empty() {
            true => Found::new(Status::Ok, format!("as declared: {} states{unknown}", self.states)),
            false => {
                let names: Vec<&str> = bad.iter().take(NAMED).map(|name| name.as_str()).collect();
                let more = if bad.len() > NAMED { ", …" } else { "" };
                let counts = counts.collect::<Vec<_>>().join(", ");
                Found::new(Status::Critical, format!("{counts}: {}{more}", names.join(", ")))
            }
        };
        if bad.len() > NAMED {
            let lines: Vec<&str> = bad.iter().take(LISTED).map(|name| name.as_str()).collect();
            found.long = Some(lines.join("\n"));
        }
        let figure = |label: &str, number: usize| Perf { min: Some(0.0), ..Perf::new(label, number as f64, "") };
        let differing = Perf { crit: Some("0".into()), ..figure("differing", bad.len()) };
        found.with(differing).with(figure("unknown", self.unknown)).with(figure("states", self.states))
    }

    /// As it goes from the process that looked to the one that asked.
    pub fn to_value(&self) -> Value {
        json!({
            "differing": self.differing, "failing": self.failing, "unknown": self.unknown, "states": self.states,
            "watch": self.watch,
        })
    }

    pub fn from_value(value: &Value) -> Option<Self> {
        let list = |key: &str| -> Option<Vec<String>> {
            value.get(key)?.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        };
        let number = |key: &str| value.get(key)?.as_u64().and_then(|number| usize::try_from(number).ok());
        Some(Self {
            differing: list("differing")?,
            failing: list("failing")?,
            unknown: number("unknown")?,
            states: number("states")?,
            watch: list("watch")?,
        })
    }
}

fn named(chunk: &Chunk) -> String {
    format!("{}.{} {} ({})", chunk.text("state"), chunk.text("fun"), chunk.text("name"), chunk.place)
}

/// Files whose change may be drift.
fn watched(chunk: &Chunk) -> Vec<String> {
    let name = chunk.text("name");
    let fixed = |paths: &[&str]| paths.iter().map(ToString::to_string).collect();
    match chunk.text("state") {
        "file" if name.starts_with('/') => {
            let whole = chunk.text("fun") == "recurse" || chunk.data.get("clean").is_some_and(truth);
            let bare = name.trim_end_matches('/').to_owned();
            if whole { vec![format!("{bare}/"), bare] } else { vec![bare] }
        }
        "user" => fixed(&["/etc/passwd", "/etc/shadow", "/etc/group"]),
        "group" => fixed(&["/etc/group"]),
        "host" => fixed(&["/etc/hosts"]),
        "pkg" => fixed(&["/var/lib/dpkg/status"]),
        "pkgrepo" => fixed(&["/etc/apt/sources.list", "/etc/apt/sources.list.d/"]),
        "cron" => fixed(&["/var/spool/cron/crontabs/"]),
        _ => Vec::new(),
    }
}

/// Functions that templates call: those that run or change something are not there.
struct Quiet<'a>(&'a dyn Functions);

static REFUSED: Function = Function {
    name: "check.refused",
    doc: "",
    params: &[],
    effect: Effect::Reads,
    call: |_, _| Err(CallError::failed("a template calls a function that runs something, which is not done for drift")),
};

impl Functions for Quiet<'_> {
    fn find(&self, name: &str) -> Option<&'static Function> {
        self.0.find(name).map(|found| if found.effect == Effect::Reads { found } else { &REFUSED })
    }

    fn all(&self) -> Box<dyn Iterator<Item = &'static Function> + '_> {
        self.0.all()
    }
}

/// The host, of which nothing is asked that would run a command of the state files.
struct Guard<'a> {
    under: &'a dyn Look,
    refused: AtomicBool,
}

impl Guard<'_> {
    fn may(&self, command: &Command) -> bool {
        let program = command.argv.first().map(Path::new).and_then(Path::file_name).and_then(|name| name.to_str());
        command.shell.is_none() && program.is_some_and(|program| TELLERS.contains(&program))
    }
}

impl Look for Guard<'_> {
    fn grains(&self) -> &Map {
        self.under.grains()
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self.under.read(path, limit)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        self.under.open(path)
    }

    fn download(&self, what: &Download, to: &Path) -> io::Result<()> {
        self.under.download(what, to)
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        self.under.stat(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.under.list(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.under.read_link(path)
    }

    fn which(&self, program: &str) -> Option<PathBuf> {
        self.under.which(program)
    }

    fn probe(&self, command: &Command) -> io::Result<Output> {
        if self.may(command) {
            return self.under.probe(command);
        }
        self.refused.store(true, Relaxed);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(differing: &[&str], unknown: usize) -> Drift {
        let differing = differing.iter().map(ToString::to_string).collect();
        Drift { differing, unknown, states: 9, watch: vec!["/a".into()], ..Drift::default() }
    }

    #[test]
    fn one_line_names_what_differs() {
        let none = drift(&[], 2).found();
        assert_eq!(none.output, "as declared: 9 states; 2 cannot be known without running something");
        let one = drift(&["file.managed /etc/motd (motd.sls:3:5)"], 0).found();
        assert_eq!(one.output, "1 state differs: file.managed /etc/motd (motd.sls:3:5)");
        let many = drift(&["a", "b", "c", "d"], 0).found();
        assert_eq!((many.output.as_str(), many.status), ("4 states differ: a, b, c, …", Status::Critical));
        assert_eq!(many.long.as_deref(), Some("a\nb\nc\nd"));
        let failing = Drift { failing: vec!["x".into()], ..drift(&["a"], 0) }.found();
        assert_eq!(failing.output, "1 state differs, 1 state would fail: a, x");
    }

    #[test]
    fn it_survives_the_way_between_processes() {
        let drift = drift(&["a", "b"], 3);
        assert_eq!(Drift::from_value(&drift.to_value()), Some(drift));
        assert_eq!(Drift::from_value(&json!({"states": -1})), None);
        assert_eq!(Drift::from_value(&Value::Null), None);
    }
}
