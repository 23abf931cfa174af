//! Parameters of the `kmod` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[need("name"), opt("persist", "False"), opt("mods", "None")];

pub const ABSENT: &[Param] = &[need("name"), opt("persist", "False"), opt("comment", "True"), opt("mods", "None")];
