//! How results look. Standard output holds results only; machine formats hold no colour.

pub mod checks;
pub mod fleet;
pub mod highstate;
pub mod nested;
pub mod stages;
pub mod table;

use std::{borrow::Cow, fmt::Write as _, sync::Arc};

use clap::ValueEnum;
use indexmap::IndexMap;
use proto::{Outcome, Value, job::PairEnd};
use serde::{Serialize, Serializer};

use crate::{error::Error, term};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Readable, one block a minion
    Nested,
    /// States as Salt shows them, with a summary
    Highstate,
    /// One object: {minion: return}
    Json,
    /// One object a line and a return, as they come
    Jsonl,
    Yaml,
    /// `id: value`, one line a line
    Txt,
    /// Only the exit code
    Quiet,
    /// Of `ctl check`: as a monitoring plugin
    Nagios,
    /// Of `ctl check`: for Prometheus' textfile collector
    Prometheus,
}

/// Shows the returns of a run as they come.
pub struct Returns {
    format: Format,
    fold: bool,
    /// Show what is usually left out of a run of states.
    all: bool,
    /// Returns that can only be shown together, at the end.
    kept: Vec<Arc<PairEnd>>,
}

impl Returns {
    pub fn new(format: Format, fold: bool, all: bool) -> Self {
        let foldable = matches!(format, Format::Nested | Format::Highstate | Format::Txt);
        Self { format, fold: fold && foldable, all, kept: Vec::new() }
    }

    /// Whether somebody reads along, rather than a program.
    pub fn for_people(&self) -> bool {
        matches!(self.format, Format::Nested | Format::Highstate)
    }

    /// Whether people see nothing before the end.
    pub fn at_the_end(&self) -> bool {
        self.fold
    }

    /// Takes one minion's return in, and gives what is to be shown of it now.
    pub fn add(&mut self, end: &Arc<PairEnd>) -> String {
        if self.fold || self.format == Format::Json {
            self.kept.push(end.clone());
            return String::new();
        }
        block(self.format, end.minion.as_str(), &end.ret.value, good(end), self.all)
    }

    /// What could only be shown at the end, by name.
    pub fn finish(mut self) -> Result<(), Error> {
        self.kept.sort_by(|a, b| a.minion.cmp(&b.minion));
        let text = match self.format {
            Format::Json => json(&ByMinion(&self.kept)),
            _ if self.fold => folded(self.format, &self.kept, self.all),
            _ => return Ok(()),
        };
        Ok(term::result(&text)?)
    }
}

fn good(end: &PairEnd) -> bool {
    end.ret.outcome == Outcome::Ok
}

/// `{minion: return}`, without a copy of what may be large.
struct ByMinion<'a>(&'a [Arc<PairEnd>]);

impl Serialize for ByMinion<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|end| (end.minion.as_str(), &end.ret.value)))
    }
}

/// One return in one format, with its line end. `all` shows what is usually left out of a run of
/// states.
pub fn block(format: Format, minion: &str, value: &Value, good: bool, all: bool) -> String {
    match format {
        // A list of texts is what kept states from running, unless all is well.
        Format::Highstate if highstate::fits(value) && !(good && value.is_array()) => {
            highstate::render(minion, value, all)
        }
        Format::Nested | Format::Highstate => nested::render(minion, value, good),
        Format::Json => json(&Keyed(minion, value)),
        Format::Jsonl => line(&Keyed(minion, value)),
        Format::Yaml => yaml(&Keyed(minion, value)),
        Format::Txt => txt(minion, value),
        // The last two are of `ctl check` alone, which brings its own.
        Format::Quiet | Format::Nagios | Format::Prometheus => String::new(),
    }
}

/// `{minion: return}`, without a copy of what may be large.
struct Keyed<'a>(&'a str, &'a Value);

impl Serialize for Keyed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

/// On one line, with a line end.
fn line(value: &impl Serialize) -> String {
    // As for `json`.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// Indented by four, as Salt does, with a line end.
pub fn json(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let indent = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, indent);
    // A `Value` has string keys and finite numbers: nothing in it can fail to be written.
    let _ = value.serialize(&mut serializer);
    bytes.push(b'\n');
    // JSON of texts is a text.
    String::from_utf8(bytes).unwrap_or_default()
}

pub fn yaml(value: &impl Serialize) -> String {
    let mut text = serde_saphyr::to_string(value).unwrap_or_else(|_| line(value));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn txt(minion: &str, value: &Value) -> String {
    match value {
        Value::String(text) => term::clean(text).lines().fold(String::new(), |mut all, line| {
            let _ = writeln!(all, "{minion}: {line}");
            all
        }),
        other => format!("{minion}: {}\n", nested::scalar(other).unwrap_or_else(|| other.to_string())),
    }
}

/// Minions with equal answers.
struct Alike<'a> {
    ends: Vec<&'a PairEnd>,
    /// Their answers are equal but for each one's own name.
    named: bool,
}

/// Equal answers together, the largest group first. A minion's own name makes no difference; and what
/// is word for word the same belongs together, whosever name is in it.
fn alike(returns: &[Arc<PairEnd>]) -> Vec<Alike<'_>> {
    let essence = |value: &Value| if highstate::fits(value) { highstate::essence(value) } else { value.clone() };
    let mut places: IndexMap<(String, bool), usize> = IndexMap::new();
    let mut groups: Vec<(String, Alike<'_>)> = Vec::new();
    for end in returns {
        let exact = essence(&end.ret.value).to_string();
        let common = (fleet::without(&exact, end.minion.as_str()), good(end));
        let found = places.get(&(exact.clone(), good(end))).or_else(|| places.get(&common)).copied();
        let at = found.unwrap_or_else(|| {
            groups.push((exact.clone(), Alike { ends: Vec::new(), named: false }));
            groups.len() - 1
        });
        let (first, group) = &mut groups[at];
        group.named |= *first != exact;
        group.ends.push(end);
        places.entry((exact, good(end))).or_insert(at);
        places.entry(common).or_insert(at);
    }
    let mut groups: Vec<Alike<'_>> = groups.into_iter().map(|(_, group)| group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.ends.len()));
    groups
}

/// Equal answers once, the largest group first: `126 minions: …`, and how many differ.
fn folded(format: Format, returns: &[Arc<PairEnd>], all: bool) -> String {
    let groups = alike(returns);
    let mut text = groups.iter().fold(String::new(), |text, group| text + &group.block(format, all));
    if format == Format::Highstate && returns.len() > 1 && text.lines().count() > SCREENS {
        text = fleet(returns, all);
    }
    if let [most, rest @ ..] = groups.as_slice()
        && returns.len() > 1
    {
        text += &account(&most.ends, rest.iter().map(|group| group.ends.len()).sum());
    }
    text
}

impl Alike<'_> {
    fn block(&self, format: Format, all: bool) -> String {
        let first = self.ends[0];
        let (head, value) = (head(&self.ends), self.value());
        // Of a run of states, what never is the same on two minions is not one's own to be shown for all.
        let states = highstate::fits(&value) && !(good(first) && value.is_array());
        if format == Format::Highstate && self.ends.len() > 1 && states {
            let mut value = value.into_owned();
            highstate::anyones(&mut value);
            let runs: Vec<&Value> = self.ends.iter().map(|end| &end.ret.value).collect();
            return highstate::render_alike(&head, &value, &runs, all);
        }
        block(format, &head, &value, good(first), all)
    }

    /// The value that they share, without the name of any of them.
    fn value(&self) -> Cow<'_, Value> {
        let first = self.ends[0];
        let text = || first.ret.value.to_string();
        let common =
            self.named.then(|| serde_json::from_str(&fleet::without(&text(), first.minion.as_str())).ok()).flatten();
        common.map_or(Cow::Borrowed(&first.ret.value), Cow::Owned)
    }
}

/// Lines of blocks that equal runs of states may take before they are shown state by state.
const SCREENS: usize = 100;

fn fleet(returns: &[Arc<PairEnd>], all: bool) -> String {
    let runs: Vec<fleet::Run<'_>> = returns
        .iter()
        .map(|end| fleet::Run { minion: end.minion.as_str(), value: &end.ret.value, good: good(end) })
        .collect();
    fleet::render(&runs, all)
}

/// `118 minions: the same 3 changes; 2 differ`, or `118 the same, 2 differ` of what are no states.
fn account(most: &[&PairEnd], differ: usize) -> String {
    let value = &most[0].ret.value;
    if !highstate::fits(value) {
        return if differ > 0 { format!("{} the same, {differ} differ\n", most.len()) } else { String::new() };
    }
    if !good(most[0]) {
        let rest = differing(differ);
        return match most.len() + differ {
            0 | 1 => String::new(),
            _ => format!("{}: failed in the same way{rest}\n", highstate::plural(most.len(), "minion")),
        };
    }
    if most.len() == 1 && differ > 0 {
        return format!("{} minions, each with a run of its own\n", differ + 1);
    }
    let what = match highstate::changes_in(value) {
        0 => "nothing changes".to_owned(),
        1 => "the same change".to_owned(),
        changes => format!("the same {changes} changes"),
    };
    let rest = differing(differ);
    format!("{}: {what}{rest}\n", highstate::plural(most.len(), "minion"))
}

fn differing(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => "; 1 differs".to_owned(),
        many => format!("; {many} differ"),
    }
}

fn head(group: &[&PairEnd]) -> String {
    let names: Vec<&str> = group.iter().map(|end| end.minion.as_str()).collect();
    match names.as_slice() {
        [one] => (*one).to_owned(),
        all if all.len() <= 8 => format!("{} minions ({})", all.len(), all.join(", ")),
        all => format!("{} minions", all.len()),
    }
}

/// Shows a list: a table for people, objects for programs.
pub fn list(format: Option<Format>, table: table::Table, objects: Vec<Value>) -> Result<(), Error> {
    let text = match format {
        Some(Format::Json) => json(&Value::Array(objects)),
        Some(Format::Jsonl) => objects.iter().fold(String::new(), |all, object| all + &object.to_string() + "\n"),
        Some(Format::Yaml) => yaml(&Value::Array(objects)),
        Some(Format::Quiet) => String::new(),
        _ => table.render(term::width()),
    };
    Ok(term::result(&text)?)
}

/// Shows one thing: as nested text for people, as an object for programs.
pub fn one(format: Option<Format>, value: &Value) -> Result<(), Error> {
    let text = match format {
        Some(Format::Json) => json(value),
        Some(Format::Jsonl) => value.to_string() + "\n",
        Some(Format::Yaml) => yaml(value),
        Some(Format::Quiet) => String::new(),
        _ => nested::body(value),
    };
    Ok(term::result(&text)?)
}

#[cfg(test)]
mod tests {
    use proto::{JobId, Return};
    use serde_json::json;

    use super::*;

    fn plain(format: Format, value: Value) -> String {
        anstream::adapter::strip_str(&block(format, "web1", &value, true, false)).to_string()
    }

    #[test]
    fn one_return_in_each_format() {
        let value = json!({"a": [1, "x"], "b": null});
        assert_eq!(plain(Format::Jsonl, value.clone()), "{\"web1\":{\"a\":[1,\"x\"],\"b\":null}}\n");
        assert_eq!(plain(Format::Json, json!(true)), "{\n    \"web1\": true\n}\n");
        assert_eq!(plain(Format::Txt, json!("one\ntwo")), "web1: one\nweb1: two\n");
        assert_eq!(plain(Format::Txt, json!(true)), "web1: True\n");
        assert_eq!(plain(Format::Txt, json!({"a": 1})), "web1: {\"a\":1}\n");
        assert_eq!(plain(Format::Yaml, json!({"mode": "0644"})), "web1:\n  mode: \"0644\"\n");
        assert_eq!(plain(Format::Quiet, json!(true)), "");
    }

    #[test]
    fn equal_answers_fold_and_json_is_one_object() {
        let end = |n: usize| {
            let ret = Return {
                jid: JobId::from_micros(1),
                outcome: Outcome::Ok,
                value: json!(if n == 5 { "old" } else { "new" }),
                retcode: 0,
                started: 0,
                duration: 0,
                truncated: false,
            };
            Arc::new(PairEnd { minion: format!("m{n}").parse().unwrap(), ret, at: 0 })
        };
        let returns: Vec<Arc<PairEnd>> = (1..=12).map(end).collect();
        assert_eq!(json(&ByMinion(&returns[..1])), "{\n    \"m1\": \"new\"\n}\n");
        let text = anstream::adapter::strip_str(&folded(Format::Txt, &returns, false)).to_string();
        assert_eq!(text, "11 minions: new\nm5: old\n11 the same, 1 differ\n");
    }

    #[test]
    fn a_plan_is_shown_once_for_all_minions_that_share_it() {
        let end = |n: usize| {
            let changes = if n == 5 { json!({}) } else { json!({"diff": "--- \n+++ \n@@ -1 +1 @@\n-old\n+new\n"}) };
            let state = json!({"result": if n == 5 { Value::Bool(true) } else { Value::Null }, "changes": changes,
                "comment": "The file /etc/motd is set to be changed", "name": "/etc/motd", "__run_num__": 0,
                "start_time": format!("10:00:0{n}.000000"), "duration": n});
            let value = json!({"file_|-motd_|-/etc/motd_|-managed": state});
            let (jid, outcome) = (JobId::from_micros(1), Outcome::Ok);
            let ret = Return { jid, outcome, value, retcode: 0, started: 0, duration: 0, truncated: false };
            Arc::new(PairEnd { minion: format!("web{n}").parse().unwrap(), ret, at: 0 })
        };
        let returns: Vec<Arc<PairEnd>> = (1..=9).map(end).collect();
        insta::assert_snapshot!(anstream::adapter::strip_str(&folded(Format::Highstate, &returns, false)).to_string());
    }
}
