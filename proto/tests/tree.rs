//! What this crate may depend on.

use std::process::Command;

/// Without feature `net` it is bytes and decisions: no runtime, no sockets.
#[test]
fn without_net_there_is_no_runtime() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--offline",
            "--package",
            "proto",
            "--no-default-features",
            "--edges",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(tree.starts_with("proto "), "{}", String::from_utf8_lossy(&output.stderr));
    for banned in ["tokio", "mio", "zeromq", "socket2", "futures", "openssl", "aws-lc", "states", "minion", "master"] {
        assert!(!tree.lines().any(|line| line.starts_with(banned)), "proto depends on {banned}");
    }
}
