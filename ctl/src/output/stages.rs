//! Orchestrations for people: the plan as a tree, the stages as they run, what failed in the end.

use std::fmt::Write as _;

use proto::{
    Value,
    message::orchestration::{Plan, PlanStage},
};

use super::{
    fleet,
    highstate::{self, plural},
    nested,
    table::cut,
};
use crate::{
    stages::{Ended, Run, Stage, Status},
    term::{self, BAD, BOLD, CHANGED, DIM, GOOD, VALUE, paint},
    times,
};

/// Longest name of a stage that is shown whole.
const NAME: usize = 28;
/// Minions that are named.
const NAMED: usize = 4;

/// The stages as a tree, each beneath the last that it waits for, with who matches now.
pub fn plan(plan: &Plan, width: usize) -> String {
    let test = if plan.test { ", a dry run" } else { "" };
    let head = format!("{} ({}): {}{test}", plan.name, plan.saltenv, plural(plan.stages.len(), "stage"));
    let tree = Tree::of(plan);
    let labels: Vec<String> = tree.order.iter().map(|&(index, depth)| label(&plan.stages[index], depth)).collect();
    let wide = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let mut text = format!("{}\n", paint(BOLD, term::clean(&head)));
    for ((index, _), label) in tree.order.iter().zip(&labels) {
        let stage = &plan.stages[*index];
        let pad = " ".repeat(wide - label.chars().count());
        let about = about(plan, stage, tree.parent[*index]);
        let who = who(stage);
        let plain = anstream::adapter::strip_str(&who).to_string();
        let fits = 2 + wide + 2 + about.chars().count() + 3 + plain.chars().count() <= width;
        let between = if fits { " → ".to_owned() } else { format!("\n{}→ ", " ".repeat(4 + wide)) };
        let _ = writeln!(text, "  {}{pad}  {about}{between}{who}", paint(CHANGED, label));
    }
    text
}

fn label(stage: &PlanStage, depth: usize) -> String {
    let name = cut(&term::clean(&stage.id), NAME);
    if depth == 0 { name } else { format!("{}└ {name}", "  ".repeat(depth - 1)) }
}

/// What it does, how, and for what it waits beside the one it stands beneath.
fn about(plan: &Plan, stage: &PlanStage, parent: Option<usize>) -> String {
    let mut parts = vec![stage.what.clone()];
    parts.extend(stage.rules.iter().cloned());
    let others = stage.needs.iter().filter(|need| Some(need.stage as usize) != parent || need.kind != "require");
    parts.extend(others.filter_map(|need| {
        let id = &plan.stages.get(need.stage as usize)?.id;
        Some(if need.kind == "require" { format!("after {id}") } else { format!("{} {id}", need.kind) })
    }));
    term::clean(&parts.join(", "))
}

fn who(stage: &PlanStage) -> String {
    if let Some(why) = &stage.skipped {
        return paint(DIM, term::clean(&left_out(why)));
    }
    if let Some(fault) = &stage.fault {
        return paint(BAD, term::clean(fault));
    }
    let named = |ids: Vec<&str>| ids.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    let ids = named(stage.minions.iter().map(|id| id.as_str()).collect());
    let text = match (stage.matched as usize, &stage.target) {
        (_, None) => "on the master".to_owned(),
        (0, Some(target)) => format!("nobody matches {target}"),
        (1..=NAMED, _) => ids,
        (many, _) => format!("{many} minions: {ids} …"),
    };
    let offline = named(stage.absent.iter().map(|absent| absent.minion.as_str()).collect());
    let offline = match stage.offline as usize {
        0 => String::new(),
        some if some <= NAMED => format!(" ({offline} offline)"),
        many => format!(" ({many} offline: {offline} …)"),
    };
    format!("{}{}", term::clean(&text), paint(VALUE, offline))
}

/// Why a stage is none of this run's: what was asked for, or what it came to in the run before.
fn left_out(why: &str) -> String {
    if why.starts_with("left out") { why.to_owned() } else { format!("done before: {why}") }
}

/// Stages beneath the last of those they wait for.
struct Tree {
    /// Index and depth, in the order of lines.
    order: Vec<(usize, usize)>,
    parent: Vec<Option<usize>>,
}

impl Tree {
    fn of(plan: &Plan) -> Self {
        let mut depth = vec![0_usize; plan.stages.len()];
        let mut parent = vec![None; plan.stages.len()];
        for (index, stage) in plan.stages.iter().enumerate() {
            // Whoever a stage waits for comes before it: what the wire says otherwise is passed over.
            let needs = stage.needs.iter().map(|need| need.stage as usize).filter(|need| *need < index);
            parent[index] = needs.max_by_key(|need| (depth[*need], *need));
            depth[index] = parent[index].map_or(0, |parent: usize| depth[parent] + 1);
        }
        let mut children = vec![Vec::new(); plan.stages.len()];
        let mut open = Vec::new();
        for index in (0..plan.stages.len()).rev() {
            match parent[index] {
                Some(parent) => children[parent].push(index),
                None => open.push(index),
            }
        }
        let mut order = Vec::new();
        while let Some(index) = open.pop() {
            order.push((index, depth[index]));
            open.append(&mut children[index]);
        }
        Self { order, parent }
    }
}

/// The lines that are drawn while it runs: at most `rows`; `now` is the master's time.
pub fn live(run: &Run, now: u64, elapsed: u64, rows: usize) -> Vec<String> {
    let wide = widest(run);
    let head = format!("▸ {} of {} · {}", run.done(), plural(run.stages.len(), "stage"), seconds(elapsed));
    let mut blocks: Vec<(u8, Vec<String>)> =
        (0..run.stages.len()).map(|index| (urgency(&run.stages[index]), lines(run, index, now, wide, 2))).collect();
    let room = rows.saturating_sub(3).max(1);
    let mut hidden = 0;
    // What is over and well goes first, then what waits for the longest.
    for kind in [0, 1, 2] {
        while blocks.iter().map(|(_, lines)| lines.len()).sum::<usize>() > room {
            let fits = |(urgency, _): &(u8, Vec<String>)| *urgency == kind;
            let found = if kind == 1 { blocks.iter().rposition(fits) } else { blocks.iter().position(fits) };
            let Some(at) = found else { break };
            blocks.remove(at);
            hidden += 1;
        }
    }
    let mut all = vec![head];
    all.extend(blocks.into_iter().flat_map(|(_, lines)| lines).take(room));
    if hidden > 0 {
        all.push(paint(DIM, format!("  … and {}", plural(hidden, "more stage"))));
    }
    all
}

/// What may be left out of a small screen: lower ones first.
fn urgency(stage: &Stage) -> u8 {
    match &stage.status {
        Status::Ended(ended) if ended.result != Some(false) => 0,
        Status::Waits => 1,
        Status::Ended(ended) if !ended.ran => 2,
        Status::Ended(_) => 3,
        Status::Runs => 4,
    }
}

fn widest(run: &Run) -> usize {
    run.plan.stages.iter().map(|stage| cut(&term::clean(&stage.id), NAME).chars().count()).max().unwrap_or(0)
}

/// Every stage with what became of it, once the run is over; lines no longer than `width`.
pub fn table(run: &Run, width: usize) -> String {
    let wide = widest(run);
    let rows = (0..run.stages.len()).flat_map(|index| lines(run, index, run.latest, wide, 3));
    rows.map(|line| term::fit(&line, width) + "\n").collect()
}

/// One stage as a line, for a log.
pub fn line(run: &Run, index: usize) -> String {
    lines(run, index, run.latest, 0, 1).join("\n") + "\n"
}

/// A stage's line, and the first errors of at most `failures` hosts beneath it.
fn lines(run: &Run, index: usize, now: u64, wide: usize, failures: usize) -> Vec<String> {
    let (planned, stage) = (&run.plan.stages[index], &run.stages[index]);
    let name = cut(&term::clean(&planned.id), NAME);
    let pad = " ".repeat(wide.saturating_sub(name.chars().count()));
    let (style, mark, text) = match &stage.status {
        Status::Waits if run.is_left_out(index) => (DIM, '-', left_out(planned.skipped.as_deref().unwrap_or_default())),
        Status::Waits => (DIM, '·', waiting(run, index)),
        Status::Runs => (VALUE, '▸', running(stage, now)),
        Status::Ended(ended) => over(stage, ended),
    };
    let mut lines = vec![format!("  {} {}{pad}  {}", paint(style, mark), paint(style, name), term::clean(&text))];
    lines.extend(stage.failures.iter().take(failures).map(|(minion, why)| {
        let why = term::clean(why.lines().next().unwrap_or_default());
        format!("      {} {why}", paint(BAD, format_args!("{minion}:")))
    }));
    let more = stage.failures.len().saturating_sub(failures) + stage.more_failures;
    if more > 0 {
        lines.push(format!("      … and {}", plural(more, "more host")));
    }
    lines
}

fn waiting(run: &Run, index: usize) -> String {
    match run.awaited(index).as_slice() {
        [] => "about to start".into(),
        ids => format!("waits for {}", ids.join(", ")),
    }
}

fn running(stage: &Stage, now: u64) -> String {
    let mut parts = vec![format!("{}/{} answered", stage.answered(), stage.expected)];
    if stage.bad() > 0 {
        parts.push(format!("{} failed", stage.bad()));
    }
    if stage.jobs.len() > 1 {
        parts.push(format!("attempt {}", stage.jobs.len()));
    }
    parts.push(seconds(now.saturating_sub(stage.began)));
    parts.extend(stage.says.clone());
    parts.join(" · ")
}

fn over(stage: &Stage, ended: &Ended) -> (anstyle::Style, char, String) {
    let comment = ended.comment.lines().next().unwrap_or_default();
    if !ended.ran {
        let (style, mark) = if ended.result == Some(false) { (BAD, '✗') } else { (DIM, '-') };
        return (style, mark, format!("not run: {comment}"));
    }
    let mut parts = vec![counts(stage)].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
    let (style, mark) = match ended.result {
        Some(true) => (if ended.changed { CHANGED } else { GOOD }, '✓'),
        None => (VALUE, '~'),
        Some(false) => (BAD, '✗'),
    };
    match ended.result {
        None => parts.push("would change".into()),
        Some(true) if ended.changed => parts.push("changed".into()),
        Some(true) => {}
        Some(false) if stage.failures.is_empty() || stage.expected == 0 => parts.push(comment.to_owned()),
        Some(false) => {}
    }
    parts.push(seconds(ended.duration));
    (style, mark, parts.join(" · "))
}

/// `3 ok, 1 failed, 1 no answer`.
fn counts(stage: &Stage) -> String {
    let silent = stage.expected.saturating_sub(stage.answered());
    let ok = stage.count(proto::Outcome::Ok);
    [(ok, "ok"), (stage.bad(), "failed"), (silent, "no answer")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `4.1 s`, `1 min 5 s`.
fn seconds(micros: u64) -> String {
    if micros < 60_000_000 { format!("{:.1} s", micros as f64 / 1e6) } else { times::show_length(micros) }
}

/// What stood in the way, or what a dry run would change: the rows of an orchestration's end (Salt's
/// shape), those of failed stages alone unless `all`.
pub fn details(plan: &Plan, value: &Value, all: bool) -> String {
    let rows = value.get("data").and_then(Value::as_object).and_then(|data| data.values().next());
    let mut text = String::new();
    for stage in &plan.stages {
        let Some(row) = rows.and_then(|rows| rows.get(&stage.tag)) else { continue };
        let failed = highstate::failed(row);
        if failed || all || row.get("result") == Some(&Value::Null) {
            text += &detail(stage, row, failed, all);
        }
    }
    text
}

fn detail(stage: &PlanStage, row: &Value, failed: bool, all: bool) -> String {
    let returns = row.pointer("/changes/ret").and_then(Value::as_object).filter(|returns| !returns.is_empty());
    let Some(returns) = returns else { return String::new() };
    let style = if failed { BAD } else { CHANGED };
    let mut text = format!(
        "\n{} {}\n",
        paint(style.bold(), format_args!("stage {}", term::clean(&stage.id))),
        paint(DIM, &stage.place)
    );
    let of_states = returns.values().any(highstate::fits);
    if of_states {
        let good = |value: &Value| highstate::fits(value) && !value.is_array();
        let runs: Vec<fleet::Run<'_>> =
            returns.iter().map(|(minion, value)| fleet::Run { minion, value, good: good(value) }).collect();
        return text + &fleet::render(&runs, all);
    }
    let shown = if all { usize::MAX } else { 8 };
    for (minion, value) in returns.iter().take(shown) {
        text += &nested::render(minion, value, !failed);
    }
    if returns.len() > shown {
        let _ = writeln!(text, "… and {} (-v shows all)", plural(returns.len() - shown, "more minion"));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stages::recorded;

    fn plain(text: &str) -> String {
        anstream::adapter::strip_str(text).to_string()
    }

    fn at(milliseconds: u64) -> u64 {
        recorded::BEGAN + milliseconds * 1000
    }

    #[test]
    fn the_plan_is_a_tree() {
        let mut planned = recorded::plan();
        planned.stages[3].skipped = Some("left out: --only app".into());
        insta::assert_snapshot!("plan of 80 columns", plain(&plan(&planned, 80)));
        insta::assert_snapshot!("plan, wide", plain(&plan(&planned, 160)));
    }

    #[test]
    fn the_screen_while_it_runs() {
        let run = recorded::run(recorded::first_half());
        let screen = |width: usize, rows| {
            let lines = live(&run, at(6500), 6_500_000, rows);
            assert!(lines.len() < rows, "{lines:?}");
            plain(&lines.iter().map(|line| term::fit(line, width) + "\n").collect::<String>())
        };
        insta::assert_snapshot!("at work, 80×24", screen(79, 24));
        insta::assert_snapshot!("at work, wide", screen(159, 50));
        insta::assert_snapshot!("at work, with little room", screen(79, 8));
    }

    #[test]
    fn the_screen_in_the_end() {
        let run = recorded::run(recorded::first_half().into_iter().chain(recorded::second_half()));
        insta::assert_snapshot!("in the end, 80 columns", plain(&table(&run, 80)) + &run.account());
        let lost = plain(&line(&run, 2));
        assert!(lost.contains("✗ app  4 ok, 1 failed, 1 no answer · 8.1 s\n      app2: pkg.installed"), "{lost}");
    }

    #[test]
    fn two_hundred_stages_fit_a_screen() {
        let stage = |n: usize| PlanStage { id: format!("stage {n}"), ..PlanStage::default() };
        let plan = Plan { stages: (0..200).map(stage).collect(), ..Plan::default() };
        let run = Run::new(plan, at(0));
        let lines = live(&run, at(0), 0, 24);
        assert!(lines.len() <= 23 && lines.last().unwrap().contains("more stages"), "{lines:?}");
    }

    #[test]
    fn details_are_those_of_what_failed() {
        let state = |result: Value, comment: &str| {
            json!({"pkg_|-nginx_|-nginx_|-installed": {"result": result, "comment": comment, "changes": {},
                   "__run_num__": 0, "__place__": "web/init.sls:3:3", "duration": 1.0}})
        };
        let row = |result: Value, returns: Value| json!({"result": result, "comment": "", "changes": {"ret": returns}});
        let plan = recorded::plan();
        let value = json!({"data": {"m_master": {
            (plan.stages[0].tag.clone()): row(json!(true), json!({"db1": state(json!(true), "fine")})),
            (plan.stages[2].tag.clone()): row(json!(false), json!({
                "app1": state(json!(true), "fine"), "app2": state(json!(false), "E: Unable to locate package nginx")})),
        }}, "outputter": "highstate", "retcode": 1});
        let text = plain(&details(&plan, &value, false));
        assert!(
            text.contains("stage app") && text.contains("web/init.sls:3:3") && !text.contains("stage database"),
            "{text}"
        );
        assert!(plain(&details(&plan, &value, true)).contains("stage database"));
    }
}
