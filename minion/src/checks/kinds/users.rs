//! `users`: how many are logged in.

use std::fs;

use serde::Deserialize;

use crate::checks::{Check, Found, Perf, Range, Scene, Thresholds};

#[derive(Deserialize, Default)]
#[serde(default, deny_unknown_fields)]
pub struct Users {
    warning: Option<Range>,
    critical: Option<Range>,
}

/// The length of a record of `utmp`, and what marks that of a user.
const RECORD: usize = 384;
const USER_PROCESS: i16 = 7;

impl Check for Users {
    fn look(&self, _: &Scene) -> Result<Found, String> {
        let count = match fs::read("/run/utmp") {
            Ok(bytes) => in_utmp(&bytes),
            // Newer systems have logind alone.
            Err(_) => in_sessions(),
        };
        let thresholds = Thresholds::new(self.warning.as_ref(), self.critical.as_ref());
        let status = thresholds.judge(count as f64);
        let plural = if count == 1 { "" } else { "s" };
        let output = format!("{count} user{plural} logged in{}", thresholds.reason(status));
        let perf = Perf { min: Some(0.0), ..Perf::new("users", count as f64, "").judged(&thresholds) };
        Ok(Found::new(status, output).with(perf))
    }
}

fn in_utmp(bytes: &[u8]) -> usize {
    let kind = |record: &[u8]| i16::from_ne_bytes([record[0], record[1]]);
    bytes.chunks_exact(RECORD).filter(|record| kind(record) == USER_PROCESS).count()
}

fn in_sessions() -> usize {
    let sessions = fs::read_dir("/run/systemd/sessions").into_iter().flatten().flatten();
    let of_user = |text: String| text.lines().any(|line| line == "CLASS=user");
    sessions.filter(|entry| fs::read_to_string(entry.path()).is_ok_and(of_user)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_users_count() {
        let mut bytes = vec![0; 3 * RECORD + 5];
        bytes[..2].copy_from_slice(&USER_PROCESS.to_ne_bytes());
        bytes[RECORD..RECORD + 2].copy_from_slice(&2i16.to_ne_bytes());
        bytes[2 * RECORD..2 * RECORD + 2].copy_from_slice(&USER_PROCESS.to_ne_bytes());
        assert_eq!(in_utmp(&bytes), 2);
    }
}
