//! A swarm: the real agent, many times in one process, each with keys, spool and full grains of
//! its own. Only its host is in memory: commands succeed without being started.

use std::{
    fs, io,
    io::BufRead,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use minion::{
    agent::{Agent, Parts},
    config::{Config, Keys},
    host::System,
    pki,
    spool::Spool,
};
use proto::{JobId, Map, Outcome, Return, Value};
use states::{Host, Look, Output, Stat};
use tokio_util::sync::CancellationToken;

/// Where the agents' own files lie: a thousand hosts do not share one disk.
const MEMORY: &str = "/dev/shm";

/// The folders of a swarm; a swarm that comes back finds what it left.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir_in(MEMORY).expect("a folder in memory"))
    }
}

/// A swarm's process, ended with this.
pub struct Swarm {
    child: Child,
    /// When it began to connect.
    pub began: Instant,
}

impl Swarm {
    /// Starts `count` agents that connect to `address`. Each finds returns of `jids` in its spool.
    pub fn start(address: &str, count: usize, home: &Home, jids: &[JobId]) -> Self {
        Self::with_checks(address, count, home, jids, 0)
    }

    /// The same, where each has so many checks: they read nothing of the host.
    pub fn with_checks(address: &str, count: usize, home: &Home, jids: &[JobId], checks: usize) -> Self {
        let folder = home.0.path();
        let file = folder.join("spooled");
        let lines: String = jids.iter().map(|jid| format!("{jid}\n")).collect();
        fs::write(&file, lines).expect("a file");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["agents", address, &count.to_string()])
            .args([folder, &file])
            .arg(checks.to_string())
            // Ten thousand minions have a heap each, which the others do not make smaller and larger all the time.
            .envs([("MALLOC_TRIM_THRESHOLD_", "1073741824"), ("MALLOC_TOP_PAD_", "1048576")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the swarm");
        let mut line = String::new();
        io::BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("its word");
        assert_eq!(line.trim(), "connecting", "the swarm did not start");
        Self { child, began: Instant::now() }
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The swarm's own process.
pub fn main(address: &str, count: usize, folder: &Path, spooled: &Path, checks: usize) {
    let jids: Vec<JobId> = fs::read_to_string(spooled)
        .expect("the list of jobs")
        .lines()
        .map(|line| line.parse().expect("a job id"))
        .collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let agents: Vec<Agent> = runtime.block_on(async {
        let mut agents = Vec::new();
        for n in 0..count {
            agents.push(agent(address, n, &folder.join("swarm").join(n.to_string()), &jids, checks).await);
        }
        agents
    });
    println!("connecting");
    runtime.block_on(async {
        for agent in agents {
            tokio::spawn(async move { agent.run(CancellationToken::new()).await });
        }
        std::future::pending::<()>().await;
    });
}

async fn agent(address: &str, n: usize, root: &Path, jids: &[JobId], checks: usize) -> Agent {
    let check =
        |n: usize| (format!("clock{n}"), serde_json::json!({"check": "clock", "interval": 3600, "warning": 9999}));
    // Those that every host has would be looked at ten thousand times on this one.
    let checks = if checks == 0 { Value::Bool(false) } else { Value::Object((0..checks).map(check).collect()) };
    let (id, master, root_dir) = (Some(format!("s{n}")), address.into(), root.into());
    let given = Map::from_iter([("checks".to_owned(), checks.clone())]);
    let config = Config::new(root, Keys { id, master, root_dir, checks, ..Keys::default() }, given);
    let config = config.expect("a configuration");
    fs::create_dir_all(root).expect("a folder");
    if !jids.is_empty() {
        let spool = Spool::new(root, 64 << 20);
        for ret in jids.iter().map(|jid| answer(*jid)) {
            spool.keep(ret.pack()).await.expect("the spool keeps it");
        }
    }
    let grains = grains(n, &config);
    Agent::new(Parts {
        config,
        local: pki::local(root).expect("keys"),
        pinned: pki::Pinned::load(root).expect("the known master"),
        system: Arc::new(Memory { grains: grains.clone() }),
        grains,
        detect: None,
        child: None,
    })
}

fn answer(jid: JobId) -> Return {
    let now = jid.micros();
    Return {
        jid,
        outcome: Outcome::Ok,
        value: Value::Bool(true),
        retcode: 0,
        started: now,
        duration: 100,
        truncated: false,
    }
}

/// As many grains as a real host has, some of them this minion's own.
fn grains(n: usize, config: &Config) -> Map {
    static REAL: std::sync::OnceLock<Map> = std::sync::OnceLock::new();
    let mut grains = REAL.get_or_init(|| minion::grains::of(config)).clone();
    let mut own = |name: &str, value: String| grains.insert(name.into(), value.into());
    own("id", format!("s{n}"));
    own("host", format!("s{n}"));
    own("nodename", format!("s{n}"));
    own("fqdn", format!("s{n}.swarm.example"));
    own("machine_id", format!("{n:032x}"));
    grains.insert(
        "ipv4".into(),
        serde_json::json!(["127.0.0.1", format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255)]),
    );
    grains
}

/// A host in memory.
struct Memory {
    grains: Map,
}

fn nothing<T>() -> io::Result<T> {
    Err(io::ErrorKind::NotFound.into())
}

impl Look for Memory {
    fn grains(&self) -> &Map {
        &self.grains
    }
    fn read(&self, _: &Path, _: u64) -> io::Result<Vec<u8>> {
        nothing()
    }
    fn stat(&self, _: &Path) -> io::Result<Stat> {
        nothing()
    }
    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        nothing()
    }
    fn read_link(&self, _: &Path) -> io::Result<PathBuf> {
        nothing()
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        Some(Path::new("/usr/bin").join(program))
    }
    fn probe(&self, _: &states::Command) -> io::Result<Output> {
        Ok(Output::default())
    }
}

impl Host for Memory {
    fn run(&self, _: &states::Command) -> io::Result<Output> {
        Ok(Output::default())
    }
    fn write(&self, _: &Path, _: &[u8], _: u32) -> io::Result<()> {
        Ok(())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn make_dir(&self, _: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }
    fn symlink(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Ok(())
    }
    fn set_mode(&self, _: &Path, _: u32) -> io::Result<()> {
        Ok(())
    }
    fn set_owner(&self, _: &Path, _: Option<u32>, _: Option<u32>) -> io::Result<()> {
        Ok(())
    }
}

impl System for Memory {}
