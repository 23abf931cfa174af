//! Health checks for programs: objects, lines, one plugin's output, Prometheus' text format.

use std::fmt::Write as _;

use proto::Value;
use serde_json::json;

use super::{
    report::Report,
    row::Status,
    trouble::{some, troubles},
};
use crate::term;

/// `{host: rows}`.
pub fn object(report: &Report) -> Value {
    Value::Object(report.hosts.iter().map(|host| (host.name.clone(), host.whole().into())).collect())
}

/// An object a host and line.
pub fn lines(report: &Report) -> String {
    let Value::Object(hosts) = object(report) else { return String::new() };
    hosts.into_iter().map(|(host, rows)| json!({host: rows}).to_string() + "\n").collect()
}

/// An object a host and line, of those that have changed since another report.
pub fn changed_lines(report: &Report, before: &Report) -> String {
    let (Value::Object(now), before) = (object(report), object(before)) else { return String::new() };
    let news = now.into_iter().filter(|(host, rows)| before.get(host) != Some(rows));
    news.map(|(host, rows)| json!({host: rows}).to_string() + "\n").collect()
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
    let among = |hosts: &[&str]| match report.hosts.len() {
        1 => String::new(),
        _ => format!(" on {}", some(hosts, 2)),
    };
    let first = troubles(report)
        .first()
        .map(|trouble| format!("; {}: {}{}", trouble.name, trouble.output, among(&trouble.hosts)));
    let mut figures: Vec<String> =
        Status::ALL.map(|status| format!("'{}'={}", status.word().to_lowercase(), report.count(status))).into();
    if let [host] = report.hosts.as_slice() {
        figures.extend(host.whole().iter().flat_map(perfdata));
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

/// As a monitoring plugin says why it knows nothing.
pub fn nagios_error(why: &str) -> String {
    let why = term::clean(why).replace('|', "/");
    format!("OVERSTATE UNKNOWN - {}\n", why.trim_end().trim_start_matches("error: "))
}

/// `'disk / /'=12.5%;80;90;0;100`
fn perfdata(row: &Value) -> Vec<String> {
    let name = row["name"].as_str().unwrap_or_default();
    let figures = row["perfdata"].as_array();
    let one = |figure: &Value| {
        let part = |key: &str| match figure.get(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        let label = format!("{name} {}", part("label")).replace(['\'', '='], "_");
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
    let rows = report.hosts.iter().flat_map(|host| {
        let rows = host.rows.iter().zip(host.whole());
        rows.map(|(row, whole)| (host.name.as_str(), row, whole))
    });
    for (host, row, whole) in rows {
        let labels = format!("minion=\"{}\",check=\"{}\"", escaped(host), escaped(&row.name));
        let _ = writeln!(status, "overstate_check_status{{{labels}}} {}", row.status.code());
        if report.known.is_none() {
            let _ = writeln!(duration, "overstate_check_duration_seconds{{{labels}}} {}", row.duration / 1000.0);
        }
        for figure in whole["perfdata"].as_array().into_iter().flatten() {
            let text = |key: &str| escaped(figure.get(key).and_then(Value::as_str).unwrap_or_default());
            if let Some(number) = figure.get("value").and_then(Value::as_f64) {
                let more = format!("label=\"{}\",unit=\"{}\"", text("label"), text("uom"));
                let _ = writeln!(value, "overstate_check_value{{{labels},{more}}} {number}");
            }
        }
    }
    status + &duration + &value + &ages(report)
}

/// How old each host's rows are, where the master knows them from before.
fn ages(report: &Report) -> String {
    let Some(now) = report.known else { return String::new() };
    let head = "# HELP overstate_check_age_seconds How long ago a host has confirmed what is known of its checks.\n\
                # TYPE overstate_check_age_seconds gauge\n";
    let hosts = report.hosts.iter().filter_map(|host| Some((&host.name, now.saturating_sub(host.confirmed?))));
    hosts.fold(head.to_owned(), |text, (name, age)| {
        text + &format!("overstate_check_age_seconds{{minion=\"{}\"}} {}\n", escaped(name), age as f64 / 1e6)
    })
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
