//! Packages on a Debian host in memory.

use serde_json::{Value, json};

use crate::testing::{Memory, apply, refused, said, thrice};

/// A Debian host whose packages are lines of a file.
fn host() -> Memory {
    Memory::new(json!({"os_family": "Debian"})).with(&[("/p", "bash 5.2\n"), ("/held", "")]).answer(|host, line| {
        let have = host.text("/p")?;
        let last = line.rsplit(' ').next()?;
        if line.starts_with("dpkg-query") {
            return said(&have.lines().map(|l| format!("install ok installed {l} amd64\n")).collect::<String>());
        }
        if line.starts_with("apt-cache") {
            let all = line.split(' ').skip(2).map(|name| {
                format!("{name}:\n  Candidate: 9.0\n  Version table:\n     9.0 500\n        500 http://d main\n")
            });
            return said(&all.collect::<String>());
        }
        if line.starts_with("apt-mark showhold") {
            return said(&host.text("/held")?);
        }
        if line.starts_with("apt-mark") {
            let others = host.text("/held")?.replace(&format!("{last}\n"), "");
            host.put("/held", &if line.contains("unhold") { others } else { format!("{others}{last}\n") });
        } else if line.ends_with("nope") {
            return refused(100, "E: Unable to locate package nope");
        } else if line.contains(" install ") {
            let (name, version) = last.split_once('=').unwrap_or((last, "9.0"));
            let rest: String = have.lines().filter(|l| !l.starts_with(name)).map(|l| format!("{l}\n")).collect();
            host.put("/p", &format!("{rest}{name} {version}\n"));
        } else if line.contains(" remove ") || line.contains(" purge ") {
            host.put(
                "/p",
                &have.lines().filter(|l| !l.starts_with(last)).map(|l| format!("{l}\n")).collect::<String>(),
            );
        }
        said("")
    })
}

fn run(host: &Memory, sls: &str) -> [(Value, String, Value); 3] {
    thrice(host, &[("t.sls", sls)])
}

#[test]
fn a_package_is_installed_once() {
    let host = host();
    let [test, first, second] = run(&host, "vim:\n  pkg.installed: []\n");
    assert_eq!(test.1, "The following packages would be installed/updated: vim");
    assert_eq!(test.2, json!({"vim": {"new": "9.0", "old": ""}}));
    assert_eq!(
        first,
        (
            json!(true),
            "The following packages were installed/updated: vim".into(),
            json!({"vim": {"new": "9.0", "old": ""}})
        )
    );
    assert_eq!(second.1, "All specified packages are already installed");
    let [_, first, second] = run(&host, "x:\n  pkg.installed:\n    - pkgs: [bash, {vim: '8.0'}]\n");
    assert_eq!(first.2, json!({"vim": {"new": "8.0", "old": "9.0"}}));
    assert!(first.1.ends_with("The following packages were already installed: bash"), "{}", first.1);
    assert!(second.1.ends_with("at the desired version"));
    let [_, first, _] = run(&host, "vim:\n  pkg.installed:\n    - version: '>=8.5'\n");
    assert_eq!(first.2, json!({"vim": {"new": "9.0", "old": "8.0"}}));
}

#[test]
fn empty_sources_are_none() {
    for empty in ["[]", "{}", "''"] {
        let rows = apply(&host(), &format!("vim:\n  pkg.installed:\n    - sources: {empty}\n"), true);
        assert_eq!(rows[0].2, "The following packages would be installed/updated: vim", "{empty}");
    }
    let rows = apply(&host(), "vim:\n  pkg.installed:\n    - pkgs: []\n", true);
    assert_eq!(rows[0].2, "No packages to install provided");
}

#[test]
fn packages_go_and_are_brought_up_to_date() {
    let host = host();
    let [test, first, second] = run(&host, "bash:\n  pkg.latest: []\n");
    assert_eq!(test.1, "The following packages would be installed/upgraded: bash");
    assert_eq!(first.2, json!({"bash": {"new": "9.0", "old": "5.2"}}));
    assert_eq!(second.1, "Package bash is already up-to-date");
    let [_, first, second] = run(&host, "bash:\n  pkg.held: []\n");
    assert_eq!((first.1.as_str(), second.1.as_str()), ("Package bash is now being held", "No changes made"));
    assert_eq!(first.2["bash"]["changes"], json!({"old": "install", "new": "hold"}));
    let [_, first, _] = run(&host, "vim:\n  pkg.held:\n    - replace: True\n    - pkgs: [vim]\n");
    assert_eq!(first.1, "Package vim is now being held\nPackage bash is no longer being held.");
    let [test, first, second] = run(&host, "bash:\n  pkg.removed: []\n");
    assert_eq!(test.1, "The following packages will be removed: bash.");
    assert_eq!(
        (first.1.as_str(), &first.2),
        ("All targeted packages were removed.", &json!({"bash": {"new": "", "old": "9.0"}}))
    );
    assert_eq!(second.1, "All specified packages are already absent");
}

#[test]
fn a_service_of_a_package_that_would_be_installed_is_predicted() {
    let host = host();
    let sls = "web:\n  pkg.installed: []\n  service.running:\n    - require:\n      - pkg: web\n";
    let rows = apply(&host, sls, true);
    assert_eq!((&rows[1].1, &rows[1].3), (&Value::Null, &json!({"web": true})));
}

#[test]
fn what_the_manager_says_of_a_failure_is_shown_and_no_name_is_an_option() {
    let rows = apply(&host(), "nope:\n  pkg.installed: []\n", false);
    assert_eq!(rows[0].1, json!(false));
    assert!(rows[0].2.ends_with("E: Unable to locate package nope"), "{}", rows[0].2);
    let rows = apply(&host(), "x:\n  pkg.installed:\n    - name: '-o=evil'\n", false);
    assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), "'-o=evil' is not the name of a package"));
}
