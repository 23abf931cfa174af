//! Parameters of the `cron` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[
    need("name"),
    opt("user", "'root'"),
    opt("minute", "'*'"),
    opt("hour", "'*'"),
    opt("daymonth", "'*'"),
    opt("month", "'*'"),
    opt("dayweek", "'*'"),
    opt("comment", "None"),
    opt("commented", "False"),
    opt("identifier", "False"),
    opt("special", "None"),
];

pub const ABSENT: &[Param] = &[need("name"), opt("user", "'root'"), opt("identifier", "False"), opt("special", "None")];

pub const FILE: &[Param] = &[
    need("name"),
    opt("source_hash", "''"),
    opt("source_hash_name", "None"),
    opt("user", "'root'"),
    opt("template", "None"),
    opt("context", "None"),
    opt("replace", "True"),
    opt("defaults", "None"),
    opt("backup", "''"),
];

pub const ENV_PRESENT: &[Param] = &[need("name"), opt("value", "None"), opt("user", "'root'")];

pub const ENV_ABSENT: &[Param] = &[need("name"), opt("user", "'root'")];
