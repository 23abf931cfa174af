//! The examples, used as their READMEs say, so that they cannot rot.

use std::{path::Path, process::Command};

use serde_json::{Value, json};
use tests::machine::Machine;

/// Runs `ctl --config-dir examples/EXAMPLE call …` from the root of the repository.
fn call(example: &str, words: &[&str]) -> Value {
    let output = Command::new(tests::binary::ctl())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["--config-dir", &format!("examples/{example}"), "call", "--out", "json"])
        .args(words)
        .output()
        .expect("ctl can be started");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice::<Value>(&output.stdout).expect("JSON")["local"].take()
}

#[test]
fn the_web_server_compiles_for_its_minion() {
    assert_eq!(call("web-server", &["state.show_top"]), json!({ "base": ["webserver"] }));
    let pillar = call("web-server", &["pillar.items", "unmask=True"]);
    assert_eq!(pillar["webserver"]["sites"]["example.org"]["greeting"], "Hello from web1");

    let low = call("web-server", &["state.show_low_sls", "webserver"]);
    let low: Vec<&Value> = low.as_array().expect("a list of chunks").iter().collect();
    let called: Vec<String> =
        low.iter().map(|chunk| format!("{}.{}", chunk["state"], chunk["fun"]).replace('"', "")).collect();
    assert_eq!(called, ["pkg.installed", "service.running", "file.managed", "file.managed"]);
    assert_eq!(low[2]["name"], "/etc/nginx/sites-enabled/example.org.conf");
    assert_eq!(low[2]["context"]["site"]["port"], 80);
}

#[test]
fn the_web_server_is_planned_on_a_test_cluster() {
    let output = Command::new(tests::binary::ctl())
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["dev", "--tree", "examples/web-server", "--", "apply", "web*", "--test", "--out", "json"])
        .output()
        .expect("ctl can be started");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plans: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for minion in ["web1", "web2"] {
        let rows = plans[minion].as_object().unwrap_or_else(|| panic!("no rows of {minion}: {plans}"));
        assert_eq!(rows.len(), 4, "{plans}");
        assert!(rows.values().all(|row| row["result"] != json!(false)), "{plans}");
    }
}

/// nginx as Debian packages it, in a copy of this machine; its service is started by what Debian has
/// for hosts without systemd.
#[test]
fn the_web_server_is_applied_and_serves_a_page() {
    let repository = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).canonicalize().unwrap();
    // What is downloaded comes last: installing may empty the cache.
    let prepare = "exec >/dev/null; export DEBIAN_FRONTEND=noninteractive; rm -rf /etc/apt/apt.conf.d/docker-clean /run/systemd; apt-get update -qq; apt-get purge -y -qq 'nginx*'; \
        rm -rf /etc/nginx; apt-get install -y -qq --no-install-recommends curl && apt-get install -y -qq --download-only nginx";
    let machine = Machine::new(&repository, prepare);
    let config = repository.join("examples/web-server");
    let apply = |more: &str| {
        let (ctl, root) = (tests::binary::ctl().display(), repository.display());
        let line = format!("cd {root} && {ctl} --config-dir {} call state.apply {more} --out json", config.display());
        let done = machine.shell(&line);
        let answer: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
        answer["local"].as_object().unwrap_or_else(|| panic!("{answer}")).clone()
    };
    let planned = apply("test=True");
    assert!(planned.values().all(|row| row["result"].is_null()), "{planned:#?}");
    assert_ne!(machine.shell("command -v nginx").code, 0, "a plan installs nothing");
    let done = apply("");
    assert!(done.values().all(|row| row["result"] == json!(true)), "{done:#?}");
    let page = |port: u16, host: &str| {
        let done = machine
            .shell(&format!("curl -sS --retry 5 --retry-connrefused -H 'Host: {host}' http://127.0.0.1:{port}/"));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert_eq!(page(80, "example.org"), "Hello from web1\n");
    assert_eq!(page(8080, "example.net"), "Hello again\n");
    let again = apply("");
    assert!(again.values().all(|row| row["result"] == json!(true) && row["changes"] == json!({})), "{again:#?}");
}
