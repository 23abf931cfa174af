//! A master and minions as processes of this program, for `ctl dev`.

pub mod folder;

use std::{
    fs, io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use indexmap::IndexMap;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use proto::{Map, Value, layout, message::Query};
use serde_json::json;

use crate::{
    cli::Global,
    client::{Client, Reply},
    compat::Roots,
    error::Error,
    term,
};
use folder::{TAG, cannot, make_private, parent_folder, sweep};

/// How long the cluster may take to stand.
const START: Duration = Duration::from_secs(30);
/// How long daemons have to end by themselves.
const END: Duration = Duration::from_secs(2);

/// A running test cluster.
pub struct Cluster {
    pub folder: PathBuf,
    daemons: Vec<Daemon>,
    /// Removes the folder when we are gone, in whatever way.
    janitor: Child,
}

struct Daemon {
    name: String,
    home: PathBuf,
    child: Child,
}

impl Daemon {
    fn obituary(&self, status: std::process::ExitStatus) -> String {
        let what = if self.name == "master" { "master" } else { "minion" };
        let again = format!("ctl --config-dir {} {what}", self.home.display());
        let hint = Error::failed(format!("{} ended: {status}; the others go on", self.name))
            .hint(format!("to start it again:  {again}"))
            .hint(format!("its log is {}", self.home.join("log").display()));
        hint.render()
    }
}

impl Cluster {
    /// An empty folder, and somebody who will remove it.
    pub fn begin() -> Result<Self, Error> {
        let parent = parent_folder()?;
        sweep(&parent);
        let folder = parent.join(std::process::id().to_string());
        make_private(&folder)?;
        let janitor = Command::new(program()?)
            .args(["dev".as_ref(), "--janitor".as_ref(), folder.as_os_str()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| cannot(&folder, &error))?;
        Ok(Self { folder, daemons: Vec::new(), janitor })
    }

    pub fn master_dir(&self) -> PathBuf {
        self.folder.join("master")
    }

    /// Starts a master and these minions, each with keys of its own for its configuration.
    pub async fn start(
        &mut self,
        minions: &IndexMap<String, Map>,
        master: &Map,
        roots: Option<&Roots>,
        global: &Global,
    ) -> Result<(), Error> {
        let dir = self.master_dir();
        let root = dir.join("root");
        let mut config = Map::new();
        for (key, folder) in roots.map(Roots::keys).unwrap_or_default() {
            config.insert(key.into(), json!({"base": [folder]}));
        }
        let own = [
            ("interface", json!("127.0.0.1")),
            ("port", json!(0)),
            ("root_dir", json!(root)),
            ("auto_accept", json!(true)),
        ];
        config.extend(own.map(|(key, value)| (key.to_owned(), value)));
        config.extend(master.clone());
        self.daemon("master", "master", &dir, &config)?;
        let port = self.port(&root.join(layout::PORT_FILE)).await?;
        // Whoever starts the master again by hand shall find the minions there.
        if !master.contains_key("port") {
            config.insert("port".into(), json!(port));
            configure(&dir.join("master"), &config).map_err(|error| cannot(&dir, &error))?;
        }
        for (id, keys) in minions {
            let dir = self.folder.join(id);
            let own = [
                ("id", json!(id)),
                ("master", json!(format!("127.0.0.1:{port}"))),
                ("root_dir", json!(dir.join("root"))),
            ];
            let own = own.map(|(key, value)| (key.to_owned(), value));
            self.daemon(id, "minion", &dir, &own.into_iter().chain(keys.clone()).collect())?;
        }
        self.connected(minions.len(), global).await
    }

    fn daemon(&mut self, name: &str, command: &str, home: &Path, config: &Map) -> Result<(), Error> {
        make_private(home)?;
        let prepare = || -> io::Result<Child> {
            configure(&home.join(command), config)?;
            let log = fs::File::create(home.join("log"))?;
            Command::new(std::env::current_exe()?)
                .args(["--config-dir".as_ref(), home.as_os_str(), command.as_ref()])
                .args(["--parent", &std::process::id().to_string()])
                .env(TAG, &self.folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log)
                .process_group(0)
                .spawn()
        };
        let child = prepare().map_err(|error| cannot(home, &error))?;
        self.daemons.push(Daemon { name: name.into(), home: home.to_owned(), child });
        Ok(())
    }

    /// The port that the master chose.
    async fn port(&mut self, file: &Path) -> Result<u16, Error> {
        let limit = Instant::now() + START;
        loop {
            if let Some(port) = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()) {
                return Ok(port);
            }
            self.alive()?;
            if Instant::now() > limit {
                return Err(Error::failed(format!("the master did not start within {} s", START.as_secs()))
                    .hint(log(&self.daemons[0])));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn connected(&mut self, count: usize, global: &Global) -> Result<(), Error> {
        let limit = Instant::now() + START;
        let mut client = Client::connect(&self.view(global)).await?;
        loop {
            let rows = match client.answer(Query::Minions { id: None }).await? {
                Reply::Minions(rows) => rows,
                other => return Err(client.unexpected(&other)),
            };
            let here = rows.iter().filter(|row| row.connected).count();
            if here >= count {
                return Ok(());
            }
            self.alive()?;
            if Instant::now() > limit {
                let late = self
                    .daemons
                    .iter()
                    .find(|d| !rows.iter().any(|row| row.connected && row.id.as_str() == d.name) && d.name != "master");
                return Err(Error::failed(format!("{here} of {count} minions came within {} s", START.as_secs()))
                    .hints(late.map(log)));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The options of a `ctl` that talks to this cluster.
    fn view(&self, global: &Global) -> Global {
        Global { config_dir: Some(self.master_dir()), master: None, dev: false, ..global.clone() }
    }

    /// # Errors
    /// A daemon that has ended.
    pub fn alive(&mut self) -> Result<(), Error> {
        for daemon in &mut self.daemons {
            if let Ok(Some(status)) = daemon.child.try_wait() {
                return Err(Error::failed(format!("{} ended: {status}", daemon.name)).hint(log(daemon)));
            }
        }
        Ok(())
    }

    /// Drops the daemons that have ended, and says how each did and how it is started again.
    pub fn ended(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        self.daemons.retain_mut(|daemon| match daemon.child.try_wait() {
            Ok(Some(status)) => {
                told.push(daemon.obituary(status));
                false
            }
            _ => true,
        });
        told
    }

    pub fn is_empty(&self) -> bool {
        self.daemons.is_empty()
    }

    /// Ends the daemons, then has the folder removed.
    pub fn end(mut self) {
        let limit = Instant::now() + END;
        for daemon in &self.daemons {
            let _ = kill(Pid::from_raw(daemon.child.id().cast_signed()), Signal::SIGTERM);
        }
        for daemon in &mut self.daemons {
            while matches!(daemon.child.try_wait(), Ok(None)) && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(5));
            }
            let _ = daemon.child.kill();
            let _ = daemon.child.wait();
        }
        drop(self.janitor.stdin.take());
        let _ = self.janitor.wait();
    }
}

/// Writes a configuration: each key on a line of its own; a value in JSON is one in YAML too.
fn configure(file: &Path, config: &Map) -> io::Result<()> {
    let line = |(key, value): (&String, &Value)| format!("{}: {value}\n", json!(key));
    fs::write(file, config.iter().map(line).collect::<String>())
}

/// This program's file.
pub fn program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|error| Error::nothing(format!("cannot find this program's file: {error}")))
}

/// The last lines of a daemon's log.
fn log(daemon: &Daemon) -> String {
    let text = fs::read_to_string(daemon.home.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(10)..];
    format!("the log of {} ends with\n{}", daemon.name, term::clean(&tail.join("\n")))
}
