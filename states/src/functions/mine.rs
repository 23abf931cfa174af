//! `mine.get`: what other minions told. Nobody tells anything yet.

use proto::{Map, Value};

use super::{need, opt};
use crate::{Effect, Function};

pub const TABLE: &[Function] = &[Function {
    name: "mine.get",
    doc: "Gives what other minions keep in the mine; without a mine, nothing.\n\nctl run '*' mine.get 'web*' network.ip_addrs",
    params: &[need("tgt"), need("fun"), opt("tgt_type", "glob"), opt("exclude_minion", "False")],
    effect: Effect::Reads,
    call: |_, _| Ok(Value::Object(Map::new())),
}];
