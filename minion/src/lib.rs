//! The agent of Overstate: connection, job execution, execution modules, grains.

pub mod agent;
mod applied;
pub mod checks;
pub mod child;
pub mod clock;
pub mod config;
pub mod daemon;
#[cfg(test)]
mod documented;
pub mod exec;
mod fault;
mod footprint;
pub mod grains;
pub mod host;
pub mod job;
mod ledger;
pub mod local;
pub mod pki;
pub mod schedule;
pub mod spool;
mod supply;
mod turn;
pub mod verify;

/// The version of this agent, as `test.version` and the hello tell it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
