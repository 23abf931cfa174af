//! `pkg.latest`.

use proto::Map;
use serde_json::json;

use super::{changes, manager, must_refresh, options, targets, version_of};
use crate::{
    look::Expected,
    plan::{Call, Done, Plan, StateError, failed},
    resource::packages::{self, Target},
};

pub fn latest(call: &Call<'_>) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let targets = targets(call)?;
    let now = manager.installed(call.look)?;
    let names: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let newest = manager.candidates(call.look, &names)?;
    let is_old = |target: &&Target| match (version_of(&now, &target.name), newest.get(&target.name)) {
        (Some(have), Some(there)) => packages::compare(have, there) == std::cmp::Ordering::Less,
        (have, _) => have.is_none(),
    };
    let (open, same): (Vec<Target>, Vec<Target>) = targets.iter().cloned().partition(|target| is_old(&target));
    // A repository that the same run would add may know it: that is no failure of a dry run.
    let later = call.test && call.look.expects_anything();
    if let Some(unknown) = open.iter().find(|target| !newest.contains_key(&target.name)).filter(|_| !later) {
        return failed(format!("No information found for '{}'.", unknown.name));
    }
    if open.is_empty() {
        return Plan::keep(match &targets[..] {
            [one] => format!("Package {} is already up-to-date", one.name),
            all if all.len() > 10 => format!("All {} packages are up-to-date.", all.len()),
            _ => format!("All packages are up-to-date ({}).", sorted(&names)),
        });
    }
    let preview: Map = open
        .iter()
        .map(|target| {
            let old = version_of(&now, &target.name).cloned().unwrap_or_default();
            (target.name.clone(), json!({"new": newest.get(&target.name), "old": old}))
        })
        .collect();
    let list = sorted(&open.iter().map(|target| target.name.as_str()).collect::<Vec<_>>());
    let same_names: Vec<&str> = same.iter().map(|target| target.name.as_str()).collect();
    let (mut would, mut did) = (
        format!("The following packages would be installed/upgraded: {list}"),
        format!("The following packages were successfully installed/upgraded: {list}"),
    );
    if !same.is_empty() {
        let with_version = |name: &&str| format!("{name} ({})", version_of(&now, name).map_or("", String::as_str));
        let shown: Vec<String> = same_names.iter().map(with_version).collect();
        would.push_str(&format!("\nThe following packages are already up-to-date: {}", shown.join(", ")));
        did.push_str(&format!(" The following packages were already up-to-date: {}", sorted(&same_names)));
    }
    let (options, refresh) = (options(call), must_refresh(call));
    Plan::change(would, preview, move |doing| {
        open.iter().for_each(|target| doing.host.expect(Expected::Package(target.name.clone())));
        if refresh {
            let _ = packages::apply(doing, &manager.refresh());
        }
        let went = packages::install(doing, &manager, &open, &options);
        let changes = changes(&now, &manager.installed(doing.host)?);
        match went {
            Ok(()) => Ok(Done::new(did, changes)),
            Err(why) => Err(StateError::WithChanges {
                comment: format!("An error was encountered while installing package(s): {why}"),
                changes,
            }),
        }
    })
}

fn sorted(names: &[&str]) -> String {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.join(", ")
}
