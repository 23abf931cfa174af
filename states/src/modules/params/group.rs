//! Parameters of the `group` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[need("name"), opt("gid", "None"), opt("system", "False"), opt("addusers", "None"), opt("delusers", "None"), opt("members", "None"), opt("non_unique", "False"), opt("local", "False")];

pub const ABSENT: &[Param] = &[need("name"), opt("local", "False")];
