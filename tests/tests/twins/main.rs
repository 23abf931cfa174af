//! The runner and the states beside real Salt: `conformance/twins/*.sls` run in a folder of their
//! own by `ctl call state.apply`, as `twins.py` had Salt run them. Rows (order, result, changes,
//! comment) and the folder afterwards are compared, for `test=True`, a first run, a second, and
//! `test=True` again. `twins/differences.toml` names what differs, with a reason, and
//! `twins/faults.toml` what is wrong with us and not mended yet. Those of `twins/machine` change users,
//! packages and services, and run in a machine of their own each.

mod converge;
mod trials;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::{Map, Value, json};
use tests::{Alone, Booted, alone};

const STEPS: [(&str, bool); 4] = [("test", true), ("first", false), ("second", false), ("test again", true)];
/// What differs from run to run, and what is ours alone.
const PASSING: [&str; 5] = ["start_time", "duration", "__run_num__", "pid", "__place__"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The lines `# WHAT: …` of an SLS.
fn said<'text>(text: &'text str, what: &str) -> Vec<&'text str> {
    let line = |line: &'text str| line.strip_prefix("# ")?.strip_prefix(what)?.strip_prefix(": ");
    text.lines().filter_map(line).collect()
}

/// A case's folders: what it changes, its states and its pillar.
struct Twin {
    alone: Alone,
    name: String,
    /// What to look at besides the folder, and where.
    looks: Vec<String>,
    /// Whether to look at the folder, which may hold what is never the same twice.
    folder: bool,
    booted: Option<Booted>,
}

impl Twin {
    /// A case of `set`, in a machine of its own or in this one.
    fn new(set: &str, name: &str, own: bool) -> Self {
        let mut alone = Alone::new("");
        let roots = alone.read("conf/minion").replace("file_client: local\n", "");
        alone.write("conf/minion", &(read("base.yaml") + &roots));
        alone.write(&format!("salt/{name}.sls"), &read(&format!("{set}/{name}.sls")));
        let text = alone.read(&format!("salt/{name}.sls"));
        alone.write("pillar/top.sls", "base: {'*': [p]}\n");
        alone.write("pillar/p.sls", &read("twins/pillar.yaml"));
        alone.shell(&format!("cp -r {} {}", folder().join("twins/files").display(), alone.at("salt")));
        let booted = own.then(|| Booted::new(&alone));
        alone.wrap = booted.as_ref().map(Booted::wrap).unwrap_or_default();
        for line in said(&text, "before") {
            match &booted {
                Some(booted) => drop(booted.shell(&alone.at("root"), line)),
                None => alone.shell(line),
            }
        }
        let looks = said(&text, "look").into_iter().map(str::to_owned).collect();
        Self { alone, name: name.to_owned(), looks, folder: said(&text, "tree").is_empty(), booted }
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
        let mut tree = if self.folder { alone::tree(&self.alone.path("root")) } else { json!({}) };
        for line in &self.looks {
            let seen = self.booted.as_ref().map(|booted| booted.shell(&self.alone.at("root"), line));
            tree[format!("look: {line}")] = json!({ "text": seen });
        }
        self.plain(tree)
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
            let said = differing(salt_map.get(key), our_map.get(key));
            (format!("{name}, {step}: {key}"), said)
        })
        .collect();
    if wrong.is_empty() && step.ends_with("rows") && !salt_map.keys().eq(our_map.keys()) {
        let order = |map: &Map<String, Value>| map.keys().cloned().collect::<Vec<_>>().join(" ");
        wrong
            .push((format!("{name}, {step}: order"), format!("Salt: {}\n  ours: {}", order(salt_map), order(our_map))));
    }
    wrong
}

/// The rows of the run whose outcome a dry run foretells: the one after it, or for the last the one before.
fn run_of<'golden>(step: &str, salt: &'golden Value) -> &'golden Value {
    &salt[if step == "test" { "first" } else { "second" }]["rows"]
}

/// Whether Salt's dry run says of a row what Salt's own run then did not do, and ours says it: its
/// result, or what it changed.
fn foretells_better(run: &Value, salt: &Value, ours: &Value, case: &str) -> bool {
    let Some((_, key)) = case.split_once(" rows: ") else { return false };
    let expected = match (&run[key]["result"], run[key]["changes"] == json!({})) {
        (Value::Bool(true), true) => json!(true),
        (Value::Bool(true), false) => Value::Null,
        (result, _) => result.clone(),
    };
    let all_there = [run, salt, ours].iter().all(|rows| rows.get(key).is_some());
    let result = |rows: &Value| if softened(&rows[key]) { json!(false) } else { rows[key]["result"].clone() };
    let changed = |rows: &Value| rows[key]["changes"] == run[key]["changes"];
    all_there && result(ours) == expected && (result(salt) != expected || changed(ours) && !changed(salt))
}

/// Whether a dry run of ours says of what would fail that an earlier state may mend it.
fn softened(row: &Value) -> bool {
    let said = row["comment"].as_str().is_some_and(|comment| comment.ends_with(" and may bring it."));
    said && row["result"].is_null() && row["changes"] == json!({})
}

/// The rows of a second run that changed something; what failed is no change that was wanted.
fn changed_again(name: &str, rows: &Value) -> Vec<String> {
    let rows = rows.as_object().into_iter().flatten();
    rows.filter(|(_, row)| row["changes"] != json!({}) && row["result"] == json!(true))
        .map(|(key, _)| format!("{name}: {key}"))
        .collect()
}

/// Both, or of long texts the lines that only one of them has.
fn differing(salt: Option<&Value>, ours: Option<&Value>) -> String {
    let text = |value: Option<&'_ Value>| value.and_then(|value| value["text"].as_str()).map(str::to_owned);
    if let (Some(salt), Some(ours)) = (text(salt), text(ours)) {
        let only = |one: &str, other: &str| {
            let lines: Vec<&str> = one.lines().filter(|line| !other.lines().any(|there| there == *line)).collect();
            lines.join("\n    ")
        };
        let both = (only(&salt, &ours), only(&ours, &salt));
        if both != (String::new(), String::new()) {
            return format!("Salt:\n    {}\n  ours:\n    {}", both.0, both.1);
        }
    }
    let shown = |value: Option<&Value>| value.map_or("nothing".into(), Value::to_string);
    format!("Salt: {}\n  ours: {}", shown(salt), shown(ours))
}

/// How a dry run of ours begins to say what an earlier state may change of it.
const HEDGE: &str = "\nNote: an earlier state of this run would change the host";

/// Equal, but for what is no part of the bargain:
/// * Where a state of Salt's ends in a Python exception, ours has to fail too, with a reason of its own;
///   where both fail without changes, the reason may be said in other words, and a dry run of ours may
///   add that an earlier state of the run may mend it.
/// * Lists of files come in the order of the directory, in Salt.
/// * Salt words some comments of dry runs unlike those of the run that follows.
fn alike(salt: Option<&Value>, ours: Option<&Value>) -> bool {
    let (Some(salt), Some(ours)) = (salt, ours) else { return salt == ours };
    if !salt["comment"].is_string() || !ours["comment"].is_string() {
        return salt == ours;
    }
    // A plan of ours may say what will change, where Salt's says only that something will.
    let planned = |row: &Value| row["result"].is_null();
    let told = planned(salt) && planned(ours) && salt["changes"] == json!({});
    let mut ours = ours.clone();
    if told {
        ours["changes"] = json!({});
    }
    let comment = ours["comment"].as_str().unwrap_or_default();
    if let Some((said, _)) = comment.split_once(HEDGE).filter(|(said, _)| salt["comment"].as_str() == Some(said)) {
        ours["comment"] = json!(said);
    }
    let ours = &ours;
    let failed = |row: &Value| row["result"] == json!(false) && row["changes"] == json!({});
    (failed(salt) && (failed(ours) || softened(ours))) || settled(salt) == settled(ours)
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
    } else if comment.contains("__salt.tmp.") || comment.starts_with("Crontab for user ") && row["changes"] == json!({})
    {
        // Salt compares crontabs by way of a file with a name made up.
        json!(comment.split(' ').next_back())
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
fn listed(set: &str, file: &str) -> Vec<String> {
    let text = read(&format!("{set}/{file}"));
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
    compare("twins", "golden/twins.json", false);
}

#[test]
fn states_that_change_a_machine_do_what_salts_do() {
    compare("twins/machine", "golden/twins_machine.json", true);
}

/// How many cases run at once: they wait for programs most of the time.
const WORKERS: usize = 4;

/// What was found in some cases.
#[derive(Default)]
struct Found {
    wrong: Vec<(String, String)>,
    /// What changed in a second run.
    again: Vec<String>,
    cases: usize,
}

impl Found {
    fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        self.again.extend(other.again);
        self.cases += other.cases;
    }
}

/// Compares one case.
fn compared(set: &str, name: &str, own: bool, golden: &Value) -> Found {
    let (twin, mut found) = (Twin::new(set, name, own), Found::default());
    for (step, test) in STEPS {
        let salt = &golden[step];
        found.cases += salt["rows"].as_object().map_or(1, Map::len) + salt["tree"].as_object().map_or(0, Map::len);
        let ours = twin.apply(test);
        if step == "second" {
            found.again.extend(changed_again(name, &ours));
        }
        let foretold = |case: &str| test && foretells_better(run_of(step, golden), &salt["rows"], &ours, case);
        let rows = unlike(name, &format!("{step} rows"), &salt["rows"], &ours);
        found.wrong.extend(rows.into_iter().filter(|(case, _)| !foretold(case)));
        found.wrong.extend(unlike(name, &format!("{step} tree"), &salt["tree"], &twin.tree()));
    }
    found
}

/// A case's `# needs: PROGRAM PACKAGE` are there, or the test fails by name.
fn has_what_it_needs(set: &str, name: &str) {
    for line in said(&read(&format!("{set}/{name}.sls")), "needs") {
        let (program, package) = line.split_once(' ').expect("a program and its package");
        tests::needs::program(program, package);
    }
}

/// Compares the cases of a folder, those with `TWINS` in their names; `own` is a machine for each.
fn compare(set: &str, golden: &str, own: bool) {
    let golden: Map<String, Value> = serde_json::from_str(&read(golden)).unwrap();
    let only = std::env::var("TWINS").unwrap_or_default();
    let names: Vec<&String> = golden.keys().filter(|name| name.contains(&only)).collect();
    names.iter().for_each(|name| has_what_it_needs(set, name));
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Found::default()));
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let one = compared(set, name, own, &golden[*name]);
                    found.lock().unwrap().add(one);
                }
            });
        }
    });
    let Found { mut wrong, again, cases } = found.into_inner().unwrap();
    wrong.sort();
    let (meant, faults) = (listed(set, "differences.toml"), listed(set, "faults.toml"));
    let of = |list: &[String], case: &str| list.iter().any(|pattern| named(pattern, case));
    let new = wrong.iter().filter(|(case, _)| !of(&meant, case) && !of(&faults, case));
    let shown: Vec<String> = new.map(|(case, said)| format!("{case}\n  {said}")).collect();
    assert!(shown.is_empty(), "{} of {cases} rows and files differ:\n{}", shown.len(), shown.join("\n"));
    let idempotent = listed(set, "again.toml");
    let unlisted: Vec<_> = again.iter().filter(|case| !of(&idempotent, case)).collect();
    assert!(unlisted.is_empty(), "a second run changes something again: {unlisted:#?}");
    if only.is_empty() {
        let idle: Vec<_> = idempotent.iter().filter(|pattern| !again.iter().any(|case| named(pattern, case))).collect();
        assert!(idle.is_empty(), "listed, but a second run changes nothing: {idle:#?}");
        let idle = |pattern: &&String| !wrong.iter().any(|(case, _)| named(pattern, case));
        let idle: Vec<&String> = meant.iter().chain(&faults).filter(idle).collect();
        assert!(idle.is_empty(), "listed, but they do not differ any more: {idle:#?}");
        let count = wrong.len();
        eprintln!("{set}: {count} of {cases} rows and files differ");
        assert!(count * 50 <= cases, "{count} of {cases} differ: more than 2 %");
    }
}

/// The arguments that cases give to each function: `ID: {MODULE.FUNCTION: [{ARGUMENT: …}]}`.
fn shown() -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let sets = ["twins", "twins/machine"].map(|set| fs::read_dir(folder().join(set)).unwrap());
    for entry in sets.into_iter().flatten().flatten() {
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
