//! The host's names.

use std::net::IpAddr;

use proto::{Map, Value};
use serde_json::json;

use super::{network::Interfaces, probes::Probed, text};

/// The plain name of the host.
pub fn nodename() -> String {
    nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned()).unwrap_or_else(|_| "localhost".into())
}

pub fn grains(probed: &Probed, interfaces: &Interfaces) -> Map {
    let name = nodename();
    let known = known(&name, probed);
    let fqdn = known.first().map_or(name.clone(), |(_, canonical)| canonical.clone());
    let (host, domain) = fqdn.split_once('.').unwrap_or((&fqdn, ""));
    let addresses = |v4: bool| -> Vec<String> {
        let mut list: Vec<IpAddr> = known.iter().map(|(address, _)| *address).filter(|a| a.is_ipv4() == v4).collect();
        list.dedup();
        list.iter().map(IpAddr::to_string).collect()
    };
    Map::from_iter([
        ("localhost".to_owned(), Value::from(name.clone())),
        ("nodename".to_owned(), name.into()),
        ("host".to_owned(), host.into()),
        ("domain".to_owned(), domain.into()),
        ("fqdn_ip4".to_owned(), addresses(true).into()),
        ("fqdn_ip6".to_owned(), addresses(false).into()),
        ("fqdns".to_owned(), json!(fqdns(interfaces))),
        ("fqdn".to_owned(), fqdn.into()),
    ])
}

/// Addresses of the host's name, each with the canonical name beside it: from `/etc/hosts`, or
/// what the name service said.
fn known(name: &str, probed: &Probed) -> Vec<(IpAddr, String)> {
    if let Some(found) = text("/etc/hosts").and_then(|hosts| in_hosts(&hosts, name)) {
        return found;
    }
    let mut canonical = name.to_owned();
    let mut found: Vec<(IpAddr, String)> = Vec::new();
    for line in probed.hosts.as_deref().unwrap_or_default().lines() {
        let mut words = line.split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        // Only the first line names it.
        canonical = words.nth(1).map_or(canonical, str::to_owned);
        if !found.iter().any(|(known, _)| *known == address) {
            found.push((address, canonical.clone()));
        }
    }
    found
}

/// The lines of a hosts file that have this name, as the resolver sees them.
pub fn in_hosts(hosts: &str, name: &str) -> Option<Vec<(IpAddr, String)>> {
    let lines = hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        let names: Vec<&str> = words.collect();
        names.iter().any(|known| known.eq_ignore_ascii_case(name)).then(|| (address, names[0].to_owned()))
    });
    let found: Vec<_> = lines.collect();
    (!found.is_empty()).then_some(found)
}

/// Names of the host's addresses in `/etc/hosts`, other than loopback's.
fn fqdns(interfaces: &Interfaces) -> Vec<String> {
    let hosts = text("/etc/hosts").unwrap_or_default();
    let ours: Vec<IpAddr> = interfaces
        .values()
        .flat_map(|interface| {
            let v4 = interface.v4.iter().copied().map(IpAddr::V4);
            v4.chain(interface.v6.iter().copied().map(IpAddr::V6))
        })
        .filter(|address| !address.is_loopback())
        .collect();
    let names = hosts.lines().filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let address: IpAddr = words.next()?.parse().ok()?;
        words.next().filter(|_| ours.contains(&address)).map(str::to_owned)
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.dedup();
    names
}

/// Names that this host could be known by, best first (Salt's `_generate_minion_id`).
pub fn candidates() -> Vec<String> {
    let name = nodename();
    let probed = Probed::default();
    let mut all: Vec<String> = known(&name, &probed).into_iter().map(|(_, canonical)| canonical).collect();
    all.push(name);
    all.extend(text("/etc/hostname").into_iter().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>()));
    all.extend(addresses());
    all.retain(|name| !is_local(name));
    if all.is_empty() {
        all.push("localhost".into());
    }
    all
}

fn addresses() -> Vec<String> {
    let v4 = super::network::interfaces().into_values().flat_map(|interface| interface.v4);
    v4.filter(|address| !address.is_loopback()).map(|address| address.to_string()).collect()
}

/// Names that every host has.
fn is_local(name: &str) -> bool {
    let name = name.trim();
    name.is_empty() || ["localhost", "ip6-", "ipv6-", "127.", "0.0.0.0", "::1"].iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hosts_file_gives_the_canonical_name() {
        let hosts = "127.0.0.1 localhost\n10.0.0.5 web1.example.org web1 # here\n::1 web1\n";
        let found = in_hosts(hosts, "WEB1").unwrap();
        assert_eq!(found[0], ("10.0.0.5".parse().unwrap(), "web1.example.org".to_owned()));
        assert_eq!(found.len(), 2);
        assert_eq!(in_hosts(hosts, "db1"), None);
    }

    #[test]
    fn the_name_service_names_the_host_once() {
        let hosts = Some("192.0.2.7     STREAM db1.example.org\n192.0.2.7     DGRAM\n2001:db8::1  STREAM\n".to_owned());
        let found = known("no-such-name-here", &Probed { hosts, ..Probed::default() });
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|(_, name)| name == "db1.example.org"), "{found:?}");
    }

    #[test]
    fn an_id_can_always_be_made() {
        assert!(crate::grains::default_id().parse::<proto::MinionId>().is_ok());
        assert!(is_local("localhost.localdomain") && !is_local("web1"));
    }
}
