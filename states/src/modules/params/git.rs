//! Parameters of the `git` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const LATEST: &[Param] = &[
    need("name"),
    need("target"),
    opt("rev", "'HEAD'"),
    opt("branch", "None"),
    opt("user", "None"),
    opt("password", "None"),
    opt("update_head", "True"),
    opt("force_checkout", "False"),
    opt("force_clone", "False"),
    opt("force_fetch", "False"),
    opt("force_reset", "False"),
    opt("submodules", "False"),
    opt("bare", "False"),
    opt("mirror", "False"),
    opt("remote", "'origin'"),
    opt("fetch_tags", "True"),
    opt("sync_tags", "True"),
    opt("depth", "None"),
    opt("identity", "None"),
    opt("https_user", "None"),
    opt("https_pass", "None"),
    opt("refspec_branch", "'*'"),
    opt("refspec_tag", "'*'"),
    opt("output_encoding", "None"),
];

pub const CLONED: &[Param] = &[
    need("name"),
    need("target"),
    opt("branch", "None"),
    opt("user", "None"),
    opt("password", "None"),
    opt("identity", "None"),
    opt("https_user", "None"),
    opt("https_pass", "None"),
    opt("output_encoding", "None"),
];

pub const DETACHED: &[Param] = &[
    need("name"),
    need("rev"),
    need("target"),
    opt("remote", "'origin'"),
    opt("user", "None"),
    opt("password", "None"),
    opt("force_clone", "False"),
    opt("force_checkout", "False"),
    opt("fetch_remote", "True"),
    opt("hard_reset", "False"),
    opt("submodules", "False"),
    opt("identity", "None"),
    opt("https_user", "None"),
    opt("https_pass", "None"),
    opt("output_encoding", "None"),
];

pub const PRESENT: &[Param] = &[
    need("name"),
    opt("force", "False"),
    opt("bare", "True"),
    opt("template", "None"),
    opt("separate_git_dir", "None"),
    opt("shared", "None"),
    opt("user", "None"),
    opt("password", "None"),
    opt("output_encoding", "None"),
];

pub const CONFIG_SET: &[Param] = &[
    need("name"),
    opt("value", "None"),
    opt("multivar", "None"),
    opt("repo", "None"),
    opt("user", "None"),
    opt("password", "None"),
    opt("output_encoding", "None"),
];

pub const CONFIG_UNSET: &[Param] = &[
    need("name"),
    opt("value_regex", "None"),
    opt("repo", "None"),
    opt("user", "None"),
    opt("password", "None"),
    opt("output_encoding", "None"),
];
