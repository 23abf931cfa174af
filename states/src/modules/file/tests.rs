//! Each state function: a dry run, a first run, a second run that changes nothing.

use serde_json::{Value, json};

use crate::{
    Host, Look,
    testing::{Memory, apply, apply_with, thrice},
};

fn sls(fun: &str, args: &str) -> String {
    format!(
        "x:\n  file.{fun}:\n    - name: /a\n{}",
        args.lines().map(|line| format!("    - {line}\n")).collect::<String>()
    )
}

fn host(files: &[(&str, &str)]) -> Memory {
    Memory::new(json!({}))
        .with(&[
            ("/etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n"),
            ("/etc/group", "root:x:0:\nweb:x:33:\n"),
        ])
        .with(files)
}

/// State, arguments, the file `/a` before (none if empty) and after, and the comment of the first run.
#[test]
fn what_states_make_of_a_file() {
    for (fun, args, before, after, comment) in [
        ("managed", "contents: [x, y]", "", "x\ny\n", "File /a updated"),
        ("managed", "contents: x\ncontents_newline: False", "old", "x", "File /a updated"),
        ("managed", "source: salt://f\ntemplate: jinja\ncontext: {v: 1}", "", "1\n", "File /a updated"),
        ("managed", "source: salt://f\ntemplate: jinja\ncontext:\nv: 1", "", "1\n", "File /a updated"),
        ("managed", "source: [salt://none, salt://f]", "", "{{ v }}\n", "File /a updated"),
        ("append", "text: [x, y]", "x\n", "x\ny\n", "Appended 1 lines"),
        ("append", "text: y", "x", "x\ny\n", "Appended 1 lines"),
        ("prepend", "text: [x, y]", "x\n", "y\nx\n", "Prepended 1 lines"),
        ("replace", "pattern: (a)(b)\nrepl: \\2\\1", "ab ab\n", "ba ba\n", "Changes were made"),
        ("replace", "pattern: '^q'\nrepl: z\nappend_if_not_found: True", "x", "x\nz\n", "Changes were made"),
        ("comment", "regex: ^x", "x\ny\n", "#x\ny\n", "Commented lines successfully"),
        ("uncomment", "regex: x", "# x\n#y\n", " x\n#y\n", "Uncommented lines successfully"),
        ("line", "mode: ensure\ncontent: z\nafter: ^x", "x\ny\n", "x\nz\ny\n", "Changes were made"),
        ("line", "mode: ensure\ncontent: z\nbefore: ^y", "x\ny\n", "x\nz\ny\n", "Changes were made"),
        ("line", "mode: delete\nmatch: x", "x\ny\n", "y\n", "Changes were made"),
        ("line", "mode: replace\nmatch: x\ncontent: z", "  x\ny\n", "  z\ny\n", "Changes were made"),
        ("line", "mode: insert\ncontent: z\nafter: x", "x\ny\n", "x\nz\ny\n", "Changes were made"),
        (
            "blockreplace",
            "content: b\nmarker_start: '# s'\nmarker_end: '# e'\nappend_newline: True",
            "x\n# s\nold\n# e\ny\n",
            "x\n# s\nb\n# e\ny\n",
            "Changes were made",
        ),
        (
            "blockreplace",
            "content: b\nmarker_start: '# s'\nmarker_end: '# e'\nappend_newline: True\nappend_if_not_found: True",
            "x",
            "x\n# s\nb\n# e\n",
            "Changes were made",
        ),
        ("keyvalue", "key: x\nvalue: '2'", "x=1\ny=1\n", "x=2\ny=1\n", "Changed 1, deleted 0 lines"),
        (
            "keyvalue",
            "key_values: {x: '2', z: '3'}\nappend_if_not_found: True",
            "x=1\n",
            "x=2\nz=3\n",
            "Changed 2, deleted 0 lines",
        ),
        (
            "serialize",
            "dataset: {b: 1, a: [2]}\nserializer: json",
            "",
            "{\n  \"a\": [\n    2\n  ],\n  \"b\": 1\n}\n",
            "File /a updated",
        ),
        ("serialize", "dataset: {b: 1}\nmerge_if_exists: True", "a: 2\n", "a: 2\nb: 1\n", "File /a updated"),
        ("touch", "atime: 5\nmtime: 5", "", "", "Created empty file /a"),
        ("copy", "source: /b", "", "B\n", "Copied \"/b\" to \"/a\""),
        ("rename", "source: /b", "", "B\n", "Moved \"/b\" to \"/a\""),
    ] {
        let host = host(&[("/b", "B\n")]);
        if !before.is_empty() {
            host.put("/a", before);
        }
        let case = format!("{fun}: {args}");
        let sls = sls(fun, args);
        let [test, first, _] = thrice(&host, &[("t.sls", &sls), ("f", "{{ v }}\n")]);
        assert_eq!(test.0, Value::Null, "{case}: {}", test.1);
        assert_eq!((&first.0, first.1.as_str()), (&json!(true), comment), "{case}");
        assert_ne!(first.2, json!({}), "{case}");
        assert_eq!(host.text("/a").as_deref(), Some(after), "{case}");
    }
}

#[test]
fn folders_links_and_what_is_to_be_gone() {
    for (fun, args, comment) in [
        ("directory", "makedirs: True", ""),
        ("directory", "mode: 700\nuser: web", ""),
        ("symlink", "target: /b", "Created new symlink /a -> /b"),
        ("hardlink", "target: /b", "Created new hard link /a -> /b"),
        ("recurse", "source: salt://d\nfile_mode: 600", "Recursively updated /a"),
        ("managed", "mode: 600", "Empty file"),
    ] {
        let host = host(&[("/b", "B\n")]);
        let sls = sls(fun, args);
        let files = [("t.sls", sls.as_str()), ("d/x", "1\n"), ("d/e/y", "2\n")];
        // Hard links are told by their numbers, which files in memory do not have.
        let first = match fun {
            "hardlink" => {
                let row = apply_with(&host, &files, false).pop().unwrap();
                (row.1, row.2, row.3)
            }
            _ => {
                let [test, first, _] = thrice(&host, &files);
                assert_eq!(test.0, Value::Null, "{fun}: {}", test.1);
                first
            }
        };
        assert_eq!((&first.0, first.1.as_str()), (&json!(true), comment), "{fun}");
    }
    let host = host(&[("/a/b", "x")]);
    let [test, first, _] = thrice(&host, &[("t.sls", &sls("absent", ""))]);
    assert_eq!((test.1.as_str(), first.1.as_str()), ("Directory /a is set for removal", "Removed directory /a"));
    assert!(host.text("/a/b").is_none());
}

#[test]
fn a_template_is_told_of_the_file_that_it_makes() {
    let host = host(&[]);
    let sls = sls("managed", "source: ['salt://none', 'salt://named']\ntemplate: jinja\nmode: 640");
    let template = "{{ source }} {{ mode }} {{ user }}\n";
    let [_, first, second] = thrice(&host, &[("t.sls", sls.as_str()), ("named", template)]);
    assert_eq!(host.text("/a").as_deref(), Some("salt://named 0640 None\n"), "{}", first.1);
    assert_eq!(second.2, json!({}));
}

#[test]
fn a_mode_is_told_with_four_digits() {
    for (mode, shown) in [("4755", "4755"), ("755", "0755"), ("'44'", "0044"), ("'01777'", "1777")] {
        let rows = apply(&host(&[]), &sls("directory", &format!("mode: {mode}")), false);
        assert_eq!(rows[0].3, json!({"/a": {"directory": "new"}}));
        let rows = apply(&host(&[("/a", "x\n")]), &sls("managed", &format!("contents: x\nmode: {mode}")), false);
        assert_eq!(rows[0].3["mode"], json!(shown), "{mode}");
    }
}

#[test]
fn a_folder_is_named_without_its_last_slash() {
    let host = host(&[]);
    let rows = apply(&host, &sls("directory", "name: /d/").replace("name: /a", "user: root"), false);
    assert_eq!(rows[0].3, json!({"/d": {"directory": "new"}}));
}

#[test]
fn a_clean_folder_keeps_what_its_requirements_manage() {
    let sls = "k:\n  file.managed:\n    - name: /d/sub/keep\n    - contents: x\n    - makedirs: True\n\
               x:\n  file.directory:\n    - name: /d\n    - clean: True\n    - require:\n      - file: k\n";
    let host = host(&[("/d/old/f", "1"), ("/d/g", "2"), ("/d/sub/h", "3")]);
    let rows = apply(&host, sls, false);
    assert_eq!(rows[1].2, "Files cleaned from directory /d");
    assert_eq!(rows[1].3["removed"], json!(["/d/g", "/d/old", "/d/sub/h"]));
    assert!(host.text("/d/sub/keep").is_some() && host.text("/d/old/f").is_none());
    assert_eq!(apply(&host, sls, false)[1].3, json!({}));
}

#[test]
fn what_cannot_be_fails_with_its_reason() {
    for (fun, args, comment) in [
        (
            "managed",
            "source: salt://none",
            "Unable to manage file: Source file salt://none not found in saltenv 'base'",
        ),
        ("managed", "contents: x\nuser: nobody-here", "User nobody-here is not available "),
        (
            "managed",
            "contents: x\nsource: salt://f",
            "'source' cannot be used in combination with 'contents', 'contents_pillar', or 'contents_grains'",
        ),
        (
            "managed",
            "contents: []",
            "Contents specified by contents/contents_pillar/contents_grains is not a string or list of strings, and is \
             not binary data. SLS is likely malformed.",
        ),
        ("managed", "contents: x\ndefaults: [a]", "Defaults must be formed as a dict"),
        ("append", "text: []", "No text found to append. Nothing appended"),
        ("replace", "pattern: x\nrepl: y", "/a: file not found"),
        ("comment", "regex: x", "/a: file not found"),
        ("copy", "source: /none", "Source file \"/none\" is not present"),
        ("symlink", "{}", "Missing parameter target for state file.symlink"),
        ("exists", "{}", "Specified path /a does not exist"),
    ] {
        let host = host(&[]);
        for test in [true, false] {
            let rows = apply(&host, &sls(fun, args), test);
            let said = comment.strip_prefix("Unable to manage file: ").filter(|_| test).unwrap_or(comment);
            assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), said), "{fun} {args}");
        }
    }
    let link = host(&[]);
    link.put("/b", "x");
    let rows = apply(&link, "x:\n  file.managed:\n    - name: /../b\n    - contents: y\n", false);
    assert_eq!(rows.len(), 1);
}

#[test]
fn a_link_to_nothing_is_written_through() {
    let host = host(&[]);
    host.symlink("real".as_ref(), "/link".as_ref()).unwrap();
    host.symlink("round".as_ref(), "/round".as_ref()).unwrap();
    let sls = |name: &str| format!("{name}:\n  file.managed:\n    - contents: x\n");
    let [_, first, _] = thrice(&host, &[("t.sls", &sls("/link"))]);
    assert_eq!(first.2, json!({"diff": "New file"}));
    assert_eq!(
        (host.text("/real").as_deref(), host.read_link("/link".as_ref()).unwrap()),
        (Some("x\n"), "real".into())
    );
    assert_eq!(apply(&host, &sls("/round"), true)[0].1, json!(false));
}

#[test]
fn what_a_command_may_bring_is_no_failure_of_a_dry_run() {
    let sls = "make:\n  cmd.run: []\n/etc/app/a:\n  file.managed:\n    - contents: x\n    - require:\n      - cmd: make\n\
               /etc/app/b:\n  file.replace:\n    - pattern: a\n    - repl: b\n";
    let rows = apply(&host(&[]), sls, true);
    assert!(rows.iter().all(|row| row.1 == json!(null)), "{rows:?}");
    assert!(rows[2].2.contains("an earlier state of this run"), "{}", rows[2].2);
    let alone = apply(&host(&[]), "/etc/app/a:\n  file.managed:\n    - contents: x\n", true);
    assert_eq!((&alone[0].1, alone[0].2.as_str()), (&json!(false), "Parent directory not present"));
}

#[test]
fn a_difference_is_hidden_where_it_is_to_be() {
    let host = host(&[("/a", "secret\n")]);
    let rows = apply(&host, &sls("managed", "contents: other\nshow_changes: False"), false);
    assert_eq!(rows[0].3, json!({"diff": "<show_changes=False>"}));
}

#[test]
fn texts_are_gathered_for_a_file() {
    let sls = "one:\n  file.accumulated:\n    - filename: /a\n    - name: acc\n    - text: [p, q]\n    - require_in:\n      - file: x\n\
               x:\n  file.blockreplace:\n    - name: /a\n    - append_if_not_found: True\n    - append_newline: True\n";
    let host = host(&[("/a", "x\n")]);
    apply(&host, sls, false);
    let text = host.text("/a").unwrap();
    assert_eq!(text, "x\n#-- start managed zone --\np\nq\n#-- end managed zone --\n");
    assert_eq!(apply(&host, sls, false)[1].3, json!({}));
}
