//! Health checks of many hosts on one screen: totals, identical trouble once, who did not answer; and
//! the same for monitoring systems.

mod figures;
mod formats;
mod trouble;

use std::{collections::BTreeSet, fmt::Write as _};

use proto::{
    Value,
    checks::{CheckRow, CheckStatus, HostChecks, Presence},
};
use serde_json::json;

pub use self::formats::{changed_lines, lines, nagios, object, prometheus, txt};
use self::trouble::{slowest, troubles};
use super::highstate::plural;
use crate::{
    term::{BAD, DIM, GOOD, VALUE, paint},
    times,
};

/// The monitoring plugins' four. The worst one first: what is known to be bad counts before what is
/// not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Critical,
    Warning,
    Unknown,
    Ok,
}

impl Status {
    const ALL: [Status; 4] = [Self::Critical, Self::Warning, Self::Unknown, Self::Ok];

    fn parse(text: &str) -> Self {
        Self::ALL.into_iter().find(|status| status.word() == text).unwrap_or(Self::Unknown)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Critical => "CRITICAL",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Ok => "OK",
        }
    }

    /// The exit code of the monitoring plugins' guidelines.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    /// As it travels.
    fn known(status: CheckStatus) -> Self {
        match status {
            CheckStatus::Ok => Self::Ok,
            CheckStatus::Warning => Self::Warning,
            CheckStatus::Critical => Self::Critical,
            CheckStatus::Unknown => Self::Unknown,
        }
    }

    fn style(self) -> anstyle::Style {
        match self {
            Self::Critical => BAD,
            Self::Warning | Self::Unknown => VALUE,
            Self::Ok => GOOD,
        }
    }
}

/// What one check said, as `check.run` returns it.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub name: String,
    pub status: Status,
    pub output: String,
    /// Milliseconds.
    pub duration: f64,
    /// Since when it has this status, where the master keeps an eye on it.
    since: Option<u64>,
    /// As it came, for programs.
    whole: Value,
}

/// A host and what its checks say.
#[derive(Debug)]
struct Host {
    name: String,
    rows: Vec<Row>,
    /// It is the master, which looks after itself.
    master: bool,
    /// Why nothing is known of it now; its rows tell what was known before.
    silent: Option<Row>,
    /// When its rows held for the last time.
    confirmed: Option<u64>,
}

/// The checks of all hosts, by name of the host.
#[derive(Debug, Default)]
pub struct Report {
    hosts: Vec<Host>,
    /// How long it took in all, in seconds.
    pub seconds: f64,
    /// They were not looked at now: it is what the master knows, at this time of its clock.
    known: Option<u64>,
}

/// The name of what a host says that has no checks to tell of.
const SILENT: &str = "no answer";

impl Report {
    /// Of what the master knows at this time of its clock.
    pub fn at(now: u64) -> Self {
        Self { known: Some(now), ..Self::default() }
    }

    /// Takes in what a host returned.
    pub fn add(&mut self, host: &str, value: Value) {
        let rows = match value {
            Value::Array(rows) if rows.iter().all(Value::is_object) => rows.into_iter().map(row).collect(),
            other => {
                let why = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
                vec![unknown("check.run", &why)]
            }
        };
        self.push(host, rows);
    }

    /// A host that gave no answer, and why.
    pub fn silent(&mut self, host: &str, why: &str) {
        self.push(host, vec![unknown(SILENT, why)]);
    }

    fn push(&mut self, host: &str, rows: Vec<Row>) {
        self.hosts.push(Host { name: host.to_owned(), rows, master: false, silent: None, confirmed: None });
    }

    /// Takes in what the master knows of a host; only of checks that are wanted.
    pub fn add_known(&mut self, host: &HostChecks, wanted: impl Fn(&str) -> bool) {
        let mut rows: Vec<Row> = host.rows.iter().filter(|row| wanted(&row.name)).map(known).collect();
        let silent = match host.presence {
            Presence::Here => None,
            Presence::Silent { since: None } => Some(unknown(SILENT, "never seen")),
            Presence::Silent { since: Some(since) } => {
                Some(unknown(SILENT, &format!("silent since {}", times::show(since, &times::now()))))
            }
        };
        if rows.is_empty() && host.rows.is_empty() && !host.master {
            rows = vec![silent.clone().unwrap_or_else(|| unknown(SILENT, "it has told of no checks yet"))];
        }
        let name = host.id.to_string();
        self.hosts.push(Host { name, rows, master: host.master, silent, confirmed: host.confirmed });
    }

    pub fn sort(&mut self) {
        self.hosts.sort_by(|a, b| (a.master, &a.name).cmp(&(b.master, &b.name)));
    }

    /// Whether there is no host but the master.
    pub fn is_empty(&self) -> bool {
        self.hosts.iter().all(|host| host.master)
    }

    /// Whether nobody has any of the checks that are wanted.
    pub fn has_no_rows(&self) -> bool {
        self.rows().all(|(_, row)| row.name == SILENT)
    }

    /// Whether it says the same as another, whatever the time.
    pub fn is_like(&self, other: &Self) -> bool {
        self.rows().eq(other.rows())
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.hosts.iter().flat_map(|host| host.rows.iter().map(move |row| (host.name.as_str(), row)))
    }

    /// What people are told of: of a silent host only that.
    fn shown(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.hosts.iter().flat_map(|host| {
            let rows = match (&host.silent, host.rows.is_empty()) {
                (Some(silent), false) => std::slice::from_ref(silent),
                _ => host.rows.as_slice(),
            };
            rows.iter().map(move |row| (host.name.as_str(), row))
        })
    }

    pub fn worst(&self) -> Status {
        let of_rows = self.rows().map(|(_, row)| row.status).min();
        of_rows.unwrap_or(if self.is_empty() { Status::Unknown } else { Status::Ok })
    }

    fn count(&self, status: Status) -> usize {
        self.rows().filter(|(_, row)| row.status == status).count()
    }

    /// `2 critical, 5 warning, 1658 ok`
    fn totals(&self) -> String {
        let parts: Vec<String> = Status::ALL
            .into_iter()
            .map(|status| (self.count(status), status.word().to_lowercase()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| format!("{count} {word}"))
            .collect();
        parts.join(", ")
    }

    /// `129 hosts and the master, 1683 checks in 0.2 s`
    fn account(&self) -> String {
        let (masters, hosts): (Vec<&Host>, Vec<&Host>) = self.hosts.iter().partition(|host| host.master);
        let checks = self.rows().filter(|(_, row)| row.name != SILENT).count();
        let who = match (hosts.len(), masters.len()) {
            (0, 1..) => "the master".to_owned(),
            (some, 0) => plural(some, "host"),
            (some, _) => format!("{} and the master", plural(some, "host")),
        };
        let oldest = || self.hosts.iter().filter(|host| host.silent.is_none()).filter_map(|host| host.confirmed).min();
        let when = match self.known {
            None => format!(" in {:.1} s", self.seconds),
            Some(now) => oldest().map_or(String::new(), |then| {
                format!(", not older than {}", times::show_length(now.saturating_sub(then).max(1_000_000)))
            }),
        };
        format!("{who}, {}{when}", plural(checks, "check"))
    }

    /// What is new since another report, a line each check: `web3 disk: CRITICAL / 93 % full (was OK)`.
    pub fn news(&self, before: &Self) -> String {
        let old: std::collections::HashMap<(&str, &str), Status> =
            before.shown().map(|(host, row)| ((host, row.name.as_str()), row.status)).collect();
        let lost: BTreeSet<&str> =
            before.hosts.iter().filter(|host| host.silent.is_some()).map(|host| host.name.as_str()).collect();
        let back = self.hosts.iter().filter(|host| host.silent.is_none() && lost.contains(host.name.as_str()));
        let mut text: String = back.map(|host| format!("{}: is heard again\n", host.name)).collect();
        for (host, row) in self.shown() {
            let was = old.get(&(host, row.name.as_str())).copied();
            if was == Some(row.status) || (was.is_none() && row.status == Status::Ok) {
                continue;
            }
            let was = was.map_or(String::new(), |was| format!(" (was {})", was.word()));
            let line = format!("{host} {}: {} {}{was}", row.name, row.status.word(), row.output.replace('\n', " "));
            text += &(paint(row.status.style(), crate::term::clean(&line)) + "\n");
        }
        let here: BTreeSet<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let gone = before.hosts.iter().filter(|host| !here.contains(host.name.as_str()));
        gone.fold(text, |text, host| text + &format!("{}: is no minion of this master any more\n", host.name))
    }
}

fn row(value: Value) -> Row {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Row {
        name: text("name"),
        status: Status::parse(&text("status")),
        output: text("output"),
        duration: value.get("duration").and_then(Value::as_f64).unwrap_or(0.0),
        since: None,
        whole: value,
    }
}

fn unknown(name: &str, why: &str) -> Row {
    row(json!({"name": name, "status": "UNKNOWN", "output": why, "perfdata": [], "duration": 0.0}))
}

/// A row that the master keeps.
fn known(kept: &CheckRow) -> Row {
    let status = Status::known(kept.status);
    let whole = json!({
        "name": kept.name, "status": status.word(), "output": kept.output, "flapping": kept.flapping,
        "since": times::json(kept.since), "checked": times::json(kept.at), "interval": kept.interval,
    });
    let flaps = if kept.flapping { " (its status changes all the time)" } else { "" };
    let output = format!("{}{flaps}", kept.output);
    Row { name: kept.name.clone(), status, output, duration: 0.0, since: Some(kept.since), whole }
}

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
    let worst = report.worst();
    let (what, totals) = (report.account() + ":", report.totals());
    let fits = worst.word().len() + 3 + what.chars().count() + totals.len() <= room.width;
    let between = if fits { " " } else { "\n  " };
    let mut text = format!("{}  {what}{between}{totals}\n", paint(worst.style().bold(), worst.word()));
    let troubles = troubles(report);
    let limit = room.rows.filter(|_| !room.all).map_or(usize::MAX, |rows| rows.saturating_sub(5).max(4));
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
        let _ = writeln!(text, "{}", paint(DIM, left(&troubles[shown..])));
    }
    if room.all {
        text += &slowest(report);
    }
    text
}

/// `… and 12 more troubles on 40 hosts (-v shows all)`
fn left(troubles: &[trouble::Trouble<'_>]) -> String {
    let hosts: BTreeSet<&str> = troubles.iter().flat_map(|trouble| trouble.hosts.iter().copied()).collect();
    let hosts = plural(hosts.len(), "host");
    format!("… and {} on {hosts} (-v shows all)", plural(troubles.len(), "more trouble"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, status: &str, output: &str) -> Value {
        json!({"name": name, "status": status, "output": output, "duration": name.len(), "perfdata": [
            {"label": "/", "value": 93.0, "uom": "%", "warn": "80", "crit": "90", "min": 0.0, "max": 100.0}]})
    }

    fn report() -> Report {
        let mut report = Report { seconds: 0.24, ..Report::default() };
        for n in 1..=129 {
            let host = format!("web{n}");
            let disk = match n {
                3 | 7 | 20..=23 => check("disk /", "CRITICAL", "93 % full"),
                9 => check("disk /", "WARNING", "85 % full"),
                _ => check("disk /", "OK", "41 % full"),
            };
            let long = "unit backup-of-all-the-customers-databases.service failed, and so did its timer, 3 h ago";
            let systemd = match n {
                5 | 6 => check("systemd", "CRITICAL", long),
                _ => check("systemd", "OK", "no failed units"),
            };
            report.add(&host, json!([disk, systemd, check("clock", "OK", "0.1 ms off")]));
        }
        report.silent("db1", "offline since 10:41");
        report.silent("db2", "offline since 10:41");
        report.add("odd", json!("check.run is not available"));
        report.sort();
        report
    }

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    #[test]
    fn one_screen_shows_what_is_wrong() {
        let shown = |width, rows, all| plain(&screen(&report(), Room { width, rows, all }));
        let small = shown(80, Some(24), false);
        assert!(small.lines().count() < 24 && small.lines().all(|line| line.chars().count() <= 80), "{small}");
        insta::assert_snapshot!("80×24", small);
        insta::assert_snapshot!("wide", shown(160, Some(50), false));
        insta::assert_snapshot!("all of it", shown(100, None, true));
        assert_eq!(report().worst(), Status::Critical);
    }

    #[test]
    fn much_trouble_fits_all_the_same() {
        let mut report = Report::default();
        let down = |n: usize| check("web", "CRITICAL", &format!("port {n} refuses"));
        (0..500).for_each(|n| report.add(&format!("h{n}"), json!([down(n)])));
        let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
        assert!(text.lines().count() < 24 && text.contains("more troubles on 482 hosts"), "{text}");
        let mut report = Report::default();
        let busy = |n: usize| check("load", "WARNING", &format!("load average {n}.1 (warning at 4.0)"));
        (5..500).for_each(|n| report.add(&format!("h{n}"), json!([busy(n)])));
        let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
        assert!(text.contains("load average 5.1 to 499.1 (warning at 4.0): h5, h6 and 493 more"), "{text}");
    }

    const NOW: u64 = 1_795_260_474_000_000;

    fn kept(name: &str, status: CheckStatus, output: &str, minutes: u64) -> CheckRow {
        let since = NOW - minutes * 60_000_000;
        CheckRow { name: name.into(), status, flapping: false, output: output.into(), since, at: NOW, interval: 60 }
    }

    fn picture() -> Report {
        let mut report = Report::at(NOW);
        let mut add = |id: &str, presence, confirmed: Option<u64>, rows: Vec<CheckRow>| {
            let confirmed = confirmed.map(|seconds| NOW - seconds * 1_000_000);
            let id = id.parse().unwrap();
            report.add_known(&HostChecks { id, master: false, presence, confirmed, rows }, |_| true);
        };
        for n in 1..=20 {
            let disk = match n {
                3 | 7 => kept("disk", CheckStatus::Critical, &format!("/ {} % full", 90 + n), 130 * n),
                _ => kept("disk", CheckStatus::Ok, "/ 41 % full", 5000),
            };
            let load = CheckRow { flapping: n == 9, ..kept("load", CheckStatus::Warning, "load average 9.10", 3) };
            let load = if n == 9 { load } else { kept("load", CheckStatus::Ok, "load average 0.10", 3) };
            add(&format!("web{n}"), Presence::Here, Some(n), vec![disk, load]);
        }
        let lost = |name| kept(name, CheckStatus::Unknown, "no word since 10:41; it was OK", 10);
        add("db1", Presence::Silent { since: None }, Some(600), vec![lost("disk"), lost("load")]);
        add("db2", Presence::Silent { since: None }, None, Vec::new());
        add("new1", Presence::Here, None, Vec::new());
        let own = vec![kept("store", CheckStatus::Warning, "no room for 3 days more", 50)];
        let id = "vm_master".parse().unwrap();
        let master = HostChecks { id, master: true, presence: Presence::Here, confirmed: Some(NOW), rows: own };
        report.add_known(&master, |_| true);
        report.sort();
        report
    }

    #[test]
    fn what_the_master_knows_is_shown_with_ages() {
        let shown = |width, rows| plain(&screen(&picture(), Room { width, rows, all: false }));
        let small = shown(80, Some(24));
        assert!(small.lines().count() < 24 && small.lines().all(|line| line.chars().count() <= 80), "{small}");
        insta::assert_snapshot!("known, 80×24", small);
        insta::assert_snapshot!("known, wide", shown(160, Some(50)));
        let object = object(&picture());
        assert_eq!(object["web7"][0]["since"], "2026-11-20T20:17:54.000000Z");
        assert_eq!(object["db1"].as_array().unwrap().len(), 2, "programs get what was known before");
        assert!(prometheus(&picture()).contains("overstate_check_age_seconds{minion=\"web7\"} 7\n"));
    }

    #[test]
    fn news_are_what_has_changed() {
        let (mut before, mut after) = (picture(), picture());
        let web = after.hosts.iter_mut().find(|host| host.name == "web3").unwrap();
        web.rows[0] = known(&kept("disk", CheckStatus::Ok, "/ 40 % full", 0));
        after.hosts.retain(|host| host.name != "new1");
        let text = plain(&after.news(&before));
        assert_eq!(text, "web3 disk: OK / 40 % full (was CRITICAL)\nnew1: is no minion of this master any more\n");
        assert_eq!(after.news(&after), "");
        let back = before.hosts.iter_mut().find(|host| host.name == "db1").unwrap();
        let lost = back.silent.take().unwrap();
        back.rows.iter_mut().for_each(|row| row.status = Status::Ok);
        assert_eq!(plain(&before.news(&picture())), "db1: is heard again\n");
        before.hosts.iter_mut().find(|host| host.name == "db1").unwrap().silent = Some(lost);
        assert_eq!(plain(&before.news(&picture())), "", "of a host that is silent its old rows are no news");
    }

    #[test]
    fn all_well_is_one_line() {
        let mut report = Report { seconds: 0.1, ..Report::default() };
        report.add("web1", json!([check("load", "OK", "0.1")]));
        let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
        assert_eq!(text, "OK  1 host, 1 check in 0.1 s: 1 ok\n");
        assert_eq!(report.worst().code(), 0);
        assert_eq!(Report::default().worst(), Status::Unknown);
    }

    #[test]
    fn monitoring_systems_can_read_it() {
        let mut report = Report::default();
        report.add("local", json!([check("disk /", "CRITICAL", "93 % full | really"), check("load", "OK", "0.1")]));
        insta::assert_snapshot!("as a plugin", nagios(&report));
        insta::assert_snapshot!("for Prometheus", prometheus(&report));
        assert_eq!(txt(&report), "local: CRITICAL disk /: 93 % full | really\nlocal: OK load: 0.1\n");
        assert_eq!(object(&report)["local"][0]["status"], "CRITICAL");
    }
}
