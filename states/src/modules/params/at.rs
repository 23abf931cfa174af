//! Parameters of the `at` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[
    need("name"),
    need("timespec"),
    opt("tag", "None"),
    opt("user", "None"),
    opt("job", "None"),
    opt("unique_tag", "False"),
];

pub const ABSENT: &[Param] = &[
    need("name"),
    opt("jobid", "None"),
    opt("tag", "None"),
    opt("runas", "None"),
    opt("hour", "None"),
    opt("minute", "None"),
    opt("day", "None"),
    opt("month", "None"),
    opt("year", "None"),
];
