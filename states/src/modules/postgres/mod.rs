//! `postgres_*.*`: what a PostgreSQL server holds. Salt's `states/postgres_*.py`.

mod database;
mod extension;
mod role;
mod schema;

use proto::{Map, Value};

use super::params::postgres as params;
use crate::{
    plan::{Call, Done, Plan, State, StateError, StateModule, failed},
    resource::postgres::Server,
};

pub const USER: StateModule = StateModule {
    name: "postgres_user",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a PostgreSQL server has a user, with a password and rights.\n\n    app:\n      postgres_user.present:\n        - password: {{ pillar['db_password'] }}\n        - encrypted: scram-sha-256\n        - createdb: True",
            params: params::USER_PRESENT,
            plan: |call| role::present(call, &role::USER),
        },
        State {
            name: "absent",
            doc: "Makes sure that a PostgreSQL server does not have a user.\n\n    app:\n      postgres_user.absent",
            params: params::ABSENT,
            plan: |call| role::absent(call, &role::USER),
        },
    ],
    watch: None,
};

pub const GROUP: StateModule = StateModule {
    name: "postgres_group",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a PostgreSQL server has a group: a role that nobody logs in as.\n\n    readers:\n      postgres_group.present",
            params: params::GROUP_PRESENT,
            plan: |call| role::present(call, &role::GROUP),
        },
        State {
            name: "absent",
            doc: "Makes sure that a PostgreSQL server does not have a group.\n\n    readers:\n      postgres_group.absent",
            params: params::ABSENT,
            plan: |call| role::absent(call, &role::GROUP),
        },
    ],
    watch: None,
};

pub const DATABASE: StateModule = StateModule {
    name: "postgres_database",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a PostgreSQL server has a database.\n\n    app:\n      postgres_database.present:\n        - owner: app\n        - encoding: UTF8\n        - template: template0",
            params: params::DATABASE_PRESENT,
            plan: database::present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a PostgreSQL server does not have a database.\n\n    app:\n      postgres_database.absent",
            params: params::ABSENT,
            plan: database::absent,
        },
    ],
    watch: None,
};

pub const EXTENSION: StateModule = StateModule {
    name: "postgres_extension",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a database has an extension.\n\n    hstore:\n      postgres_extension.present:\n        - maintenance_db: app",
            params: params::EXTENSION_PRESENT,
            plan: extension::present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a database does not have an extension.\n\n    hstore:\n      postgres_extension.absent:\n        - maintenance_db: app",
            params: params::EXTENSION_ABSENT,
            plan: extension::absent,
        },
    ],
    watch: None,
};

pub const SCHEMA: StateModule = StateModule {
    name: "postgres_schema",
    states: &[
        State {
            name: "present",
            doc: "Makes sure that a database has a schema.\n\n    reports:\n      postgres_schema.present:\n        - dbname: app\n        - owner: app",
            params: params::SCHEMA_PRESENT,
            plan: schema::present,
        },
        State {
            name: "absent",
            doc: "Makes sure that a database does not have a schema.\n\n    reports:\n      postgres_schema.absent:\n        - dbname: app",
            params: params::SCHEMA_ABSENT,
            plan: schema::absent,
        },
    ],
    watch: None,
};

/// A row by what is in one of its columns.
fn find(rows: Vec<Map>, column: &str, wanted: &str) -> Option<Map> {
    rows.into_iter().find(|row| at(row, column) == wanted)
}

fn at<'row>(row: &'row Map, column: &str) -> &'row str {
    row.get(column).and_then(Value::as_str).unwrap_or("")
}

/// `{name: what}`, as Salt tells changes here.
fn changed(name: &str, what: impl Into<Value>) -> Map {
    [(name.to_owned(), what.into())].into_iter().collect()
}

/// A plan that carries statements out one after the other, with the sentences before, after and on failure.
fn statements(
    server: Server,
    statements: Vec<String>,
    changes: Map,
    [would, did, cannot]: [String; 3],
) -> Result<Plan, StateError> {
    Plan::change(would, changes.clone(), move |doing| {
        for statement in statements {
            if let Some(why) = server.run(doing.host, &[statement])? {
                return failed(format!("{cannot}\n{why}"));
            }
        }
        Ok(Done::new(did, changes))
    })
}

/// A flag of a state; nothing where it does not say.
fn flag(call: &Call<'_>, key: &str) -> Option<bool> {
    call.value(key).map(crate::functions::truth)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::{Memory, apply, refused, said};

    #[test]
    fn a_server_that_does_not_answer_is_no_empty_server() {
        let host = Memory::new(json!({})).with(&[("/etc/passwd", "postgres:x:9:9::/:/bin/sh\n")]).answer(|_, line| {
            assert!(!line.contains("secret"), "{line}");
            if line.contains("down") { refused(2, "connection refused") } else { said("name\n") }
        });
        let sls = |more: &str| format!("x:\n  postgres_user.present:\n    - password: secret\n{more}");
        let rows = apply(&host, &sls("    - db_host: /down\n"), true);
        assert_eq!((&rows[0].1, rows[0].2.as_str()), (&json!(false), "connection refused"));
        assert_eq!(apply(&host, &sls(""), true)[0].1, Value::Null);
        assert_eq!(apply(&host, &sls("    - encrypted: rot13\n"), true)[0].2, "Unknown password algorithm: rot13");
    }
}
