//! Parameters of the `postgres_*` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const USER_PRESENT: &[Param] = &[
    need("name"),
    opt("createdb", "None"),
    opt("createroles", "None"),
    opt("encrypted", "None"),
    opt("superuser", "None"),
    opt("replication", "None"),
    opt("inherit", "None"),
    opt("login", "None"),
    opt("password", "None"),
    opt("default_password", "None"),
    opt("refresh_password", "None"),
    opt("valid_until", "None"),
    opt("groups", "None"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
    opt("db_user", "None"),
];

pub const GROUP_PRESENT: &[Param] = &[
    need("name"),
    opt("createdb", "None"),
    opt("createroles", "None"),
    opt("encrypted", "None"),
    opt("superuser", "None"),
    opt("inherit", "None"),
    opt("login", "None"),
    opt("replication", "None"),
    opt("password", "None"),
    opt("refresh_password", "None"),
    opt("groups", "None"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
    opt("db_user", "None"),
];

/// What is there by its name alone is taken away so.
pub const ABSENT: &[Param] = &[
    need("name"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
    opt("db_user", "None"),
];

pub const DATABASE_PRESENT: &[Param] = &[
    need("name"),
    opt("tablespace", "None"),
    opt("encoding", "None"),
    opt("lc_collate", "None"),
    opt("lc_ctype", "None"),
    opt("owner", "None"),
    opt("owner_recurse", "False"),
    opt("template", "None"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
    opt("db_user", "None"),
];

pub const EXTENSION_PRESENT: &[Param] = &[
    need("name"),
    opt("if_not_exists", "None"),
    opt("schema", "None"),
    opt("ext_version", "None"),
    opt("from_version", "None"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_user", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
];

pub const EXTENSION_ABSENT: &[Param] = &[
    need("name"),
    opt("if_exists", "None"),
    opt("restrict", "None"),
    opt("cascade", "None"),
    opt("user", "None"),
    opt("maintenance_db", "None"),
    opt("db_user", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
];

pub const SCHEMA_PRESENT: &[Param] = &[
    need("dbname"),
    need("name"),
    opt("owner", "None"),
    opt("user", "None"),
    opt("db_user", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
];

pub const SCHEMA_ABSENT: &[Param] = &[
    need("dbname"),
    need("name"),
    opt("user", "None"),
    opt("db_user", "None"),
    opt("db_password", "None"),
    opt("db_host", "None"),
    opt("db_port", "None"),
];
