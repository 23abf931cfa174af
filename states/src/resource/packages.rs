//! Package managers: apt, dnf (or yum), apk.

mod order;
mod said;

use std::{collections::BTreeMap, time::Duration};

use proto::Value;

pub use order::{compare, fulfils};
use said::{apk_name, apk_policy, apk_upgrade, apt_upgrade, dnf_upgrade, dpkg_list, policy, rpm_list, version_table};

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
