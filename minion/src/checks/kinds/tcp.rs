//! `tcp`: a connection, and what is said on it.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::plain;
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

/// What is read of a banner.
const BANNER: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    #[serde(default = "localhost")]
    host: String,
    #[serde(deserialize_with = "super::a_port")]
    port: u16,
    /// What is sent first.
    #[serde(default)]
    send: Option<String>,
    /// A text that must come.
    #[serde(default)]
    expect: Option<String>,
    /// Seconds that it takes.
    #[serde(default)]
    warning: Option<Range>,
    #[serde(default)]
    critical: Option<Range>,
}

fn localhost() -> String {
    "localhost".into()
}

/// The addresses of a name, as the host's resolver has them, which may take as long as it likes: after
/// `patience` it is not waited for.
///
/// # Errors
/// What the name is, and why it has none.
pub fn resolve(host: &str, port: u16, patience: Duration) -> Result<Vec<SocketAddr>, String> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![(ip, port).into()]);
    }
    let (send, found) = mpsc::channel();
    let name = host.to_owned();
    let ask = move || drop(send.send((name.as_str(), port).to_socket_addrs()));
    let asking = std::thread::Builder::new().name("resolve".into()).stack_size(256 << 10).spawn(ask);
    asking.map_err(|error| format!("{host}: {}", plain(&error)))?;
    match found.recv_timeout(patience) {
        Ok(Ok(found)) => Ok(found.collect()),
        Ok(Err(error)) => Err(format!("{host} has no address: {}", plain(&error))),
        Err(_) => Err(format!("{host} has no address: no answer within {} s", patience.as_secs_f64())),
    }
}

/// Connects to the first address of a name that answers. All that is done with the connection has what is left
/// of `timeout`.
pub fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, String> {
    let end = Instant::now() + timeout;
    let left = || end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let at = |error: io::Error| format!("{}: {}", place(host, port), silence(&error, timeout));
    let mut last = format!("{host} has no address");
    for address in resolve(host, port, timeout)? {
        match TcpStream::connect_timeout(&address, left()) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(left()))
                    .and_then(|()| stream.set_write_timeout(Some(left())))
                    .map_err(at)?;
                return Ok(stream);
            }
            Err(error) => last = at(error),
        }
    }
    Err(last)
}

/// A host and its port, as an address is written.
pub fn place(host: &str, port: u16) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An error of a connection in words.
pub fn silence(error: &io::Error, timeout: Duration) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => format!("no answer within {} s", timeout.as_secs_f64()),
        _ => plain(error),
    }
}

impl Check for Tcp {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let (begun, place) = (Instant::now(), place(&self.host, self.port));
        let talked = connect(&self.host, self.port, scene.timeout).and_then(|stream| self.talk(stream, scene.timeout));
        if let Err(why) = talked {
            return Ok(Found::new(Status::Critical, why));
        }
        let took = begun.elapsed().as_secs_f64();
        let thresholds = Thresholds::new(self.warning.as_ref(), self.critical.as_ref());
        let status = thresholds.judge(took);
        let output = match status {
            Status::Ok => format!("{place} answers"),
            _ => format!("{place} answers slowly{}", thresholds.reason(status)),
        };
        Ok(Found::new(status, output).with(Perf { min: Some(0.0), ..Perf::new("time", took, "s").judged(&thresholds) }))
    }
}

impl Tcp {
    fn talk(&self, mut stream: TcpStream, timeout: Duration) -> Result<(), String> {
        let (place, end) = (place(&self.host, self.port), Instant::now() + timeout);
        if let Some(text) = &self.send {
            let at = |error: io::Error| format!("{place}: {}", silence(&error, timeout));
            stream.write_all(text.as_bytes()).map_err(at)?;
        }
        let Some(wanted) = &self.expect else { return Ok(()) };
        let (mut came, mut piece) = (Vec::new(), [0; 512]);
        while came.len() < BANNER {
            // A time-out of nothing would be none at all.
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            stream.set_read_timeout(Some(left)).map_err(|error| format!("{place}: {}", plain(&error)))?;
            let length = stream.read(&mut piece).map_err(|_| format!("{place} does not say {wanted:?}"))?;
            came.extend_from_slice(&piece[..length]);
            if String::from_utf8_lossy(&came).contains(wanted.as_str()) {
                return Ok(());
            }
            if length == 0 {
                break;
            }
        }
        Err(format!("{place} does not say {wanted:?}"))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn scene() -> Scene {
        Scene { offset: None, timeout: Duration::from_secs(20), memory: None, drift: None }
    }

    #[test]
    fn a_port_that_speaks_as_expected_is_well() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let _ = stream.unwrap().write_all(b"220 ready\r\n");
            }
        });
        let check = |expect: &str| Tcp {
            host: "127.0.0.1".into(),
            port,
            send: None,
            expect: Some(expect.into()),
            warning: None,
            critical: None,
        };
        assert_eq!(check("220").look(&scene()).unwrap().status, Status::Ok);
        let wrong = check("SSH").look(&scene()).unwrap();
        assert_eq!((wrong.status, wrong.output.contains("does not say")), (Status::Critical, true));
    }

    #[test]
    fn places_are_written_as_addresses() {
        assert_eq!(["h", "::1", "[::1]"].map(|host| place(host, 80)), ["h:80", "[::1]:80", "[::1]:80"]);
        assert_eq!(resolve("[::1]", 80, Duration::ZERO).unwrap(), ["[::1]:80".parse().unwrap()]);
        let why = resolve("no-such-host.invalid", 80, Duration::from_secs(60)).unwrap_err();
        assert!(why.starts_with("no-such-host.invalid has no address: ") && !why.contains("os error"), "{why}");
    }

    #[test]
    fn a_server_that_says_nothing_is_told_as_such() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, timeout) = (listener.local_addr().unwrap().port(), Duration::from_millis(50));
        let mut stream = connect("127.0.0.1", port, timeout).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(silence(&error, timeout), "no answer within 0.05 s");
    }

    #[test]
    fn a_closed_port_is_critical() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let check = Tcp { host: "127.0.0.1".into(), port, send: None, expect: None, warning: None, critical: None };
        assert_eq!(check.look(&scene()).unwrap().status, Status::Critical);
    }
}
