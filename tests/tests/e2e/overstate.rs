//! `examples/database-then-app` for real: PostgreSQL with a replica, app servers, a proxy, each on
//! a host of its own with its own address, files and processes.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use states::yaml;
use tests::{Fleet, Transport, hosts::Net, wait::secs};

const HOSTS: [&str; 5] = ["db1", "db2", "app1", "app2", "proxy1"];

fn example() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/database-then-app").canonicalize().unwrap()
}

/// The fleet of the example's `minions.yaml`, with its states and pillar from `tree`.
fn fleet(tree: &Path) -> Fleet {
    let text = fs::read_to_string(example().join("minions.yaml")).unwrap();
    let minions = yaml::to_value(&yaml::parse("minions.yaml", &text).unwrap());
    let lines = move |i: usize| {
        let block: &Value = &minions[HOSTS[i]];
        let keys = block.as_object().unwrap_or_else(|| panic!("minions.yaml knows no {}", HOSTS[i]));
        keys.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
    };
    let tree = tree.display();
    let roots = format!("file_roots: {{base: ['{tree}/states']}}\npillar_roots: {{base: ['{tree}/pillar']}}");
    let net = Net::with_roots(&["master.test", "db1", "db2", "app1", "app2", "proxy1"]);
    Fleet::new(Transport::Tcp).named(&HOSTS).on(net).master(&roots).minion(lines).start()
}

/// Asks the proxy, from the master's host.
fn page(fleet: &Fleet) -> Value {
    let hosts = &fleet.net.as_ref().unwrap().hosts;
    let fetch =
        "import sys,urllib.request;sys.stdout.write(urllib.request.urlopen(sys.argv[1],timeout=20).read().decode())";
    let mut words = hosts[0].wrap();
    words.extend(["python3".into(), "-c".into(), fetch.into(), format!("http://{}/", hosts[5].address)]);
    let output = Command::new(&words[0]).args(&words[1..]).output().expect("python3 can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("the app answers in JSON")
}

/// Runs the overstate; minutes, as packages may have to be installed.
fn overstate(fleet: &Fleet) -> tests::Ran {
    let args = ["overstate", "--out", "json"];
    tests::Ran::of(&args, fleet.begin(&args).wait(secs(600)))
}

/// The rows of all stages.
fn rows(ran: &tests::Ran) -> Vec<(String, Value)> {
    let data = ran.json()["data"].as_object().unwrap_or_else(|| panic!("no rows: {ran}")).clone();
    data.into_iter().flat_map(|(_, rows)| rows.as_object().cloned().unwrap_or_default()).collect()
}

#[test]
fn hosts_with_roots_database_then_app() {
    let fleet = fleet(&example());
    let first = overstate(&fleet).expect(0);
    assert!(rows(&first).iter().all(|(_, row)| row["result"] == true), "{first}");
    for _ in 0..2 {
        assert_eq!(page(&fleet)["greeting"], "Hello from the database");
    }
    let streams = "psql -tAc 'select count(*) from pg_stat_replication'";
    let asked = fleet.ctl(&["run", "db1", "cmd.run", streams, "runas=postgres", "--out", "json"]).expect(0);
    assert_eq!(asked.json()["db1"], "1", "the replica streams: {asked}");

    let second = overstate(&fleet).expect(0);
    for (stage, row) in rows(&second) {
        let changed = row.pointer("/changes/ret").and_then(Value::as_object).into_iter().flatten();
        let changed: Vec<_> = changed.filter(|(_, rows)| rows.to_string().contains("\"diff\"")).collect();
        assert!(row["result"] == true && changed.is_empty(), "{stage} again: {second}");
    }
}

#[test]
fn hosts_with_roots_nothing_follows_a_broken_database() {
    let folder = tempfile::tempdir().unwrap();
    let copy = Command::new("cp").arg("-r").arg(example()).arg(folder.path().join("tree")).status().unwrap();
    assert!(copy.success());
    let tree = folder.path().join("tree");
    fs::write(tree.join("states/postgresql/files/overstate.conf"), "wal_level = nonsense\n").unwrap();

    let fleet = fleet(&tree);
    let args = ["overstate"];
    let ran = tests::Ran::of(&args, fleet.begin(&args).wait(secs(600))).expect(1);
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("db1") && said.contains("postgresql/init.sls:"), "which host, which line: {ran}");
    let asked = fleet.ctl(&["run", "app*", "file.file_exists", "/etc/shop.env", "--out", "json"]).expect(0);
    assert_eq!(asked.json(), serde_json::json!({ "app1": false, "app2": false }), "{asked}");
}
