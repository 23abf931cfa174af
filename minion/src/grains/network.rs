//! Interfaces, addresses, gateways, resolvers.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use ipnet::IpNet;
use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
use proto::{Map, Value};
use serde_json::json;

use super::text;

/// An interface with what it has.
#[derive(Debug, Default)]
pub struct Interface {
    pub v4: Vec<Ipv4Addr>,
    pub v6: Vec<Ipv6Addr>,
    pub hardware: Option<String>,
}

/// Interfaces by name.
pub type Interfaces = indexmap::IndexMap<String, Interface>;

/// The interfaces of this host, in the kernel's order.
pub fn interfaces() -> Interfaces {
    let mut all = Interfaces::new();
    for entry in getifaddrs().into_iter().flatten() {
        // `eth0:1` is a label of an address of eth0.
        let name = entry.interface_name.split(':').next().unwrap_or_default().to_owned();
        let interface = all.entry(name).or_default();
        if let Some(address) = entry.address {
            interface.add(&address);
        }
    }
    all
}

impl Interface {
    fn add(&mut self, address: &SockaddrStorage) {
        if let Some(v4) = address.as_sockaddr_in() {
            self.v4.push(v4.ip());
        } else if let Some(v6) = address.as_sockaddr_in6() {
            self.v6.push(v6.ip());
        } else if let Some(bytes) = address.as_link_addr().and_then(|link| link.addr()) {
            self.hardware = Some(bytes.map(|byte| format!("{byte:02x}")).join(":"));
        }
    }
}

pub fn grains(interfaces: &Interfaces) -> Map {
    let texts = |list: Vec<String>| Value::from(list);
    let (mut all, mut v4, mut v6, mut hardware) = (Map::new(), Map::new(), Map::new(), Map::new());
    for (name, interface) in interfaces {
        let fours: Vec<String> = interface.v4.iter().map(Ipv4Addr::to_string).collect();
        let sixes: Vec<String> = interface.v6.iter().map(Ipv6Addr::to_string).collect();
        all.insert(name.clone(), texts([fours.clone(), sixes.clone()].concat()));
        v4.insert(name.clone(), texts(fours));
        v6.insert(name.clone(), texts(sixes));
        hardware.extend(interface.hardware.clone().map(|address| (name.clone(), address.into())));
    }
    let sorted4: BTreeSet<Ipv4Addr> = interfaces.values().flat_map(|interface| interface.v4.clone()).collect();
    let sorted6: BTreeSet<Ipv6Addr> = interfaces.values().flat_map(|interface| interface.v6.clone()).collect();
    let mut grains = Map::from_iter([
        ("ip_interfaces".to_owned(), Value::Object(all)),
        ("ip4_interfaces".to_owned(), Value::Object(v4)),
        ("ip6_interfaces".to_owned(), Value::Object(v6)),
        ("hwaddr_interfaces".to_owned(), Value::Object(hardware)),
        ("ipv4".to_owned(), sorted4.iter().map(Ipv4Addr::to_string).collect()),
        ("ipv6".to_owned(), sorted6.iter().map(Ipv6Addr::to_string).collect()),
    ]);
    gateways(&mut grains);
    let resolved = ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"].iter().find_map(text);
    if let Some(resolv) = resolved {
        grains.insert("dns".into(), dns(&resolv));
    }
    grains
}

fn gateways(grains: &mut Map) {
    let v4 = text("/proc/net/route").and_then(|table| gateway4(&table));
    let v6 = text("/proc/net/ipv6_route").and_then(|table| gateway6(&table));
    // An address, `true` for a default route without one, `false` for none.
    let shown = |gateway: &Option<Option<IpAddr>>| match gateway {
        Some(Some(address)) => address.to_string().into(),
        Some(None) => Value::Bool(true),
        None => Value::Bool(false),
    };
    grains.insert("ip4_gw".into(), shown(&v4));
    grains.insert("ip6_gw".into(), shown(&v6));
    grains.insert("ip_gw".into(), (v4.is_some() || v6.is_some()).into());
}

/// The first default route of `/proc/net/route`, lowest metric first, as `ip route` lists them.
fn gateway4(table: &str) -> Option<Option<IpAddr>> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "00000000", gateway, flags, _, _, metric, "00000000", ..] = fields[..] else { return None };
        let up = u32::from_str_radix(flags, 16).ok()? & 1 == 1;
        let address = Ipv4Addr::from(u32::from_str_radix(gateway, 16).ok()?.to_le_bytes());
        let address = (!address.is_unspecified()).then_some(IpAddr::V4(address));
        up.then_some((metric.parse::<u32>().ok()?, address))
    };
    table.lines().skip(1).filter_map(row).min_by_key(|&(metric, _)| metric).map(|(_, address)| address)
}

/// The same of `/proc/net/ipv6_route`. The kernel's own entries there that reject all are none.
fn gateway6(table: &str) -> Option<Option<IpAddr>> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [destination, "00", _, _, next, metric, _, _, flags, device] = fields[..] else { return None };
        let rejects = u32::from_str_radix(flags, 16).ok()? & 0x200 != 0;
        let default = destination.bytes().all(|byte| byte == b'0') && device != "lo" && !rejects;
        let address = Ipv6Addr::from(u128::from_str_radix(next, 16).ok()?);
        let address = (!address.is_unspecified()).then_some(IpAddr::V6(address));
        default.then_some((u32::from_str_radix(metric, 16).ok()?, address))
    };
    table.lines().filter_map(row).min_by_key(|&(metric, _)| metric).map(|(_, address)| address)
}

/// `resolv.conf`, as Salt's `salt.utils.dns.parse_resolv` reads it.
fn dns(resolv: &str) -> Value {
    let (mut servers, mut search, mut sortlist, mut options) =
        (Vec::<IpAddr>::new(), Vec::new(), Vec::new(), Vec::new());
    let mut domain = String::new();
    for line in resolv.lines() {
        let mut words = line.split_whitespace().take_while(|word| !word.starts_with(['#', ';'])).map(str::to_owned);
        let Some(directive) = words.next() else { continue };
        let words: Vec<String> = words.collect();
        let Some(first) = words.first() else { continue };
        match directive.to_lowercase().as_str() {
            "nameserver" => servers.extend(first.parse().ok().filter(|address| !servers.contains(address))),
            "domain" => domain = first.clone(),
            "search" => search = words,
            "sortlist" => sortlist.extend(words.iter().filter_map(|word| netmask(word))),
            "options" if !options.contains(first) => options.push(first.clone()),
            _ => {}
        }
    }
    let texts = |wanted: fn(&&IpAddr) -> bool| servers.iter().filter(wanted).map(IpAddr::to_string).collect::<Vec<_>>();
    json!({
        "nameservers": texts(|_| true),
        "ip4_nameservers": texts(|address| address.is_ipv4()),
        "ip6_nameservers": texts(|address| address.is_ipv6()),
        "sortlist": sortlist,
        "domain": domain,
        "search": search,
        "options": options,
    })
}

/// `10.0.0.0/8` as `10.0.0.0/255.0.0.0`; without a length, the natural one of old.
fn netmask(word: &str) -> Option<String> {
    let net: IpNet = match (word.parse(), word.parse::<IpAddr>()) {
        (Ok(net), _) => net,
        (_, Ok(IpAddr::V4(address))) => IpNet::new(address.into(), natural(address)).ok()?.trunc(),
        (_, Ok(address)) => IpNet::new(address, 128).ok()?,
        _ => return word.split_once('/').and_then(|(net, mask)| with_mask(net, mask)),
    };
    Some(format!("{}/{}", net.network(), net.netmask()))
}

fn with_mask(net: &str, mask: &str) -> Option<String> {
    let length = ipnet::ip_mask_to_prefix(mask.parse().ok()?).ok()?;
    let net = IpNet::new(net.parse().ok()?, length).ok()?.trunc();
    Some(format!("{}/{}", net.network(), net.netmask()))
}

fn natural(address: Ipv4Addr) -> u8 {
    match address.octets()[0] {
        0..=127 => 8,
        128..=191 => 16,
        _ => 24,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_routes_are_found() {
        let head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
        let table = format!(
            "{head}eth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\neth1 00000000 0A0200C0 0003 0 0 50 00000000 0 0 0\n"
        );
        assert_eq!(gateway4(&table), Some(Some("192.0.2.10".parse().unwrap())));
        assert_eq!(gateway4(&format!("{head}ppp0 00000000 00000000 0001 0 0 0 00000000 0 0 0\n")), Some(None));
        assert_eq!(gateway4(head), None);
        let zero = "0".repeat(32);
        let next = format!("fe80{}1", "0".repeat(27));
        let v6 = format!(
            "{zero} 00 {zero} 00 {next} 00000400 0 0 00000003 eth0\n{zero} 00 {zero} 00 {zero} ffffffff 1 0 00200200 lo\n"
        );
        assert_eq!(gateway6(&v6), Some(Some("fe80::1".parse().unwrap())));
        assert_eq!(gateway6(v6.lines().nth(1).unwrap()), None);
    }

    #[test]
    fn resolvers_are_read_as_salt_reads_them() {
        let dns = dns("# x\nnameserver 10.0.0.1\nnameserver ::1 # y\nnameserver 10.0.0.1\nsearch a.org b.org\n\
                       domain c.org\noptions ndots:5\nsortlist 130.155.160.0/255.255.240.0 10.0.0.0\nnameserver\n");
        assert_eq!(dns["nameservers"], json!(["10.0.0.1", "::1"]));
        assert_eq!(dns["ip6_nameservers"], json!(["::1"]));
        assert_eq!((&dns["search"], &dns["domain"]), (&json!(["a.org", "b.org"]), &json!("c.org")));
        assert_eq!(dns["sortlist"], json!(["130.155.160.0/255.255.240.0", "10.0.0.0/255.0.0.0"]));
        assert_eq!(dns["options"], json!(["ndots:5"]));
    }
}
