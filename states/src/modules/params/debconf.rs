//! Parameters of the `debconf` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const SET: &[Param] = &[need("name"), need("data")];

pub const SET_FILE: &[Param] =
    &[need("name"), need("source"), opt("template", "None"), opt("context", "None"), opt("defaults", "None")];
