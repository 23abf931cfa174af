//! The transports: the only asynchronous code of this crate.
//!
//! A [`Link`] moves frames, and knows nothing of what is in them; [`Channel`] makes a session
//! over one and speaks messages. TCP is the default, ZeroMQ carries the same sealed frames.

mod acceptor;
mod channel;
mod counters;
mod gate;
mod queue;
mod slots;
pub mod stream;
pub mod tcp;
pub mod zeromq;

use std::{
    io,
    net::IpAddr,
    path::Path,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use tokio::net::TcpListener;

pub use acceptor::{Acceptor, Turned};
pub use channel::{Channel, HANDSHAKE, Receiver, accept, connect};
pub use counters::{Counters, Refused};
pub use gate::{Gate, GateLimits, NoPlace, Pass};
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

/// What carries the frames; `tcp` or `zeromq` in configuration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    #[default]
    Tcp,
    /// For trusted networks: see [`zeromq`].
    ZeroMq,
}

impl Transport {
    /// Connects to `HOST:PORT`.
    pub async fn dial(self, address: &str) -> Result<Link, NetError> {
        match self {
            Self::Tcp => tcp::dial(address).await,
            Self::ZeroMq => zeromq::dial(address).await,
        }
    }

    /// Accepts links from a bound listener. Beneath `run`, a folder of its own, may stand what the
    /// transport needs meanwhile.
    pub async fn listen(self, listener: TcpListener, run: &Path) -> io::Result<Listener> {
        self.listen_counted(listener, run, Arc::default()).await
    }

    /// The same; what the transport itself refuses is counted there.
    pub async fn listen_counted(
        self,
        listener: TcpListener,
        run: &Path,
        counters: Arc<Counters>,
    ) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp => Listener::Tcp(listener),
            Self::ZeroMq => Listener::ZeroMq(zeromq::Listener::new(listener, run, counters).await?),
        })
    }
}

impl std::str::FromStr for Transport {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "zeromq" => Ok(Self::ZeroMq),
            _ => Err(format!("{text:?} is no transport; `tcp` and `zeromq` are")),
        }
    }
}

impl std::fmt::Display for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::ZeroMq => "zeromq",
        })
    }
}

/// Where links come from.
pub enum Listener {
    Tcp(TcpListener),
    ZeroMq(zeromq::Listener),
}

impl Listener {
    /// The next link. Errors pass (a peer that hung up, too many open files): wait a little and
    /// go on.
    pub async fn accept(&mut self) -> io::Result<Link> {
        match self {
            Self::Tcp(listener) => tcp::accept(listener).await,
            Self::ZeroMq(listener) => listener.accept().await,
        }
    }
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
