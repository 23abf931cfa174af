//! Parameters of the `random` states.

use crate::call::Param;
use crate::functions::{need, opt};

pub const STORED: &[Param] = &[
    need("name"),
    opt("length", "20"),
    opt("chars", "None"),
    opt("lowercase", "True"),
    opt("uppercase", "True"),
    opt("digits", "True"),
    opt("punctuation", "True"),
    opt("whitespace", "False"),
    opt("printable", "False"),
    opt("user", "None"),
    opt("group", "None"),
    opt("mode", "'0600'"),
    opt("makedirs", "False"),
    opt("dir_mode", "None"),
];
