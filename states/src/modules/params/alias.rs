//! Parameters of the `alias` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::need;

pub const PRESENT: &[Param] = &[need("name"), need("target")];

pub const ABSENT: &[Param] = &[need("name")];
