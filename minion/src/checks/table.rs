//! What was last found of each check that runs on its interval, with damping. Pure: findings and
//! times in, rows to tell out.
//!
//! A change of status is told at once. A check that changes too often *flaps*, by the rule of
//! Nagios: of its last [`LOOKS`] looks each change counts, the newest half as much again as the
//! oldest (1.2 to 0.8), as a share of all changes that could have been. At [`RESTLESS`] it begins
//! to flap: that is told once, with the worst status of these looks. Below [`CALM`] it ends, which is
//! told with the status that it has then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proto::checks::{CheckRow, CheckStatus, LONGEST_OUTPUT, LONGEST_TABLE, MOST_ROWS};

use super::{Found, Status};

/// Looks that count: twenty changes between them.
const LOOKS: usize = 21;
/// Shares of changes, in percent.
const RESTLESS: f64 = 30.0;
const CALM: f64 = 15.0;
/// What a row takes beside its name and its output.
const ROW: usize = 48;
/// What an output is cut to where a whole table would be too large.
const BRIEF: [usize; 3] = [96, 32, 0];

impl From<Status> for CheckStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => Self::Ok,
            Status::Warning => Self::Warning,
            Status::Critical => Self::Critical,
            Status::Unknown => Self::Unknown,
        }
    }
}

/// All checks of a minion, by name.
#[derive(Debug, Default)]
pub struct Table(BTreeMap<String, Seen>);

#[derive(Debug)]
struct Seen {
    row: CheckRow,
    looks: VecDeque<CheckStatus>,
}

impl Table {
    /// Takes what was found at `now` (the master's clock). Gives the row if it is to be told.
    pub fn record(&mut self, name: &str, interval: u32, found: &Found, now: u64) -> Option<CheckRow> {
        let (status, output) = (found.status.into(), cut(&found.output, LONGEST_OUTPUT));
        let has_room = self.0.len() < MOST_ROWS && CheckRow::is_name(name);
        match self.0.get_mut(name) {
            Some(seen) => {
                seen.row.interval = interval;
                seen.record(status, output, now)
            }
            None if !has_room => None,
            None => {
                let row =
                    CheckRow { name: name.to_owned(), status, flapping: false, output, since: now, at: now, interval };
                self.0.insert(name.to_owned(), Seen { row: row.clone(), looks: [status].into() });
                Some(row)
            }
        }
    }

    /// Forgets the checks that are not among these. Whether there were any.
    pub fn keep(&mut self, names: &BTreeSet<String>) -> bool {
        let before = self.0.len();
        self.0.retain(|name, _| names.contains(name));
        self.0.len() != before
    }

    pub fn forget(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub fn digest(&self) -> u64 {
        proto::checks::digest(self.0.values().map(|seen| &seen.row))
    }

    /// Every row, as large as one message may be.
    pub fn rows(&self) -> Vec<CheckRow> {
        let mut rows: Vec<CheckRow> = self.0.values().map(|seen| seen.row.clone()).collect();
        let size = |rows: &[CheckRow]| rows.iter().map(|row| row.name.len() + row.output.len() + ROW).sum::<usize>();
        for most in BRIEF {
            if size(&rows) > LONGEST_TABLE {
                rows.iter_mut().for_each(|row| row.output = cut(&row.output, most));
            }
        }
        rows
    }
}

impl Seen {
    fn record(&mut self, status: CheckStatus, output: String, now: u64) -> Option<CheckRow> {
        self.looks.push_back(status);
        while self.looks.len() > LOOKS {
            self.looks.pop_front();
        }
        self.row.at = now;
        let share = share(&self.looks);
        let (begins, ends) = (!self.row.flapping && share >= RESTLESS, self.row.flapping && share < CALM);
        if self.row.flapping && !ends {
            return None;
        }
        if begins || ends {
            self.row.flapping = begins;
        } else if status == self.row.status {
            self.row.output = output;
            return None;
        }
        self.row.status = if begins { worst(&self.looks) } else { status };
        self.row.output = match begins {
            true => cut(&format!("changes too often; now {status}: {output}"), LONGEST_OUTPUT),
            false => output,
        };
        self.row.since = now;
        Some(self.row.clone())
    }
}

/// How much of what could have changed has, in percent.
fn share(looks: &VecDeque<CheckStatus>) -> f64 {
    let all = LOOKS - 1;
    // The looks that there have not been yet stand before the first.
    let missing = LOOKS - looks.len();
    let weight = |at: usize| 0.8 + 0.4 * (missing + at) as f64 / (all - 1) as f64;
    let changes = looks.iter().zip(looks.iter().skip(1)).enumerate().filter(|(_, (before, after))| before != after);
    changes.map(|(at, _)| weight(at)).sum::<f64>() * 100.0 / all as f64
}

fn worst(looks: &VecDeque<CheckStatus>) -> CheckStatus {
    let rank = |status: &CheckStatus| match status {
        CheckStatus::Ok => 0,
        CheckStatus::Unknown => 1,
        CheckStatus::Warning => 2,
        CheckStatus::Critical => 3,
    };
    looks.iter().copied().max_by_key(rank).unwrap_or(CheckStatus::Unknown)
}

fn cut(text: &str, most: usize) -> String {
    match text.len() <= most {
        true => text.to_owned(),
        false => format!("{}…", &text[..text.floor_char_boundary(most.saturating_sub('…'.len_utf8()))]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(table: &mut Table, statuses: &[Status]) -> Vec<Option<(CheckStatus, bool)>> {
        let look = |(at, status): (usize, &Status)| {
            let row = table.record("a", 30, &Found::new(*status, "o"), at as u64);
            row.map(|row| (row.status, row.flapping))
        };
        statuses.iter().enumerate().map(look).collect()
    }

    #[test]
    fn only_changes_are_told() {
        use Status::{Critical, Ok};
        let mut table = Table::default();
        let all = told(&mut table, &[Ok, Ok, Critical, Critical, Ok]);
        let wanted = [Some(CheckStatus::Ok), None, Some(CheckStatus::Critical), None, Some(CheckStatus::Ok)];
        assert_eq!(all, wanted.map(|status| status.map(|status| (status, false))));
        assert_eq!((table.rows()[0].since, table.rows()[0].at), (4, 4));
    }

    #[test]
    fn what_changes_too_often_is_told_once_and_again_when_it_is_calm() {
        let mut table = Table::default();
        let restless: Vec<Status> = (0..40).map(|at| if at % 2 == 0 { Status::Ok } else { Status::Warning }).collect();
        let all = told(&mut table, &restless);
        let begins = all.iter().position(|row| *row == Some((CheckStatus::Warning, true))).unwrap();
        assert!((4..8).contains(&begins), "{begins}");
        assert!(all[begins + 1..].iter().all(Option::is_none), "silence while it flaps");
        let before = table.digest();
        let calm = told(&mut table, &[Status::Ok; 21]);
        let ends: Vec<_> = calm.iter().flatten().collect();
        assert_eq!(ends, [&(CheckStatus::Ok, false)]);
        assert_ne!(table.digest(), before);
    }

    #[test]
    fn changes_weigh_more_the_newer_they_are() {
        let looks = |changed: usize| -> VecDeque<CheckStatus> {
            (0..LOOKS).map(|at| if at < changed { CheckStatus::Ok } else { CheckStatus::Critical }).collect()
        };
        assert_eq!(share(&looks(0)), 0.0);
        assert!((share(&looks(1)) - 4.0).abs() < 1e-9 && (share(&looks(LOOKS - 1)) - 6.0).abs() < 1e-9);
        let always = (0..LOOKS).map(|at| if at % 2 == 0 { CheckStatus::Ok } else { CheckStatus::Unknown }).collect();
        assert!((share(&always) - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_table_fits_into_a_message() {
        let mut table = Table::default();
        let long = Found::new(Status::Ok, "ä".repeat(1000));
        (0..400).for_each(|n| drop(table.record(&format!("check {n}"), 30, &long, 1)));
        assert!(table.record("a\nb", 30, &long, 1).is_none());
        let rows = table.rows();
        let size: usize = rows.iter().map(|row| row.name.len() + row.output.len() + ROW).sum();
        assert!(rows.len() == MOST_ROWS && size <= LONGEST_TABLE, "{} {size}", rows.len());
        assert!(table.keep(&["check 7".to_owned()].into()) && table.rows().len() == 1);
        assert!(!table.keep(&["check 7".to_owned()].into()));
    }
}
