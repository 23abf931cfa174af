//! Who watches the watchers: what the master finds of itself, on the same screen as everything else.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use proto::message::{Ask, Lane, Query, Reply, ToOperator};
use serde_json::{Value, json};
use tests::{
    Fleet,
    enemy::{Me, Talk},
    process::Signal,
    wait::{self, secs},
};

use crate::{
    checks::{laid_out, started},
    continuous::known,
};

/// A minion that has nothing to say.
fn quiet() -> Fleet {
    started(laid_out(1, |_| json!({"uptime": {"warning": "0:"}})))
}

/// What it says of itself: status and output.
fn of_master(fleet: &Fleet, check: &str) -> Option<(String, String)> {
    let found = known(fleet).found;
    let of = |((host, name), _): &((String, String), _)| name == check && fleet.minions.iter().all(|m| m.id != *host);
    found.into_iter().find(of).map(|(_, found)| found)
}

#[track_caller]
fn wait_said(fleet: &Fleet, check: &str, status: &str) -> String {
    // It looks every 15 s.
    wait::until(secs(60), &format!("{check} of the master to be {status}"), || {
        of_master(fleet, check).and_then(|(is, output)| (is == status).then_some(output))
    })
}

#[test]
fn a_master_says_how_it_is_and_that_its_session_key_is_old() {
    let mut fleet = quiet();
    for check in ["clock", "disk", "events", "jobs", "keys", "store"] {
        wait::until(secs(20), check, || of_master(&fleet, check));
    }
    let fresh = wait_said(&fleet, "keys", "OK");
    assert_eq!(fresh, "identity 0 days old, session key 0 days old");
    let age = |file: &str, days: u64| {
        let file = File::options().append(true).open(fleet.master_dir().join("root/pki").join(file)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400 + 60)).unwrap();
    };
    age("master.pem", 1500);
    age("master-session.key", 800);
    let old = wait_said(&fleet, "keys", "WARNING");
    assert!(old.starts_with("identity 1500 days old, session key 800 days old; after 730 days"), "{old}");
    let screen = fleet.ctl(&["check", "*", "--last"]);
    assert!(screen.stdout.contains("session key 800 days old"), "{screen}");

    // As it says: without the key, a new one is made, and who knows this master knows it still.
    let key = "pki/master-session.key";
    assert!(old.contains(key), "{old}");
    fleet.master.stop();
    std::fs::remove_file(fleet.master_dir().join("root").join(key)).unwrap();
    fleet.start_master();
    assert_eq!(wait_said(&fleet, "keys", "OK"), "identity 1500 days old, session key 0 days old");
}

/// Sends events as an operator, many at a time.
fn flood(talk: &mut Talk, count: u32) {
    const TOGETHER: u32 = 16;
    let data = json!({"text": "x".repeat(4096)});
    for round in 0..count.div_ceil(TOGETHER) {
        for id in 0..TOGETHER {
            let query = Query::SendEvent { tag: format!("flood/{round}"), data: data.clone() };
            talk.say(Lane::Control, &Ask { id, query });
        }
        for _ in 0..TOGETHER {
            match talk.hear::<ToOperator>() {
                Some(ToOperator::Answer { reply: Reply::Error(fault), .. }) => panic!("{fault:?}"),
                Some(_) => {}
                None => panic!("the master has hung up"),
            }
        }
    }
}

#[test]
fn a_listener_that_lags_is_told_before_it_misses_events_and_when_it_does() {
    let fleet = quiet();
    let watch = fleet.begin(&["event", "watch", "--out", "jsonl"]);
    let root = Me::first_operator(&fleet.master_dir().join("root"));
    let (mut talk, _) = root.as_operator(&fleet.address()).expect("the first operator is let in");
    wait::until(secs(20), "the listener", || {
        flood(&mut talk, 16);
        watch.stdout().contains("flood/0").then_some(())
    });
    let calm = wait_said(&fleet, "events", "OK");
    assert!(calm.contains("the slowest listener is 0 events behind"), "{calm}");

    watch.signal(Signal::SIGSTOP);
    // What fits into the sockets between, and more than half of what the master keeps.
    flood(&mut talk, 14_000);
    let lags = wait_said(&fleet, "events", "WARNING");
    let behind: u32 = lags.split(' ').find_map(|word| word.parse().ok()).unwrap();
    assert!((8_193..16_384).contains(&behind), "{lags}");
    flood(&mut talk, 10_000);
    let misses = wait_said(&fleet, "events", "CRITICAL");
    assert_eq!(misses, "the slowest listener is 16384 events behind; it misses events");
    let ran = fleet.ctl(&["check", "*", "--last"]);
    assert!(ran.code == 2 && ran.stdout.contains("misses events"), "{ran}");

    watch.signal(Signal::SIGCONT);
    wait_said(&fleet, "events", "OK");
    let missed = |line: &Value| line.to_string().contains("missed");
    wait::until(secs(20), "the listener to hear what it has missed", || {
        let text = watch.stdout();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).any(|line: Value| missed(&line)).then_some(())
    });
    assert!(fleet.master.memory("VmHWM") < 256 * 1024, "{} KiB", fleet.master.memory("VmHWM"));
}
