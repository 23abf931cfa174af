//! `timezone.*`: the zone of the system's clock.

use std::path::Path;

use proto::{Map, Value};
use serde_json::json;

use super::params::timezone as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed, missing},
    resource::{
        command::{ask, run, text},
        lines,
    },
};

pub const MODULE: StateModule = StateModule {
    name: "timezone",
    states: &[State {
        name: "system",
        doc: "Makes sure that the system has a time zone, and that its clock runs in UTC.\n\n    Europe/Berlin:\n      timezone.system:\n        - utc: True",
        params: params::SYSTEM,
        plan: system,
    }],
    watch: None,
};

const CLOCK: &str = "/etc/localtime";
const ZONES: &str = "/usr/share/zoneinfo";

/// What `timedatectl` tells, where systemd runs.
fn told(look: &dyn Look) -> Option<String> {
    look.which("timedatectl")?;
    let output = ask(look, &["timedatectl"]).ok()?;
    (output.code == 0).then(|| text(&output.stdout))
}

fn field(said: &str, name: &str) -> Option<String> {
    said.lines().find_map(|line| Some(line.trim().strip_prefix(name)?.trim_start_matches(':').trim().to_owned()))
}

/// Whether the system's zone is this one: by name, else by what its file says.
fn is_set(look: &dyn Look, zone: &str) -> Result<bool, StateError> {
    let by_name = told(look)
        .and_then(|said| field(&said, "Time zone"))
        .map(|said| said.split_whitespace().next().unwrap_or("").to_owned());
    if let Some(name) = by_name.filter(|name| !name.is_empty()) {
        return Ok(name == zone);
    }
    if let Ok(link) = look.read_link(CLOCK.as_ref()) {
        let link = Path::new("/etc").join(link);
        let named = link.to_string_lossy().split_once("/zoneinfo/").map(|(_, name)| name.to_owned());
        if let Some(name) = named {
            return Ok(name == zone);
        }
    }
    let read = |path: &Path| look.read(path, 1 << 20).ok();
    Ok(read(CLOCK.as_ref()) == read(&Path::new(ZONES).join(zone)))
}

/// Whether the hardware's clock runs in UTC, as far as anybody knows.
fn is_utc(look: &dyn Look) -> bool {
    if let Some(said) = told(look).and_then(|said| field(&said, "RTC in local TZ")) {
        return said != "yes";
    }
    let adjtime = lines::read(look, "/etc/adjtime".as_ref()).unwrap_or_default();
    adjtime.lines().last() != Some("LOCAL")
}

fn system(call: &Call<'_>) -> Result<Plan, StateError> {
    let (zone, utc) = (call.name(), call.flag("utc", true));
    let parts = |part: &str| !part.is_empty() && !part.starts_with(['.', '-']);
    if !zone.split('/').all(parts) || zone.contains(char::is_whitespace) {
        return failed(format!("'{zone}' is not the name of a time zone"));
    }
    if call.look.stat(&Path::new(ZONES).join(&zone)).is_err() {
        return missing(format!(
            "Unable to compare desired timezone '{zone}' to system timezone: Can't find a local timezone \"{zone}\""
        ));
    }
    let (set, clock) = (is_set(call.look, &zone)?, is_utc(call.look));
    let turn = utc && !clock;
    if set && !turn {
        let utc = if utc { format!(", UTC already set to {zone}") } else { String::new() };
        return Plan::keep(format!("Timezone {zone} already set{utc}"));
    }
    let mut would = Vec::new();
    would.extend((!set).then(|| format!("Timezone {zone} needs to be set")));
    would.extend(turn.then(|| "UTC needs to be set to True".to_owned()));
    Plan::change(would.join(", "), json!({}), move |doing| {
        let (mut changes, mut said, mut good) = (Map::new(), Vec::new(), true);
        if !set {
            set_zone(doing.host, &zone)?;
            changes.insert("timezone".into(), zone.clone().into());
            said.push(format!("Set timezone {zone}"));
        }
        if turn {
            good = set_utc(doing.host)?;
            said.push(format!("{} UTC to True", if good { "Set" } else { "Failed to set" }));
            if good {
                changes.insert("utc".into(), true.into());
            }
        }
        Ok(Done { result: good, ..Done::new(said.join(", "), changes) })
    })
}

fn set_zone(host: &dyn Host, zone: &str) -> Result<(), StateError> {
    let file = Path::new(ZONES).join(zone);
    if host.stat(&file).is_err() {
        return failed(format!("Zone does not exist: {}", file.display()));
    }
    if host.which("timedatectl").is_some() {
        let _ = run(host, &["timedatectl", "set-timezone", zone])?;
    }
    let clock = Path::new(CLOCK);
    if host.stat(clock).is_ok() {
        host.remove(clock).map_err(|why| StateError::io("remove", clock, &why))?;
    }
    host.symlink(&file, clock).map_err(|why| StateError::io("link", clock, &why))?;
    match host.grains().get("os_family").and_then(Value::as_str) {
        Some("Debian" | "Gentoo") => lines::write(host, "/etc/timezone".as_ref(), &format!("{zone}\n"), 0o644),
        _ => Ok(()),
    }
}

fn set_utc(host: &dyn Host) -> Result<bool, StateError> {
    if host.which("timedatectl").is_some() && run(host, &["timedatectl", "set-local-rtc", "false"])?.code == 0 {
        return Ok(true);
    }
    let adjtime = lines::read(host, "/etc/adjtime".as_ref()).unwrap_or_else(|| "0.0 0 0.0\n0\nLOCAL\n".into());
    lines::write(host, "/etc/adjtime".as_ref(), &adjtime.replace("LOCAL", "UTC"), 0o644)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, refused, thrice};

    #[test]
    fn a_zone_is_set_by_its_link() {
        let files = [("/usr/share/zoneinfo/Europe/Berlin", "TZ"), ("/etc/localtime", "UTC")];
        let host = Memory::new(json!({"os_family": "Debian"})).with(&files).answer(|_, _| refused(1, "no bus"));
        let [test, first, second] = thrice(&host, &[("t.sls", "Europe/Berlin:\n  timezone.system: []\n")]);
        assert_eq!(test.1, "Timezone Europe/Berlin needs to be set");
        assert_eq!((first.1.as_str(), first.2), ("Set timezone Europe/Berlin", json!({"timezone": "Europe/Berlin"})));
        assert_eq!(second.1, "Timezone Europe/Berlin already set, UTC already set to Europe/Berlin");
        assert_eq!(host.text("/etc/timezone").unwrap(), "Europe/Berlin\n");
        let rows = apply(&host, "Europe/../../etc/passwd:\n  timezone.system: []\n", true);
        assert_eq!(rows[0].2, "'Europe/../../etc/passwd' is not the name of a time zone");
    }
}
