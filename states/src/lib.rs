//! The state compiler and runner of Overstate: SLS text in, changes out.
//!
//! Knows nothing of sockets, of the master or of the minion: files come through [`Look`], and
//! the host is touched only through [`Host`].

mod base64;
pub mod call;
pub mod compat;
pub mod compile;
pub mod config;
pub mod diag;
pub mod functions;
pub mod glob;
pub mod jinja;
pub mod json;
pub mod look;
pub mod matching;
pub mod merge;
pub mod modules;
pub mod plan;
pub mod resource;
pub mod run;
pub mod stack;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod value;
pub mod yaml;

pub use call::{CallError, Context, Effect, Function};
pub use diag::Diagnostic;
pub use look::{Command, Host, Look, Output, Stat};
pub use tree::Tree;
