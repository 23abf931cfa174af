//! The mine: what minions keep here for one another.
//!
//! In memory for asking, in the store for the next start. A minion writes only its own; who may
//! read an entry says `allow_tgt`, held against the asker as the master knows it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use proto::{
    Map, MinionId, Value,
    codec::{self, Limits},
    question::{ANSWER, Kind, MINE, MineAnswer, MineEntry, MineName, Unanswered},
    target::Target,
};

use crate::{
    fleet::Fleet,
    store::{Store, StoreError},
};

/// What all minions together may keep, in bytes.
const ALL: usize = 512 << 20;
/// Names that one question may ask for, and that one minion may keep.
const NAMES: usize = 64;
/// What an entry costs beside its bytes.
const ENTRY: usize = 128;

pub struct Mine {
    store: Store,
    fleet: Arc<Fleet>,
    table: Mutex<Table>,
    /// Held while an entry is on its way to the disk: what is there last is in memory last.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    of: HashMap<MinionId, BTreeMap<MineName, MineEntry>>,
    bytes: usize,
}

impl Mine {
    /// Takes up what the store holds.
    pub async fn load(store: Store, fleet: Arc<Fleet>) -> Result<Self, StoreError> {
        let mut table = Table::default();
        for (minion, entry) in store.mine().await? {
            let mut entries = table.of.remove(&minion).unwrap_or_default();
            table.bytes += weight(&entry);
            entries.insert(entry.name.clone(), entry);
            table.of.insert(minion, entries);
        }
        Ok(Self { store, fleet, table: Mutex::new(table), writing: tokio::sync::Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What those who match keep under these names, as far as `asker` may have it.
    ///
    /// # Errors
    /// The target cannot be read or would grope for pillar; there is too much of it.
    pub fn ask(&self, asker: &MinionId, target: &str, names: &[MineName]) -> Result<MineAnswer, Unanswered> {
        if names.len() > NAMES {
            return Err(malformed(format!("more than {NAMES} names at once")));
        }
        let target = self.target(target)?;
        let matched = self.fleet.resolve(&target);
        let table = self.table();
        let mut allowed = HashMap::new();
        let mut answer: MineAnswer = names.iter().map(|name| (name.clone(), BTreeMap::new())).collect();
        let mut bytes = 0;
        for minion in matched {
            let Some(entries) = table.of.get(&minion) else { continue };
            for (name, found) in &mut answer {
                let Some(entry) = entries.get(name) else { continue };
                if minion != *asker && !self.may(asker, entry, &mut allowed) {
                    continue;
                }
                bytes += weight(entry);
                if bytes > ANSWER.bytes / 2 {
                    return Err(Unanswered::new(Kind::Failed, "the mine holds too much for one answer: ask for fewer"));
                }
                found.insert(minion.clone(), entry.data.clone());
            }
        }
        Ok(answer)
    }

    /// All that some minions keep, by id and name, for the master's own functions.
    pub fn all_of(&self, minions: &[MinionId]) -> Map {
        let table = self.table();
        let of = |id: &MinionId| {
            let entries = table.of.get(id)?.iter();
            let kept = entries.filter_map(|(name, entry)| {
                let data: Value = codec::decode(&entry.data, Limits { bytes: MINE, ..Limits::SMALL }).ok()?;
                Some((name.to_string(), data))
            });
            Some((id.to_string(), Value::Object(kept.collect())))
        };
        minions.iter().filter_map(of).collect()
    }

    fn target(&self, text: &str) -> Result<Target, Unanswered> {
        let target = self.fleet.parse(text).map_err(|error| malformed(error.to_string()))?;
        match self.fleet.gropes_pillar(&target) {
            true => Err(malformed("pillar is compared as a whole here, not by patterns".into())),
            false => Ok(target),
        }
    }

    /// Whether `asker` may have the entry; each expression is looked at once.
    fn may<'e>(&self, asker: &MinionId, entry: &'e MineEntry, known: &mut HashMap<&'e str, bool>) -> bool {
        let Some(text) = entry.allow_tgt.as_deref() else { return true };
        *known
            .entry(text)
            .or_insert_with(|| self.fleet.parse(text).is_ok_and(|target| self.fleet.means(&target, asker)))
    }

    /// Keeps these entries of `minion`; with `clear`, nothing else of it.
    ///
    /// # Errors
    /// They are malformed or too much, or could not be written down.
    pub async fn update(&self, minion: &MinionId, entries: Vec<MineEntry>, clear: bool) -> Result<(), Unanswered> {
        entries.iter().try_for_each(|entry| self.check(entry))?;
        let _writing = self.writing.lock().await;
        let before = self.table().of.get(minion).cloned().unwrap_or_default();
        let mut after = if clear { BTreeMap::new() } else { before.clone() };
        after.extend(entries.iter().map(|entry| (entry.name.clone(), entry.clone())));
        let total: usize = after.values().map(weight).sum();
        if total > MINE || after.len() > NAMES {
            return Err(malformed(format!("a minion may keep {NAMES} entries of {MINE} bytes together")));
        }
        if self.table().bytes + total > ALL {
            return Err(Unanswered::new(Kind::Failed, "the mine is full"));
        }
        // What is as it was needs no disk: most updates repeat the last.
        if after == before {
            return Ok(());
        }
        self.put(minion, after).await
    }

    /// Removes these entries of `minion`.
    ///
    /// # Errors
    /// It could not be written down.
    pub async fn delete(&self, minion: &MinionId, names: &[MineName]) -> Result<(), Unanswered> {
        let _writing = self.writing.lock().await;
        let mut after = self.table().of.get(minion).cloned().unwrap_or_default();
        names.iter().for_each(|name| {
            after.remove(name);
        });
        self.put(minion, after).await
    }

    /// Removes all of a minion whose key is gone.
    pub async fn forget(&self, minion: &MinionId) {
        let _writing = self.writing.lock().await;
        if let Err(error) = self.put(minion, BTreeMap::new()).await {
            tracing::error!(%minion, %error, "cannot remove its part of the mine");
        }
    }

    async fn put(&self, minion: &MinionId, after: BTreeMap<MineName, MineEntry>) -> Result<(), Unanswered> {
        let written = self.store.set_mine(minion.clone(), after.values().cloned().collect()).await;
        written.map_err(|error| Unanswered::new(Kind::Failed, error.to_string()))?;
        let mut table = self.table();
        table.bytes += after.values().map(weight).sum::<usize>();
        let before = match after.is_empty() {
            true => table.of.remove(minion),
            false => table.of.insert(minion.clone(), after),
        };
        table.bytes -= before.iter().flat_map(BTreeMap::values).map(weight).sum::<usize>();
        Ok(())
    }

    fn check(&self, entry: &MineEntry) -> Result<(), Unanswered> {
        codec::check(&entry.data, Limits { bytes: MINE, ..Limits::SMALL })
            .map_err(|error| malformed(format!("{}: {error}", entry.name)))?;
        match entry.allow_tgt.as_deref().map(|text| self.target(text)) {
            Some(Err(why)) => Err(malformed(format!("{}: allow_tgt: {why}", entry.name))),
            _ => Ok(()),
        }
    }
}

fn weight(entry: &MineEntry) -> usize {
    ENTRY + entry.data.len() + entry.allow_tgt.as_ref().map_or(0, String::len)
}

fn malformed(why: String) -> Unanswered {
    Unanswered::new(Kind::Malformed, why)
}
