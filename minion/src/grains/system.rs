//! Kernel, init, machine id and what else the system says of itself.

use proto::{Map, Value};
use serde_json::json;

use super::{is_there, probes, probes::Probed, text, which};

pub fn grains(probed: &Probed) -> Map {
    let uname = rustix::system::uname();
    let of = |name: &std::ffi::CStr| Value::from(name.to_string_lossy());
    let machine = uname.machine().to_string_lossy().into_owned();
    let mut grains = Map::from_iter([
        ("kernel".to_owned(), of(uname.sysname())),
        ("kernelrelease".to_owned(), of(uname.release())),
        ("kernelversion".to_owned(), of(uname.version())),
        ("cpuarch".to_owned(), machine.into()),
        ("init".to_owned(), probed.init.as_deref().unwrap_or("unknown").into()),
        ("transactional".to_owned(), which("transactional-update").is_some().into()),
        ("package".to_owned(), Value::Null),
    ]);
    if let Some(line) = text("/proc/cmdline") {
        grains.insert("kernelparams".into(), parameters(&line));
    }
    let ids = ["/etc/machine-id", "/var/lib/dbus/machine-id"].iter().find_map(text);
    if let Some(id) = ids.filter(|id| !id.is_empty()) {
        grains.insert("machine_id".into(), id.into());
    }
    if let Some(version) = probed.systemd.as_deref().and_then(systemd) {
        grains.insert("systemd".into(), version);
    }
    if which("selinuxenabled").is_some() {
        grains.insert("selinux".into(), selinux());
    }
    grains.extend(python());
    grains
}

/// Templates choose packages by the version of Python. Salt's is that which it runs on; ours is the
/// host's own, as far as its file's name tells it.
fn python() -> Map {
    let program = which("python3").map(|path| path.canonicalize().unwrap_or(path));
    let minor = program.as_deref().and_then(|path| path.file_name()?.to_str()?.strip_prefix("python3.")?.parse().ok());
    let path = program.map_or(Value::Null, |path| path.to_string_lossy().into());
    Map::from_iter([
        ("pythonexecutable".to_owned(), path),
        ("pythonversion".to_owned(), json!([3, minor.unwrap_or(USUAL_PYTHON), 0, "final", 0])),
        ("pythonpath".to_owned(), json!([])),
    ])
}

/// The 3.N that Salt 3008 brings along.
const USUAL_PYTHON: u32 = 11;

/// `NAME=VALUE` as a pair, all others as a name with null.
fn parameters(line: &str) -> Value {
    let words = crate::exec::split_words(line).unwrap_or_else(|_| line.split_whitespace().map(str::to_owned).collect());
    let pair = |word: String| match word.split('=').collect::<Vec<_>>()[..] {
        [name, value] => json!([name, value.trim_matches('"')]),
        [name, ..] => json!([name, null]),
        [] => Value::Null,
    };
    words.into_iter().map(pair).collect()
}

/// `systemd 252 (252.30)`, then the line of features.
fn systemd(output: &str) -> Option<Value> {
    let mut lines = output.lines();
    let version = lines.next()?.strip_prefix("systemd ")?.split_whitespace().next()?;
    Some(json!({"version": version, "features": lines.next()?}))
}

fn selinux() -> Value {
    let enforce = text("/sys/fs/selinux/enforce");
    let mut grains = json!({"enabled": enforce.is_some()});
    if which("getenforce").is_some() {
        grains["enforced"] = match enforce.as_deref() {
            Some("1") => "Enforcing",
            Some(_) => "Permissive",
            None => "Disabled",
        }
        .into();
    }
    grains
}

/// What process 1 is.
pub fn init() -> &'static str {
    if probes::runs_systemd() {
        return "systemd";
    }
    let command: Vec<String> = std::fs::read("/proc/1/cmdline")
        .map(|bytes| String::from_utf8_lossy(&bytes).split('\0').filter(|w| !w.is_empty()).map(str::to_owned).collect())
        .unwrap_or_default();
    let Some(first) = command.first() else { return "unknown" };
    let path = which(first).map(|path| path.to_string_lossy().into_owned());
    match path {
        Some(path) if path.ends_with("bin/init") => init_of(&path),
        _ if named(&command, "supervisord") => "supervisord",
        _ if named(&command, "dumb-init") => "dumb-init",
        _ if named(&command, "tini") => "tini",
        _ if command == ["runit"] || command.iter().any(|word| word == "/sbin/my_init") => "runit",
        _ => "unknown",
    }
}

fn named(command: &[String], program: &str) -> bool {
    which(program).is_some_and(|path| command.iter().any(|word| *word == path.to_string_lossy()))
}

/// An init tells what it is by a word in its program.
fn init_of(path: &str) -> &'static str {
    let program = std::fs::read(path).unwrap_or_default().to_ascii_lowercase();
    let holds = |word: &&str| program.windows(word.len()).any(|window| window == word.as_bytes());
    ["upstart", "sysvinit", "systemd"].into_iter().find(holds).unwrap_or("unknown")
}

/// Debian's name of the architecture that packages are for.
pub fn debian_architecture(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" | "armv8l" => "armhf",
        "armv6l" | "armv5tel" => "armel",
        "i386" | "i486" | "i586" | "i686" => "i386",
        "ppc64le" => "ppc64el",
        "mips64" => "mips64el",
        "loongarch64" => "loong64",
        other => other,
    }
}

/// Whether a Debian system is here that can say which packages it takes.
pub fn has_dpkg() -> bool {
    is_there("/var/lib/dpkg/status")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_parameters_are_pairs() {
        assert_eq!(
            parameters("quiet root=/dev/vda a=b=c"),
            json!([["quiet", null], ["root", "/dev/vda"], ["a", null]])
        );
    }

    #[test]
    fn systemd_says_its_version_and_features() {
        let grain = systemd("systemd 252 (252.30-1)\n+PAM +AUDIT").unwrap();
        assert_eq!(grain, json!({"version": "252", "features": "+PAM +AUDIT"}));
        assert_eq!(systemd("bash: not found"), None);
    }
}
