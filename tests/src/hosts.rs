//! Hosts of their own on one machine: a network namespace, an address and a hostname each, on
//! one switch whose cables can be pulled.

use std::process::Command;

use crate::needs;

/// One host: everything started on it goes behind [`Host::wrap`].
#[derive(Debug, Clone)]
pub struct Host {
    pub name: String,
    pub address: String,
    namespace: String,
    /// Whether what runs on it sees a copy of this machine's files that it may change.
    own_root: bool,
}

/// Makes a copy-on-write root and goes there, in mount and process namespaces of its own. What the
/// test shares with the daemons lies beneath the temporary folder (`$1`), which stays the same one;
/// the shell stays to take in orphans, as an init does.
const OWN_ROOT: &str = r#"set -e
tmp=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 overstate /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
cd /mnt/root
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs tmpfs run
mkdir run/lock
mount --rbind "$tmp" "./$tmp"
pivot_root . mnt
umount -l /mnt
cd /
"$@" & wait $!"#;

impl Host {
    /// The words before a command line that is to run on this host.
    pub fn wrap(&self) -> Vec<String> {
        let rename = format!("hostname {} && exec \"$@\"", self.name);
        let words = ["ip", "netns", "exec", &self.namespace, "unshare", "--uts", "sh", "-c", &rename, "sh"];
        let tmp = std::env::temp_dir();
        let root = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", OWN_ROOT, "sh"];
        let root = self.own_root.then(|| root.map(str::to_owned).into_iter().chain([tmp.display().to_string()]));
        words.map(str::to_owned).into_iter().chain(root.into_iter().flatten()).collect()
    }
}

/// A switch and its hosts; all of it goes away when this is dropped.
#[derive(Debug)]
pub struct Net {
    pub hosts: Vec<Host>,
    switch: String,
}

impl Net {
    /// Hosts of these names, addressed 10.77.0.1, 10.77.0.2 and so on, all reaching each other.
    ///
    /// # Panics
    /// Where network namespaces cannot be made.
    pub fn new(names: &[&str]) -> Self {
        needs::network_namespaces();
        let prefix = format!("ov{}", unique());
        let net = Self {
            switch: format!("{prefix}s"),
            hosts: (names.iter().enumerate())
                .map(|(i, name)| Host {
                    name: (*name).to_owned(),
                    address: format!("10.77.0.{}", i + 1),
                    namespace: format!("{prefix}h{i}"),
                    own_root: false,
                })
                .collect(),
        };
        net.make();
        net
    }

    /// The same, but all hosts except the first have files and processes of their own: packages can
    /// be installed and services run there, and nothing of it stays.
    ///
    /// # Panics
    /// Where namespaces cannot be made.
    pub fn with_roots(names: &[&str]) -> Self {
        let mut net = Self::new(names);
        net.hosts.iter_mut().skip(1).for_each(|host| host.own_root = true);
        net
    }

    fn make(&self) {
        let switch = &self.switch;
        ip(&format!("netns add {switch}"));
        ip(&format!("-n {switch} link add sw type bridge"));
        ip(&format!("-n {switch} link set sw up"));
        for (i, host) in self.hosts.iter().enumerate() {
            let name = &host.namespace;
            ip(&format!("netns add {name}"));
            ip(&format!("-n {name} link set lo up"));
            ip(&format!("-n {switch} link add port{i} type veth peer name eth0 netns {name}"));
            ip(&format!("-n {switch} link set port{i} master sw up"));
            ip(&format!("-n {name} addr add {}/24 dev eth0", host.address));
            ip(&format!("-n {name} link set eth0 up"));
        }
    }

    /// Pulls the cable of host `i` out of the switch: nothing gets through, and neither end is told.
    pub fn cut(&self, i: usize) {
        ip(&format!("-n {} link set port{i} nomaster", self.switch));
    }

    /// Puts it back.
    pub fn mend(&self, i: usize) {
        ip(&format!("-n {} link set port{i} master sw", self.switch));
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let names = self.hosts.iter().map(|host| &host.namespace).chain([&self.switch]);
        for name in names {
            // What could not be made cannot be taken away.
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().expect("`ip` can be started");
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Something that no other test of this machine has in its names, and short.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:x}x{:x}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
