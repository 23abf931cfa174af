//! A connection on which anything can be said: whole frames of either transport, and bytes that
//! are none.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use socket2::{Domain, Socket, Type};

use crate::Transport;

/// How long an enemy waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a `DEALER` says first, unasked: the greeting of ZMTP 3 without security, and `READY`.
/// <https://rfc.zeromq.org/spec/23/>
pub fn zmtp_greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    greeting[0] = 0xff;
    greeting[8..11].copy_from_slice(&[1, 0x7f, 3]);
    greeting[12..16].copy_from_slice(b"NULL");
    let ready = b"\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
    greeting.extend([4, ready.len() as u8]);
    greeting.extend(ready);
    greeting
}

/// A message of two parts, as frames travel over ZeroMQ: its kind, then this.
fn zmtp_message(frame: &[u8]) -> Vec<u8> {
    let length = (frame.len() as u64).to_be_bytes();
    [&[1, 1, b'd', 2], &length[..], frame].concat()
}

/// A blocking connection.
pub struct Wire {
    stream: TcpStream,
    transport: Transport,
}

impl Wire {
    /// Over TCP.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::over(stream)
    }

    /// A connection at the point where frames can be said; the other side's greeting is not
    /// waited for.
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn open(transport: Transport, address: &str) -> Self {
        Self::greeting(transport, Self::connect(address))
    }

    /// The same, as a host with an address of its own (of 127.0.0.0/8).
    ///
    /// # Panics
    /// When nobody listens there.
    pub fn open_from(transport: Transport, address: &str, source: Ipv4Addr) -> Self {
        let to: SocketAddr = address.parse().expect("an address with its port");
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("there are sockets");
        socket.bind(&SocketAddr::from((source, 0)).into()).expect("all of 127.0.0.0/8 is ours");
        socket.connect(&to.into()).unwrap_or_else(|error| panic!("{address}: {error}"));
        Self::greeting(transport, Self::over(socket.into()))
    }

    fn greeting(transport: Transport, wire: Self) -> Self {
        let mut wire = Self { transport, ..wire };
        if transport == Transport::Zeromq {
            wire.raw(&zmtp_greeting());
        }
        wire
    }

    /// A stream that somebody has accepted.
    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out can be set");
        stream.set_nodelay(true).expect("a socket can be told to send at once");
        Self { stream, transport: Transport::Tcp }
    }

    /// Bytes as they are. An enemy does not mind that the other side has hung up.
    pub fn raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// A frame, in the transport's own wrapping.
    pub fn frame(&mut self, frame: &[u8]) -> bool {
        let length = u16::try_from(frame.len()).expect("a frame has a length of two bytes");
        match self.transport {
            Transport::Tcp => self.raw(&[&length.to_be_bytes()[..], frame].concat()),
            Transport::Zeromq => self.raw(&zmtp_message(frame)),
        }
    }

    /// The next frame over TCP; `None` when the other side has hung up.
    ///
    /// # Panics
    /// When it says nothing at all for 20 s.
    pub fn receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.fill(&mut length)?;
        let mut frame = vec![0; u16::from_be_bytes(length).into()];
        self.fill(&mut frame)?;
        Some(frame)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Option<()> {
        self.read(|stream| stream.read_exact(bytes))
    }

    fn read<T>(&mut self, read: impl FnOnce(&mut TcpStream) -> io::Result<T>) -> Option<T> {
        match read(&mut self.stream) {
            Ok(read) => Some(read),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("the other side neither answers nor hangs up")
            }
            Err(_) => None,
        }
    }

    /// Whether the other side hangs up, whatever it says before.
    pub fn is_dropped(&mut self) -> bool {
        let mut rest = [0; 4096];
        while self.read(|stream| stream.read(&mut rest)).is_some_and(|read| read > 0) {}
        true
    }
}
