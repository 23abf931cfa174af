//! `reboot_required`: whether packages ask for a restart.

use std::{fs, path::Path};

use serde::Deserialize;

use crate::checks::{Check, Found, Scene, Status};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct RebootRequired {}

impl Check for RebootRequired {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        Ok(judge(Path::new("/run")))
    }
}

/// Debian's packages leave a note, and their names.
fn judge(run: &Path) -> Found {
    if !run.join("reboot-required").exists() {
        return Found::new(Status::Ok, "no restart is needed");
    }
    let names = fs::read_to_string(run.join("reboot-required.pkgs")).unwrap_or_default();
    let mut names: Vec<&str> = names.lines().collect();
    names.sort_unstable();
    names.dedup();
    let by = if names.is_empty() { String::new() } else { format!(" for {}", names.join(", ")) };
    Found::new(Status::Warning, format!("a restart is needed{by}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_named_once() {
        let run = tempfile::tempdir().unwrap();
        assert_eq!(judge(run.path()).status, Status::Ok);
        fs::write(run.path().join("reboot-required"), "").unwrap();
        fs::write(run.path().join("reboot-required.pkgs"), "linux\nlibc6\nlinux\n").unwrap();
        assert_eq!(judge(run.path()).output, "a restart is needed for libc6, linux");
    }
}
