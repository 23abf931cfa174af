//! Health checks of many hosts on one screen: totals, identical trouble once, who did not answer; and
//! the same for monitoring systems.

use std::fmt::Write as _;

use indexmap::IndexMap;
use proto::Value;
use serde_json::json;

use super::{highstate::plural, table::cut};
use crate::term::{self, BAD, BOLD, DIM, GOOD, VALUE, paint};

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
    /// As it came, for programs.
    whole: Value,
}

/// The checks of all hosts, by name of the host.
#[derive(Debug, Default)]
pub struct Report {
    hosts: Vec<(String, Vec<Row>)>,
    /// How long it took in all, in seconds.
    pub seconds: f64,
}

/// The name of what a host says that has no checks to tell of.
const SILENT: &str = "no answer";

impl Report {
    /// Takes in what a host returned.
    pub fn add(&mut self, host: &str, value: &Value) {
        let rows = match value.as_array() {
            Some(rows) if rows.iter().all(Value::is_object) => rows.iter().map(row).collect(),
            _ => {
                let why = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                vec![unknown("check.run", &why)]
            }
        };
        self.hosts.push((host.to_owned(), rows));
    }

    /// A host that gave no answer, and why.
    pub fn silent(&mut self, host: &str, why: &str) {
        self.hosts.push((host.to_owned(), vec![unknown(SILENT, why)]));
    }

    pub fn sort(&mut self) {
        self.hosts.sort_by(|a, b| a.0.cmp(&b.0));
    }

    fn rows(&self) -> impl Iterator<Item = (&str, &Row)> {
        self.hosts.iter().flat_map(|(host, rows)| rows.iter().map(move |row| (host.as_str(), row)))
    }

    pub fn worst(&self) -> Status {
        let of_rows = self.rows().map(|(_, row)| row.status).min();
        of_rows.unwrap_or(if self.hosts.is_empty() { Status::Unknown } else { Status::Ok })
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
}

fn row(value: &Value) -> Row {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Row {
        name: text("name"),
        status: Status::parse(&text("status")),
        output: text("output"),
        duration: value.get("duration").and_then(Value::as_f64).unwrap_or(0.0),
        whole: value.clone(),
    }
}

fn unknown(name: &str, why: &str) -> Row {
    row(&json!({"name": name, "status": "UNKNOWN", "output": why, "perfdata": [], "duration": 0.0}))
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
    let checks = report.rows().filter(|(_, row)| row.name != SILENT).count();
    let what =
        format!("{}, {} in {:.1} s:", plural(report.hosts.len(), "host"), plural(checks, "check"), report.seconds);
    let totals = report.totals();
    let fits = worst.word().len() + 3 + what.chars().count() + totals.len() <= room.width;
    let between = if fits { " " } else { "\n  " };
    let mut text = format!("{}  {what}{between}{totals}\n", paint(worst.style().bold(), worst.word()));
    let troubles = troubles(report);
    let limit = room.rows.filter(|_| !room.all).map_or(usize::MAX, |rows| rows.saturating_sub(5).max(4));
    let (mut used, mut shown, mut last) = (0, 0, Status::Ok);
    for trouble in &troubles {
        let lines = trouble.lines(room);
        let head = usize::from(trouble.status != last);
        if used + head + lines.len() > limit {
            break;
        }
        if head > 0 {
            let _ = writeln!(text, "{}", paint(trouble.status.style().bold(), trouble.status.word()));
        }
        lines.iter().for_each(|line| drop_ok(writeln!(text, "{line}")));
        (used, shown, last) = (used + head + lines.len(), shown + 1, trouble.status);
    }
    if shown < troubles.len() {
        let _ = writeln!(
            text,
            "{}",
            paint(DIM, format!("… and {} (-v shows all)", plural(troubles.len() - shown, "more trouble")))
        );
    }
    if room.all {
        text += &slowest(report);
    }
    text
}

/// Writing into a text cannot fail.
fn drop_ok(_: std::fmt::Result) {}

/// The same trouble on some hosts.
struct Trouble<'a> {
    status: Status,
    row: &'a Row,
    hosts: Vec<&'a str>,
}

/// Identical trouble once: the worst first, then what the most hosts have.
fn troubles(report: &Report) -> Vec<Trouble<'_>> {
    let mut groups: IndexMap<(Status, &str, &str), Trouble<'_>> = IndexMap::new();
    for (host, row) in report.rows().filter(|(_, row)| row.status != Status::Ok) {
        let key = (row.status, row.name.as_str(), row.output.as_str());
        groups.entry(key).or_insert_with(|| Trouble { status: row.status, row, hosts: Vec::new() }).hosts.push(host);
    }
    let mut troubles: Vec<Trouble<'_>> = groups.into_values().collect();
    troubles.sort_by_key(|trouble| (trouble.status, std::cmp::Reverse(trouble.hosts.len())));
    troubles
}

impl Trouble<'_> {
    /// `  disk /  93 % full: web3, web7 and 4 more`, on two lines where one is too short.
    fn lines(&self, room: Room) -> Vec<String> {
        let name = cut(&term::clean(&self.row.name), 24);
        let output = term::clean(self.row.output.lines().next().unwrap_or_default());
        let hosts = term::clean(&some(&self.hosts, if room.all { usize::MAX } else { 2 }));
        let head = format!("  {}  ", paint(BOLD, &name));
        let free = room.width.saturating_sub(4 + name.chars().count());
        let mut lines = match output.chars().count() + 2 + hosts.chars().count() <= free {
            true => vec![format!("{head}{output}: {}", paint(self.status.style(), hosts))],
            false => vec![
                format!("{head}{}", cut(&output, free)),
                format!("      {}", paint(self.status.style(), cut(&hosts, room.width.saturating_sub(6)))),
            ],
        };
        if let (true, Some(more)) = (room.all, self.row.whole.get("long_output").and_then(Value::as_str)) {
            lines.extend(term::clean(more).lines().map(|line| format!("      {line}")));
        }
        lines
    }
}

/// `web3, web7 and 4 more`
fn some(hosts: &[&str], named: usize) -> String {
    match hosts.len() {
        // One more name takes no more room than to count it.
        many if many > named.saturating_add(1) => format!("{} and {} more", hosts[..named].join(", "), many - named),
        _ => hosts.join(", "),
    }
}

/// Checks that are shown for being slow.
const SLOW: usize = 5;

fn slowest(report: &Report) -> String {
    let mut rows: Vec<(&str, &Row)> = report.rows().filter(|(_, row)| row.duration > 0.0).collect();
    rows.sort_by(|a, b| b.1.duration.total_cmp(&a.1.duration));
    if rows.is_empty() {
        return String::new();
    }
    rows.iter().take(SLOW).fold(format!("{}\n", paint(BOLD, "slowest")), |text, (host, row)| {
        text + &format!("  {:>9.1} ms  {} on {}\n", row.duration, term::clean(&row.name), term::clean(host))
    })
}

/// `{host: rows}`.
pub fn object(report: &Report) -> Value {
    let rows = |rows: &Vec<Row>| rows.iter().map(|row| row.whole.clone()).collect::<Value>();
    Value::Object(report.hosts.iter().map(|(host, all)| (host.clone(), rows(all))).collect())
}

/// An object a host and line.
pub fn lines(report: &Report) -> String {
    let Value::Object(hosts) = object(report) else { return String::new() };
    hosts.into_iter().map(|(host, rows)| json!({host: rows}).to_string() + "\n").collect()
}

/// `web1: CRITICAL disk /: 93 % full`, a line a check.
pub fn txt(report: &Report) -> String {
    report.rows().fold(String::new(), |text, (host, row)| {
        let output = row.output.lines().next().unwrap_or_default();
        text + &term::clean(&format!("{host}: {} {}: {output}", row.status.word(), row.name)) + "\n"
    })
}

/// As one monitoring plugin says it: a line with figures behind the bar, then a line each trouble.
pub fn nagios(report: &Report) -> String {
    let worst = report.worst();
    let first = troubles(report).first().map(|trouble| {
        let output = trouble.row.output.lines().next().unwrap_or_default();
        format!("; {} {output}: {}", trouble.row.name, some(&trouble.hosts, 2))
    });
    let mut figures: Vec<String> =
        Status::ALL.map(|status| format!("'{}'={}", status.word().to_lowercase(), report.count(status))).into();
    if let [(_, rows)] = report.hosts.as_slice() {
        figures.extend(rows.iter().flat_map(perfdata));
    }
    let what = format!("{}{}", report.totals(), first.unwrap_or_default()).replace('|', "/");
    let mut text = term::clean(&format!("OVERSTATE {} - {what} | {}\n", worst.word(), figures.join(" ")));
    for (host, row) in report.rows().filter(|(_, row)| row.status != Status::Ok) {
        let line =
            format!("[{}] {host} {}: {}", row.status.word(), row.name, row.output.lines().next().unwrap_or_default());
        text += &(term::clean(&line).replace('|', "/") + "\n");
    }
    text
}

/// `'disk / /'=12.5%;80;90;0;100`
fn perfdata(row: &Row) -> Vec<String> {
    let figures = row.whole.get("perfdata").and_then(Value::as_array);
    let one = |figure: &Value| {
        let part = |key: &str| match figure.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let label = format!("{} {}", row.name, part("label")).replace(['\'', '='], "_");
        let value = if figure.get("value").is_none_or(Value::is_null) { "U".into() } else { part("value") };
        let text = format!(
            "'{label}'={value}{};{};{};{};{}",
            part("uom"),
            part("warn").trim_end_matches('%'),
            part("crit").trim_end_matches('%'),
            part("min"),
            part("max")
        );
        text.trim_end_matches(';').to_owned()
    };
    figures.into_iter().flatten().map(one).collect()
}

/// Prometheus' text format, for a textfile collector.
pub fn prometheus(report: &Report) -> String {
    let mut status = String::from(
        "# HELP overstate_check_status What a check said: 0 ok, 1 warning, 2 critical, 3 unknown.\n\
         # TYPE overstate_check_status gauge\n",
    );
    let mut duration = String::from(
        "# HELP overstate_check_duration_seconds How long a check took.\n\
         # TYPE overstate_check_duration_seconds gauge\n",
    );
    let mut value =
        String::from("# HELP overstate_check_value A figure that a check gave.\n# TYPE overstate_check_value gauge\n");
    for (host, row) in report.rows() {
        let labels = format!("minion=\"{}\",check=\"{}\"", escaped(host), escaped(&row.name));
        let _ = writeln!(status, "overstate_check_status{{{labels}}} {}", row.status.code());
        let _ = writeln!(duration, "overstate_check_duration_seconds{{{labels}}} {}", row.duration / 1000.0);
        for figure in row.whole.get("perfdata").and_then(Value::as_array).into_iter().flatten() {
            let text = |key: &str| escaped(figure.get(key).and_then(Value::as_str).unwrap_or_default());
            if let Some(number) = figure.get("value").and_then(Value::as_f64) {
                let more = format!("label=\"{}\",unit=\"{}\"", text("label"), text("uom"));
                let _ = writeln!(value, "overstate_check_value{{{labels},{more}}} {number}");
            }
        }
    }
    status + &duration + &value
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
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
            report.add(&host, &json!([disk, systemd, check("clock", "OK", "0.1 ms off")]));
        }
        report.silent("db1", "offline since 10:41");
        report.silent("db2", "offline since 10:41");
        report.add("odd", &json!("check.run is not available"));
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
        (0..500).for_each(|n| report.add(&format!("h{n}"), &json!([check("load", "WARNING", &format!("{n}.1 > 4"))])));
        let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
        assert!(text.lines().count() < 24 && text.contains("more troubles"), "{text}");
    }

    #[test]
    fn all_well_is_one_line() {
        let mut report = Report { seconds: 0.1, ..Report::default() };
        report.add("web1", &json!([check("load", "OK", "0.1")]));
        let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
        assert_eq!(text, "OK  1 host, 1 check in 0.1 s: 1 ok\n");
        assert_eq!(report.worst().code(), 0);
        assert_eq!(Report::default().worst(), Status::Unknown);
    }

    #[test]
    fn monitoring_systems_can_read_it() {
        let mut report = Report::default();
        report.add("local", &json!([check("disk /", "CRITICAL", "93 % full | really"), check("load", "OK", "0.1")]));
        insta::assert_snapshot!("as a plugin", nagios(&report));
        insta::assert_snapshot!("for Prometheus", prometheus(&report));
        assert_eq!(txt(&report), "local: CRITICAL disk /: 93 % full | really\nlocal: OK load: 0.1\n");
        assert_eq!(object(&report)["local"][0]["status"], "CRITICAL");
    }
}
