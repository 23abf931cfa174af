//! The state compiler and runner of Overstate: SLS text in, changes out.
//!
//! Knows nothing of sockets, of the master or of the minion: files come through [`Look`], and
//! the host is touched only through [`Host`].

pub mod call;
pub mod compat;
pub mod compile;
pub mod config;
pub mod functions;
pub mod matching;
pub mod merge;
pub mod modules;
pub mod plan;
mod python_random;
pub mod resource;
pub mod run;
pub mod stack;
#[cfg(test)]
mod testing;
pub mod tree;

pub use call::{CallError, Context, Effect, Function};
pub use template::{
    Command, Diagnostic, Host, Look, Output, Stat, base64, clock, diag, glob, jinja, json, known, look, value, yaml,
};
pub use tree::Tree;
