//! File systems: what is mounted, and `fstab`.

use std::path::{Path, PathBuf};

use super::lines;
use crate::{Host, Look, plan::StateError};

/// Something that is mounted, as `/proc/self/mountinfo` has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub point: String,
    pub device: String,
    pub fstype: String,
    pub options: Vec<String>,
    /// Options of the file system itself.
    pub super_options: Vec<String>,
}

/// `\040` stands for a space, and so on.
fn plain(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011").replace('\n', "\\012")
}

/// All that is mounted; of several on one point the last.
pub fn active(look: &dyn Look) -> Vec<Mount> {
    let text = lines::read(look, "/proc/self/mountinfo".as_ref()).unwrap_or_default();
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (first, second) = line.split_once(" - ")?;
    let first: Vec<&str> = first.split(' ').collect();
    let second: Vec<&str> = second.splitn(3, ' ').collect();
    let list = |text: &str| text.split(',').map(str::to_owned).collect();
    Some(Mount {
        point: plain(first.get(4)?),
        device: plain(second.get(1)?),
        fstype: second.first().map(ToString::to_string)?,
        options: list(first.get(5)?),
        super_options: list(second.get(2)?),
    })
}

pub fn at(look: &dyn Look, point: &str) -> Option<Mount> {
    active(look).into_iter().rfind(|mount| mount.point == point)
}

/// A line of `fstab`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    pub device: String,
    pub name: String,
    pub fstype: String,
    pub opts: String,
    pub dump: String,
    pub pass: String,
}

impl Entry {
    pub fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with('#') || !(4..=6).contains(&words.len()) {
            return None;
        }
        let word = |at: usize| words.get(at).map_or("0".to_owned(), |word| plain(word));
        Some(Self { device: word(0), name: word(1), fstype: word(2), opts: word(3), dump: word(4), pass: word(5) })
    }

    fn line(&self) -> String {
        let [device, name] = [&self.device, &self.name].map(|text| escaped(text));
        format!("{device}\t\t{name}\t{}\t{}\t{} {}", self.fstype, self.opts, self.dump, self.pass)
    }

    fn same(&self, other: &Self) -> bool {
        let sorted = |opts: &str| {
            let mut opts: Vec<String> = opts.split(',').map(str::to_owned).collect();
            opts.sort();
            opts
        };
        let path = |path: &str| Path::new(path).components().collect::<PathBuf>();
        self.device == other.device
            && path(&self.name) == path(&other.name)
            && self.fstype == other.fstype
            && sorted(&self.opts) == sorted(&other.opts)
            && (&self.dump, &self.pass) == (&other.dump, &other.pass)
    }

    fn key<'e>(&'e self, key: &str) -> &'e str {
        match key {
            "device" => &self.device,
            "name" => &self.name,
            "fstype" => &self.fstype,
            "opts" => &self.opts,
            "dump" => &self.dump,
            _ => &self.pass,
        }
    }
}

pub fn fstab(look: &dyn Look, config: &Path) -> Option<Vec<Entry>> {
    Some(lines::read(look, config)?.lines().filter_map(Entry::parse).collect())
}

/// What writing an entry would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fstab {
    Present,
    New,
    Change,
}

/// By what an entry is known (`match_on`): by its device, unless many can have the same.
pub fn keys(given: &[String], fstype: &str) -> Vec<String> {
    const BY_NAME: [&str; 14] = [
        "none",
        "tmpfs",
        "sysfs",
        "proc",
        "fusectl",
        "debugfs",
        "securityfs",
        "devtmpfs",
        "cgroup",
        "nfs",
        "nfs4",
        "glusterfs",
        "btrfs",
        "ceph",
    ];
    match given {
        [] => keys(&["auto".to_owned()], fstype),
        [auto] if auto == "auto" => vec![if BY_NAME.contains(&fstype) { "name" } else { "device" }.to_owned()],
        all => all.to_vec(),
    }
}

/// The text of an `fstab` with an entry in it, and what that changes.
pub fn with(text: &str, entry: &Entry, keys: &[String]) -> (String, Fstab) {
    let mut done = None;
    let mut out = String::new();
    for line in text.lines() {
        let known = Entry::parse(line).filter(|old| keys.iter().all(|key| old.key(key) == entry.key(key)));
        match known {
            Some(old) if !old.same(entry) => {
                done = Some(Fstab::Change);
                out.push_str(&entry.line());
            }
            known => {
                done = done.or(known.map(|_| Fstab::Present));
                out.push_str(line);
            }
        }
        out.push('\n');
    }
    match done {
        Some(done) => (out, done),
        None => (out + &entry.line() + "\n", Fstab::New),
    }
}

/// The text of an `fstab` without the entries of a mount point, and of a device if one is named.
pub fn without(text: &str, name: &str, device: Option<&str>) -> String {
    let is_it = |line: &str| {
        Entry::parse(line).is_some_and(|entry| entry.name == name && device.is_none_or(|device| entry.device == device))
    };
    text.lines().filter(|line| !is_it(line)).map(|line| format!("{line}\n")).collect()
}

pub fn write(host: &dyn Host, config: &Path, text: &str) -> Result<(), StateError> {
    lines::write(host, config, text, 0o644)
}

/// Swap that is in use, as `/proc/swaps` has it: device, type, size, used, priority.
pub fn swaps(look: &dyn Look) -> Vec<[String; 5]> {
    let text = lines::read(look, "/proc/swaps".as_ref()).unwrap_or_default();
    let row = |line: &str| -> Option<[String; 5]> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        words.try_into().ok()
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_known_by_its_keys() {
        let text = "# fstab\n/dev/sda1 / ext4 rw,noatime 0 1\n/dev/sdb1 /my\\040disk xfs defaults\n";
        let entry = Entry::parse("/dev/sdb1 /my\\040disk xfs defaults 0 0").unwrap();
        assert_eq!(entry.name, "/my disk");
        let by = keys(&[], "xfs");
        assert_eq!(with(text, &entry, &by), (text.to_owned(), Fstab::Present));
        let (changed, done) = with(text, &Entry { opts: "ro".into(), ..entry.clone() }, &by);
        assert_eq!(done, Fstab::Change);
        assert!(changed.ends_with("/dev/sdb1\t\t/my\\040disk\txfs\tro\t0 0\n"), "{changed}");
        let other = Entry { device: "tmpfs".into(), name: "/t".into(), fstype: "tmpfs".into(), ..entry };
        assert_eq!(with(text, &other, &keys(&[], "tmpfs")).1, Fstab::New);
        assert!(!without(text, "/my disk", None).contains("sdb1"));
    }

    #[test]
    fn mountinfo_is_read() {
        let line = "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let found = mount(line).unwrap();
        assert_eq!(
            (found.point.as_str(), found.device.as_str(), found.fstype.as_str()),
            ("/mnt 2", "/dev/root", "ext3")
        );
        assert_eq!(found.super_options, ["rw", "errors=continue"]);
    }
}
