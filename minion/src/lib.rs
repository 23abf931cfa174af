//! The agent of Overstate: connection, job execution, execution modules, grains.

pub mod child;
pub mod config;
pub mod exec;
pub mod grains;
pub mod host;

/// The version of this agent, as `test.version` and the hello tell it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
