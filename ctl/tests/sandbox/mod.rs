//! The real binary with a folder of its own.

// Each file of tests uses a part of it.
#![allow(dead_code)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// `ctl` with a configuration folder that holds these files.
pub struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            let file = sandbox.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.replace("DIR", &sandbox.path().display().to_string())).unwrap();
        }
        sandbox
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ctl"));
        command.env_clear().env("TMPDIR", self.path()).env("TZ", "UTC").env("COLUMNS", "80");
        command.arg("--config-dir").arg(self.path()).args(args);
        command
    }

    /// Exit code, standard output and standard error, with the folder's name as DIR.
    pub fn run(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.command(args).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(&self.path().display().to_string(), "DIR");
        let mut shown = format!("$ ctl {}\n{}", text(args.join(" ").as_bytes()), text(&stdout));
        for line in text(&stderr).lines() {
            shown += &format!("2> {line}\n");
        }
        shown + &format!("exit {}\n", status.code().unwrap_or(-1))
    }

    pub fn all(&self, commands: &[&[&str]]) -> String {
        commands.iter().map(|args| self.run(args)).collect::<Vec<_>>().join("\n")
    }
}
