//! A whole fleet on one machine, as `ctl`'s documentation lays it out: a folder `m` whose file
//! `master` configures the master, folders `h1`, `h2`, … whose file `minion` configures one
//! minion each, and a `root_dir` of its own in every one.
//!
//! Each fleet has an address of its own in 127.0.0.0/8, so that any number of them run beside
//! each other on one port, and a restarted master finds its port free.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Read as _,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    binary,
    hosts::Net,
    process::{Daemon, Recipe, Running},
    ran::tail,
    wait::{self, secs},
};

pub use crate::ran::Ran;

/// The port of every fleet: below those that the system hands out for outgoing connections.
pub const PORT: u16 = 14510;

/// How the fleet's frames travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    Zeromq,
}

impl Transport {
    /// As the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Zeromq => "zeromq",
        }
    }
}

/// What a fleet shall be like; [`Plan::start`] makes it so.
pub struct Plan {
    transport: Transport,
    ids: Vec<String>,
    auto_accept: bool,
    master: String,
    minion: Box<dyn Fn(usize) -> String>,
    env: Vec<(String, String)>,
    net: Option<Net>,
}

impl Plan {
    /// Minions `h1` to `hN`.
    pub fn minions(mut self, count: usize) -> Self {
        self.ids = (1..=count).map(|i| format!("h{i}")).collect();
        self
    }

    /// Minions of these names.
    pub fn named(mut self, ids: &[&str]) -> Self {
        self.ids = ids.iter().map(|&id| id.to_owned()).collect();
        self
    }

    /// Keys wait for `ctl key accept`.
    pub fn accept_by_hand(mut self) -> Self {
        self.auto_accept = false;
        self
    }

    /// Further lines of the master's configuration (YAML).
    pub fn master(mut self, lines: &str) -> Self {
        let _ = writeln!(self.master, "{lines}");
        self
    }

    /// Further lines of each minion's configuration, by its place (0 is `h1`).
    pub fn minion(mut self, lines: impl Fn(usize) -> String + 'static) -> Self {
        self.minion = Box::new(lines);
        self
    }

    /// An environment variable of all daemons.
    pub fn env(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.into(), value.into()));
        self
    }

    /// Each daemon on a host of its own; there must be one host more than minions, the first
    /// being the master's.
    pub fn on(mut self, net: Net) -> Self {
        self.net = Some(net);
        self
    }

    /// The folders and configuration of the fleet; nothing runs yet.
    pub fn lay_out(self) -> Fleet {
        Fleet::lay_out(self)
    }

    /// Starts master and minions, and waits until all minions are connected (or, with
    /// [`Plan::accept_by_hand`], until all their keys are pending).
    #[track_caller]
    pub fn start(self) -> Fleet {
        let by_hand = !self.auto_accept;
        let mut fleet = self.lay_out();
        fleet.start_master();
        for minion in &mut fleet.minions {
            minion.daemon.start();
        }
        match by_hand {
            false => fleet.wait_connected(fleet.minions.len()),
            true => fleet.wait_pending(fleet.minions.len()),
        }
        fleet
    }
}

/// One minion of a fleet.
pub struct Minion {
    pub id: String,
    /// Its configuration folder; `root` beneath it holds all that it writes.
    pub dir: PathBuf,
    pub daemon: Daemon,
}

/// A master and its minions as real processes, and a `ctl` to question them.
pub struct Fleet {
    pub master: Daemon,
    pub minions: Vec<Minion>,
    pub net: Option<Net>,
    /// Where `ctl` finds its configuration; the master's folder unless a test says otherwise.
    pub ctl_dir: PathBuf,
    /// Words to put before `ctl`.
    wrap: Vec<String>,
    address: String,
    transport: Transport,
    began: Instant,
    // Dropped last: the daemons above write into it.
    dir: tempfile::TempDir,
}

impl Fleet {
    /// Three minions, keys accepted at once; change that, then [`Plan::start`].
    #[expect(clippy::new_ret_no_self, reason = "a fleet is planned, then started")]
    pub fn new(transport: Transport) -> Plan {
        let plan = Plan {
            transport,
            ids: Vec::new(),
            auto_accept: true,
            master: String::new(),
            minion: Box::new(|_| String::new()),
            env: Vec::new(),
            net: None,
        };
        plan.minions(3)
    }

    fn lay_out(plan: Plan) -> Self {
        let dir = tempfile::Builder::new().prefix("overstate-").tempdir().expect("a temporary folder can be made");
        let address = plan.net.as_ref().map_or_else(own_address, |net| net.hosts[0].address.clone());
        let Plan { transport, auto_accept, .. } = plan;
        let tag = ("OVERSTATE_TEST_FLEET".to_owned(), dir.path().display().to_string());
        let daemon = |home: &Path, command: &str, host: usize| {
            let wrap = plan.net.as_ref().map_or_else(Vec::new, |net| net.hosts[host].wrap());
            let whose = ("TEST_MINION".to_owned(), home.file_name().unwrap_or_default().to_string_lossy().into_owned());
            let env = plan.env.iter().cloned().chain([tag.clone(), whose]).collect();
            let args = vec!["--config-dir".into(), home.into(), command.into()];
            Daemon::new(Recipe { wrap, program: binary::ctl().to_owned(), args, env, log: home.join("log") })
        };

        let home = dir.path().join("m");
        let root = home.join("root");
        configure(
            &home.join("master"),
            &format!(
                "interface: {address}\nport: {PORT}\nroot_dir: {}\nauto_accept: {auto_accept}\ntransport: {}\n{}",
                root.display(),
                transport.name(),
                plan.master
            ),
        );
        let master = daemon(&home, "master", 0);
        let minions = plan.ids.iter().enumerate().map(|(i, id)| {
            let home = dir.path().join(id);
            configure(
                &home.join("minion"),
                &format!(
                    "id: {id}\nmaster: '{address}:{PORT}'\nroot_dir: {}\ntransport: {}\n{}",
                    home.join("root").display(),
                    transport.name(),
                    (plan.minion)(i)
                ),
            );
            Minion { id: id.clone(), daemon: daemon(&home, "minion", i + 1), dir: home }
        });
        let minions = minions.collect();
        let wrap = plan.net.as_ref().map_or_else(Vec::new, |net| net.hosts[0].wrap());
        Self { master, minions, net: plan.net, ctl_dir: home, wrap, address, transport, began: Instant::now(), dir }
    }

    /// `HOST:PORT` of the master.
    pub fn address(&self) -> String {
        format!("{}:{PORT}", self.address)
    }

    /// All of it is to be started on another machine that sees its folder: these words come before each command.
    pub fn live_in(&mut self, wrap: Vec<String>) {
        self.master.recipe_mut().wrap.clone_from(&wrap);
        for minion in &mut self.minions {
            minion.daemon.recipe_mut().wrap.clone_from(&wrap);
        }
        self.wrap = wrap;
    }

    /// The folder of everything.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The master's configuration folder.
    pub fn master_dir(&self) -> PathBuf {
        self.dir.path().join("m")
    }

    /// Replaces a line of the master's configuration, or adds it.
    pub fn configure_master(&self, key: &str, value: &str) {
        let file = self.master_dir().join("master");
        let old = fs::read_to_string(&file).expect("the configuration was written");
        let kept = old.lines().filter(|line| !line.starts_with(&format!("{key}:")));
        let text: String = kept.chain([format!("{key}: {value}").as_str()]).flat_map(|line| [line, "\n"]).collect();
        configure(&file, &text);
    }

    /// Starts the master, again if need be, and waits until it answers.
    #[track_caller]
    pub fn start_master(&mut self) {
        self.master.start();
        let limit = Instant::now() + secs(30);
        while self.ctl(&["minion", "list", "--out", "json"]).code != 0 {
            assert!(self.master.is_running(), "the master ended at its start:\n{}", self.master.log());
            assert!(Instant::now() < limit, "the master does not answer:\n{}", self.master.log());
            std::thread::sleep(Duration::from_millis(20));
        }
        self.check_transport();
    }

    /// A fleet that is to speak ZeroMQ must not silently speak TCP: whoever speaks ZMTP says so
    /// with its first byte, unasked.
    #[track_caller]
    fn check_transport(&self) {
        if self.net.is_some() || self.transport == Transport::Tcp {
            return;
        }
        let mut socket = TcpStream::connect(self.address()).expect("the master listens");
        socket.set_read_timeout(Some(secs(10))).expect("a time-out can be set");
        let mut first = [0];
        let read = socket.read_exact(&mut first).map(|()| first[0]);
        assert_eq!(read.ok(), Some(0xff), "the master does not speak ZeroMQ");
    }

    /// The minion of that id.
    pub fn minion(&mut self, id: &str) -> &mut Minion {
        self.minions.iter_mut().find(|minion| minion.id == id).unwrap_or_else(|| panic!("no minion {id}"))
    }

    /// A `ctl` command line against this fleet's master, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        self.command_from(&self.ctl_dir, args)
    }

    /// The same with another configuration folder.
    pub fn command_from(&self, config_dir: &Path, args: &[&str]) -> Command {
        let mut all = vec!["--config-dir".into(), config_dir.into()];
        all.extend(args.iter().map(Into::into));
        let env = vec![("NO_COLOR".into(), "1".into())];
        Recipe { wrap: self.wrap.clone(), program: binary::ctl().to_owned(), args: all, env, log: PathBuf::new() }
            .command()
    }

    /// Runs `ctl` to its end, a minute at most.
    #[track_caller]
    pub fn ctl(&self, args: &[&str]) -> Ran {
        Ran::of(args, self.begin(args).wait(secs(60)))
    }

    /// Starts `ctl` beside the test.
    pub fn begin(&self, args: &[&str]) -> Running {
        Running::start(self.command(args))
    }

    /// Waits until `count` minions are connected.
    #[track_caller]
    pub fn wait_connected(&self, count: usize) {
        let limit = secs(30) + Duration::from_millis(300) * u32::try_from(count).unwrap_or(u32::MAX);
        wait::until(limit, &format!("{count} connected minions"), || (self.connected().len() >= count).then_some(()));
    }

    /// Waits until the master knows that this minion is (not) connected.
    #[track_caller]
    pub fn wait_presence(&self, id: &str, connected: bool, limit: Duration) {
        let what = format!("{id} to be {}", if connected { "connected" } else { "away" });
        wait::until(limit, &what, || (self.connected().iter().any(|found| found == id) == connected).then_some(()));
    }

    #[track_caller]
    fn wait_pending(&self, count: usize) {
        wait::until(secs(30), &format!("{count} pending keys"), || (self.keys("pending").len() >= count).then_some(()));
    }

    /// The ids of the connected minions.
    #[track_caller]
    pub fn connected(&self) -> Vec<String> {
        let rows = self.ctl(&["minion", "list", "--out", "json"]);
        if rows.code != 0 {
            return Vec::new();
        }
        ids_where(&rows.json(), |row| row["connected"] == Value::Bool(true))
    }

    /// The ids of the keys in that state (`pending`, `accepted`, `rejected`).
    #[track_caller]
    pub fn keys(&self, state: &str) -> Vec<String> {
        let rows = self.ctl(&["key", "list", "--out", "json"]).expect(0).json();
        ids_where(&rows, |row| row["state"] == state)
    }
}

/// What the master's ledger says of one job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Pairs that ended: outcome and value, by minion.
    pub ends: BTreeMap<String, (String, Value)>,
    /// Pairs that have not, with how far each has come.
    pub open: BTreeMap<String, String>,
    /// The whole answer of `ctl job show`.
    pub detail: Value,
}

impl Job {
    /// How many pairs ended with this outcome.
    pub fn count(&self, outcome: &str) -> usize {
        self.ends.values().filter(|(found, _)| found == outcome).count()
    }
}

impl Fleet {
    /// Starts a run that nobody follows, and gives its id.
    #[track_caller]
    pub fn launch(&self, args: &[&str]) -> String {
        let all: Vec<&str> = ["run"].iter().chain(args).chain(&["--async", "--out", "json"]).copied().collect();
        let answer = self.ctl(&all).expect(0).json();
        answer["jid"].as_str().unwrap_or_else(|| panic!("no jid in {answer}")).to_owned()
    }

    /// The ledger's word on a job.
    #[track_caller]
    pub fn job(&self, jid: &str) -> Job {
        let detail = self.ctl(&["job", "show", jid, "--out", "json"]).expect(0).json();
        let rows = |key: &str| detail[key].as_object().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let ends =
            rows("minions").into_iter().map(|(id, end)| (id, (text(&end["outcome"]), end["return"].clone()))).collect();
        let open = rows("open").into_iter().map(|(id, state)| (id, text(&state))).collect();
        Job { ends, open, detail }
    }

    /// Waits until every pair of the job has ended.
    #[track_caller]
    pub fn wait_job(&self, jid: &str, limit: Duration) -> Job {
        wait::until(limit, &format!("the end of job {jid}"), || {
            let job = self.job(jid);
            (job.open.is_empty() && !job.ends.is_empty()).then_some(job)
        })
    }

    /// A shell command that leaves one mark of its minion behind each time it is run.
    pub fn mark(&self, name: &str) -> String {
        format!("echo ran >> {}/{name}.$TEST_MINION", self.path().display())
    }

    /// How many marks each minion has left.
    pub fn marks(&self, name: &str) -> BTreeMap<String, usize> {
        let count = |minion: &Minion| {
            let file = self.path().join(format!("{name}.{}", minion.id));
            let text = fs::read_to_string(file).unwrap_or_default();
            (minion.id.clone(), text.lines().count())
        };
        self.minions.iter().map(count).collect()
    }

    /// Asserts that every minion has run the marking command exactly so often.
    #[track_caller]
    pub fn assert_marks(&self, name: &str, times: usize) {
        let marks = self.marks(name);
        let wrong: Vec<_> = marks.iter().filter(|&(_, &count)| count != times).collect();
        assert!(wrong.is_empty(), "each was to run {times} times; these did not: {wrong:?}");
    }
}

/// Ids of the rows of a listing: a list of objects with an `id`.
fn ids_where(rows: &Value, keep: impl Fn(&Value) -> bool) -> Vec<String> {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    rows.iter().filter(|row| keep(row)).filter_map(|row| Some(row["id"].as_str()?.to_owned())).collect()
}

impl Drop for Fleet {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = [("master", &self.master)].into_iter();
            let logs = logs.chain(self.minions.iter().take(4).map(|minion| (minion.id.as_str(), &minion.daemon)));
            eprintln!("-- after {:?}", self.began.elapsed());
            for (name, daemon) in logs {
                eprintln!("-- log of {name}\n{}", tail(&daemon.log(), 40));
            }
        }
        self.end_strays();
    }
}

impl Fleet {
    /// Commands that jobs started outlive a minion that was killed. They carry the fleet's tag in
    /// their environment.
    fn end_strays(&mut self) {
        let daemons = self.minions.drain(..).map(|minion| minion.daemon);
        drop(daemons.collect::<Vec<_>>());
        let tag = format!("OVERSTATE_TEST_FLEET={}", self.dir.path().display());
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes {
            let Ok(pid) = process.file_name().to_string_lossy().parse::<i32>() else { continue };
            let environ = fs::read(process.path().join("environ")).unwrap_or_default();
            if environ.split(|&byte| byte == 0).any(|entry| entry == tag.as_bytes()) {
                // It may end by itself in the meantime.
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL);
            }
        }
    }
}

/// Writes a configuration file that only its owner reads.
fn configure(file: &Path, text: &str) {
    fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("the temporary folder can be written");
    fs::write(file, text).expect("the temporary folder can be written");
}

/// An address of 127.0.0.0/8 that no other fleet of this machine uses.
fn own_address() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let fleet = NEXT.fetch_add(1, Ordering::Relaxed) % 120 + 1;
    let pid = std::process::id();
    format!("127.{fleet}.{}.{}", (pid >> 8) & 0xff, pid & 0xff)
}
