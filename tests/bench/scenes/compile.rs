//! From SLS to low state: cold beside `salt-call --local`, warm, and as trees grow.

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use super::{Options, at_most, target};
use crate::{
    compiler,
    figures::{Figure, Goal, Row},
    salt::{Salt, VERSION},
};

pub fn compile(options: &Options) -> Vec<Row> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let conf = site(dir.path());
    let mut rows = cold(options, &conf);
    rows.push(warm(options, &conf));
    rows.extend(large(options, &conf, dir.path()));
    rows
}

/// A configuration that Salt and we read, with an SLS of a hundred states in its file roots.
fn site(dir: &Path) -> std::path::PathBuf {
    let (conf, roots) = (dir.join("conf"), dir.join("salt"));
    fs::create_dir_all(&conf).expect("a folder");
    fs::create_dir_all(&roots).expect("a folder");
    let minion = format!(
        "id: bench\nfile_client: local\nroot_dir: {0}/root\nfile_roots: {{base: [{0}/salt]}}\n\
         pillar_roots: {{base: [{0}/pillar]}}\n",
        dir.display()
    );
    fs::write(conf.join("minion"), minion).expect("a configuration");
    fs::write(roots.join("hundred.sls"), hundred()).expect("an SLS");
    fs::write(roots.join("map.jinja"), MAP).expect("a map");
    conf
}

const MAP: &str = "\
{% set map = salt['grains.filter_by']({'Debian': {'user': 'www-data'}, 'default': {'user': 'www'}}) %}
{% macro path(name, n) %}/srv/{{ name | replace(' ', '_') }}/{{ '%03d' % n }}.conf{% endmacro %}
";

/// A hundred states, as a formula writes them: a map, a macro, a loop, requisites.
fn hundred() -> &'static str {
    "{% from 'map.jinja' import map, path with context %}
{% for n in range(25) %}
package-{{ n }}:
  pkg.installed:
    - name: package{{ n }}
folder-{{ n }}:
  file.directory:
    - name: {{ path('site ' ~ n, n) | replace('.conf', '') }}
    - user: {{ map.user }}
    - require: [{pkg: package-{{ n }}}]
config-{{ n }}:
  file.managed:
    - name: {{ path('site ' ~ n, n) }}
    - mode: '0640'
    - context: {{ {'n': n, 'even': n is even, 'names': ['a', 'b', 'c']} | json }}
    - require: [{file: folder-{{ n }}}]
service-{{ n }}:
  service.running:
    - name: service{{ n }}
    - watch: [{file: config-{{ n }}}]
{% endfor %}
"
}

fn cold(options: &Options, conf: &Path) -> Vec<Row> {
    let ctl = tests::binary::ctl();
    let ours = processes(ctl, &["--config-dir", &conf.display().to_string(), "call"], options.runs(11));
    let what = "`state.show_low_sls` of 100 states, a whole process".to_owned();
    if !options.salt {
        eprintln!("left out: Salt (--no-salt)");
        return vec![Row { what, unit: "ms", ours: ours.times(1e3), goal: None, peers: Vec::new() }];
    }
    let salt_call = Salt::install(&target()).program("salt-call");
    let theirs = processes(&salt_call, &["--local", "-c", &conf.display().to_string()], options.runs(5));
    let factor = theirs.median / ours.median;
    vec![
        Row {
            what: what.clone(),
            unit: "ms",
            ours: ours.times(1e3),
            goal: None,
            peers: vec![(format!("salt-call --local {VERSION}"), theirs.times(1e3))],
        },
        Row {
            what: format!("{what}, beside salt-call --local"),
            unit: "times as fast",
            ours: Figure::one(factor),
            goal: Some(Goal::AtLeast(40.0)),
            peers: Vec::new(),
        },
    ]
}

/// Seconds of whole processes, after one to warm the disk; all must answer alike.
fn processes(program: &Path, words: &[&str], runs: usize) -> Figure {
    let one = |_| {
        let start = Instant::now();
        let output = Command::new(program)
            .args(words)
            .args(["state.show_low_sls", "hundred", "--out", "json"])
            .stdin(Stdio::null())
            .output()
            .expect("a process");
        let seconds = start.elapsed().as_secs_f64();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let states = answer["local"].as_array().map_or(0, Vec::len);
        assert_eq!(states, 100, "{}", String::from_utf8_lossy(&output.stderr));
        seconds
    };
    Figure::of((0..=runs).map(one).skip(1).collect())
}

fn warm(options: &Options, conf: &Path) -> Row {
    let (seconds, _) = compiler::measure(conf, "hundred", options.runs(200));
    Row {
        what: "a templated SLS of 100 states, compiled again in one process, files read again each time".into(),
        unit: "ms",
        ours: seconds.times(1e3),
        goal: at_most(5.0),
        peers: Vec::new(),
    }
}

/// Trees of a thousand files, and what a state costs as there are more of them.
fn large(options: &Options, conf: &Path, dir: &Path) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut each = Vec::new();
    for (files, states) in [(100, 10), (1_000, 10), (10_000, 10)] {
        if options.quick && files > 1_000 {
            continue;
        }
        let name = format!("tree{files}");
        grow(&dir.join("salt").join(&name), &name, files, states);
        let (seconds, memory) = compiler::measure(conf, &name, 1);
        let count = files * states;
        each.push((count, seconds.median / count as f64 * 1e6));
        if files == 1_000 {
            let row = |what: &str, unit, value, limit| Row {
                what: format!("1,000 SLS files with 10,000 states: {what}"),
                unit,
                ours: Figure::one(value),
                goal: at_most(limit),
                peers: Vec::new(),
            };
            rows.push(row("compiled, in a new process", "s", seconds.median, 1.0));
            rows.push(row("most memory of that process", "MiB", memory, 200.0));
        }
    }
    let first = each[0].1;
    rows.extend(each.into_iter().map(|(count, cost)| Row {
        what: format!("a state's share of compiling {count} with their requisites"),
        unit: "µs",
        ours: Figure::one(cost),
        // Linear: ten or a hundred times as many may not cost twice as much each.
        goal: at_most(first * 2.0),
        peers: Vec::new(),
    }));
    rows
}

/// SLS files of one folder, each with states that require one another and one of the file before.
fn grow(folder: &Path, name: &str, files: usize, states: usize) {
    fs::create_dir_all(folder).expect("a folder");
    let mut init = String::from("include:\n");
    for file in 0..files {
        let _ = writeln!(init, "  - {name}.s{file}");
        let mut text = String::from("{% set where = '/srv/' ~ grains['os'] %}\n");
        for state in 0..states {
            let _ = write!(
                text,
                "f{file}-{state}:\n  file.managed:\n    - name: {{{{ where }}}}/{file}/{state}\n    - mode: '0644'\n"
            );
            match (state, file) {
                (0, 0) => {}
                (0, _) => drop(writeln!(text, "    - require: [{{file: f{}-0}}]", file - 1)),
                _ => drop(writeln!(text, "    - watch: [{{file: f{file}-{}}}]", state - 1)),
            }
        }
        fs::write(folder.join(format!("s{file}.sls")), text).expect("an SLS");
    }
    fs::write(folder.join("init.sls"), init).expect("an SLS");
}
