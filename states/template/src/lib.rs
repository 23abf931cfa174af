//! What SLS files are written in: YAML as Salt reads it, Jinja as Salt renders it, and errors
//! that know their place.
//!
//! Knows nothing of states: files come through [`Look`], functions by name.

pub mod base64;
pub mod clock;
pub mod diag;
mod error;
pub mod glob;
pub mod jinja;
pub mod json;
pub mod known;
pub mod look;
pub mod value;
pub mod yaml;

pub use diag::Diagnostic;
pub use error::CallError;
pub use look::{Command, Host, Look, Output, Stat};
