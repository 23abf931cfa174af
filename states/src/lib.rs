//! The state compiler and runner of Overstate: SLS text in, changes out.
//!
//! Knows nothing of sockets, of the master or of the minion: files come through [`Look`], and
//! the host is touched only through [`Host`].

pub mod call;
pub mod config;
pub mod diag;
pub mod look;
pub mod tree;
pub mod value;
pub mod yaml;

pub use call::{CallError, Context, Effect, Function};
pub use diag::Diagnostic;
pub use look::{Command, Host, Look, Output, Stat};
pub use tree::Tree;
