//! `port`: whether a program of this host listens on it.

use std::fs;

use serde::Deserialize;

use crate::checks::{Check, Found, Scene, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
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
        let tables = ["", "6"].map(|v6| fs::read_to_string(format!("/proc/net/{name}{v6}")));
        if let [Err(error), Err(_)] = &tables {
            return Err(format!("/proc/net/{name}: {error}"));
        }
        let found = tables.iter().flatten().any(|table| listens(table, self.port, self.protocol));
        let status = if found == self.listening { Status::Ok } else { Status::Critical };
        let word = if found { "somebody listens" } else { "nobody listens" };
        Ok(Found::new(status, format!("port {}/{name}: {word}", self.port)))
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
    use super::*;

    #[test]
    fn only_listeners_count() {
        let table = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:0050 0100007F:1234 01 0\n";
        assert!(listens(table, 8080, Protocol::Tcp));
        assert!(!listens(table, 80, Protocol::Tcp) && !listens(table, 8080, Protocol::Udp));
    }
}
