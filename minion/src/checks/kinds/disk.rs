//! `disk`: space and inodes of file systems.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{plain, text};
use crate::checks::{Check, Found, Perf, Range, Scene, Status, Thresholds};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// A path or several; without one, every file system on a disk of this host.
    path: Option<Paths>,
    /// Paths that are left out.
    exclude: Vec<String>,
    /// Of what is used: a percentage, or bytes.
    warning: Option<Range>,
    critical: Option<Range>,
    /// Of the inodes that are used, a percentage.
    inodes_warning: Option<Range>,
    inodes_critical: Option<Range>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a path is a text, or a list of texts")]
enum Paths {
    One(String),
    More(Vec<String>),
}

/// File systems that lie on disks; all others are made up by the kernel, or are elsewhere.
const ON_DISKS: &[&str] =
    &["bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3", "reiserfs", "vfat", "xfs", "zfs"];

struct Usage {
    path: String,
    used: f64,
    total: f64,
    /// Percent of what users other than root may have.
    percent: f64,
    inodes: f64,
}

impl Check for Disk {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let paths = match &self.path {
            Some(Paths::One(path)) => vec![path.clone()],
            Some(Paths::More(paths)) => paths.clone(),
            None => mounted(&text("/proc/self/mountinfo")?, &self.exclude),
        };
        // What is asked for by name and is not there is as bad as a full one.
        if let Some(path) = paths.iter().find(|path| !std::path::Path::new(path).exists()) {
            return Ok(Found::new(Status::Critical, format!("{path} is not there")));
        }
        let (usages, unknown): (Vec<_>, Vec<_>) = paths.iter().map(|path| usage(path)).partition(Result::is_ok);
        let (usages, unknown) = (usages.into_iter().flatten().collect(), unknown.into_iter().filter_map(Result::err));
        Ok(self.judge(usages, unknown.collect()))
    }
}

/// Where file systems on disks are mounted, each once; at least `/`.
fn mounted(info: &str, exclude: &[String]) -> Vec<String> {
    let (mut devices, mut paths) = (BTreeSet::new(), Vec::new());
    for line in info.lines() {
        let Some((front, rest)) = line.split_once(" - ") else { continue };
        let fields: Vec<&str> = front.split(' ').collect();
        let (Some(device), Some(path)) = (fields.get(2), fields.get(4)) else { continue };
        let kind = rest.split(' ').next().unwrap_or_default();
        let path = path.replace("\\040", " ");
        // A single file that is mounted is no file system of its own.
        let folder = std::path::Path::new(&path).is_dir();
        if ON_DISKS.contains(&kind) && folder && !exclude.contains(&path) && devices.insert(device.to_string()) {
            paths.push(path);
        }
    }
    if paths.is_empty() && !exclude.iter().any(|path| path == "/") {
        paths.push("/".into());
    }
    paths.sort();
    paths
}

fn usage(path: &str) -> Result<Usage, String> {
    let stat = rustix::fs::statvfs(path).map_err(|error| format!("{path}: {}", plain(&error.into())))?;
    let size = stat.f_frsize as f64;
    let (total, free, available) = (stat.f_blocks as f64, stat.f_bfree as f64, stat.f_bavail as f64);
    let used = total - free;
    let of = |part: f64, whole: f64| if whole > 0.0 { part / whole * 100.0 } else { 0.0 };
    Ok(Usage {
        path: path.to_owned(),
        used: used * size,
        total: total * size,
        percent: of(used, used + available),
        inodes: of(stat.f_files as f64 - stat.f_ffree as f64, stat.f_files as f64),
    })
}

impl Disk {
    /// Judges these, and tells of those that cannot be looked at.
    fn judge(&self, usages: Vec<Usage>, unknown: Vec<String>) -> Found {
        let space = Thresholds::or(self.warning.as_ref(), self.critical.as_ref(), ["80%", "90%"]);
        let inodes = Thresholds::or(self.inodes_warning.as_ref(), self.inodes_critical.as_ref(), ["90%", "95%"]);
        let of_hundred = [&space.warning, &space.critical].into_iter().flatten().any(|range| range.percent);
        let mut status = if unknown.is_empty() { Status::Ok } else { Status::Unknown };
        let (mut trouble, mut well, mut perfdata) = (unknown, Vec::new(), Vec::new());
        for usage in &usages {
            let (path, percent) = (&usage.path, usage.percent);
            let by_space = space.judge(if of_hundred { percent } else { usage.used });
            let by_inodes = inodes.judge(usage.inodes);
            status = status.worse(by_space).worse(by_inodes);
            match by_space {
                Status::Ok => well.push(format!("{path} {percent:.0} % full")),
                found => trouble.push(format!("{path} {percent:.0} % full{}", space.reason(found))),
            }
            if by_inodes != Status::Ok {
                trouble.push(format!("{path} {:.0} % of inodes used{}", usage.inodes, inodes.reason(by_inodes)));
            }
            perfdata.push(
                match of_hundred {
                    true => Perf::new(path, (percent * 10.0).round() / 10.0, "%").between(0.0, 100.0),
                    false => Perf::new(path, usage.used, "B").between(0.0, usage.total),
                }
                .judged(&space),
            );
        }
        let said = if trouble.is_empty() { well } else { trouble };
        Found { perfdata, ..Found::new(status, said.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_told_alone() {
        let usage = |path: &str, percent: f64, inodes: f64| Usage {
            path: path.into(),
            used: percent * 1e9,
            total: 1e11,
            percent,
            inodes,
        };
        let disk = Disk::default();
        let found = disk.judge(vec![usage("/", 93.0, 1.0), usage("/var", 10.0, 1.0)], vec![]);
        assert_eq!((found.status, found.output.as_str()), (Status::Critical, "/ 93 % full (critical at 90%)"));
        let well = disk.judge(vec![usage("/", 50.0, 1.0), usage("/var", 10.0, 1.0)], vec![]);
        assert_eq!((well.status, well.output.as_str()), (Status::Ok, "/ 50 % full, /var 10 % full"));
        let gone = disk.judge(vec![usage("/", 50.0, 1.0)], vec!["/x: gone".into()]);
        assert_eq!((gone.status, gone.output.as_str()), (Status::Unknown, "/x: gone"));
        assert_eq!(disk.judge(vec![usage("/", 1.0, 99.0)], vec![]).output, "/ 99 % of inodes used (critical at 95%)");
        let bytes: Disk = serde_json::from_str(r#"{"critical": "50G"}"#).unwrap();
        assert_eq!(bytes.judge(vec![usage("/", 93.0, 1.0)], vec![]).status, Status::Critical);
    }

    #[test]
    fn every_file_system_counts_once() {
        let info = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 0:5 / /proc rw - proc proc rw\n\
                    24 22 8:1 /x /etc rw - ext4 /dev/sda1 rw\n25 22 8:2 / /usr rw shared:1 - xfs /dev/sda2 rw\n";
        assert_eq!(mounted(info, &[]), ["/", "/usr"]);
        assert_eq!(mounted(info, &["/usr".into()]), ["/"]);
        assert_eq!(mounted("", &[]), ["/"]);
    }
}
