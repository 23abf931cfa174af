//! States: alone beside `salt-call --local`, on real minions over the bus, their files and pillar.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use proto::Outcome;
use tests::fleet::{Fleet, Transport};
use tokio::runtime::Runtime;

use super::{
    Options, at_most,
    swarm::{operator, until},
    target, timed,
};
use crate::{
    agents::{Home, Swarm},
    figures::{Figure, Goal, Row},
    process,
    salt::{Salt, VERSION},
};

const STATES: usize = 100;

/// A hundred files beneath `{{ where }}`.
fn hundred(place: &str) -> String {
    format!(
        "{{% for n in range({STATES}) %}}\n{place}/{{{{ n }}}}:\n  file.managed:\n    - contents: file {{{{ n }}}} of {{{{ \
         grains['id'] }}}}\n    - mode: '0644'\n    - makedirs: True\n{{% endfor %}}\n"
    )
}

/// A hundred `file.managed` without a master: made, and found as they should be.
pub fn apply(options: &Options) -> Vec<Row> {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let at = |part: &str| dir.path().join(part);
    let (out, conf) = (at("out"), at("conf"));
    for folder in [&conf, &at("salt")] {
        fs::create_dir_all(folder).expect("a folder");
    }
    let minion = format!(
        "id: bench\nfile_client: local\nroot_dir: {0}/root\nfile_roots: {{base: [{0}/salt]}}\n",
        dir.path().display()
    );
    fs::write(conf.join("minion"), minion).expect("a configuration");
    fs::write(at("salt/hundred.sls"), hundred(&out.display().to_string())).expect("an SLS");
    let conf = conf.display().to_string();
    let ours = |runs| both(tests::binary::ctl(), &["--config-dir", &conf, "call"], &out, runs);
    let (first, same) = ours(options.runs(11));
    let what =
        ["made by a first run", "found unchanged"].map(|how| format!("{STATES} `file.managed` {how}, a whole process"));
    let [made, kept] = what;
    let row = |what: &str, ours: &Figure, goal, peers| Row {
        what: what.to_owned(),
        unit: "ms",
        ours: ours.times(1e3),
        goal,
        peers,
    };
    if !options.salt {
        eprintln!("left out: Salt (--no-salt)");
        return vec![row(&made, &first, None, Vec::new()), row(&kept, &same, at_most(30.0), Vec::new())];
    }
    let salt_call = Salt::install(&target()).program("salt-call");
    let (their_first, their_same) = both(&salt_call, &["--local", "-c", &conf], &out, options.runs(3));
    let peer = |figure: &Figure| vec![(format!("salt-call --local {VERSION}"), figure.times(1e3))];
    let factor = |what: &str, ours: &Figure, theirs: &Figure, goal| Row {
        what: format!("{what}, beside salt-call --local"),
        unit: "times as fast",
        ours: Figure::one(theirs.median / ours.median),
        goal: Some(Goal::AtLeast(goal)),
        peers: Vec::new(),
    };
    vec![
        row(&made, &first, None, peer(&their_first)),
        factor(&made, &first, &their_first, 30.0),
        row(&kept, &same, at_most(30.0), peer(&their_same)),
        factor(&kept, &same, &their_same, 100.0),
    ]
}

/// Seconds of a first run, and of a second that changes nothing.
fn both(program: &Path, words: &[&str], out: &Path, runs: usize) -> (Figure, Figure) {
    let one = |changes: usize| {
        let start = Instant::now();
        let output = Command::new(program)
            .args(words)
            .args(["state.apply", "hundred", "--out", "json"])
            .stdin(Stdio::null())
            .output()
            .expect("a process");
        let seconds = start.elapsed().as_secs_f64();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let rows = answer["local"].as_object().expect("rows");
        let changed = rows.values().filter(|row| row["changes"] != serde_json::json!({})).count();
        assert!(rows.values().all(|row| row["result"] == true), "{answer}");
        assert_eq!((rows.len(), changed), (STATES, changes));
        seconds
    };
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    // The first of each warms the disk.
    let (mut first, mut same) = (Vec::new(), Vec::new());
    for run in 0..=runs {
        // Put away, not removed: ext4 looks for a while at every inode that was just deleted before it
        // takes a new one, which a host's first run has nothing of.
        let _ = fs::rename(out, out.with_extension(format!("{name}.{run}")));
        first.push(one(STATES));
        same.push(one(0));
    }
    (Figure::of(first.split_off(1)), Figure::of(same.split_off(1)))
}

/// A master that serves these files as states and pillar; no minions are started.
fn served(minions: usize, states: &[(&str, &str)], pillar: &[(String, String)]) -> Fleet {
    let fleet = Fleet::new(Transport::Tcp).minions(minions).lay_out();
    let roots = ["states", "pillar"].map(|part| fleet.path().join(part));
    for root in &roots {
        fs::create_dir_all(root).expect("a folder");
    }
    for (name, text) in states {
        fs::write(roots[0].join(name), text).expect("an SLS");
    }
    for (name, text) in pillar {
        fs::write(roots[1].join(name), text).expect("an SLS");
    }
    fleet.configure_master("file_roots", &format!("{{base: ['{}']}}", roots[0].display()));
    fleet.configure_master("pillar_roots", &format!("{{base: ['{}']}}", roots[1].display()));
    fleet
}

fn start(fleet: &mut Fleet) {
    fleet.start_master();
    for minion in &mut fleet.minions {
        minion.daemon.start();
    }
    fleet.wait_connected(fleet.minions.len());
}

/// A highstate over the bus that finds everything as it should be, and what a minion weighs then.
pub fn highstate(options: &Options) -> Vec<Row> {
    let hosts = if options.quick { 10 } else { super::fleet::HOSTS };
    let out = tempfile::tempdir().expect("a temporary folder");
    let sls = hundred(&format!("{}/{{{{ grains['id'] }}}}", out.path().display()));
    let mut fleet = served(hosts, &[("top.sls", "base: {'*': [hundred]}\n"), ("hundred.sls", &sls)], &[]);
    start(&mut fleet);
    let args = ["run", "*", "state.highstate", "--out", "quiet", "--timeout", "300"];
    let ran = fleet.ctl(&args);
    assert_eq!(ran.code, 0, "the first highstate failed: {ran}");
    let files = fs::read_dir(out.path()).expect("the folder").count();
    assert_eq!(files, hosts, "every host has its files");
    let seconds = timed(&fleet, &args, options.runs(7));
    let memory = fleet.minions.iter().map(|minion| process::memory(minion.daemon.pid() as u32) / 1024.0).collect();
    vec![
        Row {
            what: format!(
                "a highstate of {STATES} states without changes on {hosts} real minions, from Enter to the last answer"
            ),
            unit: "s",
            ours: seconds,
            goal: at_most(3.0),
            peers: Vec::new(),
        },
        Row {
            what: "resident memory of a minion after highstates".into(),
            unit: "MiB",
            ours: Figure::of(memory),
            goal: at_most(20.0),
            peers: Vec::new(),
        },
    ]
}

/// One large file to many minions, beside `socat` over OPENSSL with the same bytes.
pub fn files(options: &Options) -> Vec<Row> {
    let (hosts, size) = if options.quick { (4, 16 << 20) } else { (20, 256 << 20) };
    let runs = options.runs(3);
    let mut fleet = served(hosts, &[], &[]);
    let tree = fleet.path().join("states");
    // Not compressible, and of a kind that nobody has cached.
    let big = |n: usize| tree.join(format!("big{n}"));
    for n in 0..runs {
        let mut word = 0x9e37_79b9_7f4a_7c15_u64 ^ n as u64;
        let words = (0..size / 8).flat_map(|_| {
            word ^= word << 13;
            word ^= word >> 7;
            word ^= word << 17;
            word.to_le_bytes()
        });
        fs::write(big(n), words.collect::<Vec<u8>>()).expect("a file");
    }
    start(&mut fleet);
    // The tree's hashes are made once, whoever asks.
    assert_eq!(fleet.ctl(&["run", "h1", "cp.list_master"]).code, 0);
    let mebibytes = (hosts * size) as f64 / f64::from(1 << 20);
    let one = |n: usize| {
        let start = Instant::now();
        let ran =
            fleet.ctl(&["run", "*", "cp.cache_file", &format!("salt://big{n}"), "--out", "quiet", "--timeout", "600"]);
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(ran.code, 0, "{ran}");
        // As below, what came is removed at once: else each run of ours would find more of the memory taken,
        // and the disk busy with the one before.
        for minion in &fleet.minions {
            let kept = minion.dir.join("root/cache/files/base").join(format!("big{n}"));
            assert_eq!(fs::metadata(&kept).expect("what came").len(), size as u64);
            fs::remove_dir_all(minion.dir.join("root/cache")).expect("it can go");
        }
        mebibytes / seconds
    };
    let ours = Figure::of((0..runs).map(one).collect());
    let theirs = socat(&big(0), hosts, runs).times(mebibytes);
    vec![
        Row {
            what: format!("a file of {} MiB to {hosts} real minions at once, all together", size >> 20),
            unit: "MiB/s",
            ours: ours.clone(),
            goal: None,
            peers: vec![("socat over OPENSSL".into(), theirs.clone())],
        },
        Row {
            what: "the same, beside socat over OPENSSL".into(),
            unit: "times as fast",
            ours: Figure::one(ours.median / theirs.median),
            goal: Some(Goal::AtLeast(0.6)),
            peers: Vec::new(),
        },
    ]
}

/// Files a second that `socat` takes over OPENSSL to so many receivers at once.
fn socat(file: &Path, receivers: usize, runs: usize) -> Figure {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let pem: PathBuf = dir.path().join("pem");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-keyout"])
        .arg(&pem)
        .arg("-out")
        .arg(dir.path().join("crt"))
        .stderr(Stdio::null())
        .status();
    assert!(made.is_ok_and(|status| status.success()), "this scene needs the programs openssl and socat");
    let certificate = fs::read(dir.path().join("crt")).expect("a certificate");
    let mut both = fs::read(&pem).expect("a key");
    both.extend(certificate);
    fs::write(&pem, both).expect("a file");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
    let listen =
        format!("OPENSSL-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,backlog=64,cert={},verify=0", pem.display());
    let mut server = Command::new("socat")
        .arg("-U")
        .arg(listen)
        .arg(format!("OPEN:{},rdonly", file.display()))
        .spawn()
        .expect("socat");
    std::thread::sleep(Duration::from_millis(500));
    let one = |_| {
        let start = Instant::now();
        let children: Vec<Child> = (0..receivers)
            .map(|n| {
                let to = format!("CREATE:{}", dir.path().join(n.to_string()).display());
                let from = format!("OPENSSL:127.0.0.1:{port},verify=0");
                Command::new("socat").arg("-u").arg(from).arg(to).spawn().expect("socat")
            })
            .collect();
        for mut child in children {
            assert!(child.wait().is_ok_and(|status| status.success()), "socat failed");
        }
        let seconds = start.elapsed().as_secs_f64();
        let size = fs::metadata(file).expect("the file").len();
        for n in 0..receivers {
            let got = dir.path().join(n.to_string());
            assert_eq!(fs::metadata(&got).expect("what came").len(), size, "socat cut it short");
            fs::remove_file(got).expect("it can go");
        }
        1.0 / seconds
    };
    let figure = Figure::of((0..runs).map(one).collect());
    let _ = server.kill();
    let _ = server.wait();
    figure
}

/// The pillar of a whole fleet at once, and a ping meanwhile.
pub fn pillar(options: &Options) -> Vec<Row> {
    let count = if options.quick { 200 } else { 10_000 };
    let mut top = String::from("base:\n  '*':\n");
    let mut files = Vec::new();
    for n in 0..20 {
        let _ = writeln!(top, "    - p{n}");
        let text = format!(
            "part{n}: {{who: {{{{ grains['id'] }}}}, list: [{{% for i in range(5) %}}{{{{ i * {n} }}}}, {{% endfor %}}]}}\n"
        );
        files.push((format!("p{n}.sls"), text));
    }
    files.push(("top.sls".into(), top));
    let mut fleet = served(0, &[], &files);
    start(&mut fleet);
    let (runtime, home) = (Runtime::new().expect("a runtime"), Home::new());
    let _swarm = Swarm::start(&fleet.address(), count, &home, &[]);
    runtime.block_on(until(&fleet, "connected", count, Instant::now()));
    let ping = ["run", "s1", "test.ping", "--out", "quiet"];
    let calm = timed(&fleet, &ping, options.runs(11));
    let (seconds, busy) = std::thread::scope(|scope| {
        let fleet = &fleet;
        let asking = scope.spawn(move || {
            let runtime = Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let mut operator = operator(fleet).await;
                let start = Instant::now();
                let counts = operator.run("*", "pillar.items").await;
                assert_eq!(counts.get(&Outcome::Ok).copied(), Some(count), "{counts:?}");
                start.elapsed().as_secs_f64()
            })
        });
        let mut busy = Vec::new();
        while !asking.is_finished() {
            let start = Instant::now();
            assert_eq!(fleet.ctl(&ping).code, 0);
            busy.push(start.elapsed().as_secs_f64());
        }
        (asking.join().expect("all were answered"), busy)
    });
    let busy = Figure::of(busy);
    vec![
        Row {
            what: format!("the pillar of {count} minions with 20 SLS each, compiled and handed out"),
            unit: "s",
            ours: Figure::one(seconds),
            goal: at_most(60.0),
            peers: Vec::new(),
        },
        Row {
            what: "`ctl run s1 test.ping` meanwhile, against before".into(),
            unit: "times as slow",
            ours: Figure::one(busy.median / calm.median),
            goal: at_most(2.0),
            peers: vec![("before, ms".into(), calm.times(1e3)), ("meanwhile, ms".into(), busy.times(1e3))],
        },
    ]
}
