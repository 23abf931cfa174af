//! Parameters of the `ssh_auth` states, as Salt 3008 documents them.

use crate::call::Param;
use crate::functions::{need, opt};

pub const PRESENT: &[Param] = &[
    need("name"),
    need("user"),
    opt("enc", "'ssh-rsa'"),
    opt("comment", "''"),
    opt("source", "''"),
    opt("options", "None"),
    opt("config", "'.ssh/authorized_keys'"),
    opt("fingerprint_hash_type", "None"),
];

pub const ABSENT: &[Param] = &[
    need("name"),
    need("user"),
    opt("enc", "'ssh-rsa'"),
    opt("comment", "''"),
    opt("source", "''"),
    opt("options", "None"),
    opt("config", "'.ssh/authorized_keys'"),
    opt("fingerprint_hash_type", "None"),
];

pub const MANAGE: &[Param] = &[
    need("name"),
    need("ssh_keys"),
    need("user"),
    opt("enc", "'ssh-rsa'"),
    opt("comment", "''"),
    opt("source", "''"),
    opt("options", "None"),
    opt("config", "'.ssh/authorized_keys'"),
    opt("fingerprint_hash_type", "None"),
];
