//! What package managers print, read.

use std::collections::BTreeMap;

use super::Versions;

fn add(versions: &mut Versions, name: String, version: String) {
    let entry = versions.entry(name).or_default();
    if entry.is_empty() {
        *entry = version;
    } else if !entry.split(',').any(|known| known == version) {
        entry.push(',');
        entry.push_str(&version);
    }
}

pub fn dpkg_list(said: &str, wanted: &str) -> Versions {
    let mut versions = Versions::new();
    for line in said.lines() {
        if let [_, _, state, name, version, ..] = line.split_whitespace().collect::<Vec<_>>()[..]
            && state == wanted
        {
            add(&mut versions, name.to_owned(), version.to_owned());
        }
    }
    versions
}

pub fn rpm_list(said: &str) -> Versions {
    let mut versions = Versions::new();
    for line in said.lines() {
        if let [name, epoch, version, ..] = line.split_whitespace().collect::<Vec<_>>()[..] {
            let epoch = if matches!(epoch, "0" | "(none)") { String::new() } else { format!("{epoch}:") };
            add(&mut versions, name.to_owned(), format!("{epoch}{version}"));
        }
    }
    versions
}

/// `musl-1.2.5-r0`: the version begins behind the last hyphen but one.
pub fn apk_name(line: &str) -> Option<(String, String)> {
    let (front, release) = line.trim().rsplit_once('-')?;
    let (name, version) = front.rsplit_once('-')?;
    Some((name.to_owned(), format!("{version}-{release}")))
}

pub fn policy(said: &str, key: &str) -> Versions {
    let mut versions = Versions::new();
    let mut name = "";
    for line in said.lines() {
        if !line.starts_with(' ') {
            name = line.trim_end_matches(':');
        } else if let Some(version) = line.trim().strip_prefix(key)
            && version != "(none)"
        {
            versions.insert(name.to_owned(), version.to_owned());
        }
    }
    versions
}

/// The versions of the table that `apt-cache policy` shows, each with its priority behind it; what
/// only the host itself has is none of a repository.
pub fn version_table(said: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut name, mut version) = ("", None);
    for line in said.lines() {
        let words: Vec<&str> = line.trim_start_matches(" *** ").split_whitespace().collect();
        let depth = line.len() - line.trim_start().len();
        match words[..] {
            [title] if depth == 0 => (name, version) = (title.trim_end_matches(':'), None),
            [this, priority] if (line.starts_with(" *** ") || depth == 5) && priority.parse::<i32>().is_ok() => {
                version = Some(this);
            }
            // A source of the version above; the host's own table is one too.
            [_, source, ..] if depth > 5 && !source.starts_with("/var/lib/dpkg/status") => {
                let versions = found.entry(name.to_owned()).or_default();
                versions.extend(version.take().map(str::to_owned));
            }
            _ => {}
        }
    }
    found
}

/// The newest version stands first beneath the name.
pub fn apk_policy(said: &str) -> Versions {
    let mut versions = Versions::new();
    let mut name: Option<&str> = None;
    for line in said.lines() {
        if let Some(named) = line.strip_suffix(" policy:") {
            name = Some(named);
        } else if let (Some(named), Some(version)) = (name, line.trim().strip_suffix(':')) {
            versions.insert(named.to_owned(), version.to_owned());
            name = None;
        }
    }
    versions
}

/// `Inst bash [5.1] (5.2 Debian:12 [amd64])`.
pub fn apt_upgrade(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("Inst ")?;
    let name = rest.split_whitespace().next()?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some((name.to_owned(), version.to_owned()))
}

/// `bash.x86_64   5.2-1   updates`.
pub fn dnf_upgrade(line: &str) -> Option<(String, String)> {
    let [full, version, _] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    Some((full.rsplit_once('.')?.0.to_owned(), version.to_owned()))
}

/// `(1/2) Upgrading musl (1.2.4-r0 -> 1.2.5-r0)`.
pub fn apk_upgrade(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("Upgrading ")?;
    let (name, versions) = rest.split_once(" (")?;
    Some((name.to_owned(), versions.split_once("-> ")?.1.trim_end_matches(')').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_versions_is_read() {
        let said = "curl:\n  Installed: 7.88\n  Candidate: 7.90\n  Version table:\n     7.90 500\n        500 http://d \
                    bookworm/main amd64 Packages\n *** 7.88 500\n        500 http://e bookworm/main amd64 Packages\n        100 \
                    /var/lib/dpkg/status\nown:\n  Installed: 1\n  Candidate: 1\n  Version table:\n *** 1 100\n        100 \
                    /var/lib/dpkg/status\n";
        let table = version_table(said);
        assert_eq!(table["curl"], ["7.90", "7.88"]);
        assert!(!table.contains_key("own"));
    }

    #[test]
    fn output_of_the_real_tools_is_read() {
        let dpkg = "install ok installed bash 5.2-2 amd64\ndeinstall ok config-files vim 1 amd64\n";
        assert_eq!(dpkg_list(dpkg, "installed"), Versions::from([("bash".into(), "5.2-2".into())]));
        let rpm = "kernel 0 5.1-1 x86_64\nkernel 0 5.2-1 x86_64\nbind 32 9.16-1 x86_64\n";
        let rpm = rpm_list(rpm);
        assert_eq!((rpm["kernel"].as_str(), rpm["bind"].as_str()), ("5.1-1,5.2-1", "32:9.16-1"));
        assert_eq!(apk_name("ca-certificates-20240705-r0"), Some(("ca-certificates".into(), "20240705-r0".into())));
        let policy = "bash:\n  Installed: 5.2-2\n  Candidate: 5.3-1\n  Version table:\nnope:\n  Installed: (none)\n  Candidate: (none)\n";
        assert_eq!(super::policy(policy, "Candidate: "), Versions::from([("bash".into(), "5.3-1".into())]));
        assert_eq!(apt_upgrade("Inst bash [5.1] (5.2 Debian:12 [amd64])"), Some(("bash".into(), "5.2".into())));
        assert_eq!(
            apk_upgrade("(1/2) Upgrading musl (1.2.4-r0 -> 1.2.5-r0)"),
            Some(("musl".into(), "1.2.5-r0".into()))
        );
        let apk = "musl policy:\n  1.2.5-r0:\n    lib/apk/db/installed\n  1.2.4-r0:\n";
        assert_eq!(apk_policy(apk), Versions::from([("musl".into(), "1.2.5-r0".into())]));
    }
}
