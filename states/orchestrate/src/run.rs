//! An orchestration from its source to its rows.

use std::{collections::HashMap, sync::Arc};

use proto::{Map, Value, message::orchestration::Source};
use states::{
    Context, Diagnostic,
    compile::{Compiler, Options, Problems, Rendered, Renderer, Step, Where},
    diag,
    run::{self, Results, Row, Settings, Shown},
};

use crate::{module::MODULES, overstate, validate};

/// Stages that run at once: each has a thread that mostly waits.
const PARALLEL: usize = 64;

/// The steps of an orchestration.
///
/// # Errors
/// Everything that is wrong with its source.
pub fn compile(context: &Context<'_>, source: &Source, saltenv: &str) -> Result<Vec<Step>, Problems> {
    let steps = states::stack::deep(|| match source {
        Source::Sls(names) => {
            let options = Options { saltenv: Some(saltenv.to_owned()), ..Options::default() };
            let steps = Compiler::new(context).low_of(names, &options)?;
            if steps.is_empty() {
                let message = format!("there is nothing to do in {}: no states", names.join(", "));
                return Err(vec![
                    Diagnostic::new(message).hint("as with Salt, an orchestration without states has failed"),
                ]);
            }
            Ok(steps)
        }
        Source::Overstate(path) => {
            let text = Renderer::new(context).source(saltenv, path).map_err(|why| vec![*why])?;
            let hint = "`ctl overstate FILE` takes one from here";
            let lacks = || {
                let message = format!("there is no {path} in the environment {saltenv}");
                vec![Diagnostic::new(message).hint(hint)]
            };
            overstate_of(context, &text.ok_or_else(lacks)?, path, saltenv)
        }
        Source::Text { name, text } => overstate_of(context, &diag::Source::new(name, text), name, saltenv),
        Source::Resumed => Err(vec![Diagnostic::new("the orchestration that is to be resumed is not known")]),
    })?;
    let problems = validate::problems(&steps);
    if problems.is_empty() { Ok(steps) } else { Err(problems) }
}

fn overstate_of(
    context: &Context<'_>,
    text: &Arc<diag::Source>,
    path: &str,
    saltenv: &str,
) -> Result<Vec<Step>, Problems> {
    let at = Where { env: saltenv, sls: "overstate", path };
    let node = match Renderer::new(context).render(text, at, &Map::new()) {
        Ok(Rendered::Data(node)) => node,
        Ok(Rendered::Text(_)) => return Err(vec![Diagnostic::new(format!("{path} renders to text, not to stages"))]),
        Err(why) => return Err(vec![*why]),
    };
    Ok(overstate::steps(&overstate::stages(&node)?, path, saltenv))
}

/// Rows of the stages that `--from` or `--only` leave out: they count as done.
///
/// # Errors
/// There is no such stage.
pub fn leave_out(steps: &[Step], from: Option<&str>, only: Option<&str>) -> Result<HashMap<String, Row>, Diagnostic> {
    let Some((wanted, option)) = from.map(|id| (id, "--from")).or(only.map(|id| (id, "--only"))) else {
        return Ok(HashMap::new());
    };
    // A stage's checks are a part of it.
    let is_of = |step: &Step| {
        let id = step.chunk.text("__id__");
        id == wanted || id.strip_suffix(" (check)") == Some(wanted)
    };
    if !steps.iter().any(is_of) {
        let known = steps.iter().map(|step| step.chunk.text("__id__"));
        let all: Vec<&str> = known.clone().collect();
        let hint = diag::did_you_mean(wanted, known).unwrap_or_else(|| format!("there are {}", all.join(", ")));
        return Err(Diagnostic::new(format!("there is no stage {wanted}")).hint(hint));
    }
    let mut runs: Vec<bool> = steps.iter().map(is_of).collect();
    if from.is_some() {
        for index in 0..steps.len() {
            // What a step waits for stands before it.
            runs[index] |= steps[index].needs.iter().any(|&(_, need)| runs[need]);
        }
    }
    let left_out = steps.iter().zip(runs).filter(|(_, runs)| !runs);
    let row = || Row { result: Some(true), comment: format!("left out: {option} {wanted}"), ..Row::default() };
    Ok(left_out.map(|(step, _)| (step.chunk.tag(), row())).collect())
}

/// The good rows of an earlier run that still hold for these steps: those of steps that are as they
/// were, and that wait for none that has to run (again).
pub fn take_over(old: &[Step], rows: &HashMap<String, Row>, new: &[Step]) -> HashMap<String, Row> {
    let was: HashMap<String, &Map> = old.iter().map(|step| (step.chunk.tag(), &step.chunk.data)).collect();
    let mut kept: Vec<bool> = Vec::with_capacity(new.len());
    let mut known = HashMap::new();
    for step in new {
        let tag = step.chunk.tag();
        let same = was.get(&tag).is_some_and(|data| without_order(data) == without_order(&step.chunk.data));
        let good = rows.get(&tag).filter(|row| row.result == Some(true) && row.ran);
        let keep = same && good.is_some() && step.needs.iter().all(|&(_, need)| kept.get(need) == Some(&true));
        if let Some(row) = good.filter(|_| keep) {
            known.insert(tag, row.clone());
        }
        kept.push(keep);
    }
    known
}

fn without_order(data: &Map) -> Map {
    data.iter().filter(|(key, _)| *key != "order").map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Runs steps. `known` are rows that need no run; `shown` is told of all others as they end.
pub fn run(
    context: &Context<'_>,
    steps: &[Step],
    test: bool,
    known: HashMap<String, Row>,
    shown: Shown<'_>,
) -> Results {
    let failhard = context.opts.get("failhard").is_some_and(states::functions::truth);
    let settings =
        Settings { test, failhard, parallel: PARALLEL, parallel_tests: true, modules: MODULES, known, pauses: None };
    run::run(context, steps, &settings, shown)
}

/// The rows in the shape of Salt's `state.orchestrate`.
pub fn to_value(master: &str, results: &Results) -> Value {
    let failed = results.values().any(|(_, row)| row.failed());
    shaped(master, run::to_value(results), failed)
}

/// What Salt's `state.orchestrate` gives of an orchestration that cannot begin: texts in the place of
/// rows.
pub fn not_begun(master: &str, problems: &Problems) -> Value {
    shaped(master, problems.iter().map(|problem| problem.render(false)).collect(), true)
}

fn shaped(master: &str, data: Value, failed: bool) -> Value {
    serde_json::json!({ "data": { master: data }, "outputter": "highstate", "retcode": i32::from(failed) })
}
