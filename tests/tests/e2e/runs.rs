//! `ctl run`: what is printed, what is done, and the exit code.

use serde_json::{Value, json};
use tests::{
    Fleet, Ran, Transport, over_both,
    process::Signal,
    wait::{self, secs},
};

over_both! {
    every_minion_answers_in_each_format,
    a_command_that_fails_is_exit_1_and_is_counted,
    absent_minions_are_named_at_once,
    a_time_out_leaves_the_job_running,
    a_batch_is_a_sliding_window,
    a_subset_is_that_many,
    output_streams_while_the_command_runs,
    ctrl_c_leaves_the_job_running,
    who_comes_back_in_time_still_runs_it,
    who_comes_back_too_late_does_not,
    targets_reach_whom_they_say,
    mistakes_are_told_before_anything_is_done,
    a_master_that_is_not_there_is_exit_2,
    a_command_line_is_run_without_a_shell,
    the_first_failure_stops_a_batch_that_says_so,
    thirty_jobs_at_once_all_end,
    a_return_of_several_mebibytes_arrives_whole_and_one_beyond_the_bound_is_cut,
    all_core_functions_answer,
}

fn every_minion_answers_in_each_format(transport: Transport) {
    let fleet = Fleet::new(transport).start();
    let ping = |format| fleet.ctl(&["run", "*", "test.ping", "--out", format]).expect(0);
    assert_eq!(ping("json").json(), json!({"h1": true, "h2": true, "h3": true}));
    assert_eq!(ping("jsonl").json_lines().len(), 3);
    let mut lines: Vec<String> = ping("txt").stdout.lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["h1: True", "h2: True", "h3: True"]);
    assert_eq!(ping("quiet").stdout, "");
    assert!(ping("yaml").stdout.contains("h2: true"));
    let nested = fleet.ctl(&["run", "*", "test.ping"]).expect(0);
    assert_eq!(nested.stderr.trim_end(), "3 targeted: 3 ok", "the account goes to stderr");
    for id in ["h1", "h2", "h3"] {
        assert!(nested.stdout.contains(id), "{nested}");
    }
}

fn a_command_that_fails_is_exit_1_and_is_counted(transport: Transport) {
    let fleet = Fleet::new(transport).start();
    let run = fleet.ctl(&["run", "*", "cmd.run", "test $TEST_MINION != h2", "--out", "json"]).expect(1);
    assert!(run.stderr.contains("3 targeted: 2 ok, 1 failed"), "{run}");
    fleet.ctl(&["run", "h1", "cmd.run", "exit 7", "ignore_retcode=True"]).expect(0);
    fleet.ctl(&["run", "h1", "test.exception", "oops"]).expect(1).says(&["oops"]);
    fleet.ctl(&["run", "h1", "test.retcode", "3"]).expect(1);
}

fn absent_minions_are_named_at_once(transport: Transport) {
    let mut fleet = Fleet::new(transport).start();
    fleet.minion("h2").daemon.kill();
    fleet.wait_presence("h2", false, secs(20));
    let run = fleet.ctl(&["run", "*", "test.ping", "--out", "json"]).expect(3);
    assert_eq!(run.json(), json!({"h1": true, "h3": true}));
    assert!(run.stderr.contains("3 targeted: 2 ok, 1 no answer (h2 offline since"), "{run}");
    assert!(run.took < secs(10), "it waited {:?} for a minion that is known to be away", run.took);
}

fn a_time_out_leaves_the_job_running(transport: Transport) {
    let fleet = Fleet::new(transport).start();
    let command = format!("sleep 3; {}", fleet.mark("late"));
    let run = fleet.ctl(&["run", "h1", "cmd.run", &command, "--timeout", "1"]).expect(3);
    assert!(run.stderr.contains("1 targeted: 0 ok, 1 no answer (h1 still running)"), "{run}");
    wait::until(secs(20), "the job's end", || (fleet.marks("late")["h1"] == 1).then_some(()));
}

fn a_batch_is_a_sliding_window(transport: Transport) {
    let fleet = Fleet::new(transport).minions(5).start();
    let log = fleet.path().join("window");
    // h1 is slow: the others must pass by it, never more than two at once.
    let command = format!(
        "echo + $TEST_MINION >> {0}; if test $TEST_MINION = h1; then sleep 3; else sleep 0.3; fi; echo - $TEST_MINION >> {0}",
        log.display()
    );
    fleet.ctl(&["run", "*", "cmd.run", &command, "--batch", "2"]).expect(0);
    let text = std::fs::read_to_string(log).unwrap();
    let (mut running, mut most) = (0, 0);
    for line in text.lines() {
        running += if line.starts_with('+') { 1 } else { -1 };
        most = most.max(running);
    }
    assert_eq!((most, running), (2, 0), "{text}");
    let ends: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("- ")).collect();
    assert_eq!(ends.len(), 5, "{text}");
    let started_late = text.find("+ h1").unwrap() > text.find("- ").unwrap_or(usize::MAX);
    assert!(started_late || ends[4] == "h1" || ends[3] == "h1", "the slow one held up the others: {text}");
    fleet.ctl(&["run", "*", "test.ping", "--batch", "40%"]).expect(0);
}

fn a_subset_is_that_many(transport: Transport) {
    let fleet = Fleet::new(transport).minions(4).start();
    let run = fleet.ctl(&["run", "*", "test.ping", "--subset", "2", "--out", "json"]).expect(0);
    assert_eq!(run.json().as_object().unwrap().len(), 2, "{run}");
}

fn output_streams_while_the_command_runs(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let run = fleet.begin(&["run", "h1", "cmd.run", "echo first; sleep 3; echo last", "--stream"]);
    wait::until(secs(20), "the first line", || run.stdout().contains("first").then_some(()));
    assert!(!run.stdout().contains("last"), "the first line came with the last");
    assert!(Ran::of(&[], run.wait(secs(30))).expect(0).stdout.contains("last"));
}

fn ctrl_c_leaves_the_job_running(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let command = format!("sleep 2; {}", fleet.mark("done"));
    let run = fleet.begin(&["run", "h1", "cmd.run", &command]);
    wait::until(secs(20), "the job to run", || {
        let running = fleet.ctl(&["run", "h1", "saltutil.is_running", "cmd.run", "--out", "json"]).json();
        running["h1"].as_array().is_some_and(|jobs| !jobs.is_empty()).then_some(())
    });
    run.signal(Signal::SIGINT);
    let ended = Ran::of(&["run", "…"], run.wait(secs(10))).expect(130);
    let jid = jid_in(&ended.stderr);
    fleet.ctl(&["job", "follow", &jid]).expect(0);
    fleet.assert_marks("done", 1);
}

/// The first job id in a text.
fn jid_in(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_digit());
    words.into_iter().find(|word| word.len() == 20).unwrap_or_else(|| panic!("no job id in {text:?}")).to_owned()
}

fn who_comes_back_in_time_still_runs_it(transport: Transport) {
    let mut fleet = Fleet::new(transport).start();
    fleet.minion("h3").daemon.stop();
    fleet.wait_presence("h3", false, secs(20));
    let jid = fleet.launch(&["*", "cmd.run", &fleet.mark("ran"), "--ttl", "120"]);
    fleet.minion("h3").daemon.start();
    let job = fleet.wait_job(&jid, secs(60));
    assert_eq!(job.count("ok"), 3, "{job:?}");
    fleet.assert_marks("ran", 1);
}

fn who_comes_back_too_late_does_not(transport: Transport) {
    let mut fleet = Fleet::new(transport).start();
    fleet.minion("h3").daemon.stop();
    fleet.wait_presence("h3", false, secs(20));
    let jid = fleet.launch(&["*", "cmd.run", &fleet.mark("ran"), "--ttl", "2"]);
    let job = fleet.wait_job(&jid, secs(30));
    assert_eq!((job.count("ok"), job.ends["h3"].0.as_str()), (2, "offline"), "{job:?}");
    fleet.minion("h3").daemon.start();
    fleet.wait_connected(3);
    fleet.ctl(&["run", "h3", "test.ping"]).expect(0);
    assert_eq!(fleet.marks("ran")["h3"], 0);
}

fn targets_reach_whom_they_say(transport: Transport) {
    let fleet =
        Fleet::new(transport).named(&["web1", "web2", "db1"]).minion(|i| format!("grains: {{place: rack{i}}}")).start();
    let matched = |target: &str| {
        let run = fleet.ctl(&["run", target, "test.ping", "--out", "json"]).expect(0);
        run.json().as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    for (target, expected) in [
        ("web*", "web1 web2"),
        ("db1,web2", "db1 web2"),
        ("G@place:rack1", "web2"),
        ("G@kernel:Linux and not web*", "db1"),
        (r"E@web\d", "web1 web2"),
        ("L@web1,db1 or web2", "db1 web1 web2"),
        ("P@place:rack(0|2)", "db1 web1"),
        ("web[2-9] or ( db* and G@place:rack2 )", "db1 web2"),
    ] {
        let mut found: Vec<String> = matched(target).split(' ').map(str::to_owned).collect();
        found.sort();
        assert_eq!(found.join(" "), expected, "{target}");
    }
    let run = fleet.ctl(&["run", "-G", "place:rack0", "test.ping", "--out", "json"]).expect(0);
    assert_eq!(run.json(), json!({"web1": true}));
    let shown = fleet.ctl(&["target", "web*"]).expect(0);
    assert!(shown.stdout.contains("web1") && !shown.stdout.contains("db1"), "{shown}");
}

fn mistakes_are_told_before_anything_is_done(transport: Transport) {
    let fleet = Fleet::new(transport).named(&["web1"]).start();
    let fails = |args: &[&str], parts: &[&str]| {
        let run = fleet.ctl(args).expect(2).says(parts);
        assert_eq!(run.stdout, "", "nothing is done, so nothing is a result: {run}");
    };
    fails(&["run", "wbe*", "test.ping"], &["error: no minion matches 'wbe*'", "hint:", "ctl minion list"]);
    fails(&["run", "*", "test.pign"], &["test.pign does not exist", "did you mean test.ping?"]);
    fails(&["run", "web1 and (", "test.ping"], &["error:"]);
    fails(&["run", "X@web1", "test.ping"], &["error:"]);
    fails(&["run", "*"], &["error:", "FUNCTION"]);
    fails(&["rnu", "*", "test.ping"], &["error:", "run"]);
    fails(&["job", "show", "20200101000000000000"], &["error:"]);
    fails(&["job", "show", "../../etc/passwd"], &["error:"]);
    assert_eq!(fleet.ctl(&["job", "list", "--out", "json"]).expect(0).json(), json!([]));
}

fn a_master_that_is_not_there_is_exit_2(transport: Transport) {
    let mut fleet = Fleet::new(transport).minions(1).start();
    fleet.master.stop();
    let run = fleet.ctl(&["run", "*", "test.ping"]).expect(2).says(&["error:", &fleet.address()]);
    assert!(run.took < secs(20), "{run}");
}

fn a_command_line_is_run_without_a_shell(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let run = fleet.ctl(&["run", "h1", "--out", "json", "--", "echo", "$HOME", "a;b", "*"]).expect(0);
    assert_eq!(run.json(), json!({"h1": "$HOME a;b *"}));
    fleet.ctl(&["run", "h1", "cmd", "echo $((1+1))", "--out", "json"]).expect(0).says(&["2"]);
}

fn the_first_failure_stops_a_batch_that_says_so(transport: Transport) {
    let fleet = Fleet::new(transport).minions(4).start();
    let command = format!("{}; false", fleet.mark("ran"));
    fleet.ctl(&["run", "*", "cmd.run", &command, "--batch", "1", "--fail-fast"]).expect(1);
    assert_eq!(fleet.marks("ran").values().sum::<usize>(), 1);
}

fn thirty_jobs_at_once_all_end(transport: Transport) {
    let fleet = Fleet::new(transport).start();
    let runs: Vec<_> =
        (0..30).map(|i| fleet.begin(&["run", "*", "test.echo", &i.to_string(), "--out", "json"])).collect();
    for (i, run) in runs.into_iter().enumerate() {
        let run = Ran::of(&["run", "*", "test.echo"], run.wait(secs(60))).expect(0);
        assert_eq!(run.json(), json!({"h1": i, "h2": i, "h3": i}));
    }
}

fn a_return_of_several_mebibytes_arrives_whole_and_one_beyond_the_bound_is_cut(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let lengths = |size: u64| {
        let command = format!("head -c {size} /dev/zero | tr '\\0' x");
        let run = fleet.ctl(&["run", "h1", "cmd.run", &command, "--out", "json"]);
        let length = run.json()["h1"].as_str().map_or(0, str::len) as u64;
        (length, run)
    };
    assert_eq!(lengths(5 << 20).0, 5 << 20);
    let (length, run) = lengths(24 << 20);
    assert!(((8 << 20)..=(17 << 20)).contains(&length), "{length} bytes arrived");
    assert!(run.stderr.contains("cut"), "{}", run.stderr);
}

fn all_core_functions_answer(transport: Transport) {
    let fleet = Fleet::new(transport).minions(1).start();
    let call = |words: &[&str]| -> Value {
        let all: Vec<&str> = ["run", "h1"].iter().chain(words).chain(&["--out", "json"]).copied().collect();
        fleet.ctl(&all).expect(0).json()["h1"].clone()
    };
    assert_eq!(call(&["test.echo", "a b"]), json!("a b"));
    assert_eq!(call(&["test.arg", "1", "x=y"]), json!({"args": [1], "kwargs": {"x": "y"}}));
    assert_eq!(call(&["cmd.run_stdout", "echo a; echo b >&2"]), json!("a"));
    assert_eq!(call(&["cmd.retcode", "exit 0"]), json!(0));
    assert_eq!(call(&["grains.get", "id"]), json!("h1"));
    assert_eq!(call(&["cmd.run_all", "echo a", "cwd=/"])["stdout"], json!("a"));
    assert!(call(&["sys.list_functions"]).as_array().unwrap().iter().any(|name| name == "cmd.run"));
    assert!(call(&["status.uptime"]).is_object());
}
