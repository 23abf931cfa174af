//! Grains of ten thousand minions, kept as msgpack and looked into only where a target asks.

use proto::{
    Map, MinionId, Packed,
    target::{Nodegroups, Subject, Target},
};

/// A target with what it needs to look at a minion.
pub struct Matcher<'a> {
    target: &'a Target,
    nodegroups: &'a Nodegroups,
    /// Grains are decoded only for targets that ask for them.
    looks_beyond_ids: bool,
}

impl<'a> Matcher<'a> {
    pub fn new(target: &'a Target, nodegroups: &'a Nodegroups) -> Self {
        Self { target, nodegroups, looks_beyond_ids: target.looks_beyond_ids() }
    }

    /// `grains` are the minion's claims, `fixed` are the master's word.
    pub fn matches(&self, id: &MinionId, grains: &Packed, fixed: &Map) -> bool {
        let grains = if self.looks_beyond_ids { all(grains, fixed) } else { Map::new() };
        let subject = Subject { id: id.as_str(), grains: &grains, pillar: None, nodegroups: Some(self.nodegroups) };
        self.target.matches(&subject)
    }
}

/// All grains of one minion; those that the master fixed win.
pub fn all(grains: &Packed, fixed: &Map) -> Map {
    let mut all = grains.open().unwrap_or_default();
    all.extend(fixed.clone());
    all
}
