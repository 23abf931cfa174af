//! Parameters of the `pkgrepo` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const MANAGED: &[Param] = &[need("name"), opt("ppa", "None"), opt("copr", "None"), opt("aptkey", "True")];

pub const ABSENT: &[Param] = &[need("name")];
