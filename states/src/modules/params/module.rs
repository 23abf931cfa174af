//! Parameters of the `module` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::need;

pub const RUN: &[Param] = &[];

pub const WAIT: &[Param] = &[need("name")];
