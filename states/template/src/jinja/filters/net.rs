//! Filters on network addresses.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

use super::{Table, string, wanted_text};
use crate::jinja::{
    Error, Eval, error,
    object::Args,
    salt,
    value::{Dict, Value},
};
use crate::look::Command;

pub const TABLE: Table = &[
    ("is_ip", |_, v, a| Ok(Value::Bool(checked(&v, None, a)?.is_some()))),
    ("is_ipv4", |_, v, a| Ok(Value::Bool(checked(&v, Some(4), a)?.is_some()))),
    ("is_ipv6", |_, v, a| Ok(Value::Bool(checked(&v, Some(6), a)?.is_some()))),
    ("ipv4", |_, v, a| filtered(&v, Some(4), a)),
    ("ipv6", |_, v, a| filtered(&v, Some(6), a)),
    ("ipaddr", |_, v, a| ipaddr(&v, a)),
    ("ip_host", |_, v, a| each(&v, a, |address| Ok(interface(address).into()))),
    ("network_hosts", |_, v, a| each(&v, a, hosts)),
    ("network_size", |_, v, a| each(&v, a, |address| Ok(Value::Int(size(&network(address)?))))),
    ("filter_by_networks", |_, v, a| {
        let networks: Vec<IpNet> =
            a.value(0, "networks")?.iterate()?.iter().filter_map(|n| network(n.as_str()?).ok()).collect();
        let inside = |text: &str| text.parse::<IpAddr>().is_ok_and(|ip| networks.iter().any(|net| net.contains(&ip)));
        let keep = |items: &Value| -> Result<Value, Error> {
            let items = items.iterate()?;
            Ok(Value::list(items.into_iter().filter(|item| item.as_str().is_some_and(inside)).collect()))
        };
        match &v {
            Value::Dict(dict) => {
                let kept: Result<Dict, Error> =
                    dict.borrow().iter().map(|(key, items)| Ok((key.clone(), keep(items)?))).collect();
                Ok(Value::dict(kept?))
            }
            items => keep(items),
        }
    }),
    ("ipwrap", |_, v, _| {
        let wrap = |item: &Value| match item.as_str() {
            Some(text) if text.split('%').next().is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok()) => {
                Value::from(format!("[{text}]"))
            }
            _ => item.clone(),
        };
        Ok(match &v {
            Value::List(items) => Value::list(items.borrow().iter().map(wrap).collect()),
            other => wrap(other),
        })
    }),
    ("gen_mac", |_, v, _| {
        let prefix = string(&v)?;
        let tail: Vec<String> = (0..3).map(|_| format!("{:02X}", rand::random::<u8>())).collect();
        Ok(format!("{prefix}:{}", tail.join(":")).into())
    }),
    ("mac_str_to_bytes", |_, v, _| {
        let text = wanted_text(&v)?;
        let digits = text.chars().filter(char::is_ascii_hexdigit).count();
        if digits == 12 { Ok(text.into()) } else { error(format!("'{text}' is no MAC address")) }
    }),
    ("dns_check", dns_check),
    // The runtime knows no sockets: whoever gave the functions decides whether this one is there.
    ("http_query", |e, v, a| {
        let mut args = a.clone();
        args.positional.insert(0, v);
        salt::call(e, "http.query", &args)
    }),
    ("get_uid", |e, v, _| {
        let name = string(&v)?;
        let passwd = e.look().read("/etc/passwd".as_ref(), 16 << 20).unwrap_or_default();
        let passwd = String::from_utf8_lossy(&passwd).into_owned();
        let found =
            passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|f| f.first() == Some(&name.as_str()));
        Ok(found.and_then(|fields| fields.get(2)?.parse().ok()).map_or(Value::None, Value::Int))
    }),
];

/// The address as it was written, in its shortest form, if it is one and fits the options.
fn checked(value: &Value, version: Option<u8>, args: &Args) -> Result<Option<String>, Error> {
    let options = args.text_or(0, "options", "")?;
    let Some(text) = value.as_str() else { return Ok(None) };
    Ok(normal(text, version, options))
}

fn normal(text: &str, version: Option<u8>, options: &str) -> Option<String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let ip: IpAddr = address.parse().ok()?;
    let shown = match prefix {
        None => ip.to_string(),
        Some(prefix) => format!("{ip}/{}", prefix_length(&ip, prefix)?),
    };
    let right = version.is_none_or(|version| (version == 4) == ip.is_ipv4());
    let fits = options.split(',').map(str::trim).filter(|o| !o.is_empty()).all(|option| has(&ip, option));
    (right && fits).then_some(shown)
}

/// The first address of a host, in brackets if it is of version 6. Salt prefers one that answers
/// on the port; nothing is connected to here.
fn dns_check(eval: &mut Eval<'_>, name: Value, args: &Args) -> Result<Value, Error> {
    let name = string(&name)?;
    args.value(0, "port")?;
    let version = match args.get(2, "ipv6") {
        None | Some(Value::None) => None,
        Some(wanted) => Some(wanted.truth()?),
    };
    let addresses = match name.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => resolved(eval, &name)?,
    };
    // Who asks for version 6 and finds none is given version 4.
    let found = match version {
        None => addresses.first(),
        Some(false) => addresses.iter().find(|ip| ip.is_ipv4()),
        Some(true) => addresses.iter().find(|ip| ip.is_ipv6()).or(addresses.first()),
    };
    match found {
        Some(ip @ IpAddr::V4(_)) => Ok(ip.to_string().into()),
        Some(ip @ IpAddr::V6(_)) => Ok(format!("[{ip}]").into()),
        None => error(format!("'{name}' has no address")),
    }
}

/// A name's addresses in the order in which this host would try them.
fn resolved(eval: &Eval<'_>, name: &str) -> Result<Vec<IpAddr>, Error> {
    if name.is_empty() || name.starts_with('-') || name.contains(char::is_whitespace) {
        return error(format!("'{name}' is no name of a host"));
    }
    let argv = ["getent", "ahosts", name].map(str::to_owned).to_vec();
    let command = Command { argv, timeout: Some(Duration::from_secs(15)), ..Command::default() };
    match eval.look().probe(&command) {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(text.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect())
        }
        Err(why) => error(format!("'{name}' cannot be looked up here: {why}")),
    }
}

/// A prefix length, also from a netmask.
fn prefix_length(ip: &IpAddr, prefix: &str) -> Option<u8> {
    let most = if ip.is_ipv4() { 32 } else { 128 };
    if let Ok(length) = prefix.parse::<u8>() {
        return (length <= most).then_some(length);
    }
    ipnet::ip_mask_to_prefix(prefix.parse().ok()?).ok()
}

fn has(ip: &IpAddr, option: &str) -> bool {
    match option {
        "global" | "public" => !private(ip),
        "private" => private(ip),
        "loopback" | "lo" => ip.is_loopback(),
        "multicast" => ip.is_multicast(),
        "unspecified" => ip.is_unspecified(),
        "link-local" | "linklocal" | "ll" | "link_local" => match ip {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
        },
        "site-local" | "sl" | "site_local" => matches!(ip, IpAddr::V6(v6) if v6.segments()[0] & 0xffc0 == 0xfec0),
        "reserved" => matches!(ip, IpAddr::V4(v4) if v4.octets()[0] >= 240),
        _ => true,
    }
}

fn private(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let o = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_documentation()
                || o[0] == 0
                || o[0] >= 240
                || (o[0] == 198 && o[1] & 0xfe == 18)
                || (o[0] == 192 && o[1] == 0 && o[2] == 0)
        }
        IpAddr::V6(v6) => {
            let s = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || s[0] & 0xfe00 == 0xfc00
                || s[0] & 0xffc0 == 0xfe80
                || (s[0] == 0x2001 && s[1] == 0xdb8)
        }
    }
}

fn filtered(value: &Value, version: Option<u8>, args: &Args) -> Result<Value, Error> {
    match value.check()? {
        Value::Str(_) => Ok(checked(value, version, args)?.map_or(Value::None, Value::from)),
        Value::List(_) | Value::Tuple(_) | Value::Iter(..) => {
            let mut out = Vec::new();
            for item in value.iterate()? {
                out.extend(checked(&item, version, args)?.map(Value::from));
            }
            Ok(Value::list(out))
        }
        _ => Ok(Value::None),
    }
}

/// Of a list, first those of version 4 and then those of version 6.
fn ipaddr(value: &Value, args: &Args) -> Result<Value, Error> {
    if value.as_str().is_some() {
        return filtered(value, None, args);
    }
    let mut all = filtered(value, Some(4), args)?.iterate()?;
    all.extend(filtered(value, Some(6), args)?.iterate()?);
    Ok(Value::list(all))
}

fn each(value: &Value, args: &Args, with: impl Fn(&str) -> Result<Value, Error>) -> Result<Value, Error> {
    let version = args.get(1, "version").and_then(Value::as_int).and_then(|v| u8::try_from(v).ok());
    let found = match version {
        Some(_) => filtered(value, version, args)?,
        None => ipaddr(value, args)?,
    };
    match found {
        Value::Str(text) => with(&text),
        Value::List(items) if !items.borrow().is_empty() => {
            let texts: Vec<Value> = items.borrow().clone();
            Ok(Value::list(texts.iter().map(|item| with(item.as_str().unwrap_or(""))).collect::<Result<_, _>>()?))
        }
        _ => Ok(Value::None),
    }
}

fn interface(address: &str) -> String {
    match address.parse::<IpAddr>() {
        Ok(ip) => format!("{ip}/{}", if ip.is_ipv4() { 32 } else { 128 }),
        Err(_) => address.to_owned(),
    }
}

fn network(address: &str) -> Result<IpNet, Error> {
    interface(address)
        .parse::<IpNet>()
        .map_or_else(|why| error(format!("{address} is no network: {why}")), |net| Ok(net.trunc()))
}

/// Lists of hosts longer than this are refused.
const HOSTS: usize = 70_000;

fn hosts(address: &str) -> Result<Value, Error> {
    let net = network(address)?;
    if size(&net) > i64::try_from(HOSTS).unwrap_or(i64::MAX) {
        return error(format!("the network {net} has more than {HOSTS} hosts"));
    }
    // A network's own address is no host of it, of version 6 neither (RFC 4291, 2.6.1).
    let anycast = net.max_prefix_len() == 128 && net.prefix_len() < 127;
    Ok(Value::list(net.hosts().skip(usize::from(anycast)).map(|ip| ip.to_string().into()).collect()))
}

fn size(net: &IpNet) -> i64 {
    let bits = net.max_prefix_len() - net.prefix_len();
    1i64.checked_shl(u32::from(bits)).filter(|_| bits < 63).unwrap_or(i64::MAX)
}
