//! Drift: what a highstate would change now. Nothing is changed for it, and no command of a state
//! file is run: what cannot be known without running something is counted as unknown.

mod guard;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use proto::Value;
use serde::{Deserialize, Serialize};
use states::{
    CallError, Command, Context, Look,
    compile::{Chunk, Compiler, Options},
    run::{self, Row, Settings},
};

use self::guard::{Guard, Notes, Quiet};
use super::{Found, Perf, Status};

/// State modules whose doing cannot be foretold, because it is that something is run.
const RUNNERS: &[&str] = &["cmd", "event", "http", "module", "test"];
/// States that one line names, and the lines below it.
const NAMED: usize = 3;
const LISTED: usize = 50;

/// How long the service manager may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is said where no top file has anything for this host.
pub const NOTHING: &str = "no top file matches: nothing is declared of this host";

/// What a highstate would do, as it goes from the process that looked to the one that asked.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// States that would change something, and those that would fail; each as
    /// `file.managed /etc/motd (motd.sls:3:5)`.
    pub differing: Vec<String>,
    pub failing: Vec<String>,
    /// How many cannot be known, and how many there are in all.
    pub unknown: usize,
    pub states: usize,
    /// Everything on this host that was looked at.
    pub seen: Seen,
}

/// What drift was found by: where nothing of it changes, nothing else is found.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Files. With a slash at its end: all that lies in the folder.
    pub watch: Vec<String>,
    /// Control groups of services, and whether they were there.
    pub groups: Vec<(String, bool)>,
    /// There is more, which cannot be watched.
    pub loose: bool,
}

/// Looks what a highstate would change. Nothing, where no top file matches.
///
/// # Errors
/// A tree that cannot be compiled, with all that is wrong with it.
pub fn look(context: &Context<'_>) -> Result<Option<Drift>, CallError> {
    let notes = Notes::default();
    let own = context.opts.get("root_dir").and_then(Value::as_str).unwrap_or("/var/lib/overstate").into();
    let guard = Guard { under: context.look, notes: &notes, own };
    let functions = Quiet { under: context.functions, notes: &notes };
    let quiet = Context { look: &guard, host: None, functions: &functions, progress: &|_| {}, ..context.copy() };
    let found = states::stack::deep(|| -> Result<_, CallError> {
        let steps = Compiler::new(&quiet).low_of_top(&Options::default()).map_err(CallError::Problems)?;
        if steps.is_empty() {
            return Ok(None);
        }
        let drift = Mutex::new(Drift::default());
        let shown = |chunk: &Chunk, row: &Row| {
            drift.lock().unwrap_or_else(PoisonError::into_inner).take(chunk, row, notes.refused());
        };
        run::run(&quiet, &steps, &Settings { test: true, ..Settings::default() }, &shown);
        Ok(Some(drift.into_inner().unwrap_or_else(PoisonError::into_inner)))
    })?;
    Ok(found.map(|drift| Drift { seen: Seen::of(notes, context.look), ..drift }))
}

impl Seen {
    fn of(notes: Notes, look: &dyn Look) -> Self {
        let (watch, units, loose) = notes.take();
        match groups(look, &units) {
            _ if units.is_empty() => Self { watch, groups: Vec::new(), loose },
            Some(groups) => {
                let now = |group: String| (Path::new(&group).exists(), group);
                let groups = groups.into_iter().map(now).map(|(there, group)| (group, there)).collect();
                Self { watch, groups, loose }
            }
            None => Self { watch, groups: Vec::new(), loose: true },
        }
    }
}

/// The folders of the control groups of these units: a service that runs has one, one that does not has none.
/// Nothing where that does not hold for one of them.
fn groups(look: &dyn Look, units: &[String]) -> Option<BTreeSet<String>> {
    let root = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].into_iter().find(|root| Path::new(root).is_dir())?;
    let words = ["systemctl", "show", "-p", "Id", "-p", "ActiveState", "-p", "ControlGroup", "--"];
    let argv = words.into_iter().map(str::to_owned).chain(units.iter().cloned()).collect();
    let said = look
        .probe(&Command { argv, timeout: Some(PATIENCE), ..Command::default() })
        .ok()
        .filter(|output| output.code == 0)?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    said.split("\n\n").filter(|block| !block.trim().is_empty()).map(|block| group(root, block)).collect()
}

fn group(root: &str, block: &str) -> Option<String> {
    let value = |key: &str| block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    match (value("ControlGroup").filter(|group| !group.is_empty()), value("ActiveState")) {
        (Some(group), _) => Some(format!("{root}{group}")),
        // One that has ended well counts as active, and stopping it leaves no trace.
        (None, Some("active" | "reloading")) => None,
        // Most are made in this one.
        (None, _) => Some(format!("{root}/system.slice/{}", value("Id")?)),
    }
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
}

fn named(chunk: &Chunk) -> String {
    format!("{}.{} {} ({})", chunk.text("state"), chunk.text("fun"), chunk.text("name"), chunk.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drift(differing: &[&str], unknown: usize) -> Drift {
        let differing = differing.iter().map(ToString::to_string).collect();
        Drift { differing, unknown, states: 9, ..Drift::default() }
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
    fn a_service_is_known_by_its_control_group() {
        let group = |block: &str| group("/g", block);
        let named = |path: &str| Some(path.to_owned());
        assert_eq!(
            group("Id=a.service\nControlGroup=/b.slice/a.service\nActiveState=active"),
            named("/g/b.slice/a.service")
        );
        assert_eq!(group("Id=a.service\nControlGroup=\nActiveState=failed"), named("/g/system.slice/a.service"));
        assert_eq!(group("Id=a.service\nControlGroup=\nActiveState=active"), None, "nobody would see it stop");
        assert_eq!(group(""), None);
    }
}
