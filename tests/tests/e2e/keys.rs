//! Who may be a minion of this fleet, and who is sure of its master.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

use serde_json::{Value, json};
use tests::{
    Fleet, Transport, over_both,
    wait::{self, secs},
};

over_both! {
    a_key_waits_until_it_is_accepted,
    a_deleted_key_drops_its_minion_and_no_other,
    a_token_lets_one_minion_in_once,
    a_pinned_master_must_be_that_master,
    a_changed_master_key_is_refused_loudly,
    a_second_minion_of_a_taken_name_is_refused_on_both_sides,
    secrets_that_others_can_read_stop_the_start,
    nothing_that_is_written_beneath_root_dir_is_open_to_others,
}

fn a_key_waits_until_it_is_accepted(transport: Transport) {
    let fleet = Fleet::new(transport).accept_by_hand().start();
    fleet.ctl(&["run", "*", "test.ping"]).expect(2);
    fleet.ctl(&["key", "accept", "h1"]).expect(0);
    fleet.wait_connected(1);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0).says(&["1 targeted: 1 ok"]);
    fleet.ctl(&["key", "reject", "h2"]).expect(0);
    fleet.ctl(&["key", "accept", "h3"]).expect(0);
    fleet.wait_connected(2);
    assert_eq!(fleet.keys("rejected"), ["h2"]);
    assert_eq!(fleet.connected(), ["h1", "h3"]);
    let shown = fleet.ctl(&["key", "show", "h1"]).expect(0);
    let own = fs::read_dir(fleet.minions[0].dir.join("root")).unwrap().count();
    assert!(own > 0 && shown.stdout.contains("h1"), "{shown}");
    fleet.ctl(&["key", "accept", "h9"]).expect(2).says(&["error:"]);
}

fn a_deleted_key_drops_its_minion_and_no_other(transport: Transport) {
    let fleet = Fleet::new(transport).accept_by_hand().start();
    fleet.ctl(&["key", "accept", "*"]).expect(0);
    fleet.wait_connected(3);
    let since = |id: &str| -> Value {
        let rows = fleet.ctl(&["minion", "list", "--out", "json"]).expect(0).json();
        rows.as_array().unwrap().iter().find(|row| row["id"] == id).map_or(Value::Null, |row| row["since"].clone())
    };
    let before = (since("h1"), since("h3"));
    fleet.ctl(&["key", "delete", "h2"]).expect(0);
    fleet.wait_presence("h2", false, secs(5));
    fleet.ctl(&["run", "*", "test.ping", "--out", "json"]).expect(0).says(&["2 targeted: 2 ok"]);
    assert_eq!((since("h1"), since("h3")), before, "the others kept their connections");
}

fn a_token_lets_one_minion_in_once(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).accept_by_hand().lay_out();
    fleet.start_master();
    let token = fleet.ctl(&["key", "token"]).expect(0).stdout;
    let token = token.split_whitespace().last().expect("a token is printed").to_owned();
    for minion in &fleet.minions {
        append(&minion.dir.join("minion"), &format!("enroll_token: {token}\n"));
    }
    fleet.minions[0].daemon.start();
    fleet.wait_connected(1);
    fleet.minions[1].daemon.start();
    wait::until(secs(20), "the second use to be refused", || {
        refusals(&fleet).iter().any(|row| row["id"] == "h2").then_some(())
    });
    assert_eq!(fleet.connected(), ["h1"]);
    let log = wait::until(secs(20), "the minion to say so", || {
        let log = fleet.minions[1].daemon.log();
        log.contains("token").then_some(log)
    });
    assert!(!log.contains(&token), "a secret is not logged: {log}");
}

/// Rows of `ctl key list --refused`.
fn refusals(fleet: &Fleet) -> Vec<Value> {
    let rows = fleet.ctl(&["key", "list", "--refused", "--out", "json"]).expect(0).json();
    rows.as_array().unwrap().clone()
}

fn append(file: &Path, text: &str) {
    let old = fs::read_to_string(file).unwrap();
    fs::write(file, old + text).unwrap();
}

fn a_pinned_master_must_be_that_master(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).lay_out();
    fleet.start_master();
    let log = fleet.master.log();
    let fingerprint = master_fingerprint(&fleet);
    append(&fleet.minions[0].dir.join("minion"), &format!("master_fingerprint: '{fingerprint}'\n"));
    let wrong: String = fingerprint
        .chars()
        .map(|c| {
            if c == 'a' {
                'b'
            } else if c == 'b' {
                'a'
            } else {
                c
            }
        })
        .collect();
    append(&fleet.minions[1].dir.join("minion"), &format!("master_fingerprint: '{wrong}'\n"));
    for minion in &mut fleet.minions {
        minion.daemon.start();
    }
    fleet.wait_connected(1);
    wait::until(secs(20), "the minion to say why", || {
        fleet.minions[1].daemon.log().contains(&fingerprint).then_some(())
    });
    assert_eq!(fleet.connected(), ["h1"], "{log}");
}

/// The fingerprint that an operator would give to minions.
fn master_fingerprint(fleet: &Fleet) -> String {
    let file = fleet.master_dir().join("root").join(proto::layout::MASTER_FINGERPRINT);
    fs::read_to_string(file).unwrap().trim().to_owned()
}

fn a_changed_master_key_is_refused_loudly(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(1).start();
    fleet.master.stop();
    fs::remove_dir_all(fleet.master_dir().join("root")).unwrap();
    fleet.start_master();
    let log = wait::until(secs(30), "the minion to refuse it", || {
        let log = fleet.minions[0].daemon.log();
        (log.to_lowercase().contains("error") && log.contains("expected")).then_some(log)
    });
    assert_eq!(fleet.connected(), Vec::<String>::new(), "{log}");
    // The new master cannot read what was meant for the old one; it sees that, and says so.
    wait::until(secs(20), "the master to count it", || {
        refusals(&fleet).iter().any(|row| row["reason"].as_str().unwrap().contains("another key")).then_some(())
    });
    assert!(fleet.master.log().contains("another key"), "{}", fleet.master.log());
}

fn a_second_minion_of_a_taken_name_is_refused_on_both_sides(transport: Transport) {
    let mut fleet = Fleet::new(transport).named(&["h1", "twin"]).lay_out();
    let file = fleet.minions[1].dir.join("minion");
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("id: twin", "id: h1")).unwrap();
    fleet.start_master();
    fleet.minions[0].daemon.start();
    fleet.wait_connected(1);
    fleet.minions[1].daemon.start();
    let row = wait::until(secs(20), "the refusal", || refusals(&fleet).into_iter().find(|row| row["id"] == "h1"));
    assert!(row["count"].as_u64() >= Some(1) && row["address"].is_string() && row["reason"].is_string(), "{row}");
    wait::until(secs(20), "the twin to say why", || {
        fleet.minions[1].daemon.log().contains("already has this name").then_some(())
    });
    assert!(fleet.master.log().contains("already has this name") || fleet.master.log().contains("name taken"));
    let ping = fleet.ctl(&["run", "h1", "cmd.run", "echo $TEST_MINION", "--out", "json"]).expect(0).json();
    assert_eq!(ping, json!({"h1": "h1"}), "the first one keeps the name");
}

fn secrets_that_others_can_read_stop_the_start(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(1).start();
    let secrets = files_of_mode(&fleet.master_dir().join("root"), 0o600);
    assert!(!secrets.is_empty(), "the master keeps its key in a file of mode 0600");
    let key = secrets.iter().find(|path| path.to_string_lossy().contains("pki")).expect("there is a key beneath pki");
    fleet.master.stop();
    fs::set_permissions(key, fs::Permissions::from_mode(0o644)).unwrap();
    fleet.master.start();
    let status = wait::until(secs(20), "the master to refuse to start", || fleet.master.exit_status());
    assert!(!status.success());
    let log = fleet.master.log();
    let name = key.file_name().unwrap().to_string_lossy().into_owned();
    assert!(log.contains("error") && log.contains(&name), "{log}");
    fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    fleet.start_master();

    let minion = &mut fleet.minions[0];
    minion.daemon.stop();
    let secrets = files_of_mode(&minion.dir.join("root"), 0o600);
    let key = secrets.iter().find(|path| path.to_string_lossy().contains("pki")).expect("the minion has a key");
    fs::set_permissions(key, fs::Permissions::from_mode(0o640)).unwrap();
    minion.daemon.start();
    let status = wait::until(secs(20), "the minion to refuse to start", || minion.daemon.exit_status());
    assert!(!status.success());
}

/// All files beneath a folder that have exactly these permissions.
fn files_of_mode(folder: &Path, mode: u32) -> Vec<std::path::PathBuf> {
    let found = Command::new("find").arg(folder).args(["-type", "f", "-perm", &format!("{mode:o}")]).output().unwrap();
    String::from_utf8_lossy(&found.stdout).lines().map(Into::into).collect()
}

fn nothing_that_is_written_beneath_root_dir_is_open_to_others(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    fleet.ctl(&["run", "h1", "test.ping"]).expect(0);
    for folder in [fleet.master_dir().join("root"), fleet.minions[0].dir.join("root")] {
        let open = Command::new("find").arg(&folder).args(["-type", "f", "-perm", "/022"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&open.stdout), "", "others may write these");
    }
}
