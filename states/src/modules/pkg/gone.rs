//! `pkg.removed` and `pkg.purged`.

use proto::Map;
use serde_json::json;

use super::{changes, manager, targets, version_of};
use crate::{
    plan::{Call, Done, Plan, StateError},
    resource::packages::{self, Manager, Target, Versions, fulfils},
};

/// Whether it is installed, in the version that is to go where one is named.
fn is_there(call: &Call<'_>, target: &Target, installed: &Versions) -> bool {
    let Some(versions) = version_of(installed, &target.name) else { return false };
    let epoch = call.flag("ignore_epoch", false);
    let bare = |version: &str| match version.split_once(':').filter(|_| epoch) {
        Some((_, rest)) => rest.to_owned(),
        None => version.to_owned(),
    };
    let fits = |wanted: &String| versions.split(',').any(|version| fulfils(&bare(version), &bare(wanted)));
    target.version.as_ref().is_none_or(fits)
}

fn nothing(all: &[Target], installed: &Versions, purge: bool) -> String {
    let other = all.iter().any(|target| target.version.is_some() && version_of(installed, &target.name).is_some());
    match (purge, other) {
        (true, _) => "None of the targeted packages are installed or partially installed".to_owned(),
        (false, true) => "All specified packages (matching specified versions) are already absent".to_owned(),
        (false, false) => "All specified packages are already absent".to_owned(),
    }
}

pub fn gone(call: &Call<'_>, purge: bool) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let action = if purge { "purge" } else { "remove" };
    let now = manager.installed(call.look)?;
    // What was removed and has left its configuration is to be purged still.
    let left = if purge { manager.left(call.look)? } else { Versions::new() };
    let all = targets(call)?;
    let goes = |target: &&Target| is_there(call, target, &now) || is_there(call, target, &left);
    let there: Vec<String> = all.iter().filter(goes).map(|target| target.name.clone()).collect();
    if there.is_empty() {
        return Plan::keep(nothing(&all, &now, purge));
    }
    let preview: Map =
        there.iter().map(|name| (name.clone(), json!({"new": format!("{action}d"), "old": ""}))).collect();
    let absent: Vec<String> =
        all.iter().map(|target| target.name.clone()).filter(|name| !there.contains(name)).collect();
    let comment = format!("The following packages will be {action}d: {}.", there.join(", "));
    Plan::change(comment, preview, move |doing| {
        packages::apply(doing, &manager.remove(&there, purge)).map_err(|why| {
            StateError::Failed(format!("The following packages failed to {action}: {}.\n{why}", there.join(", ")))
        })?;
        let after = manager.installed(doing.host)?;
        let after_left = if purge { manager.left(doing.host)? } else { Versions::new() };
        let installed = changes(&now, &after);
        let shown = match manager {
            // Salt tells the two apart here.
            Manager::Apt if purge => json!({"removed": changes(&left, &after_left), "installed": installed}),
            _ => installed.into(),
        };
        let stays = |name: &&String| after.contains_key(*name) || after_left.contains_key(*name);
        let failed: Vec<String> = there.iter().filter(stays).cloned().collect();
        if !failed.is_empty() {
            let comment = format!("The following packages failed to {action}: {}.", failed.join(", "));
            return Ok(Done::failed(comment, shown));
        }
        Ok(Done::new(
            match absent.is_empty() {
                true => format!("All targeted packages were {action}d."),
                false => format!(
                    "The following packages were not installed: {} The following packages were {action}d: {}.",
                    absent.join(", "),
                    there.join(", ")
                ),
            },
            shown,
        ))
    })
}
