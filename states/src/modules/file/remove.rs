//! `file.absent`, `file.exists`, `file.missing`.

use serde_json::json;

use crate::{
    plan::{Call, Done, Plan, StateError, failed, missing_at},
    resource::files,
};

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let path = super::path(call)?;
    let name = path.display().to_string();
    if name == "/" {
        return failed("Refusing to make \"/\" absent");
    }
    let Ok(stat) = call.look.stat(&path) else { return Plan::keep(format!("File {name} is not present")) };
    let what = if stat.kind == crate::look::Kind::Directory { "Directory" } else { "File" };
    let changes = json!({ "removed": name });
    Plan::change(format!("{what} {name} is set for removal"), changes.clone(), move |doing| {
        doing.host.remove(&path).map_err(|why| StateError::Failed(format!("Failed to remove {name}: {why}")))?;
        Ok(Done::new(format!("Removed {} {name}", what.to_lowercase()), changes))
    })
}

pub fn exists(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    if name.is_empty() {
        return failed("Must provide name to file.exists");
    }
    match files::exists(call.look, &super::path(call)?) {
        true => Plan::keep(format!("Path {name} exists")),
        false => missing_at(call.look, &super::path(call)?, format!("Specified path {name} does not exist")),
    }
}

pub fn not_there(call: &Call<'_>) -> Result<Plan, StateError> {
    let name = call.name();
    if name.is_empty() {
        return failed("Must provide name to file.missing");
    }
    match files::exists(call.look, &super::path(call)?) {
        false => Plan::keep(format!("Path {name} is missing")),
        true => failed(format!("Specified path {name} exists")),
    }
}
