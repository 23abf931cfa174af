//! Delivery as state machines: numbers and time in, decisions out. The contract is in
//! [`message`](crate::message); here is what each side must remember to keep it.
//!
//! Frames of a session come whole, in order and once, or the session ends. So on one connection a
//! number that is not the next one is a peer's fault, never the network's; what a lost connection
//! left open is settled by the next one's hello.

mod backoff;
mod dedupe;
mod heart;
mod inbox;
mod outbox;

pub use backoff::Backoff;
pub use dedupe::{Dedupe, Seen};
pub use heart::{Beat, ClockOffset, Heart};
pub use inbox::{Arrival, Inbox};
pub use outbox::Outbox;

/// What a peer did against the contract. The connection ends with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    #[error("number {found} came where {expected} was due")]
    Gap { expected: u64, found: u64 },
    #[error("number {up_to} was acknowledged, and only {sent} were sent")]
    AckBeyond { up_to: u64, sent: u64 },
    #[error("{found} bytes were sent, and {granted} granted")]
    OverCredit { granted: u64, found: u64 },
}

#[cfg(test)]
mod tests;
