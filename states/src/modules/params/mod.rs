//! The parameters of state functions with their defaults, written as Salt documents them.

pub mod accounts;
pub mod alternatives;
pub mod archive;
pub mod cmd;
pub mod cron;
pub mod debconf;
pub mod event;
pub mod file;
pub mod git;
pub mod host;
pub mod ini;
pub mod kmod;
pub mod locale;
pub mod module;
pub mod mount;
pub mod pip;
pub mod pkg;
pub mod pkgrepo;
pub mod service;
pub mod ssh_auth;
pub mod ssh_known_hosts;
pub mod sysctl;
pub mod test;
pub mod timezone;
