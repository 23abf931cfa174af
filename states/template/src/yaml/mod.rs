//! YAML as Salt's loader reads it: version 1.1 as PyYAML takes it, with Salt's own bends.
//!
//! One loader for SLS, pillar, templates' imports and configuration, so that every error looks
//! the same. A value knows its place. Sources: PyYAML's resolver and constructor, Salt's
//! `salt.utils.yamlloader`.

mod aggregate;
mod argument;
mod compose;
mod de;
mod emit;
mod escape;
mod flow;
mod node;
mod problem;
mod resolve;

pub use argument::scalar;
pub use compose::{parse, parse_extended, parse_source};
pub use de::{from_node, from_str};
pub use emit::{Style, emit, emit_styled, single_quoted};
pub use escape::{double_quoted, double_quoted_ascii};
pub use node::{Data, Key, Node, to_key, to_value};
