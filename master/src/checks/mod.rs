//! The current picture of all checks: what minions told last, with its age.
//!
//! In memory for asking, in the store for the next start; a heartbeat that confirms what is known
//! costs neither. A minion of which nothing is heard has checks that nobody knows, so they are UNKNOWN.

mod own;
mod table;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::{
    MinionId,
    checks::{CheckRow, CheckStatus, HostChecks, Presence},
};
use tokio::sync::broadcast;

use crate::{
    clock,
    events::Events,
    fleet::Fleet,
    store::{Store, StoreError},
};
pub use own::{keep as keep_own, size_of};
use table::{Beat, Table};
pub use table::{Change, Kept, Known};

/// A minion of which nothing was heard for so long is silent, in microseconds: two heartbeats, and
/// what a third may be late.
const SILENT_AFTER: u64 = 40_000_000;
/// How often it is looked for silent ones, and changes are written down.
const LOOK: Duration = Duration::from_secs(2);
/// Minions in one write.
const TOGETHER: usize = 1_000;
/// Changes that a follower may be behind, before it is told everything again.
const BEHIND: usize = 8_192;
/// Hosts of which [`Checks::unwell`] tells, at the most.
const MOST_UNWELL: usize = 2_000;

pub struct Checks {
    store: Store,
    fleet: Arc<Fleet>,
    events: Events,
    /// What orchestrations call the master, and its own rows.
    pub own_id: MinionId,
    own: Mutex<Vec<CheckRow>>,
    table: Mutex<Table>,
    news: broadcast::Sender<MinionId>,
    /// When this master began, in microseconds since 1970: before that, silence says nothing.
    began: u64,
}

impl Checks {
    /// Takes up what the store holds.
    pub async fn load(store: Store, fleet: Arc<Fleet>, events: Events, own_id: MinionId) -> Result<Self, StoreError> {
        let known = store.checks().await?.into_iter();
        let known = known.filter_map(|(id, at, bytes)| Some((id, Known::restored(bytes, at)?)));
        let table = Mutex::new(Table::restored(known.filter(|(id, _)| fleet.knows(id))));
        let news = broadcast::channel(BEHIND).0;
        Ok(Self { store, fleet, events, own_id, own: Mutex::default(), table, news, began: clock::now() })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells of each host that something about it has changed.
    pub fn subscribe(&self) -> broadcast::Receiver<MinionId> {
        self.news.subscribe()
    }

    fn tell(&self, id: &MinionId, changes: &[Change]) {
        changes.iter().for_each(|change| self.events.check(id, change));
        // Nobody may listen.
        let _ = self.news.send(id.clone());
    }

    /// A minion told rows.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn told(&self, id: &MinionId, all: bool, rows: Vec<CheckRow>) -> Result<(), &'static str> {
        let changes = self.table().told(id, all, rows, clock::now())?;
        self.tell(id, &changes);
        // Its key may have been deleted while this was on its way, and was forgotten before it came.
        if !self.fleet.knows(id) {
            self.forget(id);
        }
        Ok(())
    }

    /// A minion's heartbeat; gives whether it is to be asked for its table.
    pub fn beat(&self, id: &MinionId, digest: u64) -> bool {
        let Beat { ask, back } = self.table().beat(id, digest, clock::now());
        if !back.is_empty() {
            self.tell(id, &back);
        }
        ask
    }

    /// A minion's key is gone.
    pub fn forget(&self, id: &MinionId) {
        if self.table().forget(id) {
            self.tell(id, &[]);
        }
    }

    /// What is known of one minion.
    pub fn of(&self, id: &MinionId) -> HostChecks {
        let (confirmed, rows) = self.table().of(id).unzip();
        let last = self.fleet.last_word(id);
        let presence = match last.unwrap_or(0).max(self.began) < clock::now().saturating_sub(SILENT_AFTER) {
            true => Presence::Silent { since: last },
            false => Presence::Here,
        };
        HostChecks { id: id.clone(), master: false, presence, confirmed, rows: rows.unwrap_or_default() }
    }

    /// What the master found of itself.
    pub fn of_own(&self) -> HostChecks {
        let rows = self.own.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let confirmed = rows.iter().map(|row| row.at).max();
        HostChecks { id: self.own_id.clone(), master: true, presence: Presence::Here, confirmed, rows }
    }

    fn set_own(&self, rows: Vec<CheckRow>) {
        let before = std::mem::replace(&mut *self.own.lock().unwrap_or_else(PoisonError::into_inner), rows.clone());
        for row in rows {
            let was = before.iter().find(|known| known.name == row.name).map(|known| known.status);
            if was != Some(row.status) && (was.is_some() || row.status != CheckStatus::Ok) {
                self.tell(&self.own_id, &[Change { row, before: was }]);
            }
        }
    }

    /// How many checks have which status, by its number.
    pub fn counts(&self) -> [u64; 4] {
        self.table().counts()
    }

    /// How many minions have a check that is not well, and the first of them by name with what is known.
    pub fn unwell(&self) -> (usize, Vec<HostChecks>) {
        let ids = distinct(self.table().unwell().cloned());
        (ids.len(), ids.iter().take(MOST_UNWELL).map(|id| self.of(id)).collect())
    }

    /// Looks for those who are silent.
    fn look(&self) {
        let before = clock::now().saturating_sub(SILENT_AFTER);
        if self.began > before {
            return;
        }
        for (id, last) in self.fleet.silent_since(before) {
            let changes = self.table().silence(&id, last.unwrap_or(self.began));
            if !changes.is_empty() {
                self.tell(&id, &changes);
            }
        }
    }

    async fn write_down(&self) {
        loop {
            let kept = self.table().take_dirty(TOGETHER);
            if kept.is_empty() {
                return;
            }
            self.store.set_checks(kept).await;
        }
    }
}

/// What happens with time alone, until the task is dropped.
pub async fn keep(checks: Arc<Checks>) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        checks.look();
        checks.write_down().await;
    }
}

/// Everyone named once, for those who were told of some twice.
pub fn distinct(ids: impl IntoIterator<Item = MinionId>) -> Vec<MinionId> {
    let ids: HashSet<MinionId> = ids.into_iter().collect();
    let mut ids: Vec<MinionId> = ids.into_iter().collect();
    ids.sort();
    ids
}

#[cfg(test)]
mod tests {
    use proto::Map;

    use super::*;

    #[tokio::test]
    async fn the_last_word_of_a_minion_whose_key_is_gone_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite")).await.unwrap();
        let id: MinionId = "web1".parse().unwrap();
        let fleet = Arc::new(Fleet::new(Default::default(), [(id.clone(), Map::new())], Vec::new()));
        let own = "master_master".parse().unwrap();
        let checks = Checks::load(store, fleet.clone(), Events::default(), own).await.unwrap();
        let row = || CheckRow {
            name: "disk".into(),
            status: CheckStatus::Critical,
            flapping: false,
            output: "full".into(),
            since: 1,
            at: 1,
            interval: 30,
        };
        checks.told(&id, true, vec![row()]).unwrap();
        assert_eq!((checks.counts(), checks.of(&id).rows.len()), ([0, 0, 1, 0], 1));
        fleet.remove(&id, proto::message::Refusal::Deleted);
        checks.forget(&id);
        checks.told(&id, true, vec![row()]).unwrap();
        assert_eq!((checks.counts(), checks.of(&id).rows.len()), ([0; 4], 0));
    }
}
