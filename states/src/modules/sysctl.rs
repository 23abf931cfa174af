//! `sysctl.*`: settings of the kernel, now and after the next start.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::params::sysctl as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{command, lines, services::Manager},
};

pub const MODULE: StateModule = StateModule {
    name: "sysctl",
    states: &[State {
        name: "present",
        doc: "Makes sure that a setting of the kernel has a value, now and after the next start.\n\n    vm.swappiness:\n      sysctl.present:\n        - value: 20",
        params: params::PRESENT,
        plan: present,
    }],
    watch: None,
};

/// Where Salt keeps settings.
pub fn default_config(look: &dyn Look) -> PathBuf {
    match Manager::detect(look) {
        Manager::Systemd => "/etc/sysctl.d/99-salt.conf".into(),
        _ => "/etc/sysctl.conf".into(),
    }
}

const HEADER: &str = "#\n# Kernel sysctl configuration\n#\n";

fn squeezed(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

/// The setting of a line of the configuration, if it sets one.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once('=')?;
    let key = key.trim();
    (!key.starts_with('#')).then(|| (key, value.trim()))
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, value) = (call.name(), call.need("value")?);
    if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        return failed(format!("'{name}' is not the name of a setting of the kernel"));
    }
    let config = call.some_text("config").map_or_else(|| default_config(call.look), PathBuf::from);
    let text = lines::read(call.look, &config).unwrap_or_default();
    let configured = text.lines().filter_map(setting).rfind(|(key, _)| *key == name);
    let current = current(call.look, &name)?;
    let live = squeezed(&current) == squeezed(&value);
    if live && configured.is_some_and(|(_, set)| squeezed(set) == squeezed(&value)) {
        return Plan::keep(format!("Sysctl value {name} = {value} is already set"));
    }
    // What the kernel does not know at all, Salt takes for a value that it has.
    let is_empty = current.is_empty() && call.look.stat(&file(&name)).is_ok();
    let comment = match (is_empty, configured.is_some()) {
        (false, false) if live => format!(
            "Sysctl value is currently set on the running system but not in a config file. Sysctl option {name} set \
             to be changed to {value} in config file."
        ),
        (false, false) => format!("Sysctl option {name} set to be changed to {value}"),
        (true, true) => format!(
            "Sysctl value {name} is present in configuration file but is not present in the running config. The value \
             {name} is set to be changed to {value}"
        ),
        _ => format!("Sysctl option {name} would be changed to {value}"),
    };
    let given = call.value("value").cloned();
    Plan::change(comment, json!({}), move |doing| {
        let changes = json!({ name.as_str(): given });
        persist(doing.host, &config, &name, &value)
            .map_err(|why| StateError::failed(format!("Failed to set {name} to {value}: {why}")))?;
        Ok(Done::new(format!("Updated sysctl value {name} = {value}"), changes))
    })
}

/// The value that the kernel has now.
pub fn current(look: &dyn Look, name: &str) -> Result<String, StateError> {
    let output = command::ask(look, &["sysctl", "-n", name])?;
    Ok(if output.code == 0 { command::text(&output.stdout) } else { String::new() })
}

/// Where the kernel has a setting.
fn file(name: &str) -> PathBuf {
    let turned = name.chars().map(|c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    });
    format!("/proc/sys/{}", turned.collect::<String>()).into()
}

/// Sets a value now and in the configuration.
pub fn persist(host: &dyn Host, config: &Path, name: &str, value: &str) -> Result<(), StateError> {
    let text = lines::read(host, config).unwrap_or_else(|| HEADER.to_owned());
    let is_same = |old: &str| setting(old).is_some_and(|(key, set)| key == name && squeezed(set) == squeezed(value));
    if !text.lines().any(is_same) {
        let line = format!("{name} = {value}");
        let new = lines::set(&text, &line, |old| setting(old).is_some_and(|(key, _)| key == name));
        lines::write(host, config, &new, 0o644)?;
    }
    if host.stat(&file(name)).is_err() {
        return failed(format!("sysctl {name} does not exist"));
    }
    let output = command::run(host, &["sysctl", "-w", &format!("{name}={value}")])?;
    match output.code {
        0 => Ok(()),
        _ => failed(format!("sysctl -w failed: {}", command::complaint(&output))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, said, thrice};

    #[test]
    fn a_value_is_set_now_and_for_later() {
        let files = [("/proc/sys/vm/swappiness", "60\n"), ("/etc/sysctl.conf", "vm.swappiness = 60\n# x = y\n")];
        let host = Memory::new(json!({"init": "sysvinit"})).with(&files).answer(|host, line| {
            match line {
                "sysctl -n vm.swappiness" => return said(&host.text("/proc/sys/vm/swappiness")?),
                "sysctl -w vm.swappiness=20" => host.put("/proc/sys/vm/swappiness", "20\n"),
                _ => return None,
            }
            said("vm.swappiness = 20\n")
        });
        let [test, first, second] = thrice(&host, &[("t.sls", "vm.swappiness:\n  sysctl.present:\n    - value: 20\n")]);
        assert_eq!(test.1, "Sysctl option vm.swappiness would be changed to 20");
        assert_eq!(first.2, json!({"vm.swappiness": 20}));
        assert_eq!(second.1, "Sysctl value vm.swappiness = 20 is already set");
        assert_eq!(host.text("/etc/sysctl.conf").unwrap(), "vm.swappiness = 20\n# x = y\n");
        let sls = "no.such:\n  sysctl.present:\n    - value: 1\n";
        assert_eq!(apply(&host, sls, true)[0].2, "Sysctl option no.such set to be changed to 1");
        let rows = apply(&host, sls, false);
        assert_eq!(rows[0].2, "Failed to set no.such to 1: sysctl no.such does not exist");
    }
}
