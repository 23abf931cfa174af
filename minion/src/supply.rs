//! What a minion gets from its master: state files, pillar, the mine.
//!
//! `questions` asks and collects the answers, `cache` keeps files by the hash of their contents,
//! `store` puts the two together, `tree` shows the result as a tree of files. All of it waits on
//! the caller's own thread, and never longer than a stated time without any progress.

mod cache;
mod questions;
mod store;
mod tree;

use std::{io, time::Duration};

use bytes::Bytes;
use proto::{
    Hash, Question,
    question::{Kind, Unanswered},
};
use serde::{Deserialize, Serialize};
use states::CallError;

pub use cache::Cache;
pub use questions::Questions;
pub use store::Store;
pub use tree::Remote;

/// How long nothing may come before a question is given up. A connection that dies is noticed and
/// made again within this time.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Why something could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Missing {
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    #[error("the master could not be reached for {0} s")]
    Silent(u64),
    /// The connection ended; asking again is worth it.
    #[error("the connection to the master broke")]
    Broken,
    #[error("the master's answer is longer than {0} bytes")]
    TooLong(u64),
    #[error("the master sent other contents than {0}")]
    Other(Hash),
    #[error("what came from the master cannot be kept: {0}")]
    Disk(String),
    #[error("the master's answer cannot be read: {0}")]
    Form(String),
    #[error("the minion is being restarted, and what this job still needs of the master cannot be had; run it again")]
    NoAgent,
    #[error("files come from the master here, and there is no connection to one")]
    NoMaster,
}

impl Missing {
    fn disk(error: io::Error) -> Self {
        Self::Disk(error.to_string())
    }

    /// Whether the same question may be answered a little later.
    fn passes(&self) -> bool {
        matches!(self, Self::Broken | Self::Unanswered(Unanswered { kind: Kind::Busy, .. }))
    }
}

impl From<Missing> for CallError {
    fn from(missing: Missing) -> Self {
        Self::failed(missing.to_string())
    }
}

impl From<Missing> for io::Error {
    fn from(missing: Missing) -> Self {
        Self::other(missing)
    }
}

/// Where a job gets what only the master has: an agent asks itself, a job's own process asks the
/// agent that started it.
pub trait Stock: Send + Sync {
    /// Has the cache hold this tree's manifest; the newest one's without a name. Gives its name.
    fn manifest(&self, tree: Option<Hash>) -> Result<Hash, Missing>;

    /// Has the cache hold this file.
    fn blob(&self, hash: Hash, size: u64) -> Result<(), Missing>;

    /// Any other question; gives the answer's bytes.
    fn ask(&self, question: Question) -> Result<Vec<u8>, Missing>;
}

/// What a job's own process asks its agent for. Files and manifests go by way of the cache, which
/// both can read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Errand {
    Manifest(Option<Hash>),
    Blob { hash: Hash, size: u64 },
    Ask(Question),
}

/// How an errand ended: an answer's bytes, or a manifest's name.
pub type Done = Result<Bytes, Missing>;

/// Carries out an errand.
pub fn run(stock: &dyn Stock, errand: Errand) -> Done {
    match errand {
        Errand::Manifest(tree) => stock.manifest(tree).map(|hash| Bytes::copy_from_slice(hash.as_bytes())),
        Errand::Blob { hash, size } => stock.blob(hash, size).map(|()| Bytes::new()),
        Errand::Ask(question) => stock.ask(question).map(Bytes::from),
    }
}
