//! Whether this is a virtual machine or a container, and whose.

use proto::{Map, Value};

use super::{is_there, probes::Probed, text};

pub fn grains(probed: &Probed) -> Map {
    let mut found = Found { kind: "physical".into(), subtype: None };
    match probed.virt.as_deref() {
        Some(said) => found.said(said),
        None => found.containers(),
    }
    found.xen();
    found.hardware(
        &text("/sys/devices/virtual/dmi/id/product_name").unwrap_or_default(),
        &text("/sys/devices/virtual/dmi/id/sys_vendor").unwrap_or_default(),
    );
    if probed.fixed.get("cpu_model").is_some_and(|model| model.as_str().is_some_and(|m| m.contains("QEMU Virtual CPU")))
    {
        found.set("kvm", None);
    }
    found.control_groups(&text("/proc/1/cgroup").unwrap_or_default());
    if text("/proc/1/environ").is_some_and(|environ| environ.contains("container=lxc")) {
        found.set("container", Some("LXC"));
    }
    if found.subtype.is_some() && found.kind == "physical" {
        found.kind = "virtual".into();
    }
    let mut grains = Map::from_iter([("virtual".to_owned(), Value::from(found.kind))]);
    grains.extend(found.subtype.map(|subtype| ("virtual_subtype".to_owned(), subtype.into())));
    grains
}

struct Found {
    kind: String,
    subtype: Option<String>,
}

impl Found {
    fn set(&mut self, kind: &str, subtype: Option<&str>) {
        self.kind = kind.to_owned();
        self.subtype = subtype.map(str::to_owned).or(self.subtype.take());
    }

    /// What `systemd-detect-virt` said.
    fn said(&mut self, said: &str) {
        match said {
            "qemu" | "kvm" | "oracle" | "xen" | "bochs" | "chroot" | "uml" | "systemd-nspawn" => self.set(said, None),
            "vmware" => self.set("VMware", None),
            "microsoft" => self.set("VirtualPC", None),
            "amazon" => self.set("Nitro", Some("Amazon EC2")),
            said if said.contains("lxc") => self.set("container", Some("LXC")),
            "podman" => self.set("container", Some("Podman")),
            "docker" => self.set("container", Some("Docker")),
            _ => {}
        }
    }

    /// Without systemd's help: what container engines leave behind.
    fn containers(&mut self) {
        if is_there("/run/.containerenv") {
            self.set("container", Some("Podman"));
        } else if is_there("/.dockerenv") {
            self.set("container", Some("Docker"));
        }
    }

    fn xen(&mut self) {
        if !["/proc/sys/xen", "/sys/bus/xen", "/proc/xen"].iter().any(|path| is_there(path)) {
            return;
        }
        let capabilities = text("/proc/xen/capabilities");
        let subtype = match () {
            () if is_there("/proc/xen/xsd_kva") => "Xen Dom0",
            () if capabilities.as_deref().is_some_and(|text| text.contains("control_d")) => "Xen Dom0",
            () if capabilities.is_some() || is_there("/sys/bus/xen/drivers/xenconsole") => "Xen PV DomU",
            () => return,
        };
        self.set("xen", Some(subtype));
    }

    fn hardware(&mut self, product: &str, vendor: &str) {
        match product {
            p if p.contains("VirtualBox") => self.set("VirtualBox", None),
            p if p.contains("RHEV Hypervisor") => self.set("kvm", Some("rhev")),
            p if p.contains("oVirt Node") => self.set("kvm", Some("ovirt")),
            p if p.contains("Google") => self.set("gce", None),
            p if p.contains("BHYVE") => self.set("bhyve", None),
            _ => {}
        }
        let guest = matches!(self.kind.as_str(), "qemu" | "kvm" | "xen" | "amazon");
        if guest && vendor.contains("Amazon EC2") {
            let kind = if self.kind == "xen" { "xen" } else { "Nitro" };
            self.set(kind, Some(&format!("Amazon EC2 ({product})")));
        } else if guest && vendor.contains("Nutanix") {
            self.set("kvm", Some("Nutanix AHV"));
        }
    }

    fn control_groups(&mut self, cgroup: &str) {
        if cgroup.contains(":/lxc/") {
            self.set("container", Some("LXC"));
        } else if cgroup.contains(":/kubepods/") {
            self.subtype = Some("kubernetes".into());
        } else if cgroup.contains(":/libpod_parent/") {
            self.subtype = Some("libpod".into());
        } else if [":/system.slice/docker", ":/docker/", ":/docker-ce/"].iter().any(|mark| cgroup.contains(mark)) {
            self.set("container", Some("Docker"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_named_as_salt_names_them() {
        let after = |steps: &dyn Fn(&mut Found)| {
            let mut found = Found { kind: "physical".into(), subtype: None };
            steps(&mut found);
            (found.kind, found.subtype)
        };
        assert_eq!(after(&|found| found.said("none")), ("physical".into(), None));
        assert_eq!(after(&|found| found.said("docker")), ("container".into(), Some("Docker".into())));
        let nitro = after(&|found| {
            found.said("kvm");
            found.hardware("c5.large", "Amazon EC2");
        });
        assert_eq!(nitro, ("Nitro".into(), Some("Amazon EC2 (c5.large)".into())));
        let lxc = after(&|found| found.control_groups("1:name=systemd:/lxc/web1\n"));
        assert_eq!(lxc, ("container".into(), Some("LXC".into())));
    }
}
