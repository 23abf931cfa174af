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
    grains
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
        assert_eq!(super::grains("a_master", "a.example.org")["domain"], json!("example.org"));
    }
}
