//! What a test wants of the machine. Who lacks it fails and says what is missing: a test that
//! cannot run must not look like one that passed. `tests/run` finds out beforehand, installs what
//! it may, and leaves out by name what cannot run.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// Network namespaces with a bridge between them: root and iproute2.
///
/// # Panics
/// Without them.
///
/// ```no_run
/// tests::needs::network_namespaces();
/// ```
pub fn network_namespaces() {
    static PROBES: AtomicU32 = AtomicU32::new(0);
    let name = format!("ovprobe{}x{}", std::process::id(), PROBES.fetch_add(1, Ordering::Relaxed));
    let made = quietly("ip", &["netns", "add", &name]);
    if made {
        quietly("ip", &["netns", "del", &name]);
    }
    assert!(made, "this test needs network namespaces: root, and `ip` of the package iproute2");
}

/// A small file system of one's own: root, or user namespaces. Gives the words to put before a
/// command that then sees `folder` as a new file system of `bytes` bytes.
///
/// # Panics
/// Where nothing can be mounted.
///
/// ```no_run
/// let wrap = tests::needs::small_disk("/tmp/small".as_ref(), 4 << 20);
/// assert_eq!(wrap[0], "unshare");
/// ```
pub fn small_disk(folder: &std::path::Path, bytes: u64) -> Vec<String> {
    let mount = format!("mount -t tmpfs -o size={bytes} tmpfs \"$0\" && exec \"$@\"");
    let wrap = |unshare: &str| {
        ["unshare", unshare, "sh", "-c", &mount, &folder.display().to_string()].map(str::to_owned).to_vec()
    };
    let works = |wrap: &[String]| {
        let args: Vec<&str> = wrap[1..].iter().map(String::as_str).chain(["true"]).collect();
        quietly("unshare", &args)
    };
    ["-m", "-mUr"]
        .map(wrap)
        .into_iter()
        .find(|wrap| works(wrap))
        .expect("this test needs to mount a tmpfs: root, or user namespaces")
}

/// A Python that has pyzmq: `OVERSTATE_PYTHON`, or `python3`.
///
/// # Panics
/// Where there is none.
///
/// ```no_run
/// let python = tests::needs::python_with("zmq");
/// ```
pub fn python_with(module: &str) -> PathBuf {
    let python = PathBuf::from(std::env::var_os("OVERSTATE_PYTHON").unwrap_or_else(|| "python3".into()));
    let found = quietly(&python.display().to_string(), &["-c", &format!("import {module}")]);
    assert!(found, "this test needs a Python with {module}: `tests/run` installs one, OVERSTATE_PYTHON names one");
    python
}

/// A C compiler, as linking Rust needs one anyway. Compiles `source` to a library that can be
/// preloaded.
///
/// # Panics
/// Where there is none, or it refuses the source.
///
/// ```no_run
/// tests::needs::c_library("int three(void) { return 3; }", "/tmp/three.so".as_ref());
/// ```
pub fn c_library(source: &str, library: &std::path::Path) {
    let file = library.with_extension("c");
    std::fs::write(&file, source).expect("the temporary folder can be written");
    let (file, library) = (file.display().to_string(), library.display().to_string());
    let built = quietly("cc", &["-shared", "-fPIC", "-O1", "-o", &library, &file, "-ldl"]);
    assert!(built, "this test needs a C compiler (`cc`)");
}

fn quietly(program: &str, args: &[&str]) -> bool {
    let command =
        Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).status();
    command.is_ok_and(|status| status.success())
}

/// A program of this machine.
///
/// # Panics
/// Where it is not installed.
///
/// ```
/// tests::needs::program("sh", "dash");
/// ```
pub fn program(name: &str, package: &str) {
    let found = quietly("sh", &["-c", &format!("command -v {name}")]);
    assert!(found, "this test needs the program {name} (package {package})");
}

/// Packages of Debian's.
///
/// # Panics
/// Where one is not installed.
///
/// ```no_run
/// tests::needs::debian(&["nginx"]);
/// ```
pub fn debian(packages: &[&str]) {
    let missing: Vec<_> = packages.iter().filter(|package| !quietly("dpkg", &["-s", package])).collect();
    assert!(missing.is_empty(), "this test needs Debian's packages {missing:?}: `tests/run` installs them");
}
