//! `ctl compat` on a small formula and on a tree with pillar.

mod sandbox;

use sandbox::Sandbox;

/// A formula with a bit of everything: an SLS that fails everywhere, one that fails on one
/// platform, functions, filters and tests that we lack.
const FORMULA: &[(&str, &str)] = &[
    ("web-formula/FORMULA", "name: web\ntop_level_dir: web\n"),
    ("web-formula/pillar.example", "web:\n  port: 8080\n"),
    ("web-formula/web/init.sls", "include:\n  - web.config\nweb:\n  pkg.installed: []\n"),
    (
        "web-formula/web/config.sls",
        "{% from 'web/map.jinja' import web %}\n/etc/web.conf:\n  no_such_module.managed:\n    - contents: {{ web.port }}\n",
    ),
    (
        "web-formula/web/map.jinja",
        "{% set web = salt['pillar.get']('web') %}\n{% if grains.os_family == 'RedHat' %}\n{{ web.user }}\n{% endif %}\n\
         {% set v = salt['cmd.run']('web -v') %}\n",
    ),
    (
        "web-formula/web/extra.sls",
        "{% if false %}{{ 'x'|no_such_filter }}{{ 'x' is no_such_test }}{{ salt['no_such.function']() }}{% endif %}\n\
         {{ salt['vault.read_secret']('x') }}:\n  test.nop: []\n",
    ),
    ("web-formula/test/salt/top.sls", "not: [valid\n"),
];

#[test]
fn a_formula_is_judged_for_each_platform() {
    let sandbox = Sandbox::new(FORMULA);
    let path = sandbox.path().join("web-formula").display().to_string();
    let shown = sandbox.run(&["compat", &path, "--platform", "debian-12,rocky-9"]).replace(&path, "web-formula");
    insta::assert_snapshot!(shown);
}

#[test]
fn programs_get_an_object() {
    let sandbox = Sandbox::new(FORMULA);
    let path = sandbox.path().join("web-formula/web").display().to_string();
    let output = sandbox.command(&["compat", &path, "--platform", "rocky-9", "--out", "json"]).output().unwrap();
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(object["sls"], 3, "{object}");
    assert_eq!(object["platforms"]["rocky-9"]["compiled"], 0);
    let finding = |name: &str| object["findings"].as_array().unwrap().iter().find(|f| f["name"] == name).cloned();
    assert_eq!(finding("no_such_filter").unwrap()["places"][0], "web/extra.sls:1:22");
    assert_eq!(finding("cmd.run").unwrap()["kind"], "action");
    assert_eq!(object["problems"][0]["place"]["file"], "web/map.jinja");
}

#[test]
fn secrets_that_go_by_a_claim_are_pointed_at() {
    let sandbox = Sandbox::new(&[
        ("srv/salt/top.sls", "base: {'*': [a]}\n"),
        ("srv/salt/a.sls", "a:\n  test.nop: []\n"),
        (
            "srv/pillar/top.sls",
            "base:\n  '*':\n    - common\n  'role:db':\n    - match: grain\n    - db\n  'web*':\n    - web\n",
        ),
        ("srv/pillar/common.sls", "{% if grains.os == 'Debian' %}\ntoken: abc\n{% endif %}\n"),
        ("srv/pillar/db.sls", "include:\n  - secrets.db\nport: 5432\n"),
        ("srv/pillar/secrets/db.sls", "db:\n  password: hunter2\n"),
        ("srv/pillar/web.sls", "password: by id, which is well\n"),
    ]);
    let path = sandbox.path().join("srv/salt").display().to_string();
    let shown = sandbox.run(&["compat", &path, "--platform", "debian-12"]).replace(&path, "srv/salt");
    insta::assert_snapshot!(shown);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let sandbox = Sandbox::new(&[("tree/a.sls", "a:\n  test.nop: []\n"), ("empty/README", ""), ("grains", "- os\n")]);
    let path = |name: &str| sandbox.path().join(name).display().to_string();
    let (tree, empty, grains) = (path("tree"), path("empty"), path("grains"));
    let commands: &[&[&str]] = &[
        &["compat"],
        &["compat", "no/such/folder"],
        &["compat", &grains],
        &["compat", &empty],
        &["compat", &tree, "--platform", "debain-12"],
        &["compat", &tree, "--grains", &grains],
        &["compat", &tree, "--pillar", "no-such-pillar"],
        &["compat", &tree, "--platform", "alpine-3.22"],
    ];
    insta::assert_snapshot!(sandbox.all(commands));
}
