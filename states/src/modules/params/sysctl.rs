//! Parameters of the `sysctl` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[need("name"), need("value"), opt("config", "None")];
