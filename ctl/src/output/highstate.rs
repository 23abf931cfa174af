//! The returns of `state.apply` for people, laid out as Salt's `highstate` outputter does
//! (`salt/output/highstate.py`, `state_output: full`): a block a state in the order they ran,
//! then what succeeded, changed and failed, and how long it took.
//!
//! Unless all is asked for, what failed stands first, states that hold already are only counted
//! (Salt's `state_verbose: False`), and long changes are cut.

use std::fmt::Write as _;

use anstyle::Style;
use proto::{Map, Value};

use super::nested;
use crate::term::{self, BAD, CHANGED, GOOD, VALUE, paint};

/// Whether a return is what a state run gives: states keyed by `module_|-id_|-name_|-function`,
/// or the list of errors that kept it from running.
pub fn fits(value: &Value) -> bool {
    let is_state = |(key, state): (&String, &Value)| key.contains("_|-") && state.get("result").is_some();
    match value {
        Value::Object(states) => !states.is_empty() && states.iter().all(is_state),
        Value::Array(errors) => !errors.is_empty() && errors.iter().all(Value::is_string),
        _ => false,
    }
}

/// One minion's states and their summary; with `all`, every state, whole and in order.
pub fn render(minion: &str, value: &Value, all: bool) -> String {
    render_alike(minion, value, &[], all)
}

/// As [`render`], for minions whose runs have the same [`essence`]: `value` stands for them, and `runs`
/// are the returns of all. What holds already may be more on some than on others.
pub fn render_alike(minion: &str, value: &Value, runs: &[&Value], all: bool) -> String {
    match value {
        Value::Object(states) => render_states(minion, states, &Spread::of(runs), all),
        Value::Array(errors) => render_errors(minion, errors),
        _ => nested::render(minion, value, true),
    }
}

fn render_errors(minion: &str, errors: &[Value]) -> String {
    let mut text = format!("{}:\n", paint(BAD, minion));
    let busy = errors.iter().find_map(|error| other_run(error.as_str()?));
    let what = if busy.is_some() { "Nothing was applied:" } else { "Data failed to compile:" };
    let _ = writeln!(text, "    {}", paint(BAD, what));
    for error in errors {
        let error = term::clean(error.as_str().unwrap_or_default());
        let _ = writeln!(text, "{}\n    {}", paint(BAD, "----------"), paint(BAD, error.replace('\n', "\n    ")));
    }
    if let Some(jid) = busy {
        let hint = format!("queue=True waits for it to end; `ctl job follow {jid}` shows it");
        let _ = writeln!(text, "      {} {hint}", paint(term::HINT, "hint:"));
    }
    text
}

/// The job whose run of states kept this one from starting, as Salt says it.
fn other_run(error: &str) -> Option<&str> {
    let rest = error.strip_prefix("The function \"state.")?;
    let (_, jid) = rest.rsplit_once(" with jid ")?;
    jid.split(|c: char| !c.is_ascii_digit()).next().filter(|jid| !jid.is_empty())
}

/// That text without the process, which is another one on each minion.
fn without_process(error: &str) -> String {
    match (other_run(error), error.split_once(" as PID ")) {
        (Some(_), Some((before, after))) => before.to_owned() + after.trim_start_matches(|c: char| c.is_ascii_digit()),
        _ => error.to_owned(),
    }
}

/// How the runs of some minions differ that are shown as one.
#[derive(Debug, Default)]
struct Spread {
    /// The fewest and the most states.
    states: Option<(usize, usize)>,
    /// The shortest and the longest, in milliseconds.
    took: Option<(f64, f64)>,
}

impl Spread {
    fn of(runs: &[&Value]) -> Self {
        let runs: Vec<&Map> = runs.iter().filter_map(|run| run.as_object()).collect();
        let counts = || runs.iter().map(|states| states.len());
        let took = || runs.iter().map(|states| Summary::of(states.values()).milliseconds);
        match runs.len() {
            0 | 1 => Self::default(),
            _ => Self {
                states: counts().min().zip(counts().max()),
                took: took().min_by(f64::total_cmp).zip(took().max_by(f64::total_cmp)),
            },
        }
    }

    /// `3`, or `3 to 5` where `count` goes with the number of states, which is `total` here.
    fn count(&self, count: usize, total: usize) -> String {
        match self.states {
            Some((low, high)) if low != high => {
                format!("{} to {}", (count + low).saturating_sub(total), (count + high).saturating_sub(total))
            }
            _ => count.to_string(),
        }
    }

    fn time(&self, milliseconds: f64) -> String {
        match self.took {
            Some((low, high)) if run_time(low) != run_time(high) => {
                format!("{} to {}", run_time(low), run_time(high).trim_start())
            }
            Some((low, _)) => run_time(low),
            None => run_time(milliseconds),
        }
    }
}

fn render_states(minion: &str, states: &Map, spread: &Spread, all: bool) -> String {
    let mut ordered: Vec<(&String, &Value)> = states.iter().collect();
    let number = |state: &Value| state.get("__run_num__").and_then(Value::as_u64).unwrap_or(0);
    ordered.sort_by_key(|(_, state)| (!all && !failed(state), number(state)));
    let summary = Summary::of(ordered.iter().map(|(_, state)| *state));
    if let Some(text) = nothing_to_apply(minion, states) {
        return text;
    }
    let mut text = format!("{}:\n", paint(summary.style(), minion));
    let total = ordered.len();
    ordered.retain(|(_, state)| all || worth_showing(state));
    for (key, state) in &ordered {
        text += &render_state(key, state, all);
    }
    if ordered.len() < total {
        let hidden = match spread.count(total - ordered.len(), total).as_str() {
            "1" => "1 state holds already (-v shows it)".to_owned(),
            many => format!("{many} states hold already (-v shows them)"),
        };
        let _ = writeln!(text, "{}\n    {}", paint(GOOD, "----------"), paint(GOOD, hidden));
    }
    text + &summary.render_with(minion, spread)
}

/// Salt's row for a minion that no top file names: what it says of a log helps nobody here.
fn nothing_to_apply(minion: &str, states: &Map) -> Option<String> {
    let row = states.get("no_|-states_|-states_|-None")?;
    let why = row.get("comment").and_then(Value::as_str).unwrap_or_default();
    let why = why.split(" Please see ").next().unwrap_or_default();
    let hint = "`ctl apply TARGET SLS` applies an SLS by name; a highstate needs a top.sls in a file root\n          \
                that names this minion (`state.show_top` says what it gets)";
    Some(format!(
        "{}:\n    {}\n      {} {hint}\n",
        paint(BAD, minion),
        paint(BAD, term::clean(why)),
        paint(term::HINT, "hint:")
    ))
}

/// `1 state`, `3 states`.
pub fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub fn failed(state: &Value) -> bool {
    state.get("result") == Some(&Value::Bool(false))
}

fn worth_showing(state: &Value) -> bool {
    state.get("result") != Some(&Value::Bool(true))
        || state.get("changes").is_some_and(changed)
        || state.get("warnings").is_some()
}

/// Why a run failed, in a line: its first state that failed by itself, with its place.
pub fn first_error(value: &Value) -> Option<String> {
    let line = |text: &str| text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned();
    match value {
        Value::String(text) => Some(line(text)),
        Value::Array(errors) => errors.first().and_then(Value::as_str).map(line),
        Value::Object(states) => {
            let required = |state: &Value| {
                state
                    .get("comment")
                    .and_then(Value::as_str)
                    .is_some_and(|text| text.starts_with("One or more requisite"))
            };
            let number = |state: &Value| state.get("__run_num__").and_then(Value::as_u64);
            let bad = states.iter().filter(|(_, state)| failed(state));
            let (key, state) = bad.min_by_key(|(_, state)| (required(state), number(state)))?;
            let parts: Vec<&str> = key.split("_|-").collect();
            let [module, id, _, function] = parts[..] else { return None };
            let place = place(state).map(|place| format!(" ({place})")).unwrap_or_default();
            let comment = state.get("comment").and_then(Value::as_str).map(line).unwrap_or_default();
            Some(format!("{module}.{function} {id}{place}: {comment}"))
        }
        _ => None,
    }
}

/// What makes two minions' runs the same: how each state ended that did not hold already, and what
/// it changed; not when it ran and how long it took.
pub fn essence(value: &Value) -> Value {
    let states = match value {
        Value::Object(states) => states,
        Value::Array(errors) => {
            return errors.iter().map(|error| without_process(error.as_str().unwrap_or_default())).collect();
        }
        _ => return value.clone(),
    };
    let of_state = |(key, state): (&String, &Value)| {
        let mut changes = state.get("changes").cloned().unwrap_or_default();
        if let Value::Object(changes) = &mut changes {
            changes.shift_remove("pid");
        }
        (key.clone(), serde_json::json!([state.get("result"), state.get("comment"), changes]))
    };
    Value::Object(states.iter().filter(|(_, state)| worth_showing(state)).map(of_state).collect())
}

/// A run that stands for others like it: without what is never the same on two minions.
pub fn anyones(value: &mut Value) {
    match value {
        Value::Object(states) => {
            for state in states.values_mut().filter_map(Value::as_object_mut) {
                state.shift_remove("start_time");
                state.shift_remove("duration");
                if let Some(changes) = state.get_mut("changes").and_then(Value::as_object_mut) {
                    changes.shift_remove("pid");
                }
            }
        }
        Value::Array(errors) => errors.iter_mut().for_each(|error| {
            *error = without_process(error.as_str().unwrap_or_default()).into();
        }),
        _ => {}
    }
}

/// How many states changed something, or would.
pub fn changes_in(value: &Value) -> usize {
    let states = value.as_object().map(|states| states.values()).into_iter().flatten();
    states.filter(|state| state.get("changes").is_some_and(changed)).count()
}

fn render_state(key: &str, state: &Value, all: bool) -> String {
    let style = style(state);
    let parts: Vec<&str> = key.split("_|-").collect();
    let [module, id, name, function] = parts[..] else { return String::new() };
    let mut text = format!("{}\n", paint(style, "----------"));
    let mut line = |label: &str, value: &str| {
        let value = term::clean(value).trim().replace('\n', "\n              ");
        let _ = writeln!(text, "    {}", paint(style, format_args!("{label:>8}: {value}").to_string().trim_end()));
    };
    line("ID", id);
    line("Function", &format!("{module}.{function}"));
    if name != id {
        line("Name", name);
    }
    if let (true, Some(place)) = (failed(state), place(state)) {
        line("SLS", place);
    }
    line("Result", &state.get("result").and_then(nested::scalar).unwrap_or_default());
    line("Comment", state.get("comment").and_then(Value::as_str).unwrap_or_default());
    if let Some(started) = state.get("start_time").and_then(Value::as_str) {
        line("Started", started);
        line("Duration", &format!("{} ms", state.get("duration").and_then(nested::scalar).unwrap_or_default()));
    }
    text += &render_changes(style, state.get("changes"), all);
    for warning in state.get("warnings").and_then(Value::as_array).into_iter().flatten() {
        let warning = term::clean(warning.as_str().unwrap_or_default());
        let _ = writeln!(text, "    {}", paint(BAD, format_args!("Warnings: {warning}")));
    }
    text
}

/// Where a state was written: the line, where the minion says it, or the SLS.
pub fn place(state: &Value) -> Option<&str> {
    state.get("__place__").or_else(|| state.get("__sls__")).and_then(Value::as_str)
}

/// Lines of one state's changes that are shown where nobody asks for all.
const LINES: usize = 60;

fn render_changes(style: Style, changes: Option<&Value>, all: bool) -> String {
    let head = format!("    {}\n", paint(style, " Changes:"));
    match changes {
        Some(changes) if changed(changes) => {
            let body = nested::changes(changes);
            let rule = format!("{:14}{}\n", "", paint(style, "----------"));
            let limit = if all { usize::MAX } else { LINES };
            let indent = |text: String, line: &str| text + &format!("{:14}{line}\n", "");
            let shown = body.lines().take(limit).fold(head + &rule, indent);
            match body.lines().count().saturating_sub(limit) {
                0 => shown,
                more => shown + &format!("{:14}… {} more (-v shows all)\n", "", plural(more, "line")),
            }
        }
        _ => head,
    }
}

pub fn changed(changes: &Value) -> bool {
    match changes {
        Value::Object(map) => !map.is_empty(),
        Value::Null => false,
        _ => true,
    }
}

/// Red for failed, yellow for what a dry run would change, cyan for changed, green otherwise.
fn style(state: &Value) -> Style {
    match state.get("result") {
        Some(Value::Bool(false)) => BAD,
        Some(Value::Null) => VALUE,
        _ if state.get("changes").is_some_and(changed) => CHANGED,
        _ => GOOD,
    }
}

#[derive(Default)]
pub struct Summary {
    succeeded: usize,
    failed: usize,
    /// `result: None`: a dry run would change it.
    unchanged_yet: usize,
    changed: usize,
    warned: usize,
    milliseconds: f64,
}

impl Summary {
    pub fn of<'a>(states: impl Iterator<Item = &'a Value>) -> Self {
        let mut summary = Self::default();
        for state in states {
            match state.get("result") {
                Some(Value::Bool(false)) => summary.failed += 1,
                Some(Value::Null) => summary.unchanged_yet += 1,
                _ => summary.succeeded += 1,
            }
            summary.changed += usize::from(state.get("changes").is_some_and(changed));
            summary.warned += usize::from(state.get("warnings").is_some());
            summary.milliseconds += state.get("duration").and_then(Value::as_f64).unwrap_or(0.0);
        }
        summary
    }

    fn style(&self) -> Style {
        match () {
            () if self.failed > 0 => BAD,
            () if self.unchanged_yet > 0 => VALUE,
            () if self.changed > 0 => CHANGED,
            () => GOOD,
        }
    }

    /// As Salt counts: what a dry run would change is among the succeeded.
    pub fn render(&self, minion: &str) -> String {
        self.render_with(minion, &Spread::default())
    }

    fn render_with(&self, minion: &str, spread: &Spread) -> String {
        let (good, total) = (self.succeeded + self.unchanged_yet, self.succeeded + self.unchanged_yet + self.failed);
        let notes: Vec<String> = [("unchanged", self.unchanged_yet), ("changed", self.changed)]
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(what, count)| format!("{what}={count}"))
            .collect();
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
        let width = total.to_string().len();
        let rule = "-".repeat(11 + width);
        let mut text = format!("\n{}\n{rule}\n", paint(CHANGED, format_args!("Summary for {minion}")));
        let succeeded = spread.count(good, total);
        let _ = writeln!(text, "{}{notes}", paint(GOOD, format_args!("Succeeded: {succeeded:>width$}")));
        let failed = if self.failed > 0 { BAD } else { CHANGED };
        let _ = writeln!(text, "{}", paint(failed, format_args!("Failed:    {:>width$}", self.failed)));
        if self.warned > 0 {
            let _ = writeln!(text, "{}", paint(BAD, format_args!("Warnings:  {:>width$}", self.warned)));
        }
        let _ = writeln!(
            text,
            "{rule}\nTotal states run:     {}\nTotal run time: {}",
            spread.count(total, total),
            spread.time(self.milliseconds)
        );
        text
    }
}

fn run_time(milliseconds: f64) -> String {
    match milliseconds {
        ms if ms >= 1000.0 => format!("{:>7.3} s", ms / 1000.0),
        ms => format!("{ms:>7.3} ms"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_read_as_in_salt() {
        let value = json!({
            "file_|-motd_|-/etc/motd_|-managed": {
                "name": "/etc/motd", "result": true, "comment": "File /etc/motd updated", "__run_num__": 1,
                "start_time": "12:00:00.000100", "duration": 12.3,
                "changes": {"diff": "--- \n+++ \n@@ -1 +1 @@\n-old\n+new"}},
            "pkg_|-vim_|-vim_|-installed": {
                "name": "vim", "result": true, "comment": "All specified packages are already installed",
                "__run_num__": 0, "start_time": "11:59:59.000100", "duration": 1200.0, "changes": {}},
            "cmd_|-false_|-false_|-run": {
                "name": "false", "result": false, "comment": "Command \"false\" run\nexit code 1", "__run_num__": 2,
                "start_time": "12:00:01.000100", "duration": 3, "changes": {"retcode": 1}},
            "file_|-x_|-x_|-absent": {
                "name": "x", "result": null, "comment": "File x is set for removal", "__run_num__": 3,
                "changes": {"removed": "x"}, "warnings": ["x is deprecated"]},
        });
        assert!(fits(&value));
        insta::assert_snapshot!(anstream::adapter::strip_str(&render("web1", &value, false)).to_string());
    }

    /// Recorded: what Salt 3008.3 returned for a tree of ours, and how it showed it.
    const RETURN: &str = include_str!("recorded/return.json");
    const SHOWN: &str = include_str!("recorded/shown.txt");

    #[test]
    fn all_of_it_reads_exactly_as_in_salt() {
        let mut value: Value = serde_json::from_str(RETURN).unwrap();
        // Salt sorts what we leave in its order, and has no line for the SLS.
        for state in value["local"].as_object_mut().unwrap().values_mut() {
            state["changes"].sort_all_objects();
        }
        let text = anstream::adapter::strip_str(&render("local", &value["local"], true)).to_string();
        let lines = |text: &str| -> Vec<String> {
            let own = |line: &&str| !line.trim_start().starts_with("SLS: ");
            text.lines().filter(own).map(|line| line.trim_end().to_owned()).collect()
        };
        assert_eq!(lines(&text), lines(SHOWN));
    }

    #[test]
    fn in_short_what_failed_is_first_and_what_holds_is_counted() {
        let value: Value = serde_json::from_str(RETURN).unwrap();
        insta::assert_snapshot!(anstream::adapter::strip_str(&render("local", &value["local"], false)).to_string());
    }

    #[test]
    fn long_changes_are_cut() {
        let diff = "+line\n".repeat(1000);
        let value = json!({"file_|-a_|-a_|-managed": {"result": true, "changes": {"diff": diff}, "comment": ""}});
        let lines = |all| render("web1", &value, all).lines().count();
        assert!(lines(false) < 90 && lines(true) > 1000);
        assert!(render("web1", &value, false).contains("… 941 lines more"));
    }

    #[test]
    fn runs_are_the_same_whenever_they_ran() {
        let run = |started, pid, out| {
            json!({"cmd_|-a_|-a_|-run": {"result": true, "comment": "ran", "start_time": started, "duration": pid,
                   "changes": {"pid": pid, "stdout": out}}})
        };
        assert_eq!(essence(&run("1:00", 1, "x")), essence(&run("2:00", 2, "x")));
        assert_ne!(essence(&run("1:00", 1, "x")), essence(&run("1:00", 1, "y")));
        assert_eq!(changes_in(&run("1:00", 1, "x")), 1);
        let holds = |id: &str| json!({(format!("test_|-{id}_|-{id}_|-nop")): {"result": true, "changes": {}}});
        assert_eq!(essence(&holds("a")), essence(&holds("b")), "what holds already makes no difference");
    }

    #[test]
    fn what_kept_it_from_running_is_shown() {
        let value = json!(["Rendering SLS 'base:web' failed: Jinja error\nline 3"]);
        assert!(fits(&value));
        insta::assert_snapshot!(anstream::adapter::strip_str(&render("web1", &value, false)).to_string());
        assert!(!fits(&json!(true)) && !fits(&json!({"a": 1})) && !fits(&json!([])) && !fits(&json!({})));
    }
}
