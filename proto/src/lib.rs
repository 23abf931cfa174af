//! The wire of Overstate as values: ids, jobs, targets, signatures, sessions and delivery.
//!
//! Everything here takes bytes and time and gives bytes and decisions. There is no socket, no
//! clock and no runtime in this crate, except below [`net`] (feature `net`), which holds the
//! transports. It depends on no other crate of this workspace.

mod args;
pub mod checks;
pub mod codec;
pub mod delivery;
pub mod event;
pub mod frame;
mod glob;
mod hash;
mod id;
pub mod job;
pub mod layout;
pub mod manifest;
pub mod message;
#[cfg(feature = "net")]
pub mod net;
mod packed;
pub mod question;
pub mod session;
pub mod sign;
pub mod target;

pub use args::{Args, masked};
pub use glob::Glob;
pub use hash::Hash;
pub use id::{FunctionName, IdError, JobId, MinionId, OperatorName};
pub use job::{Batch, Job, Outcome, Publish, Request, Return, RunOptions};
pub use packed::{Carried, Packed, PackedValue};
pub use question::Question;
pub use target::{Nodegroups, Subject, Target, TargetError};

/// A value as functions take and give it: what JSON can say, mappings in their order.
pub type Value = serde_json::Value;
/// A mapping of [`Value`]s in the order it was written.
pub type Map = serde_json::Map<String, Value>;
