//! Repositories on hosts in memory.

use serde_json::{Value, json};

use crate::testing::{Memory, apply, thrice};

fn debian() -> Memory {
    Memory::new(json!({"os_family": "Debian"})).with(&[("/etc/apt/sources.list", "deb http://h/debian stable main\n")])
}

#[test]
fn a_source_of_apt_is_put_into_its_file() {
    let host = debian();
    let name = "deb [arch=amd64 signed-by=/k.gpg] https://x/debian stable main";
    let sls =
        format!("'{name}':\n  pkgrepo.managed:\n    - file: /etc/apt/sources.list.d/x.list\n    - comps: extra\n");
    let [test, first, second] = thrice(&host, &[("t.sls", &sls)]);
    assert!(test.1.starts_with(&format!("Package repo '{name}' would be configured.")), "{}", test.1);
    assert_eq!(first.2, json!({ "repo": name }));
    assert_eq!(second.1, format!("Package repo '{name}' already configured"));
    assert_eq!(host.text("/etc/apt/sources.list.d/x.list").unwrap(), format!("{name} extra\n"));
    let [_, first, second] = thrice(&host, &[("t.sls", &format!("'{name} extra':\n  pkgrepo.absent: []\n"))]);
    assert_eq!(first.2, json!({ "repo": format!("{name} extra") }));
    assert_eq!(second.1, format!("Package repo {name} extra is absent"));
    assert_eq!(host.text("/etc/apt/sources.list.d/x.list"), None);
}

#[test]
fn a_source_becomes_a_paragraph_with_its_key() {
    let host = debian();
    let files = [
        (
            "t.sls",
            "deb [signed-by=/etc/apt/keyrings/x.asc] https://x/d s main:\n  pkgrepo.managed:\n    - file: /etc/apt/sources.list.d/x.sources\n    - key_url: salt://x.asc\n",
        ),
        ("x.asc", "-----BEGIN PGP PUBLIC KEY BLOCK-----\n"),
    ];
    thrice(&host, &files);
    assert_eq!(
        host.text("/etc/apt/sources.list.d/x.sources").unwrap(),
        "Types: deb\nURIs: https://x/d\nSuites: s\nComponents: main\nSigned-By: /etc/apt/keyrings/x.asc\n"
    );
    assert!(host.text("/etc/apt/keyrings/x.asc").is_some());
}

#[test]
fn a_repository_of_dnf_is_a_section() {
    let host = Memory::new(json!({"os_family": "RedHat"}));
    let sls = "epel:\n  pkgrepo.managed:\n    - humanname: Extra\n    - baseurl: https://x/epel\n    - gpgcheck: 1\n";
    let [_, first, second] = thrice(&host, &[("t.sls", sls)]);
    assert_eq!((first.2, second.1.as_str()), (json!({"repo": "epel"}), "Package repo 'epel' already configured"));
    assert_eq!(
        host.text("/etc/yum.repos.d/epel.repo").unwrap(),
        "[epel]\nname=Extra\nenabled=1\nbaseurl=https://x/epel\ngpgcheck=1\n\n"
    );
    let [_, first, _] = thrice(&host, &[("t.sls", &format!("{sls}    - disabled: True\n"))]);
    assert_eq!(first.2, json!({"enabled": {"new": false, "old": "1"}}));
    let [_, _, second] = thrice(&host, &[("t.sls", "epel:\n  pkgrepo.absent: []\n")]);
    assert_eq!(second.1, "Package repo epel is absent");
}

#[test]
fn what_is_not_available_says_so() {
    for (name, args, part) in [
        ("ppa:a/b", "x: y", "ppa: is not available here"),
        ("nonsense", "x: y", "This must be the complete repo entry"),
        ("deb http://x y z", "repo: a", "'repo' is not a supported argument"),
        ("deb http://x y z", "enabled: True\n    - disabled: True", "Only one of enabled/disabled"),
    ] {
        let rows = apply(&debian(), &format!("'{name}':\n  pkgrepo.managed:\n    - {args}\n"), false);
        assert!(rows[0].1 == Value::Bool(false) && rows[0].2.contains(part), "{}", rows[0].2);
    }
}
