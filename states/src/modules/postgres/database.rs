//! `postgres_database.*`

use super::{at, changed, find, statements};
use crate::{
    Host,
    plan::{Call, Done, Plan, StateError, failed},
    resource::postgres::{DATABASES, Server, name as quoted, text as literal},
};

pub fn present(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, server) = (call.name(), Server::of(call)?);
    let known = find(server.rows(call.look, DATABASES)?, "Name", &name);
    let [tablespace, encoding, collate, ctype, owner] =
        ["tablespace", "encoding", "lc_collate", "lc_ctype", "owner"].map(|key| call.some_text(key));
    let Some(row) = known else {
        let template = call.some_text("template").map(|template| quoted(&template));
        let options = [
            ("TABLESPACE", tablespace.as_deref().map(quoted)),
            ("OWNER", owner.as_deref().map(quoted)),
            ("TEMPLATE", template),
            ("ENCODING", encoding.as_deref().map(literal)),
            ("LC_COLLATE", collate.as_deref().map(literal)),
            ("LC_CTYPE", ctype.as_deref().map(literal)),
        ];
        let options: Vec<String> =
            options.into_iter().filter_map(|(key, value)| Some(format!(" {key} = {}", value?))).collect();
        let with = if options.is_empty() { "" } else { " WITH" };
        let sql = vec![format!("CREATE DATABASE {}{with}{}", quoted(&name), options.concat())];
        let said = [
            format!("Database {name} is set to be created"),
            format!("The database {name} has been created"),
            format!("Failed to create database {name}"),
        ];
        return statements(server, sql, changed(&name, "Present"), said);
    };
    let is = |column: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| at(&row, column) == wanted);
    let encoded = encoding.as_ref().is_none_or(|wanted| at(&row, "Encoding").eq_ignore_ascii_case(wanted));
    if !encoded || !is("Collate", &collate) || !is("Ctype", &ctype) {
        return failed(format!("Database {name} has wrong parameters which couldn't be changed on fly."));
    }
    if is("Tablespace", &tablespace) && is("Owner", &owner) {
        return Plan::keep(format!("Database {name} is already present"));
    }
    let recurse = call.flag("owner_recurse", false);
    let changes = changed(&name, "Parameters changed");
    Plan::change(format!("Database {name} exists, but parameters need to be changed"), changes.clone(), move |doing| {
        let cannot = |why| StateError::failed(format!("Failed to change parameters for database {name}\n{why}"));
        if let Some(owner) = &owner {
            owned(doing.host, &server, &name, owner, recurse)?.map_or(Ok(()), |why| Err(cannot(why)))?;
        }
        if let Some(space) = &tablespace {
            let sql = format!("ALTER DATABASE {} SET TABLESPACE {}", quoted(&name), quoted(space));
            server.run(doing.host, &[sql])?.map_or(Ok(()), |why| Err(cannot(why)))?;
        }
        Ok(Done::new(format!("Parameters for database {name} have been changed"), changes))
    })
}

/// What is in a database and has an owner, as statements that give it another.
const BELONGINGS: &str = "SELECT format('ALTER SCHEMA %I', nspname) AS what FROM pg_namespace \
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
    UNION ALL SELECT format('ALTER %s %I.%I', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' \
    WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, n.nspname, c.relname) \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype IN ('a', 'i', 'e')) \
    UNION ALL SELECT format('ALTER ROUTINE %s', p.oid::regprocedure) FROM pg_proc p \
    JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')";

/// Gives a database another owner, and with `recurse` all that is in it. Gives what the server complained of.
fn owned(
    host: &dyn Host,
    server: &Server,
    name: &str,
    owner: &str,
    recurse: bool,
) -> Result<Option<String>, StateError> {
    let owner = quoted(owner);
    let mut sql = vec![format!("ALTER DATABASE {} OWNER TO {owner}", quoted(name))];
    let inside = server.clone().on(name.to_owned());
    if recurse {
        let rows = inside.rows(host, BELONGINGS)?;
        sql.extend(rows.iter().map(|row| format!("{} OWNER TO {owner}", at(row, "what"))));
    }
    inside.run(host, &sql)
}

pub fn absent(call: &Call<'_>) -> Result<Plan, StateError> {
    let (name, server) = (call.name(), Server::of(call)?);
    if find(server.rows(call.look, DATABASES)?, "Name", &name).is_none() {
        return Plan::keep(format!("Database {name} is not present, so it cannot be removed"));
    }
    // Whoever is connected has to go, and nobody may come meanwhile.
    let sql = vec![
        format!("REVOKE CONNECT ON DATABASE {} FROM public", quoted(&name)),
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid()",
            literal(&name)
        ),
        format!("DROP DATABASE {}", quoted(&name)),
    ];
    let said = ["is set to be removed", "has been removed", "failed to be removed"];
    statements(server, sql, changed(&name, "Absent"), said.map(|what| format!("Database {name} {what}")))
}
