//! Archives on a host in memory, with lists as the real tools print them.

use serde_json::{Value, json};

use crate::testing::{Memory, apply, said, thrice};

fn host(names: &'static str, long: &'static str) -> Memory {
    let files = [("/a.tar", "bytes"), ("/etc/passwd", "app:x:7:7::/:/bin/sh\n")];
    Memory::new(json!({})).with(&files).answer(move |host, line| match line {
        _ if line.starts_with("tar -t") => said(names),
        _ if line.starts_with("tar --numeric-owner") => said(long),
        _ if line.starts_with("tar -xv -C /opt") => {
            host.put("/opt/app/a", "x");
            said("")
        }
        _ => None,
    })
}

const NAMES: &str = "app/\napp/a\n";
const LONG: &str = "drwxr-xr-x 0/0 0 2024-01-01 00:00 app/\n-rw-r--r-- 0/0 2 2024-01-01 00:00 app/a\n";

#[test]
fn an_archive_is_unpacked_once_and_given_to_its_owner() {
    let host = host(NAMES, LONG);
    let sls = "/opt:\n  archive.extracted:\n    - source: /a.tar\n    - user: app\n";
    let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
    assert_eq!(test.1, "Archive /a.tar would be extracted to /opt/, due to absence of one or more files/dirs");
    assert_eq!(
        first.2,
        json!({"updated ownership": true, "directories_created": ["/opt/"], "extracted_files": ["app", "app/a"]})
    );
    assert_eq!(second.1, "All files in archive are already present");
}

fn refused(names: &'static str, long: &'static str, more: &str) -> String {
    let sls = format!("/opt:\n  archive.extracted:\n    - source: /a.tar\n{more}");
    for test in [true, false] {
        let host = host(names, long);
        let rows = apply(&host, &sls, test);
        assert_eq!(rows[0].1, Value::Bool(false), "{names}");
        assert_eq!(host.text("/opt/app/a"), None, "{names} was unpacked");
        if !test {
            return rows[0].2.clone();
        }
    }
    String::new()
}

#[test]
fn what_would_leave_the_folder_is_refused_as_a_whole() {
    let link = "lrwxrwxrwx 0/0 0 2024-01-01 00:00 app/l -> /etc\n";
    assert!(refused("app/l\n", link, "").contains("the link app/l points outside"), "absolute link");
    let hard = "hrw-r--r-- 0/0 0 2024-01-01 00:00 app/h link to ../h\n";
    assert!(refused("app/h\n", hard, "").contains("points outside"), "hard link");
    let up = "-rw-r--r-- 0/0 0 2024-01-01 00:00 app/../../x\n";
    assert!(refused("app/../../x\n", up, "").contains("written outside"), "..");
    let root = "-rw-r--r-- 0/0 0 2024-01-01 00:00 /etc/cron.d/x\n";
    assert!(refused("/etc/cron.d/x\n", root, "").contains("written outside"), "absolute");
}

#[test]
fn sums_and_arguments_are_checked_first() {
    let hash = format!("    - source_hash: sha256={}\n", "0".repeat(64));
    assert!(refused(NAMES, LONG, &hash).contains("does not match the desired source_hash"));
    for broken in ["sha256=", "sha256=abc", "crc=0123", "md5"] {
        let hash = format!("    - source_hash: {broken}\n");
        assert!(refused(NAMES, LONG, &hash).contains(&format!("Source hash {broken} format is invalid")), "{broken}");
    }
    assert!(refused(NAMES, LONG, "    - user: nobody-here\n").contains("User nobody-here does not exist"));
    assert!(refused(NAMES, LONG, "    - if_missing: x\n").contains("'if_missing' is not an absolute path"));
    let two = "-rw-r--r-- 0/0 0 2024-01-01 00:00 a\n-rw-r--r-- 0/0 0 2024-01-01 00:00 b\n";
    assert!(refused("a\nb\n", two, "").contains("single top-level directory"));
}
