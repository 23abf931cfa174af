//! `age` and `gpg`, which decrypt values of pillar: the only programs that compiling it starts unasked.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Seek, Write},
    process,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use proto::Hash;
use rustix::fs::MemfdFlags;
use states::{Command, Output};

use crate::process::{Ended, run};

/// How long one value may take.
const LONGEST: Duration = Duration::from_secs(30);
/// Values that are remembered: many minions are given the same, and a program a value and minion would
/// be most of what compiling costs.
const KEPT: usize = 1024;

/// What was decrypted, by the command and its input. It is in memory alone.
#[derive(Default)]
pub struct Secrets(Mutex<HashMap<Hash, Vec<u8>>>);

impl Secrets {
    /// Runs `command` if all that it does is to decrypt.
    ///
    /// # Errors
    /// It is another command (`Unsupported`), cannot be started, or took too long.
    pub fn decrypt(&self, command: &Command) -> io::Result<Output> {
        if !decrypts(command) {
            let program = command.argv.first().map(String::as_str).unwrap_or_default();
            let why = format!("pillar starts no processes here ({program})");
            return Err(io::Error::new(io::ErrorKind::Unsupported, why));
        }
        let input = command.stdin.as_deref().unwrap_or_default();
        let name = Hash::of(&[command.argv.join("\0").as_bytes(), b"\0", input].concat());
        if let Some(stdout) = self.known().get(&name).cloned() {
            return Ok(Output { stdout, ..Output::default() });
        }
        let Ended { status, output, errors } = start(&command.argv, input)?;
        if status.success() {
            let mut known = self.known();
            if known.len() >= KEPT {
                known.clear();
            }
            known.insert(name, output.clone());
        }
        let code = status.code().unwrap_or(1);
        Ok(Output { stdout: output, stderr: errors, code, ..Output::default() })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Hash, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the renderers `age` and `gpg` ask for.
fn decrypts(command: &Command) -> bool {
    let words: Vec<&str> = command.argv.iter().map(String::as_str).collect();
    let plain = command.shell.is_none() && command.runas.is_none() && command.env.is_empty();
    plain && matches!(words[..], ["age", "--decrypt", "--identity", _] | ["gpg", "--homedir", _, .., "-d"])
}

fn start(argv: &[String], input: &[u8]) -> io::Result<Ended> {
    // A pipe would have to be filled while the answer is read.
    let mut stdin = File::from(rustix::fs::memfd_create("pillar", MemfdFlags::CLOEXEC)?);
    stdin.write_all(input)?;
    stdin.rewind()?;
    let (program, words) = argv.split_first().ok_or_else(|| io::Error::other("no program is named"))?;
    run(process::Command::new(program).args(words).env("LC_ALL", "C").stdin(stdin), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(argv: &[&str]) -> Command {
        Command { argv: argv.iter().map(|&word| word.to_owned()).collect(), ..Command::default() }
    }

    #[test]
    fn nothing_but_decrypting_is_started() {
        let homedir = tempfile::tempdir().unwrap();
        let gpg = ["gpg", "--homedir", homedir.path().to_str().unwrap(), "--status-fd", "2", "--no-tty", "-d"];
        assert!(decrypts(&command(&gpg)) && decrypts(&command(&["age", "--decrypt", "--identity", "k"])));
        for other in [&["age", "--encrypt", "-i", "k"][..], &["sh", "-c", "id"], &["gpg", "--homedir", "x", "-e"], &[]]
        {
            let refused = Secrets::default().decrypt(&command(other)).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::Unsupported, "{other:?}");
        }
        assert!(!decrypts(&Command { runas: Some("nobody".into()), ..command(&gpg) }));
    }
}
