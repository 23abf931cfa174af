//! The child's own side.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::{
    Question, Return, Value,
    codec::{self, Limits},
};
use states::{
    CallError,
    call::{Agent, Progress},
    tree::{Folders, Tree},
};

use super::{Files, Task, VARIABLE, Word, claim, pipe::Pipe, session::Process};
use crate::{
    footprint,
    host::{Local, System},
    job::{self, Running, Site},
    supply::{Cache, Remote, Stock},
};

/// Runs the job that the environment names, if it names one, and gives the exit code then.
pub fn main() -> Option<i32> {
    let folder = std::env::var_os(VARIABLE).map(PathBuf::from)?;
    footprint::arenas(1);
    match work(&folder) {
        Ok(()) => Some(0),
        Err(error) => {
            // The agent's log is where this goes.
            let _ = writeln!(io::stderr(), "the job in {} could not be run: {error}", folder.display());
            Some(1)
        }
    }
}

fn work(folder: &Path) -> io::Result<()> {
    // A session of its own: whatever is started in it can be found and killed.
    nix::unistd::setsid()?;
    claim(&folder.join("pid"), &Process::current()?.to_string())?;
    let task: Task = codec::decode(&std::fs::read(folder.join("job"))?, Limits::MESSAGE).map_err(io::Error::other)?;
    let streams = task.job.request.options.stream;
    let live: Option<job::Live> = streams.then(|| Box::new(show) as job::Live);
    let running = Arc::new(Running::new(task.job, live));
    let pipe = Pipe::default();
    let messenger = Messenger { pipe: pipe.clone(), jid: running.job.jid };
    let tree = tree(task.files, pipe);
    let site = Site {
        id: &task.id,
        system: Arc::new(Local::new(task.grains.clone())),
        grains: Arc::new(task.grains),
        tree: &*tree,
        pillar: &task.pillar,
        opts: &task.opts,
        agent: Some(&messenger),
    };
    keep(folder, job::perform(&running, &site, task.started))
}

fn tree(files: Files, pipe: Pipe) -> Box<dyn Tree> {
    match files {
        Files::Here(folders) => Box::new(Folders::new(folders)),
        Files::Master { tree, cache, limit } => {
            Box::new(Remote::new(Arc::new(pipe), Arc::new(Cache::new(cache, limit)), tree))
        }
    }
}

fn keep(folder: &Path, ret: Return) -> io::Result<()> {
    let encoded = codec::encode(&ret.pack()).map_err(io::Error::other)?;
    let files: &dyn System = &Local::default();
    let written = files.write(&folder.join("return"), &encoded, 0o600);
    written.or_else(|_| say(&Word::Return(Box::new(ret))))
}

fn show(progress: Progress) {
    let word = match progress {
        Progress::Stdout(text) => Word::Out(text),
        Progress::Stderr(text) => Word::Err(text),
        Progress::State(state) => Word::State(state),
    };
    // The agent may have gone; the job goes on.
    let _ = say(&word);
}

pub fn say(word: &Word) -> io::Result<()> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// The agent as far as a child can reach it.
struct Messenger {
    pipe: Pipe,
    jid: proto::JobId,
}

impl Agent for Messenger {
    fn send_event(&self, tag: &str, data: Value) -> Result<(), CallError> {
        if proto::event::is_reserved(tag) {
            return Err(CallError::arguments(format!("the tag {tag} is one of the bus's own; use another")));
        }
        say(&Word::Event(tag.to_owned(), data)).map_err(|_| CallError::failed("the minion is being restarted"))
    }

    fn running(&self) -> Vec<Value> {
        Vec::new()
    }

    fn signal(&self, _jid: &str, _signal: i32) -> bool {
        false
    }

    fn restart(&self) {}

    fn refresh_grains(&self) {
        // An agent that has gone detects them when it comes back.
        let _ = say(&Word::Grains);
    }

    fn refresh_pillar(&self) {
        let _ = say(&Word::Pillar);
    }

    fn jid(&self) -> Option<proto::JobId> {
        Some(self.jid)
    }

    fn log(&self, line: &str) {
        // What a job's process says there is put into the agent's log.
        let _ = writeln!(io::stderr(), "{}: {line}", self.jid);
    }

    fn ask(&self, question: Question) -> Result<Vec<u8>, CallError> {
        Ok(self.pipe.ask(question)?)
    }
}
