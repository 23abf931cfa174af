//! `network.*` that read: addresses come from the grains.

use std::net::IpAddr;

use ipnet::IpNet;
use proto::{Args, Map, Value};

use super::{args::Given, args::list, need, opt};
use crate::{CallError, Context, Effect, Function, resource::command, value};

pub const TABLE: &[Function] = &[
    Function {
        name: "network.ip_addrs",
        doc: "Lists the host's IPv4 addresses, the loopback left out.\n\nctl run '*' network.ip_addrs eth0",
        params: &[opt("interface", "None"), opt("include_loopback", "False"), opt("cidr", "None"), opt("type", "None")],
        effect: Effect::Reads,
        call: |c, a| addresses(c, &a, true),
    },
    Function {
        name: "network.ipaddrs",
        doc: "Lists the host's IPv4 addresses, the loopback left out.\n\nctl run '*' network.ipaddrs",
        params: &[opt("interface", "None"), opt("include_loopback", "False"), opt("cidr", "None"), opt("type", "None")],
        effect: Effect::Reads,
        call: |c, a| addresses(c, &a, true),
    },
    Function {
        name: "network.ip_addrs6",
        doc: "Lists the host's IPv6 addresses, the loopback left out.\n\nctl run '*' network.ip_addrs6",
        params: &[opt("interface", "None"), opt("include_loopback", "False"), opt("cidr", "None")],
        effect: Effect::Reads,
        call: |c, a| addresses(c, &a, false),
    },
    Function {
        name: "network.interfaces",
        doc: "Shows the host's interfaces with their addresses.\n\nctl run '*' network.interfaces",
        params: &[],
        effect: Effect::Reads,
        call: interfaces,
    },
    Function {
        name: "network.get_hostname",
        doc: "Gives the host's name.\n\nctl run '*' network.get_hostname",
        params: &[],
        effect: Effect::Reads,
        call: |c, _| Ok(grain(c, "nodename")),
    },
    Function {
        name: "network.get_fqdn",
        doc: "Gives the host's name with its domain.\n\nctl run '*' network.get_fqdn",
        params: &[],
        effect: Effect::Reads,
        call: |c, _| Ok(grain(c, "fqdn")),
    },
    Function {
        name: "network.ip_in_subnet",
        doc: "Tells whether an address lies in a network.\n\nctl run '*' network.ip_in_subnet 10.0.0.1 10.0.0.0/8",
        params: &[need("ip_addr"), need("cidr")],
        effect: Effect::Reads,
        call: ip_in_subnet,
    },
    Function {
        name: "network.in_subnet",
        doc: "Tells whether the host has an address in a network.\n\nctl run '*' network.in_subnet 10.0.0.0/8",
        params: &[need("cidr"), opt("addr", "None")],
        effect: Effect::Reads,
        call: in_subnet,
    },
    Function {
        name: "network.calc_net",
        doc: "Gives the network of an address and a netmask.\n\nctl run '*' network.calc_net 10.0.0.7 255.0.0.0",
        params: &[need("ip_addr"), opt("netmask", "None")],
        effect: Effect::Reads,
        call: calc_net,
    },
    Function {
        name: "network.interface_ip",
        doc: "Gives the first IPv4 address of an interface.\n\nctl run '*' network.interface_ip eth0",
        params: &[need("iface")],
        effect: Effect::Reads,
        call: interface_ip,
    },
    Function {
        name: "network.hw_addr",
        doc: "Gives the hardware address of an interface.\n\nctl run '*' network.hw_addr eth0",
        params: &[need("iface")],
        effect: Effect::Reads,
        call: hw_addr,
    },
    Function {
        name: "network.hwaddr",
        doc: "As `network.hw_addr`.\n\nctl run '*' network.hwaddr eth0",
        params: &[need("iface")],
        effect: Effect::Reads,
        call: hw_addr,
    },
    Function {
        name: "network.convert_cidr",
        doc: "Gives the network, netmask and broadcast address of a network.\n\nctl run '*' network.convert_cidr 10.1.2.3/8",
        params: &[need("cidr")],
        effect: Effect::Reads,
        call: convert_cidr,
    },
    Function {
        name: "network.is_private",
        doc: "Tells whether an address is not for the internet.\n\nctl run '*' network.is_private 10.0.0.1",
        params: &[need("ip_addr")],
        effect: Effect::Reads,
        call: is_private,
    },
    Function {
        name: "network.default_route",
        doc: "Lists the default routes, of IPv4 (`inet`), IPv6 (`inet6`) or both.\n\nctl run '*' network.default_route inet",
        params: &[opt("family", "None")],
        effect: Effect::Reads,
        call: default_route,
    },
    Function {
        name: "network.is_loopback",
        doc: "Tells whether an address is a loopback address.\n\nctl run '*' network.is_loopback 127.0.0.1",
        params: &[need("ip_addr")],
        effect: Effect::Reads,
        call: |_, a| {
            Ok(Value::Bool(
                Given::new(&a, &["ip_addr"]).text("ip_addr")?.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()),
            ))
        },
    },
];

fn grain(context: &Context<'_>, name: &str) -> Value {
    context.look.grains().get(name).cloned().unwrap_or_default()
}

fn by_interface(context: &Context<'_>, ipv4: bool) -> Map {
    match grain(context, if ipv4 { "ip4_interfaces" } else { "ip6_interfaces" }) {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn addresses(context: &Context<'_>, args: &Args, ipv4: bool) -> Result<Value, CallError> {
    let given = Given::new(args, &["interface", "include_loopback", "cidr", "type"]);
    let wanted = given.get("interface").filter(|name| !name.is_null()).map(value::python_str);
    let network = given.get("cidr").filter(|cidr| !cidr.is_null()).map(value::python_str);
    let network = match network {
        Some(cidr) => {
            Some(cidr.parse::<IpNet>().map_err(|why| CallError::arguments(format!("{cidr} is no network: {why}")))?)
        }
        None => None,
    };
    let mut found: Vec<IpAddr> = Vec::new();
    for (name, all) in by_interface(context, ipv4) {
        if wanted.as_ref().is_some_and(|wanted| *wanted != name) {
            continue;
        }
        for ip in list(&all).iter().filter_map(|text| text.parse::<IpAddr>().ok()) {
            let fits = network.is_none_or(|network| network.contains(&ip));
            if fits && (given.flag("include_loopback", false) || !ip.is_loopback()) && !found.contains(&ip) {
                found.push(ip);
            }
        }
    }
    found.sort();
    Ok(found.iter().map(ToString::to_string).collect())
}

fn interfaces(context: &Context<'_>, _: Args) -> Result<Value, CallError> {
    let mut out = Map::new();
    for (ipv4, key) in [(true, "inet"), (false, "inet6")] {
        for (name, all) in by_interface(context, ipv4) {
            let addresses: Vec<Value> =
                list(&all).into_iter().map(|address| serde_json::json!({ "address": address })).collect();
            let entry = out.entry(name).or_insert_with(|| serde_json::json!({"up": true}));
            if let (Value::Object(entry), false) = (entry, addresses.is_empty()) {
                entry.insert(key.into(), Value::Array(addresses));
            }
        }
    }
    if let Value::Object(hardware) = grain(context, "hwaddr_interfaces") {
        for (name, address) in hardware {
            if let Some(Value::Object(entry)) = out.get_mut(&name) {
                entry.insert("hwaddr".into(), address);
            }
        }
    }
    Ok(Value::Object(out))
}

fn network(text: &str) -> Result<IpNet, CallError> {
    let with_prefix = if text.contains('/') { text.to_owned() } else { format!("{text}/32") };
    with_prefix
        .parse::<IpNet>()
        .map(|net| net.trunc())
        .map_err(|why| CallError::arguments(format!("{text} is no network: {why}")))
}

fn ip_in_subnet(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["ip_addr", "cidr"]);
    let ip = given.text("ip_addr")?;
    let ip: IpAddr = ip.parse().map_err(|_| CallError::arguments(format!("{ip} is no address")))?;
    Ok(Value::Bool(network(&given.text("cidr")?)?.contains(&ip)))
}

fn in_subnet(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["cidr", "addr"]);
    let networks: Vec<IpNet> = list(given.need("cidr")?).iter().map(|cidr| network(cidr)).collect::<Result<_, _>>()?;
    let own = match given.get("addr").filter(|addr| !addr.is_null()) {
        Some(addr) => list(addr),
        None => ["ipv4", "ipv6"].iter().flat_map(|name| list(&grain(context, name))).collect(),
    };
    let inside = |text: &String| text.parse::<IpAddr>().is_ok_and(|ip| networks.iter().any(|net| net.contains(&ip)));
    Ok(Value::Bool(own.iter().any(inside)))
}

fn calc_net(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let given = Given::new(&args, &["ip_addr", "netmask"]);
    let address = given.text("ip_addr")?;
    let whole = match given.get("netmask").filter(|mask| !mask.is_null()).map(value::python_str) {
        None => address,
        Some(mask) => {
            let length = match mask.parse::<IpAddr>() {
                Ok(mask) => ipnet::ip_mask_to_prefix(mask).map(|length| length.to_string()).unwrap_or_default(),
                Err(_) => mask.trim_start_matches('/').to_owned(),
            };
            format!("{address}/{length}")
        }
    };
    Ok(network(&whole)?.to_string().into())
}

fn interface_ip(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = Given::new(&args, &["iface"]).text("iface")?;
    let first = by_interface(context, true).get(&name).and_then(|all| list(all).into_iter().next());
    Ok(first.unwrap_or_default().into())
}

fn hw_addr(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let name = Given::new(&args, &["iface"]).text("iface")?;
    let known = grain(context, "hwaddr_interfaces");
    let address = known.get(&name).cloned();
    address.ok_or_else(|| CallError::failed(format!("Interface \"{name}\" not in available interfaces")))
}

fn convert_cidr(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let whole = network(&Given::new(&args, &["cidr"]).text("cidr")?)?;
    Ok(serde_json::json!({
        "network": whole.network().to_string(),
        "netmask": whole.netmask().to_string(),
        "broadcast": whole.broadcast().to_string(),
    }))
}

fn is_private(_: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let text = Given::new(&args, &["ip_addr"]).text("ip_addr")?;
    let private = match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback() || ip.is_link_local() || ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_loopback() || ip.is_unicast_link_local(),
        Err(_) => return Err(CallError::arguments(format!("{text} is no address"))),
    };
    Ok(private.into())
}

/// What `ip route` says, in the shape that `netstat -r` gave it.
fn default_route(context: &Context<'_>, args: Args) -> Result<Value, CallError> {
    let family = Given::new(&args, &["family"]).text_or("family", "");
    let families: &[(&str, &str, &str, &str)] = match family.as_str() {
        "inet" => &[V4],
        "inet6" => &[V6],
        "" | "None" => &[V4, V6],
        other => return Err(CallError::failed(format!("Invalid address family {other}"))),
    };
    let mut routes = Vec::new();
    for (family, option, destination, netmask) in families {
        let output = command::ask(context.look, &["ip", option, "route", "show", "default"]);
        let output = output.map_err(|why| CallError::failed(why.to_string()))?;
        for line in command::text(&output.stdout).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let after = |word: &str| Some(*words.get(words.iter().position(|other| *other == word)? + 1)?);
            routes.push(serde_json::json!({
                "addr_family": family, "destination": destination, "netmask": netmask, "flags": "UG",
                "gateway": after("via").unwrap_or_default(), "interface": after("dev").unwrap_or_default(),
            }));
        }
    }
    Ok(Value::Array(routes))
}

/// A family, its option of `ip`, and how its default route is written.
const V4: (&str, &str, &str, &str) = ("inet", "-4", "0.0.0.0", "0.0.0.0");
const V6: (&str, &str, &str, &str) = ("inet6", "-6", "::/0", "");

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{Memory, call, said};

    #[test]
    fn an_interface_and_the_way_out() {
        let grains = json!({"ip4_interfaces": {"eth0": ["192.0.2.7", "192.0.2.8"]}, "hwaddr_interfaces": {"eth0": "52:54:00:00:00:01"}});
        let host = Memory::new(grains).answer(|_, line| match line {
            "ip -4 route show default" => said("default via 192.0.2.1 dev eth0 proto static\n"),
            _ => said(""),
        });
        let ask = |function: &str, args: &[&str]| {
            let args = Args::positional(args.iter().map(|arg| Value::from(*arg)));
            call(&host, &[], json!({}), &format!("network.{function}"), args).0
        };
        assert_eq!(ask("interface_ip", &["eth0"]).unwrap(), json!("192.0.2.7"));
        assert_eq!(ask("hwaddr", &["eth0"]).unwrap(), json!("52:54:00:00:00:01"));
        assert!(ask("hw_addr", &["eth9"]).is_err());
        let route = json!([{"addr_family": "inet", "destination": "0.0.0.0", "netmask": "0.0.0.0", "flags": "UG",
            "gateway": "192.0.2.1", "interface": "eth0"}]);
        assert_eq!(ask("default_route", &[]).unwrap(), route);
        assert_eq!(ask("default_route", &["inet6"]).unwrap(), json!([]));
        assert!(ask("default_route", &["ipx"]).is_err());
        let whole = json!({"network": "10.0.0.0", "netmask": "255.0.0.0", "broadcast": "10.255.255.255"});
        assert_eq!(ask("convert_cidr", &["10.1.2.3/8"]).unwrap(), whole);
        assert_eq!(
            (ask("is_private", &["10.0.0.1"]).unwrap(), ask("is_private", &["9.9.9.9"]).unwrap()),
            (json!(true), json!(false))
        );
    }
}
