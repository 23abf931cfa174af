//! How often each kind of thing was refused.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::NetError;
use crate::{frame::FrameError, session::SessionError};

macro_rules! refusals {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// A kind of refusal; each has its counter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Refused {
            $($(#[$doc])* $variant,)*
        }

        impl Refused {
            pub const ALL: &[Refused] = &[$(Refused::$variant,)*];

            /// The counter's name.
            pub fn name(self) -> &'static str {
                match self {
                    $(Refused::$variant => $name,)*
                }
            }
        }
    };
}

refusals! {
    /// No clear hello of ours.
    NotOurs = "not_ours",
    /// No common wire version.
    Version = "version",
    /// A handshake or a frame that ends in the middle.
    Truncated = "truncated",
    /// A frame over the limit that holds at that moment.
    TooLong = "too_long",
    /// The handshake was not finished in time.
    Slow = "slow",
    /// Altered on the way, or made for another key.
    Handshake = "handshake",
    /// A session key that its identity has not certified.
    Certificate = "certificate",
    /// Too many handshakes under way, or an identity that is asked to wait.
    Busy = "busy",
    /// Too many handshakes under way with one address.
    Crowd = "crowd",
    /// An address with too many failures behind it.
    Address = "address",
    Forged = "forged",
    Replayed = "replayed",
    Gap = "gap",
    /// Chunks that make no message, or one that is too long for its lane.
    Chunk = "chunk",
    /// Bytes that are no message.
    Message = "message",
    /// The peer does not read.
    Stalled = "stalled",
    /// Refused by the guard before ZeroMQ: too many greetings under way, no greeting of ours, frames that
    /// are none.
    ZmtpCrowd = "zmtp_crowd",
    ZmtpGreeting = "zmtp_greeting",
    ZmtpFrame = "zmtp_frame",
}

impl Refused {
    /// What kind of refusal an error is; `None` for a connection that only ended or broke.
    pub fn of(error: &NetError) -> Option<Self> {
        Some(match error {
            NetError::Truncated => Self::Truncated,
            NetError::TooLong => Self::TooLong,
            NetError::Timeout("reading") | NetError::Full => Self::Stalled,
            NetError::Timeout(_) => Self::Slow,
            NetError::Frame(FrameError::Chunk | FrameError::Lane(_) | FrameError::TooLong { .. }) => Self::Chunk,
            NetError::Codec(_) => Self::Message,
            NetError::Session(error) => return Self::of_session(error),
            NetError::Connect { .. } | NetError::Broken(_) | NetError::Closed => return None,
        })
    }

    fn of_session(error: &SessionError) -> Option<Self> {
        Some(match error {
            SessionError::NotOurs => Self::NotOurs,
            SessionError::Truncated => Self::Truncated,
            SessionError::Version { .. } | SessionError::Downgrade { .. } => Self::Version,
            SessionError::Handshake | SessionError::OtherKey => Self::Handshake,
            SessionError::Certificate(_) | SessionError::WrongPeer { .. } => Self::Certificate,
            SessionError::Busy(_) => Self::Busy,
            SessionError::Forged => Self::Forged,
            SessionError::Replayed { .. } => Self::Replayed,
            SessionError::Gap { .. } => Self::Gap,
            SessionError::Exhausted | SessionError::Local(_) => return None,
        })
    }
}

/// The counters of a listener.
#[derive(Debug, Default)]
pub struct Counters {
    accepted: AtomicU64,
    refused: [AtomicU64; Refused::ALL.len()],
}

impl Counters {
    /// Counts an error, if it is a refusal.
    pub fn note(&self, error: &NetError) {
        if let Some(kind) = Refused::of(error) {
            self.refuse(kind);
        }
    }

    pub fn refuse(&self, kind: Refused) {
        self.refused[kind as usize].fetch_add(1, Relaxed);
    }

    pub fn accept(&self) {
        self.accepted.fetch_add(1, Relaxed);
    }

    /// Sessions that were made.
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    pub fn of(&self, kind: Refused) -> u64 {
        self.refused[kind as usize].load(Relaxed)
    }

    /// Every counter with its name, `accepted` first.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        let refused = Refused::ALL.iter().map(|&kind| (kind.name(), self.of(kind)));
        std::iter::once(("accepted", self.accepted())).chain(refused)
    }
}
