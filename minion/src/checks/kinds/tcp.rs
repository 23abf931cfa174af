//! `tcp`: a connection, and what is said on it.

use std::{
    io::{Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

/// What is read of a banner.
const BANNER: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tcp {
    #[serde(default = "localhost")]
    host: String,
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

/// Connects to the first address of a name that answers.
pub fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, String> {
    let at = |error: std::io::Error| format!("{host}:{port}: {error}");
    let mut last = format!("{host} has no address");
    for address in (host, port).to_socket_addrs().map_err(at)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(timeout))
                    .and_then(|()| stream.set_write_timeout(Some(timeout)))
                    .map_err(at)?;
                return Ok(stream);
            }
            Err(error) => last = at(error),
        }
    }
    Err(last)
}

impl Check for Tcp {
    fn look(&self, scene: &Scene) -> Result<Found, String> {
        let (begun, place) = (Instant::now(), format!("{}:{}", self.host, self.port));
        let talked = connect(&self.host, self.port, scene.timeout)
            .and_then(|stream| self.talk(stream, &place, begun + scene.timeout));
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
    /// Says and hears what is to be said until `end`, however often something comes.
    fn talk(&self, mut stream: TcpStream, place: &str, end: Instant) -> Result<(), String> {
        let at = |error: std::io::Error| format!("{place}: {error}");
        let silent = |_| format!("{place} does not say {:?}", self.expect.as_deref().unwrap_or_default());
        if let Some(text) = &self.send {
            stream.write_all(text.as_bytes()).map_err(at)?;
        }
        let Some(wanted) = &self.expect else { return Ok(()) };
        let (mut came, mut piece) = (Vec::new(), [0; 512]);
        while came.len() < BANNER {
            // A time-out of nothing would be none at all.
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            stream.set_read_timeout(Some(left)).map_err(at)?;
            let length = stream.read(&mut piece).map_err(silent)?;
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
    fn a_closed_port_is_critical() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let check = Tcp { host: "127.0.0.1".into(), port, send: None, expect: None, warning: None, critical: None };
        assert_eq!(check.look(&scene()).unwrap().status, Status::Critical);
    }
}
