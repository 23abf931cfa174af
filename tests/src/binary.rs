//! Where the binary under test is.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The built `ctl`: what `OVERSTATE_CTL` names, or else the one of this very target folder and
/// profile, which is built first if it is not up to date (once a process).
///
/// # Panics
/// When it cannot be built: no end-to-end test can run then.
///
/// ```no_run
/// let output = std::process::Command::new(tests::binary::ctl()).arg("--version").output().unwrap();
/// assert!(output.status.success());
/// ```
pub fn ctl() -> &'static Path {
    static CTL: OnceLock<PathBuf> = OnceLock::new();
    CTL.get_or_init(|| match std::env::var_os("OVERSTATE_CTL") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let folder = profile_folder();
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target = folder.parent().expect("a profile's folder lies in the target folder");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "-p", "ctl", "--profile", profile, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"))
        .arg("--target-dir")
        .arg(target)
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "cargo build -p ctl failed");
    folder.join("ctl")
}

/// `target/debug`, say: test binaries lie in its `deps`, ordinary ones in it.
fn profile_folder() -> PathBuf {
    let exe = std::env::current_exe().expect("a process knows its own binary");
    let folder = exe.parent().expect("a binary lies in a folder");
    match folder.file_name().is_some_and(|name| name == "deps") {
        true => folder.parent().expect("deps lies in the profile's folder").to_owned(),
        false => folder.to_owned(),
    }
}
