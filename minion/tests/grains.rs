//! Our grains beside real Salt's on this host. `SALT_CALL` names a `salt-call` of Salt 3008.

use std::{collections::BTreeMap, fs, process::Command, time::Instant};

use minion::{config::Config, grains};
use proto::{Map, Value};

/// Grains whose values differ, or that only one side has, each with the reason.
const DIFFERENT: &[(&str, &str)] = &[
    ("pid", "each process has its own"),
    ("cwd", "each process has its own"),
    ("path", "the environment of the process"),
    ("systempath", "the environment of the process"),
    ("shell", "the environment of the process"),
    ("pythonexecutable", "there is no Python in the agent; this is the host's"),
    ("pythonpath", "there is no Python in the agent"),
    ("pythonversion", "there is no Python in the agent; this is the host's, without its patch level"),
    ("saltpath", "there is no Salt in the agent"),
    ("zmqversion", "there is no libzmq in the agent"),
    ("ca_truststore", "Salt's own, of its Python's TLS library"),
    ("package", "how Salt was installed"),
    ("overstateversion", "ours"),
    ("fqdns", "Salt asks the name service for every address; we read /etc/hosts, because a start must not wait for it"),
    ("gpus", "Salt asks lspci for names; we give the PCI numbers from /sys"),
    ("num_gpus", "Salt counts what lspci names, and nothing without lspci"),
];

fn ours(dir: &std::path::Path) -> Map {
    grains::of(&Config::load(dir).unwrap().0)
}

fn configured(root: &std::path::Path) {
    let path = root.display();
    let text = format!(
        "id: oracle\nmaster: salt\nfile_client: local\nroot_dir: {path}/root\ncachedir: {path}/root/cache\n\
         pki_dir: {path}/root/pki\nlog_file: {path}/root/log\ngrains: {{role: web}}\n"
    );
    fs::write(root.join("minion"), text).unwrap();
    fs::write(root.join("grains"), "rack: 7\nrole: db\n").unwrap();
}

#[test]
#[ignore = "needs SALT_CALL, the path of a salt-call of Salt 3008"]
fn grains_are_salts() {
    let salt_call = std::env::var("SALT_CALL").expect("SALT_CALL must name a salt-call of Salt 3008");
    let dir = tempfile::tempdir().unwrap();
    configured(dir.path());
    let output = Command::new(salt_call)
        .args(["--local", "--out", "json", "grains.items", "-c"])
        .arg(dir.path())
        .current_dir("/")
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let theirs = said["local"].as_object().unwrap();
    let ours = ours(dir.path());
    let reasons: BTreeMap<_, _> = DIFFERENT.iter().copied().collect();
    let names: std::collections::BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
    let differences: Vec<String> = names
        .into_iter()
        .filter(|name| !reasons.contains_key(name.as_str()))
        .filter(|name| theirs.get(*name) != ours.get(*name))
        .map(|name| format!("{name}\n  salt: {:?}\n  ours: {:?}", theirs.get(name), ours.get(name)))
        .collect();
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn static_grains_stand_above_detected_ones() {
    let dir = tempfile::tempdir().unwrap();
    configured(dir.path());
    let grains = ours(dir.path());
    assert_eq!((&grains["role"], &grains["rack"]), (&"web".into(), &7.into()));
    assert_eq!(grains["id"], "oracle");
    assert_eq!(grains["server_id"], 1_382_249_759);
}

/// Not a test of a limit, but a figure to look at: `cargo test --test grains -- --ignored --nocapture`.
#[test]
#[ignore = "prints how long detection takes; a busy machine must not fail the suite"]
fn detection_is_quick() {
    let dir = tempfile::tempdir().unwrap();
    configured(dir.path());
    for _ in 0..5 {
        let start = Instant::now();
        let count = ours(dir.path()).len();
        eprintln!("{count} grains in {:?}", start.elapsed());
    }
}
