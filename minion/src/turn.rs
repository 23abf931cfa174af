//! One state run at a time: Salt's `queue` and `concurrent`.
//!
//! Whoever runs states holds a lock on `root_dir/run/states.lock`, in whatever process: a child
//! that outlives its agent still holds it, one that dies does not.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use proto::{Job, Map, Value};
use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};
use serde::{Deserialize, Serialize};
use states::{CallError, Effect, call::Functions};

use crate::{
    exec::{self, bind::truth},
    pki::private_folder,
};

/// How often a queued run looks whether its turn has come.
const LOOK: Duration = Duration::from_millis(100);

/// Who runs states.
#[derive(Debug, Serialize, Deserialize)]
pub struct Holder {
    pid: u32,
    jid: proto::JobId,
    fun: String,
}

impl Holder {
    /// In Salt's words.
    pub fn describe(&self) -> String {
        let jid = self.jid.to_string();
        format!(
            "The function \"{}\" is running as PID {} and was started at {} with jid {jid}",
            self.fun,
            self.pid,
            started(&jid)
        )
    }
}

/// The time in a jid, as Salt writes it: `2026, Nov 21 14:05:06.000007`.
fn started(jid: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let part = |from: usize, to: usize| jid.get(from..to).unwrap_or_default();
    let month = part(4, 6).parse::<usize>().ok().and_then(|n| MONTHS.get(n.checked_sub(1)?)).copied().unwrap_or("?");
    let (hour, minute, second) = (part(8, 10), part(10, 12), part(12, 14));
    format!("{}, {month} {} {hour}:{minute}:{second}.{}", part(0, 4), part(6, 8), part(14, 20))
}

/// The right to run states; held until it is dropped.
pub struct Turn(File);

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

fn path(root: &Path) -> PathBuf {
    root.join("run/states.lock")
}

/// Whether a job runs states and must not do so beside another.
pub fn is_needed(job: &Job) -> bool {
    let function = &job.request.function;
    let found = exec::Table.find(function.as_str());
    let flag = |name: &str| job.request.args.named.get(name).is_some_and(truth);
    function.module() == "state" && found.is_some_and(|found| found.effect == Effect::Writes) && !flag("concurrent")
}

/// Why there is no turn.
pub enum NoTurn {
    /// Another run has it, and this one is not to queue.
    Held(Holder),
    Failed(CallError),
}

fn failed(error: impl Into<io::Error>) -> NoTurn {
    NoTurn::Failed(CallError::failed(format!("the lock of state runs cannot be had: {}", error.into())))
}

/// Takes the right to run states, if the job needs it. `stopped` ends the waiting.
pub fn take(job: &Job, opts: &Map, stopped: &dyn Fn() -> bool) -> Result<Option<Turn>, NoTurn> {
    let Some(root) = opts.get("root_dir").and_then(Value::as_str).filter(|_| is_needed(job)) else { return Ok(None) };
    let mut file = open(Path::new(root)).map_err(failed)?;
    let queue = job.request.args.named.get("queue").is_some_and(truth);
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) if stopped() => return Err(NoTurn::Failed(CallError::failed("the job was killed"))),
            Err(Errno::WOULDBLOCK) => match read(&mut file).filter(|_| !queue) {
                Some(holder) => return Err(NoTurn::Held(holder)),
                // This one queues; or the other has only just begun, or ended.
                None => std::thread::sleep(LOOK),
            },
            Err(error) => return Err(failed(error)),
        }
    }
    let holder = Holder { pid: std::process::id(), jid: job.jid, fun: job.request.function.to_string() };
    let text = serde_json::to_vec(&holder).map_err(failed)?;
    file.set_len(0).and_then(|()| file.write_all(&text)).map_err(failed)?;
    Ok(Some(Turn(file)))
}

fn open(root: &Path) -> io::Result<File> {
    let path = path(root);
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(4096).read_to_string(&mut text).ok()?;
    file.rewind().ok()?;
    serde_json::from_str(&text).ok()
}

/// Who runs states now.
pub fn holder(opts: &Map) -> Option<Holder> {
    let root = opts.get("root_dir").and_then(Value::as_str)?;
    let mut file = File::open(path(Path::new(root))).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => read(&mut file),
    }
}

#[cfg(test)]
mod tests {
    use proto::{Args, JobId, Request, RunOptions};

    use super::*;

    fn job(function: &str, args: Args) -> Job {
        let request = Request {
            nonce: [0; 16],
            operator: "root".parse().unwrap(),
            target: "*".into(),
            function: function.parse().unwrap(),
            args,
            valid_until: u64::MAX,
            options: RunOptions::default(),
        };
        Job { jid: "20261121140506000007".parse().unwrap(), request, expires: u64::MAX, tree: None }
    }

    fn opts(root: &Path) -> Map {
        Map::from_iter([("root_dir".to_owned(), root.to_str().unwrap().into())])
    }

    #[test]
    fn times_read_as_salts() {
        assert_eq!(started("20261121140506000007"), "2026, Nov 21 14:05:06.000007");
        assert_eq!(started(&JobId::from_micros(0).to_string()), "1970, Jan 01 00:00:00.000000");
    }

    #[test]
    fn what_only_looks_needs_no_turn() {
        for function in ["state.show_sls", "cmd.run", "state.none", "test.ping"] {
            assert!(!is_needed(&job(function, Args::default())), "{function}");
        }
    }

    #[test]
    fn a_lock_is_held_once_and_its_holder_is_known() {
        let root = tempfile::tempdir().unwrap();
        assert!(holder(&opts(root.path())).is_none());
        let mut file = open(root.path()).unwrap();
        flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
        let me = Holder { pid: 7, jid: "20261121140506000007".parse().unwrap(), fun: "state.apply".into() };
        file.write_all(&serde_json::to_vec(&me).unwrap()).unwrap();
        let seen = holder(&opts(root.path())).unwrap().describe();
        let said = "The function \"state.apply\" is running as PID 7 and was started at 2026, Nov 21 14:05:06.000007";
        assert_eq!(seen, format!("{said} with jid 20261121140506000007"));
        drop(Turn(file));
        assert!(holder(&opts(root.path())).is_none());
    }
}
