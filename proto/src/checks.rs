//! Health checks as they travel: what a minion last found, and what the master knows of everyone's.
//!
//! Minions run checks on their interval and tell only what has changed
//! ([`FromMinion::Checks`](crate::message::FromMinion::Checks)). Each heartbeat carries a [`digest`] of the whole
//! table: it confirms every row, or makes the master ask for all of them.

use serde::{Deserialize, Serialize};

use crate::{Hash, MinionId, codec};

/// The most checks that one minion may have.
pub const MOST_ROWS: usize = 256;
/// The longest name and output of a check, in bytes.
pub const LONGEST_NAME: usize = 128;
pub const LONGEST_OUTPUT: usize = 512;
/// What the rows of one message may hold in all, in bytes.
pub const LONGEST_TABLE: usize = 48 * 1024;

/// How a check ended, in the order of the plugins' exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl CheckStatus {
    pub const ALL: [Self; 4] = [Self::Ok, Self::Warning, Self::Critical, Self::Unknown];

    /// `ok`, `warning`, `critical` or `unknown`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was last found of one check, after damping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRow {
    /// As in `checks:`, at most [`LONGEST_NAME`] bytes.
    pub name: String,
    pub status: CheckStatus,
    /// Its status changes too often: changes are not told until it is calm.
    pub flapping: bool,
    /// One line, at most [`LONGEST_OUTPUT`] bytes.
    pub output: String,
    /// Since when it has this status, and when it was looked at last before this row was sent:
    /// microseconds since 1970 on the master's clock.
    pub since: u64,
    pub at: u64,
    /// Seconds between two looks.
    pub interval: u32,
}

impl CheckRow {
    /// Whether a name can be that of a check: it is a part of an event's tag.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control)
    }
}

/// What both sides compare: name, status and flapping of all rows, whatever their order. 0 for no
/// rows.
pub fn digest<'a>(rows: impl IntoIterator<Item = &'a CheckRow>) -> u64 {
    let mut seen: Vec<(&str, u8, bool)> =
        rows.into_iter().map(|row| (row.name.as_str(), row.status as u8, row.flapping)).collect();
    if seen.is_empty() {
        return 0;
    }
    seen.sort_unstable();
    // Names and numbers always encode, unless they were larger than any message.
    let hash = Hash::of(&codec::encode(&seen).unwrap_or_default());
    let mut first = [0; 8];
    first.copy_from_slice(&hash.as_bytes()[..8]);
    // Nobody has no rows by chance.
    u64::from_le_bytes(first).max(1)
}

/// What the master knows of one minion's checks, or of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChecks {
    pub id: MinionId,
    /// It is the master itself, under the name that orchestrations give it.
    pub master: bool,
    pub presence: Presence,
    /// When the rows were confirmed last, in microseconds since 1970; `None` if it never told any.
    pub confirmed: Option<u64>,
    /// In order of their names. Of a host that is silent they are all UNKNOWN, and each output says
    /// what was known before.
    pub rows: Vec<CheckRow>,
}

/// Whether a host's rows still hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    Here,
    /// No word from it since then; `None`: it was never here.
    Silent {
        since: Option<u64>,
    },
}

/// An answer to [`Query::Checks`](crate::message::Query::Checks). A host that is named replaces what was said of it before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckPage {
    /// The master's clock, for ages.
    pub now: u64,
    pub hosts: Vec<HostChecks>,
    /// Minions that match no more (their keys are gone).
    pub gone: Vec<MinionId>,
    /// Everyone has been named: with this page, or before.
    pub complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: CheckStatus) -> CheckRow {
        CheckRow { name: name.into(), status, flapping: false, output: "o".into(), since: 1, at: 2, interval: 30 }
    }

    #[test]
    fn a_digest_tells_status_and_not_words() {
        let (a, b) = (row("a", CheckStatus::Ok), row("b", CheckStatus::Critical));
        let both = digest([&a, &b]);
        assert_eq!(both, digest([&b, &a]));
        assert_eq!(both, digest([&CheckRow { output: "93 %".into(), at: 9, ..a.clone() }, &b]));
        let others = [
            digest([&a]),
            digest([&row("a", CheckStatus::Warning), &b]),
            digest([&CheckRow { flapping: true, ..a.clone() }, &b]),
            digest([&row("a2", CheckStatus::Ok), &b]),
            digest([]),
        ];
        assert!(others.iter().all(|other| *other != both), "{others:?}");
        assert_eq!(digest([]), 0);
    }

    #[test]
    fn names_are_parts_of_tags() {
        assert!(CheckRow::is_name("disk /var") && CheckRow::is_name(&"x".repeat(128)));
        for bad in ["", "a\nb", &"x".repeat(129)] {
            assert!(!CheckRow::is_name(bad), "{bad:?}");
        }
    }
}
