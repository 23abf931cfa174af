//! The keys of minions: pending, accepted, rejected; enrolment tokens; and who was turned away.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use proto::{
    Map, MinionId,
    message::{KeyRow, KeyState, Refusal, RefusedRow},
    sign::PublicKey,
};
use rand::RngExt;

use crate::store::{Store, StoreError};

/// Keys that may wait for `ctl key accept` at once; more are turned away.
const MOST_PENDING: usize = 20_000;
/// Peers remembered for `ctl key list --refused`.
const MOST_REFUSED: usize = 1_000;

/// What the master says to a minion's first word.
#[derive(Debug, Clone, PartialEq)]
pub enum Admission {
    /// Welcome, with the grains that the master fixed.
    Accepted(Map),
    Refused(Refusal),
}

/// All keys, in memory and in the store.
pub struct Keys {
    store: Store,
    auto_accept: bool,
    table: Mutex<Table>,
    /// Held while a key that is not decided on yet is: of two that ask for one name, or show one
    /// token, one comes first.
    deciding: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Table {
    by_id: HashMap<MinionId, KeyRow>,
    by_key: HashMap<PublicKey, MinionId>,
    refused: HashMap<(String, String), RefusedRow>,
}

impl Keys {
    pub async fn load(store: Store, auto_accept: bool) -> Result<Self, StoreError> {
        let mut table = Table::default();
        for row in store.keys().await? {
            table.insert(row);
        }
        Ok(Self { store, auto_accept, table: Mutex::new(table), deciding: tokio::sync::Mutex::default() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on a minion that has proved that it owns `key` and would like to be called `id`.
    ///
    /// # Errors
    /// When a new key could not be written down.
    pub async fn admit(
        &self,
        key: PublicKey,
        id: &MinionId,
        token: Option<&str>,
        now: u64,
    ) -> Result<Admission, StoreError> {
        if let Judged::Final(admission) = self.judge(&key, id) {
            return Ok(admission);
        }
        let _first = self.deciding.lock().await;
        let row = match self.judge(&key, id) {
            Judged::Final(admission) => return Ok(admission),
            Judged::Waits(row) => row,
        };
        if self.auto_accept || self.spend(token, id, now).await? {
            return self.accept_new(row, key, id, now).await;
        }
        if token.is_some() {
            return Ok(Admission::Refused(Refusal::BadToken));
        }
        if row.is_none() {
            self.put(KeyRow { id: id.clone(), key, state: KeyState::Pending, since: now, fixed_grains: Map::new() })
                .await?;
        }
        Ok(Admission::Refused(Refusal::Pending))
    }

    fn judge(&self, key: &PublicKey, id: &MinionId) -> Judged {
        self.table().judge(key, id)
    }

    async fn accept_new(
        &self,
        row: Option<KeyRow>,
        key: PublicKey,
        id: &MinionId,
        now: u64,
    ) -> Result<Admission, StoreError> {
        let fixed_grains = row.map(|row| row.fixed_grains).unwrap_or_default();
        self.put(KeyRow {
            id: id.clone(),
            key,
            state: KeyState::Accepted,
            since: now,
            fixed_grains: fixed_grains.clone(),
        })
        .await?;
        Ok(Admission::Accepted(fixed_grains))
    }

    /// Uses up an enrolment token, if this is one that fits.
    async fn spend(&self, token: Option<&str>, id: &MinionId, now: u64) -> Result<bool, StoreError> {
        let Some(token) = token else { return Ok(false) };
        let hash = *blake3::hash(token.as_bytes()).as_bytes();
        match self.store.token_by_hash(hash).await? {
            Some((whom, expires)) if expires > now && whom.as_ref().is_none_or(|whom| whom == id) => {
                self.store.token_used(hash).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// A new one-time token, for one minion or for any. It is given out once and kept as a hash.
    pub async fn new_token(&self, id: Option<MinionId>, expires: u64) -> Result<String, StoreError> {
        let secret: [u8; 20] = rand::rng().random();
        let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.store.token(*blake3::hash(token.as_bytes()).as_bytes(), id, expires).await?;
        Ok(token)
    }

    /// Changes the state of one key. Gives whether there was one.
    pub async fn set(
        &self,
        id: &MinionId,
        state: KeyState,
        fixed_grains: Option<Map>,
        now: u64,
    ) -> Result<bool, StoreError> {
        let Some(mut row) = self.table().by_id.get(id).cloned() else { return Ok(false) };
        row.state = state;
        row.since = now;
        if let Some(grains) = fixed_grains {
            row.fixed_grains.extend(grains);
        }
        self.put(row).await?;
        Ok(true)
    }

    pub async fn delete(&self, id: &MinionId) -> Result<bool, StoreError> {
        if !self.table().by_id.contains_key(id) {
            return Ok(false);
        }
        self.store.key_gone(id.clone()).await?;
        self.table().remove(id);
        Ok(true)
    }

    async fn put(&self, row: KeyRow) -> Result<(), StoreError> {
        self.store.key(row.clone()).await?;
        self.table().insert(row);
        Ok(())
    }

    /// All keys, by id.
    pub fn list(&self) -> Vec<KeyRow> {
        let mut rows: Vec<KeyRow> = self.table().by_id.values().cloned().collect();
        rows.sort_by(|a, b| a.id.cmp(&b.id));
        rows
    }

    /// The accepted minions, with the grains that the master fixed.
    pub fn accepted(&self) -> Vec<(MinionId, Map)> {
        let table = self.table();
        let accepted = table.by_id.values().filter(|row| row.state == KeyState::Accepted);
        accepted.map(|row| (row.id.clone(), row.fixed_grains.clone())).collect()
    }

    /// The grains that the master fixed for these minions (nothing for those without a key).
    pub fn fixed_grains(&self, ids: &[MinionId]) -> Vec<Map> {
        let table = self.table();
        ids.iter().map(|id| table.by_id.get(id).map(|row| row.fixed_grains.clone()).unwrap_or_default()).collect()
    }

    /// Remembers that a peer was turned away, and gives how often it was.
    pub fn turned_away(&self, id: &str, address: &str, reason: &str, now: u64) -> u64 {
        let mut table = self.table();
        if table.refused.len() >= MOST_REFUSED
            && let Some(oldest) = table.refused.iter().min_by_key(|(_, row)| row.last).map(|(key, _)| key.clone())
        {
            table.refused.remove(&oldest);
        }
        let row = table.refused.entry((id.to_owned(), address.to_owned())).or_insert_with(|| RefusedRow {
            id: id.to_owned(),
            address: address.to_owned(),
            reason: String::new(),
            count: 0,
            last: 0,
        });
        row.reason = reason.to_owned();
        row.count += 1;
        row.last = now;
        row.count
    }

    /// Who was turned away, the latest first.
    pub fn refused(&self) -> Vec<RefusedRow> {
        let mut rows: Vec<RefusedRow> = self.table().refused.values().cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse(row.last));
        rows
    }
}

enum Judged {
    Final(Admission),
    /// A pending key, or one never seen.
    Waits(Option<KeyRow>),
}

impl Table {
    fn insert(&mut self, row: KeyRow) {
        self.remove(&row.id);
        self.by_key.insert(row.key, row.id.clone());
        self.by_id.insert(row.id.clone(), row);
    }

    fn remove(&mut self, id: &MinionId) {
        if let Some(row) = self.by_id.remove(id) {
            self.by_key.remove(&row.key);
        }
    }

    fn judge(&self, key: &PublicKey, id: &MinionId) -> Judged {
        let refused = |why| Judged::Final(Admission::Refused(why));
        match (self.by_key.get(key), self.by_id.get(id)) {
            (Some(name), _) if name != id => refused(Refusal::OtherName(name.clone())),
            (None, Some(_)) => refused(Refusal::NameTaken),
            (None, None) if self.pending() >= MOST_PENDING => refused(Refusal::Busy),
            (None, None) => Judged::Waits(None),
            (_, Some(row)) => match row.state {
                KeyState::Accepted => Judged::Final(Admission::Accepted(row.fixed_grains.clone())),
                KeyState::Rejected => refused(Refusal::Rejected),
                KeyState::Pending => Judged::Waits(Some(row.clone())),
            },
            (Some(_), None) => refused(Refusal::NameTaken),
        }
    }

    fn pending(&self) -> usize {
        self.by_id.values().filter(|row| row.state == KeyState::Pending).count()
    }
}
