//! `ctl check --local` as a plugin of other monitoring: one line with figures, exit codes, time.

mod sandbox;

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, time::Instant};

use sandbox::Sandbox;

/// A host that looks at files, which are as the test wants them.
fn host() -> Sandbox {
    let check = |name: &str, file: &str, more: &str| format!("  {name}: {{check: file, path: DIR/{file}{more}}}\n");
    let checks =
        [check("here", "minion", ""), check("gone", "none", ""), check("small", "minion", ", size_warning: '1G:'")]
            .concat();
    let hangs = "  hangs: {check: plugin, command: [sleep, '86399.75'], timeout: 300s}\n";
    Sandbox::new(&[("minion", &format!("root_dir: DIR/root\nchecks:\n{checks}{hangs}"))])
}

/// Standard output and the exit code.
fn plugin(host: &Sandbox, checks: &[&str]) -> (String, i32) {
    let ran = host.command(&["check", "--local", "--out", "nagios"]).args(checks).output().unwrap();
    (String::from_utf8(ran.stdout).unwrap(), ran.status.code().unwrap())
}

#[test]
fn each_status_has_its_exit_code_and_a_line_with_figures() {
    let host = host();
    let (text, code) = plugin(&host, &["here"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("OVERSTATE OK - 1 ok | 'critical'=0 'warning'=0 'unknown'=0 'ok'=1 'here "), "{text}");
    assert_eq!(text.lines().count(), 1, "{text}");
    let (text, code) = plugin(&host, &["here", "small"]);
    assert!(code == 1 && text.starts_with("OVERSTATE WARNING - 1 warning, 1 ok; small: "), "{code} {text}");
    let (text, code) = plugin(&host, &["here", "small", "gone"]);
    assert!(code == 2 && text.starts_with("OVERSTATE CRITICAL - 1 critical, 1 warning, 1 ok; gone: "), "{code} {text}");
    assert!(text.contains("\n[CRITICAL] local gone: ") && text.contains("\n[WARNING] local small: "), "{text}");
    let (text, code) = plugin(&host, &["here", "hree"]);
    assert!(code == 3 && text.contains("no check is named hree"), "{code} {text}");
}

#[test]
fn what_cannot_be_done_is_unknown_on_standard_output() {
    let wrong = Sandbox::new(&[("minion", "root_dir: DIR/root\nchecks:\n  x: {chekc: file}\n")]);
    let nowhere = Sandbox::new(&[]);
    fs::remove_dir(nowhere.path()).unwrap();
    for host in [wrong, nowhere] {
        let (text, code) = plugin(&host, &[]);
        assert!(code == 3 && text.starts_with("OVERSTATE UNKNOWN - "), "{code} {text}");
    }
    let usage = host().command(&["check", "--local", "--frobnicate"]).output().unwrap();
    assert_eq!(usage.status.code(), Some(3));
}

#[test]
fn a_plugin_that_hangs_ends_with_the_time_that_was_given() {
    let (host, begun) = (host(), Instant::now());
    let (text, code) = plugin(&host, &["hangs", "-t", "1"]);
    assert!(code == 3 && text.starts_with("OVERSTATE UNKNOWN - the checks did not end within 1 s"), "{code} {text}");
    assert!(begun.elapsed().as_secs() < 250, "it does not wait for the check's own time");
    let sleeps = |entry: fs::DirEntry| {
        let words = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&words).contains("86399.75")
    };
    let left = fs::read_dir("/proc").unwrap().flatten().filter(|entry| entry.file_name() != "self").any(sleeps);
    assert!(!left, "what hung has ended too");
}

#[test]
fn without_any_configuration_there_is_something_to_look_at() {
    let (text, code) = plugin(&Sandbox::new(&[]), &["memory"]);
    assert!((0..=2).contains(&code), "{code} {text}");
    assert!(text.starts_with("OVERSTATE ") && text.contains("'memory memory'="), "{text}");
}

#[test]
fn it_needs_no_rights() {
    if !nix::unistd::geteuid().is_root() {
        // Then every test here shows it.
        return;
    }
    let host = host();
    fs::set_permissions(host.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(host.path().join("minion"), fs::Permissions::from_mode(0o644)).unwrap();
    // The program may lie where others may not look.
    let program = host.path().join("ctl");
    fs::copy(env!("CARGO_BIN_EXE_ctl"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    command.arg("--config-dir").arg(host.path()).args(["check", "--local", "here", "--out", "nagios"]);
    let ran = command.env_clear().env("PATH", "/usr/bin:/bin").output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.code() == Some(0) && text.starts_with("OVERSTATE OK - 1 ok"), "{text} {ran:?}");
}
