//! Processors, memory, disks, firmware.

use proto::{Map, Value};

use super::{is_there, probes::Probed, text};

pub fn grains(probed: &Probed) -> Map {
    let mut grains = probed.fixed.clone();
    // Processors can be added and taken away.
    if let Some(count) = text("/sys/devices/system/cpu/online").and_then(|ranges| online(&ranges)) {
        grains.insert("num_cpus".into(), count.into());
    }
    grains.extend(memory(&text("/proc/meminfo").unwrap_or_default()));
    grains.extend(disks());
    if let Some(status) = text("/proc/mdstat") {
        grains.insert("mdadm".into(), raids(&status));
    }
    grains.insert("fibre_channel_host".into(), is_there("/sys/class/fc_host").into());
    grains
}

/// What stays the same as long as the host is up. To have the kernel describe its processors takes it
/// a millisecond and more.
pub fn fixed() -> Map {
    let mut grains = processors(&text("/proc/cpuinfo").unwrap_or_default());
    grains.extend(firmware());
    grains.extend(graphics());
    grains
}

/// `0-3,6`: how many these are.
fn online(ranges: &str) -> Option<u64> {
    let one = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    ranges.trim().split(',').map(one).sum()
}

fn processors(cpuinfo: &str) -> Map {
    let (mut count, mut model, mut flags) = (0u64, "Unknown".to_owned(), Vec::new());
    for (key, value) in cpuinfo.lines().filter_map(|line| line.split_once(':')) {
        // As Salt: what follows a second colon is left out.
        let value = value.split(':').next().unwrap_or_default().trim();
        match key.trim() {
            "processor" => count += 1,
            "# processors" => count = value.parse().unwrap_or(count),
            "vendor_id" | "model name" | "cpu" => model = value.to_owned(),
            "flags" | "Features" => flags = value.split_whitespace().map(Value::from).collect(),
            "Processor" => (model, count) = (value.split('-').next().unwrap_or_default().to_owned(), 1),
            _ => {}
        }
    }
    Map::from_iter([
        ("num_cpus".to_owned(), Value::from(count)),
        ("cpu_model".to_owned(), model.into()),
        ("cpu_flags".to_owned(), flags.into()),
    ])
}

/// In MiB.
fn memory(meminfo: &str) -> Map {
    let of = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: Option<u64> = line.and_then(|rest| rest.split_whitespace().next()?.parse().ok());
        Value::from(kib.unwrap_or(0) / 1024)
    };
    Map::from_iter([("mem_total".to_owned(), of("MemTotal")), ("swap_total".to_owned(), of("SwapTotal"))])
}

/// Real disks, spinning and not.
fn disks() -> Map {
    let (mut disks, mut ssds) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir("/sys/block").into_iter().flatten().flatten() {
        let target = std::fs::read_link(entry.path()).unwrap_or_default();
        if target.starts_with("../devices/virtual") {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        match text(entry.path().join("queue/rotational")).as_deref() {
            Some("0") => ssds.push(name),
            Some("1") => disks.push(name),
            _ => {}
        }
    }
    disks.sort();
    ssds.sort();
    Map::from_iter([("disks".to_owned(), Value::from(disks)), ("ssds".to_owned(), ssds.into())])
}

fn firmware() -> Map {
    let files = [
        ("biosversion", "bios_version"),
        ("biosvendor", "bios_vendor"),
        ("boardname", "board_name"),
        ("productname", "product_name"),
        ("manufacturer", "sys_vendor"),
        ("biosreleasedate", "bios_date"),
        ("uuid", "product_uuid"),
        ("serialnumber", "product_serial"),
    ];
    let read = |(name, file): (&str, &str)| {
        let value = text(format!("/sys/class/dmi/id/{file}"))?.trim().to_owned();
        Some((name.to_owned(), if name == "uuid" { value.to_lowercase() } else { value }.into()))
    };
    let mut grains: Map = files.into_iter().filter_map(read).collect();
    let variables = ["/sys/firmware/efi/efivars", "/sys/firmware/efi/vars"].into_iter().find(|path| is_there(path));
    grains.insert("efi".into(), variables.is_some().into());
    grains.insert("efi-secure-boot".into(), variables.is_some_and(secure_boot).into());
    grains
}

fn secure_boot(variables: &str) -> bool {
    let entries = std::fs::read_dir(variables).into_iter().flatten().flatten();
    let mut found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("SecureBoot-"));
    let file = |path: std::path::PathBuf| if path.is_dir() { path.join("data") } else { path };
    let bytes = found.next().and_then(|entry| std::fs::read(file(entry.path())).ok());
    bytes.is_some_and(|bytes| bytes.last() == Some(&1))
}

/// Display controllers on the PCI bus, by the numbers that the kernel knows.
fn graphics() -> Map {
    let devices = std::fs::read_dir("/sys/bus/pci/devices").into_iter().flatten().flatten();
    let is_display = |path: &std::path::Path| text(path.join("class")).is_some_and(|class| class.starts_with("0x03"));
    let number = |path: &std::path::Path, name: &str| text(path.join(name)).unwrap_or_default().replace("0x", "");
    let gpus: Vec<Value> = devices
        .map(|entry| entry.path())
        .filter(|path| is_display(path))
        .map(|path| serde_json::json!({"vendor": vendor(&number(&path, "vendor")), "model": number(&path, "device")}))
        .collect();
    Map::from_iter([("num_gpus".to_owned(), Value::from(gpus.len())), ("gpus".to_owned(), gpus.into())])
}

fn vendor(number: &str) -> &str {
    match number {
        "10de" => "nvidia",
        "1002" | "1022" => "amd",
        "8086" => "intel",
        "1234" | "1af4" => "unknown",
        "15ad" => "vmware",
        "1013" => "cirrus",
        "1a03" => "ast",
        "102b" => "matrox",
        _ => "unknown",
    }
}

fn raids(mdstat: &str) -> Value {
    let is_device = |line: &&str| !line.starts_with("Personalities : ") && !line.starts_with("unused devices:");
    let names = mdstat.lines().filter(is_device).filter_map(|line| line.split_once(" : ").map(|(name, _)| name));
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    names.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_on_every_architecture() {
        let intel =
            "processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Xeon\nflags\t\t: fpu vme\nprocessor\t: 1\n";
        let grains = processors(intel);
        assert_eq!((&grains["num_cpus"], &grains["cpu_model"]), (&2.into(), &"Xeon".into()));
        assert_eq!(grains["cpu_flags"], serde_json::json!(["fpu", "vme"]));
        assert_eq!(processors("# processors    : 4\n")["num_cpus"], 4);
        assert_eq!(processors("")["cpu_model"], "Unknown");
        assert_eq!(["0", "0-3", "0-3,6", "0,2,4-5\n"].map(online), [1, 4, 5, 4].map(Some));
        assert_eq!(["", "3-0", "x", "0-"].map(online), [None; 4]);
    }

    #[test]
    fn raids_and_memory_are_read() {
        assert_eq!(
            raids("Personalities : [raid1]\nmd1 : active\nmd0 : active\nunused devices: <none>"),
            serde_json::json!(["md0", "md1"])
        );
        assert_eq!(memory("MemTotal:       24683884 kB\nSwapTotal: 0 kB")["mem_total"], 24105);
    }
}
