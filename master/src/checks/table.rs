//! What is known of every minion's checks, as values: messages in, changes out.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use proto::{
    MinionId,
    checks::{self, CheckRow, CheckStatus, LONGEST_OUTPUT, LONGEST_TABLE, MOST_ROWS},
    codec::{self, Limits},
};

/// What all tables together may hold, in bytes; beyond it, rows are kept without their words.
const ALL: usize = 128 << 20;

/// A row whose status is another one than before.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub row: CheckRow,
    /// `None` if nothing was known.
    pub before: Option<CheckStatus>,
}

/// What a heartbeat leads to.
#[derive(Debug, Default, PartialEq)]
pub struct Beat {
    /// The minion's table is another one: it is asked for all of it.
    pub ask: bool,
    /// It was silent, and its rows hold again.
    pub back: Vec<Change>,
}

/// One minion's rows, packed: ten thousand tables as structures would take four times the room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    rows: Bytes,
    digest: u64,
    /// How many have which status, by its number.
    counts: [u32; 4],
    /// When they were confirmed last, in microseconds since 1970.
    confirmed: u64,
    /// Nothing was heard of it since then.
    silent: Option<u64>,
}

impl Known {
    /// `None` where there are no rows.
    fn new(rows: &[CheckRow], confirmed: u64) -> Option<Self> {
        let mut counts = [0; 4];
        rows.iter().for_each(|row| counts[row.status as usize] += 1);
        let packed = codec::encode(&rows).ok().filter(|_| !rows.is_empty())?;
        Some(Self { rows: packed, digest: checks::digest(rows), counts, confirmed, silent: None })
    }

    /// What the store kept.
    pub fn restored(bytes: Bytes, confirmed: u64) -> Option<Self> {
        let rows: Vec<CheckRow> = codec::decode(&bytes, Limits::SMALL).ok()?;
        Self::new(&rows, confirmed)
    }

    fn rows(&self) -> Vec<CheckRow> {
        codec::decode(&self.rows, Limits::SMALL).unwrap_or_default()
    }
}

/// A minion's rows as the store keeps them: when they were confirmed, and their bytes; `None`: no
/// more of them.
pub type Kept = (MinionId, Option<(u64, Bytes)>);

#[derive(Debug, Default)]
pub struct Table {
    hosts: HashMap<MinionId, Known>,
    bytes: usize,
    /// What is to be written down.
    dirty: HashSet<MinionId>,
}

impl Table {
    pub fn restored(known: impl IntoIterator<Item = (MinionId, Known)>) -> Self {
        let mut table = Self::default();
        known.into_iter().for_each(|(id, known)| table.put(id, Some(known)));
        table
    }

    fn put(&mut self, id: MinionId, known: Option<Known>) {
        self.bytes += known.as_ref().map_or(0, |known| known.rows.len());
        let before = match known {
            Some(known) => self.hosts.insert(id, known),
            None => self.hosts.remove(&id),
        };
        self.bytes -= before.map_or(0, |known| known.rows.len());
    }

    /// A minion told rows: all that it has, or those that changed.
    ///
    /// # Errors
    /// They are more than a minion may tell, or malformed.
    pub fn told(
        &mut self,
        id: &MinionId,
        all: bool,
        rows: Vec<CheckRow>,
        now: u64,
    ) -> Result<Vec<Change>, &'static str> {
        let before = self.hosts.get(id).map(Known::rows).unwrap_or_default();
        let was_silent = self.hosts.get(id).is_some_and(|known| known.silent.is_some());
        let mut after = if all { Vec::new() } else { before.clone() };
        for row in rows.into_iter().map(printable) {
            match after.iter_mut().find(|known| known.name == row.name) {
                Some(known) => *known = row,
                None => after.push(row),
            }
        }
        bounded(&after)?;
        after.sort_by(|a, b| a.name.cmp(&b.name));
        if self.bytes > ALL {
            after.iter_mut().for_each(|row| row.output.clear());
        }
        let changes = changes(&before, &after, was_silent);
        self.put(id.clone(), Known::new(&after, now));
        self.dirty.insert(id.clone());
        Ok(changes)
    }

    /// A heartbeat with the digest of the minion's own table.
    pub fn beat(&mut self, id: &MinionId, digest: u64, now: u64) -> Beat {
        let Some(known) = self.hosts.get_mut(id) else { return Beat { ask: digest != 0, back: Vec::new() } };
        if known.digest != digest {
            return Beat { ask: true, back: Vec::new() };
        }
        known.confirmed = now;
        let back = match known.silent.take() {
            Some(_) => changes(&[], &known.rows(), true),
            None => Vec::new(),
        };
        Beat { ask: false, back }
    }

    /// Nothing was heard of a minion since then: its rows do not hold any more.
    pub fn silence(&mut self, id: &MinionId, since: u64) -> Vec<Change> {
        let Some(known) = self.hosts.get_mut(id).filter(|known| known.silent.is_none()) else { return Vec::new() };
        known.silent = Some(since);
        let rows = known.rows().into_iter().filter(|row| row.status != CheckStatus::Unknown);
        rows.map(|row| Change { before: Some(row.status), row: unknown(row, since) }).collect()
    }

    pub fn forget(&mut self, id: &MinionId) -> bool {
        let known = self.hosts.contains_key(id);
        self.put(id.clone(), None);
        self.dirty.insert(id.clone());
        known
    }

    /// When a minion's rows were confirmed, and what they are now.
    pub fn of(&self, id: &MinionId) -> Option<(u64, Vec<CheckRow>)> {
        let known = self.hosts.get(id)?;
        let rows = match known.silent {
            Some(since) => known.rows().into_iter().map(|row| unknown(row, since)).collect(),
            None => known.rows(),
        };
        Some((known.confirmed, rows))
    }

    /// How many checks have which status, by its number.
    pub fn counts(&self) -> [u64; 4] {
        let mut all = [0_u64; 4];
        for known in self.hosts.values() {
            match known.silent {
                Some(_) => {
                    all[CheckStatus::Unknown as usize] += known.counts.iter().map(|&n| u64::from(n)).sum::<u64>()
                }
                None => all.iter_mut().zip(known.counts).for_each(|(all, n)| *all += u64::from(n)),
            }
        }
        all
    }

    /// Those with a check that is not well, in no order.
    pub fn unwell(&self) -> impl Iterator<Item = &MinionId> {
        let unwell = |known: &Known| known.silent.is_some() || known.counts[1..].iter().any(|&count| count > 0);
        self.hosts.iter().filter(move |(_, known)| unwell(known)).map(|(id, _)| id)
    }

    /// What has changed since this was asked last, at most `most` minions of it.
    pub fn take_dirty(&mut self, most: usize) -> Vec<Kept> {
        let ids: Vec<MinionId> = self.dirty.iter().take(most).cloned().collect();
        let kept = |id: MinionId| {
            self.dirty.remove(&id);
            let known = self.hosts.get(&id).map(|known| (known.confirmed, known.rows.clone()));
            (id, known)
        };
        ids.into_iter().map(kept).collect()
    }
}

fn bounded(rows: &[CheckRow]) -> Result<(), &'static str> {
    let bytes: usize = rows.iter().map(|row| row.name.len() + row.output.len()).sum();
    if rows.len() > MOST_ROWS {
        return Err("it has more checks than a minion may have");
    }
    if bytes > LONGEST_TABLE || rows.iter().any(|row| row.output.len() > LONGEST_OUTPUT) {
        return Err("its checks say more than they may");
    }
    match rows.iter().all(|row| CheckRow::is_name(&row.name)) {
        true => Ok(()),
        false => Err("a check has a name that cannot be one"),
    }
}

/// One line, which no terminal takes for an order.
fn printable(mut row: CheckRow) -> CheckRow {
    if row.output.contains(char::is_control) {
        row.output = row.output.replace(char::is_control, " ");
    }
    row
}

/// Rows whose status or flapping is new. Of a minion of which nothing was known, those that are well
/// are no news.
fn changes(before: &[CheckRow], after: &[CheckRow], was_silent: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    for row in after {
        let known = before.iter().find(|known| known.name == row.name);
        let was = if was_silent { Some(CheckStatus::Unknown) } else { known.map(|known| known.status) };
        let flapped = known.is_some_and(|known| known.flapping != row.flapping);
        let news = match was {
            Some(was) => was != row.status || flapped,
            None => row.status != CheckStatus::Ok || !before.is_empty(),
        };
        if news {
            changes.push(Change { row: row.clone(), before: was });
        }
    }
    changes
}

/// What a row says once its minion is silent.
fn unknown(row: CheckRow, since: u64) -> CheckRow {
    let time = crate::events::stamp(since);
    let (day, hour) = time.split_once('T').unwrap_or((&time, ""));
    let mut output =
        format!("no word since {day} {} UTC; it was {}: {}", &hour[..hour.len().min(8)], row.status, row.output);
    let cut = (0..=LONGEST_OUTPUT.min(output.len())).rev().find(|&at| output.is_char_boundary(at));
    output.truncate(cut.unwrap_or(0));
    CheckRow { status: CheckStatus::Unknown, flapping: false, output, since, ..row }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: CheckStatus) -> CheckRow {
        CheckRow { name: name.into(), status, flapping: false, output: "said".into(), since: 1, at: 2, interval: 30 }
    }

    fn id() -> MinionId {
        "web1".parse().unwrap()
    }

    fn brief(changes: &[Change]) -> Vec<(&str, Option<CheckStatus>, CheckStatus)> {
        changes.iter().map(|change| (change.row.name.as_str(), change.before, change.row.status)).collect()
    }

    #[test]
    fn changes_are_told_once_and_a_first_table_tells_only_trouble() {
        use CheckStatus::{Critical, Ok, Warning};
        let mut table = Table::default();
        let first = table.told(&id(), true, vec![row("disk", Critical), row("load", Ok)], 10).unwrap();
        assert_eq!(brief(&first), [("disk", None, Critical)]);
        let changed = table.told(&id(), false, vec![row("load", Warning)], 11).unwrap();
        assert_eq!(brief(&changed), [("load", Some(Ok), Warning)]);
        assert!(table.told(&id(), false, vec![row("load", Warning)], 12).unwrap().is_empty());
        let flaps = CheckRow { flapping: true, ..row("load", Warning) };
        assert_eq!(brief(&table.told(&id(), false, vec![flaps], 13).unwrap()), [("load", Some(Warning), Warning)]);
        assert_eq!(table.counts(), [0, 1, 1, 0]);
        let all = table.told(&id(), true, vec![row("disk", Ok)], 14).unwrap();
        assert_eq!(brief(&all), [("disk", Some(Critical), Ok)]);
        assert_eq!(table.of(&id()).unwrap().1.len(), 1, "what is not in a whole table is gone");
    }

    #[test]
    fn a_heartbeat_confirms_or_asks() {
        let mut table = Table::default();
        assert_eq!(table.beat(&id(), 0, 1), Beat::default());
        assert!(table.beat(&id(), 7, 1).ask);
        let rows = vec![row("disk", CheckStatus::Ok)];
        let digest = checks::digest(&rows);
        table.told(&id(), true, rows, 10).unwrap();
        assert_eq!(table.beat(&id(), digest, 25), Beat::default());
        assert_eq!(table.of(&id()).unwrap().0, 25);
        assert!(table.beat(&id(), digest + 1, 30).ask && table.beat(&id(), 0, 31).ask);
        assert_eq!(table.of(&id()).unwrap().0, 25, "what is not confirmed keeps its age");
    }

    #[test]
    fn silence_makes_all_unknown_until_the_next_word() {
        use CheckStatus::{Critical, Ok, Unknown};
        let mut table = Table::default();
        let rows = vec![row("disk", Critical), row("load", Ok)];
        let digest = checks::digest(&rows);
        table.told(&id(), true, rows, 10).unwrap();
        let gone = table.silence(&id(), 1_795_260_474_000_042);
        assert_eq!(brief(&gone), [("disk", Some(Critical), Unknown), ("load", Some(Ok), Unknown)]);
        assert_eq!(gone[0].row.output, "no word since 2026-11-21 11:27:54 UTC; it was critical: said");
        assert!(table.silence(&id(), 20).is_empty(), "said once");
        assert_eq!(table.counts(), [0, 0, 0, 2]);
        assert_eq!(table.unwell().count(), 1);
        let beat = table.beat(&id(), digest, 60);
        assert_eq!(brief(&beat.back), [("disk", Some(Unknown), Critical), ("load", Some(Unknown), Ok)]);
        assert_eq!(table.of(&id()).unwrap().1[0].output, "said");
    }

    #[test]
    fn what_is_too_much_or_malformed_is_refused_whole() {
        let mut table = Table::default();
        let many = (0..300).map(|n| row(&format!("c{n}"), CheckStatus::Ok)).collect();
        assert!(table.told(&id(), true, many, 1).is_err());
        let long = CheckRow { output: "x".repeat(600), ..row("a", CheckStatus::Ok) };
        assert!(table.told(&id(), true, vec![long], 1).is_err());
        assert!(table.told(&id(), true, vec![row("a\u{1b}[2J", CheckStatus::Ok)], 1).is_err());
        let (mut table, odd) =
            (Table::default(), CheckRow { output: "a\u{1b}[2Jb\n".into(), ..row("a", CheckStatus::Critical) });
        assert_eq!(table.told(&id(), true, vec![odd], 1).unwrap()[0].row.output, "a [2Jb ");
    }

    #[test]
    fn what_is_written_down_comes_back() {
        let mut table = Table::default();
        table.told(&id(), true, vec![row("disk", CheckStatus::Critical)], 10).unwrap();
        let kept = table.take_dirty(10);
        assert!(table.take_dirty(10).is_empty());
        let (id, Some((at, bytes))) = kept[0].clone() else { panic!("nothing kept") };
        let again = Table::restored([(id.clone(), Known::restored(bytes, at).unwrap())]);
        assert_eq!(again.of(&id), table.of(&id));
        table.forget(&id);
        assert_eq!((table.take_dirty(10), table.bytes), (vec![(id, None)], 0));
    }
}
