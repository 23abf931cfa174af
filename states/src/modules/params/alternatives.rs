//! Parameters of the `alternatives` states, as Salt 3007 documents them.

use crate::call::Param;
use crate::functions::need;

pub const INSTALL: &[Param] = &[need("name"), need("link"), need("path"), need("priority")];

pub const REMOVE: &[Param] = &[need("name"), need("path")];

pub const SET: &[Param] = &[need("name"), need("path")];

pub const AUTO: &[Param] = &[need("name")];
