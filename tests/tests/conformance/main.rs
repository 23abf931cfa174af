//! Our compiler against real Salt's answers, which are kept in `conformance/golden`.
//!
//! `conformance/refresh.py` asks Salt again. A case that differs fails, unless
//! `conformance/differences.toml` names it with a reason; at most 2 % may be named.
//! `conformance/items.txt` lists what must have a case.

mod listed;
mod score;
mod site;
mod yaml;

use std::collections::HashMap;

use proto::{Args, Map, Value};
use score::Score;
use site::{Site, folder, read_json, read_yaml};

fn call_of(text: &str) -> (&str, Args) {
    match text.split_once(' ') {
        Some((function, sls)) => (function, Args::positional([Value::from(sls)])),
        None if text == "pillar.items" => (text, Args::default().with("unmask", true)),
        None => (text, Args::default()),
    }
}

#[test]
fn we_compile_what_salt_compiles() {
    let mut score = Score::default();
    let site = Site::bare();
    for (golden, pipe) in [("jinja.json", "jinja"), ("filters.json", "jinja"), ("yaml.json", "yaml")] {
        for (line, salt) in read_json(golden) {
            let args = Args::default().with("string", line.replace('⏎', "\n")).with("default_renderer", pipe);
            score.compare(format!("{pipe}: {line}"), &salt, site.call("slsutil.renderer", args));
        }
    }
    for (tree, answers) in read_json("trees.json") {
        compare_tree(&mut score, &tree, answers.as_object().unwrap());
    }
    score.finish();
}

/// A call is `FUNCTION [SLS][@PLATFORM]`.
fn compare_tree(score: &mut Score, tree: &str, answers: &Map) {
    let base = folder().join("trees").join(tree);
    let platforms = read_yaml(&folder().join("platforms.yaml"));
    let mut sites: HashMap<&str, Site> = HashMap::new();
    for (call, salt) in answers {
        let (text, platform) = call.split_once('@').unwrap_or((call, ""));
        let site = sites.entry(platform).or_insert_with(|| {
            let mut config = read_yaml(&base.join("config.yaml"));
            if config.shift_remove("platforms").is_some() {
                config.insert("grains".into(), platforms[platform].clone());
            }
            Site::new(&base, config)
        });
        let (function, args) = call_of(text);
        score.compare(format!("{tree}: {call}"), salt, site.call(function, args));
    }
}
