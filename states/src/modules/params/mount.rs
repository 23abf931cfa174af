//! Parameters of the `mount` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const MOUNTED: &[Param] = &[
    need("name"),
    need("device"),
    need("fstype"),
    opt("mkmnt", "False"),
    opt("opts", "'defaults'"),
    opt("dump", "0"),
    opt("pass_num", "0"),
    opt("config", "'/etc/fstab'"),
    opt("persist", "True"),
    opt("mount", "True"),
    opt("user", "None"),
    opt("match_on", "'auto'"),
    opt("device_name_regex", "None"),
    opt("extra_mount_invisible_options", "None"),
    opt("extra_mount_invisible_keys", "None"),
    opt("extra_mount_ignore_fs_keys", "None"),
    opt("extra_mount_translate_options", "None"),
    opt("hidden_opts", "None"),
    opt("bind_mount_copy_active_opts", "True"),
];

pub const UNMOUNTED: &[Param] =
    &[need("name"), opt("device", "None"), opt("config", "'/etc/fstab'"), opt("persist", "False"), opt("user", "None")];

pub const SWAP: &[Param] = &[need("name"), opt("persist", "True"), opt("config", "'/etc/fstab'")];
