//! Parameters of the `test` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const NOP: &[Param] = &[need("name")];

pub const SUCCEED_WITHOUT_CHANGES: &[Param] = &[need("name")];

pub const SUCCEED_WITH_CHANGES: &[Param] = &[need("name")];

pub const FAIL_WITHOUT_CHANGES: &[Param] = &[need("name")];

pub const FAIL_WITH_CHANGES: &[Param] = &[need("name")];

pub const CONFIGURABLE_TEST_STATE: &[Param] = &[
    need("name"),
    opt("changes", "True"),
    opt("result", "True"),
    opt("comment", "''"),
    opt("warnings", "None"),
    opt("allow_test_mode_failure", "False"),
];

pub const SHOW_NOTIFICATION: &[Param] = &[need("name"), opt("text", "None")];

pub const CHECK_PILLAR: &[Param] = &[
    need("name"),
    opt("present", "None"),
    opt("boolean", "None"),
    opt("integer", "None"),
    opt("string", "None"),
    opt("listing", "None"),
    opt("dictionary", "None"),
    opt("verbose", "False"),
];
