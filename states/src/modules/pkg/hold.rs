//! `pkg.held` and `pkg.unheld`.

use proto::{Map, Value};
use serde_json::json;

use super::{manager, targets, version_of};
use crate::{
    plan::{Call, Done, Plan, StateError},
    resource::packages::{self, Manager},
};

/// A package whose hold is turned.
struct Turn {
    name: String,
    hold: bool,
    version: Option<String>,
    is_installed: bool,
}

impl Turn {
    fn would(&self) -> String {
        let version = self.version.as_ref().map_or(String::new(), |version| format!(" (version = {version})"));
        format!("The following package would be {}held: {}{version}", if self.hold { "" } else { "un" }, self.name)
    }

    fn did(&self) -> String {
        match self.hold {
            true => format!("Package {} is now being held", self.name),
            false => format!("Package {} is no longer being held.", self.name),
        }
    }

    /// Salt shows the whole answer of its function as the change.
    fn change(&self) -> Value {
        let before = if self.is_installed { json!("install") } else { json!(null) };
        let (old, new) = if self.hold { (before, json!("hold")) } else { (json!("hold"), json!("install")) };
        let comment = format!("{}.", self.did().trim_end_matches('.'));
        json!({"name": self.name, "changes": {"old": old, "new": new}, "result": true, "comment": comment})
    }
}

pub fn hold(call: &Call<'_>, flag: bool) -> Result<Plan, StateError> {
    let manager = manager(call)?;
    let held = manager.held(call.look)?;
    let turns = turns(call, &manager, &held, flag)?;
    if turns.is_empty() {
        return Plan::keep("No changes made");
    }
    let changes: Map = turns.iter().map(|turn| (turn.name.clone(), turn.change())).collect();
    let would = turns.iter().map(Turn::would).collect::<Vec<_>>().join("\n");
    Plan::change(would, changes.clone(), move |doing| {
        for flag in [true, false] {
            let names: Vec<String> =
                turns.iter().filter(|turn| turn.hold == flag).map(|turn| turn.name.clone()).collect();
            if !names.is_empty() {
                packages::apply(doing, &manager.hold(&names, flag))?;
            }
        }
        Ok(Done::new(turns.iter().map(Turn::did).collect::<Vec<_>>().join("\n"), changes))
    })
}

fn turns(call: &Call<'_>, manager: &Manager, held: &[String], flag: bool) -> Result<Vec<Turn>, StateError> {
    let now = manager.installed(call.look)?;
    let turn = |name: String, hold: bool, version: Option<String>| {
        let is_installed = version_of(&now, &name).is_some();
        Turn { name, hold, version, is_installed }
    };
    if !flag && call.flag("all", false) {
        return Ok(held.iter().map(|name| turn(name.clone(), false, None)).collect());
    }
    let named = targets(call)?;
    let open = named.iter().filter(|target| held.contains(&target.name) != flag);
    let mut turns: Vec<Turn> = open.map(|target| turn(target.name.clone(), flag, target.version.clone())).collect();
    if flag && call.flag("replace", false) {
        let others = held.iter().filter(|name| !named.iter().any(|target| target.name == **name));
        turns.extend(others.map(|name| turn(name.clone(), false, None)));
    }
    Ok(turns)
}
