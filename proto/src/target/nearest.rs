//! What somebody may have meant whose target matches nobody.

use std::{collections::BTreeMap, fmt};

use super::{Node, Target};

/// How far a guess may be from what was typed.
const FAR: usize = 3;
/// Ids named in a guess.
const NAMED: usize = 3;

/// The nearest thing that does match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nearest {
    /// This glob, and how many ids it matches.
    Glob(String, usize),
    /// These ids.
    Ids(Vec<String>),
}

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Glob(glob, 1) => write!(f, "1 minion matches '{glob}'."),
            Self::Glob(glob, count) => write!(f, "{count} minions match '{glob}'."),
            Self::Ids(ids) => write!(f, "did you mean {}?", ids.join(" or ")),
        }
    }
}

impl Target {
    /// What among `ids` is most like this target's globs and lists. Answers nothing for a target
    /// that is about other things than ids.
    pub fn nearest<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Option<Nearest> {
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut words = Vec::new();
        self.0.each(&mut |node| match node {
            Node::Glob(glob) => words.push(glob.as_str().to_owned()),
            Node::List(list) => words.extend(list.text.iter().take(NAMED).cloned()),
            _ => {}
        });
        words.iter().find_map(|word| {
            if word.contains(['*', '?', '[']) { nearest_glob(word, &ids) } else { nearest_ids(word, &ids) }
        })
    }
}

/// Globs that the ids suggest: what stands before their first digit or dot.
fn nearest_glob(word: &str, ids: &[&str]) -> Option<Nearest> {
    let mut families: BTreeMap<&str, usize> = BTreeMap::new();
    for id in ids {
        let stem = id.find(|c: char| c.is_ascii_digit() || c == '.').map_or(*id, |at| &id[..at]);
        *families.entry(stem).or_default() += 1;
    }
    let stem = word.trim_end_matches('*');
    let near = |family: &str| strsim::damerau_levenshtein(stem, family);
    let (family, count) = families
        .into_iter()
        .filter(|(family, _)| !family.is_empty() && near(family) <= FAR.min(family.len() / 2))
        .min_by_key(|(family, count)| (near(family), usize::MAX - count))?;
    Some(Nearest::Glob(format!("{family}*"), count))
}

fn nearest_ids(word: &str, ids: &[&str]) -> Option<Nearest> {
    let mut near: Vec<(usize, &str)> = ids
        .iter()
        .filter(|id| id.len().abs_diff(word.len()) <= FAR)
        .map(|id| (strsim::damerau_levenshtein(word, id), *id))
        .filter(|&(distance, _)| distance <= FAR.min(word.len() / 2))
        .collect();
    near.sort_unstable();
    let best = near.first()?.0;
    near.retain(|&(distance, _)| distance == best);
    Some(Nearest::Ids(near.into_iter().take(NAMED).map(|(_, id)| id.to_owned()).collect()))
}
