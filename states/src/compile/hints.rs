//! What is said to somebody who has misspelt something in a tree.

use proto::Args;
use serde_json::{Value, json};

use crate::testing::{Memory, call};

/// The error of compiling an SLS on a host with one grain and a small pillar.
fn told(sls: &str, args: Args) -> String {
    let host = Memory::new(json!({"roles": ["web"]}));
    let pillar = json!({"web": {"port": 80, "hosts": {"a": 1}}});
    let (result, _) = call(&host, &[("web.sls", sls)], pillar, "state.show_low_sls", args);
    result.expect_err("this cannot be compiled").to_string()
}

fn web() -> Args {
    Args::positional(["web".into()])
}

#[test]
fn a_key_that_the_pillar_or_the_grains_lack_is_named_with_its_place() {
    for (expression, message, hint) in [
        ("pillar['database']", "the pillar has no key 'database'", "salt['pillar.get']('database', 'DEFAULT')"),
        ("pillar.web.prot", "the pillar has no key 'web:prot'", "did you mean port?"),
        ("pillar.web.hosts.b.c", "the pillar has no key 'web:hosts:b'", "did you mean a?"),
        ("grains.osfamly", "the grains have no key 'osfamly'", "`ctl run ID grains.items`"),
        ("{'a': 1}.colour", "a dict has no member 'colour'", ""),
    ] {
        let told = told(&format!("x:\n  test.nop:\n    - name: {{{{ {expression} }}}}\n"), web());
        assert!(told.contains(message) && told.contains(hint), "{expression}: {told}");
    }
    let host = Memory::new(json!({}));
    let sls = "x:\n  test.nop:\n    - there: {{ pillar.database is defined }}\n";
    let low = call(&host, &[("web.sls", sls)], json!({}), "state.show_low_sls", web()).0.unwrap();
    assert_eq!(low[0]["there"], Value::Bool(false), "asking for it is no error");
}

#[test]
fn an_environment_that_is_not_there_is_said_once_with_those_that_are() {
    let told = told("x:\n  test.nop: []\n", web().with("saltenv", "dev"));
    assert!(told.contains("the environment dev does not exist") && told.contains("base"), "{told}");
}

#[test]
fn a_requisite_to_nothing_is_answered_as_it_is_to_be_written() {
    let told = told("nginx:\n  pkg.installed: []\nx:\n  test.nop:\n    - require: [{pkg: ngnix}]\n", web());
    assert!(told.contains("did you mean pkg: nginx?"), "{told}");
}
