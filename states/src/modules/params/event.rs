//! Parameters of the `event` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const SEND: &[Param] = &[
    need("name"),
    opt("data", "None"),
    opt("preload", "None"),
    opt("with_env", "False"),
    opt("with_grains", "False"),
    opt("with_pillar", "False"),
    opt("show_changed", "True"),
];

pub const WAIT: &[Param] = &[need("name"), opt("sfun", "None"), opt("data", "None")];
