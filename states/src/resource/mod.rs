//! What execution functions and states of the same thing share: typed code over [`Look`] and
//! [`Host`](crate::Host), knowing nothing of arguments, comments or results.

pub mod accounts;
pub mod apt_sources;
pub mod archive;
pub mod backup;
pub mod command;
pub mod configparser;
pub mod cron;
pub mod crypt;
pub mod diff;
pub mod digest;
pub mod encoding;
pub mod environ;
pub mod files;
pub mod git;
pub mod groups;
pub mod hosts;
pub mod ini;
pub mod iptables;
pub mod lines;
pub mod mounts;
pub mod package_lock;
pub mod packages;
pub mod postgres;
pub mod services;
pub mod ssh;
pub mod static_grains;
pub mod users;
pub mod words;
