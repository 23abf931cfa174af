//! The secure session: a clear hello, a Noise handshake that carries certificates, and sealed
//! frames. Bytes in, bytes out.
//!
//! ```text
//! initiator                                        responder
//!   hello ‖ Noise message 1 ───────────────────►
//!            ◄─────────────────── 1 ‖ Noise message 2     (or 0 ‖ why not, in clear)
//!   [Noise message 3, XX only] ─────────────────►
//!   counter ‖ ciphertext  ◄─────────────────────►  counter ‖ ciphertext …
//! ```
//! The hello (magic, pattern, range of wire versions) is the handshake's prologue: whoever
//! alters it on the way makes the handshake fail. The responder repeats the version that it
//! chose, and its own range, inside the encrypted payload.
//!
//! `Noise_IK` is for whom the responder's session key is known; `Noise_XX` for a first contact.
//! A pin is an *identity*, not a session key, and it is checked before the initiator says who it
//! is. Nothing in a handshake has an effect: IK's first message may be a replay, which shows
//! only when no sealed frame follows.

mod handshake;
mod seal;

pub(crate) use handshake::public_of;
pub use handshake::{Hello, Initiator, Local, Peer, Pin, Responder, Session, Step};
pub use seal::{COUNTER, OVERHEAD, Opener, Sealer, TAG};

use crate::sign::{Fingerprint, PublicKey, SignError};

/// The wire versions that this build speaks.
pub const VERSIONS: Versions = Versions { min: 1, max: 1 };

/// A frame may be this long once its sender is authenticated (Noise's own limit) …
pub const FRAME_LIMIT: usize = 65_535;
/// … and this long before.
pub const GREETING_LIMIT: usize = 4096;

/// A range of wire versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    pub min: u16,
    pub max: u16,
}

impl Versions {
    /// The highest version that both speak.
    pub fn common(self, other: Versions) -> Option<u16> {
        let best = self.max.min(other.max);
        (best >= self.min && best >= other.min).then_some(best)
    }
}

impl std::fmt::Display for Versions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

/// What a responder may say in clear instead of a handshake. An enemy on the way could have said
/// it too: it is a reason to try later, never one to trust less or more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearRefusal {
    /// No common version; the range that the responder speaks.
    Version(Versions),
    /// The initiator's first message was not made for the responder's session key.
    OtherKey,
    /// Too busy; seconds to wait.
    Busy(u16),
}

impl ClearRefusal {
    /// As a frame.
    pub fn to_bytes(self) -> Vec<u8> {
        let (kind, a, b) = match self {
            Self::Version(Versions { min, max }) => (1, min, max),
            Self::OtherKey => (2, 0, 0),
            Self::Busy(seconds) => (3, seconds, 0),
        };
        [&[0, kind][..], &a.to_be_bytes(), &b.to_be_bytes()].concat()
    }

    /// The seconds to wait, if that is what the frame says.
    #[cfg(feature = "net")]
    pub(crate) fn busy(frame: &[u8]) -> Option<u16> {
        match Self::from_bytes(frame) {
            Some(Self::Busy(seconds)) => Some(seconds),
            _ => None,
        }
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let &[0, kind, a, b, c, d] = bytes else { return None };
        let (first, second) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        match kind {
            1 => Some(Self::Version(Versions { min: first, max: second })),
            2 => Some(Self::OtherKey),
            3 => Some(Self::Busy(first)),
            _ => None,
        }
    }
}

/// Why there is no session, or no longer one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    #[error("the peer does not speak this protocol")]
    NotOurs,
    #[error("the handshake ends in the middle")]
    Truncated,
    #[error("no common wire version: we speak {ours}, the peer {theirs}")]
    Version { ours: Versions, theirs: Versions },
    #[error("the peer answered with wire version {chosen}, where {best} was possible")]
    Downgrade { chosen: u16, best: u16 },
    #[error("the handshake does not fit: altered on the way, or made for another key")]
    Handshake,
    #[error("the peer's session key is not certified by its identity: {0}")]
    Certificate(SignError),
    #[error("the peer is {found}, where {expected} was expected")]
    WrongPeer { expected: Fingerprint, found: Fingerprint },
    #[error("the peer has another session key than the one remembered")]
    OtherKey,
    #[error("the peer is busy; it asks to come again in {0} s")]
    Busy(u16),
    #[error("a frame was forged or damaged")]
    Forged,
    #[error("frame {found} came again, or late: {expected} was next")]
    Replayed { expected: u64, found: u64 },
    #[error("frames {expected} to {found} are missing")]
    Gap { expected: u64, found: u64 },
    #[error("the session is used up")]
    Exhausted,
    #[error("the local session key cannot be used: {0}")]
    Local(String),
}

/// Who has to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The peer is not what it should be, or somebody between is an enemy.
    Peer,
    /// Our own configuration or key.
    Local,
    /// Nobody: wait and try again.
    Nobody,
}

impl SessionError {
    pub fn fault(&self) -> Fault {
        match self {
            Self::Local(_) | Self::OtherKey => Fault::Local,
            Self::Busy(_) | Self::Exhausted => Fault::Nobody,
            _ => Fault::Peer,
        }
    }

    /// What to try, where there is something.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotOurs => Some("is the address that of an Overstate master? A Salt master listens on 4505 and 4506"),
            Self::Version { .. } => Some("upgrade the older side"),
            Self::WrongPeer { .. } => Some(
                "if the master's key was changed on purpose, give the new fingerprint (`ctl key show` there) and remove the stored one",
            ),
            Self::OtherKey => Some("the master's session key was renewed; its identity decides whether to trust it"),
            _ => None,
        }
    }

    /// What a responder may tell the peer about this, in clear.
    pub fn clear_refusal(&self) -> Option<ClearRefusal> {
        match self {
            Self::Version { ours, .. } => Some(ClearRefusal::Version(*ours)),
            Self::Handshake => Some(ClearRefusal::OtherKey),
            Self::Busy(seconds) => Some(ClearRefusal::Busy(*seconds)),
            _ => None,
        }
    }

    fn wrong_peer(expected: Fingerprint, found: &PublicKey) -> Self {
        Self::WrongPeer { expected, found: found.fingerprint() }
    }
}

#[cfg(test)]
mod tests;
