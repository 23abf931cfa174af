//! `ctl check --watch` on real terminals: a master and a minion with more trouble than a small
//! terminal has lines.

mod sandbox;
mod terminal;

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use sandbox::Sandbox;
use terminal::Terminal;

/// A master and a minion as processes.
struct Fleet {
    sandbox: Sandbox,
    master: Child,
    minion: Option<Child>,
}

impl Fleet {
    fn new() -> Self {
        let sandbox =
            Sandbox::new(&[("m/master", "interface: 127.0.0.1\nport: 0\nroot_dir: DIR/m/root\nauto_accept: true\n")]);
        let master = start(&sandbox, "m", "master");
        let port = sandbox.path().join("m/root/run/port");
        let mut fleet = Self { sandbox, master, minion: None };
        let read = || fs::read_to_string(&port).ok().and_then(|text| text.trim().parse::<u16>().ok());
        let port = wait_for(read);
        fleet.write(
            "m/master",
            &format!("port: {port}\ninterface: 127.0.0.1\nroot_dir: DIR/m/root\nauto_accept: true\n"),
        );
        let missing = |n| format!("  file {n:02}: {{check: file, path: /nonexistent/{n}, interval: 2s}}\n");
        let checks: String = (0..40).map(missing).collect();
        fleet
            .write("h1/minion", &format!("id: h1\nmaster: 127.0.0.1:{port}\nroot_dir: DIR/h1/root\nchecks:\n{checks}"));
        fleet.minion = Some(start(&fleet.sandbox, "h1", "minion"));
        wait_for(|| (fleet.last() == Some(2)).then_some(()));
        fleet
    }

    /// What the master knows by now, as an exit code.
    fn last(&self) -> Option<i32> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctl"));
        command.arg("--config-dir").arg(self.path("m")).args(["check", "*", "--last", "--out", "quiet"]);
        command.output().unwrap().status.code()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.sandbox.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text.replace("DIR", &self.sandbox.path().display().to_string())).unwrap();
    }

    /// `ctl check '*' --watch` in a terminal, with these variables.
    fn watch(&self, columns: u16, rows: u16, variables: &[(&str, &str)]) -> Terminal {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctl"));
        command.arg("--config-dir").arg(self.path("m")).args(["check", "*", "--watch"]);
        command.env("TZ", "UTC").env("TERM", "xterm").envs(variables.iter().copied());
        Terminal::start(&command, columns, rows)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for daemon in self.minion.iter_mut().chain([&mut self.master]) {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}

fn start(sandbox: &Sandbox, dir: &str, command: &str) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ctl"));
    program.arg("--config-dir").arg(sandbox.path().join(dir)).arg(command).env("NO_COLOR", "1");
    program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn wait_for<T>(look: impl Fn() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < limit, "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

const FIRST: &str = "file 00";
const MORE: &str = "more troubles on 1 host (-v shows all)";

#[test]
fn a_terminal_of_any_size_is_filled_and_given_back() {
    let fleet = Fleet::new();
    let mut terminal = fleet.watch(80, 24, &[]);
    terminal.shows(MORE);
    assert!(terminal.is_taken() && terminal.text().contains("Ctrl-C ends it"), "{}", terminal.text());
    assert!(terminal.text().contains(FIRST) && !terminal.text().contains("file 39"), "{}", terminal.text());
    assert!(terminal.raw().contains("\x1b[31m"), "trouble is red");

    terminal.types("nobody reads this\n");
    terminal.resize(100, 60);
    terminal.shows("file 39");
    terminal.resize(40, 10);
    terminal.until("a small picture", |terminal| terminal.text().contains("more troubles on 1 host"));
    assert!(terminal.text().lines().count() <= 10 && !terminal.text().contains("file 39"), "{}", terminal.text());
    assert!(!terminal.text().contains("nobody"), "{}", terminal.text());

    terminal.types("\x1a");
    terminal.until("the terminal back while it rests", Terminal::is_given_back);
    terminal.signal(Signal::SIGCONT);
    terminal.until("the terminal taken again", Terminal::is_taken);
    terminal.shows("more troubles on 1 host");

    terminal.types("\x03");
    assert_eq!(terminal.ended().code(), Some(2), "as a plugin ends: CRITICAL");
    terminal.until("the terminal as it was", Terminal::is_given_back);
    terminal.shows("more troubles on 1 host");
}

#[test]
fn a_master_that_starts_anew_is_told_of_and_waited_for() {
    let mut fleet = Fleet::new();
    let mut terminal = fleet.watch(80, 24, &[("NO_COLOR", "1")]);
    terminal.shows(MORE);
    fleet.master.kill().unwrap();
    fleet.master.wait().unwrap();
    terminal.shows("no master since");
    assert!(terminal.text().contains(FIRST), "what was known stays to be seen: {}", terminal.text());
    fleet.master = start(&fleet.sandbox, "m", "master");
    terminal.until("the master again", |terminal| !terminal.text().contains("no master since"));
    terminal.shows(FIRST);
    assert!(terminal.is_taken());
    let colours =
        terminal.raw().match_indices("\x1b[").filter(|(at, _)| ends_with_m(&terminal.raw()[at + 2..])).count();
    assert_eq!(colours, 0, "NO_COLOR is heeded, and the picture drawn in its place all the same");

    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.ended().code(), Some(143));
    terminal.until("the terminal as it was", Terminal::is_given_back);
}

/// Whether a sequence is one of colours.
fn ends_with_m(sequence: &str) -> bool {
    sequence.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
}

#[test]
fn a_terminal_that_knows_no_cursor_gets_lines() {
    let fleet = Fleet::new();
    let mut terminal = fleet.watch(80, 24, &[("TERM", "dumb")]);
    terminal.shows(MORE);
    terminal.types("\x03");
    assert_eq!(terminal.ended().code(), Some(2));
    assert!(!terminal.raw().contains('\x1b'), "{:?}", terminal.raw());
}
