//! Frames over TCP.

use std::{io, time::Duration};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};

use super::{Link, NetError, stream as frames};

/// How long a connection attempt may take.
const CONNECT: Duration = Duration::from_secs(10);
/// A silent connection is probed after this long, three times.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Connects to `HOST:PORT`.
pub async fn dial(address: &str) -> Result<Link, NetError> {
    let stream = stream(address).await?;
    link(stream).map_err(|error| NetError::Connect { address: address.to_owned(), why: error.to_string() })
}

/// A connection to `HOST:PORT`.
pub(super) async fn stream(address: &str) -> Result<TcpStream, NetError> {
    let failed = |why: String| NetError::Connect { address: address.to_owned(), why };
    let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(address));
    match connecting.await {
        Err(_) => Err(failed(format!("no answer within {} s", CONNECT.as_secs()))),
        Ok(connected) => connected.map_err(|error| failed(error.to_string())),
    }
}

/// Makes a connection send at once and notice a dead peer.
pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3).with_retries(3);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// The next connection. Errors are passing ones (a peer that hung up, too many open files): wait
/// a little and go on.
pub async fn accept(listener: &TcpListener) -> io::Result<Link> {
    let (stream, _) = listener.accept().await?;
    link(stream)
}

/// A link over a connected stream, which is made to send at once and to notice a dead peer.
pub fn link(stream: TcpStream) -> io::Result<Link> {
    let peer = stream.peer_addr()?;
    tune(&stream)?;
    let (reader, writer) = stream.into_split();
    Ok(frames::link(reader, writer, peer.to_string(), Some(peer.ip().to_canonical())))
}
