//! `ctl orchestrate` beside `salt-run state.orchestrate`: the orchestrate SLS of
//! `orchestrated/cases/*.txt`, run with a real master and minions, get the verdicts that
//! `orchestrated/refresh.py` had from real Salt with as many real minions (`golden.json`): for each
//! row its result, whether there were changes, and which minions they name; and the exit code.
//! `differences.toml` names what differs, with a reason.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use tests::{Fleet, Ran, Transport, heavy, wait::secs};

/// As in `refresh.py`; `z1` is away.
const MINIONS: [&str; 4] = ["a1", "a2", "a3", "z1"];
const KINDS: [&str; 4] = ["db", "db", "app", "away"];

struct Case {
    name: String,
    options: Vec<String>,
    sls: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("orchestrated")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn cases() -> Vec<Case> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder().join("cases")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
    texts.flat_map(|text| text.split("=== ").skip(1).map(case).collect::<Vec<_>>()).collect()
}

fn case(text: &str) -> Case {
    let (head, sls) = text.split_once('\n').unwrap_or((text, ""));
    let mut words = head.split(" | ").map(str::to_owned);
    let name = words.next().unwrap_or_default();
    let options = words.map(|word| if word == "test" { "--test".to_owned() } else { word });
    Case { name, options: options.collect(), sls: sls.to_owned() }
}

/// The case of each place in the list, as an SLS beside the states.
fn tree(cases: &[Case]) -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder().join("states")).unwrap().map(|entry| entry.unwrap()) {
        fs::copy(entry.path(), tree.path().join(entry.file_name())).unwrap();
    }
    for (number, case) in cases.iter().enumerate() {
        fs::write(tree.path().join(format!("case{number}.sls")), &case.sls).unwrap();
    }
    tree
}

fn fleet(tree: &Path) -> Fleet {
    let dev = folder().join("states_dev");
    let roots = format!("file_roots: {{base: ['{}'], dev: ['{}']}}", tree.display(), dev.display());
    let kind = |i: usize| format!("grains: {{kind: {}}}", KINDS[i]);
    let mut fleet = Fleet::new(Transport::Tcp).named(&MINIONS).master(&roots).minion(kind).start();
    fleet.minion("z1").daemon.stop();
    fleet.wait_presence("z1", false, secs(60));
    fleet
}

fn orchestrate(fleet: &Fleet, number: usize, case: &Case) -> (Value, Ran) {
    let sls = format!("case{number}");
    let mut args = vec!["orchestrate", &sls, "--out", "json"];
    args.extend(case.options.iter().map(String::as_str));
    let ran = Ran::of(&args, fleet.begin(&args).wait(secs(120)));
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    let rows = answer["data"].as_object().and_then(|data| data.values().next()?.as_object().cloned());
    let rows = rows.map(|rows| rows.into_iter().map(|(tag, row)| (tag, verdict(&row))).collect::<Map<_, _>>());
    // Where nothing could be run Salt has no code of its own.
    let code = if rows.is_none() && ran.code == 2 { 1 } else { ran.code };
    (json!({"code": code, "rows": rows}), ran)
}

fn verdict(row: &Value) -> Value {
    let named = row["changes"]["ret"].as_object().map(|ret| ret.keys().cloned().collect::<BTreeSet<_>>());
    let named = named.filter(|named| named.iter().all(|name| MINIONS.contains(&name.as_str())));
    let changed = row["changes"].as_object().is_some_and(|changes| !changes.is_empty());
    json!({"result": row["result"], "changes": changed, "minions": named.unwrap_or_default()})
}

/// `case = "NAME"` of the list; what stands before it is the reason.
fn listed() -> Vec<String> {
    let text = read("differences.toml");
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("case = ")?).ok()).collect()
}

#[test]
fn orchestrations_have_the_verdicts_that_salts_have() {
    let _turn = heavy::turn();
    let golden: Map<String, Value> = serde_json::from_str(&read("golden.json")).unwrap();
    let (cases, listed) = (cases(), listed());
    let only = std::env::var("ORCHESTRATED").unwrap_or_default();
    let tree = tree(&cases);
    let fleet = fleet(tree.path());
    let mut wrong = String::new();
    for (number, case) in cases.iter().enumerate().filter(|(_, case)| case.name.contains(&only)) {
        let salt = golden.get(&case.name).unwrap_or(&Value::Null);
        let (ours, ran) = orchestrate(&fleet, number, case);
        match (ours == *salt, listed.contains(&case.name)) {
            (false, false) => {
                write!(wrong, "{}\n  Salt: {salt}\n  ours: {ours}\n{}\n", case.name, ran.stderr).unwrap();
            }
            (true, true) => writeln!(wrong, "{}: listed as different, and it is not\n", case.name).unwrap(),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn there_are_enough_cases_and_few_differ() {
    let (names, listed): (BTreeSet<String>, _) = (cases().into_iter().map(|case| case.name).collect(), listed());
    assert_eq!(names.len(), cases().len(), "no two have one name");
    assert!(names.len() >= 100, "{} cases", names.len());
    assert!(listed.iter().all(|name| names.contains(name)), "what is listed is there: {listed:?}");
    assert!(listed.len() * 10 <= names.len(), "{} of {} differ", listed.len(), names.len());
    let golden: Map<String, Value> = serde_json::from_str(&read("golden.json")).unwrap();
    assert!(golden.keys().eq(cases().iter().map(|case| &case.name)), "golden.json has other cases: refresh.py");
}
