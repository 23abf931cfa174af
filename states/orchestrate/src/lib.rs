//! Orchestrations: an overstate or orchestrate SLS as steps of the state runner, whose host is the
//! fleet.
//!
//! [`overstate`] turns stages into low chunks of the state module `salt`; orchestrate SLS gives such
//! chunks by itself, through the compiler that every SLS goes through. [`module`] is that state module,
//! and [`Fleet`] all that it knows of minions. So there is one engine, `states::run`, with all its
//! requisites. Nothing here knows of sockets, of a store or of signatures.

mod director;
pub mod fleet;
mod gather;
pub mod module;
pub mod overstate;
pub mod plan;
pub mod room;
pub mod run;
pub mod saved;
#[cfg(test)]
mod testing;
mod validate;
mod wish;

pub use director::Director;
pub use fleet::Fleet;
pub use wish::target;
