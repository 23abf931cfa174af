//! Thresholds and figures as the monitoring plugins' guidelines write them: their own examples, and a
//! corpus made up, on which other parsers have their say: `check_cluster` of the plugins themselves, which
//! holds a number against any range, and Perl's Monitoring::Plugin.

use std::{
    fmt::Write as _,
    fs,
    process::{Command, Stdio},
};

use minion::checks::{Perf, Range, figures};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use tests::needs;

const CORPUS: usize = 400;
/// What ranges are held against.
const VALUES: [f64; 9] = [-20.0, -1.0, 0.0, 0.5, 3.0, 9.5, 10.0, 17.0, 1000.0];

/// The table of the guidelines' "Threshold and ranges": a range, values that alert, values that do not.
const RANGES: [(&str, &[f64], &[f64]); 5] = [
    ("10", &[-1.0, 10.1, 1e9], &[0.0, 5.0, 10.0]),
    ("10:", &[-1e9, 0.0, 9.9], &[10.0, 1e9]),
    ("~:10", &[10.1, 1e9], &[-1e9, 0.0, 10.0]),
    ("10:20", &[9.9, 20.1, -5.0], &[10.0, 15.0, 20.0]),
    ("@10:20", &[10.0, 15.0, 20.0], &[9.9, 20.1, -5.0]),
];

/// And of its command lines: the threshold for warnings, the critical one, and what values then are.
/// Thresholds for warning and critical, and what becomes of values.
type Pair = (&'static str, &'static str, &'static [(f64, &'static str)]);

const PAIRS: [Pair; 7] = [
    ("10", "20", &[(5.0, "OK"), (15.0, "WARNING"), (25.0, "CRITICAL"), (-1.0, "CRITICAL")]),
    ("~:10", "~:20", &[(-5.0, "OK"), (15.0, "WARNING"), (25.0, "CRITICAL")]),
    ("10:", "20", &[(15.0, "OK"), (5.0, "WARNING"), (25.0, "CRITICAL")]),
    ("1:", "", &[(1.0, "OK"), (0.0, "WARNING")]),
    ("~:0", "10", &[(0.0, "OK"), (5.0, "WARNING"), (11.0, "CRITICAL"), (-5.0, "CRITICAL")]),
    ("5:6", "", &[(5.0, "OK"), (4.0, "WARNING"), (7.0, "WARNING")]),
    ("@10:20", "", &[(9.0, "OK"), (10.0, "WARNING"), (20.0, "WARNING"), (30.0, "OK")]),
];

fn range(text: &str) -> Range {
    text.parse().unwrap_or_else(|why| panic!("{text}: {why}"))
}

#[test]
fn ranges_of_the_guidelines_alert_as_they_say() {
    for (text, alerting, well) in RANGES {
        assert!(alerting.iter().all(|value| range(text).alerts(*value)), "{text} alerts at {alerting:?}");
        assert!(!well.iter().any(|value| range(text).alerts(*value)), "{text} is silent at {well:?}");
    }
    for (warning, critical, values) in PAIRS {
        for (value, status) in values {
            let alerts = |text: &str| !text.is_empty() && range(text).alerts(*value);
            let found = match (alerts(critical), alerts(warning)) {
                (true, _) => "CRITICAL",
                (_, true) => "WARNING",
                _ => "OK",
            };
            assert_eq!(found, *status, "{value} with -w {warning} -c {critical}");
        }
    }
}

fn shown(perf: &Perf) -> Value {
    json!([perf.label, perf.value, perf.uom, perf.warn, perf.crit, perf.min, perf.max])
}

#[test]
fn figures_of_the_guidelines_are_read_as_they_say() {
    let cases = [
        // As it is given, with everything.
        ("/=2643MB;5948;5958;0;5968", json!([["/", 2643.0, "MB", "5948", "5958", 0.0, 5968.0]])),
        // Separated by spaces.
        (
            "/boot=68MB;88;93;0;98 /home=69357MB;253404;253409;0;253414",
            json!([
                ["/boot", 68.0, "MB", "88", "93", 0.0, 98.0],
                ["/home", 69357.0, "MB", "253404", "253409", 0.0, 253414.0]
            ]),
        ),
        // Quotes may stand around a label, and must where there is a space in it; two of them are one.
        ("'time'=1s", json!([["time", 1.0, "s", null, null, null, null]])),
        ("'a b'=1 c=2", json!([["a b", 1.0, "", null, null, null, null], ["c", 2.0, "", null, null, null, null]])),
        ("'it''s'=1", json!([["it's", 1.0, "", null, null, null, null]])),
        ("''''=1", json!([["'", 1.0, "", null, null, null, null]])),
        // What is not known may be left out, with its semicolons.
        ("a=1;;;0", json!([["a", 1.0, "", null, null, 0.0, null]])),
        ("a=1;2;3;;", json!([["a", 1.0, "", "2", "3", null, null]])),
        ("a=1;;", json!([["a", 1.0, "", null, null, null, null]])),
        // The least and the most go without saying for percentages.
        ("used=12.5%;80;90", json!([["used", 12.5, "%", "80", "90", null, null]])),
        // A value that could not be determined.
        ("a=U b=1", json!([["a", null, "", null, null, null, null], ["b", 1.0, "", null, null, null, null]])),
        ("a=U;5;6;0;7", json!([["a", null, "", "5", "6", 0.0, 7.0]])),
        // Thresholds are ranges, and have no unit.
        ("a=1;@10:20;~:5", json!([["a", 1.0, "", "@10:20", "~:5", null, null]])),
        // Every unit there is.
        (
            "a=1 b=1s c=1ms d=1us e=1% f=1B g=1KB h=1MB i=1TB j=1c",
            ["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c"]
                .iter()
                .zip("abcdefghij".chars())
                .map(|(unit, label)| json!([label.to_string(), 1.0, unit, null, null, null, null]))
                .collect(),
        ),
        ("load=-0.5;-1:1", json!([["load", -0.5, "", "-1:1", null, null, null]])),
        // As some programs print what is very small.
        ("time=1.5e-05s;1e3", json!([["time", 1.5e-5, "s", "1e3", null, null, null]])),
        // What is none hides no other.
        ("'a'b=1 c=2", json!([["c", 2.0, "", null, null, null, null]])),
        ("nothing c=2", json!([["c", 2.0, "", null, null, null, null]])),
        ("a=x c=2", json!([["c", 2.0, "", null, null, null, null]])),
    ];
    for (text, wanted) in cases {
        let found: Value = figures(text).iter().map(shown).collect();
        assert_eq!(found, wanted, "{text}");
    }
}

fn random() -> StdRng {
    // The same every time: what fails once can be looked at.
    StdRng::seed_from_u64(4711)
}

fn number(random: &mut StdRng) -> String {
    match random.random_range(0..6) {
        0 => "0".into(),
        1 => format!("{:.1}", random.random_range(-20.0..20.0)),
        2 => format!("-{}", random.random_range(0..30)),
        3 => format!(".{}", random.random_range(1..9)),
        _ => random.random_range(0..30).to_string(),
    }
}

/// Ranges of every form, some that end before they begin.
fn ranges() -> Vec<String> {
    let random = &mut random();
    let one = |random: &mut StdRng| {
        let start = match random.random_range(0..5) {
            0 => "~:".to_owned(),
            1 | 2 => String::new(),
            3 => format!("{}:", number(random)),
            _ => ":".to_owned(),
        };
        // A colon alone is none.
        let open = start.len() > 1 && random.random_bool(0.3);
        let end = if open { String::new() } else { number(random) };
        format!("{}{start}{end}", if random.random_bool(0.3) { "@" } else { "" })
    };
    (0..CORPUS).map(|_| one(random)).collect()
}

/// What Perl's module says, a JSON value a line.
fn perl(program: &str, arguments: &[String]) -> Vec<Value> {
    needs::debian(&["libmonitoring-plugin-perl"]);
    let mut command = Command::new("perl");
    // Where it has another opinion it says so at length.
    command.args(["-e", program, "--"]).args(arguments).stderr(Stdio::null());
    let output = command.output().expect("perl can be started");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    lines.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

const PERL_RANGES: &str = r#"
use strict; use JSON::PP; use Monitoring::Plugin::Range;
my @values = split(/,/, shift @ARGV);
for my $text (@ARGV) {
    my $range = Monitoring::Plugin::Range->parse_range_string($text);
    print encode_json(defined $range ? [map { 0 + $range->check_range($_) } @values] : ["none"]), "\n";
}
"#;

#[test]
fn ranges_mean_what_they_mean_to_perl() {
    let ranges = ranges();
    let values = VALUES.map(|value| value.to_string()).join(",");
    let arguments: Vec<String> = [values].into_iter().chain(ranges.iter().cloned()).collect();
    let theirs = perl(PERL_RANGES, &arguments);
    assert_eq!(theirs.len(), ranges.len());
    let (mut wrong, mut refused) = (String::new(), 0);
    for (text, theirs) in ranges.iter().zip(theirs) {
        let ours = match text.parse::<Range>() {
            Ok(range) => VALUES.map(|value| u8::from(range.alerts(value))).to_vec().into(),
            Err(_) => json!(["none"]),
        };
        refused += usize::from(theirs == json!(["none"]));
        if ours != theirs {
            writeln!(wrong, "{text}: Perl {theirs}, ours {ours}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!((10..CORPUS / 2).contains(&refused), "{refused} are none");
}

#[test]
fn ranges_mean_what_they_mean_to_the_plugins() {
    needs::debian(&["monitoring-plugins-basic"]);
    let folder = tempfile::tempdir().unwrap();
    let (mut script, mut wanted, mut random) = (String::from("cd \"$0\"\n"), Vec::new(), random());
    for text in ranges() {
        let failed = random.random_range(0..25);
        let data = vec!["2"; failed].into_iter().chain(["0"]).collect::<Vec<_>>().join(",");
        writeln!(script, "/usr/lib/nagios/plugins/check_cluster -s -d {data} -c '{text}' >/dev/null; echo $?").unwrap();
        // A plugin that cannot read its thresholds is UNKNOWN.
        let code = text.parse::<Range>().map_or(3, |range| if range.alerts(failed as f64) { 2 } else { 0 });
        wanted.push((text, failed, code.to_string()));
    }
    let file = folder.path().join("all.sh");
    fs::write(&file, script).unwrap();
    let said = Command::new("sh").arg(&file).arg(folder.path()).stderr(Stdio::null()).output().unwrap().stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    assert_eq!(said.lines().count(), CORPUS, "{said}");
    let differ = wanted.iter().zip(said.lines()).filter(|((.., code), theirs)| code != theirs);
    let differ: Vec<_> = differ.collect();
    assert!(differ.is_empty(), "range, number, ours, and theirs: {differ:?}");
    let seen = |code: &str| wanted.iter().filter(|(.., one)| one == code).count();
    assert!(["0", "2", "3"].iter().all(|code| seen(code) >= 10), "all of them are seen");
}

const PERL_FIGURES: &str = r#"
use strict; use JSON::PP; use Monitoring::Plugin::Performance;
my $json = JSON::PP->new->canonical->allow_nonref;
my $number = sub { defined $_[0] && $_[0] ne "" ? 0 + $_[0] : undef };
my $text = sub { defined $_[0] && $_[0] ne "" ? "$_[0]" : undef };
for my $line (@ARGV) {
    my @rows = map { [$_->label, $number->($_->value), $_->uom // "", $text->($_->{warning}), $text->($_->{critical}),
        $number->($_->min), $number->($_->max)] } Monitoring::Plugin::Performance->parse_perfstring($line);
    print $json->encode(\@rows), "\n";
}
"#;

/// A line of figures, as both can read it: Perl's knows no quote within a label, no `U`, and of ranges in
/// figures no `@`.
fn line(random: &mut StdRng) -> String {
    let one = |random: &mut StdRng| {
        let label = ["a", "time", "/var/log", "free space", "C:\\ %", "ü", "#1"][random.random_range(0..7)];
        let quoted = label.contains(' ') || random.random_bool(0.3);
        let unit = ["", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c"][random.random_range(0..10)];
        let mut text = if quoted { format!("'{label}'=") } else { format!("{label}=") };
        text += &number(random);
        if random.random_bool(0.1) {
            text += "e-05";
        }
        text += unit;
        for place in 0..random.random_range(0..5) {
            text.push(';');
            match (random.random_range(0..4), place) {
                (0, _) => {}
                (1, 0 | 1) => write!(text, "{}:{}", number(random), number(random)).unwrap(),
                (2, 0 | 1) => write!(text, "~:{}", number(random)).unwrap(),
                _ => text += &number(random),
            }
        }
        text
    };
    (0..random.random_range(1..5)).map(|_| one(random)).collect::<Vec<_>>().join(" ")
}

#[test]
fn figures_mean_what_they_mean_to_perl() {
    let random = &mut random();
    let lines: Vec<String> = (0..CORPUS).map(|_| line(random)).collect();
    let theirs = perl(PERL_FIGURES, &lines);
    assert_eq!(theirs.len(), lines.len());
    let mut wrong = String::new();
    for (line, theirs) in lines.iter().zip(theirs) {
        let ours: Value = figures(line).iter().map(shown).collect();
        if !same(&ours, &theirs) {
            writeln!(wrong, "{line}\n  Perl {theirs}\n  ours {ours}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Equal, where 1 is 1.0.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Number(ours), Value::Number(theirs)) => ours.as_f64() == theirs.as_f64(),
        (ours, theirs) => ours == theirs,
    }
}
