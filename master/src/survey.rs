//! Many targets against the whole fleet at once, for plans: what is known of each minion is decoded
//! once, and not while others wait for the fleet.

use std::{cell::RefCell, collections::HashMap};

use proto::{
    Map, MinionId, Packed,
    target::{Asks, Nodegroups, Subject, Target},
};

use crate::grains;

/// A minion as it was when the survey began.
pub struct Candidate {
    pub id: MinionId,
    pub grains: Packed,
    pub fixed: Map,
    pub pillar: Option<Packed>,
    /// If it was not connected: since when.
    pub absent: Option<Option<u64>>,
}

/// Which of the candidates each target means, by their places.
pub fn survey(candidates: &[Candidate], targets: &[Target], nodegroups: &Nodegroups) -> Vec<Vec<usize>> {
    let asks: Vec<Asks> = targets.iter().map(|target| target.asks(Some(nodegroups))).collect();
    let (any_grain, any_pillar) = (asks.iter().any(Asks::any_grain), asks.iter().any(|asks| asks.pillar));
    let asked = RefCell::new(HashMap::new());
    let mut means = vec![Vec::new(); targets.len()];
    for (place, candidate) in candidates.iter().enumerate() {
        let grains = match any_grain {
            true => picked(candidate, &asks, &asked),
            false => Map::new(),
        };
        let pillar = candidate.pillar.as_ref().filter(|_| any_pillar).and_then(|pillar| pillar.open().ok());
        let subject = Subject {
            id: candidate.id.as_str(),
            grains: &grains,
            pillar: pillar.as_ref(),
            nodegroups: Some(nodegroups),
        };
        for (target, means) in targets.iter().zip(&mut means) {
            if target.matches(&subject) {
                means.push(place);
            }
        }
    }
    means
}

/// The grains that any target asks for; those that the master knows better win.
fn picked(candidate: &Candidate, asks: &[Asks], asked: &RefCell<HashMap<String, bool>>) -> Map {
    let wanted = |name: &str| {
        if let Some(known) = asked.borrow().get(name) {
            return *known;
        }
        let any = asks.iter().any(|asks| asks.grain(name));
        asked.borrow_mut().insert(name.to_owned(), any);
        any
    };
    let mut picked = candidate.grains.pick(wanted).unwrap_or_default();
    picked.extend(grains::known(&candidate.id, &candidate.fixed).filter(|(name, _)| wanted(name)));
    picked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_survey_says_of_each_target_what_resolving_it_alone_says() {
        let map = |value: proto::Value| value.as_object().cloned().unwrap();
        let groups = Nodegroups::parse(&map(json!({"webs": "web*"}))).unwrap();
        let candidate = |id: &str, os: &str, fixed: proto::Value| Candidate {
            id: id.parse().unwrap(),
            grains: Packed::new(&map(json!({"os": os, "role": "x", "id": "db1"}))).unwrap(),
            fixed: map(fixed),
            pillar: Some(Packed::new(&map(json!({"tier": os.to_lowercase()}))).unwrap()),
            absent: None,
        };
        let all = [
            candidate("web1", "Debian", json!({})),
            candidate("web2", "Alpine", json!({"role": "db"})),
            candidate("db1", "Debian", json!({})),
        ];
        let texts = [
            "*",
            "G@os:Debian",
            "G@role:db",
            "N@webs and not G@os:Alpine",
            "I@tier:debian",
            "none",
            "L@db1,web2",
            "G@id:db1",
        ];
        let targets: Vec<Target> = texts.iter().map(|text| Target::parse(text).unwrap()).collect();
        let found = survey(&all, &targets, &groups);
        for (target, found) in targets.iter().zip(&found) {
            let matcher = crate::grains::Matcher::new(target, &groups);
            let alone = (0..all.len())
                .filter(|&at| matcher.matches(&all[at].id, &all[at].grains, &all[at].fixed, all[at].pillar.as_ref()));
            assert_eq!(*found, alone.collect::<Vec<_>>(), "{target}");
        }
        assert_eq!(found[3], [0]);
    }
}
