use proptest::prelude::*;
use serde_json::json;

use super::*;

fn map(value: Value) -> Map {
    value.as_object().unwrap().clone()
}

fn grains() -> Map {
    map(json!({
        "os": "Debian", "osfullname": "Debian GNU/Linux", "num_cpus": 4, "selinux": {"enabled": false},
        "ipv4": ["127.0.0.1", "10.1.2.3"], "ipv6": ["::1", "2001:db8::5"],
        "roles": ["web", "Cache"], "path": "a:b", "empty": {},
        "disks": {"sda": {"size": 100, "ssd": true}, "sdb": {"size": 200}},
        "nested": [{"name": "one"}, {"name": "two", "deep": {"x": "y"}}],
    }))
}

fn is(target: &str) -> bool {
    let grains = grains();
    let pillar = map(json!({"role": "db", "users": {"alice": {"shell": "zsh"}}}));
    let subject = Subject { pillar: Some(&pillar), ..Subject::new("web1.example.org", &grains) };
    Target::parse(target).unwrap_or_else(|error| panic!("{error}")).matches(&subject)
}

#[test]
fn commas_alone_name_nobody() {
    for text in [",", ",,", ",\n\n\n", "web1 or ,"] {
        assert_eq!(Target::parse(text).unwrap_err().problem, Problem::Empty, "{text:?}");
    }
    assert_eq!(Target::parse("web1,").unwrap().to_string(), "web1");
}

/// Found by fuzzing: such words were taken as globs that match nobody, and could not be read back.
#[test]
fn only_ids_stand_between_commas() {
    for (text, part) in
        [("web1,G@os:Debian", "G@os:Debian"), (",and", "and"), ("\t),", ")"), ("a)b,c()", "a)b"), ("web*,not", "not")]
    {
        assert_eq!(Target::parse(text).unwrap_err().problem, Problem::NotAnId(part.into()), "{text:?}");
    }
    let blanks = Target::from_flag('L', "web 1, web2").unwrap();
    assert_eq!(Target::parse(&blanks.to_string()).unwrap(), blanks);
}

#[test]
fn words() {
    for yes in [
        "*",
        "web*",
        "web1.example.org",
        "db1,web1.example.org",
        "db*,web*",
        "L@db1,web1.example.org",
        "web[1,2].*",
        r"E@web\d+",
        "E@web(1|2)",
        r"E@(?=web).*org$",
        "S@10.0.0.0/8",
        "S@10.1.2.3",
        "S@2001:db8::/32",
        "S@2001:db8:0::5",
        "I@role:db",
        "I@users:alice:shell:z*",
        "J@role:d.$",
        "P@os:(Debian|Ubuntu)",
        "G@os:debian",
    ] {
        assert!(is(yes), "{yes}");
    }
    for no in [
        "web2*",
        "L@web*",
        "E@eb",
        "E@web2",
        "S@192.168.0.0/16",
        "S@10.1.2.4",
        "I@role:web",
        "P@os:ubuntu",
        "web{1,2}.example.org",
        "db1,db2",
    ] {
        assert!(!is(no), "{no}");
    }
}

/// Each of these was put to Salt 3008's own `subdict_match` with the same data.
#[test]
fn grains_match_as_in_salt() {
    for yes in [
        "G@os:Deb*",
        "G@os:*",
        "G@num_cpus:4",
        "G@selinux:enabled:False",
        "G@selinux:enabled:f*",
        "G@roles:web",
        "G@roles:cache",
        "G@roles:c*",
        "G@path:a:b",
        "G@disks:sda",
        "G@disks:sd?",
        "G@disks:sda:size:100",
        "G@disks:*",
        "G@disks:*:size:200",
        "G@disks:*:size",
        "G@nested:name:one",
        "G@nested:1:name:two",
        "G@nested:-1:name:two",
        "G@nested:name:two",
        "G@*:sda",
        "G@*:debian",
        "G@nested:0:name:*",
        "G|@os|Debian",
        "P|@os|^deb",
        "G@*:*:size:100",
    ] {
        assert!(is(yes), "{yes}");
    }
    for no in [
        "G@os:ebian",
        "G@empty:*",
        "G@absent:*",
        "G@roles:we",
        "G@disks:sdc",
        "G@disks:sda:size:200",
        "G@nested:5:name:*",
        "G@os:Debian:x",
        "P@disks:sd[ab]:size:2",
        "G@disks:s*:size",
    ] {
        assert!(!is(no), "{no}");
    }
}

#[test]
fn operators() {
    for yes in [
        "web* and G@os:Debian",
        "db* or web*",
        "not db*",
        "web* not db*",
        "web* and not db*",
        "db* and db* or web*",
        "web* or db* and db*",
        "( db* or web* ) and G@os:Debian",
        "(db* or web*) and G@os:Debian",
        "not ( db* or mail* )",
        "not (db* or mail*)",
        "((web*))",
        "(E@web(1|2) or db*)",
        "G@'osfullname:Debian GNU/Linux'",
        "(G@\"osfullname:debian gnu*\" and web*)",
    ] {
        assert!(is(yes), "{yes}");
    }
    for no in [
        "not web*",
        "db* and web* or mail*",
        "web* and not ( web1* or db* )",
        "not web* or db*",
        "not G@os:Debian and web*",
    ] {
        assert!(!is(no), "{no}");
    }
}

fn error(text: &str) -> (usize, Problem) {
    let error = Target::parse(text).unwrap_err();
    (error.column, error.problem)
}

#[test]
fn errors_name_the_column() {
    assert_eq!(error(""), (1, Problem::Empty));
    assert_eq!(error("   "), (1, Problem::Empty));
    assert_eq!(error("and web*"), (1, Problem::NothingBefore("and".into())));
    assert_eq!(error("web* and"), (6, Problem::NothingBehind("and".into())));
    assert_eq!(error("web* or or db*"), (9, Problem::NothingBefore("or".into())));
    assert_eq!(error("web* db*"), (6, Problem::NoOperator("db*".into())));
    assert_eq!(error("web* and (db*"), (10, Problem::Open));
    assert_eq!(error("( web* or ) and x"), (8, Problem::NothingBehind("or".into())));
    assert_eq!(error("()"), (1, Problem::Open));
    assert_eq!(error("web*)"), (5, Problem::Close));
    assert_eq!(error(")"), (1, Problem::Close));
    assert_eq!(error("a and not not b"), (7, Problem::NothingBehind("not".into())));
    assert_eq!(error("é and G@os"), (7, Problem::NoValue('G', ':')));
    assert_eq!(error("x and S@10.0.0.1/8"), (7, Problem::Net("10.0.0.1/8".into())));
    assert_eq!(error("S@web"), (1, Problem::Net("web".into())));
    assert_eq!(error("R@%cluster"), (1, Problem::Engine('R')));
    assert_eq!(error("E@"), (1, Problem::NoPattern('E')));
    assert_eq!(error("L@,"), (1, Problem::NoPattern('L')));
    assert_eq!(error("G@'os:x"), (1, Problem::Quote));
    assert!(matches!(error("E@web(1"), (1, Problem::Regex(_))));
    assert!(matches!(error("a or P@os:(x"), (6, Problem::Regex(_))));
}

#[test]
fn errors_have_hints_and_full_text() {
    let error = Target::parse("web* db*").unwrap_err();
    assert_eq!(error.to_string(), "target 'web* db*', column 6: `and` or `or` is missing before `db*`");
    assert_eq!(error.hint(), Some("write `A and B` for both, `A or B` or `A,B` for either"));
    for text in ["", "(a", "G@os", "I@x", "E@(", "S@x", "R@x", "T@x"] {
        assert!(Target::parse(text).unwrap_err().hint().is_some(), "{text:?}");
    }
}

#[test]
fn old_flags_mean_the_prefix() {
    let same = |flag, text: &str, long: &str| {
        assert_eq!(Target::from_flag(flag, text).unwrap(), Target::parse(long).unwrap());
    };
    same('G', "os:Debian", "G@os:Debian");
    same('G', "osfullname:Red Hat", "G@'osfullname:Red Hat'");
    same('E', "web(1|2)", "E@web(1|2)");
    same('L', "a, b", "L@a,b");
    same('S', "10.0.0.0/8", "S@10.0.0.0/8");
    same('N', "group1", "N@group1");
    same('C', "a or b", "a or b");
    assert_eq!(Target::from_flag('Z', "x").unwrap_err().problem, Problem::Flag('Z'));
}

#[test]
fn the_canonical_text_is_the_same_target() {
    for (text, canonical) in [
        ("a  or   b", "a or b"),
        ("(a or b) and c", "( a or b ) and c"),
        ("((a)) not b", "a and not b"),
        ("not (a and b)", "not ( a and b )"),
        ("a or (b and c)", "a or b and c"),
        ("(a or b) or c", "( a or b ) or c"),
        ("a,b*", "a,b*"),
        ("a,b", "L@a,b"),
        ("G|@os|x", "G|@os|x"),
        ("E@'a b'", "E@'a b'"),
        ("E@'it''s a'", "E@'it''s a'"),
        ("S@::1", "S@::1"),
    ] {
        let once = Target::parse(text).unwrap().to_string();
        let inner = if canonical == "( a or b ) or c" { "a or b or c" } else { canonical };
        assert!(once == canonical || once == inner, "{text}: {once}");
        assert_eq!(Target::parse(&once).unwrap().to_string(), once);
    }
}

#[test]
fn nodegroups_nest_and_never_loop() {
    let groups = |value| Nodegroups::parse(&map(value));
    let good = groups(json!({
        "web": "web* or www*", "ids": ["db1", "db2"], "both": "N@web and not N@ids", "words": ["web*", "and", "G@os:Debian"],
    }))
    .unwrap();
    let grains = grains();
    let subject = Subject { nodegroups: Some(&good), ..Subject::new("web1", &grains) };
    for (target, expected) in
        [("N@web", true), ("N@ids", false), ("N@both", true), ("N@words", true), ("N@web and db*", false)]
    {
        assert_eq!(Target::parse(target).unwrap().matches(&subject), expected, "{target}");
    }
    let circle = groups(json!({"a": "N@b", "b": "x or N@c", "c": "N@a"})).unwrap_err();
    assert_eq!(circle.problem, Problem::GroupLoop("a → b → c → a".into()));
    assert_eq!(groups(json!({"a": "N@a"})).unwrap_err().problem, Problem::GroupLoop("a → a".into()));
    assert_eq!(groups(json!({"a": 5})).unwrap_err().problem, Problem::GroupForm("a".into()));
    let unknown = Target::parse("x or N@wbe").unwrap().check_groups(&good).unwrap_err();
    assert_eq!((unknown.column, unknown.problem.clone()), (6, Problem::NoGroup("wbe".into())));
    assert_eq!(unknown.hint(), Some("did you mean web?"));
}

#[test]
fn what_is_not_known_is_left_open() {
    let grains = grains();
    let subject = Subject::new("web1", &grains);
    for (target, matches, may) in [
        ("I@role:db", false, true),
        ("not I@role:db", false, true),
        ("I@role:db or web*", true, true),
        ("I@role:db and web*", false, true),
        ("I@role:db and db*", false, false),
        ("N@group", false, true),
        ("db*", false, false),
    ] {
        let target = Target::parse(target).unwrap();
        assert_eq!((target.matches(&subject), target.may_match(&subject)), (matches, may), "{target}");
    }
}

#[test]
fn nobody_has_hints() {
    let ids: Vec<String> =
        (1..=12).map(|n| format!("web{n}")).chain(["db1".into(), "mail.example.org".into()]).collect();
    let near =
        |target: &str| Target::parse(target).unwrap().nearest(ids.iter().map(String::as_str)).map(|n| n.to_string());
    assert_eq!(near("wbe*").as_deref(), Some("12 minions match 'web*'."));
    assert_eq!(near("mail*").as_deref(), Some("1 minion matches 'mail*'."));
    assert_eq!(near("we1").as_deref(), Some("did you mean web1?"));
    assert_eq!(near("zzzzzzz*"), None);
    assert_eq!(near("G@os:x"), None);
}

#[test]
fn bounds() {
    assert_eq!(Target::parse(&"a".repeat(600_000)).unwrap_err().problem, Problem::TooLong);
    assert_eq!(error(&"(".repeat(100)).1, Problem::TooMuch);
    assert_eq!(error(&"not ( ".repeat(100)).1, Problem::TooMuch);
    assert_eq!(error(&vec!["E@a"; 100].join(" or ")).1, Problem::TooMuch);
    assert_eq!(error(&format!("G@{}", "a:".repeat(50))).1, Problem::TooMuch);
    assert!(matches!(error("E@(a{1000}){1000}").1, Problem::Regex(_)));
    let ids = (0..10_000).map(|n| format!("minion-{n}.example.org")).collect::<Vec<_>>().join(",");
    let grains = Map::new();
    assert!(Target::parse(&ids).unwrap().matches(&Subject::new("minion-9999.example.org", &grains)));
    // A pattern that would take for ever gives up, and matches nobody.
    let evil = Target::parse(r"E@(a|a?)+(?=x)y").unwrap();
    assert!(!evil.matches(&Subject::new(&"a".repeat(200), &grains)));
}

proptest! {
    #[test]
    fn any_text_is_a_target_or_an_error(text in ".{0,60}") {
        let _ = Target::parse(&text);
    }

    #[test]
    fn words_in_any_order(words in proptest::collection::vec(
        prop_oneof!["and", "or", "not", r"\(", r"\)", "web\\*", "G@os:D\\*", "E@w(e|b)", "a,b", "N@g", "G@'a:b c'"], 0..12
    )) {
        if let Ok(target) = Target::parse(&words.join(" ")) {
            let text = target.to_string();
            let again = Target::parse(&text).unwrap();
            prop_assert_eq!(again.to_string(), text);
            let grains = grains();
            let subject = Subject::new("web1", &grains);
            prop_assert_eq!(again.matches(&subject), target.matches(&subject));
        }
    }
}

/// Random data and expressions, and what Salt 3008.3's `subdict_match` said of them.
#[test]
fn what_salt_said() {
    let cases: Vec<(String, Map, bool)> = serde_json::from_str(include_str!("subdict_match.json")).unwrap();
    assert!(cases.len() > 100);
    for (target, data, expected) in cases {
        let (prefix, expression) = target.split_once('@').unwrap();
        let delimiter = prefix.chars().nth(1).unwrap_or(':');
        let parsed = data::DataMatch::new(prefix.chars().next().unwrap(), delimiter, expression).unwrap();
        assert_eq!(parsed.decide(&Subject::new("x", &data)), Some(expected), "{target} {data:?}");
    }
}

/// Random compound targets, and what Salt 3008.3's `compound_match` said of them.
#[test]
fn what_salt_said_of_compounds() {
    let cases: Vec<(String, bool)> = serde_json::from_str(include_str!("compound_match.json")).unwrap();
    let grains = map(json!({
        "os": "Debian", "roles": ["web", "Cache"], "ipv4": ["127.0.0.1", "10.1.2.3"], "ipv6": ["::1"],
        "disks": {"sda": {"size": 100}},
    }));
    let pillar = map(json!({"role": "db"}));
    let groups = Nodegroups::parse(&map(json!({"g1": "web*", "g2": "( N@g1 and G@os:Debian )"}))).unwrap();
    let known =
        Subject { pillar: Some(&pillar), nodegroups: Some(&groups), ..Subject::new("web1.example.org", &grains) };
    assert!(cases.len() > 100);
    for (text, expected) in cases {
        assert_eq!(Target::parse(&text).unwrap().matches(&known), expected, "{text}");
    }
}
