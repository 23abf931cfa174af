//! `kmod.*`: modules of the kernel.

use std::path::PathBuf;

use proto::{Map, Value};
use serde_json::json;

use super::params::kmod as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        command::{ask, complaint, run, text},
        lines,
    },
};

pub const MODULE: StateModule = StateModule {
    name: "kmod",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that modules of the kernel are loaded.\n\n    br_netfilter:\n      kmod.present:\n        - persist: True",
            params: params::PRESENT,
            plan: present,
        },
        State {
            name: "absent",
            doc: "Makes sure that modules of the kernel are not loaded.\n\n    pcspkr:\n      kmod.absent",
            params: params::ABSENT,
            plan: absent,
        },
    ],
    watch: None,
};

fn loaded(look: &dyn Look) -> Result<Vec<String>, StateError> {
    let said = text(&ask(look, &["lsmod"])?.stdout);
    Ok(said.lines().skip(1).filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect())
}

/// The file of the modules that are loaded at the next start.
fn file(look: &dyn Look) -> PathBuf {
    let systemd = look.grains().contains_key("systemd");
    if systemd { "/etc/modules-load.d/salt_managed.conf" } else { "/etc/modules" }.into()
}

fn persistent(look: &dyn Look) -> Vec<String> {
    let text = lines::read(look, &file(look)).unwrap_or_default();
    let names = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The modules that a state names; none may look like an option.
fn mods(call: &Call<'_>) -> Result<Vec<String>, StateError> {
    let listed = match call.value("mods") {
        Some(Value::Array(_)) => call.list("mods"),
        _ => vec![call.name()],
    };
    match listed.iter().find(|name| name.is_empty() || name.starts_with('-') || name.contains(['/', '\n'])) {
        Some(name) => failed(format!("'{name}' is not the name of a module of the kernel")),
        None => Ok(listed),
    }
}

/// `Kernel module a is …` or `Kernel modules a, b are …`.
fn said(names: &[String], one: &str, many: &str) -> String {
    match names {
        [name] => format!("Kernel module {name} {one}"),
        all => format!("Kernel modules {} {many}", all.join(", ")),
    }
}

fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (mods, persist) = (mods(call)?, call.flag("persist", false));
    let (now, kept) = (loaded(call.look)?, persistent(call.look));
    let is_set = |name: &&String| now.contains(name) && (!persist || kept.contains(name));
    let (there, open): (Vec<&String>, Vec<&String>) = mods.iter().partition(is_set);
    let own = |names: Vec<&String>| -> Vec<String> { names.into_iter().cloned().collect() };
    let (there, open) = (own(there), own(open));
    let already =
        if there.is_empty() { String::new() } else { said(&there, "is already present", "are already present") };
    if open.is_empty() {
        return Plan::keep(already);
    }
    let join = |text: &str, more: String| if text.is_empty() { more } else { format!("{text}\n{more}") };
    let would = join(&already, said(&open, "is set to be loaded", "are set to be loaded"));
    Plan::change(would, json!({}), move |doing| {
        let (mut changes, mut good, mut comment, mut done) = (Map::new(), true, already, Vec::new());
        for name in &open {
            match load(doing.host, name, persist) {
                Ok(names) => {
                    changes.extend(names.into_iter().map(|name| (name, Value::from("loaded"))));
                    done.push(name.clone());
                }
                Err(why) => {
                    good = false;
                    comment = join(&comment, format!("Failed to load kernel module {name}: {why}"));
                }
            }
        }
        if !done.is_empty() {
            let names = done.join(", ");
            comment = join(&comment, format!("Loaded kernel module{} {names}", if done.len() > 1 { "s" } else { "" }));
        }
        Ok(Done { result: good, ..Done::new(comment, changes) })
    })
}

/// Loads a module. Gives all that were loaded with it.
fn load(host: &dyn Host, name: &str, persist: bool) -> Result<Vec<String>, StateError> {
    let before = loaded(host)?;
    let output = run(host, &["modprobe", name])?;
    if output.code != 0 {
        return failed(format!("Error loading module {name}: {}", complaint(&output)));
    }
    let mut new: Vec<String> = loaded(host)?.into_iter().filter(|name| !before.contains(name)).collect();
    if persist && !persistent(host).iter().any(|known| known == name) {
        let text = lines::read(host, &file(host)).unwrap_or_default();
        let is_off = |line: &str| line.trim_start_matches(['#', ' ', '\t']).trim_end() == name;
        lines::write(host, &file(host), &lines::set(&text, name, is_off), 0o644)?;
        new.push(name.to_owned());
    }
    new.sort();
    new.dedup();
    Ok(new)
}

fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (mods, persist, comment) = (mods(call)?, call.flag("persist", false), call.flag("comment", true));
    let (now, kept) = (loaded(call.look)?, persistent(call.look));
    let is_there = |name: &&String| now.contains(name) || persist && kept.contains(name);
    let open: Vec<String> = mods.iter().filter(is_there).cloned().collect();
    if open.is_empty() {
        return Plan::keep(said(&mods, "is already removed", "are already removed"));
    }
    Plan::change(said(&open, "is set to be removed", "are set to be removed"), json!({}), move |doing| {
        let (mut changes, mut done, mut bad) = (Map::new(), Vec::new(), Vec::new());
        for name in &open {
            match unload(doing.host, name, persist, comment) {
                Ok(names) => {
                    changes.extend(names.into_iter().map(|name| (name, Value::from("removed"))));
                    done.push(name.clone());
                }
                Err(why) => bad.push(format!("Failed to remove kernel module {name}: {why}")),
            }
        }
        let mut said = Vec::new();
        if !done.is_empty() {
            said.push(format!("Removed kernel module{} {}", if done.len() > 1 { "s" } else { "" }, done.join(", ")));
        }
        let good = bad.is_empty();
        said.extend(bad);
        Ok(Done { result: good, ..Done::new(said.join("\n"), changes) })
    })
}

fn unload(host: &dyn Host, name: &str, persist: bool, comment: bool) -> Result<Vec<String>, StateError> {
    let before = loaded(host)?;
    if before.iter().any(|known| known == name) {
        let output = run(host, &["rmmod", name])?;
        if output.code != 0 {
            return failed(format!("Error removing module {name}: {}", complaint(&output)));
        }
    }
    let after = loaded(host)?;
    let mut gone: Vec<String> = before.into_iter().filter(|name| !after.contains(name)).collect();
    if persist && persistent(host).iter().any(|known| known == name) {
        let text = lines::read(host, &file(host)).unwrap_or_default();
        let line = |line: &str| match (line.split_whitespace().next() == Some(name), comment) {
            (false, _) => format!("{line}\n"),
            (true, true) => format!("#{line}\n"),
            (true, false) => String::new(),
        };
        lines::write(host, &file(host), &text.lines().map(line).collect::<String>(), 0o644)?;
        gone.push(name.to_owned());
    }
    gone.sort();
    gone.dedup();
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, refused, said, thrice};

    #[test]
    fn modules_are_loaded_with_what_they_need() {
        let host = Memory::new(json!({"systemd": {}})).with(&[("/l", "Module Size Used by\n")]).answer(|host, line| {
            match line {
                "lsmod" => return said(&host.text("/l")?),
                "modprobe br" => host.put("/l", "Module Size Used by\nbr 1 0\nllc 1 1 br\n"),
                "rmmod br" => host.put("/l", "Module Size Used by\n"),
                _ => return refused(1, "modprobe: FATAL: Module nope not found"),
            }
            said("")
        });
        let [test, first, second] = thrice(&host, &[("t.sls", "br:\n  kmod.present:\n    - persist: True\n")]);
        assert_eq!(test.1, "Kernel module br is set to be loaded");
        assert_eq!(first.2, json!({"br": "loaded", "llc": "loaded"}));
        assert_eq!(second.1, "Kernel module br is already present");
        assert_eq!(host.text("/etc/modules-load.d/salt_managed.conf").unwrap(), "br\n");
        let [_, first, _] = thrice(&host, &[("t.sls", "br:\n  kmod.absent:\n    - persist: True\n")]);
        assert_eq!(first.1, "Removed kernel module br");
        let rows = apply(&host, "nope:\n  kmod.present: []\n", false);
        assert!(rows[0].2.contains("Module nope not found"), "{}", rows[0].2);
    }
}
