//! Repositories on a host in memory; the real program is the twins' business.

use serde_json::json;

use crate::testing::{Memory, apply, refused, said, thrice};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

/// A host whose `git` knows one remote at `NEW`, and a checkout when `/r/.git/HEAD` is there.
fn host() -> Memory {
    Memory::new(json!({})).answer(|host, line| {
        let here = host.text("/r/.git/HEAD");
        let words = line.strip_prefix("git ")?.trim_start_matches("-C /r ");
        match words {
            _ if words.starts_with("ls-remote") => {
                said(&format!("{NEW}\tHEAD\n{NEW}\trefs/heads/main\n{OLD}\trefs/tags/v1\n"))
            }
            _ if words.starts_with("clone") => {
                host.put("/r/.git/HEAD", NEW);
                said("")
            }
            "rev-parse --verify HEAD" => here.map_or(refused(128, "none"), |rev| said(&rev)),
            "rev-parse --abbrev-ref HEAD" => said("main"),
            "config --get remote.origin.url" => said("https://h/r"),
            _ if words.starts_with("for-each-ref") && words.contains("refs/tags") => said("v1"),
            _ if words.starts_with("for-each-ref") => said("main"),
            _ if words.starts_with("rev-parse --abbrev-ref main@") => said("origin/main"),
            _ if words.starts_with("rev-parse --verify --quiet") => said(NEW),
            _ if words.starts_with("merge --ff-only") => {
                host.put("/r/.git/HEAD", NEW);
                said("")
            }
            _ => said(""),
        }
    })
}

#[test]
fn a_repository_is_cloned_once() {
    let [test, first, second] = thrice(&host(), &[("t.sls", "https://h/r:\n  git.latest:\n    - target: /r\n")]);
    assert_eq!(test.1, "Repository https://h/r would be cloned to /r");
    assert_eq!(first.2, json!({"new": "https://h/r => /r", "revision": {"old": null, "new": NEW}}));
    assert_eq!(second.1, "Repository /r is up-to-date");
}

#[test]
fn a_checkout_that_is_behind_is_forwarded() {
    let host = host().with(&[("/r/.git/HEAD", OLD)]);
    let sls = "https://h/r:\n  git.latest:\n    - target: /r\n    - rev: main\n";
    let [test, first, _] = thrice(&host, &[("t.sls", sls)]);
    assert_eq!(test.1, "Repository would be fast-forwarded from 1111111 to 2222222");
    assert_eq!(first.1, "Repository was fast-forwarded to origin/main (2222222)");
    assert_eq!(first.2, json!({"revision": {"old": OLD, "new": NEW}}));
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (args, comment) in [
        ("target: r", "target 'r' is not an absolute path"),
        ("target: /r\n    - rev: nope", "No revision matching 'nope' exists in the remote repository"),
        ("target: /r\n    - rev: '--evil'", "'--evil' is not a valid value for the 'rev' argument"),
        (
            "target: /r\n    - bare: True\n    - rev: x",
            "'rev' is not compatible with the 'mirror' and 'bare' arguments",
        ),
    ] {
        let rows = apply(&host(), &format!("https://h/r:\n  git.latest:\n    - {args}\n"), false);
        assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), comment));
    }
    let host = host().with(&[("/r/file", "x")]);
    let rows = apply(&host, "https://h/r:\n  git.latest:\n    - target: /r\n", true);
    assert!(rows[0].2.contains("is not a git repository"), "{}", rows[0].2);
}
