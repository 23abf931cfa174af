//! `mount.swap`: a device that memory is moved to.

use std::path::PathBuf;

use proto::Map;
use serde_json::json;

use super::followed;
use crate::{
    Look,
    plan::{Call, Done, Plan, StateError, failed},
    resource::{
        command::{complaint, run},
        lines,
        mounts::{self, Entry, Fstab},
    },
};

pub fn plan(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, persist) = (call.name(), call.flag("persist", true));
    if name.is_empty() || name.starts_with('-') {
        return failed(format!("'{name}' is not the name of a device"));
    }
    let config = PathBuf::from(call.text_or("config", "/etc/fstab"));
    let real = followed(call.look, &name);
    let is_on = |look: &dyn Look| mounts::swaps(look).into_iter().find(|row| row[0] == real);
    let on = is_on(call.look).is_some();
    let entry = Entry {
        device: name.clone(),
        name: "none".into(),
        fstype: "swap".into(),
        opts: "defaults".into(),
        dump: "0".into(),
        pass: "0".into(),
    };
    let keys = vec!["device".to_owned()];
    let text = lines::read(call.look, &config);
    if persist && text.is_none() {
        return failed(format!("Bad config file \"{}\"", config.display()));
    }
    let fstab = text.filter(|_| persist).map(|text| mounts::with(&text, &entry, &keys).1);
    let written = fstab.is_none_or(|fstab| fstab == Fstab::Present);
    let would = match (on, written) {
        (true, true) => return Plan::keep(format!("Swap {name} already active")),
        (true, false) => format!("Swap {name} is set to be added to the fstab and to be activated"),
        (false, _) => format!("Swap {name} is set to be activated"),
    };
    let real_name = real.clone();
    Plan::change(would, json!({}), move |doing| {
        let host = doing.host;
        let (mut comment, mut changes) = (format!("Swap {name} already active"), Map::new());
        if !on {
            let output = run(host, &["swapon", "--", &real_name])?;
            let Some([_, kind, size, used, priority]) = mounts::swaps(host).into_iter().find(|row| row[0] == real_name)
            else {
                return failed(format!("Swap {name} failed to activate: {}", complaint(&output)));
            };
            comment = format!("Swap {name} activated");
            let now = json!({"type": kind, "size": size, "used": used, "priority": priority});
            changes = now.as_object().cloned().unwrap_or_default();
        }
        if persist {
            let (text, done) = mounts::with(&lines::read(host, &config).unwrap_or_default(), &entry, &keys);
            if done != Fstab::Present {
                mounts::write(host, &config, &text)?;
                let (what, said) = match done {
                    Fstab::New => ("new", ". Added new entry to the fstab."),
                    _ => ("update", ". Updated the entry in the fstab."),
                };
                changes.insert("persist".into(), what.into());
                comment.push_str(said);
            }
        }
        Ok(Done::new(comment, changes))
    })
}
