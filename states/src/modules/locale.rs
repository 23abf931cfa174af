//! `locale.*`: languages that are there, and the one that is used.

use serde_json::json;

use super::params::locale as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        command::{ask, complaint, run, text},
        lines,
        services::Manager,
    },
};
use proto::Value;

pub const MODULE: StateModule = StateModule {
    name: "locale",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a language is generated.\n\n    de_DE.UTF-8:\n      locale.present",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "system",
            doc: "Makes a language that of the system.\n\n    de_DE.UTF-8:\n      locale.system",
            params: params::SYSTEM,
            plan: system,
        },
    ],
    watch: None,
};

fn grain<'l>(look: &'l dyn Look, key: &str) -> &'l str {
    look.grains().get(key).and_then(Value::as_str).unwrap_or("")
}

/// A name as `locale -a` writes it: `de_DE.utf8`.
fn normalized(name: &str) -> String {
    let name = name.split_whitespace().next().unwrap_or("");
    let (name, modifier) = name.split_once('@').map_or((name, String::new()), |(a, b)| (a, format!("@{b}")));
    match name.split_once('.') {
        Some((language, codeset)) => format!("{language}.{}{modifier}", codeset.to_lowercase().replace('-', "")),
        None => format!("{name}{modifier}"),
    }
}

fn is_there(look: &dyn Look, name: &str) -> Result<bool, StateError> {
    let wanted = normalized(name);
    Ok(text(&ask(look, &["locale", "-a"])?.stdout).lines().any(|known| normalized(known.trim()) == wanted))
}

fn named(call: &Call<'_>) -> Result<String, StateError> {
    let name = call.name();
    let fits = |c: char| c.is_ascii_alphanumeric() || "_.-@ ".contains(c);
    match name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
        true => failed(format!("'{name}' is not the name of a locale")),
        false => Ok(name),
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    if is_there(call.look, &name)? {
        return Plan::keep(format!("Locale {name} is already present"));
    }
    Plan::change(format!("Locale {name} needs to be generated"), json!({}), move |doing| {
        match generate(doing.host, &name)? {
            true => Ok(Done::new(format!("Generated locale {name}"), json!({ "locale": name }))),
            false => failed(format!("Failed to generate locale {name}")),
        }
    })
}

fn generate(host: &dyn Host, name: &str) -> Result<bool, StateError> {
    let codeset = name.split_once('.').map_or("", |(_, rest)| rest.split(['@', ' ']).next().unwrap_or(""));
    let full = if name.contains(' ') || codeset.is_empty() { name.to_owned() } else { format!("{name} {codeset}") };
    let supported = lines::read(host, "/usr/share/i18n/SUPPORTED".as_ref());
    if grain(host, "os") == "Debian" && supported.is_some_and(|all| !all.lines().any(|line| line.trim() == full)) {
        return Ok(false);
    }
    let list = "/etc/locale.gen";
    if let Some(text) = lines::read(host, list.as_ref()) {
        let is_it = |line: &str| line.trim_start_matches(['#', ' ', '\t']).trim_end() == full;
        lines::write(host, list.as_ref(), &lines::set(&text, &full, is_it), 0o644)?;
    }
    if host.which("locale-gen").is_some() {
        let word = if grain(host, "os") == "Ubuntu" { normalized(name) } else { full };
        return Ok(run(host, &["locale-gen", &word])?.code == 0);
    }
    let language = name.split(['.', '@']).next().unwrap_or(name);
    let target = format!("{language}.{codeset}");
    let output = run(host, &["localedef", "--force", "-i", language, "-f", codeset, &target, "--quiet"])?;
    Ok(output.code == 0)
}

/// The file that names the system's language, and the variable in it.
fn file(look: &dyn Look) -> Result<(&'static str, &'static str), StateError> {
    match (Manager::detect(look), grain(look, "os_family")) {
        (_, "Debian") => Ok(("/etc/default/locale", "LANG")),
        (Manager::Systemd, _) => Ok(("/etc/locale.conf", "LANG")),
        (_, "RedHat") => Ok(("/etc/sysconfig/i18n", "LANG")),
        (_, "Suse") => Ok(("/etc/sysconfig/language", "RC_LANG")),
        _ => failed(format!("Failed to set system locale: Error: \"{}\" is unsupported!", grain(look, "oscodename"))),
    }
}

fn current(look: &dyn Look) -> Result<String, StateError> {
    let (file, variable) = file(look)?;
    let text = lines::read(look, file.as_ref()).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='));
    Ok(value.unwrap_or("").trim().trim_matches('"').to_owned())
}

fn system(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = named(call)?;
    if current(call.look)? == name {
        return Plan::keep(format!("System locale {name} already set"));
    }
    Plan::change(format!("System locale {name} needs to be set"), json!({}), move |doing| {
        let host = doing.host;
        let (path, variable) = file(host)?;
        let by_systemd = path == "/etc/locale.conf" && host.which("localectl").is_some();
        let set = by_systemd && run(host, &["localectl", "set-locale", &format!("LANG={name}")])?.code == 0;
        if !set {
            if path == "/etc/default/locale" {
                let Some(_) = host.which("update-locale") else {
                    return failed("Failed to set system locale: Cannot set locale: \"update-locale\" was not found.");
                };
                let output = run(host, &["update-locale"])?;
                if output.code != 0 {
                    return failed(format!("Failed to set system locale: {}", complaint(&output)));
                }
            }
            let quoted = if path == "/etc/locale.conf" { name.clone() } else { format!("\"{name}\"") };
            let text = lines::read(host, path.as_ref()).unwrap_or_default();
            let is_it = |line: &str| line.strip_prefix(variable).is_some_and(|rest| rest.starts_with('='));
            lines::write(host, path.as_ref(), &lines::set(&text, &format!("{variable}={quoted}"), is_it), 0o644)?;
        }
        Ok(Done::new(format!("Set system locale {name}"), json!({ "locale": name })))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, said, thrice};

    #[test]
    fn a_language_is_generated_and_used() {
        let files = [("/etc/locale.gen", "# de_DE.UTF-8 UTF-8\n# fr_FR.UTF-8 UTF-8\n"), ("/all", "C\nPOSIX\n")];
        let host = Memory::new(json!({"os": "Debian", "os_family": "Debian"})).with(&files).answer(|host, line| {
            match line {
                "locale -a" => return said(&host.text("/all")?),
                "locale-gen de_DE.UTF-8 UTF-8" => host.put("/all", "C\nde_DE.utf8\n"),
                _ => {}
            }
            said("")
        });
        let [test, first, second] = thrice(&host, &[("t.sls", "de_DE.UTF-8:\n  locale.present: []\n")]);
        assert_eq!(test.1, "Locale de_DE.UTF-8 needs to be generated");
        assert_eq!(first.2, json!({"locale": "de_DE.UTF-8"}));
        assert_eq!(second.1, "Locale de_DE.UTF-8 is already present");
        assert_eq!(host.text("/etc/locale.gen").unwrap(), "de_DE.UTF-8 UTF-8\n# fr_FR.UTF-8 UTF-8\n");
        let [_, first, second] = thrice(&host, &[("t.sls", "de_DE.UTF-8:\n  locale.system: []\n")]);
        assert_eq!(
            (first.1.as_str(), second.1.as_str()),
            ("Set system locale de_DE.UTF-8", "System locale de_DE.UTF-8 already set")
        );
        assert_eq!(host.text("/etc/default/locale").unwrap(), "LANG=\"de_DE.UTF-8\"\n");
    }
}
