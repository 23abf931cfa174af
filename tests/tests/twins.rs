//! The runner and the states beside real Salt: `conformance/twins/*.sls` run in a folder of their
//! own by `ctl call state.apply`, as `twins.py` had Salt run them. Rows (order, result, changes,
//! comment) and the folder afterwards are compared, for `test=True`, a first run, a second, and
//! `test=True` again. `twins/differences.toml` names what differs, with a reason.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};

const STEPS: [(&str, bool); 4] = [("test", true), ("first", false), ("second", false), ("test again", true)];
/// What differs from run to run, and what is ours alone.
const PASSING: [&str; 5] = ["start_time", "duration", "__run_num__", "pid", "__place__"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

/// A case's folders: what it changes, its states and its pillar.
struct Twin {
    dir: tempfile::TempDir,
    name: String,
}

impl Twin {
    fn new(name: &str) -> Self {
        let twin = Self { dir: tempfile::tempdir().unwrap(), name: name.to_owned() };
        for part in ["root", "salt", "pillar", "conf"] {
            fs::create_dir(twin.path(part)).unwrap();
        }
        let text = fs::read_to_string(folder().join("twins").join(format!("{name}.sls"))).unwrap();
        fs::write(twin.path("salt").join(format!("{name}.sls")), text.replace("@ROOT@", &twin.root())).unwrap();
        fs::write(twin.path("pillar").join("top.sls"), "base: {'*': [p]}\n").unwrap();
        let pillar = format!("root: {}\nroot_text: of the pillar\n", twin.root());
        fs::write(twin.path("pillar").join("p.sls"), pillar).unwrap();
        fs::write(twin.path("conf").join("minion"), twin.config()).unwrap();
        let files = format!("cp -r {} {}", folder().join("twins/files").display(), twin.path("salt").display());
        twin.shell(&files);
        if let Some(before) = text.lines().next().and_then(|line| line.strip_prefix("# before: ")) {
            twin.shell(before);
        }
        twin
    }

    fn path(&self, part: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(part)
    }

    fn root(&self) -> String {
        self.path("root").display().to_string()
    }

    fn shell(&self, command: &str) {
        let status = Command::new("sh").args(["-c", command]).current_dir(self.path("root")).status().unwrap();
        assert!(status.success(), "{command}");
    }

    fn config(&self) -> String {
        let base = fs::read_to_string(folder().join("base.yaml")).unwrap();
        let at = |part: &str| self.path(part).display().to_string();
        format!(
            "{base}root_dir: {}\nfile_roots: {{base: [{}]}}\npillar_roots: {{base: [{}]}}\n",
            at("own"),
            at("salt"),
            at("pillar")
        )
    }

    fn apply(&self, test: bool) -> Value {
        let output = Command::new(tests::binary::ctl())
            .arg("--config-dir")
            .arg(self.path("conf"))
            .args(["call", "state.apply", &self.name, &format!("test={test}"), "--out", "json"])
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr)));
        self.plain(rows(answer["local"].clone()))
    }

    /// The same, with this folder's name taken out.
    fn plain(&self, value: Value) -> Value {
        serde_json::from_str(&value.to_string().replace(&self.root(), "@ROOT@")).unwrap()
    }

    fn tree(&self) -> Value {
        let mut found = BTreeMap::new();
        walk(&self.path("root"), Path::new(""), &mut found);
        self.plain(json!(found))
    }
}

/// The rows in the order in which they were run.
fn rows(answer: Value) -> Value {
    let Value::Object(rows) = answer else { return answer };
    let mut rows: Vec<(String, Value)> = rows.into_iter().collect();
    rows.sort_by_key(|(_, row)| row["__run_num__"].as_u64());
    let kept = rows.into_iter().map(|(key, mut row)| {
        if let Some(row) = row.as_object_mut() {
            row.retain(|name, _| !PASSING.contains(&name.as_str()));
            row.get_mut("changes").and_then(Value::as_object_mut).map(|changes| changes.remove("pid"));
        }
        (key, row)
    });
    Value::Object(kept.collect())
}

fn walk(root: &Path, below: &Path, found: &mut BTreeMap<String, Value>) {
    for entry in fs::read_dir(root.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        let meta = entry.metadata().unwrap();
        let mut said = json!({"mode": format!("0o{:o}", meta.mode() & 0o7777), "uid": meta.uid(), "gid": meta.gid()});
        if meta.is_symlink() {
            said = json!({"target": fs::read_link(entry.path()).unwrap()});
        } else if meta.is_dir() {
            walk(root, &path, found);
        } else {
            said["text"] = fs::read_to_string(entry.path()).unwrap().into();
        }
        found.insert(path.display().to_string(), said);
    }
}

/// What is unlike, a line for each row and each path.
fn unlike(name: &str, step: &str, salt: &Value, ours: &Value) -> Vec<(String, String)> {
    let (Some(salt_map), Some(our_map)) = (salt.as_object(), ours.as_object()) else {
        // What Salt refuses is refused here too, in other words: those are `ctl`'s own tests' business.
        let both_refused = !salt.is_object() && !ours.is_object();
        let both = format!("Salt: {salt}\n  ours: {ours}");
        return if both_refused { Vec::new() } else { vec![(format!("{name}, {step}"), both)] };
    };
    let keys = salt_map.keys().chain(our_map.keys().filter(|key| !salt_map.contains_key(*key)));
    let mut wrong: Vec<(String, String)> = keys
        .filter(|key| salt_map.get(*key) != our_map.get(*key))
        .map(|key| {
            let shown = |map: &Map<String, Value>| map.get(key).map_or("nothing".into(), Value::to_string);
            (format!("{name}, {step}: {key}"), format!("Salt: {}\n  ours: {}", shown(salt_map), shown(our_map)))
        })
        .collect();
    if wrong.is_empty() && step.ends_with("rows") && !salt_map.keys().eq(our_map.keys()) {
        let order = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>().join(" ");
        wrong
            .push((format!("{name}, {step}: order"), format!("Salt: {}\n  ours: {}", order(salt_map), order(our_map))));
    }
    wrong
}

fn differences() -> Vec<String> {
    let text = fs::read_to_string(folder().join("twins/differences.toml")).unwrap_or_default();
    let quoted = |line: &str| serde_json::from_str(line.strip_prefix("case = ")?).ok();
    text.lines().filter_map(quoted).collect()
}

#[test]
fn states_do_what_salts_do() {
    let golden: Map<String, Value> =
        serde_json::from_str(&fs::read_to_string(folder().join("golden/twins.json")).unwrap()).unwrap();
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for (name, salt) in &golden {
        let twin = Twin::new(name);
        for (step, test) in STEPS {
            let salt = &salt[step];
            cases += salt["rows"].as_object().map_or(1, Map::len) + salt["tree"].as_object().map_or(0, Map::len);
            wrong.extend(unlike(name, &format!("{step} rows"), &salt["rows"], &twin.apply(test)));
            wrong.extend(unlike(name, &format!("{step} tree"), &salt["tree"], &twin.tree()));
        }
    }
    let known = differences();
    let (listed, new): (Vec<_>, Vec<_>) = wrong.iter().partition(|(case, _)| known.contains(case));
    let shown: Vec<String> = new.iter().map(|(case, said)| format!("{case}\n  {said}")).collect();
    assert!(new.is_empty(), "{} of {cases} rows and files differ:\n{}", new.len(), shown.join("\n"));
    assert_eq!(listed.len(), known.len(), "some of twins/differences.toml do not differ any more");
    assert!(listed.len() * 50 <= cases, "{} of {cases} differ: more than 2 %", listed.len());
}
