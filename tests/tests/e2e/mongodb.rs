//! `examples/mongodb-cluster` as far as it goes without a MongoDB server: compiled for each role
//! (beside Salt), planned for all twelve, and what needs no server applied in its order.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};
use states::yaml;
use tests::{
    Alone, Fleet, Ran, Transport, heavy,
    process::Running,
    wait::{self, secs},
};

const SECONDARIES: [&str; 4] = ["db-a2", "db-a3", "db-b2", "db-b3"];
const PRIMARIES: [&str; 2] = ["db-a1", "db-b1"];
const CONFIG: [&str; 3] = ["cfg1", "cfg2", "cfg3"];
const ROUTERS: [&str; 2] = ["router1", "router2"];

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/mongodb-cluster").canonicalize().unwrap()
}

/// The configuration of each minion, from the example's `minions.yaml`.
fn minions() -> Map<String, Value> {
    let text = fs::read_to_string(example().join("minions.yaml")).unwrap();
    let minions = yaml::to_value(&yaml::parse("minions.yaml", &text).unwrap());
    minions.as_object().cloned().unwrap_or_else(|| panic!("minions.yaml is no mapping: {minions}"))
}

#[test]
fn the_mongodb_cluster_is_planned_for_all_of_its_minions() {
    let tree = example().display().to_string();
    let args = ["dev", "--tree", &tree, "--", "overstate", "--test", "--out", "json"];
    let mut command = Command::new(tests::binary::ctl());
    command.args(args).env("NO_COLOR", "1");
    let ran = Ran::of(&args, Running::start(command).wait(secs(240))).expect(0).says(&[
        "5 stages",
        "mongodb.server → db-a2, db-a3, db-b2, db-b3",
        "mongodb.server, mongodb.replset → db-a1, db-b1",
        "mongodb.server → cfg2, cfg3",
        "mongodb.server, mongodb.replset → cfg1",
        "→ router1, router2",
    ]);
    let hosts = planned(&ran);
    assert_eq!(hosts.len(), 11, "everyone but app1: {:?}", hosts.keys());
    for (host, rows) in hosts {
        assert!(rows.iter().all(|row| row["result"] != false), "{host}: {rows:#?}");
        let names: Vec<&str> = rows.iter().filter_map(|row| row["name"].as_str()).collect();
        let config = if ROUTERS.contains(&host.as_str()) { "/etc/mongos.conf" } else { "/etc/mongod.conf" };
        assert!(names.contains(&config), "{host}: {names:?}");
        let primary = host.ends_with('1') && !ROUTERS.contains(&host.as_str());
        assert_eq!(names.contains(&"/etc/mongodb-replset.js"), primary, "{host}: {names:?}");
    }
}

/// The rows of each host, of all stages.
fn planned(ran: &Ran) -> BTreeMap<String, Vec<Value>> {
    let stages = stage_rows(ran);
    let of_stage = |row: &Value| row["changes"]["ret"].as_object().cloned().unwrap_or_default();
    let hosts = stages.values().flat_map(of_stage);
    hosts.map(|(host, rows)| (host, rows.as_object().unwrap().values().cloned().collect())).collect()
}

/// The rows of the stages, by id.
fn stage_rows(ran: &Ran) -> BTreeMap<String, Value> {
    let json = ran.json();
    let data = json["data"].as_object().and_then(|data| data.values().next()?.as_object());
    let rows = data.unwrap_or_else(|| panic!("no rows: {ran}")).values();
    rows.map(|row| (row["__id__"].as_str().unwrap_or_default().to_owned(), row.clone())).collect()
}

/// The example's overstate with what needs no server in place of what does.
fn without_servers() -> String {
    let mut text = fs::read_to_string(example().join("states/overstate.sls")).unwrap();
    let parts = [
        ("sls: [mongodb.server, mongodb.replset]", "sls: [mongodb.config, mongodb.replset_config]", 2),
        ("sls: [mongodb.server]", "sls: [mongodb.config]", 2),
        ("sls: [mongodb.router]", "sls: [mongodb.router_config]", 1),
    ];
    for (theirs, ours, times) in parts {
        assert_eq!(text.matches(theirs).count(), times, "{theirs} in {text}");
        text = text.replace(theirs, ours);
    }
    text
}

/// The twelve, each writing beneath its own folder of `roots`.
fn fleet(roots: &Path) -> Fleet {
    let minions = minions();
    let ids: Vec<String> = minions.keys().cloned().collect();
    let names: Vec<&str> = ids.iter().map(String::as_str).collect();
    assert_eq!(names.len(), 12);
    let (ids_of, roots) = (ids.clone(), roots.to_owned());
    let lines = move |i: usize| {
        let mut block = minions[&ids_of[i]].clone();
        block["grains"]["mongodb_root"] = roots.join(&ids_of[i]).display().to_string().into();
        block.as_object().unwrap().iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
    };
    let tree = example();
    let tree = tree.display();
    let master = format!("file_roots: {{base: ['{tree}/states']}}\npillar_roots: {{base: ['{tree}/pillar']}}");
    Fleet::new(Transport::Tcp).named(&names).master(&master).minion(lines).start()
}

#[test]
fn the_mongodb_cluster_is_configured_in_order_and_once() {
    let _turn = heavy::turn();
    let roots = tempfile::tempdir().unwrap();
    let fleet = fleet(roots.path());
    wait::until(secs(60), "the mine of all members", || {
        let asked =
            ["run", "router1", "mine.get", "G@replset_name:*", "mongodb_host", "tgt_type=compound", "--out", "json"];
        let known = fleet.ctl(&asked).expect(0).json();
        (known["router1"].as_object().is_some_and(|hosts| hosts.len() == 9)).then_some(())
    });
    let file = fleet.path().join("overstate.sls");
    fs::write(&file, without_servers()).unwrap();
    let file = file.display().to_string();
    let args = ["overstate", file.as_str(), "--out", "json"];
    let run = || Ran::of(&args, fleet.begin(&args).wait(secs(240))).expect(0);

    let first = run();
    let rows = stage_rows(&first);
    assert_eq!(rows.len(), 5, "{first}");
    assert!(rows.values().all(|row| row["result"] == true), "{first}");
    assert_in_order(roots.path());
    assert_files(roots.path());

    let second = run();
    for (stage, row) in stage_rows(&second) {
        assert!(row["result"] == true && row["changes"] == json!({}), "{stage} again: {row:#}");
    }
}

/// Nothing was written on a host of a stage before everything was on those that it waits for.
fn assert_in_order(roots: &Path) {
    let written = |host: &&str, file: &str| {
        fs::metadata(roots.join(host).join("etc").join(file)).and_then(|meta| meta.modified()).unwrap()
    };
    let ended = |hosts: &[&str]| hosts.iter().map(|host| written(host, "mongod.conf")).max().unwrap();
    let began = |hosts: &[&str]| hosts.iter().map(|host| written(host, "mongodb.key")).min().unwrap();
    for [before, after] in
        [[&SECONDARIES[..], &PRIMARIES], [&CONFIG[1..], &CONFIG[..1]], [&PRIMARIES, &ROUTERS], [&CONFIG, &ROUTERS]]
    {
        assert!(ended(before) <= began(after), "{before:?} before {after:?}");
    }
}

/// What each role was given, and nobody else.
fn assert_files(roots: &Path) {
    let read = |host: &str, file: &str| fs::read_to_string(roots.join(host).join("etc").join(file)).ok();
    for host in SECONDARIES.iter().chain(&PRIMARIES).chain(&CONFIG) {
        let text = read(host, "mongod.conf").unwrap_or_else(|| panic!("{host} has no mongod.conf"));
        let (set, port, role) = match &host[..4] {
            "db-a" => ("a", 27018, "shardsvr"),
            "db-b" => ("b", 27018, "shardsvr"),
            _ => ("config", 27019, "configsvr"),
        };
        let root = roots.join(host).display().to_string();
        for line in [
            format!("port: {port}"),
            format!("replSetName: {set}"),
            format!("clusterRole: {role}"),
            format!("dbPath: {root}/var/lib/mongodb"),
            format!("keyFile: {root}/etc/mongodb.key"),
        ] {
            assert!(text.lines().any(|found| found.trim() == line), "{host} lacks {line:?}: {text}");
        }
        assert!(roots.join(host).join("var/lib/mongodb").is_dir(), "{host}");
        assert_eq!(read(host, "mongos.conf"), None, "{host} is no router");
    }
    let sets = [("db-a1", "a", "db-a", 27018), ("db-b1", "b", "db-b", 27018), ("cfg1", "config", "cfg", 27019)];
    for (primary, set, members, port) in sets {
        let text = read(primary, "mongodb-replset.js").unwrap_or_else(|| panic!("{primary} has no script"));
        let lines: Vec<String> =
            (1..=3).map(|n| format!("{{ _id: {}, host: \"{members}{n}:{port}\" }},", n - 1)).collect();
        let found: Vec<&str> = text.lines().map(str::trim).filter(|line| line.starts_with("{ _id:")).collect();
        assert_eq!(found, lines, "the mine told {primary} of its set: {text}");
        assert!(text.contains(&format!("_id: \"{set}\"")), "{primary}: {text}");
    }
    assert!(SECONDARIES.iter().chain(&CONFIG[1..]).all(|host| read(host, "mongodb-replset.js").is_none()));
    for router in ROUTERS {
        let text = read(router, "mongos.conf").unwrap_or_else(|| panic!("{router} has no mongos.conf"));
        assert!(text.contains("configDB: config/cfg1:27019,cfg2:27019,cfg3:27019"), "{router}: {text}");
        assert_eq!(read(router, "mongod.conf"), None, "{router} holds no data");
    }
    let key = fs::metadata(roots.join("cfg2/etc/mongodb.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o400);
    assert!(!roots.join("app1").exists(), "nobody ordered app1");
}

/// What each role is given compiles to Salt's low state. No mine is asked: it has none without a master.
#[test]
#[ignore = "asks real Salt, which SALT_CALL names"]
fn the_mongodb_roles_compile_as_salt_compiles_them() {
    for role in ["db-a1", "db-b2", "cfg1", "cfg3", "router1", "app1"] {
        let mut grains = minions()[role]["grains"].clone();
        grains["os_family"] = "Debian".into();
        grains["oscodename"] = "bookworm".into();
        let alone = Alone::new(&format!("id: {role}\ngrains: {grains}"));
        for (from, to) in [("states", "salt"), ("pillar", "pillar")] {
            alone.shell(&format!("cp -r {}/. {}", example().join(from).display(), alone.at(to)));
        }
        let top = alone.call(&["state.show_top"]);
        assert_eq!(top == json!({}), role == "app1", "{role}: {top}");
        let (ours, salts) = (alone.call(&["state.show_lowstate"]), alone.salt(&["state.show_lowstate"]));
        assert_eq!(ours, salts, "{role}");
        let count = ours.as_array().map_or(0, Vec::len);
        assert!(role == "app1" || count >= 5, "{role}: {ours}");
    }
}
