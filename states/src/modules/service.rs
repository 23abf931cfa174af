//! `service.*`: services that run, or do not, now and after the next start.

use std::{thread, time::Duration};

use proto::Map;
use serde_json::json;

use super::params::service as params;
use crate::{
    look::Expected,
    plan::{Call, Doing, Done, Plan, State, StateError, StateModule, failed},
    resource::services::{Action, Manager, Status},
};

pub const MODULE: StateModule = StateModule {
    name: "service",
    states: &[
        State {
            name: "running",
            doc: "Makes sure that a service runs.\n\n    nginx:\n      service.running:\n        - enable: True\n        - watch:\n          - file: /etc/nginx/nginx.conf",
            params: params::RUNNING,
            plan: |call| toggle(call, true),
        },
        State {
            name: "dead",
            doc: "Makes sure that a service does not run.\n\n    apache2:\n      service.dead:\n        - enable: False",
            params: params::DEAD,
            plan: |call| toggle(call, false),
        },
        State {
            name: "enabled",
            doc: "Makes sure that a service starts with the host.\n\n    nginx:\n      service.enabled",
            params: params::ENABLED,
            plan: |call| boot(call, true),
        },
        State {
            name: "disabled",
            doc: "Makes sure that a service does not start with the host.\n\n    apache2:\n      service.disabled",
            params: params::DISABLED,
            plan: |call| boot(call, false),
        },
        State {
            name: "masked",
            doc: "Makes sure that a service cannot be started.\n\n    firewalld:\n      service.masked",
            params: params::MASKED,
            plan: |call| mask(call, true),
        },
        State {
            name: "unmasked",
            doc: "Makes sure that a service can be started.\n\n    nginx:\n      service.unmasked",
            params: params::UNMASKED,
            plan: |call| mask(call, false),
        },
    ],
    watch: Some(watch),
};

/// What a state is about.
struct Service {
    name: String,
    manager: Manager,
    now: Status,
}

impl Service {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let name = call.name();
        if name.is_empty() || name.starts_with('-') || name.contains(['/', '\0', '\n']) {
            return failed(format!("'{name}' is not the name of a service"));
        }
        let manager = Manager::detect(call.look);
        let now = manager.status(call.look, &name)?;
        Ok(Self { name, manager, now })
    }

    fn named(&self) -> Map {
        [(self.name.clone(), true.into())].into_iter().collect()
    }

    /// Where systemd is installed and does not run, nothing is known of services without a script.
    fn offline(&self, call: &Call<'_>) -> bool {
        self.manager == Manager::Scripts && !self.now.available && call.look.which("systemctl").is_some()
    }

    fn missing(&self) -> String {
        format!("The named service {} is not available", self.name)
    }
}

/// A service that is not there, but may be by then: a package would be installed before.
fn not_yet(call: &Call<'_>, service: &Service, what: &str) -> Option<Result<Plan, StateError>> {
    if !call.test {
        return None;
    }
    let name = &service.name;
    let comment = format!("Service {name} not present; if created in this state run, it would have been {what}");
    let expected = call.look.expects_packages() || call.look.expects(&Expected::Service(name.clone()));
    let changes = if expected { json!({ name.as_str(): true }) } else { json!({}) };
    Some(Plan::change(comment, changes, |_| Ok(Done::default())))
}

/// `enable` of a state: yes, no, or as it is.
fn wanted_at_boot(call: &Call<'_>) -> Result<Option<bool>, StateError> {
    if call.value("enabled").is_some() {
        return failed(format!(
            "Service {} uses non-existent option \"enabled\".  Perhaps \"enable\" option was intended?",
            call.name()
        ));
    }
    Ok(call.value("enable").map(|_| call.flag("enable", false) && call.text_or("enable", "").to_lowercase() != "false"))
}

fn toggle(call: &Call<'_>, run: bool) -> Result<Plan, StateError> {
    let enable = wanted_at_boot(call)?;
    let service = Service::of(call)?;
    let name = service.name.clone();
    if service.offline(call) && !(call.test && call.look.expects_packages()) {
        return Plan::keep("Running in OFFLINE mode. Nothing to do");
    }
    if !service.now.available {
        return match (not_yet(call, &service, if run { "started" } else { "stopped" }), run) {
            (Some(plan), _) => plan,
            (None, true) => failed(service.missing()),
            (None, false) => Plan::keep(service.missing()),
        };
    }
    let unmask = run && call.flag("unmask", false) && service.now.masked;
    if service.now.running == run && !unmask {
        return match enable {
            Some(enable) if enable != service.now.enabled => set_boot(service, enable),
            _ if run => Plan::keep(format!("The service {name} is already running")),
            _ => Plan::keep(format!("The service {name} is already dead")),
        };
    }
    let delay = call.int("init_delay").and_then(|seconds| u64::try_from(seconds).ok()).filter(|seconds| *seconds > 0);
    let comment = match run {
        true => format!("Service {name} is set to start"),
        false => format!("Service {name} is set to be killed"),
    };
    Plan::change(comment, json!({ name.as_str(): run }), move |doing| act(doing, &service, run, enable, unmask, delay))
}

fn act(
    doing: &Doing<'_>,
    service: &Service,
    run: bool,
    enable: Option<bool>,
    unmask: bool,
    delay: Option<u64>,
) -> Result<Done, StateError> {
    let (host, name) = (doing.host, &service.name);
    if unmask {
        service.manager.act(host, Action::Unmask, name)?;
    }
    let action = if run { Action::Start } else { Action::Stop };
    let went = if service.now.running == run { Ok(()) } else { service.manager.act(host, action, name) };
    let mut done = match went {
        // With systemd, what does not start is not enabled either.
        Err(why) if run && service.manager == Manager::Systemd => return Err(why),
        Err(why) => Done::failed(format!("Service {name} failed to {}\n{why}", verb(run)), Map::new()),
        Ok(()) => {
            delay.into_iter().for_each(|seconds| thread::sleep(Duration::from_secs(seconds)));
            toggled(service, &service.manager.status(host, name)?, run)
        }
    };
    if let Some(enable) = enable {
        let running = if done.result { run } else { !run };
        done = with_boot(doing, service, enable, running, done)?;
    }
    if let Some(seconds) = delay.filter(|_| run && done.result) {
        done.comment.push_str(&format!("\nDelayed return for {seconds} seconds"));
    }
    Ok(done)
}

fn verb(run: bool) -> &'static str {
    if run { "start" } else { "die" }
}

/// What a start or stop came to that the manager did not complain of.
fn toggled(service: &Service, after: &Status, run: bool) -> Done {
    let name = &service.name;
    let mut changes = Map::new();
    if after.running != service.now.running || after.enabled != service.now.enabled {
        changes.insert(name.clone(), after.running.into());
    }
    match (after.running == run, run) {
        (true, true) => Done::new(format!("Started service {name}"), changes),
        (true, false) => Done::new(format!("Service {name} was killed"), changes),
        (false, _) => Done::failed(format!("Service {name} failed to {}", verb(run)), changes),
    }
}

/// Has it start with the host or not, after it was started or stopped: the comment is then about this.
fn with_boot(
    doing: &Doing<'_>,
    service: &Service,
    enable: bool,
    running: bool,
    done: Done,
) -> Result<Done, StateError> {
    let (host, name) = (doing.host, &service.name);
    let word = if enable { "enabled" } else { "disabled" };
    let state = if running { "running" } else { "dead" };
    let before = service.manager.status(host, name)?;
    if before.enabled == enable {
        return Ok(Done { comment: format!("Service {name} is already {word}, and is {state}"), ..done });
    }
    if let Err(why) = service.manager.act(host, if enable { Action::Enable } else { Action::Disable }, name) {
        let how = if enable { "start" } else { "not start" };
        let comment = format!("Failed when setting service {name} to {how} at boot, and is {state}\n{why}");
        return Ok(Done { result: false, comment, ..done });
    }
    // Some services cannot be turned: that is no change.
    let turned = service.manager.status(host, name)?.enabled == enable;
    let changes = if turned { service.named() } else { Map::new() };
    Ok(Done { comment: format!("Service {name} has been {word}, and is {state}"), changes, ..done })
}

/// Only whether it starts with the host.
fn set_boot(service: Service, enable: bool) -> Result<Plan, StateError> {
    let word = if enable { "enabled" } else { "disabled" };
    let (name, changes) = (service.name.clone(), service.named());
    if service.now.fixed {
        // Nobody can turn it: each run of Salt's tries, and changes nothing.
        return Plan::keep(format!("Service {name} has been {word}, and is in the desired state"));
    }
    Plan::change(format!("Service {name} set to be {word}"), changes.clone(), move |doing| {
        service.manager.act(doing.host, if enable { Action::Enable } else { Action::Disable }, &name)?;
        Ok(Done::new(format!("Service {name} has been {word}, and is in the desired state"), changes))
    })
}

fn boot(call: &Call<'_>, enable: bool) -> Result<Plan, StateError> {
    let service = Service::of(call)?;
    if !service.now.available {
        return match (enable, not_yet(call, &service, "enabled")) {
            (true, Some(plan)) => plan,
            (true, None) => failed(service.missing()),
            (false, _) => Plan::keep(service.missing()),
        };
    }
    if service.now.enabled == enable {
        let word = if enable { "enabled" } else { "disabled" };
        return Plan::keep(format!("Service {} is already {word}, and is in the desired state", service.name));
    }
    set_boot(service, enable)
}

fn mask(call: &Call<'_>, mask: bool) -> Result<Plan, StateError> {
    let service = Service::of(call)?;
    if service.manager != Manager::Systemd {
        return failed("Service masking not available on this minion");
    }
    let runtime = call.flag("runtime", false);
    let kind = if runtime { "runtime masked" } else { "masked" };
    let word = match (mask, runtime) {
        (true, _) => kind,
        (false, true) => "runtime unmasked",
        (false, false) => "unmasked",
    };
    let name = service.name.clone();
    if service.now.masked == mask {
        return Plan::keep(match mask {
            true => format!("Service {name} is already {word}"),
            false => format!("Service {name} was already {word}"),
        });
    }
    let changes = json!({ kind: { "old": !mask, "new": mask } });
    Plan::change(format!("Service {name} would be {word}"), changes.clone(), move |doing| {
        let action = if mask { Action::Mask } else { Action::Unmask };
        let output = doing.host.run(&service.manager.command(action, &name, runtime));
        let output = output.map_err(|why| StateError::failed(why.to_string()))?;
        match output.code {
            0 => Ok(Done::new(format!("Service {name} was {word}"), changes)),
            _ => failed(format!("Failed to {} service {name}", if mask { "mask" } else { "unmask" })),
        }
    })
}

/// What watched states make of a service: it is started, restarted, reloaded, or stopped.
fn watch(call: &Call<'_>) -> Result<Plan, StateError> {
    let service = Service::of(call)?;
    let fun = call.text_or("sfun", "");
    let (action, past, verb) = match fun.as_str() {
        "dead" if service.now.running => (Action::Stop, "stopped", "stop"),
        "dead" => return Plan::keep("Service is not running"),
        "running" if service.now.running && call.flag("reload", false) => (Action::Reload, "reloaded", "reload"),
        "running" if service.now.running => (Action::Restart, "restarted", "restart"),
        "running" => (Action::Start, "started", "start"),
        other => return Plan::keep(format!("Unable to trigger watch for service.{other}")),
    };
    let delay = call.int("init_delay").and_then(|seconds| u64::try_from(seconds).ok());
    let changes = service.named();
    Plan::change(format!("Service is set to be {past}"), changes.clone(), move |doing| {
        let went = service.manager.act(doing.host, action, &service.name);
        if let Some(seconds) = delay.filter(|_| went.is_ok()) {
            thread::sleep(Duration::from_secs(seconds));
        }
        Ok(match went {
            Ok(()) => Done::new(format!("Service {past}"), changes),
            Err(why) => Done::failed(format!("Failed to {verb} the service\n{why}"), Map::new()),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Memory, apply, said};

    /// A host with systemd and one service, whose state lies in files.
    fn host() -> Memory {
        Memory::new(json!({"init": "systemd"})).with(&[("/s/enabled", "disabled"), ("/s/active", "inactive")]).answer(
            |host, line| {
                if line.starts_with("systemctl show") {
                    let load = if line.ends_with("web.service") { "loaded" } else { "not-found" };
                    let (active, file) = (host.text("/s/active")?, host.text("/s/enabled")?);
                    return said(&format!("LoadState={load}\nActiveState={active}\nUnitFileState={file}\n"));
                }
                match line.strip_prefix("systemctl ")?.split(' ').next()? {
                    "start" | "restart" => host.put("/s/active", "active"),
                    "stop" => host.put("/s/active", "inactive"),
                    "enable" => host.put("/s/enabled", "enabled"),
                    "disable" => host.put("/s/enabled", "disabled"),
                    "mask" => host.put("/s/enabled", "masked"),
                    "unmask" => host.put("/s/enabled", "disabled"),
                    _ => {}
                }
                said("")
            },
        )
    }

    fn once(host: &Memory, sls: &str, test: bool) -> (Value, String, Value) {
        let (_, result, comment, changes) = apply(host, sls, test).pop().unwrap();
        (result, comment, changes)
    }

    #[test]
    fn a_service_is_started_and_enabled_once() {
        let host = host();
        let sls = "web:\n  service.running:\n    - enable: True\n";
        let test = once(&host, sls, true);
        assert_eq!((test.0, test.1.as_str()), (Value::Null, "Service web is set to start"));
        assert!(host.ran().is_empty());
        let first = once(&host, sls, false);
        assert_eq!(first, (json!(true), "Service web has been enabled, and is running".into(), json!({"web": true})));
        assert_eq!(host.ran(), ["systemctl start -- web.service", "systemctl enable -- web.service"]);
        assert_eq!(once(&host, sls, false), (json!(true), "The service web is already running".into(), json!({})));
        let dead = "web:\n  service.dead:\n    - enable: False\n";
        assert_eq!(once(&host, dead, false).1, "Service web has been disabled, and is dead");
        assert_eq!(once(&host, dead, false).1, "The service web is already dead");
    }

    #[test]
    fn enabling_and_masking() {
        let host = host();
        for (fun, comment, again) in [
            ("enabled", "Service web has been enabled, and is in the desired state", "already enabled"),
            ("disabled", "Service web has been disabled, and is in the desired state", "already disabled"),
            ("masked", "Service web was masked", "already masked"),
            ("unmasked", "Service web was unmasked", "already unmasked"),
        ] {
            let sls = format!("web:\n  service.{fun}: []\n");
            assert_eq!(once(&host, &sls, true).0, Value::Null, "{fun}");
            assert_eq!(once(&host, &sls, false).1, comment);
            let second = once(&host, &sls, false);
            assert!(second.1.contains(again) && second.2 == json!({}), "{fun}: {second:?}");
        }
    }

    #[test]
    fn a_service_that_is_not_there_fails_and_is_dead_enough() {
        let host = host();
        let missing = "The named service nope is not available";
        assert_eq!(once(&host, "nope:\n  service.running: []\n", false), (json!(false), missing.into(), json!({})));
        assert_eq!(once(&host, "nope:\n  service.dead: []\n", false), (json!(true), missing.into(), json!({})));
        assert_eq!(once(&host, "nope:\n  service.running: []\n", true).0, Value::Null);
    }

    #[test]
    fn a_watched_change_restarts_it() {
        let host = host();
        host.put("/s/active", "active");
        let sls = "f:\n  file.managed:\n    - name: /c\n    - contents: x\nweb:\n  service.running:\n    - watch:\n      - file: f\n";
        assert_eq!(once(&host, sls, true).1, "Service is set to be restarted");
        let first = once(&host, sls, false);
        assert_eq!(first, (json!(true), "Service restarted".into(), json!({"web": true})));
        assert_eq!(host.ran(), ["systemctl restart -- web.service"]);
        assert_eq!(once(&host, sls, false).1, "The service web is already running");
    }
}
