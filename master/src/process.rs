//! Other programs that the master starts: `git`, and what pillar may run.

use std::{
    io::{self, Read},
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus, Stdio},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// What a listing of a very large repository takes, at the most; more is cut.
const MOST_OUTPUT: u64 = 256 << 20;

/// A program that has ended.
pub struct Ended {
    pub status: ExitStatus,
    pub output: Vec<u8>,
    pub errors: Vec<u8>,
}

/// Runs a program to its end. What it started goes with it when it takes too long.
///
/// # Errors
/// It cannot be started, or took too long.
pub fn run(command: &mut Command, within: Duration) -> io::Result<Ended> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
    let (output, errors) = (read_all(child.stdout.take()), read_all(child.stderr.take()));
    let status = wait(&mut child, within)?;
    let text = |thread: JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    Ok(Ended { status, output: text(output), errors: text(errors) })
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            let _ = pipe.take(MOST_OUTPUT).read_to_end(&mut bytes);
        }
        bytes
    })
}

fn wait(child: &mut Child, within: Duration) -> io::Result<ExitStatus> {
    let deadline = Instant::now() + within;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            let group = nix::unistd::Pid::from_raw(child.id() as i32);
            let _ = nix::sys::signal::killpg(group, nix::sys::signal::Signal::SIGKILL);
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it took too long"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
