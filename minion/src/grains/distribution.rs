//! Which distribution this is, in Salt's words.

use proto::{Map, Value};

use super::{system, text};

pub fn grains() -> Map {
    let lsb = text("/etc/lsb-release").map(|text| shell_variables(&text)).unwrap_or_default();
    let os_release = ["/etc/os-release", "/usr/lib/os-release"].iter().find_map(text);
    let os_release = os_release.map(|text| shell_variables(&text)).unwrap_or_default();
    let mut grains = of(&os_release, &lsb, text("/etc/centos-release").as_deref());
    let machine = rustix::system::uname().machine().to_string_lossy().into_owned();
    let family = grains.get("os_family").and_then(Value::as_str).unwrap_or_default();
    let arch = match family {
        "Debian" if system::has_dpkg() => system::debian_architecture(&machine).to_owned(),
        _ => machine,
    };
    grains.insert("osarch".into(), arch.into());
    grains
}

/// Variables of a file that a shell could read.
type Variables = std::collections::HashMap<String, String>;

fn shell_variables(text: &str) -> Variables {
    let line = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        let words = crate::exec::split_words(value).unwrap_or_else(|_| vec![value.to_owned()]);
        (!name.starts_with('#')).then(|| (name.to_owned(), words.join(" ")))
    };
    text.lines().filter_map(line).collect()
}

fn of(os_release: &Variables, lsb: &Variables, centos_release: Option<&str>) -> Map {
    let get = |name: &str| os_release.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let lsb = lsb_grains(os_release, lsb);
    let full = get("NAME").or_else(|| lsb.get("id").cloned()).unwrap_or_else(|| "Linux".into());
    let os = os_name(&full, &get("ID").unwrap_or_default());
    let mut version = lsb.get("release").cloned().or_else(|| get("VERSION_ID"));
    if lsb.get("codename").is_some_and(|name| name.contains("CentOS Linux 7") || name.contains("CentOS Linux 8")) {
        // Their os-release knows no minor version.
        version = centos_release.and_then(numbers).or(version);
    }
    let codename =
        get("VERSION_CODENAME").or_else(|| in_brackets(&os, &get("VERSION")?)).or_else(|| lsb.get("codename").cloned());
    let version = version.unwrap_or_default();
    let mut grains: Map =
        lsb.iter().map(|(name, value)| (format!("lsb_distrib_{name}"), value.as_str().into())).collect();
    grains.insert("os_family".into(), os_family(&os).into());
    grains.insert("oscodename".into(), codename.unwrap_or_default().into());
    grains.extend(release(&os, &full, &version));
    grains.insert("osrelease".into(), version.into());
    grains.insert("osfullname".into(), full.into());
    grains.insert("os".into(), os.into());
    grains
}

/// What follows from the name and the release.
pub fn release(os: &str, full: &str, version: &str) -> Map {
    if version.is_empty() {
        return Map::new();
    }
    let number = |part: &str| match part.bytes().all(|byte| byte.is_ascii_digit()) {
        true => part.parse::<u64>().map_or_else(|_| part.into(), Value::from),
        false => part.into(),
    };
    let info: Vec<Value> = version.split('.').map(number).collect();
    let name = match os {
        "Debian" | "Raspbian" | "AlmaLinux" | "FreeBSD" | "OpenBSD" | "NetBSD" | "Mac" => os,
        _ => full,
    };
    let major = crate::exec::bind::text_of(&info[0]);
    let shown = if matches!(os, "Ubuntu" | "Pop" | "NixOS") { version } else { &major };
    let mut grains = Map::from_iter([("osfinger".to_owned(), Value::from(format!("{name}-{shown}")))]);
    if info[0].is_u64() {
        grains.insert("osmajorrelease".into(), info[0].clone());
    }
    grains.insert("osrelease_info".into(), info.into());
    grains
}

/// `lsb_distrib_*`: from `/etc/lsb-release`, or else what os-release says for them.
fn lsb_grains(os_release: &Variables, lsb: &Variables) -> indexmap::IndexMap<&'static str, String> {
    let given = [
        ("id", "DISTRIB_ID"),
        ("release", "DISTRIB_RELEASE"),
        ("codename", "DISTRIB_CODENAME"),
        ("description", "DISTRIB_DESCRIPTION"),
    ];
    let found: indexmap::IndexMap<_, _> =
        given.into_iter().filter_map(|(name, key)| Some((name, lsb.get(key)?.trim().to_owned()))).collect();
    if found.contains_key("id") {
        return found;
    }
    let get = |key: &str| os_release.get(key).map(|value| value.trim().to_owned());
    let codename = get("VERSION_CODENAME").or_else(|| get("PRETTY_NAME"));
    let entries = [("id", get("NAME")), ("release", get("VERSION_ID")), ("codename", codename)];
    entries.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// `Rocky Linux 9.3 (Blue Onyx)` names its release in brackets only.
fn in_brackets(os: &str, version: &str) -> Option<String> {
    let wanted = matches!(os, "Rocky" | "AlmaLinux");
    let inner = version.split_once('(')?.1.split_once(')')?.0;
    wanted.then(|| inner.to_owned())
}

fn numbers(text: &str) -> Option<String> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let mut parts = rest[..end].split('.');
    Some(format!("{}.{}", parts.next()?, parts.next()?))
}

/// The short name that Salt has always used.
fn os_name(full: &str, id: &str) -> String {
    match (id, full) {
        ("astra", "Astra Linux (Orel)") => return "AstraLinuxCE".into(),
        ("astra", "Astra Linux (Smolensk)") => return "AstraLinuxSE".into(),
        _ => {}
    }
    let name = without_linux(full);
    let short: String = name.chars().filter(|&c| c != ' ').take(10).collect::<String>().to_lowercase();
    match SHORT.iter().find(|(known, _)| *known == short) {
        Some((_, os)) => (*os).to_owned(),
        None => name,
    }
}

/// `Debian GNU/Linux` is Debian, `Arch Linux` is Arch.
fn without_linux(full: &str) -> String {
    let lower = full.to_lowercase();
    let mut name = full.to_owned();
    for tail in ["gnu/linux", "linux"] {
        if let Some(at) = lower.find(tail).filter(|&at| at > 0 && lower.len() == full.len()) {
            let before = full[..at].chars().next_back().is_some_and(|c| !c.is_alphanumeric() && c != '_');
            if before {
                name = format!("{}{}", full[..at].trim_end(), &full[at + tail.len()..]);
                break;
            }
        }
    }
    name.trim().to_owned()
}

/// The first ten letters of a full name, and the name that Salt gives.
const SHORT: &[(&str, &str)] = &[
    ("redhatente", "RedHat"),
    ("gentoobase", "Gentoo"),
    ("archarm", "Arch ARM"),
    ("arch", "Arch"),
    ("debian", "Debian"),
    ("raspbian", "Raspbian"),
    ("fedoraremi", "Fedora"),
    ("chapeau", "Chapeau"),
    ("korora", "Korora"),
    ("amazonami", "Amazon"),
    ("alt", "ALT"),
    ("enterprise", "OEL"),
    ("oracleserv", "OEL"),
    ("cloudserve", "CloudLinux"),
    ("cloudlinux", "CloudLinux"),
    ("virtuozzo", "Virtuozzo"),
    ("almalinux", "AlmaLinux"),
    ("almalinuxk", "AlmaLinux"),
    ("pidora", "Fedora"),
    ("scientific", "ScientificLinux"),
    ("synology", "Synology"),
    ("nilrt", "NILinuxRT"),
    ("poky", "Poky"),
    ("manjaro", "Manjaro"),
    ("manjarolin", "Manjaro"),
    ("univention", "Univention"),
    ("antergos", "Antergos"),
    ("sles", "SUSE"),
    ("void", "Void"),
    ("slesexpand", "RES"),
    ("linuxmint", "Mint"),
    ("neon", "KDE neon"),
    ("pop", "Pop"),
    ("pop!_os", "Pop"),
    ("rocky", "Rocky"),
    ("alibabaclo", "Alinux"),
    ("mendel", "Mendel"),
    ("photon", "VMware Photon OS"),
];

/// A distribution's family; its own name when it has none.
pub fn os_family(os: &str) -> &str {
    match os {
        "Ubuntu" | "Mint" | "Trisquel" | "GCEL" | "Linaro" | "elementary OS" | "elementary" | "Univention"
        | "Raspbian" | "Devuan" | "antiX" | "Kali" | "Parrot OS" | "neon" | "Cumulus" | "Deepin" | "KDE neon"
        | "IDMS" | "TurnKey" | "Pop" | "AstraLinuxCE" | "AstraLinuxSE" | "Mendel" | "OSMC" => "Debian",
        "Fedora" | "Chapeau" | "Korora" | "FedBerry" | "CentOS" | "CentOS Stream" | "GoOSe" | "Scientific"
        | "Amazon" | "CloudLinux" | "Virtuozzo" | "AlmaLinux" | "AlmaLinux Kitten" | "OVS" | "OEL" | "XCP"
        | "XCP-ng" | "XenServer" | "RES" | "Sangoma" | "VMware Photon OS" | "AlterOS" | "RED OS" | "ALT"
        | "ScientificLinux" | "Rocky" | "Alinux" | "openEuler" => "RedHat",
        "SLES"
        | "SUSE Enterprise Server"
        | "SUSE  Enterprise Server"
        | "SLED"
        | "openSUSE"
        | "SUSE"
        | "openSUSE Leap"
        | "openSUSE Tumbleweed"
        | "SLES_SAP"
        | "alfaLinux"
        | "alfaLinux Rise" => "Suse",
        "Arch ARM" | "Manjaro" | "Manjaro ARM" | "Antergos" | "EndeavourOS" => "Arch",
        "Mandrake" => "Mandriva",
        "VMwareESX" => "VMware",
        "Bluewhite64" => "Bluewhite",
        "Slamd64" => "Slackware",
        "Funtoo" => "Gentoo",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn grains(os_release: &str, lsb: &str) -> Map {
        of(&shell_variables(os_release), &shell_variables(lsb), Some("CentOS Linux release 7.9.2009 (Core)"))
    }

    fn check(grains: &Map, expected: [(&str, Value); 5]) {
        for (name, value) in expected {
            assert_eq!(grains[name], value, "{name}");
        }
    }

    #[test]
    fn debian_ubuntu_and_rocky_are_known() {
        let debian = grains("NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", "");
        check(
            &debian,
            [
                ("os", "Debian".into()),
                ("osfinger", "Debian-12".into()),
                ("oscodename", "bookworm".into()),
                ("osrelease_info", json!([12])),
                ("lsb_distrib_id", "Debian GNU/Linux".into()),
            ],
        );
        let lsb = "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=22.04\nDISTRIB_CODENAME=jammy\nDISTRIB_DESCRIPTION=\"Ubuntu 22.04.3 LTS\"\n";
        let ubuntu =
            grains("NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"22.04\"\nVERSION_CODENAME=jammy\n", lsb);
        check(
            &ubuntu,
            [
                ("os_family", "Debian".into()),
                ("osfinger", "Ubuntu-22.04".into()),
                ("osmajorrelease", 22.into()),
                ("osrelease_info", json!([22, 4])),
                ("lsb_distrib_description", "Ubuntu 22.04.3 LTS".into()),
            ],
        );
        let rocky = grains(
            "NAME=\"Rocky Linux\"\nID=rocky\nID_LIKE=\"rhel centos fedora\"\nVERSION=\"9.3 (Blue Onyx)\"\nVERSION_ID=\"9.3\"\n",
            "",
        );
        check(
            &rocky,
            [
                ("os", "Rocky".into()),
                ("os_family", "RedHat".into()),
                ("oscodename", "Blue Onyx".into()),
                ("osfullname", "Rocky Linux".into()),
                ("osfinger", "Rocky Linux-9".into()),
            ],
        );
    }

    #[test]
    fn old_and_odd_ones_are_known() {
        let centos =
            grains("NAME=\"CentOS Linux\"\nID=centos\nVERSION_ID=\"7\"\nPRETTY_NAME=\"CentOS Linux 7 (Core)\"\n", "");
        assert_eq!((&centos["os"], &centos["osrelease"]), (&"CentOS".into(), &"7.9".into()));
        let arch = grains("NAME=\"Arch Linux\"\nID=arch\n", "");
        assert_eq!((&arch["os"], &arch["os_family"]), (&"Arch".into(), &"Arch".into()));
        assert!(!arch.contains_key("osrelease_info"));
        let nothing = grains("", "");
        assert_eq!(nothing["os"], "Linux");
    }
}
