//! Parameters of the `environ` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const SETENV: &[Param] = &[
    need("name"),
    need("value"),
    opt("false_unsets", "False"),
    opt("clear_all", "False"),
    opt("update_minion", "False"),
    opt("permanent", "False"),
];
