//! `virtualenv.*`: environments of Python, and what pip puts into them. Salt's `states/virtualenv_mod.py`.

use std::path::Path;

use proto::{Map, Value};
use serde_json::json;

use super::{
    file::content,
    params::virtualenv as params,
    pip::{Pip, install_words},
};
use crate::{
    Command, Host, Look, Output,
    plan::{Call, Doing, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        accounts, command,
        command::{program, text},
        files,
    },
};

pub const MODULE: StateModule = StateModule {
    name: "virtualenv",
    states: &[
        State {
            name: "managed",
            doc: "Makes sure that there is an environment of Python with these packages.\n\n    /srv/app/venv:\n      virtualenv.managed:\n        - requirements: salt://app/requirements.txt\n        - user: app",
            params: params::MANAGED,
            plan: managed,
        },
        State {
            name: "manage",
            doc: "As `virtualenv.managed`.\n\n    /srv/app/venv:\n      virtualenv.manage:\n        - pip_pkgs: [flask]",
            params: params::MANAGED,
            plan: managed,
        },
    ],
    watch: None,
};

/// What is to be there.
struct Environment {
    name: String,
    python: String,
    /// The words that make it.
    create: Vec<String>,
    user: Option<String>,
    is_there: bool,
    clear: bool,
    /// Its pip, and the words of `pip install`, where packages are asked for.
    pip: Pip,
    install: Option<Vec<String>>,
}

fn managed(call: &Call<'_>) -> Result<Plan, StateError> {
    let environment = Environment::of(call)?;
    let (name, there) = (environment.name.clone(), environment.is_there);
    if there && !environment.clear && (call.test || environment.install.is_none()) {
        return Plan::keep(if call.test {
            format!("Virtualenv {name} is already created")
        } else {
            "virtualenv exists".to_owned()
        });
    }
    let would = if there { "cleared" } else { "created" };
    Plan::change(format!("Virtualenv {name} is set to be {would}"), json!({}), move |doing| environment.bring(doing))
}

impl Environment {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let name = call.name().trim_end_matches('/').to_owned();
        if name.is_empty() || name.starts_with('-') {
            return failed(format!("'{}' is not the path of a virtualenv", call.name()));
        }
        let python = format!("{name}/bin/python");
        let user = call.some_text("user");
        let env = command::environment(call.value("env_vars")).map_err(StateError::failed)?;
        let words = vec![python.clone(), "-m".to_owned(), "pip".to_owned()];
        let requirements = requirements(call)?;
        let cwd = requirements.first().and_then(|file| Path::new(file).parent()).map(|at| at.display().to_string());
        let cwd = call.some_text("cwd").or(cwd).filter(|cwd| !cwd.is_empty());
        Ok(Self {
            is_there: files::exists(call.look, Path::new(&python)),
            create: create(call, &name)?,
            clear: call.flag("clear", false),
            install: install(call, &requirements)?,
            pip: Pip { words, user: user.clone(), cwd, env },
            name,
            python,
            user,
        })
    }

    fn run(&self, host: &dyn Host, words: &[String]) -> Result<Output, StateError> {
        let argv: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut command = Command { runas: self.user.clone(), ..program(&argv) };
        if let Some(row) = self.user.as_deref().and_then(|user| accounts::user(host, user)) {
            command.env.extend([("HOME".into(), row.home), ("USER".into(), row.name)]);
        }
        host.run(&command).map_err(|why| StateError::failed(format!("Failed to create virtualenv: {why}")))
    }

    /// What Salt shows for a version: Python says it on the other channel since 3.4, so that is nothing.
    fn version(&self, host: &dyn Host) -> Result<String, StateError> {
        let output = self.run(host, &[self.python.clone(), "-V".into()])?;
        Ok(text(&output.stderr).trim_matches('\n').to_owned())
    }

    fn frozen(&self, look: &dyn Look) -> Result<Vec<String>, StateError> {
        let words = ["freeze", "--disable-pip-version-check"].map(str::to_owned);
        let output = look.probe(&self.pip.command(look, &words));
        let output = output.map_err(|why| StateError::failed(format!("pip: {why}")))?;
        Ok(text(&output.stdout).lines().map(str::to_owned).collect())
    }

    fn bring(self, doing: &Doing<'_>) -> Result<Done, StateError> {
        let (host, mut changes) = (doing.host, Map::new());
        let mut comment = "virtualenv exists".to_owned();
        if !self.is_there || self.clear {
            if self.is_there {
                changes.insert("cleared_packages".into(), self.frozen(host)?.into());
                changes.insert("old".into(), self.version(host)?.into());
            }
            let was_there = files::is_there(host, Path::new(&self.name));
            let output = self.run(host, &self.create)?;
            if output.code != 0 {
                // Half an environment would look like one to the next run.
                if !was_there && files::is_there(host, Path::new(&self.name)) {
                    let _ = host.remove(Path::new(&self.name));
                }
                return Ok(Done::failed(text(&output.stdout) + &text(&output.stderr), changes));
            }
            changes.insert("new".into(), self.version(host)?.into());
            comment = if self.clear { "Cleared existing virtualenv" } else { "Created new virtualenv" }.into();
        }
        let Some(words) = &self.install else { return Ok(Done::new(comment, changes)) };
        let before = self.frozen(host)?;
        let output = self.pip.run(host, words)?;
        let after = self.frozen(host)?;
        let only = |these: &[String], those: &[String]| -> Value {
            let rest: Vec<&String> = these.iter().filter(|line| !those.contains(line)).collect();
            if rest.is_empty() { "".into() } else { json!(rest) }
        };
        let (new, old) = (only(&after, &before), only(&before, &after));
        if (&new, &old) != (&"".into(), &"".into()) {
            changes.insert("packages".into(), json!({"new": new, "old": old}));
        }
        match output.code {
            0 => Ok(Done::new(comment, changes)),
            _ => Ok(Done::failed(format!("{comment}\n{}\n{}", text(&output.stdout), text(&output.stderr)), changes)),
        }
    }
}

/// Files of the tree are fetched; others are this host's.
fn requirements(call: &Call<'_>) -> Result<Vec<String>, StateError> {
    let fetched = |file: String| match file.starts_with("salt://") {
        false => Ok(file),
        true => content::cached(call, &file)
            .map(|path| path.to_string_lossy().into_owned())
            .map_err(|_| StateError::Failed(format!("pip requirements file '{file}' not found"))),
    };
    let given = match call.value("requirements") {
        Some(Value::Array(_)) => call.list("requirements"),
        _ => call.some_text("requirements").into_iter().collect(),
    };
    given.into_iter().map(fetched).collect()
}

/// The words of `pip install`; none if no packages are asked for.
fn install(call: &Call<'_>, requirements: &[String]) -> Result<Option<Vec<String>>, StateError> {
    let packages = match call.value("pip_pkgs") {
        Some(Value::Array(_)) => call.list("pip_pkgs"),
        _ => call
            .some_text("pip_pkgs")
            .map(|all| all.split(',').map(|one| one.trim().to_owned()).collect())
            .unwrap_or_default(),
    };
    if requirements.is_empty() && packages.is_empty() {
        return Ok(None);
    }
    // What pip's own states call the same.
    let mut low = call.low.clone();
    for (key, value) in call.low {
        if let Some(name) = key.strip_prefix("pip_") {
            low.insert(name.to_owned(), value.clone());
        }
    }
    let mut words = install_words(&call.with_low(&low))?;
    words.extend(requirements.iter().flat_map(|file| ["--requirement".to_owned(), file.clone()]));
    if !packages.is_empty() {
        words.push("--".into());
        words.extend(packages);
    }
    Ok(Some(words))
}

fn is_python(program: &str) -> bool {
    program.rsplit('/').next().is_some_and(|name| {
        name.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    })
}

/// The words that make the environment: by `virtualenv`, or by Python's own `venv`.
fn create(call: &Call<'_>, name: &str) -> Result<Vec<String>, StateError> {
    let named = ["venv_bin", "virtualenv.venv_bin"]
        .iter()
        .find_map(|key| call.context().opts.get(*key).and_then(Value::as_str).map(str::to_owned));
    let program = call.some_text("venv_bin").or(named);
    let found = || if call.look.which("virtualenv").is_some() { "virtualenv" } else { "venv" }.to_owned();
    let program = program.unwrap_or_else(found);
    let python = call.some_text("python");
    let mut words = match (program.as_str(), &python) {
        ("venv", _) => vec![python.unwrap_or_else(|| "python3".into()), "-m".into(), "venv".into()],
        (other, Some(_)) if is_python(other) => {
            return failed("Pass the target interpreter either as `venv_bin` or as `python`, not both.");
        }
        (other, None) if is_python(other) => vec![program, "-m".into(), "venv".into()],
        (_, python) => {
            [program.clone()].into_iter().chain(python.as_ref().map(|at| format!("--python={at}"))).collect()
        }
    };
    let flags = [
        ("never_download", "--never-download"),
        ("clear", "--clear"),
        ("system_site_packages", "--system-site-packages"),
    ];
    if let Some(prompt) = call.some_text("prompt") {
        words.extend(["--prompt".to_owned(), prompt]);
    }
    words.extend(flags.iter().filter(|(key, _)| call.flag(key, false)).map(|(_, flag)| (*flag).to_owned()));
    words.push(name.to_owned());
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Memory, apply, refused, said, thrice};

    fn host() -> Memory {
        Memory::new(json!({})).with(&[("/list", "")]).answer(|host, line| {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["virtualenv", .., "/v"] => host.put("/v/bin/python", ""),
                ["virtualenv", .., "/broken"] => {
                    host.put("/broken/bin/x", "");
                    return refused(1, "no room");
                }
                [_, "-m", "pip", "install", .., "flask"] => host.put("/list", "Flask==2.1\n"),
                [_, "-m", "pip", "freeze", ..] => return said(&host.text("/list")?),
                _ => {}
            }
            said("")
        })
    }

    #[test]
    fn an_environment_is_made_once_and_filled() {
        let sls = "/v:\n  virtualenv.managed:\n    - pip_pkgs: [flask]\n    - system_site_packages: True\n";
        let host = host();
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "Virtualenv /v is set to be created");
        assert_eq!(first.1, "Created new virtualenv");
        assert_eq!(first.2, json!({"new": "", "packages": {"new": ["Flask==2.1"], "old": ""}}));
        assert_eq!((second.1.as_str(), second.2), ("virtualenv exists", json!({})));
    }

    #[test]
    fn half_an_environment_does_not_stay() {
        let host = host();
        let rows = apply(&host, "/broken:\n  virtualenv.managed: []\n", false);
        assert_eq!((&rows[0].1, rows[0].2.trim()), (&json!(false), "no room"));
        assert!(host.text("/broken/bin/x").is_none());
    }

    #[test]
    fn what_makes_it() {
        for (program, right) in
            [("python3.11", true), ("/usr/bin/python3", true), ("virtualenv", false), ("pythonic", false)]
        {
            assert_eq!(is_python(program), right, "{program}");
        }
    }
}
