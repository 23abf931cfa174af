//! Checks on their interval, as the master hears of them.

mod support;

use std::{fs, path::Path};

use minion::{
    agent::Parts,
    config::{Config, FileClient, Keys},
};
use proto::{
    Args, Map, Value,
    checks::{CheckRow, CheckStatus, digest},
    message::{FromMinion, Lane, ToMinion},
};
use serde_json::json;
use support::{Line, Master, Minion, parts, start};

fn configured(root: &Path, master: &str, checks: Value) -> Parts {
    let tree = root.join("tree");
    let keys = Keys {
        id: Some("web1".into()),
        master: master.into(),
        root_dir: root.to_owned(),
        file_client: FileClient::Local,
        file_roots: [("base".to_owned(), vec![tree])].into(),
        pillar_roots: [("base".to_owned(), vec![root.join("pillar")])].into(),
        checks: checks.clone(),
        ..Keys::default()
    };
    let mut given = Map::from_iter([("checks".to_owned(), checks)]);
    given.insert("file_client".into(), "local".into());
    Parts { config: Config::new(root, keys, given).unwrap(), ..parts(root, master) }
}

/// A minion that runs its checks on their interval.
fn watching(parts: Parts) -> Minion {
    let minion = start(parts);
    let agent = minion.agent.clone();
    tokio::spawn(async move { agent.watch_checks().await });
    minion
}

impl Line {
    async fn checks(&mut self) -> (bool, Vec<CheckRow>) {
        self.until(|message| match message {
            FromMinion::Checks { all, rows } => Some((all, rows)),
            _ => None,
        })
        .await
    }

    /// The next word about a check.
    async fn of(&mut self, name: &str) -> CheckRow {
        loop {
            let (_, rows) = self.checks().await;
            if let Some(row) = rows.into_iter().find(|row| row.name == name) {
                return row;
            }
        }
    }
}

#[tokio::test]
async fn a_master_hears_everything_once_and_then_what_changes() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    let flag = root.path().join("flag");
    fs::write(&flag, "x").unwrap();
    let checks = json!({"flag": {"check": "file", "path": flag, "interval": 1}, "load": {"interval": 1}});
    let minion = watching(configured(root.path(), &master.address(), checks));
    let (mut line, _) = master.welcome().await;
    let (all, rows) = line.checks().await;
    assert!(all && rows.len() == 2 && rows.iter().all(|row| row.interval == 1), "{rows:?}");
    assert_eq!((rows[0].name.as_str(), rows[0].status), ("flag", CheckStatus::Ok));

    fs::remove_file(&flag).unwrap();
    let row = line.of("flag").await;
    assert_eq!(row.status, CheckStatus::Critical);
    assert!(row.since >= rows[0].at && row.output.contains("flag"), "{row:?}");

    line.sender.send(Lane::Control, &ToMinion::Checks).await.unwrap();
    let (all, asked) = line.checks().await;
    assert!(all && digest(&asked) != digest(&rows) && asked.contains(&row) || asked[0].status == row.status);

    drop(line);
    let (mut line, _) = master.welcome().await;
    let (all, again) = line.checks().await;
    assert_eq!((all, digest(&again)), (true, digest(&asked)), "whoever comes anew is told everything");
    minion.stop().await;
}

#[tokio::test]
async fn drift_is_found_when_a_file_changes_and_a_state_brings_a_check() {
    let (master, root) = (Master::new().await, tempfile::tempdir().unwrap());
    // Not below the minion's own folder, which is none of what states declare.
    let host = tempfile::tempdir().unwrap();
    let motd = host.path().join("motd");
    fs::create_dir_all(root.path().join("tree")).unwrap();
    let ran = root.path().join("ran");
    let sls = format!(
        "{}:\n  file.managed:\n    - contents: hello\nasks:\n  test.nop:\n    - onlyif: touch {}\nruns:\n  cmd.run:\n    - name: touch {}\n",
        motd.display(),
        ran.display(),
        ran.display()
    );
    fs::write(root.path().join("tree/top.sls"), "base:\n  '*': [web]\n").unwrap();
    fs::write(root.path().join("tree/web.sls"), sls).unwrap();
    fs::write(&motd, "hello\n").unwrap();
    let checks = json!({"drift": {"interval": 3600}});
    let minion = watching(configured(root.path(), &master.address(), checks));
    let (mut line, _) = master.welcome().await;
    let calm = line.of("drift").await;
    assert_eq!(calm.status, CheckStatus::Ok, "{}", calm.output);
    assert!(calm.output.contains("2 cannot be known"), "{}", calm.output);

    fs::write(&motd, "someone was here\n").unwrap();
    let found = line.of("drift").await;
    assert_eq!(found.status, CheckStatus::Critical);
    let place = format!("file.managed {} (web.sls:2:3)", motd.display());
    assert!(found.output.contains(&place), "{}", found.output);
    assert!(!ran.exists(), "nothing is run for it");

    // A new file in its place counts as well.
    let new = host.path().join("new");
    fs::write(&new, "hello\n").unwrap();
    fs::rename(&new, &motd).unwrap();
    assert_eq!(line.of("drift").await.status, CheckStatus::Ok);

    let present = Args::positional(["check.present".into(), "flag".into()]).with("check", "file").with("path", "/");
    line.publish(master.job(7, "state.single", present)).await;
    assert_eq!(line.of("flag").await.status, CheckStatus::Ok);
    let absent = Args::positional(["check.absent".into(), "flag".into()]);
    line.publish(master.job(8, "state.single", absent)).await;
    loop {
        let (all, rows) = line.checks().await;
        if all && rows.iter().all(|row| row.name != "flag") {
            break;
        }
    }
    minion.stop().await;
}
