//! What states were applied here last, and of which version of the files: so that "what is running
//! now, and which change brought it" has an answer on the host itself.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use proto::{Job, Map, Value};
use rustix::fs::{FlockOperation, flock};
use serde_json::json;
use states::{Effect, call::Functions as _, tree::Tree};

use crate::{
    exec::{self, bind::truth},
    pki::private_folder,
};

/// What is read of the file at most.
const LIMIT: u64 = 256 * 1024;

fn path(opts: &Map) -> Option<PathBuf> {
    let root = opts.get("root_dir").and_then(Value::as_str)?;
    Some(PathBuf::from(root).join("run/applied.json"))
}

/// What was applied, by kind: `last`, whatever it was, and `highstate`, the last whole one. Empty
/// where nothing was applied yet.
pub fn known(opts: &Map) -> Map {
    let read = |path| {
        let mut file = File::open(path).ok()?;
        flock(&file, FlockOperation::LockShared).ok()?;
        Some(read(&mut file))
    };
    path(opts).and_then(read).unwrap_or_default()
}

/// Nothing where it is damaged, which who loses power may find.
fn read(file: &mut File) -> Map {
    let mut text = Vec::new();
    match file.take(LIMIT).read_to_end(&mut text).map(|_| serde_json::from_slice(&text)) {
        Ok(Ok(Value::Object(known))) => known,
        _ => Map::new(),
    }
}

/// Keeps that a job has applied states, well or not; of a dry run nothing is kept.
pub fn keep(job: &Job, tree: &dyn Tree, opts: &Map, succeeded: bool) {
    let Some(path) = path(opts).filter(|_| applies(job, opts)) else { return };
    let request = &job.request;
    let mut about = json!({
        "jid": job.jid.to_string(),
        "fun": request.function.to_string(),
        "fun_args": request.args.to_salt(),
        "operator": request.operator.to_string(),
        "success": succeeded,
    });
    if let Some(about) = about.as_object_mut() {
        about.extend(tree.revision());
    }
    let kind = if is_whole(job) { &["highstate", "last"][..] } else { &["last"] };
    if let Err(error) = note(&path, kind, &about) {
        tracing::warn!(%error, "what was applied cannot be kept");
    }
}

/// Puts it down under each of `kinds` beside what is known. It is written in place, since nothing
/// depends on it: a new file with the old one's name would be on its way to the disk at once, which
/// takes as long as a dozen states that are found unchanged.
fn note(path: &Path, kinds: &[&str], about: &Value) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive)?;
    let mut known = read(&mut file);
    known.extend(kinds.iter().map(|kind| ((*kind).to_owned(), about.clone())));
    let text = Value::Object(known).to_string();
    file.write_all_at(text.as_bytes(), 0)?;
    file.set_len(text.len() as u64)
}

/// Whether a job applies states, and does not only tell what they would do.
fn applies(job: &Job, opts: &Map) -> bool {
    let function = &job.request.function;
    let writes = exec::Table.find(function.as_str()).is_some_and(|found| found.effect == Effect::Writes);
    let test = job.request.args.named.get("test").or_else(|| opts.get("test")).is_some_and(truth);
    function.module() == "state" && function.as_str() != "state.test" && writes && !test
}

fn is_whole(job: &Job) -> bool {
    let args = &job.request.args;
    let names_some = !args.positional.is_empty() || args.named.contains_key("mods");
    match job.request.function.as_str() {
        "state.highstate" => true,
        "state.apply" => !names_some,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proto::{Args, JobId, Request, RunOptions};

    use super::*;

    struct Files;

    impl Tree for Files {
        fn environments(&self) -> Vec<String> {
            Vec::new()
        }
        fn read(&self, _: &str, _: &str) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }
        fn files(&self, _: &str) -> std::sync::Arc<Vec<String>> {
            Default::default()
        }
        fn local(&self, _: &str, _: &str) -> Option<PathBuf> {
            None
        }
        fn revision(&self) -> Map {
            Map::from_iter([("tree".to_owned(), json!("8ef90a"))])
        }
    }

    fn job(second: u64, function: &str, args: Args) -> Job {
        let request = Request {
            nonce: [0; 16],
            operator: "root".parse().unwrap(),
            target: "*".into(),
            function: function.parse().unwrap(),
            args,
            valid_until: u64::MAX,
            options: RunOptions::default(),
        };
        Job { jid: JobId::from_micros(second * 1_000_000), request, expires: u64::MAX, tree: None }
    }

    #[test]
    fn the_last_run_and_the_last_whole_one_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let opts = Map::from_iter([("root_dir".to_owned(), json!(folder.path()))]);
        assert_eq!(known(&opts), Map::new());
        keep(&job(1, "state.apply", Args::default()), &Files, &opts, true);
        keep(&job(2, "state.sls", Args::positional([json!("web")])), &Files, &opts, false);
        for (function, args) in [
            ("state.highstate", Args::default().with("test", true)),
            ("state.test", Args::default()),
            ("state.show_top", Args::default()),
            ("test.ping", Args::default()),
        ] {
            keep(&job(3, function, args), &Files, &opts, true);
        }
        let known = known(&opts);
        let of = |kind: &str, key: &str| known[kind][key].clone();
        assert_eq!((of("last", "fun"), of("last", "success")), (json!("state.sls"), json!(false)));
        assert_eq!(of("last", "fun_args"), json!(["web"]));
        assert_eq!((of("highstate", "fun"), of("highstate", "tree")), (json!("state.apply"), json!("8ef90a")));
        assert_eq!(of("highstate", "jid"), JobId::from_micros(1_000_000).to_string());
    }

    #[test]
    fn a_file_that_is_damaged_is_no_answer() {
        let folder = tempfile::tempdir().unwrap();
        let opts = Map::from_iter([("root_dir".to_owned(), json!(folder.path()))]);
        fs::create_dir(folder.path().join("run")).unwrap();
        fs::write(folder.path().join("run/applied.json"), "{\"last\"").unwrap();
        assert_eq!(known(&opts), Map::new());
        keep(&job(1, "state.highstate", Args::default()), &Files, &opts, true);
        assert_eq!(known(&opts).len(), 2);
    }
}
