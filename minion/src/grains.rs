//! What a minion knows of its host, with Salt's names, values and types.
//!
//! Sources: Salt 3008, `salt/grains/*.py`. What differs on purpose is listed in
//! `minion/tests/grains.rs`, each with its reason. All of it is read from files of the kernel and
//! the distribution; two programs are asked (`systemd-detect-virt`, `systemctl --version`), side
//! by side, and names are resolved for a short time only.

mod custom;
mod distribution;
mod hardware;
mod names;
mod network;
mod probes;
mod process;
mod system;
mod virtualization;

use std::{io::Read, path::Path};

use proto::{Map, Value};

use crate::config::Config;

pub use process::user_name;

/// The version of Salt whose dialect this speaks: trees ask for `grains.saltversion`.
pub const SALT_DIALECT: [u32; 2] = [3008, 3];

/// All grains of a configured minion: detected ones, those of executables in `DIR/grains.d`, of
/// the file `DIR/grains`, and of `grains:` in the configuration; each of these stands above the
/// ones before.
pub fn of(config: &Config) -> Map {
    let mut grains = core(config.id.as_str(), &config.keys.master, Some(&config.path("cache/probes.json")));
    custom::of_executables(&config.dir.join("grains.d"), &mut grains);
    custom::of_file(&config.dir.join("grains"), &mut grains);
    grains.extend(config.keys.grains.clone());
    derive(&mut grains, &config.keys.grains);
    grains.insert("id".into(), config.id.as_str().into());
    grains
}

/// What is detected. What programs say of the host is kept in `kept`, where that is given.
pub fn core(id: &str, master: &str, kept: Option<&Path>) -> Map {
    let probed = probes::run(kept);
    let interfaces = network::interfaces();
    let mut grains = Map::new();
    for part in [
        process::grains(),
        network::grains(&interfaces),
        names::grains(&probed, &interfaces),
        hardware::grains(&probed),
        system::grains(&probed),
        distribution::grains(),
        virtualization::grains(&probed),
    ] {
        grains.extend(part);
    }
    grains.insert("id".into(), id.into());
    grains.insert("master".into(), master.into());
    grains.insert("server_id".into(), server_id(id).into());
    grains.insert("saltversion".into(), format!("{}.{}", SALT_DIALECT[0], SALT_DIALECT[1]).into());
    grains.insert("saltversioninfo".into(), SALT_DIALECT.to_vec().into());
    grains.insert("overstateversion".into(), crate::VERSION.into());
    grains.insert("ps".into(), "ps -efHww".into());
    grains
}

/// The id of a minion whose configuration names none: as Salt's, the full name of the host, or
/// else its plain one, or an address.
pub fn default_id() -> String {
    names::candidates().into_iter().find(|name| name.parse::<proto::MinionId>().is_ok()).unwrap_or("minion".into())
}

/// Salt's `server_id`: 31 bits of the id's SHA-256.
fn server_id(id: &str) -> u32 {
    use sha2::Digest;
    let hash = sha2::Sha256::digest(id);
    hash[28..].iter().fold(0, |number, &byte| number << 8 | u32::from(byte)) & 0x7fff_ffff
}

/// A configured `os` or `osrelease` imitates another platform: what follows from them follows it,
/// unless it is configured too.
fn derive(grains: &mut Map, configured: &Map) {
    let text = |grains: &Map, name: &str| grains.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !["os", "osfullname", "osrelease"].iter().any(|name| configured.contains_key(*name)) {
        return;
    }
    let release = distribution::release(&text(grains, "os"), &text(grains, "osfullname"), &text(grains, "osrelease"));
    for (name, value) in release {
        if !configured.contains_key(&name) {
            grains.insert(name, value);
        }
    }
}

/// A file's text, without an end of line at its end; `None` if it cannot be read.
fn text(path: impl AsRef<Path>) -> Option<String> {
    // Files of the kernel do not tell how long they are; most of them fit into one read.
    let mut bytes = Vec::with_capacity(8 << 10);
    std::fs::File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
}

/// Whether a path leads to something.
fn is_there(path: &str) -> bool {
    Path::new(path).exists()
}

/// A program's path.
fn which(program: &str) -> Option<std::path::PathBuf> {
    use states::Look;
    crate::host::Local::default().which(program)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_ids_are_salts() {
        assert_eq!(server_id("oracle"), 1_382_249_759);
    }

    #[test]
    fn every_name_of_salts_core_is_there_with_its_type() {
        let grains = core("web1", "salt", None);
        for name in ["os", "os_family", "osrelease", "osfinger", "kernel", "kernelrelease", "cpuarch", "osarch", "host"]
        {
            assert!(grains[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {:?}", grains.get(name));
        }
        for name in ["num_cpus", "mem_total", "pid", "uid", "server_id"] {
            assert!(grains[name].is_u64(), "{name}");
        }
        for name in ["ip_interfaces", "ip4_interfaces", "hwaddr_interfaces", "dns", "locale_info"] {
            assert!(grains[name].is_object(), "{name}");
        }
        for name in ["ipv4", "cpu_flags", "kernelparams", "osrelease_info", "fqdn_ip4"] {
            assert!(grains[name].is_array(), "{name}");
        }
    }

    #[test]
    fn a_configured_platform_is_imitated_to_the_end() {
        let configured: Map = [("os", "Ubuntu"), ("osfullname", "Ubuntu"), ("osrelease", "22.04")]
            .map(|(name, value)| (name.to_owned(), Value::from(value)))
            .into_iter()
            .collect();
        let mut grains = configured.clone();
        derive(&mut grains, &configured);
        assert_eq!(grains["osfinger"], "Ubuntu-22.04");
        assert_eq!(grains["osrelease_info"], serde_json::json!([22, 4]));
    }
}
