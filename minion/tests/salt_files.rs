//! `file.*` and `cp.*` that write, beside real Salt's: the same calls in twin scratch folders give
//! the same values and leave the same files. `SALT_CALL` names a `salt-call` of Salt 3008; the
//! Python beside it runs all calls in one process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
};

use minion::config::Config;
use proto::{Args, Value};
use serde_json::json;

/// Calls in order; `ROOT` stands for the scratch folder. What comes later finds what earlier ones left.
const CALLS: &str = include_str!("salt_files/calls.yaml");

const GIT: &str = include_str!("salt_files/git.yaml");
const ACCOUNTS: &str = include_str!("salt_files/accounts.yaml");

/// Reads calls as JSON, gives for each the value (or what was raised) and the files that are there.
const ORACLE: &str = include_str!("salt_files/oracle.py");

struct Twin {
    dir: tempfile::TempDir,
}

impl Twin {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().display().to_string();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("sub")).unwrap();
        fs::write(tree.join("a.txt"), "of the tree\n").unwrap();
        fs::write(tree.join("sub/b.txt"), "second\n").unwrap();
        let text = format!(
            "id: twin\nfile_client: local\nroot_dir: {root}/root\ncachedir: {root}/root/cache\n\
             pki_dir: {root}/root/pki\nlog_file: {root}/root/log\nfile_roots: {{base: [{root}/tree]}}\n"
        );
        fs::write(dir.path().join("minion"), text).unwrap();
        fs::create_dir(dir.path().join("s")).unwrap();
        fs::create_dir(dir.path().join("git")).unwrap();
        Self { dir }
    }

    fn scratch(&self) -> String {
        self.dir.path().join("s").display().to_string()
    }
}

/// What a scratch folder holds: kind, mode and contents by path.
fn files(root: &Path) -> BTreeMap<String, Value> {
    let (mut found, mut waiting) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let (path, meta) = (entry.path(), fs::symlink_metadata(entry.path()).unwrap());
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let mode = format!("{:o}", meta.permissions().mode() & 0o7777);
            let row = if meta.is_dir() {
                waiting.push(path);
                json!(["d", mode])
            } else if meta.is_symlink() {
                json!(["l", fs::read_link(&path).unwrap().display().to_string()])
            } else if meta.is_file() {
                json!(["f", mode, meta.uid(), meta.gid(), String::from_utf8_lossy(&fs::read(&path).unwrap())])
            } else {
                json!(["?", mode])
            };
            found.insert(name, row);
        }
    }
    found
}

fn theirs(twin: &Twin, calls: &Value) -> Vec<Value> {
    let salt_call = std::env::var("SALT_CALL").expect("SALT_CALL must name a salt-call of Salt 3008");
    let python = Path::new(&salt_call).with_file_name("python3");
    let mut child = Command::new(python)
        .args(["-W", "ignore", "-c", ORACLE])
        .arg(twin.dir.path().join("minion"))
        .arg(twin.scratch())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(calls.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn ours(twin: &Twin, calls: &Value) -> Vec<Value> {
    let (config, _) = Config::load(twin.dir.path()).unwrap();
    let one = |call: &Value| {
        let text = call.to_string().replace("ROOT", &twin.scratch());
        let call: Value = serde_json::from_str(&text).unwrap();
        let mut args = Args::positional(call["args"].as_array().cloned().unwrap_or_default());
        args.named = call["kwargs"].as_object().cloned().unwrap_or_default();
        let ret = minion::local::call(&config, call["fun"].as_str().unwrap().parse().unwrap(), args, None);
        let raised = ret.retcode != 0 && ret.value.is_string() && call["fun"] != "file.sed";
        let value = if raised { json!({"raised": true, "text": ret.value}) } else { ret.value };
        json!({"value": value, "files": files(Path::new(&twin.scratch()))})
    };
    calls.as_array().unwrap().iter().map(one).collect()
}

/// The same whatever the folder is called; times, processes and inodes left out.
fn steady(mut row: Value, twin: &Twin) -> Value {
    if row["value"]["raised"] == true {
        // The words may differ, that it is an error may not.
        row["value"] = json!({"raised": true});
    }
    for name in ["pid", "inode", "atime", "ctime", "mtime", "st_atime", "st_ctime", "st_mtime"] {
        if let Some(map) = row["value"].as_object_mut().filter(|map| map.contains_key(name)) {
            map.insert(name.into(), Value::Null);
        }
    }
    let text = row.to_string().replace(&twin.dir.path().display().to_string(), "DIR");
    serde_json::from_str(&text).unwrap()
}

#[test]
#[ignore = "needs SALT_CALL, the path of a salt-call of Salt 3008"]
fn values_and_files_are_salts() {
    compare(CALLS);
}

/// Both make and remove the same users and groups, one after the other.
#[test]
#[ignore = "needs SALT_CALL, and a mount namespace whose /etc may be changed"]
fn users_and_groups_are_salts() {
    compare(ACCOUNTS);
}

/// What is in a repository differs by time: only values are compared.
#[test]
#[ignore = "needs SALT_CALL, the path of a salt-call of Salt 3008"]
fn repositories_are_salts() {
    compare(&GIT.replace("GIT", "ROOT/../git"));
}

fn compare(calls: &str) {
    let calls = states::yaml::to_value(&states::yaml::parse("calls", calls).unwrap());
    let calls: Value = calls.as_array().unwrap().iter().map(as_call).collect();
    let (left, right) = (Twin::new(), Twin::new());
    let (theirs, ours) = (theirs(&left, &calls), ours(&right, &calls));
    let (mut differences, mut known) = (Vec::new(), BTreeSet::new());
    for ((call, theirs), ours) in calls.as_array().unwrap().iter().zip(theirs).zip(ours) {
        let said = (theirs["value"]["text"].clone(), ours["value"]["text"].clone());
        let (theirs, ours) = (steady(theirs, &left), steady(ours, &right));
        if call["different"].is_null() && theirs["value"] != ours["value"] {
            let both = format!("  salt: {} {}\n  ours: {} {}", theirs["value"], said.0, ours["value"], said.1);
            differences.push(format!("{call}\n{both}"));
        }
        // A file that differs is told once, at the call that made it so.
        for (files, others, whose) in [(&theirs, &ours, "salt"), (&ours, &theirs, "ours")] {
            for (name, row) in files["files"].as_object().unwrap() {
                if others["files"].get(name) != Some(row) && known.insert(format!("{whose}: {name} {row}")) {
                    differences.push(format!("{call}: file\n  {whose}: {name} {row}"));
                }
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// `file.touch: [ROOT/a, {mtime: 3}]`: a mapping at the end names arguments.
fn as_call(entry: &Value) -> Value {
    let (fun, given) = entry.as_object().unwrap().iter().next().unwrap();
    let mut args = given.as_array().cloned().unwrap_or_default();
    let named = args.pop_if(|last| last.is_object() && last.get("positional").is_none());
    let mut args: Vec<Value> = args;
    args.iter_mut().for_each(|arg| {
        if let Some(inside) = arg.get("positional").cloned() {
            *arg = inside;
        }
    });
    json!({"fun": fun, "args": args, "kwargs": named.unwrap_or_else(|| json!({})), "different": entry.get("different")})
}
