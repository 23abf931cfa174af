//! Parameters of the `locale` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::need;

pub const PRESENT: &[Param] = &[need("name")];

pub const SYSTEM: &[Param] = &[need("name")];
