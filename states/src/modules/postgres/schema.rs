//! `postgres_schema.*`

use proto::Map;

use super::{changed, find, statements};
use crate::{
    plan::{Call, Done, Plan, StateError},
    resource::postgres::{SCHEMAS, Server, name as quoted},
};

/// The schema's name, that of its database, and the server.
fn named(call: &Call<'_>) -> Result<(String, String, Server), StateError> {
    let database = call.need("dbname")?;
    Ok((call.name(), database.clone(), Server::of(call)?.on(database)))
}

fn is_there(call: &Call<'_>, server: &Server, name: &str) -> Result<bool, StateError> {
    Ok(find(server.rows(call.look, SCHEMAS)?, "name", name).is_some())
}

/// Salt names the database in every row.
fn of(database: &str) -> Map {
    [("dbname".to_owned(), database.into())].into_iter().collect()
}

fn kept(comment: String, database: &str) -> Plan {
    Plan::KeepWith(Done { more: of(database), ..Done::new(comment, Map::new()) })
}

fn planned(plan: Plan, database: String) -> Plan {
    let Plan::Change { comment, changes, apply, .. } = plan else { return plan };
    let more = of(&database);
    let apply: crate::plan::Apply = Box::new(move |doing| Ok(Done { more: of(&database), ..apply(doing)? }));
    Plan::Change { comment, changes, more, apply }
}

pub fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, database, server) = named(call)?;
    if is_there(call, &server, &name)? {
        return Ok(kept(format!("Schema {name} already exists in database {database}"), &database));
    }
    let owner = call.some_text("owner").map_or(String::new(), |owner| format!(" AUTHORIZATION {}", quoted(&owner)));
    let said = [
        format!("Schema {name} is set to be created in database {database}."),
        format!("Schema {name} has been created in database {database}"),
        format!("Failed to create schema {name} in database {database}"),
    ];
    let sql = vec![format!("CREATE SCHEMA {}{owner}", quoted(&name))];
    Ok(planned(statements(server, sql, changed(&name, "Present"), said)?, database))
}

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, database, server) = named(call)?;
    if !is_there(call, &server, &name)? {
        let comment = format!("Schema {name} is not present in database {database}, so it cannot be removed");
        return Ok(kept(comment, &database));
    }
    let said = [
        format!("Schema {name} is set to be removed from database {database}"),
        format!("Schema {name} has been removed from database {database}"),
        format!("Schema {name} failed to be removed"),
    ];
    let sql = vec![format!("DROP SCHEMA {}", quoted(&name))];
    Ok(planned(statements(server, sql, changed(&name, "Absent"), said)?, database))
}
