//! Many minions' runs of states on one screen: what failed and where first, what changed and on how
//! many, each once, and a summary like Salt's. A state that differs from minion to minion only in
//! the minion's own name counts as the same.

use std::{collections::BTreeSet, fmt::Write as _};

use anstyle::Style;
use indexmap::IndexMap;
use proto::Value;

use super::{
    highstate::{self, Summary, plural},
    nested,
    table::cut,
};
use crate::term::{self, BAD, BOLD, CHANGED, DIM, GOOD, VALUE, paint};

/// One minion's run.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    pub minion: &'a str,
    pub value: &'a Value,
    pub good: bool,
}

/// Rows of a kind that are shown.
const ROWS: usize = 8;
/// Lines of changes that all rows together may take.
const LINES: usize = 30;

/// Everything, in some sixty lines, or without bounds where `all` is asked for.
pub fn render(runs: &[Run<'_>], all: bool) -> String {
    let mut text = String::new();
    let troubles = group(runs.iter().filter_map(first_trouble));
    let changes = group(runs.iter().flat_map(changes));
    if !troubles.is_empty() {
        let minions = runs.iter().filter(|run| first_trouble(run).is_some()).count();
        text += &section(BAD, &format!("failed first on {}", plural(minions, "minion")), &troubles, all);
    }
    let (planned, done): (Vec<Group>, Vec<Group>) = changes.into_iter().partition(|group| group.planned);
    for (style, title, groups) in [(VALUE, "would change", planned), (CHANGED, "changed", done)] {
        if !groups.is_empty() {
            let minions: BTreeSet<&str> = groups.iter().flat_map(|group| group.minions.iter().copied()).collect();
            text += &section(style, &format!("{title} on {}", plural(minions.len(), "minion")), &groups, all);
        }
    }
    text + &summary(runs)
}

/// One thing that happened to a state of one minion.
struct Item<'a> {
    minion: &'a str,
    /// What makes it the same elsewhere.
    state: String,
    detail: String,
    /// For people: `conf  file.managed /etc/x`, and where it is written.
    head: String,
    place: String,
    body: String,
    planned: bool,
}

/// The same thing on several minions.
struct Group<'a> {
    head: String,
    place: String,
    planned: bool,
    minions: Vec<&'a str>,
    /// By what came of it.
    variants: IndexMap<String, Variant<'a>>,
}

/// What came of it on the first of some minions, and on how many it was the same.
struct Variant<'a> {
    body: String,
    first: &'a str,
    count: usize,
}

impl Variant<'_> {
    fn shown(&self) -> String {
        let body = if self.count > 1 { without(&self.body, self.first) } else { self.body.clone() };
        term::clean(&body)
    }
}

fn group<'a>(items: impl Iterator<Item = Item<'a>>) -> Vec<Group<'a>> {
    let mut groups: IndexMap<(String, bool), Group<'a>> = IndexMap::new();
    for item in items {
        let group = groups.entry((item.state, item.planned)).or_insert_with(|| Group {
            head: item.head.clone(),
            place: item.place.clone(),
            planned: item.planned,
            minions: Vec::new(),
            variants: IndexMap::new(),
        });
        group.minions.push(item.minion);
        if group.minions.len() == 2 {
            group.head = without(&group.head, group.minions[0]);
        }
        let (body, first) = (item.body, item.minion);
        group.variants.entry(item.detail).or_insert(Variant { body, first, count: 0 }).count += 1;
    }
    let mut groups: Vec<Group<'a>> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.minions.len()));
    groups
}

/// The first state that failed by its own fault, or what kept all of them from running.
fn first_trouble<'a>(run: &Run<'a>) -> Option<Item<'a>> {
    let Value::Object(states) = run.value else {
        return (!run.good).then(|| refusal(run));
    };
    let failed = states.iter().filter(|(_, state)| highstate::failed(state));
    let own = |(_, state): &(&String, &Value)| !comment(state).starts_with("One or more requisite failed");
    let number = |(_, state): &(&String, &Value)| state.get("__run_num__").and_then(Value::as_u64);
    let first = failed.clone().filter(own).min_by_key(number).or_else(|| failed.clone().min_by_key(number));
    let Some((key, state)) = first else { return (!run.good && !highstate::fits(run.value)).then(|| refusal(run)) };
    let more = match failed.count() - 1 {
        0 => String::new(),
        more => format!("\n(and {} failed after it)", plural(more, "state")),
    };
    let mut why = comment(state).to_owned();
    // A command's own words say more than that it was run.
    if state.get("changes").is_some_and(highstate::changed) {
        let mut changes = state.get("changes").cloned().unwrap_or_default();
        if let Value::Object(changes) = &mut changes {
            changes.shift_remove("pid");
        }
        why = format!("{why}\n{}", shown(&changes));
    }
    Some(item(run.minion, key, state, without(&why, run.minion), why + &more))
}

/// A run that did not come to its states.
fn refusal<'a>(run: &Run<'a>) -> Item<'a> {
    let body = match run.value {
        Value::Array(errors) => errors.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n"),
        Value::String(text) => text.clone(),
        // So Salt writes down who did not return.
        Value::Bool(false) => "it gave no answer".into(),
        other => other.to_string(),
    };
    Item {
        minion: run.minion,
        state: "nothing was applied".into(),
        detail: without(&body, run.minion),
        head: "nothing was applied".into(),
        place: String::new(),
        body,
        planned: false,
    }
}

fn changes<'a>(run: &Run<'a>) -> Vec<Item<'a>> {
    let states = run.value.as_object().into_iter().flatten();
    let changed = states.filter(|(_, state)| {
        !highstate::failed(state) && (state.get("changes").is_some_and(highstate::changed) || planned(state))
    });
    changed
        .map(|(key, state)| {
            let mut changes = state.get("changes").cloned().unwrap_or_default();
            if let Value::Object(changes) = &mut changes {
                changes.shift_remove("pid");
            }
            let detail = without(&changes.to_string(), run.minion);
            item(run.minion, key, state, detail, shown(&changes))
        })
        .collect()
}

fn planned(state: &Value) -> bool {
    state.get("result") == Some(&Value::Null)
}

fn comment(state: &Value) -> &str {
    state.get("comment").and_then(Value::as_str).unwrap_or_default()
}

fn item<'a>(minion: &'a str, key: &str, state: &Value, detail: String, body: String) -> Item<'a> {
    let parts: Vec<&str> = key.split("_|-").collect();
    let (module, id, name, function) = match parts[..] {
        [module, id, name, function] => (module, id, name, function),
        _ => ("", key, key, ""),
    };
    let head = match name == id {
        true => format!("{module}.{function} {id}"),
        false => format!("{module}.{function} {id}: {name}"),
    };
    Item {
        minion,
        state: without(key, minion),
        detail,
        head: term::clean(&head).replace('\n', " "),
        place: highstate::place(state).map(term::clean).unwrap_or_default(),
        body,
        planned: planned(state),
    }
}

/// Changes in few lines: a diff as it is, `old → new`, the rest as nested text.
fn shown(changes: &Value) -> String {
    match changes.as_object() {
        Some(map) if map.len() == 1 && map.contains_key("diff") => {
            let diff = map["diff"].as_str().unwrap_or_default();
            diff.lines().filter(|line| !matches!(*line, "--- " | "+++ " | "---" | "+++")).collect::<Vec<_>>().join("\n")
        }
        Some(map) => {
            let says = |(key, value): &(&String, &Value)| match value {
                Value::String(text) => !text.is_empty(),
                Value::Number(code) => key.as_str() != "retcode" || code.as_i64() != Some(0),
                _ => true,
            };
            let said: proto::Map = map.iter().filter(says).map(|(key, value)| (key.clone(), value.clone())).collect();
            anstream::adapter::strip_str(&nested::body(&Value::Object(said))).to_string()
        }
        None => anstream::adapter::strip_str(&nested::body(changes)).to_string(),
    }
}

/// A text with the minion's own name taken out, where it stands as a word.
pub fn without(text: &str, minion: &str) -> String {
    let is_name = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if minion.len() < 3 || !text.contains(minion) {
        return text.to_owned();
    }
    let (mut out, mut from) = (String::new(), 0);
    for (at, _) in text.match_indices(minion) {
        let end = at + minion.len();
        let bounded = !text[..at].ends_with(is_name) && !text[end..].starts_with(is_name);
        if bounded && at >= from {
            out += &text[from..at];
            out += "{id}";
            from = end;
        }
    }
    out + &text[from..]
}

fn section(style: Style, title: &str, groups: &[Group<'_>], all: bool) -> String {
    let rows = if all { usize::MAX } else { ROWS };
    let lines = if all { usize::MAX } else { (LINES / groups.len().min(ROWS)).clamp(2, 16) };
    let mut text = format!("{}\n", paint(style.bold(), title));
    for group in groups.iter().take(rows) {
        text += &row(style, group, lines);
    }
    if groups.len() > rows {
        let _ = writeln!(text, "  … and {} (-v shows all)", plural(groups.len() - rows, "more state"));
    }
    text + "\n"
}

fn row(style: Style, group: &Group<'_>, lines: usize) -> String {
    let place = if group.place.is_empty() { String::new() } else { format!("  {}", paint(DIM, &group.place)) };
    let mut text = format!("  {}{place}\n", paint(style, cut(&group.head, 100)));
    let _ = writeln!(text, "    {}", paint(BOLD, term::clean(&some(&group.minions))));
    let Some(most) = group.variants.values().max_by_key(|variant| variant.count) else { return text };
    let body = most.shown();
    let shown: Vec<&str> = body.trim_end().lines().filter(|line| !line.trim().is_empty()).collect();
    for line in shown.iter().take(lines) {
        let _ = writeln!(text, "      {}", coloured(line));
    }
    if shown.len() > lines {
        let _ = writeln!(
            text,
            "      {}",
            paint(DIM, format!("… {} (-v shows all)", plural(shown.len() - lines, "more line")))
        );
    }
    if let Some(rest) = differently(group, most.count) {
        let _ = writeln!(text, "      {}", paint(DIM, rest));
    }
    text
}

/// How the others of a group differ from what is shown.
fn differently(group: &Group<'_>, same: usize) -> Option<String> {
    let others = group.minions.len() - same;
    match group.variants.len() {
        1 => None,
        _ if same == 1 => Some(format!("(on one of them; on {others} it is different)")),
        2 => Some(format!("(so on {same}; {others} in another way)")),
        many => Some(format!("(so on {same}; {others} in {} other ways)", many - 1)),
    }
}

fn coloured(line: &str) -> String {
    match line.as_bytes().first() {
        Some(b'+') => paint(GOOD, line),
        Some(b'-') if !line.starts_with("-----") => paint(BAD, line),
        Some(b'@') => paint(CHANGED, line),
        _ => line.to_owned(),
    }
}

/// `118 minions: web1, web2, web3 …`, within a line.
fn some(minions: &[&str]) -> String {
    const NAMED: usize = 4;
    let named = minions.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match minions.len() {
        0..=NAMED => named,
        many => format!("{many} minions: {named} and {} more", many - NAMED),
    }
}

fn summary(runs: &[Run<'_>]) -> String {
    let all: Vec<_> =
        runs.iter().filter(|run| highstate::fits(run.value)).filter_map(|run| run.value.as_object()).collect();
    if all.is_empty() {
        return String::new();
    }
    let summary = Summary::of(all.iter().flat_map(|states| states.values()));
    summary.render(&plural(all.len(), "minion")).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plain(runs: &[(String, Value)], all: bool) -> String {
        let runs: Vec<Run> = runs
            .iter()
            .map(|(minion, value)| Run {
                minion,
                value,
                good: value.is_object() && !value.to_string().contains(":false"),
            })
            .collect();
        anstream::adapter::strip_str(&render(&runs, all)).to_string()
    }

    fn state(result: Value, number: usize, changes: Value, comment: &str) -> Value {
        json!({"result": result, "changes": changes, "comment": comment, "__run_num__": number, "__sls__": "web",
               "__place__": format!("web/init.sls:{}:3", number + 1), "start_time": "10:00:00.1", "duration": 1.5})
    }

    /// A run of `states` states on minion `n`; each hundredth minion fails, the files name their host.
    fn run(n: usize, states: usize, planned: bool) -> (String, Value) {
        let id = format!("web{n}");
        let done = if planned { Value::Null } else { json!(true) };
        let mut all = proto::Map::new();
        for number in 0..states {
            let key = format!("file_|-conf{number}_|-/etc/conf{number}_|-managed");
            let value = match number {
                0 => state(done.clone(), 0, json!({"diff": "--- \n+++ \n@@ -1 +1 @@\n-port = 80\n+port = 8080\n"}), ""),
                1 => state(
                    done.clone(),
                    1,
                    json!({"diff": format!("--- \n+++ \n@@ -1 +1 @@\n-old\n+host = {id}\n")}),
                    "",
                ),
                2 if n.is_multiple_of(100) => state(json!(false), 2, json!({}), "The disk is full"),
                3 if n.is_multiple_of(100) => {
                    state(json!(false), 3, json!({}), "One or more requisite failed: web.conf2")
                }
                4 if n % 7 == 3 => state(done.clone(), 4, json!({"mode": format!("06{n:02}")}), ""),
                _ => state(json!(true), number, json!({}), "in the correct state"),
            };
            all.insert(key, value);
        }
        (id, Value::Object(all))
    }

    #[test]
    fn a_thousand_minions_fit_a_screen() {
        let mut runs: Vec<_> = (1..=1000).map(|n| run(n, 30, false)).collect();
        runs[41].1 = json!(["SLS web does not exist in the environment base"]);
        let text = plain(&runs, false);
        assert!(text.lines().count() <= 60, "{text}");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn a_plan_is_the_same_screen() {
        let runs: Vec<_> = (1..=9).map(|n| run(n, 10, true)).collect();
        insta::assert_snapshot!(plain(&runs, false));
    }

    #[test]
    fn many_different_things_are_bounded_unless_all_is_asked_for() {
        let states = |n: usize| {
            let one = |k: usize| {
                (
                    format!("cmd_|-c{k}_|-c{k}_|-run"),
                    state(json!(true), k, json!({"stdout": format!("{n}\n").repeat(50)}), ""),
                )
            };
            (format!("host{n}"), Value::Object((0..60).map(one).collect()))
        };
        let runs: Vec<_> = (0..5).map(states).collect();
        let (short, long) = (plain(&runs, false), plain(&runs, true));
        assert!(short.lines().count() < 80 && short.contains("… and 52 more states"), "{short}");
        assert!(long.lines().count() > 60 * 50);
    }

    #[test]
    fn a_minions_own_name_makes_no_difference() {
        assert_eq!(without("/srv/web1/web10/web1.conf web1", "web1"), "/srv/{id}/web10/{id}.conf {id}");
        assert_eq!(without("a b a", "a"), "a b a");
    }
}
