//! What is wrong with the hosts, on one screen.

use std::{collections::BTreeSet, fmt::Write as _};

use super::{
    report::Report,
    row::Status,
    trouble::{Trouble, slowest, troubles},
};
use crate::{
    output::highstate::plural,
    term::{DIM, paint},
};

/// How much room there is, and whether bounds matter.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub width: usize,
    /// `None`: as many lines as there are.
    pub rows: Option<usize>,
    /// Everything, and which checks were slow.
    pub all: bool,
}

/// The screen.
pub fn screen(report: &Report, room: Room) -> String {
    let mut text = head(report, room.width);
    let troubles = troubles(report);
    // What is left has a line, the prompt another.
    let taken = text.lines().count() + 3;
    let limit = room.rows.filter(|_| !room.all).map_or(usize::MAX, |rows| rows.saturating_sub(taken).max(4));
    let (mut used, mut shown, mut last) = (0, 0, Status::Ok);
    for trouble in &troubles {
        let lines = trouble.lines(room, report.known);
        let head = usize::from(trouble.status != last);
        if used + head + lines.len() > limit {
            break;
        }
        if head > 0 {
            let _ = writeln!(text, "{}", paint(trouble.status.style().bold(), trouble.status.word()));
        }
        for line in &lines {
            let _ = writeln!(text, "{line}");
        }
        (used, shown, last) = (used + head + lines.len(), shown + 1, trouble.status);
    }
    if shown < troubles.len() {
        let _ = writeln!(text, "{}", paint(DIM, left(&troubles[shown..], room.width)));
    }
    if room.all {
        text += &slowest(report);
    }
    text
}

/// `CRITICAL  129 hosts, 1677 checks in 0.2 s: 2 critical, 1675 ok`, on as many lines as it takes.
fn head(report: &Report, width: usize) -> String {
    let worst = report.worst();
    let (what, totals) = (report.account() + ":", report.totals());
    let first = worst.word().len() + 2;
    let mut lines = match first + what.chars().count() + 1 + totals.chars().count() <= width {
        true => vec![format!("{what} {totals}")],
        false => [wrapped(&what, first, width), wrapped(&totals, 2, width)].concat(),
    };
    lines[0].insert_str(0, &format!("{}  ", paint(worst.style().bold(), worst.word())));
    lines.join("\n  ") + "\n"
}

/// A text on lines that fit when `used` columns of the first, and two of the others, are taken.
fn wrapped(text: &str, used: usize, width: usize) -> Vec<String> {
    let (mut lines, mut used) = (vec![String::new()], used);
    for word in text.split(' ') {
        let (length, begun) = (word.chars().count(), usize::from(lines.last().is_some_and(|line| !line.is_empty())));
        if begun > 0 && used + begun + length > width {
            lines.push(word.to_owned());
            used = 2 + length;
        } else if let Some(line) = lines.last_mut() {
            *line += &" "[..begun];
            *line += word;
            used += begun + length;
        }
    }
    lines
}

/// `… and 12 more troubles on 40 hosts (-v shows all)`
fn left(troubles: &[Trouble<'_>], width: usize) -> String {
    let hosts: BTreeSet<&str> = troubles.iter().flat_map(|trouble| trouble.hosts.iter().copied()).collect();
    let hosts = plural(hosts.len(), "host");
    let text = format!("… and {} on {hosts}", plural(troubles.len(), "more trouble"));
    let hint = " (-v shows all)";
    if text.chars().count() + hint.len() <= width { text + hint } else { text }
}
