//! The transports: the only asynchronous code of this crate.
//!
//! A [`Link`] moves frames, and knows nothing of what is in them; [`Channel`] makes a session
//! over one and speaks messages. TCP is the default, ZeroMQ carries the same sealed frames.

mod acceptor;
mod channel;
mod counters;
mod gate;
mod queue;
pub mod stream;
pub mod tcp;

use std::{
    io,
    net::IpAddr,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};

pub use acceptor::Acceptor;
pub use channel::{Channel, HANDSHAKE, Receiver, accept, connect};
pub use counters::{Counters, Refused};
pub use gate::{Gate, GateLimits, Pass};
pub use queue::{QUEUE, Sender};

use crate::{codec::CodecError, frame::FrameError, session::SessionError};

/// Bytes of the length that stands before each frame.
pub const PREFIX: usize = 2;

/// Where frames come from.
pub trait Source: Send {
    /// The next frame, without its length; `None` at the end. Nothing is lost when the caller
    /// stops asking.
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<BytesMut>, NetError>>;

    /// From now on frames may be this long.
    fn allow(&mut self, limit: usize);
}

/// Where frames go to.
pub trait Drain: Send {
    /// Takes a frame, with its length before it. What was taken is removed from `frame`.
    fn poll_send(&mut self, cx: &mut Context<'_>, frame: &mut Bytes) -> Poll<io::Result<()>>;

    /// Says the end, after what was sent.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}

/// A connection that moves frames.
pub struct Link {
    pub source: Box<dyn Source>,
    pub drain: Box<dyn Drain>,
    /// The peer's address, for people.
    pub address: String,
    pub ip: Option<IpAddr>,
}

/// Why a connection ended, or never began.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    #[error("cannot connect to {address}: {why}")]
    Connect { address: String, why: String },
    #[error("the connection broke: {0}")]
    Broken(String),
    #[error("the connection is closed")]
    Closed,
    #[error("the connection ended in the middle of a frame")]
    Truncated,
    #[error("a frame is longer than is allowed here")]
    TooLong,
    #[error("the peer did not finish {0} in time")]
    Timeout(&'static str),
    #[error("the queue to the peer is full: it does not read")]
    Full,
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<io::Error> for NetError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}
