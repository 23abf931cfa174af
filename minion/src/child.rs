//! Jobs that change the host run in a re-executed child of the same binary: it can be killed, and
//! it outlives a restart of the agent.
//!
//! The agent writes `root_dir/jobs/JID/job` and starts itself again with [`VARIABLE`] naming that
//! folder. The child makes a session of its own, writes `pid`, does the job and writes `return`.
//! Its standard output carries one JSON object a line for the agent: output lines, events, and what
//! it wants to have of the master; the answers come to its standard input (`pipe`). An agent that starts finds the folders of its predecessor ([`Adopted`]).

mod inside;
mod pipe;
mod session;

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};

use bytes::Bytes;
use proto::{
    Hash, Job, JobId, Map, MinionId, Outcome, Return, Value,
    codec::{self, Limits},
};
use serde::{Deserialize, Serialize};
use states::call::Progress;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::ChildStdin,
    sync::mpsc,
};

use crate::{
    agent::Inner,
    clock::local_now,
    job,
    job::Running,
    pki::private_folder,
    supply::{self, Errand},
};

pub use inside::main;
pub use session::signal_session;

/// Names the folder of the job that this process is to run. Programs that embed the agent call
/// [`main`] before anything else.
pub const VARIABLE: &str = "OVERSTATE_JOB";

/// How often a child that is not our own is looked after.
const LOOK: Duration = Duration::from_millis(200);

/// All that a child needs to know.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    pub job: Job,
    pub started: u64,
    pub id: MinionId,
    pub grains: Map,
    pub pillar: Map,
    pub opts: Map,
    pub files: Files,
}

/// Where a job's `salt://` files come from.
#[derive(Debug, Serialize, Deserialize)]
pub enum Files {
    /// `file_roots` of this host.
    Here(BTreeMap<String, Vec<PathBuf>>),
    /// The master, by way of the agent's cache.
    Master { tree: Option<Hash>, cache: PathBuf, limit: u64 },
}

/// What a child says while it works.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Out(String),
    Err(String),
    /// A state that has ended.
    State(Value),
    Event(String, Value),
    /// The job changed static grains.
    Grains,
    /// The pillar is to be compiled anew.
    Pillar,
    /// Something is wanted that only the agent can get; answered on standard input.
    Errand {
        id: u32,
        errand: Errand,
    },
    /// The return, when it could not be written to the disk.
    Return(Box<Return>),
}

fn folder(root: &Path, jid: JobId) -> PathBuf {
    root.join("jobs").join(jid.to_string())
}

/// Clears away what a job left, once its return is kept.
pub fn forget(root: &Path, jid: JobId) {
    let folder = folder(root, jid);
    match fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %error, "a job's folder was not removed");
        }
        _ => {}
    }
}

/// Clears away the folders of jobs that nobody waits for, unless they are still at work.
pub fn sweep(root: &Path, known: &[JobId]) {
    let Ok(folders) = fs::read_dir(root.join("jobs")) else { return };
    let jids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse().ok());
    for jid in jids.filter(|jid| !known.contains(jid)) {
        let process = session::Process::read(&folder(root, jid).join("pid"));
        if !process.is_some_and(|process| process.is_alive()) {
            forget(root, jid);
        }
    }
}

/// Runs a job in a child, to its end.
pub(crate) async fn run(inner: &Arc<Inner>, running: &Arc<Running>, started: u64) -> Return {
    let (jid, begun) = (running.job.jid, std::time::Instant::now());
    match start_and_wait(inner, running, started).await {
        // A child that could not tell how long it took did not tell anything.
        Ok(ret) if ret.duration == 0 => Return { duration: begun.elapsed().as_micros() as u64, ..ret },
        Ok(ret) => ret,
        Err(error) => {
            let why = format!("the job's process could not be started: {error}");
            job::ended(jid, Outcome::Failed, why, started)
        }
    }
}

async fn start_and_wait(inner: &Arc<Inner>, running: &Arc<Running>, started: u64) -> io::Result<Return> {
    let folder = folder(inner.root(), running.job.jid);
    private_folder(&folder)?;
    let task = {
        let (inner, running) = (inner.clone(), running.clone());
        tokio::task::spawn_blocking(move || inner.task(&running, started)).await?
    };
    let task = match task {
        Ok(task) => codec::encode(&task).map_err(io::Error::other)?,
        Err(error) => return Ok(job::failed(running.job.jid, &error, started)),
    };
    fs::write(folder.join("job"), task)?;
    let mut child = tokio::process::Command::new(inner.child_program())
        .env(VARIABLE, &folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .current_dir("/")
        .spawn()?;
    running.session.store(child.id().unwrap_or(0), SeqCst);
    if running.is_stopped() {
        running.signal(nix::sys::signal::Signal::SIGKILL);
    }
    let mut told = None;
    if let Some(stdout) = child.stdout.take() {
        let errands = Errands::new(inner, child.stdin.take());
        let mut lines = BufReader::new(stdout).lines();
        while let Some(line) = lines.next_line().await? {
            match serde_json::from_str(&line) {
                Ok(Word::Out(text)) => running.show(Progress::Stdout(text)),
                Ok(Word::Err(text)) => running.show(Progress::Stderr(text)),
                Ok(Word::State(state)) => running.show(Progress::State(state)),
                Ok(Word::Event(tag, data)) => inner.pass_event(&tag, data),
                Ok(Word::Grains) => inner.refresh_grains_soon(),
                Ok(Word::Pillar) => inner.forget_pillar(),
                Ok(Word::Errand { id, errand }) => errands.run(id, errand),
                Ok(Word::Return(ret)) => told = Some(*ret),
                Err(_) => tracing::debug!(line, "a job's process printed something else"),
            }
        }
    }
    let status = child.wait().await?;
    let how = format!("the job's process ended without a return ({status})");
    Ok(result(&folder, running, started).or(told).unwrap_or_else(|| without_return(running, started, &how)))
}

/// What a child wants, each on a thread of its own; the answers go to its standard input.
struct Errands {
    inner: Arc<Inner>,
    answers: mpsc::UnboundedSender<Bytes>,
}

impl Errands {
    fn new(inner: &Arc<Inner>, stdin: Option<ChildStdin>) -> Self {
        let (answers, mut queue) = mpsc::unbounded_channel::<Bytes>();
        tokio::spawn(async move {
            let Some(mut stdin) = stdin else { return };
            while let Some(answer) = queue.recv().await {
                // It may have ended, and wants nothing more then.
                if stdin.write_all(&answer).await.is_err() {
                    return;
                }
            }
        });
        Self { inner: inner.clone(), answers }
    }

    /// A child waits for each of its threads' errands, so there are never many.
    fn run(&self, id: u32, errand: Errand) {
        let (inner, answers) = (self.inner.clone(), self.answers.clone());
        tokio::task::spawn_blocking(move || answers.send(pipe::encode(id, supply::run(inner.stock(), errand))));
    }
}

fn result(folder: &Path, running: &Running, started: u64) -> Option<Return> {
    let bytes = fs::read(folder.join("return")).ok()?;
    let ret: Return = codec::decode(&bytes, Limits::MESSAGE).ok()?;
    // The folder's name and what is in it must agree.
    (ret.jid == running.job.jid).then_some(Return { started, ..ret })
}

fn without_return(running: &Running, started: u64, how: &str) -> Return {
    let mut ret = match running.is_stopped() {
        true => job::ended(running.job.jid, Outcome::Failed, "the job was killed", started),
        false => job::ended(running.job.jid, Outcome::Lost, how, started),
    };
    ret.retcode = 1;
    ret
}

/// A job's folder that an earlier run of the agent left.
pub struct Adopted {
    folder: PathBuf,
    running: Arc<Running>,
    process: Option<session::Process>,
}

impl Adopted {
    /// The child of this job, if it is still at work or has left a return.
    pub fn find(root: &Path, jid: JobId) -> Option<Self> {
        let folder = folder(root, jid);
        let bytes = fs::read(folder.join("job")).ok()?;
        let task: Task = codec::decode(&bytes, Limits::MESSAGE).ok()?;
        let running = Arc::new(Running::new(task.job, None));
        let process = match session::Process::read(&folder.join("pid")) {
            Some(process) => Some(process).filter(session::Process::is_alive),
            // It was started and has not come to say so. If it still comes, it finds this and goes.
            None => {
                let _ = claim(&folder.join("pid"), "0 0");
                None
            }
        };
        running.session.store(process.as_ref().map_or(0, |process| process.pid), SeqCst);
        let has_return = folder.join("return").exists();
        (process.is_some() || has_return).then_some(Self { folder, running, process })
    }

    pub fn running(&self) -> Arc<Running> {
        self.running.clone()
    }

    /// Waits for its end.
    pub async fn wait(self, started: u64) -> Return {
        let begun = local_now();
        while self.process.as_ref().is_some_and(session::Process::is_alive) {
            tokio::time::sleep(LOOK).await;
        }
        tracing::info!(jid = %self.running.job.jid, waited_us = local_now() - begun, "an earlier job has ended");
        let how = "the job's process ended without a return";
        result(&self.folder, &self.running, started).unwrap_or_else(|| without_return(&self.running, started, how))
    }
}

/// Makes a file that must not be there yet.
fn claim(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}
