//! Parameters of the `service` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const RUNNING: &[Param] = &[need("name"), opt("enable", "None"), opt("sig", "None"), opt("init_delay", "None")];

pub const DEAD: &[Param] = &[need("name"), opt("enable", "None"), opt("sig", "None"), opt("init_delay", "None")];

pub const ENABLED: &[Param] = &[need("name")];

pub const DISABLED: &[Param] = &[need("name")];

pub const MASKED: &[Param] = &[need("name"), opt("runtime", "False")];

pub const UNMASKED: &[Param] = &[need("name"), opt("runtime", "False")];
