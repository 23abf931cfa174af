//! Parameters of the `user` and `group` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const GROUP_PRESENT: &[Param] = &[
    need("name"),
    opt("gid", "None"),
    opt("system", "False"),
    opt("addusers", "None"),
    opt("delusers", "None"),
    opt("members", "None"),
    opt("non_unique", "False"),
    opt("local", "False"),
];

pub const GROUP_ABSENT: &[Param] = &[need("name"), opt("local", "False")];

pub const USER_PRESENT: &[Param] = &[
    need("name"),
    opt("uid", "None"),
    opt("gid", "None"),
    opt("usergroup", "None"),
    opt("groups", "None"),
    opt("optional_groups", "None"),
    opt("remove_groups", "True"),
    opt("home", "None"),
    opt("createhome", "True"),
    opt("persist_home", "False"),
    opt("password", "None"),
    opt("hash_password", "False"),
    opt("enforce_password", "True"),
    opt("empty_password", "False"),
    opt("shell", "None"),
    opt("unique", "True"),
    opt("system", "False"),
    opt("fullname", "None"),
    opt("roomnumber", "None"),
    opt("workphone", "None"),
    opt("homephone", "None"),
    opt("other", "None"),
    opt("loginclass", "None"),
    opt("date", "None"),
    opt("mindays", "None"),
    opt("maxdays", "None"),
    opt("inactdays", "None"),
    opt("warndays", "None"),
    opt("expire", "None"),
    opt("win_homedrive", "None"),
    opt("win_profile", "None"),
    opt("win_logonscript", "None"),
    opt("win_description", "None"),
    opt("nologinit", "False"),
    opt("allow_uid_change", "False"),
    opt("allow_gid_change", "False"),
    opt("password_lock", "None"),
    opt("local", "False"),
];

pub const USER_ABSENT: &[Param] = &[need("name"), opt("purge", "False"), opt("force", "False"), opt("local", "False")];
