//! The checks of all hosts: what is counted, what is shown, what is new.

use std::collections::{BTreeSet, HashMap};

use proto::{
    PackedValue, Value,
    checks::{HostChecks, Presence},
};

use super::row::{Row, Status, known, unknown, whole_known, whole_unknown};
use crate::{
    output::highstate::plural,
    term::{self, paint},
    times,
};

/// A host and what its checks say.
#[derive(Debug)]
pub struct Host {
    pub name: String,
    pub rows: Vec<Row>,
    whole: Whole,
    /// It is the master, which looks after itself.
    master: bool,
    /// Why nothing is known of it now; its rows tell what was known before.
    pub silent: Option<Row>,
    /// When its rows held for the last time.
    pub confirmed: Option<u64>,
}

/// All that is known of each row, for programs.
#[derive(Debug)]
enum Whole {
    /// As the host returned it: opened only where somebody wants more of it than its rows.
    Returned(PackedValue),
    Known(Vec<Value>),
}

impl Host {
    /// All that is known of each row, in their order.
    pub fn whole(&self) -> Vec<Value> {
        match &self.whole {
            Whole::Returned(value) => value.read().unwrap_or_default(),
            Whole::Known(rows) => rows.clone(),
        }
    }
}

/// The checks of all hosts, by name of the host.
#[derive(Debug, Default)]
pub struct Report {
    pub(super) hosts: Vec<Host>,
    /// How long it took in all, in seconds.
    pub seconds: f64,
    /// They were not looked at now: it is what the master knows, at this time of its clock.
    pub(super) known: Option<u64>,
    /// The master tells of every change at once, so that what is known holds now.
    pub(super) live: bool,
}

/// The name of what a host says that has no checks to tell of.
pub const SILENT: &str = "no answer";

impl Report {
    /// Of what the master knows at this time of its clock.
    pub fn at(now: u64) -> Self {
        Self { known: Some(now), ..Self::default() }
    }

    /// The same, kept current by the master.
    pub fn live(self, live: bool) -> Self {
        Self { live, ..self }
    }

    /// Takes in what a host returned.
    pub fn add(&mut self, host: &str, value: PackedValue) {
        match value.read() {
            Ok(rows) => self.push(host, rows, Whole::Returned(value)),
            Err(_) => self.push_unknown(host, "check.run", &reason(&value)),
        }
    }

    /// A host that gave no answer, and why.
    pub fn silent(&mut self, host: &str, why: &str) {
        self.push_unknown(host, SILENT, why);
    }

    fn push_unknown(&mut self, host: &str, name: &str, why: &str) {
        let row = unknown(name, why);
        let whole = Whole::Known(vec![whole_unknown(&row)]);
        self.push(host, vec![row], whole);
    }

    fn push(&mut self, host: &str, rows: Vec<Row>, whole: Whole) {
        self.hosts.push(Host { name: host.to_owned(), rows, whole, master: false, silent: None, confirmed: None });
    }

    /// Takes in what the master knows of a host; only of checks that are wanted.
    pub fn add_known(&mut self, host: &HostChecks, wanted: impl Fn(&str) -> bool) {
        let kept = host.rows.iter().filter(|row| wanted(&row.name));
        let whole = |row| whole_known(row, host.confirmed);
        let (mut rows, mut whole): (Vec<Row>, Vec<Value>) = kept.map(|row| (known(row), whole(row))).unzip();
        let silent = match host.presence {
            Presence::Here => None,
            Presence::Silent { since: None } => Some(unknown(SILENT, "never seen")),
            Presence::Silent { since: Some(since) } => {
                Some(unknown(SILENT, &format!("silent since {}", times::show(since, &times::now()))))
            }
        };
        if rows.is_empty() && host.rows.is_empty() && !host.master {
            rows = vec![silent.clone().unwrap_or_else(|| unknown(SILENT, "it has told of no checks yet"))];
            whole = rows.iter().map(whole_unknown).collect();
        }
        let (name, whole) = (host.id.to_string(), Whole::Known(whole));
        self.hosts.push(Host { name, rows, whole, master: host.master, silent, confirmed: host.confirmed });
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

    pub fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.hosts.iter().flat_map(|host| host.rows.iter().map(move |row| (host.name.as_str(), row)))
    }

    /// What people are told of: of a silent host only that.
    pub fn shown(&self) -> impl Iterator<Item = (&str, &Row)> {
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

    /// Checks that ended so; a host without an answer has none.
    pub fn count(&self, status: Status) -> usize {
        self.rows().filter(|(_, row)| row.name != SILENT && row.status == status).count()
    }

    /// Hosts of which nothing is known now.
    fn without_answer(&self) -> usize {
        let silent = |host: &&Host| host.silent.is_some() || host.rows.iter().any(|row| row.name == SILENT);
        self.hosts.iter().filter(silent).count()
    }

    /// `2 critical, 5 warning, 1658 ok; no answer from 3 hosts`: the checks add up.
    pub fn totals(&self) -> String {
        let counts = Status::ALL.map(|status| (self.count(status), status.word().to_lowercase()));
        let parts = counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}"));
        let silent = match self.without_answer() {
            0 => None,
            some => Some(format!("no answer from {}", plural(some, "host"))),
        };
        [parts.collect::<Vec<_>>().join(", ")]
            .into_iter()
            .filter(|text| !text.is_empty())
            .chain(silent)
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// `129 hosts and the master, 1683 checks in 0.2 s`
    pub fn account(&self) -> String {
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
            Some(_) if self.live => String::new(),
            Some(now) => oldest().map_or(String::new(), |then| {
                format!(", not older than {}", times::show_length(now.saturating_sub(then).max(1_000_000)))
            }),
        };
        format!("{who}, {}{when}", plural(checks, "check"))
    }

    /// What is new since another report, a line each check: `web3 disk: CRITICAL / 93 % full (was OK)`.
    pub fn news(&self, before: &Self) -> String {
        let old: HashMap<(&str, &str), Status> =
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
            text += &(paint(row.status.style(), term::clean(&line)) + "\n");
        }
        let here: BTreeSet<&str> = self.hosts.iter().map(|host| host.name.as_str()).collect();
        let gone = before.hosts.iter().filter(|host| !here.contains(host.name.as_str()));
        gone.fold(text, |text, host| text + &format!("{}: is no minion of this master any more\n", host.name))
    }
}

/// Why a host returned no rows.
fn reason(value: &PackedValue) -> String {
    match value.open() {
        Ok(Value::String(why)) => why,
        Ok(other) => other.to_string(),
        Err(error) => format!("its answer cannot be read: {error}"),
    }
}
