//! A host without a master: one configuration, states and pillar in a temporary folder, which
//! `ctl call` and `salt-call --local` read alike.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::binary;

/// What commands of states run with when they name no shell, whoever starts the tests; as golden files have it.
const SHELL: &str = "/bin/sh";

/// The folders `salt`, `pillar`, `conf` and `root` (the place that states may change).
pub struct Alone {
    dir: tempfile::TempDir,
    /// Words to put before `ctl`.
    pub wrap: Vec<String>,
}

impl Alone {
    /// `config` are further lines of the file `minion`.
    ///
    /// # Panics
    /// When the temporary folder cannot be written.
    pub fn new(config: &str) -> Self {
        let alone = Self { dir: tempfile::tempdir().expect("a temporary folder can be made"), wrap: Vec::new() };
        for part in ["root", "salt", "pillar", "conf"] {
            fs::create_dir(alone.path(part)).expect("the temporary folder can be written");
        }
        let [own, salt, pillar] = ["own", "salt", "pillar"].map(|part| alone.at(part));
        let roots = format!("root_dir: {own}\nfile_roots: {{base: [{salt}]}}\npillar_roots: {{base: [{pillar}]}}\n");
        alone.write("conf/minion", &format!("file_client: local\n{roots}{config}\n"));
        alone
    }

    /// A path within.
    pub fn path(&self, part: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("the folder is there").join(part)
    }

    /// The same as text.
    pub fn at(&self, part: &str) -> String {
        self.path(part).display().to_string()
    }

    /// Writes a file within, and the folders that it needs. `@ROOT@` in it is the folder `root`.
    pub fn write(&self, part: &str, text: &str) {
        let path = self.path(part);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("folders can be made");
        fs::write(path, text.replace("@ROOT@", &self.at("root"))).expect("the temporary folder can be written");
    }

    /// A file's text; empty when it is not there.
    pub fn read(&self, part: &str) -> String {
        fs::read_to_string(self.path(part)).unwrap_or_default()
    }

    /// Runs a shell command in `root`.
    ///
    /// # Panics
    /// When it fails.
    pub fn shell(&self, command: &str) {
        let status = Command::new("sh").args(["-c", command]).current_dir(self.path("root")).status();
        assert!(status.is_ok_and(|status| status.success()), "{command}");
    }

    /// `ctl call WORDS --out json`, not started.
    pub fn command(&self, words: &[&str]) -> Command {
        let all = self.wrap.iter().map(String::as_str).chain([binary::ctl().to_str().expect("a plain path")]);
        let mut all = all.map(str::to_owned).collect::<Vec<_>>().into_iter();
        let mut command = Command::new(all.next().expect("there is at least ctl"));
        command.args(all).arg("--config-dir").arg(self.path("conf")).arg("call").args(words).args(["--out", "json"]);
        command.env("NO_COLOR", "1").env("SHELL", SHELL);
        command
    }

    /// What `ctl call` printed.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn output(&self, words: &[&str]) -> Output {
        self.command(words).output().expect("ctl can be started")
    }

    /// The function's return.
    ///
    /// # Panics
    /// When the answer is not JSON.
    #[track_caller]
    pub fn call(&self, words: &[&str]) -> Value {
        local(&self.output(words))
    }

    /// What real Salt returns, if `SALT_CALL` names one.
    ///
    /// # Panics
    /// When it is not there, or its answer is not JSON.
    #[track_caller]
    pub fn salt(&self, words: &[&str]) -> Value {
        let program = std::env::var_os("SALT_CALL").expect("SALT_CALL names real Salt, as tests/run does");
        let mut command = Command::new(program);
        command
            .args(["--local", "--out", "json", "--log-level", "quiet", "-c"])
            .arg(self.path("conf"))
            .args(words)
            .env("SHELL", SHELL);
        local(&command.output().expect("salt-call can be started"))
    }
}

#[track_caller]
fn local(output: &Output) -> Value {
    let answer = serde_json::from_slice::<Value>(&output.stdout);
    let said = || format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    answer.unwrap_or_else(|error| panic!("{error} in {}", said()))["local"].clone()
}

/// A folder's files, folders and links with modes, owners and texts, by path.
///
/// # Panics
/// When it cannot be read, or a file is no text.
pub fn tree(root: &Path) -> Value {
    let mut found = serde_json::Map::new();
    walk(root, Path::new(""), &mut found);
    found.sort_keys();
    Value::Object(found)
}

fn walk(root: &Path, below: &Path, found: &mut serde_json::Map<String, Value>) {
    use std::os::unix::fs::MetadataExt;
    for entry in fs::read_dir(root.join(below)).expect("the folder can be read").flatten() {
        let path = below.join(entry.file_name());
        let meta = entry.metadata().expect("what was listed is there");
        let mode = format!("0o{:o}", meta.mode() & 0o7777);
        let mut said = serde_json::json!({"mode": mode, "uid": meta.uid(), "gid": meta.gid()});
        if meta.is_symlink() {
            said = serde_json::json!({"target": fs::read_link(entry.path()).expect("a link has a target")});
        } else if meta.is_dir() {
            walk(root, &path, found);
        } else if meta.is_file() {
            said["text"] = String::from_utf8_lossy(&fs::read(entry.path()).expect("a file can be read")).into();
        }
        found.insert(path.display().to_string(), said);
    }
}
