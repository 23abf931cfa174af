//! Parameters of the `ssh_known_hosts` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[
    need("name"),
    opt("user", "None"),
    opt("fingerprint", "None"),
    opt("key", "None"),
    opt("port", "None"),
    opt("enc", "None"),
    opt("config", "None"),
    opt("hash_known_hosts", "True"),
    opt("timeout", "5"),
    opt("fingerprint_hash_type", "None"),
];

pub const ABSENT: &[Param] = &[need("name"), opt("user", "None"), opt("config", "None")];
