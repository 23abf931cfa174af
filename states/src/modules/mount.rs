//! `mount.*`: file systems that are mounted, or not, now and after the next start.

mod options;
mod swap;

use std::path::{Path, PathBuf};

use proto::Map;
use serde_json::{Value, json};

use super::params::mount as params;
use crate::{
    Host, Look,
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::{
        command::{ask, complaint, run, text},
        files::{self, Permissions},
        lines,
        mounts::{self, Entry, Fstab, Mount},
    },
};

pub const MODULE: StateModule = StateModule {
    name: "mount",
    states: &[
        State {
            name: "mounted",
            doc: "Makes sure that a file system is mounted, now and after the next start.\n\n    /srv/data:\n      mount.mounted:\n        - device: /dev/sdb1\n        - fstype: ext4\n        - mkmnt: True\n        - opts: [noatime]",
            params: params::MOUNTED,
            plan: mounted,
        },
        State {
            name: "unmounted",
            doc: "Makes sure that nothing is mounted at a place.\n\n    /srv/data:\n      mount.unmounted:\n        - persist: True",
            params: params::UNMOUNTED,
            plan: unmounted,
        },
        State {
            name: "swap",
            doc: "Makes sure that swap is used.\n\n    /swapfile:\n      mount.swap",
            params: params::SWAP,
            plan: swap::plan,
        },
    ],
    watch: Some(remount),
};

/// What is to be mounted.
struct Wanted {
    name: String,
    device: String,
    /// The device with links followed, or what stands behind a `UUID=` or `LABEL=`.
    real: String,
    fstype: String,
    opts: Vec<String>,
    make: bool,
    user: Option<String>,
}

impl Wanted {
    fn of(call: &Call<'_>) -> Result<Self, StateError> {
        let name = call.name();
        for (key, value) in
            [("name", Some(name.clone())), ("device", call.text("device")), ("fstype", call.text("fstype"))]
        {
            if value.is_none_or(|value| value.is_empty() || value.starts_with('-')) {
                return failed(format!("Must provide {key} to mount.mounted"));
            }
        }
        let device = call.text_or("device", "");
        let opts = match call.value("opts") {
            None => vec!["defaults".to_owned()],
            Some(Value::Array(_)) => call.list("opts"),
            Some(_) => call.text_or("opts", "").split(',').map(str::to_owned).collect(),
        };
        Ok(Self {
            name: if name == "/" { name } else { name.trim_end_matches('/').to_owned() },
            real: real_device(call.look, &device)?,
            device,
            fstype: call.text_or("fstype", ""),
            opts,
            make: call.flag("mkmnt", false),
            user: call.some_text("user"),
        })
    }

    fn entry(&self, call: &Call<'_>) -> Entry {
        Entry {
            device: self.device.clone(),
            name: self.name.clone(),
            fstype: self.fstype.clone(),
            opts: self.opts.join(","),
            dump: call.text_or("dump", "0"),
            pass: call.text_or("pass_num", "0"),
        }
    }

    fn make_point(&self, host: &dyn Host) -> Result<(), StateError> {
        let point = Path::new(&self.name);
        if files::exists(host, point) {
            return Ok(());
        }
        files::make_dirs(host, point, &Permissions::default()).map_err(|why| StateError::io("create", point, &why))?;
        let row = self.user.as_deref().and_then(|user| crate::resource::accounts::user(host, user));
        match row {
            Some(row) => {
                host.set_owner(point, Some(row.uid), Some(row.gid)).map_err(|why| StateError::io("own", point, &why))
            }
            None => Ok(()),
        }
    }

    fn mount(&self, host: &dyn Host, more: &[&str]) -> Result<(), StateError> {
        let opts: Vec<&str> = self.opts.iter().map(String::as_str).chain(more.iter().copied()).collect();
        let output = run(host, &["mount", "-o", &opts.join(","), "-t", &self.fstype, &self.device, &self.name])?;
        if output.code == 0 { Ok(()) } else { failed(complaint(&output)) }
    }
}

fn followed(look: &dyn Look, path: &str) -> String {
    files::followed(look, Path::new(path)).map_or(path.to_owned(), |(path, _)| path.to_string_lossy().into_owned())
}

fn real_device(look: &dyn Look, device: &str) -> Result<String, StateError> {
    let by = |kind: &str| {
        device.get(..kind.len()).filter(|start| start.eq_ignore_ascii_case(kind)).map(|_| &device[kind.len()..])
    };
    if let Some(label) = by("LABEL=") {
        let output = ask(look, &["blkid", "-o", "device", "-t", &format!("LABEL={label}")])?;
        return match text(&output.stdout).lines().next() {
            Some(device) if output.code == 0 => Ok(device.to_owned()),
            _ => failed(format!("Unable to find device with label {label}.")),
        };
    }
    if let Some(uuid) = by("UUID=") {
        let uuid = uuid.trim_matches('"').to_lowercase();
        let link = format!("/dev/disk/by-uuid/{uuid}");
        return Ok(if look.stat(link.as_ref()).is_ok() { followed(look, &link) } else { uuid });
    }
    // Volumes of LVM are mounted under their name in the mapper.
    let parts: Vec<&str> = device.trim_start_matches("/dev/").split('/').collect();
    if let ([group, volume], true) = (&parts[..], device.starts_with("/dev/")) {
        let mapper = format!("/dev/mapper/{}-{}", group.replace('-', "--"), volume.replace('-', "--"));
        if look.stat(mapper.as_ref()).is_ok() {
            return Ok(mapper);
        }
    }
    if let Some((_, name)) = device.split_once('#').filter(|(fuse, _)| fuse.chars().all(char::is_alphanumeric)) {
        return Ok(name.to_owned());
    }
    Ok(if device.starts_with('/') { followed(look, device) } else { device.to_owned() })
}

/// What mounting is to do now.
enum Now {
    Keep(String),
    Remount(Vec<String>),
    /// Another device is there; with the sentence that says so.
    Replace(String),
    Mount,
    Make,
}

fn now(call: &Call<'_>, wanted: &Wanted, mount: bool, there: Option<&Mount>) -> Result<Now, StateError> {
    let exists = files::exists(call.look, Path::new(&wanted.name));
    let name = &wanted.name;
    let Some(there) = there else {
        return match (mount, exists, wanted.make) {
            (true, true, _) | (true, _, true) => Ok(Now::Mount),
            (true, false, false) if call.test => Ok(Now::Mount),
            (true, false, false) => failed("Mount directory is not present"),
            (false, true, _) => {
                Ok(Now::Keep(format!("{name} {}", if call.test { "would not be mounted" } else { "not mounted" })))
            }
            (false, false, true) => Ok(Now::Make),
            (false, false, false) => Ok(Now::Keep(format!("{name} not present and not mounted"))),
        };
    };
    if !mount {
        return Ok(Now::Keep(String::new()));
    }
    let changed = options::changed(call, &wanted.opts, &wanted.fstype, there);
    if !changed.is_empty() {
        return Ok(Now::Remount(changed));
    }
    let devices = [there.device.clone(), followed(call.look, &there.device)];
    if devices.contains(&wanted.real) || wanted.opts.iter().any(|opt| opt == "bind" || opt == "rbind") {
        return Ok(Now::Keep("Target was already mounted".into()));
    }
    for pattern in call.list("device_name_regex") {
        let pattern = super::file::pattern(&format!("^(?:{pattern})"))?;
        if let Some(device) = devices.iter().find(|device| pattern.is_match(device).unwrap_or(false)) {
            return Ok(Now::Keep(format!(
                "An umount will not be forced because device matched device_name_regex: {device}"
            )));
        }
    }
    let real = if wanted.real == wanted.device { String::new() } else { format!(" ({})", wanted.real) };
    let current = devices.join(", ");
    Ok(Now::Replace(format!(
        "Forced unmount because devices don't match. Wanted: {}{real}, current: {current}",
        wanted.device
    )))
}

fn mounted(call: &Call<'_>) -> Result<Plan, StateError> {
    let wanted = Wanted::of(call)?;
    let (mount, persist) = (call.flag("mount", true), call.flag("persist", true));
    let point = followed(call.look, &wanted.name);
    let there = mounts::at(call.look, &point);
    let now = now(call, &wanted, mount, there.as_ref())?;
    let config = PathBuf::from(call.text_or("config", "/etc/fstab"));
    let (entry, keys) = (wanted.entry(call), mounts::keys(&call.list("match_on"), &wanted.fstype));
    let fstab = match (persist, lines::read(call.look, &config)) {
        (false, _) => None,
        (true, Some(text)) => Some(mounts::with(&text, &entry, &keys).1),
        (true, None) => return failed(format!("Bad config file \"{}\"", config.display())),
    };
    let name = wanted.name.clone();
    let exists = files::exists(call.look, Path::new(&name));
    let mut would = match &now {
        Now::Keep(comment) => comment.clone(),
        Now::Remount(opts) => format!("Remount would be forced because options ({}) changed", opts.join(",")),
        Now::Replace(_) => {
            format!("An umount would have been forced because devices do not match.  Watched: {}", wanted.device)
        }
        Now::Make => format!("{name} would be created, but not mounted"),
        Now::Mount if exists => format!("{name} would be mounted"),
        Now::Mount if wanted.make => format!("{name} would be created and mounted"),
        Now::Mount => format!("{name} does not exist and would not be created"),
    };
    let kept = matches!(now, Now::Keep(_));
    if kept && fstab.is_none_or(|fstab| fstab == Fstab::Present) {
        let entry = if fstab.is_none() { "" } else { ". Entry already exists in the fstab." };
        return Plan::keep(would + entry);
    }
    // As in Salt, what is to be mounted first says nothing of the table.
    if !matches!(now, Now::Mount | Now::Remount(_))
        && let Some(what) = fstab_sentence(fstab, &name, mount)
    {
        would = format!("{would}. {what}");
    }
    Plan::change(would, json!({}), move |doing| {
        let host = doing.host;
        let (mut comment, mut changes) = carry_out(host, &wanted, &now)?;
        if persist {
            let (text, done) = mounts::with(&lines::read(host, &config).unwrap_or_default(), &entry, &keys);
            let (what, said) = match done {
                Fstab::Present => (None, ". Entry already exists in the fstab."),
                Fstab::New => (Some("new"), ". Added new entry to the fstab."),
                Fstab::Change => (Some("update"), ". Updated the entry in the fstab."),
            };
            comment.push_str(said);
            if let Some(what) = what {
                mounts::write(host, &config, &text)?;
                changes.insert("persist".into(), what.into());
            }
        }
        Ok(Done::new(comment, changes))
    })
}

fn fstab_sentence(fstab: Option<Fstab>, name: &str, mount: bool) -> Option<String> {
    Some(match (fstab?, mount) {
        (Fstab::New, true) => {
            format!("{name} is mounted, but needs to be written to the fstab in order to be made persistent.")
        }
        (Fstab::New, false) => format!("{name} needs to be written to the fstab in order to be made persistent."),
        (Fstab::Change, true) => format!("{name} is mounted, but its fstab entry must be updated."),
        (Fstab::Change, false) => format!("The {name} fstab entry must be updated."),
        (Fstab::Present, _) => return None,
    })
}

fn carry_out(host: &dyn Host, wanted: &Wanted, now: &Now) -> Result<(String, Map), StateError> {
    let mut changes = Map::new();
    let fresh = |changes: &mut Map| -> Result<String, StateError> {
        wanted.make_point(host)?;
        wanted.mount(host, &[])?;
        changes.insert("mount".into(), true.into());
        Ok("Target was successfully mounted".into())
    };
    let comment = match now {
        Now::Keep(comment) => comment.clone(),
        Now::Make => {
            wanted.make_point(host)?;
            format!("{} was created, not mounted", wanted.name)
        }
        Now::Mount => fresh(&mut changes)?,
        Now::Replace(why) => {
            changes.insert("umount".into(), why.clone().into());
            umount(host, &wanted.name, false).map_err(|_| StateError::failed("Unable to unmount"))?;
            fresh(&mut changes)?
        }
        Now::Remount(opts) if matches!(wanted.fstype.as_str(), "nfs" | "cvfs") || wanted.fstype.starts_with("fuse") => {
            let why = format!("Forced unmount and mount because options ({}) changed", opts.join(","));
            changes.insert("umount".into(), why.into());
            let done = umount(host, &wanted.name, false).or_else(|_| umount(host, &wanted.name, true));
            done.map_err(|why| StateError::failed(format!("Unable to unmount {}: {why}.", wanted.name)))?;
            wanted.mount(host, &[])?;
            "Target was already mounted".into()
        }
        Now::Remount(opts) => {
            changes
                .insert("umount".into(), format!("Forced remount because options ({}) changed", opts.join(",")).into());
            wanted.mount(host, &["remount"])?;
            "Target was already mounted".into()
        }
    };
    Ok((comment, changes))
}

fn umount(host: &dyn Host, name: &str, lazy: bool) -> Result<(), StateError> {
    let words: &[&str] = if lazy { &["umount", "-l", "--", name] } else { &["umount", "--", name] };
    let output = run(host, words)?;
    if output.code == 0 { Ok(()) } else { failed(complaint(&output)) }
}

fn unmounted(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, device) = (call.name(), call.some_text("device"));
    if name.is_empty() {
        return failed("Must provide name to mount.unmounted");
    }
    let there = mounts::at(call.look, &name).is_some();
    let config = PathBuf::from(call.text_or("config", "/etc/fstab"));
    let persist = call.flag("persist", false);
    let entries = mounts::fstab(call.look, &config).unwrap_or_default();
    let entry = entries.into_iter().rfind(|entry| entry.name == name);
    let (tail, purge) = match (persist, entry, &device) {
        (false, ..) => (String::new(), false),
        (true, None, _) => (". fstab entry not found".to_owned(), false),
        (true, Some(entry), Some(device)) if entry.device != *device => {
            (format!(". fstab entry for device {device} not found"), false)
        }
        _ => (". Removed target from fstab".to_owned(), true),
    };
    let would = match (there, purge) {
        (false, false) => return Plan::keep(format!("Target was already unmounted{tail}")),
        (true, _) => format!("Mount point {name} is mounted but should not be"),
        (false, true) => format!(
            "Mount point {name} is unmounted but needs to be purged from {} to be made persistent",
            config.display()
        ),
    };
    Plan::change(would, json!({}), move |doing| {
        let mut changes = Map::new();
        let comment = match there {
            true => {
                umount(doing.host, device.as_deref().unwrap_or(&name), false)?;
                changes.insert("umount".into(), true.into());
                "Target was successfully unmounted"
            }
            false => "Target was already unmounted",
        };
        if purge {
            let text = lines::read(doing.host, &config).unwrap_or_default();
            mounts::write(doing.host, &config, &mounts::without(&text, &name, device.as_deref()))?;
            changes.insert("persist".into(), "purged".into());
        }
        Ok(Done::new(format!("{comment}{tail}"), changes))
    })
}

/// A mount that watches is mounted anew.
fn remount(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    if call.text_or("sfun", "") != "mounted" {
        return Plan::keep(format!("Watch not supported in {} at this time", call.text_or("sfun", "")));
    }
    let wanted = Wanted::of(call)?;
    Plan::change(format!("{name} would be remounted"), json!({}), move |doing| {
        match wanted.mount(doing.host, &["remount"]) {
            Ok(()) => Ok(Done::new(format!("{name} remounted"), json!({ name.as_str(): true }))),
            Err(why) => failed(format!("{name} failed to remount: {why}")),
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply, said, thrice};

    fn host() -> Memory {
        let files = [("/etc/fstab", "# x\n"), ("/proc/self/mountinfo", ""), ("/dev/sdb1", "")];
        Memory::new(json!({})).with(&files).answer(|host, line| {
            let row = "36 35 98:0 / /srv rw,noatime - ext4 /dev/sdb1 rw\n";
            match line {
                "mount -o noatime -t ext4 /dev/sdb1 /srv" => host.put("/proc/self/mountinfo", row),
                "umount -- /srv" => host.put("/proc/self/mountinfo", ""),
                _ => {}
            }
            said("")
        })
    }

    #[test]
    fn a_file_system_is_mounted_written_down_and_unmounted() {
        let host = host();
        let sls = "/srv:\n  mount.mounted:\n    - device: /dev/sdb1\n    - fstype: ext4\n    - opts: [noatime]\n    - mkmnt: True\n";
        let [test, first, second] = thrice(&host, &[("t.sls", sls)]);
        assert_eq!(test.1, "/srv would be created and mounted");
        assert_eq!(first.1, "Target was successfully mounted. Added new entry to the fstab.");
        assert_eq!(first.2, json!({"mount": true, "persist": "new"}));
        assert_eq!(second.1, "Target was already mounted. Entry already exists in the fstab.");
        assert_eq!(host.text("/etc/fstab").unwrap(), "# x\n/dev/sdb1\t\t/srv\text4\tnoatime\t0 0\n");
        let rows = apply(&host, &sls.replace("noatime", "noatime, ro"), true);
        assert_eq!(rows[0].2, "Remount would be forced because options (ro) changed");
        let [_, first, second] = thrice(&host, &[("t.sls", "/srv:\n  mount.unmounted:\n    - persist: True\n")]);
        assert_eq!(first.2, json!({"umount": true, "persist": "purged"}));
        assert_eq!(second.1, "Target was already unmounted. fstab entry not found");
    }
}
