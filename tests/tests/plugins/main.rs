//! Our checks beside Debian's monitoring plugins: each case of `plugins/cases.txt` looks with both at the
//! same thing on the same host, with the same thresholds, and both must find the same status. The host
//! is a machine of its own that `plugins/scene.sh` makes up, so that what is true is known.
//! `plugins/differences.toml` names what differs, with a reason, and the kinds that have no plugin.

mod guideline;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value, json};
use tests::{Alone, Booted, needs};

const PLUGINS: &str = "/usr/lib/nagios/plugins";
const STATUSES: [&str; 4] = ["OK", "WARNING", "CRITICAL", "UNKNOWN"];

struct Case {
    name: String,
    /// Our check, as YAML.
    ours: String,
    /// The plugin's command line.
    plugin: String,
}

impl Case {
    fn kind(&self) -> String {
        let kind = self.ours.split("check: ").nth(1).and_then(|rest| rest.split([',', '}']).next());
        kind.unwrap_or_else(|| panic!("{} has no check", self.name)).to_owned()
    }

    /// The plugin's name; behind `negate` too.
    fn original(&self) -> &str {
        let mut words = self.plugin.split(' ').map(|word| word.trim_start_matches("$PLUGINS/"));
        words.find(|word| word.starts_with("check_")).unwrap_or_default()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins")
}

fn read(file: &str) -> String {
    fs::read_to_string(folder().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn cases() -> Vec<Case> {
    let text = read("cases.txt");
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let case = |lines: &[&str]| match lines {
        [name, ours, plugin] if !name.starts_with(' ') => {
            Case { name: (*name).into(), ours: ours.trim().into(), plugin: plugin.trim().into() }
        }
        other => panic!("a case has a name, our check, and the plugin: {other:?}"),
    };
    lines.chunks(3).map(case).collect()
}

/// `KEY = "NAME"` of the list; what stands before it is the reason.
fn listed(key: &str) -> Vec<String> {
    let text = read("differences.toml");
    text.lines().filter_map(|line| serde_json::from_str(line.strip_prefix(key)?.strip_prefix(" = ")?).ok()).collect()
}

/// A host of which everything is known.
struct Scene {
    alone: Alone,
    booted: Booted,
}

impl Scene {
    fn new() -> Self {
        needs::debian(&[
            "monitoring-plugins-basic",
            "monitoring-plugins-standard",
            "monitoring-plugins-contrib",
            "monitoring-plugins-systemd",
            // Of check_curl, which does not say so.
            "liburiparser1",
        ]);
        for (program, package) in [("dnsmasq", "dnsmasq-base"), ("dig", "bind9-dnsutils"), ("openssl", "openssl")] {
            needs::program(program, package);
        }
        let mut alone = Alone::new("");
        alone.write("pillar/top.sls", "base: {'*': [checks]}\n");
        for file in ["scene.sh", "servers.py"] {
            alone.write(&format!("root/{file}"), &read(file));
        }
        let booted = Booted::new(&alone);
        alone.wrap = booted.wrap();
        let set = booted.shell(&alone.at("root"), "sh scene.sh $PWD >scene.log 2>&1; echo $?");
        assert_eq!(set.trim(), "0", "the scene cannot be set: {}", alone.read("root/scene.log"));
        Self { alone, booted }
    }

    /// What our checks find: status and output, by case.
    fn ours(&self, cases: &[Case]) -> BTreeMap<String, (String, String)> {
        // In the pillar, for a configuration that is misspelt would be refused.
        let checks: String = cases.iter().map(|case| format!("  {}: {}\n", json!(case.name), case.ours)).collect();
        self.alone.write("pillar/checks.sls", &format!("#!yaml\nchecks:\n{checks}"));
        let rows = self.alone.call(&["check.run"]);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let row = |row: &Value| (text(&row["name"]), (text(&row["status"]), text(&row["output"])));
        rows.as_array().unwrap_or_else(|| panic!("no rows: {rows}")).iter().map(row).collect()
    }

    /// What the plugins find, some of them at once.
    fn plugins(&self, cases: &[Case]) -> BTreeMap<String, (String, String)> {
        for (at, case) in cases.iter().enumerate() {
            let line = format!("export LC_ALL=C PLUGINS={PLUGINS}\n{PLUGINS}/{}\n", case.plugin);
            self.alone.write(&format!("root/{at}.sh"), &line);
        }
        let one = r#"timeout 60 sh "$0.sh" >"$0.out" 2>&1; echo $? >"$0.code""#;
        let all = format!("seq {} | xargs -I N expr N - 1 | xargs -P 4 -n 1 sh -c '{one}'", cases.len());
        self.booted.shell(&self.alone.at("root"), &all);
        let found = |(at, case): (usize, &Case)| {
            let (code, said) = (self.read(at, "code"), self.read(at, "out"));
            let code: usize = code.trim().parse().unwrap_or_else(|_| panic!("{} did not run: {said}", case.name));
            let status = STATUSES.get(code).map_or_else(|| format!("none, {code}"), |status| (*status).to_owned());
            (case.name.clone(), (status, said))
        };
        cases.iter().enumerate().map(found).collect()
    }

    fn read(&self, at: usize, end: &str) -> String {
        self.alone.read(&format!("root/{at}.{end}"))
    }
}

/// What both found of each case, the cases of logs three times: the first look at a log only notes where it ends.
fn compared(cases: Vec<Case>) -> Map<String, Value> {
    let (scene, mut found) = (Scene::new(), Map::new());
    let differ = looked(&scene, &cases, "", &mut found);
    // Where a machine is busy, something may have taken longer than it should; what truly differs does so again.
    let (logs, differing): (Vec<Case>, Vec<Case>) = cases
        .into_iter()
        .filter(|case| case.kind() == "log" || differ.contains(&case.name))
        .partition(|case| case.kind() == "log");
    looked(&scene, &differing, "", &mut found);
    scene.booted.shell("/run/files", "printf 'fire\\nall is well again\\n' >>log");
    looked(&scene, &logs, ", again", &mut found);
    scene.booted.shell("/run/files", "printf 'smoke\\n' >>log");
    looked(&scene, &logs, ", and again", &mut found);
    found
}

/// Looks with both, and gives the cases that differ.
fn looked(scene: &Scene, cases: &[Case], again: &str, found: &mut Map<String, Value>) -> Vec<String> {
    let (mut ours, plugins) = (scene.ours(cases), scene.plugins(cases));
    let mut differ = Vec::new();
    for case in cases {
        let (ours, plugin) = (ours.remove(&case.name), &plugins[&case.name]);
        let ours = ours.unwrap_or_else(|| panic!("there is no row of {}", case.name));
        if ours.0 != plugin.0 {
            differ.push(case.name.clone());
        }
        found.insert(format!("{}{again}", case.name), json!({"ours": ours, "plugin": plugin}));
    }
    differ
}

/// How often each status of a kind was compared.
fn spread(found: &Map<String, Value>, kinds: &BTreeMap<String, String>) -> BTreeMap<String, BTreeMap<String, usize>> {
    let mut spread: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for (name, row) in found {
        let kind = kinds.iter().find(|(case, _)| name.starts_with(*case)).map(|(_, kind)| kind.clone());
        let status = row["plugin"][0].as_str().unwrap_or_default().to_owned();
        *spread.entry(kind.unwrap_or_default()).or_default().entry(status).or_default() += 1;
    }
    spread
}

#[test]
fn our_checks_find_what_debians_plugins_find() {
    let cases = cases();
    let kinds: BTreeMap<String, String> = cases.iter().map(|case| (case.name.clone(), case.kind())).collect();
    let (found, listed) = (compared(cases), listed("case"));
    let mut wrong = String::new();
    for (name, row) in &found {
        match (row["ours"][0] == row["plugin"][0], listed.contains(name)) {
            (false, false) => {
                write!(wrong, "{name}\n  plugin: {}\n  ours:   {}\n", row["plugin"], row["ours"]).unwrap();
            }
            (true, true) => writeln!(wrong, "{name}: listed as different, and it is not").unwrap(),
            _ => {}
        }
    }
    let spread = spread(&found, &kinds);
    assert!(wrong.is_empty(), "{wrong}\n{} cases: {spread:#?}", found.len());
    let of = |status: &str| spread.values().filter_map(|statuses| statuses.get(status)).sum::<usize>();
    let counts = STATUSES.map(of);
    eprintln!("{} cases, {} differ: {spread:?}", found.len(), listed.len());
    assert!(counts.iter().all(|count| *count >= 10), "each status is seen often enough: {counts:?}");
}

#[test]
fn every_kind_is_compared_or_has_no_plugin() {
    let (cases, alone) = (cases(), listed("kind"));
    let names: BTreeSet<&String> = cases.iter().map(|case| &case.name).collect();
    assert_eq!(names.len(), cases.len(), "no two have one name");
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let again = |case: &String| case.strip_suffix(", again").or(case.strip_suffix(", and again")).map(str::to_owned);
    let there = |case: &String| names.contains(case) || again(case).is_some_and(|case| names.contains(&case));
    assert!(listed("case").iter().all(there), "what is listed is there");
    let compared: BTreeSet<String> = cases.iter().map(Case::kind).collect();
    for kind in minion::checks::KINDS.iter().map(|kind| kind.name.to_owned()) {
        let both = (compared.contains(&kind), alone.contains(&kind));
        assert!(both.0 != both.1, "{kind}: either it has cases, or a reason why there is no plugin like it");
    }
    let originals: BTreeSet<&str> = cases.iter().map(Case::original).collect();
    assert!(originals.len() >= 20, "{originals:?}");
}
