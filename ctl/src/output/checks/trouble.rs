//! What is wrong, each trouble once: lines that fit a screen.

use indexmap::IndexMap;

use super::{
    super::table::cut,
    figures::{self, Ranges, Shape},
    report::{Report, SILENT},
    row::{Row, Status},
    screen::Room,
};
use crate::{
    term::{self, BOLD, DIM, paint},
    times,
};

/// The same trouble on some hosts.
pub struct Trouble<'a> {
    pub status: Status,
    pub name: &'a str,
    /// The first line of what was said, ranges for figures that differ.
    pub output: String,
    pub hosts: Vec<&'a str>,
    long: Option<&'a str>,
    /// Since when the first of them has it, where that is known.
    since: Option<u64>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key<'a> {
    status: Status,
    name: &'a str,
    output: Shape,
}

/// What is known of a trouble while others like it are looked for.
struct Found<'a> {
    ranges: Ranges,
    hosts: Vec<&'a str>,
    long: Option<&'a str>,
    since: Option<u64>,
}

/// Identical trouble once: the worst first, then what the most hosts have.
pub fn troubles(report: &Report) -> Vec<Trouble<'_>> {
    let mut groups: IndexMap<Key<'_>, Found<'_>> = IndexMap::new();
    for (host, row) in report.shown().filter(|(_, row)| row.status != Status::Ok) {
        let (output, ranges) = figures::split(row.output.lines().next().unwrap_or_default());
        let key = Key { status: row.status, name: &row.name, output };
        let long = row.long_output.as_deref();
        let new = || Found { ranges: ranges.clone(), hosts: Vec::new(), long, since: row.since };
        let found = groups.entry(key).or_insert_with(new);
        found.ranges.widen(ranges);
        found.since = found.since.zip(row.since).map(|(a, b)| a.min(b));
        found.hosts.push(host);
    }
    let mut troubles: Vec<Trouble<'_>> = groups.into_iter().map(|(key, found)| Trouble::of(key, found)).collect();
    troubles.sort_by_key(|trouble| (trouble.status, std::cmp::Reverse(trouble.hosts.len())));
    troubles
}

impl<'a> Trouble<'a> {
    fn of(key: Key<'a>, found: Found<'a>) -> Self {
        Self {
            status: key.status,
            name: key.name,
            output: key.output.filled(&found.ranges),
            hosts: found.hosts,
            long: found.long,
            since: found.since,
        }
    }

    /// `  disk  / 93 % full: web3, web7 and 4 more`, on two lines where one is too short. `now` is the
    /// time that ages are told by.
    pub fn lines(&self, room: Room, now: Option<u64>) -> Vec<String> {
        let name = cut(&term::clean(self.name), 24);
        let output = term::clean(&self.output);
        let age = match (now, self.since) {
            (Some(now), Some(since)) if self.name != SILENT => {
                format!(" ({})", times::show_length(now.saturating_sub(since)))
            }
            _ => String::new(),
        };
        let hosts = term::clean(&some(&self.hosts, if room.all { usize::MAX } else { 2 }));
        let hosts = |width| format!("{}{}", paint(self.status.style(), cut(&hosts, width)), paint(DIM, &age));
        let head = format!("  {}  ", paint(BOLD, &name));
        let free = room.width.saturating_sub(4 + name.chars().count());
        let wide = hosts(usize::MAX);
        let plain = anstream::adapter::strip_str(&wide).to_string().chars().count();
        let mut lines = match output.chars().count() + 2 + plain <= free {
            true => vec![format!("{head}{output}: {wide}")],
            false => vec![
                format!("{head}{}", cut(&output, free)),
                format!("      {}", hosts(room.width.saturating_sub(6 + age.chars().count()))),
            ],
        };
        if let (true, Some(more)) = (room.all, self.long) {
            lines.extend(term::clean(more).lines().map(|line| format!("      {line}")));
        }
        lines
    }
}

/// `web3, web7 and 4 more`
pub fn some(hosts: &[&str], named: usize) -> String {
    match hosts.len() {
        // One more name takes no more room than to count it.
        many if many > named.saturating_add(1) => format!("{} and {} more", hosts[..named].join(", "), many - named),
        _ => hosts.join(", "),
    }
}

/// Checks that are shown for being slow.
const SLOW: usize = 5;

/// The checks that took longest.
pub fn slowest(report: &Report) -> String {
    let mut rows: Vec<(&str, &Row)> = report.rows().filter(|(_, row)| row.duration > 0.0).collect();
    rows.sort_by(|a, b| b.1.duration.total_cmp(&a.1.duration));
    if rows.is_empty() {
        return String::new();
    }
    rows.iter().take(SLOW).fold(format!("{}\n", paint(BOLD, "slowest")), |text, (host, row)| {
        text + &format!("  {:>9.1} ms  {} on {}\n", row.duration, term::clean(&row.name), term::clean(host))
    })
}
