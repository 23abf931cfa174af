//! The master's host as templates of orchestrations see it: the grains that tell systems apart.

use std::fs;

use proto::{Map, Value};
use serde_json::json;

/// Grains of this host, under the id that orchestrations give it.
pub fn grains(id: &str, host: &str) -> Map {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let mut grains = of_release(&release);
    let fqdn = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    let short = host.split('.').next().unwrap_or(host);
    let kernel =
        |file: &str| fs::read_to_string(format!("/proc/sys/kernel/{file}")).unwrap_or_default().trim().to_owned();
    let more = json!({
        "id": id, "host": short, "nodename": host, "localhost": host, "fqdn": fqdn.unwrap_or_else(|| host.to_owned()),
        "domain": host.split_once('.').map_or("", |(_, domain)| domain),
        "kernel": "Linux", "kernelrelease": kernel("osrelease"), "kernelversion": kernel("version"),
        "cpuarch": std::env::consts::ARCH,
        "num_cpus": std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        "saltversion": "3008.3", "master": host,
    });
    if let Value::Object(more) = more {
        grains.extend(more);
    }
    grains.extend(addresses());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    grains.insert("mem_total".into(), mem_total(&memory).into());
    grains
}

/// `MemTotal` in MiB.
fn mem_total(text: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}

/// `ipv4`, `ipv6`, and which interface has which, as Salt has them.
fn addresses() -> Map {
    let names = ["ip_interfaces", "ip4_interfaces", "ip6_interfaces"];
    let mut grains: Map = ["ipv4", "ipv6"].map(|name| (name.to_owned(), json!([]))).into_iter().collect();
    grains.extend(names.map(|name| (name.to_owned(), json!({}))));
    for found in nix::ifaddrs::getifaddrs().into_iter().flatten() {
        let Some(address) = found.address else { continue };
        let (ip, all, own) = match (address.as_sockaddr_in(), address.as_sockaddr_in6()) {
            (Some(v4), _) => (v4.ip().to_string(), "ipv4", "ip4_interfaces"),
            (_, Some(v6)) => (v6.ip().to_string(), "ipv6", "ip6_interfaces"),
            _ => continue,
        };
        push(&mut grains[all], &ip);
        for kind in ["ip_interfaces", own] {
            push(&mut grains[kind][&found.interface_name], &ip);
        }
    }
    grains
}

fn push(list: &mut Value, text: &str) {
    match list {
        Value::Array(items) => items.push(text.into()),
        other => *other = json!([text]),
    }
}

/// What `/etc/os-release` says, in Salt's words.
fn of_release(text: &str) -> Map {
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        line.map(|value| value.trim().trim_matches(['"', '\'']).to_owned()).unwrap_or_default()
    };
    let id = field("ID");
    let (os, family) = match id.as_str() {
        "debian" => ("Debian", "Debian"),
        "ubuntu" => ("Ubuntu", "Debian"),
        "raspbian" => ("Raspbian", "Debian"),
        "alpine" => ("Alpine", "Alpine"),
        "arch" => ("Arch", "Arch"),
        "fedora" => ("Fedora", "RedHat"),
        "rhel" => ("RedHat", "RedHat"),
        "centos" => ("CentOS", "RedHat"),
        "rocky" => ("Rocky", "RedHat"),
        "almalinux" => ("AlmaLinux", "RedHat"),
        "amzn" => ("Amazon", "RedHat"),
        "opensuse-leap" | "opensuse-tumbleweed" | "sles" => ("SUSE", "Suse"),
        _ => ("", ""),
    };
    let (os, family) = match os {
        "" => (id.clone(), id.clone()),
        known => (known.to_owned(), family.to_owned()),
    };
    let release = field("VERSION_ID");
    let major = release.split('.').next().and_then(|major| major.parse::<u64>().ok());
    let codename =
        Some(field("VERSION_CODENAME")).filter(|name| !name.is_empty()).unwrap_or_else(|| field("PRETTY_NAME"));
    let finger = match major {
        Some(major) if os != "Ubuntu" => format!("{os}-{major}"),
        _ => format!("{os}-{release}"),
    };
    let grains = json!({
        "os": os, "os_family": family, "osrelease": release, "oscodename": codename, "osfullname": field("NAME"),
        "osfinger": finger, "osmajorrelease": major,
    });
    if let Value::Object(map) = grains { map } else { Map::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_told_in_salts_words() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
                      VERSION_CODENAME=bookworm\nID=debian\n";
        let grains = of_release(debian);
        assert_eq!(
            (&grains["os"], &grains["os_family"], &grains["osmajorrelease"]),
            (&json!("Debian"), &json!("Debian"), &json!(12))
        );
        assert_eq!((&grains["oscodename"], &grains["osfinger"]), (&json!("bookworm"), &json!("Debian-12")));
        let ubuntu = of_release("ID=ubuntu\nVERSION_ID=\"24.04\"\nNAME=Ubuntu\n");
        assert_eq!((&ubuntu["os_family"], &ubuntu["osfinger"]), (&json!("Debian"), &json!("Ubuntu-24.04")));
        assert_eq!(of_release("")["os"], json!(""));
        let own = super::grains("a_master", "a.example.org");
        assert_eq!((&own["domain"], &own["host"]), (&json!("example.org"), &json!("a")));
        assert!(own["ipv4"].is_array() && own["ip4_interfaces"].is_object() && own["mem_total"].as_u64() > Some(0));
        assert_eq!((mem_total("MemFree: 1 kB\nMemTotal:       2048 kB\n"), mem_total("")), (2, 0));
        let mut kept = json!({});
        push(&mut kept["eth0"], "10.0.0.1");
        push(&mut kept["eth0"], "10.0.0.2");
        assert_eq!(kept, json!({"eth0": ["10.0.0.1", "10.0.0.2"]}));
    }
}
