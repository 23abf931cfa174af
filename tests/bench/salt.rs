//! Real Salt beside us: a master and minions of the version in `VERSION`, from PyPI, in a
//! virtual environment that is made once beneath the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::figures::Figure;

pub const VERSION: &str = "3008.3";

/// Salt's programs.
pub struct Salt {
    bin: PathBuf,
}

impl Salt {
    /// Uses the environment that `OVERSTATE_SALT_VENV` names, or makes one.
    ///
    /// # Panics
    /// When it cannot be installed: a comparison that is left out must be left out aloud.
    pub fn install(target: &Path) -> Self {
        let venv = std::env::var_os("OVERSTATE_SALT_VENV").map_or_else(|| target.join("salt-venv"), PathBuf::from);
        let salt = Self { bin: venv.join("bin") };
        if !salt.bin.join("salt-call").exists() {
            eprintln!("installing salt=={VERSION} from PyPI (once)");
            run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
            run(Command::new(salt.bin.join("pip")).args(["install", "--quiet", &format!("salt=={VERSION}")]));
        }
        salt
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    /// Seconds for `salt '*' test.ping` with this many minions, from start to end of the process.
    pub fn ping(&self, minions: usize, runs: usize) -> Figure {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let fleet = SaltFleet::start(self, dir.path(), minions, "");
        fleet.await_all(minions);
        let one = |_| {
            let start = Instant::now();
            let answers = fleet.ping();
            assert_eq!(answers, minions, "Salt lost answers");
            start.elapsed().as_secs_f64()
        };
        Figure::of((0..runs).map(one).collect())
    }

    /// Seconds for `salt-run state.orchestrate` of each of these SLS of `tree`, from start to end of
    /// the process.
    ///
    /// # Panics
    /// When one does not go well.
    pub fn orchestrations(&self, minions: usize, tree: &Path, names: &[&str], runs: usize) -> Vec<Figure> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let roots = format!("file_roots: {{base: ['{}']}}\n", tree.display());
        let fleet = SaltFleet::start(self, dir.path(), minions, &roots);
        fleet.await_all(minions);
        let one = |name: &str| {
            let start = Instant::now();
            fleet.orchestrate(name);
            start.elapsed().as_secs_f64()
        };
        // The first run of each warms the minions' caches.
        names.iter().map(|name| Figure::of((0..=runs).map(|_| one(name)).skip(1).collect())).collect()
    }
}

struct SaltFleet<'a> {
    salt: &'a Salt,
    dir: PathBuf,
    daemons: Vec<Child>,
}

impl<'a> SaltFleet<'a> {
    fn start(salt: &'a Salt, dir: &Path, minions: usize, more: &str) -> Self {
        let mut fleet = Self { salt, dir: dir.to_owned(), daemons: Vec::new() };
        let common = "user: root\nlog_level: error\nlog_level_logfile: quiet\n";
        let master = format!(
            "{common}interface: 127.0.0.1\nauto_accept: true\npublish_port: 24505\nret_port: 24506\nroot_dir: {0}/master\n{more}",
            dir.display()
        );
        fleet.daemon("salt-master", "master", &master);
        for n in 0..minions {
            let minion = format!(
                "{common}id: s{n}\nmaster: 127.0.0.1\npublish_port: 24505\nmaster_port: 24506\nroot_dir: {}/m{n}\n",
                dir.display()
            );
            fleet.daemon("salt-minion", &format!("m{n}"), &minion);
        }
        fleet
    }

    fn daemon(&mut self, program: &str, name: &str, config: &str) {
        let home = self.dir.join("conf").join(name);
        fs::create_dir_all(&home).expect("a folder");
        let file = if program == "salt-master" { "master" } else { "minion" };
        fs::write(home.join(file), config).expect("a configuration");
        let child = Command::new(self.salt.program(program))
            .arg("-c")
            .arg(&home)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Salt's daemon");
        self.daemons.push(child);
    }

    fn ping(&self) -> usize {
        self.answers(&["*", "test.ping"])
    }

    fn await_all(&self, minions: usize) {
        let limit = Instant::now() + Duration::from_secs(120 + 3 * minions as u64);
        while self.ping() < minions {
            assert!(Instant::now() < limit, "Salt's minions did not all come");
        }
    }

    fn orchestrate(&self, name: &str) {
        let output = Command::new(self.salt.program("salt-run"))
            .arg("-c")
            .arg(self.dir.join("conf/master"))
            .args(["state.orchestrate", name, "--out", "json"])
            .output()
            .expect("salt-run");
        assert!(output.status.success(), "salt-run: {}", String::from_utf8_lossy(&output.stdout));
    }

    /// How many minions answered.
    fn answers(&self, args: &[&str]) -> usize {
        let output = Command::new(self.salt.program("salt"))
            .arg("-c")
            .arg(self.dir.join("conf/master"))
            .args(args)
            .args(["--out", "json", "--static"])
            .output()
            .expect("salt");
        let all: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&output.stdout).unwrap_or_default();
        all.values().filter(|value| **value == serde_json::Value::Bool(true)).count()
    }
}

impl Drop for SaltFleet<'_> {
    fn drop(&mut self) {
        for daemon in &mut self.daemons {
            // Salt's daemons take their workers with them on SIGTERM, not on SIGKILL.
            let pid = nix::unistd::Pid::from_raw(daemon.id() as i32);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
        }
        for daemon in &mut self.daemons {
            let _ = daemon.wait();
        }
    }
}

fn run(command: &mut Command) {
    let status = command.stdin(Stdio::null()).status().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?} failed");
}
