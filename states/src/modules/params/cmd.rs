//! Parameters of the `cmd` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const RUN: &[Param] = &[
    need("name"),
    opt("cwd", "None"),
    opt("root", "None"),
    opt("runas", "None"),
    opt("password", "None"),
    opt("shell", "None"),
    opt("env", "None"),
    opt("prepend_path", "None"),
    opt("stateful", "False"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
    opt("timeout", "None"),
    opt("ignore_timeout", "False"),
    opt("use_vt", "False"),
    opt("success_retcodes", "None"),
    opt("success_stdout", "None"),
    opt("success_stderr", "None"),
];

pub const WAIT: &[Param] = &[
    need("name"),
    opt("cwd", "None"),
    opt("root", "None"),
    opt("runas", "None"),
    opt("shell", "None"),
    opt("env", "()"),
    opt("stateful", "False"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
    opt("use_vt", "False"),
    opt("success_retcodes", "None"),
    opt("success_stdout", "None"),
    opt("success_stderr", "None"),
];

pub const SCRIPT: &[Param] = &[
    need("name"),
    opt("source", "None"),
    opt("template", "None"),
    opt("cwd", "None"),
    opt("runas", "None"),
    opt("password", "None"),
    opt("shell", "None"),
    opt("env", "None"),
    opt("stateful", "False"),
    opt("timeout", "None"),
    opt("use_vt", "False"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
    opt("defaults", "None"),
    opt("context", "None"),
    opt("success_retcodes", "None"),
    opt("success_stdout", "None"),
    opt("success_stderr", "None"),
];

pub const WAIT_SCRIPT: &[Param] = &[
    need("name"),
    opt("source", "None"),
    opt("template", "None"),
    opt("cwd", "None"),
    opt("runas", "None"),
    opt("shell", "None"),
    opt("env", "None"),
    opt("stateful", "False"),
    opt("use_vt", "False"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
    opt("success_retcodes", "None"),
    opt("success_stdout", "None"),
    opt("success_stderr", "None"),
];

pub const CALL: &[Param] = &[
    need("name"),
    need("func"),
    opt("args", "()"),
    opt("kws", "None"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
    opt("use_vt", "False"),
];

pub const WAIT_CALL: &[Param] = &[
    need("name"),
    need("func"),
    opt("args", "()"),
    opt("kws", "None"),
    opt("stateful", "False"),
    opt("use_vt", "False"),
    opt("output_loglevel", "'debug'"),
    opt("hide_output", "False"),
];
