//! Running a command to its end: a process group of its own, bounded output, a time-out that
//! ends all of it.

use std::{
    io::{self, PipeReader, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    path::Path,
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, killpg},
        stat::{Mode, umask},
    },
    unistd::{Gid, Group, Pid, Uid, User, getgrouplist, setgid, setgroups, setuid},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::OFlags,
};
use states::{Command, Output, call::Progress};

use super::Watch;

/// What is kept of each output of a command; the rest is read and thrown away.
pub const OUTPUT_LIMIT: usize = 16 * 1024 * 1024;

/// Longest line that is passed on whole while a command runs.
const LINE_LIMIT: usize = 16 * 1024;

/// How often a silent command is checked for having been killed: whoever left its group may
/// hold its outputs open.
const KILL_CHECK: Duration = Duration::from_millis(500);

/// A command that only looks: nothing to read, plain English, and never for ever.
pub fn probe(command: &Command) -> io::Result<Output> {
    let mut command = command.clone();
    command.timeout.get_or_insert(Duration::from_secs(60));
    if !command.env.iter().any(|(name, _)| name == "LC_ALL") {
        command.env.push(("LC_ALL".into(), "C".into()));
    }
    run(&command, &super::Unwatched)
}

pub fn run(command: &Command, watch: &dyn Watch) -> io::Result<Output> {
    run_within(command, watch, OUTPUT_LIMIT)
}

/// Runs a command that nobody watches, and keeps at most so many bytes of each of its outputs.
pub fn run_bounded(command: &Command, limit: usize) -> io::Result<Output> {
    run_within(command, &super::Unwatched, limit)
}

fn run_within(command: &Command, watch: &dyn Watch, limit: usize) -> io::Result<Output> {
    if watch.stopped() {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "the job was killed"));
    }
    let (child, pipes) = start(command, limit)?;
    let group = child.id();
    watch.started(group);
    let output = follow(child, pipes, command, watch);
    watch.ended(group, output.as_ref().unwrap_or(&Output::default()));
    output
}

/// The ends of a child's pipes that are ours.
struct Pipes {
    stdin: Option<OwnedFd>,
    stdout: Sink,
    stderr: Option<Sink>,
}

fn start(command: &Command, limit: usize) -> io::Result<(Child, Pipes)> {
    let mut builder = builder(command)?;
    let (out, writer) = io::pipe()?;
    let mut err = None;
    match command.merge_stderr {
        true => builder.stderr(writer.try_clone()?),
        false => {
            let (reader, writer) = io::pipe()?;
            err = Some(reader);
            builder.stderr(writer)
        }
    };
    builder.stdout(writer);
    builder.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
    let mut child = builder.spawn().map_err(|error| name_it(error, command))?;
    // The builder holds the writing ends: dropping it lets end-of-file come.
    drop(builder);
    let stdin = child.stdin.take().map(OwnedFd::from);
    if let Some(stdin) = &stdin {
        unblock(stdin)?;
    }
    let stderr = err.map(|pipe| Sink::new(pipe, limit, Progress::Stderr)).transpose()?;
    Ok((child, Pipes { stdin, stdout: Sink::new(out, limit, Progress::Stdout)?, stderr }))
}

/// `No such file or directory` alone does not say what was missing.
fn name_it(error: io::Error, command: &Command) -> io::Error {
    let program = match &command.shell {
        Some(shell) => shell.display().to_string(),
        None => command.argv.first().cloned().unwrap_or_default(),
    };
    let why = error.to_string();
    let why = why.split(" (os error").next().unwrap_or(&why);
    io::Error::new(error.kind(), format!("{program}: {why}"))
}

fn builder(command: &Command) -> io::Result<std::process::Command> {
    let mut builder = match (&command.shell, command.argv.as_slice()) {
        (_, []) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "there is no command to run")),
        (Some(shell), [script, rest @ ..]) => {
            let mut builder = std::process::Command::new(shell);
            builder.arg("-c").arg(script).args(rest);
            builder
        }
        (None, [program, rest @ ..]) => {
            let mut builder = std::process::Command::new(program);
            builder.args(rest);
            builder
        }
    };
    if command.clean_env {
        builder.env_clear();
    }
    // What the service manager told the agent is not meant for what the agent starts.
    builder.env_remove("NOTIFY_SOCKET").env_remove("INVOCATION_ID").env_remove(crate::child::VARIABLE);
    builder.envs(command.env.iter().map(|(name, value)| (name, value)));
    builder.current_dir(command.cwd.as_deref().unwrap_or(Path::new("/")));
    builder.process_group(0);
    if let Some(identity) = Identity::of(command)? {
        identity.apply_to(&mut builder);
    }
    Ok(builder)
}

/// Who a command runs as, looked up before the fork because afterwards nothing may allocate.
struct Identity {
    user: Option<Uid>,
    group: Option<Gid>,
    groups: Option<Vec<Gid>>,
    umask: Option<Mode>,
}

impl Identity {
    fn of(command: &Command) -> io::Result<Option<Self>> {
        if command.runas.is_none() && command.group.is_none() && command.umask.is_none() {
            return Ok(None);
        }
        let user = command.runas.as_deref().map(user).transpose()?;
        let group = command.group.as_deref().map(group).transpose()?.or(user.as_ref().map(|user| user.gid));
        let groups = match (&user, group) {
            (Some(user), Some(group)) if Uid::effective().is_root() => Some(all_groups(&user.name, group)?),
            _ => None,
        };
        let umask = command.umask.map(|bits| Mode::from_bits_truncate(bits & 0o777));
        Ok(Some(Self { user: user.map(|user| user.uid), group, groups, umask }))
    }

    #[allow(unsafe_code, reason = "std offers no safe way to set umask and supplementary groups of a child")]
    fn apply_to(self, builder: &mut std::process::Command) {
        // SAFETY: between fork and exec only async-signal-safe calls are made (umask, setgroups,
        // setgid, setuid), and nothing allocates: all was looked up before.
        unsafe { builder.pre_exec(move || Ok(self.become_it()?)) };
    }

    fn become_it(&self) -> nix::Result<()> {
        if let Some(mask) = self.umask {
            umask(mask);
        }
        if let Some(groups) = &self.groups {
            setgroups(groups)?;
        }
        if let Some(group) = self.group {
            setgid(group)?;
        }
        match self.user {
            Some(user) => setuid(user),
            None => Ok(()),
        }
    }
}

fn user(name: &str) -> io::Result<User> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("User '{name}' is not available"));
    User::from_name(name)?.ok_or_else(missing)
}

fn group(name: &str) -> io::Result<Gid> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, format!("Group '{name}' is not available"));
    Ok(Group::from_name(name)?.ok_or_else(missing)?.gid)
}

fn all_groups(name: &str, group: Gid) -> io::Result<Vec<Gid>> {
    let name = std::ffi::CString::new(name)?;
    Ok(getgrouplist(&name, group)?)
}

/// Reads and feeds the child until its outputs end, then waits for its end.
fn follow(mut child: Child, mut pipes: Pipes, command: &Command, watch: &dyn Watch) -> io::Result<Output> {
    let deadline = command.timeout.map(|timeout| Instant::now() + timeout);
    let mut input = command.stdin.as_deref().unwrap_or_default();
    let mut timed_out = false;
    while pipes.open() {
        let slice = Instant::now() + KILL_CHECK;
        if pipes.wait(deadline.map_or(slice, |deadline| deadline.min(slice)))? {
            pipes.transfer(&mut input, watch)?;
            continue;
        }
        timed_out = deadline.is_some_and(|deadline| deadline <= Instant::now());
        if timed_out || watch.stopped() {
            kill_group(&child);
            pipes.drain(watch)?;
            break;
        }
    }
    let status = match wait_until(&mut child, deadline)? {
        Some(status) => status,
        None => {
            timed_out = true;
            kill_group(&child);
            child.wait()?
        }
    };
    Ok(pipes.into_output(child.id(), status, timed_out, watch))
}

fn kill_group(child: &Child) {
    // It may just have ended by itself.
    let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
}

/// The exit status, or `None` when it still runs at the deadline.
fn wait_until(child: &mut Child, deadline: Option<Instant>) -> io::Result<Option<ExitStatus>> {
    let Some(deadline) = deadline else { return child.wait().map(Some) };
    // A child that exits has closed its outputs a moment before it can be waited for; only one that
    // lives on without them is asked for long.
    let mut pause = Duration::from_micros(100);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        std::thread::sleep(left.min(pause));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

impl Pipes {
    fn open(&self) -> bool {
        self.stdout.pipe.is_some() || self.stderr.as_ref().is_some_and(|sink| sink.pipe.is_some())
    }

    /// Waits until something can be read or written. Gives false when nothing came by then.
    fn wait(&self, deadline: Instant) -> io::Result<bool> {
        let mut fds: Vec<PollFd<'_>> = [self.stdout.fd(), self.stderr.as_ref().and_then(Sink::fd)]
            .into_iter()
            .flatten()
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        fds.extend(self.stdin.as_ref().map(|fd| PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::OUT)));
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
            match poll(&mut fds, Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn transfer(&mut self, input: &mut &[u8], watch: &dyn Watch) -> io::Result<()> {
        self.feed(input);
        self.stdout.fill(watch)?;
        if let Some(stderr) = &mut self.stderr {
            stderr.fill(watch)?;
        }
        Ok(())
    }

    /// Closes standard input when all is written, or when nobody reads it any more.
    fn feed(&mut self, input: &mut &[u8]) {
        let Some(stdin) = &self.stdin else { return };
        match rustix::io::write(stdin, input) {
            Ok(written) => *input = &input[written..],
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
            Err(_) => *input = &[],
        }
        if input.is_empty() {
            self.stdin = None;
        }
    }

    /// Takes what is in the pipes after a kill, without waiting for those who escaped it.
    fn drain(&mut self, watch: &dyn Watch) -> io::Result<()> {
        let soon = Instant::now() + Duration::from_millis(200);
        self.stdin = None;
        while self.open() && self.wait(soon)? {
            self.transfer(&mut &[][..], watch)?;
        }
        Ok(())
    }

    fn into_output(mut self, pid: u32, status: ExitStatus, timed_out: bool, watch: &dyn Watch) -> Output {
        self.stdout.flush_line(watch);
        let mut truncated = self.stdout.truncated;
        let mut stderr = Vec::new();
        if let Some(mut sink) = self.stderr.take() {
            sink.flush_line(watch);
            truncated |= sink.truncated;
            stderr = sink.kept;
        }
        let code = status.code().or(status.signal().map(|signal| 128 + signal)).unwrap_or(-1);
        Output { stdout: self.stdout.kept, stderr, code, pid, timed_out, truncated }
    }
}

/// Where one output goes: into memory up to the bound, and line by line to the watch.
struct Sink {
    pipe: Option<PipeReader>,
    limit: usize,
    kept: Vec<u8>,
    truncated: bool,
    line: Vec<u8>,
    wrap: fn(String) -> Progress,
}

impl Sink {
    fn new(pipe: PipeReader, limit: usize, wrap: fn(String) -> Progress) -> io::Result<Self> {
        unblock(&pipe)?;
        Ok(Self { pipe: Some(pipe), limit, kept: Vec::new(), truncated: false, line: Vec::new(), wrap })
    }

    fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    fn fill(&mut self, watch: &dyn Watch) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let Some(pipe) = &mut self.pipe else { return Ok(()) };
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(length) => self.take(&buffer[..length], watch),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], watch: &dyn Watch) {
        let room = self.limit - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.truncated |= bytes.len() > room;
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() > LINE_LIMIT {
                self.flush_line(watch);
            }
        }
    }

    fn flush_line(&mut self, watch: &dyn Watch) {
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line);
            watch.line((self.wrap)(line.trim_end_matches(['\r', '\n']).to_owned()));
            self.line.clear();
        }
    }
}

fn unblock(pipe: &impl AsFd) -> io::Result<()> {
    let flags = rustix::fs::fcntl_getfl(pipe)?;
    Ok(rustix::fs::fcntl_setfl(pipe, flags | OFlags::NONBLOCK)?)
}
