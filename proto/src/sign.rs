//! Identities (Ed25519) and what they sign.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Signing contexts: a signature made for one purpose is worth nothing for another.
pub const REQUEST: &str = "overstate request v1";
pub const PUBLISH: &str = "overstate publish v1";
pub const SESSION: &str = "overstate session v1";

/// An Ed25519 public key: what a peer *is*.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct PublicKey([u8; 32]);

/// Bytes with their signature, and the key that is said to have made it. Only
/// `open` gives what is inside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signed {
    pub body: Bytes,
    pub key: PublicKey,
    signature: Bytes,
}
