//! `service.*` beyond what `states::functions` reads. Salt's `modules/systemd_service.py`; OpenRC
//! and scripts as far as they have the same thing.

use proto::{Map, Value};
use serde_json::json;
use states::{
    CallError, Command, Context, Function,
    resource::services::{Action, Manager},
};

use super::bind::{Bound, NAMED, need, row, with};

pub static TABLE: &[Function] = &[
    row!(
        "service.start",
        Writes,
        [need("name"), with("no_block", "False"), with("unmask", "False"), with("unmask_runtime", "False")],
        |context, bound| act(context, bound, Action::Start),
        "Starts a service.\n\n    ctl run '*' service.start nginx"
    ),
    row!(
        "service.stop",
        Writes,
        [need("name"), with("no_block", "None")],
        |context, bound| act(context, bound, Action::Stop),
        "Stops a service.\n\n    ctl run '*' service.stop nginx"
    ),
    row!(
        "service.restart",
        Writes,
        [need("name"), with("no_block", "None"), with("unmask", "False"), with("unmask_runtime", "False")],
        |context, bound| act(context, bound, Action::Restart),
        "Stops a service and starts it again.\n\n    ctl run '*' service.restart nginx"
    ),
    row!(
        "service.reload",
        Writes,
        [need("name"), with("no_block", "False"), with("unmask", "False"), with("unmask_runtime", "False")],
        |context, bound| act(context, bound, Action::Reload),
        "Has a service read its configuration anew.\n\n    ctl run '*' service.reload nginx"
    ),
    row!(
        "service.force_reload",
        Writes,
        [need("name"), with("no_block", "True"), with("unmask", "False"), with("unmask_runtime", "False")],
        |context, bound| {
            let name = name(bound)?;
            unmasked_first(context, bound, &name)?;
            verb(context, &name, "force-reload", bound.flag("no_block", true))
        },
        "Has a service read its configuration anew, or restarts it where it cannot.\n\n    \
         ctl run '*' service.force_reload nginx"
    ),
    row!(
        "service.enable",
        Writes,
        [need("name"), with("no_block", "False"), with("unmask", "False"), with("unmask_runtime", "False"), NAMED],
        |context, bound| act(context, bound, Action::Enable),
        "Lets a service start with the host.\n\n    ctl run '*' service.enable nginx"
    ),
    row!(
        "service.disable",
        Writes,
        [need("name"), with("no_block", "False"), NAMED],
        |context, bound| act(context, bound, Action::Disable),
        "Does not let a service start with the host any more.\n\n    ctl run '*' service.disable nginx"
    ),
    row!(
        "service.mask",
        Writes,
        [need("name"), with("runtime", "False"), with("root", "None")],
        |context, bound| act(context, bound, Action::Mask),
        "Lets a service not be started by anybody; with `runtime` until the host starts anew.\n\n    \
         ctl run '*' service.mask nginx"
    ),
    row!(
        "service.unmask",
        Writes,
        [need("name"), with("runtime", "False"), with("root", "None")],
        |context, bound| act(context, bound, Action::Unmask),
        "Lets a masked service be started again.\n\n    ctl run '*' service.unmask nginx"
    ),
    row!(
        "service.systemctl_reload",
        Writes,
        [],
        |context, _| {
            only_systemd(context, "service.systemctl_reload")?;
            run(context, &["systemctl", "--system", "daemon-reload"])
                .map_err(|why| CallError::failed(format!("Problem performing systemctl daemon-reload: {why}")))?;
            Ok(true.into())
        },
        "Has systemd read its units anew.\n\n    ctl run '*' service.systemctl_reload"
    ),
    row!(
        "service.get_all",
        Reads,
        [with("root", "None")],
        |context, bound| listed(context, bound, |_| true),
        "Lists all services.\n\n    ctl run '*' service.get_all"
    ),
    row!(
        "service.get_enabled",
        Reads,
        [with("root", "None")],
        |context, bound| listed(context, bound, |state| state == "enabled"),
        "Lists the services that start with the host.\n\n    ctl run '*' service.get_enabled"
    ),
    row!(
        "service.get_disabled",
        Reads,
        [with("root", "None")],
        |context, bound| listed(context, bound, |state| state == "disabled"),
        "Lists the services that do not start with the host.\n\n    ctl run '*' service.get_disabled"
    ),
    row!(
        "service.get_static",
        Reads,
        [with("root", "None")],
        |context, bound| listed(context, bound, |state| state == "static"),
        "Lists the services that only others start.\n\n    ctl run '*' service.get_static"
    ),
    row!(
        "service.get_running",
        Reads,
        [],
        |context, _| {
            let said = match Manager::detect(context.look) {
                Manager::Systemd => ask(context, &["systemctl", "--full", "--no-legend", "--no-pager"])?,
                manager => {
                    let all = manager.all(context.look).map_err(|why| CallError::failed(why.to_string()))?;
                    let runs = |name: &str| manager.status(context.look, name).is_ok_and(|status| status.running);
                    let names = all.into_iter().map(|(name, _)| name).filter(|name| runs(name));
                    return Ok(names.collect());
                }
            };
            Ok(running(&said).into())
        },
        "Lists the services that run.\n\n    ctl run '*' service.get_running"
    ),
    row!(
        "service.show",
        Reads,
        [need("name"), with("root", "None")],
        |context, bound| {
            only_systemd(context, "service.show")?;
            Ok(shown(&ask(context, &["systemctl", "show", "--", &unit(&name(bound)?)])?).into())
        },
        "Shows what systemd knows of a unit.\n\n    ctl run '*' service.show nginx"
    ),
    row!(
        "service.firstboot",
        Writes,
        [
            with("locale", "None"),
            with("locale_message", "None"),
            with("keymap", "None"),
            with("timezone", "None"),
            with("hostname", "None"),
            with("machine_id", "None"),
            with("root", "None"),
        ],
        |context, bound| {
            let mut words = vec!["systemd-firstboot".to_owned()];
            for (key, option) in FIRST_BOOT {
                let value = bound.text(key)?.filter(|value| !value.is_empty());
                words.extend(value.map(|value| format!("--{option}={value}")));
            }
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let done = run(context, &words);
            done.map(|()| true.into()).map_err(|why| CallError::failed(format!("systemd-firstboot error: {why}")))
        },
        "Sets what a host is given before its first start, by `systemd-firstboot`.\n\n    \
         ctl run '*' service.firstboot locale=en_GB.UTF-8 root=/srv/image"
    ),
    row!(
        "service.execs",
        Reads,
        [with("root", "None")],
        |context, bound| {
            only_systemd(context, "service.execs")?;
            let all = listed(context, bound, |_| true)?;
            let mut execs = Map::new();
            for name in all.as_array().into_iter().flatten().filter_map(Value::as_str) {
                let shown = shown(&ask(context, &["systemctl", "show", "-p", "ExecStart", "--", &unit(name)])?);
                if let Some(path) = shown.get("ExecStart").and_then(|start| start.get("path")) {
                    execs.insert(name.to_owned(), path.clone());
                }
            }
            Ok(execs.into())
        },
        "Lists the programs that services start.\n\n    ctl run '*' service.execs"
    ),
    row!(
        "service.offline",
        Reads,
        [],
        |context, _| Ok((context.look.stat("/run/systemd/system".as_ref()).is_err()).into()),
        "Tells whether systemd does not run here, as in an image that is being made.\n\n    ctl run '*' service.offline"
    ),
];

/// Types of units whose names Salt shows.
const TYPES: &[&str] = &["service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer"];

fn name(bound: &Bound) -> Result<String, CallError> {
    let name = bound.need_text("name")?;
    match name.is_empty() || name.starts_with('-') || name.contains(['/', '\0', '\n']) {
        true => Err(CallError::arguments(format!("'{name}' is not the name of a service"))),
        false => Ok(name),
    }
}

fn unit(name: &str) -> String {
    let typed =
        name.rsplit_once('.').is_some_and(|(_, kind)| TYPES.contains(&kind) || matches!(kind, "slice" | "scope"));
    if typed { name.to_owned() } else { format!("{name}.service") }
}

fn command(words: &[&str]) -> Command {
    let argv = words.iter().map(ToString::to_string).collect();
    Command { argv, env: vec![("LC_ALL".into(), "C".into())], ..Command::default() }
}

fn ask(context: &Context<'_>, words: &[&str]) -> Result<String, CallError> {
    let output = context.look.probe(&command(words)).map_err(|error| CallError::failed(error.to_string()))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command; what it says of its failure is the error.
fn run(context: &Context<'_>, words: &[&str]) -> Result<(), CallError> {
    let output = context.host()?.run(&command(words)).map_err(|error| CallError::failed(error.to_string()))?;
    match output.code {
        0 => Ok(()),
        _ => Err(CallError::failed(String::from_utf8_lossy(&output.stderr).trim().to_owned())),
    }
}

/// Parameters of `service.firstboot`, and the options that they become.
const FIRST_BOOT: &[(&str, &str)] = &[
    ("locale", "locale"),
    ("locale_message", "locale-messages"),
    ("keymap", "keymap"),
    ("timezone", "timezone"),
    ("hostname", "hostname"),
    ("machine_id", "machine-id"),
    ("root", "root"),
];

fn only_systemd(context: &Context<'_>, function: &str) -> Result<(), CallError> {
    match Manager::detect(context.look) {
        Manager::Systemd => Ok(()),
        _ => Err(CallError::failed(format!("{function} is only available where systemd is"))),
    }
}

fn unmasked_first(context: &Context<'_>, bound: &Bound, name: &str) -> Result<(), CallError> {
    let wanted = bound.flag("unmask", false) || bound.flag("unmask_runtime", false);
    if !wanted || Manager::detect(context.look) != Manager::Systemd {
        return Ok(());
    }
    if bound.flag("unmask_runtime", false) {
        run(context, &["systemctl", "unmask", "--runtime", "--", &unit(name)])?;
    }
    if bound.flag("unmask", false) { run(context, &["systemctl", "unmask", "--", &unit(name)]) } else { Ok(()) }
}

fn verb(context: &Context<'_>, name: &str, verb: &str, no_block: bool) -> Result<Value, CallError> {
    match Manager::detect(context.look) {
        Manager::Systemd => {
            let unit = unit(name);
            let words = ["systemctl"].into_iter().chain(no_block.then_some("--no-block")).chain([verb, "--", &unit]);
            run(context, &words.collect::<Vec<_>>())?;
        }
        _ => run(context, &["service", name, verb])?,
    }
    Ok(true.into())
}

fn act(context: &Context<'_>, bound: &Bound, action: Action) -> Result<Value, CallError> {
    let name = name(bound)?;
    if let Some(key) =
        ["root"].into_iter().find(|key| bound.has(key) || bound.named.get(*key).is_some_and(|v| !v.is_null()))
    {
        return Err(CallError::arguments(format!("{key}: units of other systems cannot be managed here")));
    }
    unmasked_first(context, bound, &name)?;
    let manager = Manager::detect(context.look);
    let mut command = manager.command(action, &name, bound.flag("runtime", false));
    if manager == Manager::Systemd && bound.flag("no_block", false) {
        command.argv.insert(1, "--no-block".into());
    }
    let output = context.host()?.run(&command).map_err(|error| CallError::failed(error.to_string()))?;
    // Salt tells of some failures by false, of others with a reason; a reason is better than none.
    match (output.code, action) {
        (0, _) => Ok(true.into()),
        (_, Action::Stop | Action::Disable) => Ok(false.into()),
        _ => {
            let said = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
            let said = said.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| "it did not say why".into());
            Err(CallError::failed(said))
        }
    }
}

fn listed(context: &Context<'_>, bound: &Bound, wanted: fn(&str) -> bool) -> Result<Value, CallError> {
    if bound.has("root") {
        return Err(CallError::arguments("root: units of other systems cannot be managed here"));
    }
    let manager = Manager::detect(context.look);
    if manager != Manager::Systemd {
        let all = manager.all(context.look).map_err(|why| CallError::failed(why.to_string()))?;
        let state = |on: bool| if on { "enabled" } else { "disabled" };
        return Ok(all.into_iter().filter(|(_, on)| wanted(state(*on))).map(|(name, _)| name).collect());
    }
    let said = ask(context, &["systemctl", "--full", "--no-legend", "--no-pager", "list-unit-files"])?;
    Ok(unit_files(&said, wanted).into())
}

/// The name that Salt shows of a unit; services go without their type.
fn short(unit: &str) -> Option<&str> {
    let (name, kind) = unit.rsplit_once('.')?;
    TYPES.contains(&kind).then_some(if kind == "service" { name } else { unit })
}

fn unit_files(said: &str, wanted: fn(&str) -> bool) -> Vec<String> {
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        let (unit, state) = (words.next()?, words.next()?);
        short(unit).filter(|_| wanted(state)).map(str::to_owned)
    };
    let mut names: Vec<String> = said.lines().filter_map(name).collect();
    names.sort();
    names.dedup();
    names
}

fn running(said: &str) -> Vec<String> {
    let name = |line: &str| {
        // A unit that failed has a mark before its name.
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "●" && *word != "*").collect();
        let [unit, _, _, state, ..] = words[..] else { return None };
        short(unit).filter(|_| state == "running").map(str::to_owned)
    };
    let mut names: Vec<String> = said.lines().filter_map(name).collect();
    names.sort();
    names
}

fn shown(said: &str) -> Map {
    let field = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let value = match value.strip_prefix('{').and_then(|inside| inside.strip_suffix('}')) {
            Some(inside) => {
                let parts = inside.split(" ; ").filter_map(|part| part.split_once('='));
                parts.map(|(key, value)| (key.trim().to_owned(), value.trim().into())).collect::<Map>().into()
            }
            None if matches!(name, "Before" | "After" | "Wants") => json!(value.split_whitespace().collect::<Vec<_>>()),
            None => value.into(),
        };
        Some((name.to_owned(), value))
    };
    said.lines().filter_map(field).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemctl_says_is_read() {
        let files =
            "cron.service  enabled enabled\ndbus.socket static -\nx.slice static -\nssh.service disabled enabled\n";
        assert_eq!(unit_files(files, |_| true), ["cron", "dbus.socket", "ssh"]);
        assert_eq!(unit_files(files, |state| state == "disabled"), ["ssh"]);
        let units = "cron.service loaded active running Regular\n● bad.service loaded failed failed Bad\n";
        assert_eq!(running(units), ["cron"]);
        let show = shown(
            "Id=cron.service\nExecStart={ path=/usr/sbin/cron ; argv[]=/usr/sbin/cron -f ; pid=7 }\nAfter=a.target b.target\n",
        );
        assert_eq!(show["ExecStart"]["path"], "/usr/sbin/cron");
        assert_eq!(show["After"], json!(["a.target", "b.target"]));
    }

    #[test]
    fn names_are_those_of_services_unless_they_say_otherwise() {
        assert_eq!(
            (unit("nginx").as_str(), unit("a.timer").as_str(), unit("php8.2-fpm").as_str()),
            ("nginx.service", "a.timer", "php8.2-fpm.service")
        );
    }
}
