//! Parameters of the `pkg` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const INSTALLED: &[Param] = &[
    need("name"),
    opt("version", "None"),
    opt("refresh", "None"),
    opt("fromrepo", "None"),
    opt("skip_verify", "False"),
    opt("skip_suggestions", "False"),
    opt("pkgs", "None"),
    opt("sources", "None"),
    opt("allow_updates", "False"),
    opt("pkg_verify", "False"),
    opt("normalize", "True"),
    opt("ignore_epoch", "None"),
    opt("reinstall", "False"),
    opt("update_holds", "False"),
];

pub const REMOVED: &[Param] =
    &[need("name"), opt("version", "None"), opt("pkgs", "None"), opt("normalize", "True"), opt("ignore_epoch", "None")];

pub const PURGED: &[Param] =
    &[need("name"), opt("version", "None"), opt("pkgs", "None"), opt("normalize", "True"), opt("ignore_epoch", "None")];

pub const LATEST: &[Param] = &[
    need("name"),
    opt("refresh", "None"),
    opt("fromrepo", "None"),
    opt("skip_verify", "False"),
    opt("pkgs", "None"),
    opt("watch_flags", "True"),
];

pub const UPTODATE: &[Param] = &[need("name"), opt("refresh", "False"), opt("pkgs", "None")];

pub const HELD: &[Param] = &[need("name"), opt("version", "None"), opt("pkgs", "None"), opt("replace", "False")];

pub const UNHELD: &[Param] = &[need("name"), opt("version", "None"), opt("pkgs", "None"), opt("all", "False")];

pub const GROUP_INSTALLED: &[Param] = &[need("name"), opt("skip", "None"), opt("include", "None")];
