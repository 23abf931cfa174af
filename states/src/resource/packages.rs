//! Package managers: apt, dnf (or yum), apk.

use std::{collections::BTreeMap, time::Duration};

use proto::Value;

use super::{
    command::{complaint, program, text},
    package_lock,
};
use crate::{
    Command, Host, Look, Output,
    plan::{Doing, StateError},
};

/// Which manager a host has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manager {
    Apt,
    /// The program: `dnf`, or `yum` where that is all there is.
    Dnf(String),
    Apk,
}

/// A package that is to be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub version: Option<String>,
    /// A file or address to install it from.
    pub source: Option<String>,
}

/// How to install.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub refresh: bool,
    pub fromrepo: Option<String>,
    pub skip_verify: bool,
    pub install_recommends: bool,
    pub reinstall: bool,
    pub only_upgrade: bool,
    pub update_holds: bool,
}

/// Versions by name.
pub type Versions = BTreeMap<String, String>;

/// How long a package manager may take.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Apt does not wait for another one in silence: [`package_lock`] does, and says for whom.
const LOCK: &str = "DPkg::Lock::Timeout=0";

fn list<'a>(words: &[&'a str], names: impl IntoIterator<Item = &'a str>) -> Command {
    let argv: Vec<&str> = words.iter().copied().chain(names).collect();
    Command { timeout: Some(TIMEOUT), ..program(&argv) }
}

impl Manager {
    /// By the operating system's family, else by the programs that are there.
    pub fn detect(look: &dyn Look) -> Option<Self> {
        let family = look.grains().get("os_family").and_then(Value::as_str).unwrap_or("");
        match family {
            "Debian" => return Some(Self::Apt),
            "RedHat" | "Suse" | "Amazon" => return Some(Self::Dnf(dnf(look))),
            "Alpine" => return Some(Self::Apk),
            _ => {}
        }
        let has = |name: &str| look.which(name).is_some();
        match () {
            () if has("apt-get") => Some(Self::Apt),
            () if has("dnf") || has("yum") => Some(Self::Dnf(dnf(look))),
            () if has("apk") => Some(Self::Apk),
            () => None,
        }
    }

    /// What is installed. Of several versions of one package all, with commas between.
    pub fn installed(&self, look: &dyn Look) -> Result<Versions, StateError> {
        let command = match self {
            Self::Apt => {
                list(&["dpkg-query", "--showformat", "${Status} ${Package} ${Version} ${Architecture}\\n", "-W"], [])
            }
            Self::Dnf(_) => {
                list(&["rpm", "-qa", "--queryformat", "%{NAME} %{EPOCHNUM} %{VERSION}-%{RELEASE} %{ARCH}\\n"], [])
            }
            Self::Apk => list(&["apk", "info", "-v"], []),
        };
        let output = probe(look, &command)?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(match self {
            Self::Apt => dpkg_list(&said, "installed"),
            Self::Dnf(_) => rpm_list(&said),
            Self::Apk => said.lines().filter_map(apk_name).collect(),
        })
    }

    /// What was removed and has left its configuration behind.
    pub fn left(&self, look: &dyn Look) -> Result<Versions, StateError> {
        if *self != Self::Apt {
            return Ok(Versions::new());
        }
        let format = "${Status} ${Package} ${Version} ${Architecture}\\n";
        let output = probe(look, &list(&["dpkg-query", "--showformat", format, "-W"], []))?;
        Ok(dpkg_list(&String::from_utf8_lossy(&output.stdout), "config-files"))
    }

    /// Every version that the repositories have of these names.
    pub fn available(&self, look: &dyn Look, names: &[&str]) -> Result<BTreeMap<String, Vec<String>>, StateError> {
        if names.is_empty() || *self != Self::Apt {
            let newest = self.candidates(look, names)?;
            return Ok(newest.into_iter().map(|(name, version)| (name, vec![version])).collect());
        }
        let command = list(&["apt-cache", "policy"], names.iter().copied());
        Ok(version_table(&String::from_utf8_lossy(&probe(look, &command)?.stdout)))
    }

    /// The newest version that the repositories have of each name that they know.
    pub fn candidates(&self, look: &dyn Look, names: &[&str]) -> Result<Versions, StateError> {
        if names.is_empty() {
            return Ok(Versions::new());
        }
        let names = names.iter().copied();
        let command = match self {
            Self::Apt => list(&["apt-cache", "policy"], names),
            Self::Dnf(program) => list(
                &[
                    program,
                    "repoquery",
                    "-q",
                    "--latest-limit=1",
                    "--qf",
                    "%{name} %{epoch} %{version}-%{release} %{arch}\\n",
                ],
                names,
            ),
            Self::Apk => list(&["apk", "policy"], names),
        };
        let said = String::from_utf8_lossy(&probe(look, &command)?.stdout).into_owned();
        Ok(match self {
            Self::Apt => policy(&said, "Candidate: "),
            Self::Dnf(_) => rpm_list(&said),
            Self::Apk => apk_policy(&said),
        })
    }

    pub fn refresh(&self) -> Command {
        match self {
            Self::Apt => list(&["apt-get", "-q", "-o", LOCK, "update"], []),
            Self::Dnf(program) => list(&[program, "--quiet", "makecache"], []),
            Self::Apk => list(&["apk", "update"], []),
        }
    }

    pub fn install(&self, targets: &[Target], options: &Options) -> Command {
        let names: Vec<String> = targets.iter().map(|target| self.named(target)).collect();
        let mut words: Vec<&str> = match self {
            Self::Apt => vec![
                "apt-get",
                "-q",
                "-y",
                "-o",
                LOCK,
                "-o",
                "DPkg::Options::=--force-confold",
                "-o",
                "DPkg::Options::=--force-confdef",
            ],
            Self::Dnf(program) => vec![program, "-y", "--best", "--allowerasing"],
            Self::Apk => vec!["apk", "add"],
        };
        match self {
            Self::Apt => {
                if options.skip_verify {
                    words.push("--allow-unauthenticated");
                }
                if let Some(repo) = &options.fromrepo {
                    words.extend(["-t", repo]);
                }
                words.extend(options.reinstall.then_some("--reinstall"));
                words.extend((!options.install_recommends).then_some("--no-install-recommends"));
                words.extend(options.only_upgrade.then_some("--only-upgrade"));
                words.extend(options.update_holds.then_some("--allow-change-held-packages"));
                words.push("install");
            }
            Self::Dnf(_) => {
                words.extend(options.skip_verify.then_some("--nogpgcheck"));
                words.push(if options.reinstall { "reinstall" } else { "install" });
            }
            Self::Apk => words.push("-U"),
        }
        quiet(list(&words, names.iter().map(String::as_str)))
    }

    fn named(&self, target: &Target) -> String {
        match (self, &target.source, &target.version) {
            (_, Some(source), _) => source.clone(),
            (Self::Dnf(_), _, Some(version)) => format!("{}-{version}", target.name),
            (_, _, Some(version)) => format!("{}={version}", target.name),
            _ => target.name.clone(),
        }
    }

    pub fn remove(&self, names: &[String], purge: bool) -> Command {
        let words: Vec<&str> = match self {
            Self::Apt => vec!["apt-get", "-q", "-y", "-o", LOCK, if purge { "purge" } else { "remove" }],
            Self::Dnf(program) => vec![program, "-y", "remove"],
            Self::Apk => vec!["apk", "del"],
        };
        quiet(list(&words, names.iter().map(String::as_str)))
    }

    /// Brings everything up to date.
    pub fn upgrade(&self) -> Command {
        quiet(match self {
            Self::Apt => list(
                &[
                    "apt-get",
                    "-q",
                    "-y",
                    "-o",
                    LOCK,
                    "-o",
                    "DPkg::Options::=--force-confold",
                    "-o",
                    "DPkg::Options::=--force-confdef",
                    "upgrade",
                ],
                [],
            ),
            Self::Dnf(program) => list(&[program, "-y", "upgrade"], []),
            Self::Apk => list(&["apk", "upgrade"], []),
        })
    }

    /// What an upgrade would bring.
    pub fn upgrades(&self, look: &dyn Look) -> Result<Versions, StateError> {
        let command = match self {
            Self::Apt => list(&["apt-get", "--just-print", "upgrade"], []),
            Self::Dnf(program) => list(&[program, "-q", "list", "--upgrades"], []),
            Self::Apk => list(&["apk", "upgrade", "-s"], []),
        };
        let said = String::from_utf8_lossy(&probe(look, &command)?.stdout).into_owned();
        Ok(match self {
            Self::Apt => said.lines().filter_map(apt_upgrade).collect(),
            Self::Dnf(_) => said.lines().filter_map(dnf_upgrade).collect(),
            Self::Apk => said.lines().filter_map(apk_upgrade).collect(),
        })
    }

    /// Packages that are kept as they are.
    pub fn held(&self, look: &dyn Look) -> Result<Vec<String>, StateError> {
        let command = match self {
            Self::Apt => list(&["apt-mark", "showhold"], []),
            Self::Dnf(program) => list(&[program, "versionlock", "list", "-q"], []),
            Self::Apk => return Ok(Vec::new()),
        };
        Ok(text(&probe(look, &command)?.stdout).lines().map(|line| line.trim().to_owned()).collect())
    }

    pub fn hold(&self, names: &[String], hold: bool) -> Command {
        let names = names.iter().map(String::as_str);
        match self {
            Self::Apt => list(&["apt-mark", if hold { "hold" } else { "unhold" }], names),
            Self::Dnf(program) => list(&[program, "versionlock", if hold { "add" } else { "delete" }], names),
            Self::Apk => list(&["apk", "add"], names),
        }
    }
}

fn dnf(look: &dyn Look) -> String {
    if look.which("dnf").is_some() { "dnf" } else { "yum" }.to_owned()
}

/// No questions are asked of anybody.
fn quiet(mut command: Command) -> Command {
    for (name, value) in [
        ("DEBIAN_FRONTEND", "noninteractive"),
        ("APT_LISTCHANGES_FRONTEND", "none"),
        ("APT_LISTBUGS_FRONTEND", "none"),
        ("UCF_FORCE_CONFFOLD", "1"),
    ] {
        command.env.push((name.into(), value.into()));
    }
    command
}

fn probe(look: &dyn Look, command: &Command) -> Result<Output, StateError> {
    look.probe(command).map_err(|why| StateError::failed(why.to_string()))
}

/// Runs a command of a manager, when it is its turn; its complaint is the error.
pub fn run(host: &dyn Host, command: &Command) -> Result<(), StateError> {
    run_telling(host, command, &|_| {})
}

/// The same for a state, which says for whom it waits.
pub fn apply(doing: &Doing<'_>, command: &Command) -> Result<(), StateError> {
    run_telling(doing.host, command, &|why| doing.wait_for(why))
}

/// Installs packages; those that are held stay held in the version that they get.
pub fn install(doing: &Doing<'_>, manager: &Manager, targets: &[Target], options: &Options) -> Result<(), StateError> {
    let held = if *manager == Manager::Apt { manager.held(doing.host)? } else { Vec::new() };
    let again: Vec<String> =
        targets.iter().map(|target| target.name.clone()).filter(|name| held.contains(name)).collect();
    let options = Options { update_holds: options.update_holds || !again.is_empty(), ..options.clone() };
    let went = apply(doing, &manager.install(targets, &options));
    // Whatever became of it: who held them wants them held.
    let kept = if again.is_empty() { Ok(()) } else { apply(doing, &manager.hold(&again, true)) };
    went.and(kept)
}

fn run_telling(host: &dyn Host, command: &Command, tell: &dyn Fn(&str)) -> Result<(), StateError> {
    let output = package_lock::run(host, command, package_lock::Patience::default(), tell);
    let output = output.map_err(|why| StateError::failed(why.to_string()))?;
    if output.code == 0 { Ok(()) } else { Err(StateError::failed(complaint(&output))) }
}

fn add(versions: &mut Versions, name: String, version: String) {
    let entry = versions.entry(name).or_default();
    if entry.is_empty() {
        *entry = version;
    } else if !entry.split(',').any(|known| known == version) {
        entry.push(',');
        entry.push_str(&version);
    }
}

fn dpkg_list(said: &str, wanted: &str) -> Versions {
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

fn rpm_list(said: &str) -> Versions {
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
fn apk_name(line: &str) -> Option<(String, String)> {
    let (front, release) = line.trim().rsplit_once('-')?;
    let (name, version) = front.rsplit_once('-')?;
    Some((name.to_owned(), format!("{version}-{release}")))
}

fn policy(said: &str, key: &str) -> Versions {
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
fn version_table(said: &str) -> BTreeMap<String, Vec<String>> {
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
fn apk_policy(said: &str) -> Versions {
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
fn apt_upgrade(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("Inst ")?;
    let name = rest.split_whitespace().next()?;
    let version = rest.split_once('(')?.1.split_whitespace().next()?;
    Some((name.to_owned(), version.to_owned()))
}

/// `bash.x86_64   5.2-1   updates`.
fn dnf_upgrade(line: &str) -> Option<(String, String)> {
    let [full, version, _] = line.split_whitespace().collect::<Vec<_>>()[..] else { return None };
    Some((full.rsplit_once('.')?.0.to_owned(), version.to_owned()))
}

/// `(1/2) Upgrading musl (1.2.4-r0 -> 1.2.5-r0)`.
fn apk_upgrade(line: &str) -> Option<(String, String)> {
    let (_, rest) = line.split_once("Upgrading ")?;
    let (name, versions) = rest.split_once(" (")?;
    Some((name.to_owned(), versions.split_once("-> ")?.1.trim_end_matches(')').to_owned()))
}

/// Compares versions as Debian's policy has it; rpm's and apk's versions are ordered alike.
pub fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    let (epoch_a, rest_a) = epoch(a);
    let (epoch_b, rest_b) = epoch(b);
    let (up_a, rev_a) = rest_a.rsplit_once('-').unwrap_or((rest_a, ""));
    let (up_b, rev_b) = rest_b.rsplit_once('-').unwrap_or((rest_b, ""));
    epoch_a.cmp(&epoch_b).then_with(|| part(up_a, up_b)).then_with(|| part(rev_a, rev_b))
}

fn epoch(version: &str) -> (u64, &str) {
    match version.split_once(':') {
        Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch.parse().unwrap_or(0), rest),
        _ => (0, version),
    }
}

/// Parts without digits and numbers in turn; `~` comes before everything, even the end.
fn part(mut a: &str, mut b: &str) -> std::cmp::Ordering {
    let weight = |c: Option<char>| match c {
        Some('~') => -1,
        None => 0,
        Some(c) if c.is_ascii_alphabetic() => c as i32,
        Some(c) => c as i32 + 256,
    };
    loop {
        let text = |s: &str| s.find(|c: char| c.is_ascii_digit()).unwrap_or(s.len());
        let (at_a, at_b) = (text(a), text(b));
        let (mut left, mut right) = (a[..at_a].chars(), b[..at_b].chars());
        loop {
            let (x, y) = (left.next(), right.next());
            if x.is_none() && y.is_none() {
                break;
            }
            match weight(x).cmp(&weight(y)) {
                std::cmp::Ordering::Equal => {}
                other => return other,
            }
        }
        (a, b) = (&a[at_a..], &b[at_b..]);
        if a.is_empty() && b.is_empty() {
            return std::cmp::Ordering::Equal;
        }
        let digits = |s: &str| s.find(|c: char| !c.is_ascii_digit()).unwrap_or(s.len());
        let (at_a, at_b) = (digits(a), digits(b));
        let number = |s: &str| s.trim_start_matches('0').to_owned();
        let (x, y) = (number(&a[..at_a]), number(&b[..at_b]));
        match x.len().cmp(&y.len()).then_with(|| x.cmp(&y)) {
            std::cmp::Ordering::Equal => (a, b) = (&a[at_a..], &b[at_b..]),
            other => return other,
        }
    }
}

/// Whether a version fulfils what a state asks for: `1.2`, `1.2*`, `>=1.2,<2`.
pub fn fulfils(version: &str, wanted: &str) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    wanted.split(',').map(str::trim).all(|condition| {
        let rest = condition.trim_start_matches(['<', '>', '=', '!']);
        let operator = &condition[..condition.len() - rest.len()];
        let rest = rest.trim();
        let ordering = compare(version, rest);
        match operator {
            ">=" => ordering != Less,
            "<=" => ordering != Greater,
            ">" => ordering == Greater,
            "<" => ordering == Less,
            "!=" | "<>" => ordering != Equal,
            _ if rest.contains('*') => crate::glob::matches(rest, version),
            _ => version == rest || ordering == Equal,
        }
    })
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

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
    fn versions_are_ordered_as_debian_orders_them() {
        for (less, more) in [
            ("1.0", "1.1"),
            ("1.9", "1.10"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0a"),
            ("1:0.1", "2:0.0"),
            ("9", "1:0"),
            ("1.0-1", "1.0-2"),
            ("1.0a", "1.0+b"),
            ("1.2.5-r0", "1.2.5-r1"),
        ] {
            assert_eq!(compare(less, more), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less), Ordering::Greater, "{more} {less}");
        }
        assert_eq!(compare("1.00", "1.0"), Ordering::Equal);
        assert!(fulfils("1.5", ">=1.2,<2") && !fulfils("2.0", ">=1.2,<2") && fulfils("1.5-3", "1.5*"));
        assert!(fulfils("1.5", "1.5") && !fulfils("1.5", "1.6") && fulfils("1.5", "!=1.6"));
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
