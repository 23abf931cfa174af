use std::{
    collections::{BTreeSet, HashSet},
    hash::Hash,
};

/// Remembers what was seen until it expires, within a bound.
#[derive(Debug, Clone)]
pub struct Dedupe<K> {
    seen: HashSet<K>,
    by_expiry: BTreeSet<(u64, K)>,
    most: usize,
}

/// What a memory says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Not before; it is remembered now.
    New,
    Again,
    /// Not known, and there is no room to remember it: to be refused, since it could come again.
    Full,
}

impl<K: Clone + Eq + Hash + Ord> Dedupe<K> {
    /// Remembers at most so many keys.
    pub fn new(most: usize) -> Self {
        Self { seen: HashSet::new(), by_expiry: BTreeSet::new(), most }
    }

    /// Whether `key` is new at `now`. It is remembered until `expires`, so whoever asks must refuse
    /// by itself what is older than that.
    pub fn insert(&mut self, key: K, expires: u64, now: u64) -> Seen {
        self.forget(now);
        if self.seen.contains(&key) {
            return Seen::Again;
        }
        if self.seen.len() >= self.most {
            return Seen::Full;
        }
        self.seen.insert(key.clone());
        self.by_expiry.insert((expires, key));
        Seen::New
    }

    fn forget(&mut self, now: u64) {
        while self.by_expiry.first().is_some_and(|(expires, _)| *expires < now) {
            if let Some((_, key)) = self.by_expiry.pop_first() {
                self.seen.remove(&key);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.seen.len()
    }

    pub fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }
}
