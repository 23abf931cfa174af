//! `mount`: whether something is mounted at a path.

use serde::Deserialize;

use super::text;
use crate::checks::{Check, Found, Scene, Status};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mount {
    path: String,
    /// The kind of file system, such as `ext4` or `nfs4`.
    #[serde(default)]
    fstype: Option<String>,
    /// Options that it must have, such as `rw`.
    #[serde(default)]
    options: Vec<String>,
}

impl Check for Mount {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        Ok(self.judge(&text("/proc/self/mounts")?))
    }
}

impl Mount {
    fn judge(&self, mounts: &str) -> Found {
        let path = match self.path.trim_end_matches('/') {
            "" => "/".to_owned(),
            path => path.replace(' ', "\\040"),
        };
        // What was mounted last is on top.
        let found = mounts.lines().rev().find_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [_, at, kind, options, ..] if at == path => Some((kind, options)),
            _ => None,
        });
        let Some((kind, options)) = found else {
            return Found::new(Status::Critical, format!("{} is not mounted", self.path));
        };
        let missing = self.options.iter().find(|wanted| !options.split(',').any(|option| option == **wanted));
        match (&self.fstype, missing) {
            (Some(wanted), _) if wanted != kind => {
                Found::new(Status::Critical, format!("{} is {kind}, not {wanted}", self.path))
            }
            (_, Some(missing)) => Found::new(Status::Critical, format!("{} is mounted without {missing}", self.path)),
            _ => Found::new(Status::Ok, format!("{} is mounted", self.path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_on_top_counts() {
        let mounts = "/dev/a /srv ext4 rw,noatime 0 0\nx /srv/my\\040data nfs4 ro 0 0\n/dev/b /srv xfs ro 0 0\n";
        let judge = |options: &str| serde_json::from_str::<Mount>(options).unwrap().judge(mounts);
        assert_eq!(judge(r#"{"path": "/srv", "fstype": "xfs"}"#).status, Status::Ok);
        assert_eq!(judge(r#"{"path": "/srv", "options": ["rw"]}"#).output, "/srv is mounted without rw");
        assert_eq!(judge(r#"{"path": "/srv/my data"}"#).status, Status::Ok);
        assert_eq!(judge(r#"{"path": "/data"}"#).output, "/data is not mounted");
    }
}
