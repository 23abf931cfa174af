//! What execution functions and states of the same thing share: typed code over [`Look`] and
//! [`Host`](crate::Host), knowing nothing of arguments, comments or results.

pub mod accounts;
pub mod backup;
pub mod command;
pub mod cron;
pub mod crypt;
pub mod diff;
pub mod files;
pub mod groups;
pub mod packages;
pub mod services;
pub mod users;
