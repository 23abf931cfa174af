//! The parameters of state functions with their defaults, written as Salt documents them.

pub mod accounts;
pub mod cmd;
pub mod cron;
pub mod file;
pub mod module;
pub mod pkg;
pub mod service;
pub mod test;
