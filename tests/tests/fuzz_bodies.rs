//! The bodies of the fuzz targets, for a moment on every change: bytes at random, and real
//! messages with a few bytes changed, which come further. `fuzz/run` looks for longer.

#[path = "../../fuzz/src/lib.rs"]
mod bodies;

use proptest::{collection::vec, prelude::*, sample::Index};
use proto::{
    Args, JobId, Map, Packed, Publish, Request, Return, RunOptions, codec,
    job::Outcome,
    message::{FromMinion, Hello, MinionHello, ToMinion},
    session::{Initiator, Local, Peer},
    sign::{Identity, PUBLISH, REQUEST, StaticKey},
};
use serde_json::json;

/// Messages as they travel.
fn messages() -> Vec<Vec<u8>> {
    let identity = Identity::generate();
    let jid = JobId::from_micros(1_795_260_474_000_042);
    let request = Request {
        nonce: [7; 16],
        operator: "root@host".parse().unwrap(),
        target: "web* and not G@os:Debian".into(),
        function: "cmd.run".parse().unwrap(),
        args: Args::positional([json!("df -h")]).with("cwd", "/"),
        valid_until: u64::MAX,
        options: RunOptions { comment: Some("why".into()), ..RunOptions::default() },
    };
    let signed = identity.sign_value(REQUEST, &request).unwrap();
    let publish = Publish { jid, request: signed.clone(), expires: 1, wave: 0, tree: None, authority: None };
    let ret = Return {
        jid,
        outcome: Outcome::Ok,
        value: json!({"a": [1, 2.5, null, "é"]}),
        retcode: 0,
        started: 1,
        duration: 2,
        truncated: false,
    };
    let hello = MinionHello {
        id: "web1".parse().unwrap(),
        version: "0.1.0".into(),
        token: None,
        grains: Packed::new(&Map::from_iter([("os".to_owned(), json!("Debian"))])).unwrap(),
        now: 1,
        running: vec![jid],
        spooled: vec![],
    };
    let local = Local::new(&identity, StaticKey::generate());
    let ik = Peer { pin: None, known_static: Some(StaticKey::generate().public()) };
    let first = |peer: &Peer| Initiator::start(&local, peer).unwrap().1;
    vec![
        codec::encode(&request).unwrap().to_vec(),
        codec::encode(&publish).unwrap().to_vec(),
        codec::encode(&ret).unwrap().to_vec(),
        codec::encode(&signed).unwrap().to_vec(),
        codec::encode(&Hello::Minion(Box::new(hello))).unwrap().to_vec(),
        codec::encode(&FromMinion::Return { seq: 1, ret: Box::new(ret), received: 0 }).unwrap().to_vec(),
        codec::encode(&ToMinion::Publish { seq: 1, publish: identity.sign_value(PUBLISH, &publish).unwrap() })
            .unwrap()
            .to_vec(),
        first(&Peer::default()),
        first(&ik),
        [&[0xff, 0, 0, 3][..], b"abc", &[0x81, 0, 1], b"d", &[1, 0, 1], b"e"].concat(),
    ]
}

fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let changes = vec((any::<Index>(), any::<u8>()), 0..4);
    (any::<Index>(), changes, any::<Index>()).prop_map(|(which, changes, end)| {
        let all = messages();
        let mut bytes = all[which.index(all.len())].clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() * 4) + 1);
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn frames(bytes in prop_oneof![vec(any::<u8>(), 0..2000), damaged()]) {
        bodies::frame(&bytes);
    }

    #[test]
    fn targets(text in prop_oneof![expressions(), ".{0,60}"]) {
        bodies::target(text.as_bytes());
    }

    #[test]
    fn yaml_texts(text in prop_oneof![changed(include_str!("../conformance/cases/yaml.txt")), "[ -~\n\t]{0,80}"]) {
        bodies::yaml(text.as_bytes());
    }

    #[test]
    fn templates(text in prop_oneof![changed(TEMPLATES), changed(FILTERS), r"[{}% a-z0-9|'.(),\[\]#~:-]{0,80}"]) {
        bodies::template(text.as_bytes());
    }

    #[test]
    fn sls_files(text in changed(SLS)) {
        bodies::sls(text.as_bytes());
    }

    #[test]
    fn thresholds_and_figures(text in prop_oneof![figures(), r"[@~:.0-9eKMs%-]{0,12}", r"[ '=;:@~.,0-9a-eUs%\n-]{0,60}"]) {
        bodies::checks(text.as_bytes());
    }

    #[test]
    fn jobs(bytes in prop_oneof![vec(any::<u8>(), 0..2000), damaged()]) {
        bodies::job(&bytes);
    }
}

const TEMPLATES: &str = include_str!("../conformance/cases/jinja.txt");
const FILTERS: &str = include_str!("../conformance/cases/filters.txt");
/// SLS files, a line each.
const SLS: &str = "\
a:⏎  test.nop:⏎    - require: [{test: b}]⏎    - order: last⏎b:⏎  test.nop:⏎    - watch_in: [{test: a}]
include: [b]⏎extend:⏎  x:⏎    file:⏎      - mode: '0644'⏎␀x:⏎  file.managed:⏎    - names: [/a, {/b: [{mode: 600}]}]⏎    - use: [{file: y}]⏎y:⏎  file.absent: []
{% for i in range(3) %}⏎s{{ i }}:⏎  cmd.run:⏎    - name: echo {{ i }}⏎    - prereq: [{cmd: s{{ (i + 1) % 3 }}}]⏎{% endfor %}
exclude: [{id: p}, {sls: b}]⏎include: [b]⏎q:⏎  pkg.installed:⏎    - listen_in: [{pkg: 'p*'}]⏎␀p: pkg.installed
{% from 'c.jinja' import m with context %}⏎{{ m('a') }}⏎␀␀{% macro m(x) %}⏎{{ x }}:⏎  test.nop:⏎    - v: {{ pillar.web|json }}⏎{% endmacro %}";

/// One of the lines, with a few characters changed.
fn changed(lines: &'static str) -> impl Strategy<Value = String> {
    let lines: Vec<&str> = lines.lines().filter(|line| !line.starts_with("# ")).collect();
    let signs = prop_oneof![
        Just("{{"),
        Just("}}"),
        Just("%}"),
        Just("{%"),
        Just("\n"),
        Just("  "),
        Just(": "),
        Just("- "),
        Just("["),
        Just("}"),
        Just("'"),
        Just("|"),
        Just("*"),
        Just("&"),
        Just("!"),
        Just("9"),
        Just("é")
    ];
    (prop::sample::select(lines), vec((any::<Index>(), signs, any::<bool>()), 0..4)).prop_map(|(line, changes)| {
        let mut signs: Vec<String> = line.replace('⏎', "\n").replace('␀', "\0").chars().map(String::from).collect();
        for (at, sign, instead) in changes.into_iter().filter(|_| !line.is_empty()) {
            let at = at.index(signs.len());
            signs[at] = if instead { sign.to_owned() } else { format!("{}{sign}", signs[at]) };
        }
        signs.concat()
    })
}

/// What plugins print behind their bars, in any order.
fn figures() -> impl Strategy<Value = String> {
    let words = [
        "'a b'", "/var", "=", "''", "'", "12.5", "-1", "1e-05", "U", "%", "KB", ";", "@10:20", "~:5", "1,5", " ", "\n",
        "ü",
    ];
    vec(prop::sample::select(words.to_vec()), 0..24).prop_map(|words| words.concat())
}

/// Words of the target language, in any order.
fn expressions() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("web*"),
        Just("G@os:Debian"),
        Just("G@roles:web*"),
        Just("E@web\\d+"),
        Just("P@os:(Debian|Ubuntu)"),
        Just("L@a,web1"),
        Just("S@10.0.0.0/8"),
        Just("S@::/0"),
        Just("I@role:db"),
        Just("J@deep:er:[12]"),
        Just("N@group"),
        Just("and"),
        Just("or"),
        Just("not"),
        Just("("),
        Just(")"),
        Just("X@y"),
        Just("web[0-9]"),
        Just("a,b"),
        Just("G%@os%Debian"),
        Just("''"),
    ];
    vec(words, 0..9).prop_map(|words| words.join(" "))
}

#[test]
fn undamaged_messages_are_read() {
    for message in messages() {
        bodies::job(&message);
        bodies::frame(&message);
    }
}
