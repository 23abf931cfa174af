//! `pip.*`: packages of Python.

mod version;

use proto::{Map, Value};
use serde_json::json;

use self::version::{Requirement, fulfils};
use super::params::pip as params;
use crate::{
    Command, Host, Look, Output,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts,
        command::{complaint, program, text},
        files,
    },
    value,
};

pub const MODULE: StateModule = StateModule {
    name: "pip",
    states: &[
        State {
            name: "installed",
            doc: "Makes sure that packages of Python are installed.\n\n    django:\n      pip.installed:\n        - name: django >= 4.2, < 5\n        - bin_env: /srv/app/venv",
            params: params::INSTALLED,
            plan: installed,
        },
        State {
            name: "removed",
            doc: "Makes sure that a package of Python is not installed.\n\n    django:\n      pip.removed:\n        - bin_env: /srv/app/venv",
            params: params::REMOVED,
            plan: removed,
        },
    ],
    watch: None,
};

/// Which pip, and how it is run.
pub(super) struct Pip {
    pub(super) words: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) env: Vec<(String, String)>,
}

impl Pip {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let bin_env = call.some_text("bin_env").or_else(|| call.some_text("pip_bin"));
        let words = match &bin_env {
            Some(path) if files::is_dir(call.look, path.as_ref()) => {
                let python = format!("{path}/bin/python");
                match call.look.stat(python.as_ref()).is_ok() {
                    true => vec![python, "-m".into(), "pip".into()],
                    false => {
                        return failed(format!(
                            "Error installing '{}': Could not find a `pip` binary in virtualenv {path}",
                            call.name()
                        ));
                    }
                }
            }
            Some(path) if path.rsplit('/').next().is_some_and(|name| name.starts_with("python")) => {
                vec![path.clone(), "-m".into(), "pip".into()]
            }
            Some(path) => vec![path.clone()],
            None => match ["pip3", "pip"].iter().find(|name| call.look.which(name).is_some()) {
                Some(name) => vec![(*name).to_owned()],
                None => return failed(format!("Error installing '{}': Could not find a `pip` binary", call.name())),
            },
        };
        let user = call.some_text("user");
        let expected = |user: &String| call.test && accounts::user_expected(call.look, user);
        if let Some(user) = user.as_ref().filter(|user| accounts::user(call.look, user).is_none() && !expected(user)) {
            return failed(format!("User {user} does not exist"));
        }
        let env = crate::resource::command::environment(call.value("env_vars")).map_err(StateError::failed)?;
        Ok(Self { words, user, cwd: call.some_text("cwd"), env })
    }

    pub(super) fn command(&self, look: &dyn Look, words: &[String]) -> Command {
        let argv: Vec<&str> = self.words.iter().chain(words).map(String::as_str).collect();
        let mut command = Command { runas: self.user.clone(), cwd: self.cwd.clone().map(Into::into), ..program(&argv) };
        if let Some(row) = self.user.as_deref().and_then(|user| accounts::user(look, user)) {
            command.env.extend([("HOME".into(), row.home), ("USER".into(), row.name)]);
        }
        command.env.extend(self.env.iter().cloned());
        command
    }

    pub(super) fn run(&self, host: &dyn Host, words: &[String]) -> Result<Output, StateError> {
        host.run(&self.command(host, words)).map_err(|why| StateError::failed(format!("pip: {why}")))
    }

    /// What is installed: name in its plain form, and version.
    fn list(&self, look: &dyn Look) -> Result<Vec<(String, String)>, StateError> {
        let words = ["freeze", "--all", "--disable-pip-version-check"].map(str::to_owned);
        let output = look.probe(&self.command(look, &words));
        let output = output.map_err(|why| StateError::failed(format!("pip: {why}")))?;
        if output.code != 0 {
            return failed(format!("pip freeze: {}", complaint(&output)));
        }
        Ok(text(&output.stdout).lines().filter_map(frozen).collect())
    }
}

/// `name==1.0`, or `-e git+…#egg=name`, or `name @ file:…`.
fn frozen(line: &str) -> Option<(String, String)> {
    if let Some(editable) = line.strip_prefix("-e ") {
        let (_, name) = editable.split_once("#egg=")?;
        return Some((version::normalized(name.split(['&', '-']).next()?), editable.to_owned()));
    }
    if let Some((name, version)) = line.split_once("==") {
        return Some((version::normalized(name), version.to_owned()));
    }
    let (name, place) = line.split_once(" @ ")?;
    Some((version::normalized(name), place.to_owned()))
}

fn version_of<'l>(list: &'l [(String, String)], name: &str) -> Option<&'l str> {
    list.iter().find(|(known, _)| known == name).map(|(_, version)| version.as_str())
}

/// Arguments that go to `pip install` as they are: the state's name of each, and pip's.
const VALUES: [(&str, &str); 14] = [
    ("log", "--log"),
    ("proxy", "--proxy"),
    ("timeout", "--timeout"),
    ("index_url", "--index-url"),
    ("extra_index_url", "--extra-index-url"),
    ("build", "--build"),
    ("target", "--target"),
    ("download", "--download"),
    ("download_cache", "--cache-dir"),
    ("cache_dir", "--cache-dir"),
    ("source", "--source"),
    ("exists_action", "--exists-action"),
    ("cert", "--cert"),
    ("trusted_host", "--trusted-host"),
];
const LISTS: [(&str, &str); 3] =
    [("find_links", "--find-links"), ("global_options", "--global-option"), ("install_options", "--install-option")];
const FLAGS: [(&str, &str); 9] = [
    ("no_index", "--no-index"),
    ("upgrade", "--upgrade"),
    ("force_reinstall", "--force-reinstall"),
    ("ignore_installed", "--ignore-installed"),
    ("no_deps", "--no-deps"),
    ("no_cache_dir", "--no-cache-dir"),
    ("pre_releases", "--pre"),
    ("no_install", "--no-install"),
    ("no_download", "--no-download"),
];

fn commas(call: &Call<'_>, key: &str) -> Vec<String> {
    let split = |text: String| text.split(',').map(|part| part.trim().to_owned()).collect::<Vec<_>>();
    match call.value(key) {
        Some(Value::Array(_)) => call.list(key),
        _ => call.some_text(key).map(split).unwrap_or_default(),
    }
}

/// The words of `pip install` before the packages.
pub(super) fn install_words(call: &Call<'_>) -> Result<Vec<String>, StateError> {
    if call.flag("no_index", false) && (call.some_text("index_url").or(call.some_text("extra_index_url"))).is_some() {
        return failed("'no_index' and ('index_url' or 'extra_index_url') are mutually exclusive.");
    }
    if call.value("mirrors").is_some() {
        return failed("pip >= 7.0.0 does not support mirror argument: use index_url and/or extra_index_url instead");
    }
    let mut words = vec!["install".to_owned(), "--disable-pip-version-check".to_owned()];
    for (key, flag) in VALUES {
        words.extend(call.some_text(key).into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    for (key, flag) in LISTS {
        words.extend(commas(call, key).into_iter().flat_map(|value| [flag.to_owned(), value]));
    }
    if call.value("no_binary").is_some() {
        words.extend(["--no-binary".to_owned(), commas(call, "no_binary").join(",")]);
    }
    words.extend(FLAGS.iter().filter(|(key, _)| call.flag(key, false)).map(|(_, flag)| (*flag).to_owned()));
    for extra in call.values("extra_args") {
        match extra {
            Value::Object(map) => {
                words.extend(map.iter().flat_map(|(key, value)| [key.clone(), value::python_str(value)]))
            }
            other => words.push(value::python_str(&other)),
        }
    }
    Ok(words)
}

fn installed(call: &Call<'_>) -> Result<Plan, StateError> {
    let listed = match call.value("pkgs") {
        Some(Value::Array(_)) => call.list("pkgs"),
        Some(_) => return failed("pkgs argument must be formatted as a list"),
        None => vec![call.name()],
    };
    let pip = Pip::of(call)?;
    let words = install_words(call)?;
    let (requirements, editable) = (call.some_text("requirements"), commas(call, "editable"));
    if requirements.is_some() || !editable.is_empty() {
        return from_files(call, pip, words, requirements, editable);
    }
    let wanted: Vec<Requirement> = listed.iter().map(|text| Requirement::parse(text)).collect::<Result<_, _>>()?;
    let upgrade = call.flag("upgrade", false);
    let fresh = upgrade || ["force_reinstall", "ignore_installed"].iter().any(|key| call.flag(key, false));
    let now = pip.list(call.look)?;
    let is_met = |wanted: &&Requirement| {
        let there = wanted.name.as_deref().and_then(|name| version_of(&now, name));
        !fresh && there.is_some_and(|there| fulfils(there, &wanted.versions))
    };
    let (met, open): (Vec<&Requirement>, Vec<&Requirement>) = wanted.iter().partition(is_met);
    let met: Vec<String> =
        met.into_iter().map(|wanted| format!("Python package {} was already installed", wanted.text)).collect();
    let already = if met.is_empty() { String::new() } else { met.join("\n") + "\n" };
    if open.is_empty() {
        return Plan::keep(format!("{already}All specified packages are already installed"));
    }
    let would = match &listed[..] {
        [one] => format!("Python package {one} is set to be installed"),
        all => format!("Python package(s) set to be installed:\n{}", all.join("\n")),
    };
    let open: Vec<Requirement> = open.into_iter().cloned().collect();
    let up_to_date = if upgrade { " and up-to-date" } else { "" };
    Plan::change(would, json!({}), move |doing| {
        let texts = open.iter().map(|wanted| wanted.text.clone());
        let words: Vec<String> = words.into_iter().chain(["--".to_owned()]).chain(texts.clone()).collect();
        let output = pip.run(doing.host, &words)?;
        if output.code != 0 {
            let names = texts.collect::<Vec<_>>().join(", ");
            let (out, err) = (text(&output.stdout), text(&output.stderr));
            return failed(format!("{already}Failed to install packages: {names}. Error: {out} {err}"));
        }
        let (after, mut changes) = (pip.list(doing.host)?, Map::new());
        for wanted in &open {
            let name = wanted.name.as_deref();
            match name.and_then(|name| Some((name, version_of(&after, name)?))) {
                Some((name, version)) if version_of(&now, name) != Some(version) || (fresh && !upgrade) => {
                    changes.insert(format!("{name}=={version}"), "Installed".into());
                }
                None if name.is_none() => drop(changes.insert(format!("{}==???", wanted.text), "Installed".into())),
                _ => {}
            }
        }
        let comment = match changes.is_empty() {
            true => format!("{already}All specified packages are already installed{up_to_date}"),
            false => format!("{already}All packages were successfully installed"),
        };
        Ok(Done::new(comment, changes))
    })
}

/// `requirements` and `editable`: only pip knows what they mean.
fn from_files(
    call: &Call<'_>,
    pip: Pip,
    mut words: Vec<String>,
    requirements: Option<String>,
    editable: Vec<String>,
) -> Result<Plan, StateError> {
    const NOTHING: [&str; 7] = [
        "Requirement already satisfied",
        "Requirement already up-to-date",
        "Requirement not upgraded",
        "Collecting",
        "Cloning",
        "Cleaning up...",
        "Looking in indexes",
    ];
    let mut would = Vec::new();
    if let Some(file) = &requirements {
        let path = match file.starts_with("salt://") {
            true => super::file::content::cached(call, file)?.to_string_lossy().into_owned(),
            false => file.clone(),
        };
        words.extend(["--requirement".to_owned(), path]);
        would.push(format!("Requirements file '{file}' will be processed."));
    }
    let shown = editable.join(",");
    if !editable.is_empty() {
        would.push(format!(
            "Package will be installed in editable mode (i.e. setuptools \"develop mode\") from {shown}."
        ));
        words.extend(editable.iter().flat_map(|place| ["--editable".to_owned(), place.clone()]));
    }
    Plan::change(would.join(" "), json!({}), move |doing| {
        let output = pip.run(doing.host, &words)?;
        let (mut said, mut changes) = (Vec::new(), Map::new());
        if output.code != 0 {
            said.extend(requirements.map(|file| format!("Unable to process requirements file \"{file}\"")));
            said.extend((!editable.is_empty()).then(|| format!("Unable to install from VCS checkout {shown}.")));
            said.push(format!("Error: {} {}", text(&output.stdout), text(&output.stderr)));
            return failed(said.join(" "));
        }
        if let Some(file) = requirements {
            let out = text(&output.stdout);
            let did = out.lines().any(|line| !NOTHING.iter().any(|start| line.trim().starts_with(start)));
            if did {
                changes.insert("requirements".into(), true.into());
            }
            said.push(match did {
                true => format!("Successfully processed requirements file {file}."),
                false => "Requirements were already installed.".to_owned(),
            });
        }
        if !editable.is_empty() {
            said.push(format!("Package successfully installed from VCS checkout {shown}."));
            changes.insert("editable".into(), true.into());
        }
        Ok(Done::new(said.join(" "), changes))
    })
}

fn removed(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    let pip = Pip::of(call)?;
    if name.is_empty() || name.starts_with('-') {
        return failed(format!("'{name}' is not the name of a package"));
    }
    let plain = version::normalized(&name);
    let now = pip.list(call.look);
    let now = now.map_err(|why| StateError::failed(format!("Error uninstalling '{name}': {why}")))?;
    if version_of(&now, &plain).is_none() {
        return Plan::keep("Package is not installed.");
    }
    Plan::change(format!("Package {name} is set to be removed"), json!({}), move |doing| {
        let words = ["uninstall", "-y", "--disable-pip-version-check", "--", &name].map(str::to_owned);
        let output = pip.run(doing.host, &words)?;
        match output.code {
            0 => Ok(Done::new("Package was successfully removed.", json!({ name.as_str(): "Removed" }))),
            _ => failed(format!("Could not remove package. {}", complaint(&output))),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, refused, said, thrice};

    fn host() -> Memory {
        Memory::new(json!({})).with(&[("/list", "pip==23.0\nDjango==3.2\n")]).answer(|host, line| {
            let words = line.strip_prefix("pip3 ")?;
            if words.starts_with("freeze") {
                return said(&host.text("/list")?);
            }
            match words.rsplit(' ').next()? {
                "nope" => return refused(1, "ERROR: No matching distribution found for nope"),
                "flask" if words.starts_with("install") => host.put("/list", "pip==23.0\nDjango==3.2\nFlask==2.1\n"),
                "flask" => host.put("/list", "pip==23.0\nDjango==3.2\n"),
                _ => {}
            }
            said("")
        })
    }

    #[test]
    fn packages_are_installed_once_and_removed() {
        let host = host();
        let [test, first, second] =
            thrice(&host, &[("t.sls", "x:\n  pip.installed:\n    - pkgs: ['django>=3,<4', flask]\n")]);
        assert_eq!(test.1, "Python package(s) set to be installed:\ndjango>=3,<4\nflask");
        assert_eq!(first.2, json!({"flask==2.1": "Installed"}));
        assert!(first.1.ends_with("All packages were successfully installed"), "{}", first.1);
        assert!(second.1.ends_with("All specified packages are already installed"), "{}", second.1);
        let [_, first, second] = thrice(&host, &[("t.sls", "flask:\n  pip.removed: []\n")]);
        assert_eq!((first.2, second.1.as_str()), (json!({"flask": "Removed"}), "Package is not installed."));
        let rows = apply(&host, "nope:\n  pip.installed: []\n", false);
        assert!(rows[0].2.starts_with("Failed to install packages: nope. Error: "), "{}", rows[0].2);
        let rows = apply(&host, "a=1:\n  pip.installed: []\n", true);
        assert!(rows[0].2.contains("'=' is not supported, use '==' instead"), "{}", rows[0].2);
    }
}
