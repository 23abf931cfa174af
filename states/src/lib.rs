//! The state compiler and runner of Overstate: SLS text in, changes out.
//!
//! Knows nothing of sockets, of the master or of the minion: files come through [`Look`], and
//! the host is touched only through [`Host`].

pub mod call;
pub mod look;

pub use call::{CallError, Context, Effect, Function};
pub use look::{Command, Host, Look, Output, Stat};
