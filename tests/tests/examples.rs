//! The examples, used as their READMEs say, so that they cannot rot.

use std::process::Command;

use serde_json::{Value, json};

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
