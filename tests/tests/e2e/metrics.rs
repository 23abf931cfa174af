//! `GET /metrics` as those read it who are meant to: Prometheus' own `promtool`, and the reference parser
//! of OpenMetrics.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Instant,
};

use serde_json::json;
use tests::{
    Fleet, Transport, needs,
    wait::{self, secs},
};

/// A name that has to be escaped.
const ODD: &str = r#"the "odd" \ ü"#;

/// What the answer of a web server is, and its head.
fn get(place: &str, method: &str, path: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(secs(30))).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {place}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer}"));
    (head.to_owned(), body.to_owned())
}

/// What a program says of a text, if it is content with it.
#[track_caller]
fn read_by(mut command: Command, text: &str) -> String {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be started");
    child.stdin.take().expect("it has one").write_all(text.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let both = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{}\n{text}", both.0, both.1);
    both.0
}

/// Families with their type and samples, by a parser of Python's.
const FAMILIES: &str = r#"
import importlib, json, sys
parser = importlib.import_module(sys.argv[1])
families = parser.text_string_to_metric_families(sys.stdin.read())
rows = [[f.name, f.type, f.documentation, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]
print(json.dumps(rows))
"#;

/// Its name, its labels, its value.
type Sample = (String, BTreeMap<String, String>, f64);

/// The value of each sample, by its name and labels.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// The families, each with its type, and their samples.
fn parsed(module: &str, text: &str) -> (BTreeMap<String, String>, Samples) {
    let mut python = Command::new(needs::python_with("prometheus_client"));
    python.args(["-c", FAMILIES, module]);
    let rows: Vec<(String, String, String, Vec<Sample>)> = serde_json::from_str(&read_by(python, text)).unwrap();
    let mut samples = Samples::new();
    for (name, _, help, all) in &rows {
        assert!(!help.is_empty(), "{name} says what it is");
        assert!(!all.is_empty() || name.ends_with("check_status") || name.ends_with("ends"), "{name} has samples");
        samples.extend(all.iter().map(|(name, labels, value)| ((name.clone(), labels.clone()), *value)));
    }
    (rows.into_iter().map(|(name, kind, ..)| (name, kind)).collect(), samples)
}

fn sample(samples: &Samples, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    samples.get(&(name.to_owned(), labels)).copied()
}

#[test]
fn metrics_are_read_by_promtool_and_by_the_parser_of_openmetrics() {
    needs::program("promtool", "prometheus");
    let mut fleet = Fleet::new(Transport::Tcp).minions(2).lay_out();
    let place = format!("{}:9464", fleet.address().rsplit_once(':').unwrap().0);
    fleet.configure_master("metrics", &json!(place).to_string());
    // Nothing that depends on how busy this machine is.
    let well = json!({"uptime": {"warning": "0:"}});
    let mut bad = well.clone();
    bad[ODD] = json!({"check": "file", "path": "/nowhere"});
    for (minion, checks) in fleet.minions.iter().zip([bad, well]) {
        let file = minion.dir.join("minion");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}checks: {checks}\n")).unwrap();
    }
    fleet.start_master();
    fleet.minions.iter_mut().for_each(|minion| minion.daemon.start());
    fleet.wait_connected(2);
    fleet.ctl(&["run", "*", "test.ping"]).expect(0);
    fleet.ctl(&["run", "h1", "test.false"]);

    let old = || get(&place, "GET", "/metrics", "*/*");
    let new = || get(&place, "GET", "/metrics", "application/openmetrics-text; version=1.0.0");
    let status = |samples: &Samples| sample(samples, "overstate_check_status", &[("id", "h1"), ("check", ODD)]);
    wait::until(secs(60), "the check to be known", || {
        status(&parsed("prometheus_client.openmetrics.parser", &new().1).1)
    });
    let ((old_head, old), (new_head, new)) = (old(), new());
    assert!(old_head.contains("text/plain; version=0.0.4"), "{old_head}");
    assert!(new_head.contains("application/openmetrics-text; version=1.0.0"), "{new_head}");

    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]);
    read_by(promtool, &old);
    let (old_kinds, old) = parsed("prometheus_client.parser", &old);
    let (kinds, new) = parsed("prometheus_client.openmetrics.parser", &new);
    assert_eq!(kinds, old_kinds, "both formats have the same families");
    let names = |samples: &Samples| samples.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&new), names(&old), "and the same samples");

    assert_eq!(status(&new), Some(2.0), "critical");
    let value = |name: &str, labels: &[(&str, &str)]| sample(&new, name, labels);
    assert_eq!(value("overstate_minions", &[("state", "connected")]), Some(2.0));
    assert_eq!(value("overstate_keys", &[("state", "accepted")]), Some(2.0));
    assert_eq!(value("overstate_checks", &[("status", "critical")]), Some(1.0));
    assert_eq!(value("overstate_jobs_total", &[]), Some(2.0));
    assert_eq!(kinds.get("overstate_jobs").map(String::as_str), Some("counter"));
    // What issue 6 asks for: checks, presence, jobs, queues, the store, and the master's own counters.
    for family in ["checks", "minions", "open_jobs", "store_queue", "store_bytes", "refused", "event_lag"] {
        assert!(kinds.contains_key(&format!("overstate_{family}")), "{family}: {kinds:?}");
    }
}

#[test]
fn metrics_are_off_unless_asked_for_and_only_to_be_got() {
    let fleet = Fleet::new(Transport::Tcp).minions(0).start();
    let host = fleet.address().rsplit_once(':').unwrap().0.to_owned();
    assert!(TcpStream::connect(format!("{host}:9464")).is_err(), "nobody listens");
    drop(fleet);

    let mut fleet = Fleet::new(Transport::Tcp).minions(0).lay_out();
    let place = format!("{}:9464", fleet.address().rsplit_once(':').unwrap().0);
    fleet.configure_master("metrics", &json!(place).to_string());
    fleet.start_master();
    let first = |method: &str, path: &str| {
        let (head, _) = get(&place, method, path, "*/*");
        head.lines().next().unwrap_or_default().to_owned()
    };
    assert!(first("GET", "/metrics").contains("200"));
    assert!(first("POST", "/metrics").contains("405"));
    assert!(first("GET", "/").contains("404"));
}

#[test]
fn who_says_nothing_holds_up_no_scrape() {
    let mut fleet = Fleet::new(Transport::Tcp).minions(0).lay_out();
    let place = format!("{}:9464", fleet.address().rsplit_once(':').unwrap().0);
    fleet.configure_master("metrics", &json!(place).to_string());
    fleet.start_master();
    let scrape = || {
        let begun = Instant::now();
        assert!(get(&place, "GET", "/metrics", "*/*").0.contains("200"));
        begun.elapsed()
    };
    scrape();
    let mut silent: Vec<TcpStream> = (0..900).map(|_| TcpStream::connect(&place).unwrap()).collect();
    let among_silent = scrape();
    // The same, with half a request.
    for stream in &mut silent {
        // Most were hung up on.
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x");
    }
    silent.extend((0..40).map(|_| TcpStream::connect(&place).unwrap()));
    for stream in &mut silent {
        let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x");
    }
    let among_halves = scrape();
    assert!(among_silent < secs(5) && among_halves < secs(5), "{among_silent:?}, {among_halves:?}");
}
