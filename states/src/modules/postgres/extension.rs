//! `postgres_extension.*`

use std::cmp::Ordering;

use super::{at, changed, find, statements};
use crate::{
    plan::{Call, Plan, StateError},
    resource::postgres::{EXTENSIONS, Server, name as quoted, text as literal},
};

pub fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, server) = (call.name(), Server::of(call)?);
    let schema = call.some_text("schema");
    // Salt writes these as they are, so that whoever uses it has had to put them into quotes.
    let [version, from] = ["ext_version", "from_version"]
        .map(|key| call.some_text(key).map(|text| text.trim_matches(['"', '\'']).to_owned()));
    let (mode, done, sql) = match find(server.rows(call.look, EXTENSIONS)?, "extname", &name) {
        None => {
            let mut sql = String::from("CREATE EXTENSION ");
            sql += if call.flag("if_not_exists", false) { "IF NOT EXISTS " } else { "" };
            sql += &quoted(&name);
            let options = [
                schema.map(|schema| format!(" SCHEMA {}", quoted(&schema))),
                version.map(|version| format!(" VERSION {}", literal(&version))),
                from.map(|from| format!(" FROM {}", literal(&from))),
            ];
            let options: String = options.into_iter().flatten().collect();
            sql += &if options.is_empty() { options } else { format!(" WITH{options}") };
            ("install", "installed", vec![sql])
        }
        Some(row) => {
            let is_elsewhere = |schema: &String| at(&row, "extrelocatable") == "t" && at(&row, "schema_name") != schema;
            let is_newer = |version: &String| compared(at(&row, "extversion"), version) == Ordering::Less;
            let extension = format!("ALTER EXTENSION {}", quoted(&name));
            let moved = schema.filter(is_elsewhere).map(|schema| format!("{extension} SET SCHEMA {}", quoted(&schema)));
            let updated =
                version.filter(is_newer).map(|version| format!("{extension} UPDATE TO {}", literal(&version)));
            ("upgrade", "upgraded", moved.into_iter().chain(updated).collect())
        }
    };
    if sql.is_empty() {
        return Plan::keep(format!("Extension {name} is already present"));
    }
    let what = format!("{}{}", done[..1].to_uppercase(), &done[1..]);
    let said = [
        format!("Extension {name} is set to be {done}"),
        format!("The extension {name} has been {done}"),
        format!("Failed to {mode} extension {name}"),
    ];
    statements(server, sql, changed(&name, what), said)
}

/// Versions by their numbers.
fn compared(one: &str, other: &str) -> Ordering {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    numbers(one).cmp(&numbers(other))
}

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, server) = (call.name(), Server::of(call)?);
    if find(server.rows(call.look, EXTENSIONS)?, "extname", &name).is_none() {
        return Plan::keep(format!("Extension {name} is not present, so it cannot be removed"));
    }
    // As in Salt, what depends on it goes too unless that is forbidden.
    let restrict = call.flag("restrict", false);
    let tail = match (restrict, call.flag("cascade", true)) {
        (true, _) => " RESTRICT",
        (false, true) => " CASCADE",
        _ => "",
    };
    let exists = if call.flag("if_exists", false) { "IF EXISTS " } else { "" };
    let sql = format!("DROP EXTENSION {exists}{}{tail}", quoted(&name));
    let said = ["is set to be removed", "has been removed", "failed to be removed"];
    statements(server, vec![sql], changed(&name, "Absent"), said.map(|what| format!("Extension {name} {what}")))
}
