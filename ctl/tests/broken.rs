//! Trees that are broken on purpose, and what a tired engineer reads about each. A template that
//! never ends is not among them: in a development build it takes minutes to run out of steps.

mod sandbox;

use sandbox::Sandbox;

/// What is shown for one SLS of a tree. Files beneath `salt/` are states, beneath `pillar/`
/// pillar.
fn shown(files: &[(&str, &str)], call: &[&str]) -> String {
    let config = "id: web1\nroot_dir: DIR/root\nfile_client: local\n\
                  file_roots: {base: [DIR/salt]}\npillar_roots: {base: [DIR/pillar]}\n\
                  grains: {os: Debian, os_family: Debian}\n";
    let sandbox = Sandbox::new(&[&[("minion", config)], files].concat());
    sandbox.run(&[&["call"], call].concat())
}

macro_rules! broken {
    ($($name:ident: $files:expr;)*) => {$(
        #[test]
        fn $name() {
            let shown = shown(&$files, &["state.show_low_sls", "web"]);
            assert!(!shown.contains("panicked") && shown.ends_with("exit 1\n"), "{shown}");
            insta::assert_snapshot!(shown);
        }
    )*};
}

broken! {
    undefined_variable_in_an_imported_macro: [
        ("salt/web.sls", "{% from 'lib/macros.jinja' import vhost %}\n\nsites:\n  file.managed:\n    - contents: {{ vhost('a.example.org') }}\n"),
        ("salt/lib/macros.jinja", "{% macro vhost(name, port=80) %}\nlisten {{ prot }}\nserver {{ name }}\n{% endmacro %}\n"),
    ];
    unknown_filter: [("salt/web.sls", "web:\n  file.managed:\n    - name: {{ '/etc/web'|yaml_enocde }}\n")];
    unknown_function: [("salt/web.sls", "web:\n  pkg.installed:\n    - name: {{ salt['pilar.get']('web:pkg') }}\n")];
    unknown_test: [("salt/web.sls", "{% if grains.os is definde %}\nweb:\n  test.nop: []\n{% endif %}\n")];
    tab_in_yaml: [("salt/web.sls", "web:\n  pkg.installed:\n\t- name: nginx\n")];
    duplicate_id_in_two_files: [
        ("salt/web.sls", "include:\n  - other\n\nnginx:\n  pkg.installed: []\n"),
        ("salt/other.sls", "nginx:\n  service.running: []\n"),
    ];
    duplicate_key_in_one_file: [("salt/web.sls", "nginx:\n  pkg.installed: []\n\nnginx:\n  service.running: []\n")];
    requisite_to_nothing: [("salt/web.sls", "nginx:\n  pkg.installed: []\n  service.running:\n    - require:\n      - pkg: ngnix\n")];
    requisite_loop: [
        ("salt/web.sls", "a:\n  test.nop:\n    - require:\n      - test: b\nb:\n  test.nop:\n    - require:\n      - test: c\nc:\n  test.nop:\n    - require:\n      - test: a\n"),
    ];
    missing_include: [
        ("salt/web.sls", "include:\n  - nginx.cofnig\n"),
        ("salt/nginx/config.sls", "a:\n  test.nop: []\n"),
    ];
    missing_sls: [("salt/wbe.sls", "a:\n  test.nop: []\n")];
    include_loop_of_templates: [
        ("salt/web.sls", "{% include 'a.jinja' %}\n"),
        ("salt/a.jinja", "{% include 'b.jinja' %}\n"),
        ("salt/b.jinja", "{% include 'a.jinja' %}\n"),
    ];
    unclosed_block: [("salt/web.sls", "{% if grains.os == 'Debian' %}\nweb:\n  pkg.installed: []\n\n{% for p in [80, 443] %}\np{{ p }}:\n  test.nop: []\n{% endif %}\n")];
    block_that_is_never_closed: [("salt/web.sls", "web:\n  pkg.installed: []\n{% if grains.os == 'Debian' %}\n  service.running: []\n")];
    bad_template_syntax: [("salt/web.sls", "web:\n  pkg.installed:\n    - name: {{ pillar['web' }}\n")];
    wrong_indentation: [("salt/web.sls", "web:\n  pkg.installed:\n    - name: nginx\n   - version: 1\n")];
    colon_in_plain_text: [("salt/web.sls", "web:\n  cmd.run:\n    - name: echo Note: this is text\n")];
    state_without_a_function: [("salt/web.sls", "web:\n  file:\n    - name: /etc/web\n")];
    state_with_two_functions: [("salt/web.sls", "web:\n  pkg:\n    - installed\n    - removed\n")];
    id_that_holds_a_text: [("salt/web.sls", "web: installed\n")];
    sls_that_is_a_list: [("salt/web.sls", "- web\n- db\n")];
    arguments_that_are_a_mapping: [("salt/web.sls", "web:\n  file.managed:\n    name: /etc/web\n    mode: 644\n")];
    unknown_renderer: [("salt/web.sls", "#!mako|yaml\nweb:\n  pkg.installed: []\n")];
    pillar_sls_that_is_missing: [
        ("salt/web.sls", "web:\n  test.nop: []\n"),
        ("pillar/top.sls", "base:\n  '*':\n    - users\n    - wbe\n"),
        ("pillar/users.sls", "users: [ann]\n"),
        ("pillar/web.sls", "web: 1\n"),
    ];
    pillar_that_is_broken: [
        ("salt/web.sls", "web:\n  test.nop: []\n"),
        ("pillar/top.sls", "base:\n  '*':\n    - users\n"),
        ("pillar/users.sls", "users:\n  ann: {uid: 1000\n  bob: {uid: 1001}\n"),
    ];
    pillar_value_that_is_missing: [
        ("salt/web.sls", "web:\n  file.managed:\n    - contents: {{ pillar.web.port }}\n"),
        ("pillar/top.sls", "base:\n  '*':\n    - web\n"),
        ("pillar/web.sls", "web:\n  prot: 80\n"),
    ];
    recursion: [("salt/web.sls", "{% macro down(n) %}{{ down(n + 1) }}{% endmacro %}\n{{ down(0) }}\n")];
    output_without_end: [("salt/web.sls", "{% for a in range(10000) %}{{ 'x' * 1000000 }}{% endfor %}\n")];
    anchor_bomb: [
        ("salt/web.sls", "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n\
          e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nh: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"),
    ];
    error_below_a_loop: [
        ("salt/web.sls", "{% for user in ['ann', 'bob', 'cy'] %}\n{{ user }}:\n  user.present:\n    - shell: /bin/sh\n    - groups: [a\n{% endfor %}\n"),
    ];
    several_at_once: [
        ("salt/web.sls", "include:\n  - one\n  - two\n  - three\n"),
        ("salt/one.sls", "one:\n  pkg.installed:\n    - name: {{ nothing }}\n"),
        ("salt/two.sls", "two:\n  - pkg.installed\n"),
    ];
    raised_by_the_tree: [("salt/web.sls", "{% if not pillar.get('web') %}\n{{ raise('the pillar `web` is missing: see the wiki') }}\n{% endif %}\n")];
}

#[test]
fn bad_top_files() {
    let top = |text| shown(&[("salt/top.sls", text), ("salt/web.sls", "a:\n  test.nop: []\n")], &["state.show_top"]);
    let texts = [
        "base:\n  - web\n",
        "base:\n  'web*':\n    web: true\n",
        "base:\n  'os:Debian':\n    - match: gran\n    - web\n",
        "base:\n  'G@os:Debian and':\n    - web\n",
        "base:\n  '*': [web\n",
    ];
    insta::assert_snapshot!(texts.map(top).join("\n"));
}

#[test]
fn text_that_is_no_utf8() {
    let files = [
        ("minion", "id: web1\nroot_dir: DIR/root\nfile_client: local\nfile_roots: {base: [DIR/salt]}\n"),
        ("salt/x", ""),
    ];
    let sandbox = Sandbox::new(&files);
    std::fs::write(sandbox.path().join("salt/web.sls"), b"web:\n  test.nop:\n    - name: Gr\xfc\xdfe\n").unwrap();
    insta::assert_snapshot!(sandbox.run(&["call", "state.show_low_sls", "web"]));
}

#[test]
fn machine_formats_keep_salts_shape() {
    let files = [("salt/web.sls", "web:\n  pkg.installed:\n    - name: {{ nothing }}\n")];
    insta::assert_snapshot!(shown(&files, &["state.show_low_sls", "web", "--out", "json"]));
}
