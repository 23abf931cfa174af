//! Parameters of the `ini` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const OPTIONS_PRESENT: &[Param] = &[
    need("name"),
    opt("sections", "None"),
    opt("separator", "'='"),
    opt("strict", "False"),
    opt("encoding", "None"),
    opt("no_spaces", "False"),
];

pub const OPTIONS_ABSENT: &[Param] =
    &[need("name"), opt("sections", "None"), opt("separator", "'='"), opt("encoding", "None")];

pub const SECTIONS_PRESENT: &[Param] =
    &[need("name"), opt("sections", "None"), opt("separator", "'='"), opt("encoding", "None")];

pub const SECTIONS_ABSENT: &[Param] =
    &[need("name"), opt("sections", "None"), opt("separator", "'='"), opt("encoding", "None")];
