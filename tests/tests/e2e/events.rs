//! Facts: what happens in the fleet, told to whoever listens.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
    sync::mpsc,
};

use serde_json::Value;
use tests::{
    Fleet, Transport, needs,
    wait::{self, secs},
};

tests::over_both! {
    a_job_is_told_by_salts_tags,
    anybody_permitted_can_send_an_event_but_none_of_the_bus_own,
    coming_and_going_are_events,
    a_python_program_with_pyzmq_follows_jobs,
}

fn a_job_is_told_by_salts_tags(transport: Transport) {
    let fleet = Fleet::new(transport).minions(2).start();
    let watch = fleet.begin(&["event", "watch", "salt/job/*", "--out", "jsonl"]);
    let events = |fleet: &Fleet| {
        // The watch may begin a moment after the run.
        fleet.ctl(&["run", "*", "test.ping"]).expect(0);
        watch.stdout()
    };
    let text = wait::until(secs(20), "a job's events", || {
        let text = events(&fleet);
        (text.contains("/ret/h1") && text.contains("/ret/h2") && text.contains("/new")).then_some(text)
    });
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert!(first.to_string().contains("salt/job/"), "{first}");
}

fn anybody_permitted_can_send_an_event_but_none_of_the_bus_own(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let watch = fleet.begin(&["event", "watch", "my/*", "--out", "jsonl"]);
    let text = wait::until(secs(20), "both events", || {
        fleet.ctl(&["event", "send", "my/own", "n=5"]).expect(0);
        fleet.ctl(&["run", "h1", "event.send", "my/minion", "{a: b}"]).expect(0);
        let text = watch.stdout();
        (text.contains("my/own") && text.contains("my/minion")).then_some(text)
    });
    assert!(!text.contains("salt/job"), "only what was asked for: {text}");
    fleet.ctl(&["event", "send", "salt/job/1/new"]).expect(2).says(&["salt/"]);
    fleet.ctl(&["event", "send", "overstate/x"]).expect(2);
    fleet.ctl(&["run", "h1", "event.send", "salt/minion/h9/start"]).expect(1);
}

fn coming_and_going_are_events(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(2).start();
    let watch = fleet.begin(&["event", "watch", "salt/*", "--out", "jsonl"]);
    wait::until(secs(20), "the watch to see anything", || {
        fleet.ctl(&["run", "h1", "test.ping"]).expect(0);
        watch.stdout().contains("salt/job").then_some(())
    });
    fleet.minion("h2").daemon.stop();
    wait::until(secs(20), "the going", || watch.stdout().contains("salt/presence/change").then_some(()));
    fleet.minion("h2").daemon.start();
    wait::until(secs(30), "the coming", || watch.stdout().contains("salt/minion/h2/start").then_some(()));
}

/// Ten lines of Python that know nothing of Overstate but the path of its event bus.
const FOLLOWER: &str = "
import json, sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect('ipc://' + sys.argv[1])
socket.subscribe(b'salt/job/')
while True:
    tag, data = socket.recv_multipart()
    print(json.dumps([tag.decode(), json.loads(data)]), flush=True)
";

fn a_python_program_with_pyzmq_follows_jobs(transport: Transport) {
    let python = needs::python_with("zmq");
    let fleet = Fleet::new(transport).minions(2).start();
    let bus = fleet.master_dir().join("root/run/events.ipc");
    let mode = std::fs::metadata(&bus).map(|meta| std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777);
    assert_eq!(mode.unwrap(), 0o600, "only its owner may follow the bus");
    let mut follower = Command::new(python);
    follower.args(["-c", FOLLOWER]).arg(&bus).stdout(Stdio::piped());
    let mut follower = follower.spawn().unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let (sender, inbox) = mpsc::channel();
    std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));

    let mut seen: Vec<Value> = Vec::new();
    wait::until(secs(30), "the job's events", || {
        fleet.ctl(&["run", "*", "test.echo", "heard"]).expect(0);
        seen.extend(inbox.try_iter().map(|line| serde_json::from_str::<Value>(&line).unwrap()));
        let has = |end: &str| seen.iter().any(|event| event[0].as_str().unwrap().ends_with(end));
        (has("/new") && has("/ret/h1") && has("/ret/h2")).then_some(())
    });
    let ret = seen.iter().find(|event| event[0].as_str().unwrap().ends_with("/ret/h1")).unwrap();
    assert_eq!(
        (&ret[1]["return"], &ret[1]["id"], &ret[1]["fun"]),
        (&"heard".into(), &"h1".into(), &"test.echo".into())
    );
    follower.kill().unwrap();
    follower.wait().unwrap();
}
