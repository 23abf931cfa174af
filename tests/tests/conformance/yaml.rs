//! Scalars and documents made up, as Salt's loader and ours read them. What once differed is kept
//! in `cases/yaml.txt`, which needs no Salt.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use proptest::{
    collection::vec,
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use proto::{Args, Value};

use crate::{
    score::same,
    site::{Site, folder},
};

/// Parts of numbers, booleans, times, marks and words: where the dialects differ.
const PARTS: &[&str] = &[
    "0",
    "1",
    "7",
    "8",
    "9",
    "00",
    "12",
    "60",
    "0x",
    "0b",
    "0o",
    "x1F",
    "_",
    ".",
    "..",
    ":",
    "+",
    "-",
    "e",
    "E",
    "e+2",
    "e-3",
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "true",
    "False",
    "null",
    "~",
    "Null",
    "none",
    "=",
    "<<",
    "a",
    "b c",
    "é",
    " ",
    "  ",
    "#",
    " #",
    ": ",
    " :",
    "- ",
    "?",
    "!",
    "@",
    "`",
    "%",
    "&",
    "*",
    "'",
    "\"",
    "\\",
    "|",
    ">",
    "[",
    "]",
    "{",
    "}",
    ",",
    ", ",
    "2026-01-02",
    "10:11:12",
    "T",
    "Z",
    "{{",
    "}}",
    "\t",
];

fn scalar() -> BoxedStrategy<String> {
    let number = "[-+]?[0-9][0-9_]{0,4}([.:][0-9_]{0,3}){0,3}([eE][-+]?[0-9]{1,2})?";
    prop_oneof![vec(select(PARTS), 0..5).prop_map(|parts| parts.concat()), number, plain(), quoted()].boxed()
}

fn plain() -> BoxedStrategy<String> {
    prop_oneof![
        "[a-z]{1,6}",
        select(vec!["5", "yes", "~", "0644", "1.5", "x y", "''", "a:b", "-1", "3:4"]).prop_map(str::to_owned)
    ]
    .boxed()
}

fn quoted() -> BoxedStrategy<String> {
    let escape = r#"[nt\\"/0e ]|x4[1-9]|u00e9|[qz]"#;
    let single = "([a-z :#]|''){0,6}".prop_map(|text| format!("'{text}'"));
    let double = vec(prop_oneof!["[a-z :#']{1,3}", escape.prop_map(|code| format!("\\{code}"))], 0..4);
    prop_oneof![single, double.prop_map(|parts| format!("\"{}\"", parts.concat()))].boxed()
}

/// A value as the lines it takes, to be indented by whoever holds it.
fn block() -> BoxedStrategy<Vec<String>> {
    let leaf = prop_oneof![
        6 => plain().prop_map(|text| vec![text]),
        3 => scalar().prop_map(|text| vec![text]),
        2 => flow().prop_map(|text| vec![text]),
        1 => literal(),
        1 => (select(vec!["!!str ", "!!int ", "!!bool ", "!!float ", "!!null ", "!!seq ", "! ", "&x ", "*x"]), plain())
            .prop_map(|(mark, text)| vec![if mark.starts_with('*') { mark.to_owned() } else { format!("{mark}{text}") }]),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| prop_oneof![mapping(inner.clone()), sequence(inner)]).boxed()
}

fn literal() -> BoxedStrategy<Vec<String>> {
    let head = select(vec!["|", ">", "|-", ">-", "|+", ">+", "|2", ">1-"]);
    // Blank lines do not begin a block: where they are longer than the text behind them, PyYAML
    // reads a comment where the parser sees a fault (a case of its own in yaml.txt).
    let lines = vec(prop_oneof!["[a-z#:][a-z #:]{0,5}", Just(String::new()), " {1,2}[a-z]{1,3}"], 0..4);
    (head, lines)
        .prop_map(|(head, lines)| {
            let lines = lines.into_iter().map(|line| if line.is_empty() { line } else { format!("  {line}") });
            std::iter::once(head.to_owned()).chain(lines).collect()
        })
        .boxed()
}

fn flow() -> BoxedStrategy<String> {
    let leaf = prop_oneof![4 => plain(), 1 => quoted(), 1 => scalar()];
    leaf.prop_recursive(2, 8, 3, |inner| {
        let list = vec(inner.clone(), 0..3).prop_map(|items| format!("[{}]", items.join(", ")));
        let pairs = vec((plain(), inner), 0..3).prop_map(|pairs| {
            let pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}: {value}")).collect();
            format!("{{{}}}", pairs.join(", "))
        });
        prop_oneof![list, pairs]
    })
    .boxed()
}

fn mapping(inner: impl Strategy<Value = Vec<String>> + 'static) -> BoxedStrategy<Vec<String>> {
    let key = prop_oneof![8 => "[a-e]{1,2}", 1 => scalar(), 1 => Just("<<".to_owned()), 1 => quoted()];
    let comment = prop_oneof![6 => Just(""), 1 => Just(" # note")];
    vec((key, inner, comment), 1..4)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(key, value, comment)| pair(&key, value, comment)).collect())
        .boxed()
}

fn pair(key: &str, mut value: Vec<String>, comment: &str) -> Vec<String> {
    if value.len() == 1 || value[0].starts_with(['|', '>']) {
        value[0] = format!("{key}: {}{comment}", value[0]);
        return value;
    }
    let rest = value.into_iter().map(|line| if line.is_empty() { line } else { format!("  {line}") });
    std::iter::once(format!("{key}:{comment}")).chain(rest).collect()
}

fn sequence(inner: impl Strategy<Value = Vec<String>> + 'static) -> BoxedStrategy<Vec<String>> {
    let item = |mut lines: Vec<String>| {
        for (index, line) in lines.iter_mut().enumerate() {
            let lead = if index == 0 { "- " } else { "  " };
            *line = if line.is_empty() { String::new() } else { format!("{lead}{line}") };
        }
        lines
    };
    vec(inner, 1..4).prop_map(move |items| items.into_iter().flat_map(item).collect()).boxed()
}

fn documents(seed: u8, count: usize) -> Vec<String> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let scalars = scalar().prop_map(|text| format!("a: {text}\nb: 1"));
    let documents = prop_oneof![2 => scalars, 3 => block().prop_map(|lines| lines.join("\n"))];
    let mut made: Vec<String> = (0..count).map(|_| documents.new_tree(&mut runner).unwrap().current()).collect();
    made.sort();
    made.dedup();
    made
}

/// Salt's answers: the program that writes the golden files reads documents from its input.
fn salts_answers(documents: &[String]) -> Vec<Value> {
    let python = tests::needs::python_with("salt");
    let mut child = Command::new(python)
        .arg(folder().join("refresh.py"))
        .arg("--yaml")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = serde_json::to_vec(documents).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&text).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    serde_json::from_slice(&output.stdout).expect("refresh.py --yaml answers in JSON")
}

/// The documents that differ, with both answers.
fn different(documents: Vec<String>) -> Vec<String> {
    let salt = salts_answers(&documents);
    assert_eq!(salt.len(), documents.len());
    let site = Site::bare();
    let ours = |text: &str| {
        site.call("slsutil.renderer", Args::default().with("string", text).with("default_renderer", "yaml"))
    };
    let differs = |(text, salt): (String, Value)| match (salt.get("ok"), ours(&text)) {
        (Some(salt), Ok(ours)) if same(salt, &ours) => None,
        (None, Err(_)) => None,
        (_, ours) => Some(format!("{}\n  Salt: {salt}\n  ours: {ours:?}", text.replace('\n', "⏎"))),
    };
    documents.into_iter().zip(salt).filter_map(differs).collect()
}

#[test]
#[ignore = "asks real Salt: OVERSTATE_PYTHON names a Python that has it, as tests/run does"]
fn made_up_documents_are_read_as_salt_reads_them() {
    let seed = std::env::var("YAML_SEED").map_or(1, |seed| seed.parse().expect("YAML_SEED is 0 to 255"));
    let documents = documents(seed, 1200);
    let count = documents.len();
    assert!(count >= 400, "{count}");
    let differences = different(documents);
    assert!(differences.is_empty(), "{} of {count} documents differ:\n{}", differences.len(), differences.join("\n"));
}
