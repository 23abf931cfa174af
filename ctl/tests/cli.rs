//! What a user sees where no master is needed: output, errors and exit codes of the real binary.

mod sandbox;

use std::{fs, io::Read as _, os::unix::fs::PermissionsExt as _, process::Stdio};

use sandbox::Sandbox;

#[test]
fn without_arguments_it_says_how_to_begin() {
    insta::assert_snapshot!(Sandbox::new(&[]).run(&[]));
}

#[test]
fn bad_usage_is_explained_and_exits_with_2() {
    let commands: &[&[&str]] = &[
        &["rnu", "*", "test.ping"],
        &["run"],
        &["run", "*"],
        &["run", "*", "--"],
        &["run", "*", "test.ping", "--frobnicate"],
        &["run", "*", "test.ping", "-b", "0"],
        &["run", "*", "test.ping", "-t", "soon"],
        &["run", "-G", "-E", "*", "test.ping"],
        &["run", "*", "test.ping", "--out", "xml"],
        &["run", "*", "test.pign"],
        &["run", "*", "tset.ping"],
        &["run", "*", "uptime"],
        &["run", "*", "nothing.like_it"],
        &["run", "*", "cmd.run", "uptime", "cdw=/"],
        &["apply", "*", "web", "pilar={a: 1}"],
        &["call", "state.apply", "--test"],
        &["job", "show", "5"],
        &["job", "list", "--since", "soon"],
        &["job", "list", "--since", "today", "--until", "yesterday"],
        &["minion", "show", "../../etc"],
        &["operator", "add", "alice", "xyz"],
        &["event", "send", "my/tag", "word"],
        &["completion", "tcsh"],
    ];
    insta::with_settings!({filters => vec![(r"is empty.*|between \S+ \S+ and \S+ \S+", "[time]")]}, {
        insta::assert_snapshot!(Sandbox::new(&[]).all(commands));
    });
}

#[test]
fn no_master_is_said_and_exits_with_2() {
    let nowhere = Sandbox::new(&[]);
    let mut shown =
        nowhere.all(&[&["run", "*", "test.ping"], &["minion", "list"], &["--master", "localhost:1", "key", "list"]]);
    let here = Sandbox::new(&[("master", "interface: 127.0.0.1\nport: 1\nroot_dir: DIR/root\n")]);
    shown += &here.run(&["run", "*", "test.ping"]);
    let keygen = here.command(&["operator", "keygen", "-q"]).output().unwrap();
    assert!(keygen.status.success(), "{keygen:?}");
    let configured = Sandbox::new(&[("ctl", "master: 127.0.0.1:1\nkey: operator.pem\n")]);
    fs::copy(here.path().join("operator.pem"), configured.path().join("operator.pem")).unwrap();
    shown += &configured.run(&["run", "*", "test.ping"]);
    fs::set_permissions(configured.path().join("operator.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    shown += &configured.run(&["run", "*", "test.ping"]);
    insta::assert_snapshot!(shown);
}

#[test]
fn a_configuration_that_is_wrong_is_shown_with_its_place() {
    let shown = [
        Sandbox::new(&[("ctl", "master: salt\nkye: operator.pem\n")]).run(&["minion", "list"]),
        Sandbox::new(&[("ctl", "master: [salt\n")]).run(&["minion", "list"]),
        Sandbox::new(&[("ctl", "master: salt\nmaster: other\n")]).run(&["minion", "list"]),
        Sandbox::new(&[("master", "interface: 127.0.0.1\nprot: 4510\n")]).run(&["master"]),
        Sandbox::new(&[("master", "log_level: loud\nroot_dir: DIR/root\n")]).run(&["master"]),
    ];
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_key_is_made_once() {
    let sandbox = Sandbox::new(&[]);
    let made = sandbox.run(&["operator", "keygen"]);
    let again = sandbox.run(&["operator", "keygen"]);
    insta::with_settings!({filters => vec![(r"[0-9a-f]{64}", "[public key]")]}, {
        insta::assert_snapshot!(made + "\n" + &again);
    });
}

#[test]
fn the_version_is_one_line() {
    let shown = Sandbox::new(&[]).run(&["--version"]);
    assert!(shown.contains(&format!("ctl {}", env!("CARGO_PKG_VERSION"))) && shown.ends_with("exit 0\n"), "{shown}");
}

#[test]
fn completions_exist_for_the_shells() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let shown = Sandbox::new(&[]).run(&["completion", shell]);
        assert!(shown.contains("overstate") || shown.contains("fail-fast"), "{shell}: {shown}");
        assert!(shown.ends_with("exit 0\n"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_accident() {
    let mut child = Sandbox::new(&[])
        .command(&["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut complaints = String::new();
    child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
    assert_eq!((child.wait().unwrap().code(), complaints.as_str()), (Some(141), ""));
}

#[test]
fn colours_come_only_where_they_are_asked_for() {
    let sandbox = Sandbox::new(&[]);
    assert!(!sandbox.run(&["doc", "test"]).contains('\x1b'));
    assert!(sandbox.run(&["--color", "always", "doc", "test"]).contains('\x1b'));
    assert!(sandbox.run(&["--color", "always", "run", "*", "test.pign"]).contains('\x1b'));
    assert!(!sandbox.run(&["--color", "never", "doc", "test"]).contains('\x1b'));
}

#[test]
fn a_call_on_this_host_needs_no_master() {
    let sandbox = Sandbox::new(&[("minion", "id: here\nroot_dir: DIR/root\ngrains: {role: db}\n")]);
    let commands: &[&[&str]] = &[
        &["call", "test.ping", "--out", "json"],
        &["call", "test.arg", "1", "a=2", "--out", "jsonl"],
        &["call", "test.echo", "[1, {a: b}]"],
        &["call", "cmd", "echo out; exit 3"],
        &["call", "--", "echo", "two  words"],
        &["call", "test.exception", "boom", "--out", "json"],
        &["call", "test.pign"],
        &["call", "test.echo"],
    ];
    insta::assert_snapshot!(sandbox.all(commands));
}
