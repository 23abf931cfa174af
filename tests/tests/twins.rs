//! The runner and the states beside real Salt: `conformance/twins/*.sls` run in a folder of their
//! own by `ctl call state.apply`, as `twins.py` had Salt run them. Rows (order, result, changes,
//! comment) and the folder afterwards are compared, for `test=True`, a first run, a second, and
//! `test=True` again. `twins/differences.toml` names what differs, with a reason, and
//! `twins/faults.toml` what is wrong with us and not mended yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use tests::{Alone, alone};

const STEPS: [(&str, bool); 4] = [("test", true), ("first", false), ("second", false), ("test again", true)];
/// What differs from run to run, and what is ours alone.
const PASSING: [&str; 5] = ["start_time", "duration", "__run_num__", "pid", "__place__"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A case's folders: what it changes, its states and its pillar.
struct Twin {
    alone: Alone,
    name: String,
}

impl Twin {
    fn new(name: &str) -> Self {
        let alone = Alone::new("");
        let roots = alone.read("conf/minion").replace("file_client: local\n", "");
        alone.write("conf/minion", &(read("base.yaml") + &roots));
        let text = read(&format!("twins/{name}.sls"));
        alone.write(&format!("salt/{name}.sls"), &text);
        alone.write("pillar/top.sls", "base: {'*': [p]}\n");
        alone.write("pillar/p.sls", &read("twins/pillar.yaml"));
        alone.shell(&format!("cp -r {} {}", folder().join("twins/files").display(), alone.at("salt")));
        if let Some(before) = text.lines().next().and_then(|line| line.strip_prefix("# before: ")) {
            alone.shell(before);
        }
        Self { alone, name: name.to_owned() }
    }

    fn apply(&self, test: bool) -> Value {
        let answer = self.alone.call(&["state.apply", &self.name, &format!("test={test}")]);
        self.plain(rows(answer))
    }

    /// The same, with this folder's name taken out.
    fn plain(&self, value: Value) -> Value {
        serde_json::from_str(&value.to_string().replace(&self.alone.at("root"), "@ROOT@")).unwrap()
    }

    fn tree(&self) -> Value {
        self.plain(alone::tree(&self.alone.path("root")))
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
        .filter(|key| !alike(salt_map.get(*key), our_map.get(*key)))
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

/// Equal, but for what is no part of the bargain:
/// * Where a state of Salt's ends in a Python exception, ours has to fail too, with a reason of its own;
///   where both fail without changes, the reason may be said in other words.
/// * Lists of files come in the order of the directory, in Salt.
/// * Salt words some comments of dry runs unlike those of the run that follows.
fn alike(salt: Option<&Value>, ours: Option<&Value>) -> bool {
    let (Some(salt), Some(ours)) = (salt, ours) else { return salt == ours };
    if !salt["comment"].is_string() || !ours["comment"].is_string() {
        return salt == ours;
    }
    let failed = |row: &Value| row["result"] == json!(false) && row["changes"] == json!({});
    (failed(salt) && failed(ours)) || settled(salt) == settled(ours)
}

/// A row without what differs from directory to directory and between dry runs and others.
fn settled(row: &Value) -> Value {
    let mut row = row.clone();
    // A note of Salt's runner to itself.
    row.as_object_mut().map(|row| row.shift_remove("skip_req"));
    let comment = row["comment"].as_str().unwrap_or_default().to_owned();
    let path = |text: &str, after: &str| Some(text.split(after).next()?.split(' ').next_back()?.to_owned());
    row["comment"] = if comment.starts_with("The following files will be changed:") {
        let mut lines: Vec<&str> = comment.lines().collect();
        lines.sort_unstable();
        json!(lines)
    } else if comment.ends_with(" is in the correct state") {
        json!(path(&comment, " is in the correct state"))
    } else if row["changes"] == json!({}) && comment.contains("ymlink ") && comment.contains(" is present") {
        json!(path(&comment, " is present"))
    } else {
        json!(comment)
    };
    if let Some(removed) = row["changes"].get_mut("removed").and_then(Value::as_array_mut) {
        removed.sort_by_key(Value::to_string);
    }
    row
}

/// `case = "CASE"` of a file, where a `*` stands for any text.
fn listed(file: &str) -> Vec<String> {
    let text = read(&format!("twins/{file}"));
    let quoted = |line: &str| serde_json::from_str(line.strip_prefix("case = ")?).ok();
    text.lines().filter_map(quoted).collect()
}

fn named(pattern: &str, case: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| case.strip_prefix(first)) else { return false };
    let mut ends = rest.is_empty();
    for part in parts {
        let Some(at) = rest.rfind(part) else { return false };
        rest = &rest[at + part.len()..];
        ends = rest.is_empty() || part.is_empty();
    }
    ends
}

#[test]
fn states_do_what_salts_do() {
    let golden: Map<String, Value> = serde_json::from_str(&read("golden/twins.json")).unwrap();
    let only = std::env::var("TWINS").unwrap_or_default();
    let (mut wrong, mut cases) = (Vec::new(), 0);
    for (name, salt) in golden.iter().filter(|(name, _)| name.contains(&only)) {
        let twin = Twin::new(name);
        for (step, test) in STEPS {
            let salt = &salt[step];
            cases += salt["rows"].as_object().map_or(1, Map::len) + salt["tree"].as_object().map_or(0, Map::len);
            wrong.extend(unlike(name, &format!("{step} rows"), &salt["rows"], &twin.apply(test)));
            wrong.extend(unlike(name, &format!("{step} tree"), &salt["tree"], &twin.tree()));
        }
    }
    let (meant, faults) = (listed("differences.toml"), listed("faults.toml"));
    let of = |list: &[String], case: &str| list.iter().any(|pattern| named(pattern, case));
    let new = wrong.iter().filter(|(case, _)| !of(&meant, case) && !of(&faults, case));
    let shown: Vec<String> = new.map(|(case, said)| format!("{case}\n  {said}")).collect();
    assert!(shown.is_empty(), "{} of {cases} rows and files differ:\n{}", shown.len(), shown.join("\n"));
    if only.is_empty() {
        let idle = |pattern: &&String| !wrong.iter().any(|(case, _)| named(pattern, case));
        let idle: Vec<&String> = meant.iter().chain(&faults).filter(idle).collect();
        assert!(idle.is_empty(), "listed, but they do not differ any more: {idle:#?}");
        let count = wrong.iter().filter(|(case, _)| of(&meant, case)).count();
        assert!(count * 50 <= cases, "{count} of {cases} differ: more than 2 %");
    }
}

/// The arguments that cases give to each function: `ID: {MODULE.FUNCTION: [{ARGUMENT: …}]}`.
fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in fs::read_dir(folder().join("twins")).unwrap().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|end| end != "sls") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let node = states::yaml::parse(&path.display().to_string(), &text)
            .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let Value::Object(ids) = states::yaml::to_value(&node) else { panic!("{}", path.display()) };
        for (function, arguments) in ids.values().filter_map(Value::as_object).flatten() {
            let set = found.entry(function.clone()).or_default();
            // Every state has a name: its id, where nothing else is said.
            set.insert("name".into());
            let given = arguments.as_array().map(Vec::as_slice).unwrap_or_default();
            set.extend(given.iter().filter_map(Value::as_object).flat_map(|argument| argument.keys().cloned()));
        }
    }
    found
}

/// `FUNCTION.ARGUMENT: reason` of `exceptions.txt`, where `*` stands for any text.
fn exceptions() -> Vec<String> {
    let text = read("twins/exceptions.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no reason: {line}")).0.to_owned()).collect()
}

#[test]
fn every_documented_argument_has_a_case() {
    let declared: BTreeMap<String, Vec<String>> = serde_json::from_str(&read("golden/twins_declared.json")).unwrap();
    let (shown, excused) = (shown(), exceptions());
    let all: Vec<String> = declared
        .iter()
        .flat_map(|(function, arguments)| arguments.iter().map(move |argument| (function, argument)))
        .filter(|(function, argument)| !shown.get(*function).is_some_and(|set| set.contains(*argument)))
        .map(|(function, argument)| format!("{function}.{argument}"))
        .collect();
    let without: Vec<&String> = all.iter().filter(|one| !excused.iter().any(|pattern| named(pattern, one))).collect();
    assert!(without.is_empty(), "{} arguments have no case: {without:#?}", without.len());
    let idle: Vec<&String> = excused.iter().filter(|pattern| !all.iter().any(|one| named(pattern, one))).collect();
    assert!(idle.is_empty(), "exceptions that are none any more: {idle:#?}");
}
