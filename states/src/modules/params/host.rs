//! Parameters of the `host` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[need("name"), need("ip"), opt("comment", "''"), opt("clean", "False")];

pub const ABSENT: &[Param] = &[need("name"), need("ip")];

pub const ONLY: &[Param] = &[need("name"), need("hostnames")];
