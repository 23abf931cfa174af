//! Parameters of the `timezone` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const SYSTEM: &[Param] = &[need("name"), opt("utc", "True")];
