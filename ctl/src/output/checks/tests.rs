//! Screens of made-up fleets, and the same for programs.

use proto::{
    PackedValue, Value,
    checks::{CheckRow, CheckStatus, HostChecks, Presence},
};
use serde_json::json;

use super::{
    row::{Status, known},
    *,
};

fn packed(value: Value) -> PackedValue {
    PackedValue::new(&value).unwrap()
}

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
        report.add(&host, packed(json!([disk, systemd, check("clock", "OK", "0.1 ms off")])));
    }
    report.silent("db1", "offline since 10:41");
    report.silent("db2", "offline since 10:41");
    report.add("odd", packed(json!("check.run is not available")));
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
    (0..500).for_each(|n| report.add(&format!("h{n}"), packed(json!([down(n)]))));
    let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
    assert!(text.lines().count() < 24 && text.contains("more troubles on 481 hosts"), "{text}");
    let mut report = Report::default();
    let busy = |n: usize| check("load", "WARNING", &format!("load average {n}.1 (warning at 4.0)"));
    (5..500).for_each(|n| report.add(&format!("h{n}"), packed(json!([busy(n)]))));
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
    assert_eq!(object["web7"][0]["confirmed"], "2026-11-21T11:27:47.000000Z");
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
fn of_what_is_kept_current_no_age_is_told() {
    let text = plain(&screen(&picture().live(true), Room { width: 160, rows: None, all: false }));
    assert!(text.starts_with("CRITICAL  23 hosts and the master, 43 checks: 2 critical, 2 warning"), "{text}");
}

#[test]
fn a_narrow_terminal_breaks_lines_between_words() {
    let text = plain(&screen(&report(), Room { width: 40, rows: Some(24), all: false }));
    assert!(text.lines().count() < 24 && text.lines().all(|line| line.chars().count() <= 40), "{text}");
    insta::assert_snapshot!("40×24", text);
}

#[test]
fn what_the_checks_came_to_adds_up() {
    let mut report = Report::default();
    report.add("web1", packed(json!([check("a", "OK", "x"), check("b", "WARNING", "x"), check("c", "UNKNOWN", "x")])));
    report.silent("web2", "offline");
    assert_eq!(report.totals(), "1 warning, 1 unknown, 1 ok; no answer from 1 host");
    assert_eq!(report.worst(), Status::Warning, "a warning counts more than what is unknown");
    let mut report = Report::default();
    report.silent("web2", "offline");
    assert_eq!((report.totals().as_str(), report.worst()), ("no answer from 1 host", Status::Unknown));
}

#[test]
fn the_exit_code_is_the_worst_status() {
    let code = |statuses: &[&str]| {
        let mut report = Report::default();
        report.add("web1", packed(statuses.iter().map(|status| check("x", status, "x")).collect()));
        report.worst().code()
    };
    assert_eq!(code(&["OK", "OK"]), 0);
    assert_eq!(code(&["OK", "WARNING", "UNKNOWN"]), 1);
    assert_eq!(code(&["UNKNOWN", "WARNING", "CRITICAL"]), 2);
    assert_eq!(code(&["OK", "UNKNOWN"]), 3);
    assert_eq!(code(&["what is this"]), 3);
}

#[test]
fn a_line_is_a_host_and_only_what_changed_comes_again() {
    let of = |status| {
        let mut report = Report::default();
        report.add("web1", packed(json!([check("load", status, "0.1")])));
        report.add("web2", packed(json!([check("load", "OK", "0.1")])));
        report
    };
    let all = lines(&of("OK"));
    assert_eq!(all.lines().count(), 2);
    assert!(all.lines().all(|line| serde_json::from_str::<Value>(line).unwrap().is_object()), "{all}");
    let news = changed_lines(&of("CRITICAL"), &of("OK"));
    let news: Value = serde_json::from_str(&news).unwrap();
    assert_eq!((news["web1"][0]["status"].as_str(), news.get("web2")), (Some("CRITICAL"), None));
}

#[test]
fn a_plugin_that_can_do_nothing_says_why_on_its_first_line() {
    let text = nagios_error("error: no | master\n  hint: is it running?\n");
    assert_eq!(text, "OVERSTATE UNKNOWN - no / master\n  hint: is it running?\n");
}

#[test]
fn all_well_is_one_line() {
    let mut report = Report { seconds: 0.1, ..Report::default() };
    report.add("web1", packed(json!([check("load", "OK", "0.1")])));
    let text = plain(&screen(&report, Room { width: 80, rows: Some(24), all: false }));
    assert_eq!(text, "OK  1 host, 1 check in 0.1 s: 1 ok\n");
    assert_eq!(report.worst().code(), 0);
    assert_eq!(Report::default().worst(), Status::Unknown);
}

#[test]
fn monitoring_systems_can_read_it() {
    let mut report = Report::default();
    report.add("local", packed(json!([check("disk /", "CRITICAL", "93 % full | really"), check("load", "OK", "0.1")])));
    insta::assert_snapshot!("as a plugin", nagios(&report));
    insta::assert_snapshot!("for Prometheus", prometheus(&report));
    assert_eq!(txt(&report), "local: CRITICAL disk /: 93 % full | really\nlocal: OK load: 0.1\n");
    assert_eq!(object(&report)["local"][0]["status"], "CRITICAL");
}
