//! Grains and pillar of ten thousand minions, kept as msgpack and looked into only where a target
//! asks.

use proto::{
    Map, MinionId, Packed, Value,
    target::{Asks, Nodegroups, Subject, Target},
};

/// A target with what it needs to look at a minion.
pub struct Matcher<'a> {
    target: &'a Target,
    nodegroups: &'a Nodegroups,
    asks: Asks,
}

impl<'a> Matcher<'a> {
    pub fn new(target: &'a Target, nodegroups: &'a Nodegroups) -> Self {
        Self { target, nodegroups, asks: target.asks(Some(nodegroups)) }
    }

    /// `grains` are the minion's claims, `fixed` are the master's word; without its pillar, no
    /// pillar target means it.
    pub fn matches(&self, id: &MinionId, grains: &Packed, fixed: &Map, pillar: Option<&Packed>) -> bool {
        let grains = self.grains(id, grains, fixed);
        let pillar = pillar.filter(|_| self.asks.pillar).and_then(|pillar| pillar.open().ok());
        let (pillar, nodegroups) = (pillar.as_ref(), Some(self.nodegroups));
        self.target.matches(&Subject { id: id.as_str(), grains: &grains, pillar, nodegroups })
    }

    /// Only those that the target asks for are decoded.
    fn grains(&self, id: &MinionId, grains: &Packed, fixed: &Map) -> Map {
        if !self.asks.any_grain() {
            return Map::new();
        }
        let mut picked = grains.pick(|name| self.asks.grain(name)).unwrap_or_default();
        picked.extend(known(id, fixed).filter(|(name, _)| self.asks.grain(name)));
        picked
    }
}

/// All grains of one minion; those that the master knows better win.
pub fn all(id: &MinionId, grains: &Packed, fixed: &Map) -> Map {
    let mut all = grains.open().unwrap_or_default();
    all.extend(known(id, fixed));
    all
}

/// What the master says of a minion, whatever it claims: the grains that were fixed, and its name,
/// by which pillar is handed out.
pub fn known(id: &MinionId, fixed: &Map) -> impl Iterator<Item = (String, Value)> {
    let fixed = fixed.iter().map(|(name, value)| (name.clone(), value.clone()));
    fixed.chain([("id".to_owned(), id.as_str().into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(value: proto::Value) -> Map {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_name_is_the_masters_word() {
        let claims = Packed::new(&map(json!({"id": "db1", "os": "Debian"}))).unwrap();
        let (id, fixed) = ("web1".parse().unwrap(), map(json!({"id": "db1"})));
        assert_eq!(all(&id, &claims, &fixed)["id"], "web1");
        let matches = |text: &str| {
            let target = Target::parse(text).unwrap();
            Matcher::new(&target, &Nodegroups::default()).matches(&id, &claims, &fixed, None)
        };
        assert!(matches("G@id:web1 and G@*:web1") && !matches("G@id:db1") && !matches("G@*:db1"));
    }

    #[test]
    fn a_target_sees_the_grains_that_it_asks_for_and_fixed_ones_win() {
        let claims = map(json!({"os": "Debian", "role": "web", "ipv4": ["10.0.0.7"], "deep": {"a": {"b": "c"}}}));
        let (grains, fixed) = (Packed::new(&claims).unwrap(), map(json!({"role": "db"})));
        let groups = Nodegroups::parse(&map(json!({"debs": "G@os:Debian"}))).unwrap();
        let id: MinionId = "h1".parse().unwrap();
        let matches = |text: &str| {
            let target = Target::parse(text).unwrap();
            Matcher::new(&target, &groups).matches(&id, &grains, &fixed, None)
        };
        for yes in
            ["h*", "G@os:deb*", "G@role:db", "S@10.0.0.0/8", "N@debs", "G@deep:a:b:c", "G@*:Debian", "P@os:(Deb|Ub)"]
        {
            assert!(matches(yes), "{yes}");
        }
        for no in ["G@role:web", "not N@debs", "G@none:x", "S@10.0.0.8", "I@role:db"] {
            assert!(!matches(no), "{no}");
        }
        let pillar = Packed::new(&map(json!({"role": {"name": "db"}}))).unwrap();
        for (text, expected) in [("I@role:name:db", true), ("I@role:name:d*", true), ("not I@role:name:db", false)] {
            let target = Target::parse(text).unwrap();
            let matcher = Matcher::new(&target, &groups);
            assert_eq!(matcher.matches(&id, &grains, &fixed, Some(&pillar)), expected, "{text}");
            assert!(!matcher.matches(&id, &grains, &fixed, None), "{text}: what is not known decides nothing");
        }
        let target = Target::parse("G@os:Debian and S@10.0.0.7").unwrap();
        let asks = target.asks(None);
        assert!(asks.grain("os") && asks.grain("ipv6") && !asks.grain("role") && !asks.pillar);
    }
}
