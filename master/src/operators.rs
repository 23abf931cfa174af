//! Operators: those of the configuration, those added by `ctl operator add`, and the first one.

use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use proto::{
    OperatorName,
    message::{OperatorEntry, Rule},
    sign::PublicKey,
};

use crate::store::{Store, StoreError};

pub struct Operators {
    store: Store,
    table: RwLock<Table>,
}

struct Table {
    /// From the configuration, and the first operator: not changed by commands.
    fixed: Vec<OperatorEntry>,
    added: Vec<OperatorEntry>,
}

impl Operators {
    pub async fn load(store: Store, fixed: Vec<OperatorEntry>) -> Result<Self, StoreError> {
        let added = store.operators().await?;
        Ok(Self { store, table: RwLock::new(Table { fixed, added }) })
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The operator that owns this key.
    pub fn by_key(&self, key: &PublicKey) -> Option<OperatorEntry> {
        self.table().all().find(|entry| entry.key == *key).cloned()
    }

    pub fn list(&self) -> Vec<OperatorEntry> {
        self.table().all().cloned().collect()
    }

    /// Takes a configuration that was read anew.
    pub fn set_fixed(&self, fixed: Vec<OperatorEntry>) {
        self.table.write().unwrap_or_else(PoisonError::into_inner).fixed = fixed;
    }

    /// Gives false when the name or the key is taken.
    pub async fn add(&self, entry: OperatorEntry) -> Result<bool, StoreError> {
        if self.table().all().any(|known| known.name == entry.name || known.key == entry.key) {
            return Ok(false);
        }
        self.store.operator(entry.clone()).await?;
        self.table.write().unwrap_or_else(PoisonError::into_inner).added.push(entry);
        Ok(true)
    }

    /// Gives false when there is none that a command could revoke.
    pub async fn revoke(&self, name: &OperatorName) -> Result<bool, StoreError> {
        if !self.table().added.iter().any(|entry| entry.name == *name) {
            return Ok(false);
        }
        self.store.operator_gone(name.clone()).await?;
        self.table.write().unwrap_or_else(PoisonError::into_inner).added.retain(|entry| entry.name != *name);
        Ok(true)
    }
}

impl Table {
    fn all(&self) -> impl Iterator<Item = &OperatorEntry> {
        self.fixed.iter().chain(&self.added)
    }
}

/// Everything on everyone.
pub fn everything() -> Vec<Rule> {
    vec![Rule { functions: vec!["*".into()], targets: "*".into() }]
}
