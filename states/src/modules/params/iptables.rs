//! Parameters of the `iptables` states, as Salt 3008 documents them. Any other is an option of the rule.

use crate::call::Param;
use crate::functions::{need, opt};

/// Takes what is not named here.
const REST: Param = opt("**kwargs", "");

pub const RULE: &[Param] = &[
    need("name"),
    opt("table", "'filter'"),
    opt("family", "'ipv4'"),
    need("chain"),
    opt("jump", "None"),
    opt("match", "None"),
    opt("connstate", "None"),
    opt("proto", "None"),
    opt("dport", "None"),
    opt("sport", "None"),
    opt("source", "None"),
    opt("destination", "None"),
    opt("comment", "None"),
    opt("position", "None"),
    opt("save", "False"),
    REST,
];

pub const CHAIN: &[Param] = &[need("name"), opt("table", "'filter'"), opt("family", "'ipv4'")];

pub const SET_POLICY: &[Param] = &[
    need("name"),
    opt("table", "'filter'"),
    opt("family", "'ipv4'"),
    need("chain"),
    need("policy"),
    opt("save", "False"),
    REST,
];

pub const FLUSH: &[Param] =
    &[need("name"), opt("table", "'filter'"), opt("family", "'ipv4'"), opt("chain", "''"), REST];
