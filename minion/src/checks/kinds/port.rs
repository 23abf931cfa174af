//! `port`: whether a program of this host listens on it.

use std::{fs, io};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP, IPPROTO_UDP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols};
use serde::Deserialize;

use crate::checks::{Check, Found, Scene, Status};

/// One part of the kernel's answer, at most (it fills no more than 32 KiB).
const ANSWER: usize = 32 << 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    #[serde(deserialize_with = "super::a_port")]
    port: u16,
    #[serde(default)]
    protocol: Protocol,
    /// Whether somebody is to listen.
    #[serde(default = "yes")]
    listening: bool,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Protocol {
    #[default]
    Tcp,
    Udp,
}

fn yes() -> bool {
    true
}

impl Check for Port {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let name = match self.protocol {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        };
        let found = self.is_heard().or_else(|_| self.is_in_tables(name))?;
        let status = if found == self.listening { Status::Ok } else { Status::Critical };
        let word = if found { "somebody listens" } else { "nobody listens" };
        Ok(Found::new(status, format!("port {}/{name}: {word}", self.port)))
    }
}

impl Port {
    /// Asks the kernel for those who listen, and for nothing else: its tables in `/proc/net` show all
    /// connections, and take the longer to read the more memory a host has (sock_diag(7)).
    ///
    /// # Errors
    /// Where a kernel or a container has no such socket.
    fn is_heard(&self) -> io::Result<bool> {
        let mut socket = Socket::new(protocols::NETLINK_SOCK_DIAG)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        for (family, nobody) in [(AF_INET, SocketId::new_v4()), (AF_INET6, SocketId::new_v6())] {
            socket.send(&self.request(family, nobody), 0)?;
            if self.is_among(&socket)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn request(&self, family: u8, socket_id: SocketId) -> Vec<u8> {
        let (protocol, states) = match self.protocol {
            Protocol::Tcp => (IPPROTO_TCP, StateFlags::LISTEN),
            Protocol::Udp => (IPPROTO_UDP, StateFlags::CLOSE),
        };
        let request = InetRequest { family, protocol, extensions: ExtensionFlags::empty(), states, socket_id };
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        bytes
    }

    /// Reads an answer, to its end unless the port is there.
    fn is_among(&self, socket: &Socket) -> io::Result<bool> {
        let mut bytes = vec![0; ANSWER];
        loop {
            let length = socket.recv(&mut &mut bytes[..], 0)?;
            let mut rest = &bytes[..length];
            while !rest.is_empty() {
                let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest).map_err(io::Error::other)?;
                match message.payload {
                    NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(one))
                        if one.header.socket_id.source_port == self.port =>
                    {
                        return Ok(true);
                    }
                    // How a kernel says that it has nobody to ask about this protocol.
                    NetlinkPayload::Done(done) if done.code < 0 => {
                        return Err(io::Error::from_raw_os_error(-done.code));
                    }
                    NetlinkPayload::Done(_) => return Ok(false),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
                // Messages begin at multiples of four.
                let next = (message.header.length as usize).next_multiple_of(4).max(1);
                rest = rest.get(next..).unwrap_or_default();
            }
        }
    }

    fn is_in_tables(&self, name: &str) -> Result<bool, String> {
        let tables = ["", "6"].map(|v6| fs::read_to_string(format!("/proc/net/{name}{v6}")));
        if let [Err(error), Err(_)] = &tables {
            return Err(format!("/proc/net/{name}: {error}"));
        }
        Ok(tables.iter().flatten().any(|table| listens(table, self.port, self.protocol)))
    }
}

/// A socket that listens has state 0A; one of UDP that is bound to no peer has 07.
fn listens(table: &str, port: u16, protocol: Protocol) -> bool {
    let wanted = match protocol {
        Protocol::Tcp => "0A",
        Protocol::Udp => "07",
    };
    let end = format!(":{port:04X}");
    table.lines().skip(1).any(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [_, local, _, state, ..] => local.ends_with(&end) && state == wanted,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn only_listeners_count() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:0050 0100007F:1234 01 0\n";
        assert!(listens(table, 8080, Protocol::Tcp));
        assert!(!listens(table, 80, Protocol::Tcp) && !listens(table, 8080, Protocol::Udp));
    }

    #[test]
    fn the_kernel_and_its_tables_agree() {
        let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
        let (tcp_port, udp_port) = (tcp.local_addr().unwrap().port(), udp.local_addr().unwrap().port());
        let both = |port, protocol, name| {
            let port = Port { port, protocol, listening: true };
            [port.is_heard().unwrap(), port.is_in_tables(name).unwrap()]
        };
        assert_eq!(both(tcp_port, Protocol::Tcp, "tcp"), [true, true]);
        assert_eq!(both(udp_port, Protocol::Udp, "udp"), [true, true]);
        let peer = std::net::TcpStream::connect(("127.0.0.1", tcp_port)).unwrap();
        assert_eq!(both(peer.local_addr().unwrap().port(), Protocol::Tcp, "tcp"), [false, false]);
        drop((tcp, udp));
        assert_eq!(both(tcp_port, Protocol::Tcp, "tcp"), [false, false]);
    }
}
