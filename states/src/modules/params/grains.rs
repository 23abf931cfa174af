//! Parameters of the `grains` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const EXISTS: &[Param] = &[need("name"), opt("delimiter", "':'")];

pub const PRESENT: &[Param] = &[need("name"), need("value"), opt("delimiter", "':'"), opt("force", "False")];

pub const LIST_PRESENT: &[Param] = &[need("name"), need("value"), opt("delimiter", "':'")];

pub const LIST_ABSENT: &[Param] = &[need("name"), need("value"), opt("delimiter", "':'")];

pub const ABSENT: &[Param] =
    &[need("name"), opt("destructive", "False"), opt("delimiter", "':'"), opt("force", "False")];

pub const APPEND: &[Param] = &[need("name"), need("value"), opt("convert", "False"), opt("delimiter", "':'")];
