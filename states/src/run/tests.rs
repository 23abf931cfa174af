//! Whole runs on a host in memory.

use serde_json::{Value, json};

use crate::testing::{Memory, apply, call, refused, said};

fn host() -> Memory {
    Memory::new(json!({}))
        .answer(|_, line| (line == "false" || line == "exit 3").then(|| refused(3, "no").unwrap()))
        .answer(|host, line| {
            let path = line.strip_prefix("touch ")?;
            host.put(path, "");
            said("")
        })
        .answer(|host, line| {
            let path = line.strip_prefix("test -f ")?;
            if host.text(path).is_some() { said("") } else { refused(1, "") }
        })
}

/// Ids with their results and whether they changed anything.
fn short(rows: &[(String, Value, String, Value)]) -> Vec<String> {
    rows.iter()
        .map(|(id, result, _, changes)| {
            let changed = if changes == &json!({}) { "" } else { "+" };
            format!("{id} {result}{changed}")
        })
        .collect()
}

#[test]
fn a_file_a_command_and_a_watch() {
    let host = host();
    let sls = "conf:\n  file.managed:\n    - name: /etc/a/conf\n    - contents: x\n    - makedirs: True\n    - mode: 640\n\
               reload:\n  cmd.wait:\n    - name: touch /done\n    - watch:\n      - file: conf\n\
               always:\n  cmd.run:\n    - name: touch /ran\n    - creates: /ran\n";
    assert_eq!(short(&apply(&host, sls, true)), ["conf null+", "reload null+", "always null+"]);
    assert!(host.text("/etc/a/conf").is_none() && host.ran().is_empty(), "a dry run changes nothing");
    let rows = apply(&host, sls, false);
    assert_eq!(short(&rows), ["conf true+", "reload true+", "always true+"]);
    assert_eq!(rows[0].3, json!({"diff": "New file", "mode": "0640"}));
    assert_eq!(host.text("/etc/a/conf").as_deref(), Some("x\n"));
    assert_eq!(host.ran(), ["touch /done", "touch /ran"]);
    let rows = apply(&host, sls, false);
    assert_eq!(short(&rows), ["conf true", "reload true", "always true"]);
    assert_eq!(rows[2].2, "/ran exists");
    assert!(host.ran().is_empty());
}

#[test]
fn a_failure_stops_what_needs_it_and_wakes_what_answers_to_it() {
    let sls = "bad:\n  cmd.run:\n    - name: exit 3\n\
               needs:\n  test.nop:\n    - require:\n      - cmd: bad\n\
               deeper:\n  test.nop:\n    - require:\n      - test: needs\n\
               mend:\n  test.nop:\n    - onfail:\n      - cmd: bad\n\
               calm:\n  test.nop:\n    - onfail:\n      - test: mend\n\
               quiet:\n  test.nop:\n    - onchanges:\n      - test: mend\n\
               other:\n  test.nop: []\n";
    let rows = apply(&host(), sls, false);
    assert_eq!(
        short(&rows),
        ["bad false+", "needs false", "deeper false", "mend true", "calm true", "quiet true", "other true"]
    );
    assert_eq!(rows[1].2, "One or more requisite failed: t.bad");
    assert_eq!(rows[2].2, "One or more requisite failed: t.needs");
    assert_eq!(rows[4].2, "State was not run because onfail req did not change");
    assert_eq!(rows[5].2, "State was not run because none of the onchanges reqs changed");
}

#[test]
fn a_prerequisite_runs_before_what_will_change_and_not_otherwise() {
    let sls = "stop:\n  cmd.run:\n    - name: touch /stopped\n    - prereq:\n      - file: new\n\
               new:\n  file.managed:\n    - name: /new\n    - contents: x\n";
    let host = host();
    let planned = apply(&host, sls, true);
    assert_eq!(short(&planned), ["stop null+", "new null+"], "its trial is no plan of its own");
    let rows = apply(&host, sls, false);
    assert_eq!(short(&rows), ["stop true+", "new true+"]);
    let rows = apply(&host, sls, false);
    assert_eq!(short(&rows), ["stop true", "new true"]);
    assert_eq!(rows[0].2, "No changes detected");
    let failing = sls.replace("touch /stopped", "exit 3").replace("contents: x", "contents: y");
    let rows = apply(&host, &failing, false);
    assert_eq!(short(&rows), ["stop false+", "new null"]);
    assert_eq!(host.text("/new").as_deref(), Some("x\n"), "its prerequisite failed");
}

#[test]
fn a_listener_acts_once_at_the_end() {
    let sls = "svc:\n  test.nop:\n    - listen:\n      - file: a\n      - file: b\n\
               a:\n  file.managed:\n    - name: /a\n    - contents: x\n\
               b:\n  file.managed:\n    - name: /b\n    - contents: x\n";
    let host = host();
    let rows = apply(&host, sls, false);
    assert_eq!(short(&rows), ["svc true", "a true+", "b true+", "listener_svc true+"]);
    assert_eq!(short(&apply(&host, sls, false)), ["svc true", "a true", "b true"]);
}

#[test]
fn conditions_run_as_their_runas_says_and_not_as_the_owner_of_what_is_made() {
    for (who, runs) in [("user: nobody-here", true), ("runas: nobody-here", false)] {
        let sls = format!("x:\n  event.send:\n    - name: x\n    - unless: test -f /there\n    - {who}\n");
        let rows = apply(&host(), &sls, true);
        assert_eq!(rows[0].2 != "unless condition is true", runs, "{who}: {}", rows[0].2);
    }
}

#[test]
fn conditions_of_a_state() {
    let host = host().with(&[("/there", "")]);
    for (condition, runs, comment) in [
        ("unless: test -f /there", false, "unless condition is true"),
        ("unless: test -f /nowhere", true, ""),
        ("unless: ['test -f /there', 'test -f /nowhere']", true, ""),
        ("onlyif: test -f /there", true, ""),
        ("onlyif: ['test -f /there', 'test -f /nowhere']", false, "onlyif condition is false"),
        ("onlyif: [{fun: file.file_exists, path: /there}]", true, ""),
        ("unless: [{fun: file.file_exists, args: [/there]}]", false, "unless condition is true"),
        ("creates: /there", false, "/there exists"),
        ("creates: [/there, /there]", false, "All files in creates exist"),
        ("creates: [/there, /nowhere]", true, ""),
    ] {
        let rows = apply(&host, &format!("x:\n  cmd.run:\n    - name: echo\n    - {condition}\n"), false);
        let ran = host.ran().contains(&"echo".to_owned());
        assert_eq!(ran, runs, "{condition}");
        if !runs {
            assert_eq!(rows[0].2, comment, "{condition}");
        }
    }
    let checked = "x:\n  test.succeed_with_changes:\n    - check_cmd: exit 3\n";
    let rows = apply(&host, checked, false);
    assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), "check_cmd determined the state failed"));
}

#[test]
fn a_failure_stops_the_run_where_it_is_to() {
    let sls = "bad:\n  cmd.run:\n    - name: exit 3\n    - failhard: True\nnext:\n  test.nop: []\n";
    assert_eq!(short(&apply(&host(), sls, false)), ["bad false+"]);
}

#[test]
fn a_retry_ends_with_the_first_good_result() {
    let host = host();
    let sls = "x:\n  cmd.run:\n    - name: test -f /b\n    - retry: {attempts: 3, interval: 0}\n";
    let rows = apply(&host, sls, false);
    assert_eq!(host.ran().len(), 3);
    assert_eq!(rows[0].1, json!(false));
    assert!(rows[0].2.starts_with("Attempt 1: Returned a result of \"False\", with the following comment:"));
    host.put("/b", "");
    apply(&host, sls, false);
    assert_eq!(host.ran().len(), 1);
    let rows = apply(&host, sls, true);
    assert!(rows[0].2.contains("The state would be retried every 0 seconds"), "{}", rows[0].2);
}

#[test]
fn states_side_by_side_come_back_in_their_places() {
    let mut sls = String::new();
    for i in 0..40 {
        sls.push_str(&format!("p{i}:\n  cmd.run:\n    - name: touch /p{i}\n    - parallel: True\n"));
    }
    sls.push_str("last:\n  cmd.run:\n    - name: touch /last\n    - require:\n      - cmd: p*\n");
    let host = host();
    let rows = apply(&host, &sls, false);
    assert_eq!(rows.len(), 41);
    assert!(rows.iter().all(|row| row.1 == json!(true)), "{rows:?}");
    assert_eq!(host.ran().last().map(String::as_str), Some("touch /last"));
}

#[test]
fn a_state_in_its_turn_waits_for_states_side_by_side_that_wait_for_one_another() {
    let chain = |last: &str| {
        let mut sls = String::from("p0:\n  cmd.run:\n    - name: touch /p0\n    - parallel: True\n");
        for i in 1..30 {
            let before = i - 1;
            sls.push_str(&format!(
                "p{i}:\n  cmd.run:\n    - name: touch /p{i}\n    - parallel: True\n    - require:\n      - cmd: p{before}\n"
            ));
        }
        sls + last
    };
    let last = "last:\n  cmd.run:\n    - name: touch /last\n    - require:\n      - cmd: p29\n";
    for sls in [chain(last), chain("")] {
        let host = host();
        let rows = apply(&host, &sls, false);
        assert!(rows.iter().all(|row| row.1 == json!(true)), "{rows:?}");
        let ran: Vec<String> = host.ran();
        let wanted = (0..30).map(|i| format!("touch /p{i}")).chain(sls.contains("last").then(|| "touch /last".into()));
        assert_eq!(ran, wanted.collect::<Vec<_>>());
    }
}

#[test]
fn a_dry_run_sees_what_earlier_states_would_make() {
    let host = host();
    let sls = "a:\n  file.managed:\n    - name: /new/dir/a\n    - makedirs: True\n    - contents: x\n\
               b:\n  file.managed:\n    - name: /new/dir/b\n    - contents: y\n";
    assert_eq!(short(&apply(&host, sls, true)), ["a null+", "b null+"]);
    let alone = "b:\n  file.managed:\n    - name: /new/dir/b\n    - contents: y\n";
    assert_eq!(short(&apply(&host, alone, true)), ["b false"]);
}

#[test]
fn a_state_that_is_not_here_fails_by_name() {
    let (result, retcode) = call(
        &host(),
        &[("t.sls", "x:\n  zzzz.qqqq: []\n")],
        json!({}),
        "state.apply",
        proto::Args::positional(["t".into()]),
    );
    let row = result.unwrap()["zzzz_|-x_|-x_|-qqqq"].clone();
    assert_eq!(
        (&row["result"], &row["comment"]),
        (&json!(false), &json!("not available: state zzzz.qqqq (module zzzz)"))
    );
    assert_eq!(retcode, 2);
}

#[test]
fn what_is_removed_stays_gone_in_a_plan_and_what_is_guessed_is_said_to_be() {
    let host = host().with(&[("/old/in/f", "x")]);
    let sls = "u:\n  cmd.run:\n    - name: 'touch /x'\nab:\n  file.absent:\n    - name: /old\n\
               abf:\n  file.managed:\n    - name: /old/in/f\n    - contents: x\nabd:\n  file.directory:\n    - name: /old/in\n\
               abe:\n  file.exists:\n    - name: /old/in/f\nabx:\n  file.missing:\n    - name: /old/in/f\n\
               guess:\n  file.managed:\n    - name: /never/f\n    - contents: x\n\
               folder:\n  file.directory:\n    - name: /nowhere/d\n";
    let rows = apply(&host, sls, true);
    let planned =
        ["u null+", "ab null+", "abf false", "abd false+", "abe false", "abx true", "guess null+", "folder null+"];
    assert_eq!(short(&rows), planned);
    for row in &rows[6..] {
        assert!(row.2.ends_with("an earlier state of this run would change the host, and may bring it."), "{}", row.2);
    }
    let done = apply(&host, sls, false);
    assert_eq!(short(&done)[2..6], planned[2..6]);
}

#[test]
fn a_condition_that_is_asked_too_early_is_said_to_be() {
    let tree = |more: &str| {
        format!(
            "{more}one:\n  test.succeed_with_changes:\n    - onlyif: test -f /n\ntwo:\n  test.succeed_with_changes:\n    - unless: test -f /n\n\
             three:\n  test.succeed_with_changes:\n    - creates: /n\n"
        )
    };
    let note = "whether this one runs may come out otherwise.";
    let noted = |sls: &str, test| apply(&host(), sls, test).iter().map(|row| row.2.ends_with(note)).collect::<Vec<_>>();
    let change = tree("n:\n  file.managed:\n    - name: /n\n    - contents: x\n");
    assert_eq!(noted(&change, true), [false, true, true, false]);
    assert_eq!(noted(&change, false), [false; 4]);
    assert_eq!(noted(&tree(""), true), [false; 3]);
}

#[test]
fn a_time_limit_that_is_no_number_is_refused() {
    for test in [true, false] {
        let rows = apply(&host(), "x:\n  cmd.run:\n    - name: touch /x\n    - timeout: abc\n", test);
        assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), "Error: timeout abc must be a number"));
    }
    assert_eq!(apply(&host(), "x:\n  cmd.run:\n    - name: touch /x\n    - timeout: '5'\n", false)[0].1, json!(true));
}
