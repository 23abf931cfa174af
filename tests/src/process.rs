//! One process under test.

use std::{
    ffi::OsString,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    time::{Duration, Instant},
};

use nix::{
    sys::{prctl, signal},
    unistd::Pid,
};
pub use signal::Signal;

use crate::wait;

/// How to start a process: kept, so that it can be started again.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// What to put before the program (`ip netns exec NAME`, `unshare …`).
    pub wrap: Vec<String>,
    pub program: PathBuf,
    pub args: Vec<OsString>,
    pub env: Vec<(String, String)>,
    /// Where standard output and error go, appended.
    pub log: PathBuf,
}

/// A daemon under test. It is killed when this is dropped, and also when the test process dies.
#[derive(Debug)]
pub struct Daemon {
    recipe: Recipe,
    child: Option<Child>,
}

impl Daemon {
    /// A daemon that does not run yet.
    pub fn new(recipe: Recipe) -> Self {
        Self { recipe, child: None }
    }

    /// Starts it, again if need be.
    ///
    /// # Panics
    /// When it runs already, or cannot be started.
    pub fn start(&mut self) {
        assert!(!self.is_running(), "{:?} runs already", self.recipe.program);
        let log = File::options().create(true).append(true).open(&self.recipe.log).expect("the log can be opened");
        let mut command = self.recipe.command();
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a file can be duplicated")).stderr(log);
        self.child = Some(spawn(command));
    }

    /// Changes how it will be started the next time.
    pub fn recipe_mut(&mut self) -> &mut Recipe {
        &mut self.recipe
    }

    /// The process id.
    ///
    /// # Panics
    /// When it was never started.
    pub fn pid(&self) -> i32 {
        let child = self.child.as_ref().expect("the daemon was started");
        i32::try_from(child.id()).expect("process ids fit")
    }

    /// Whether the process lives (a frozen one does).
    pub fn is_running(&mut self) -> bool {
        self.exit_status().is_none() && self.child.is_some()
    }

    /// How it ended, if it did.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.child.as_mut()?.try_wait().expect("one's own child can be waited for")
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid()), signal).expect("one's own child can be signalled");
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.reap(wait::secs(10));
    }

    /// SIGTERM, and waits until it has drained.
    ///
    /// # Panics
    /// When it is not gone after 20 s.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.reap(wait::secs(20))
    }

    /// SIGSTOP: alive, and silent.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn reap(&mut self, limit: Duration) -> ExitStatus {
        wait::until(limit, "a process to end", || self.exit_status())
    }

    /// Resident memory now, in KiB (`VmRSS`); `VmHWM` is the highest it ever was.
    pub fn memory(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    }

    /// Everything that it wrote to its standard output and error, over all its lives.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.recipe.log).unwrap_or_default()).into_owned()
    }

    /// A path as this process sees it, for file systems that only it has mounted.
    pub fn path_inside(&self, path: &Path) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{}", self.pid(), path.display()))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may be gone already; there is nobody to tell.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Recipe {
    /// The command, wrapped.
    pub fn command(&self) -> Command {
        let mut words = self.wrap.iter().map(OsString::from).chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().expect("there is at least the program"));
        command.args(words).args(&self.args).envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// What a finished command left.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; 128 + N for signal N, as a shell says it.
    pub code: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub took: Duration,
}

/// A command that runs beside the test.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: tempfile::TempDir,
    since: Instant,
    shown: String,
}

impl Running {
    /// Starts a command; what it prints goes to files, so that nothing ever blocks on a pipe.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Self {
        let output = tempfile::tempdir().expect("a temporary folder can be made");
        let file = |name| File::create(output.path().join(name)).expect("a temporary file can be made");
        command.stdin(Stdio::null()).stdout(file("stdout")).stderr(file("stderr"));
        let shown = format!("{command:?}");
        Self { child: spawn(command), output, since: Instant::now(), shown }
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids fit")
    }

    pub fn signal(&self, signal: Signal) {
        signal::kill(Pid::from_raw(self.pid()), signal).expect("one's own child can be signalled");
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.read("stdout")).into_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.read("stderr")).into_owned()
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.output.path().join(name)).unwrap_or_default()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it still runs after `limit`, showing what it printed.
    #[track_caller]
    pub fn wait(mut self, limit: Duration) -> Finished {
        use std::os::unix::process::ExitStatusExt;
        while self.since.elapsed() < limit {
            if let Some(status) = self.child.try_wait().expect("one's own child can be waited for") {
                let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
                let took = self.since.elapsed();
                return Finished { code, stdout: self.read("stdout"), stderr: self.read("stderr"), took };
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("{} still runs after {limit:?}\n-- stdout\n{}\n-- stderr\n{}", self.shown, self.stdout(), self.stderr());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a child that dies with this process. The kernel ties that to the *thread* that started
/// the child, and a test's thread may end early, so one thread that never ends starts them all.
fn spawn(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<std::sync::Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(die_with_us(&mut command).spawn());
            }
        });
        std::sync::Mutex::new(orders)
    });
    let shown = format!("{command:?}");
    let (answer, child) = mpsc::channel();
    spawner.lock().expect("nobody panics while sending").send((command, answer)).expect("the spawner lives for ever");
    child.recv().expect("the spawner answers").unwrap_or_else(|error| panic!("{shown}: {error}"))
}

#[allow(
    unsafe_code,
    reason = "`pre_exec` is unsafe by signature; one async-signal-safe system call is all that runs there"
)]
fn die_with_us(command: &mut Command) -> &mut Command {
    unsafe { command.pre_exec(|| prctl::set_pdeathsig(Signal::SIGKILL).map_err(Into::into)) }
}
