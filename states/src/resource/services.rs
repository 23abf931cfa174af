//! Services: systemd, OpenRC, and the scripts of `/etc/init.d` where neither runs.

use proto::Value;

use super::command::{complaint, program, text};
use crate::{Command, Host, Look, Output, plan::StateError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Systemd,
    OpenRc,
    Scripts,
}

/// What is known of a service.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    pub available: bool,
    pub running: bool,
    /// Whether it starts with the host, or is part of what does.
    pub enabled: bool,
    /// It cannot be enabled or disabled: others start it.
    pub fixed: bool,
    pub masked: bool,
}

/// What can be done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Start,
    Stop,
    Restart,
    Reload,
    Enable,
    Disable,
    Mask,
    Unmask,
}

impl Manager {
    pub fn detect(look: &dyn Look) -> Self {
        let init = look.grains().get("init").and_then(Value::as_str).unwrap_or("");
        let there = |path: &str| look.stat(path.as_ref()).is_ok();
        match init {
            "systemd" => Self::Systemd,
            "openrc" => Self::OpenRc,
            _ if there("/run/systemd/system") => Self::Systemd,
            _ if there("/sbin/openrc") || there("/sbin/rc-service") => Self::OpenRc,
            _ => Self::Scripts,
        }
    }

    pub fn status(self, look: &dyn Look, name: &str) -> Result<Status, StateError> {
        match self {
            Self::Systemd => {
                let command = program(&[
                    "systemctl",
                    "show",
                    "-p",
                    "LoadState",
                    "-p",
                    "ActiveState",
                    "-p",
                    "UnitFileState",
                    "--",
                    &unit(name),
                ]);
                Ok(systemd_status(&text(&probe(look, &command)?.stdout)))
            }
            Self::OpenRc => {
                let listed = text(&probe(look, &program(&["rc-update", "show", "-v"]))?.stdout);
                let enabled = listed.lines().any(|line| openrc_enabled(line, name));
                let available = look.stat(format!("/etc/init.d/{name}").as_ref()).is_ok();
                let running = available && probe(look, &program(&["rc-service", name, "status"]))?.code == 0;
                Ok(Status { available, running, enabled, ..Status::default() })
            }
            Self::Scripts => {
                let available = look.stat(format!("/etc/init.d/{name}").as_ref()).is_ok();
                let running = available && probe(look, &program(&["service", name, "status"]))?.code == 0;
                let level = |level: u8| look.list(format!("/etc/rc{level}.d").as_ref()).unwrap_or_default();
                let starts = |link: &String| link.starts_with('S') && link.get(3..) == Some(name);
                let enabled = (2..=5).any(|number| level(number).iter().any(starts));
                Ok(Status { available, running, enabled, ..Status::default() })
            }
        }
    }

    pub fn command(self, action: Action, name: &str, runtime: bool) -> Command {
        let verb = match action {
            Action::Start => "start",
            Action::Stop => "stop",
            Action::Restart => "restart",
            Action::Reload => "reload",
            Action::Enable => "enable",
            Action::Disable => "disable",
            Action::Mask => "mask",
            Action::Unmask => "unmask",
        };
        let changes_boot = matches!(action, Action::Enable | Action::Disable | Action::Mask | Action::Unmask);
        match self {
            Self::Systemd if runtime => program(&["systemctl", verb, "--runtime", "--", &unit(name)]),
            Self::Systemd => program(&["systemctl", verb, "--", &unit(name)]),
            Self::OpenRc if changes_boot => {
                let verb = if action == Action::Enable { "add" } else { "delete" };
                program(&["rc-update", verb, name])
            }
            Self::OpenRc => program(&["rc-service", name, verb]),
            Self::Scripts if changes_boot => {
                program(&["update-rc.d", name, if action == Action::Enable { "enable" } else { "disable" }])
            }
            Self::Scripts => program(&["service", name, verb]),
        }
    }

    /// Does it; the manager's complaint is the error.
    pub fn act(self, host: &dyn Host, action: Action, name: &str) -> Result<(), StateError> {
        if self == Self::Scripts && action == Action::Enable {
            // A script that nobody has announced yet has no links to be turned.
            let _ = host.run(&program(&["update-rc.d", name, "defaults"]));
        }
        let output = host.run(&self.command(action, name, false)).map_err(|why| StateError::failed(why.to_string()))?;
        if output.code == 0 { Ok(()) } else { Err(StateError::failed(complaint(&output))) }
    }

    /// All services by name, with whether they start by themselves.
    pub fn all(self, look: &dyn Look) -> Result<Vec<(String, bool)>, StateError> {
        let mut all: Vec<(String, bool)> = match self {
            Self::Systemd => {
                let command = program(&["systemctl", "list-unit-files", "--type=service", "--no-legend", "--no-pager"]);
                let said = text(&probe(look, &command)?.stdout);
                said.lines()
                    .filter_map(|line| {
                        let mut words = line.split_whitespace();
                        let name = words.next()?.strip_suffix(".service")?.to_owned();
                        Some((name, words.next() == Some("enabled")))
                    })
                    .collect()
            }
            _ => {
                let names = look.list("/etc/init.d".as_ref()).unwrap_or_default();
                names
                    .into_iter()
                    .map(|name| self.status(look, &name).map(|status| (name, status.enabled)))
                    .collect::<Result<_, _>>()?
            }
        };
        all.sort();
        Ok(all)
    }
}

fn unit(name: &str) -> String {
    const TYPES: [&str; 9] =
        [".service", ".socket", ".target", ".timer", ".mount", ".path", ".device", ".swap", ".slice"];
    if TYPES.iter().any(|kind| name.ends_with(kind)) { name.to_owned() } else { format!("{name}.service") }
}

fn probe(look: &dyn Look, command: &Command) -> Result<Output, StateError> {
    look.probe(command).map_err(|why| StateError::failed(why.to_string()))
}

fn systemd_status(said: &str) -> Status {
    let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or("");
    let file = value("UnitFileState");
    Status {
        available: !matches!(value("LoadState"), "not-found" | ""),
        running: matches!(value("ActiveState"), "active" | "reloading" | "activating"),
        // Those of which `systemctl is-enabled` says yes.
        enabled: matches!(
            file,
            "enabled" | "enabled-runtime" | "alias" | "static" | "indirect" | "generated" | "transient"
        ),
        fixed: matches!(file, "static" | "generated" | "transient"),
        masked: file.starts_with("masked") || value("LoadState") == "masked",
    }
}

/// ` nginx | default`.
fn openrc_enabled(line: &str, name: &str) -> bool {
    line.split_once('|').is_some_and(|(service, levels)| service.trim() == name && !levels.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_the_real_tools_is_read() {
        let on = systemd_status("LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n");
        assert_eq!(on, Status { available: true, running: true, enabled: true, ..Status::default() });
        let fixed = systemd_status("LoadState=loaded\nActiveState=inactive\nUnitFileState=static\n");
        assert!(fixed.enabled && fixed.fixed);
        let none = systemd_status("LoadState=not-found\nActiveState=inactive\nUnitFileState=\n");
        assert_eq!(none, Status::default());
        assert!(systemd_status("LoadState=masked\nActiveState=inactive\nUnitFileState=masked\n").masked);
        assert!(openrc_enabled("                nginx | default", "nginx"));
        assert!(!openrc_enabled("                nginx |", "nginx"));
    }

    #[test]
    fn a_name_means_a_service_unless_it_says_otherwise() {
        assert_eq!(unit("nginx"), "nginx.service");
        assert_eq!(unit("a.timer"), "a.timer");
        assert_eq!(unit("php8.2-fpm"), "php8.2-fpm.service");
    }
}
