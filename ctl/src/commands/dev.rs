//! `ctl dev`: a real master and real minions in this terminal, gone when it ends.

use std::{
    fs, io,
    os::unix::{
        fs::{DirBuilderExt as _, MetadataExt as _},
        process::CommandExt as _,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, geteuid},
};
use proto::{
    layout,
    message::{Query, Reply},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::Global,
    client::{Client, block_on},
    error::{Error, Exit, Outcome},
    term,
};

/// A master and minions to try things with, in this terminal
///
///   ctl dev                                   until Ctrl-C; `ctl --dev …` elsewhere reaches it
///   ctl dev --minions 10
///   ctl dev -- run '*' cmd uptime             one command line, then it all goes away
///
/// They are real processes that talk over TCP, in a temporary folder.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    /// How many minions
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=1000))]
    minions: u16,
    /// A command line of ctl to run there; its exit code becomes ours
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Remove this folder, and what runs from it, once standard input ends
    #[arg(long, hide = true, value_name = "DIR", conflicts_with = "command")]
    janitor: Option<PathBuf>,
}

/// How long the cluster may take to stand.
const START: Duration = Duration::from_secs(30);
/// How long daemons have to end by themselves.
const END: Duration = Duration::from_secs(2);
/// What the processes of a cluster carry in their environment, with its folder.
const TAG: &str = "OVERSTATE_DEV";

pub fn run(args: Args, global: &Global) -> Outcome {
    if let Some(folder) = args.janitor {
        return janitor(&folder);
    }
    let start = Instant::now();
    let mut cluster = Cluster::begin()?;
    let outcome = block_on(async {
        // From here on a signal is noticed, and does not end us before the cluster.
        let mut stop = Stop::listen()?;
        tokio::select! {
            started = cluster.start(args.minions, global) => started?,
            () = stop.wait() => return Ok(Exit::INTERRUPTED),
        }
        match args.command.is_empty() {
            true => {
                term::result(&welcome(&cluster, args.minions, start.elapsed()))?;
                cluster.stand(&mut stop).await
            }
            false => cluster.carry_out(&args.command, global).await,
        }
    });
    cluster.end();
    outcome
}

/// Signals that end the cluster.
struct Stop {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> Result<Self, Error> {
        let listen =
            |kind| signal(kind).map_err(|error| Error::nothing(format!("signals cannot be received: {error}")));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

/// A running test cluster.
struct Cluster {
    folder: PathBuf,
    daemons: Vec<Daemon>,
    /// Removes the folder when we are gone, in whatever way.
    janitor: Child,
}

struct Daemon {
    name: String,
    home: PathBuf,
    child: Child,
}

impl Cluster {
    /// An empty folder, and somebody who will remove it.
    fn begin() -> Result<Self, Error> {
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

    fn master_dir(&self) -> PathBuf {
        self.folder.join("master")
    }

    async fn start(&mut self, minions: u16, global: &Global) -> Result<(), Error> {
        let dir = self.master_dir();
        let root = dir.join("root");
        let config = format!("interface: 127.0.0.1\nport: 0\nroot_dir: {}\nauto_accept: true\n", root.display());
        self.daemon("master", "master", &dir, &config)?;
        let port = self.port(&root.join(layout::PORT_FILE)).await?;
        for (index, id) in names(minions).into_iter().enumerate() {
            let dir = self.folder.join(&id);
            let role = id.trim_end_matches(|c: char| c.is_ascii_digit());
            let config = format!(
                "id: {id}\nmaster: '127.0.0.1:{port}'\nroot_dir: {}\ngrains:\n  role: {role}\n  rack: r{}\n",
                dir.join("root").display(),
                index % 2 + 1
            );
            self.daemon(&id, "minion", &dir, &config)?;
        }
        self.connected(minions.into(), global).await
    }

    fn daemon(&mut self, name: &str, command: &str, home: &Path, config: &str) -> Result<(), Error> {
        make_private(home)?;
        let prepare = || -> io::Result<Child> {
            fs::write(home.join(command), config)?;
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
    fn alive(&mut self) -> Result<(), Error> {
        for daemon in &mut self.daemons {
            if let Ok(Some(status)) = daemon.child.try_wait() {
                return Err(Error::failed(format!("{} ended: {status}", daemon.name)).hint(log(daemon)));
            }
        }
        Ok(())
    }

    async fn stand(&mut self, stop: &mut Stop) -> Outcome {
        loop {
            tokio::select! {
                () = stop.wait() => return Ok(Exit::OK),
                () = tokio::time::sleep(Duration::from_millis(500)) => self.alive()?,
            }
        }
    }

    /// Runs a command line of `ctl` against this cluster. Ctrl-C is its own business.
    async fn carry_out(&self, words: &[String], global: &Global) -> Outcome {
        let words = match words {
            [first, rest @ ..] if first == "ctl" => rest,
            words => words,
        };
        let mut command = Command::new(program()?);
        command.arg("--config-dir").arg(self.master_dir()).args(passed_on(global)).args(words);
        let mut child = tokio::process::Command::from(command)
            .spawn()
            .map_err(|error| Error::nothing(format!("ctl cannot be started: {error}")))?;
        let status = child.wait().await.map_err(|error| Error::failed(format!("ctl cannot be waited for: {error}")))?;
        use std::os::unix::process::ExitStatusExt as _;
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Ok(Exit(u8::try_from(code).unwrap_or(1)))
    }

    /// Ends the daemons, then has the folder removed.
    fn end(mut self) {
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

fn program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|error| Error::nothing(format!("cannot find this program's file: {error}")))
}

/// Global options that were given before `dev` and are meant for the command behind it.
fn passed_on(global: &Global) -> Vec<String> {
    use clap::ValueEnum as _;
    let mut words = Vec::new();
    if let Some(format) = global.out.and_then(|format| Some(format.to_possible_value()?.get_name().to_owned())) {
        words.extend(["--out".to_owned(), format]);
    }
    if let Some(color) = global.color.to_possible_value() {
        words.extend(["--color".to_owned(), color.get_name().to_owned()]);
    }
    words.extend(std::iter::repeat_n("-v".to_owned(), global.verbose.into()));
    words.extend(global.quiet.then(|| "-q".to_owned()));
    words
}

/// `web1 web2 db1 web3 web4 db2 …`: something to aim at.
fn names(count: u16) -> Vec<String> {
    (0..count)
        .map(|i| if i % 3 == 2 { format!("db{}", i / 3 + 1) } else { format!("web{}", i / 3 * 2 + i % 3 + 1) })
        .collect()
}

/// The last lines of a daemon's log.
fn log(daemon: &Daemon) -> String {
    let text = fs::read_to_string(daemon.home.join("log")).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = &lines[lines.len().saturating_sub(10)..];
    format!("the log of {} ends with\n{}", daemon.name, term::clean(&tail.join("\n")))
}

fn cannot(path: &Path, error: &io::Error) -> Error {
    Error::nothing(format!("{}: {}", path.display(), crate::access::plain(error)))
        .hint("TMPDIR says where temporary folders are made")
}

fn welcome(cluster: &Cluster, minions: u16, took: Duration) -> String {
    let called = std::env::args().next().filter(|name| name.contains('/')).unwrap_or_else(|| "ctl".into());
    let names = names(minions);
    let shown = if names.len() > 12 {
        format!("{} … {}", names[..3].join(" "), names[names.len() - 1])
    } else {
        names.join(" ")
    };
    let next =
        ["run '*' test.ping", "run 'web*' cmd uptime", "run 'G@role:db' -- df -h /", "minion list", "event watch"]
            .map(|words| format!("  {}\n", term::paint(term::BOLD, format_args!("{called} --dev {words}"))))
            .concat();
    format!(
        "A master and {minions} minions are running after {:.1} s: {shown}\n\nIn another terminal:\n{next}\n\
         Logs and all else are in {}\nCtrl-C ends it and removes that folder.\n",
        took.as_secs_f64(),
        cluster.folder.display()
    )
}

/// The folder of this user's clusters, which nobody else can read or write.
fn parent_folder() -> Result<PathBuf, Error> {
    let folder = std::env::temp_dir().join(format!("overstate-dev-{}", geteuid()));
    make_private(&folder)?;
    Ok(folder)
}

/// Makes a folder that only its owner enters; one that is there must be such a one.
fn make_private(folder: &Path) -> Result<(), Error> {
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => check_private(folder),
        made => made.map_err(|error| cannot(folder, &error)),
    }
}

/// Somebody else's folder in `/tmp` could hold any key and any master.
fn check_private(folder: &Path) -> Result<(), Error> {
    let status = fs::symlink_metadata(folder).map_err(|error| cannot(folder, &error))?;
    if status.is_dir() && status.uid() == geteuid().as_raw() && status.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::nothing(format!("{} is not a private folder of yours", folder.display()))
        .hint("remove it, or set TMPDIR to a folder of your own"))
}

/// The clusters in a folder, with their processes: those that still run.
fn clusters(parent: &Path) -> Vec<(PathBuf, bool)> {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            let running = Path::new("/proc").join(pid.to_string()).exists();
            let made = entry.metadata().ok()?.modified().ok()?;
            Some((made, entry.path(), running))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path, running)| (path, running)).collect()
}

/// Removes what a machine that went down has left.
fn sweep(parent: &Path) {
    for (folder, running) in clusters(parent) {
        if !running {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The configuration folder of the newest cluster of this user: `ctl --dev`.
pub fn newest() -> Result<PathBuf, Error> {
    let parent = std::env::temp_dir().join(format!("overstate-dev-{}", geteuid()));
    let none = || Error::nothing("no test cluster is running").hint("`ctl dev` starts one, in another terminal");
    if !parent.exists() {
        return Err(none());
    }
    check_private(&parent)?;
    let running = clusters(&parent).into_iter().filter(|(_, running)| *running);
    running.map(|(folder, _)| folder.join("master")).next_back().ok_or_else(none)
}

/// Waits for the end of standard input, which comes when the cluster's process ends in whatever
/// way; then ends what jobs have left running, and removes the folder.
fn janitor(folder: &Path) -> Outcome {
    let parent = parent_folder()?;
    if folder.parent() != Some(&parent) {
        return Err(Error::nothing(format!("{} is no folder of a test cluster", folder.display())));
    }
    let _ = io::copy(&mut io::stdin(), &mut io::sink());
    for _ in 0..100 {
        if end_tagged(folder) == 0 && fs::remove_dir_all(folder).is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(Exit::OK)
}

/// Kills the processes that carry the folder in their environment. Gives how many there were.
fn end_tagged(folder: &Path) -> usize {
    let tag = format!("{TAG}={}", folder.display());
    let tagged = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|&byte| byte == 0).any(|entry| entry == tag.as_bytes())
    };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(tagged).filter(|&pid| kill(Pid::from_raw(pid), Signal::SIGKILL).is_ok()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minions_have_names_to_aim_at() {
        assert_eq!(names(7), ["web1", "web2", "db1", "web3", "web4", "db2", "web5"]);
    }

    #[test]
    fn a_folder_that_others_can_enter_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("x");
        make_private(&inside).unwrap();
        make_private(&inside).unwrap();
        fs::set_permissions(&inside, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(make_private(&inside).is_err());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/root", &link).unwrap();
        assert!(make_private(&link).is_err());
    }

    #[test]
    fn clusters_whose_process_is_gone_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let (gone, here) = (folder.path().join("4194399"), folder.path().join(std::process::id().to_string()));
        fs::create_dir(&gone).unwrap();
        fs::create_dir(&here).unwrap();
        sweep(folder.path());
        assert!(!gone.exists() && here.exists());
    }
}
