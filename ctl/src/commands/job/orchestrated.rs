//! Jobs that are orchestrations: shown stage by stage and host by host, stopped with all their parts.

use std::fmt::Write as _;

use proto::{
    JobId, Outcome as Ended,
    message::{
        JobDetail, JobRow, Query,
        orchestration::{Orchestration, OrchestrationDetail, Source},
    },
};
use serde_json::{Value, json};

use super::{
    row::object,
    show::{end_to_people, head, open, whole},
};
use crate::{
    cli::Global,
    client::{Client, Reply},
    error::{Error, Exit, Outcome},
    output::{self, Format, highstate},
    term::{self, BAD, BOLD, CHANGED, DIM, GOOD, VALUE, paint},
    times,
};

/// `overstate.sls test=true`: what was orchestrated, for people.
pub fn call(row: &JobRow) -> String {
    let Ok(orchestration) = Orchestration::from_args(&row.args) else { return row.function.clone() };
    let mut words = vec![match &orchestration.source {
        Source::Sls(names) => format!("orchestrate {}", names.join(",")),
        Source::Resumed => "overstate".into(),
        source => format!("overstate {}", source.name()),
    }];
    words.extend(orchestration.saltenv.map(|env| format!("saltenv={env}")));
    words.extend(orchestration.test.then(|| "--test".to_owned()));
    words.extend(orchestration.from.map(|stage| format!("--from {stage}")));
    words.extend(orchestration.only.map(|stage| format!("--only {stage}")));
    words.extend(orchestration.resume.map(|jid| format!("--resume {jid}")));
    words.join(" ")
}

/// How it stands, for the list.
pub fn ended(row: &JobRow) -> String {
    match row.ends.iter().find(|(_, count)| *count > 0) {
        None => "running".into(),
        Some((Ended::Refused, _)) => "killed".into(),
        Some((outcome, _)) => outcome.to_string(),
    }
}

/// A stage's jobs with their hosts.
type Parts = Vec<Vec<JobDetail>>;

async fn parts(client: &mut Client, detail: &OrchestrationDetail) -> Result<Parts, Error> {
    let mut parts = Vec::new();
    for stage in &detail.stages {
        let mut jobs = Vec::new();
        for jid in &stage.jobs {
            match client.answer(Query::Job { jid: *jid }).await? {
                Reply::JobDetail(mut job) => {
                    job.ends.sort_by(|a, b| a.minion.cmp(&b.minion));
                    jobs.push(*job);
                }
                other => return Err(client.unexpected(&other)),
            }
        }
        parts.push(jobs);
    }
    Ok(parts)
}

pub async fn show(global: &Global, client: &mut Client, detail: &OrchestrationDetail) -> Outcome {
    let parts = parts(client, detail).await?;
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => {
            output::one(global.out, &value(detail, &parts))?;
        }
        _ => term::result(&text(detail, &parts, global.verbose > 0))?,
    }
    Ok(Exit::OK)
}

fn value(detail: &OrchestrationDetail, parts: &Parts) -> Value {
    let mut value = object(&detail.row);
    let stage = |(index, jobs): (usize, &Vec<JobDetail>)| {
        let planned = detail.plan.stages.get(index);
        json!({
            "id": planned.map(|stage| &stage.id),
            "what": planned.map(|stage| &stage.what),
            "place": planned.map(|stage| &stage.place),
            "row": detail.stages.get(index).and_then(|stage| stage.row.clone()),
            "jobs": jobs.iter().map(whole).collect::<Vec<_>>(),
        })
    };
    value["outcome"] = json!(detail.outcome);
    value["stages"] = parts.iter().enumerate().map(stage).collect();
    value
}

fn text(detail: &OrchestrationDetail, parts: &Parts, all: bool) -> String {
    let mut text = head(&detail.row);
    let outcome = match detail.outcome {
        None => paint(VALUE, "still running"),
        Some(Ended::Ok) => paint(GOOD, "ok"),
        Some(Ended::Refused) => paint(BAD, "killed"),
        Some(_) => paint(BAD, "failed"),
    };
    let _ = writeln!(text, "{:<9} {outcome}", "ended");
    for (index, planned) in detail.plan.stages.iter().enumerate() {
        let row = detail.stages.get(index).and_then(|stage| stage.row.as_ref());
        let (style, word) = verdict(row);
        let head = paint(style.bold(), format_args!("{} {}", word.0, term::clean(&planned.id)));
        let _ = writeln!(text, "\n{head}  {}  {}", term::clean(&planned.what), paint(DIM, &planned.place));
        let comment = row.and_then(|row| row.get("comment")).and_then(Value::as_str).unwrap_or(word.1);
        for line in term::clean(comment).lines().filter(|line| !line.is_empty()) {
            let _ = writeln!(text, "  {line}");
        }
        for job in parts.get(index).into_iter().flatten() {
            text += &hosts(job, all);
        }
    }
    text
}

/// A stage's colour, mark, and what to say where its row says nothing.
fn verdict(row: Option<&Value>) -> (anstyle::Style, (char, &'static str)) {
    match row.map(|row| row.get("result")) {
        None => (DIM, ('·', "not ended")),
        Some(Some(Value::Bool(true))) => (GOOD, ('✓', "")),
        Some(Some(Value::Null)) => (VALUE, ('~', "would change")),
        Some(_) => (BAD, ('✗', "")),
    }
}

/// The hosts of one of a stage's jobs, a line each; whole blocks where `all` is asked for.
fn hosts(job: &JobDetail, all: bool) -> String {
    let mut text = format!("  {}\n", paint(DIM, format_args!("job {}", job.row.jid)));
    for end in &job.ends {
        if all {
            text += &end_to_people(end, true);
            continue;
        }
        let good = end.ret.outcome == Ended::Ok;
        let took = times::show_length(end.ret.duration);
        let changed = match highstate::changes_in(&end.ret.value) {
            0 => String::new(),
            some if highstate::fits(&end.ret.value) => format!(", {some} changed"),
            _ => String::new(),
        };
        let how = match end.ret.outcome {
            Ended::Ok | Ended::Failed => format!("{} after {took}{changed}", end.ret.outcome),
            other => format!("{other} at {}", times::show(end.at, &times::now())),
        };
        let _ = writeln!(text, "    {}  {how}", paint(if good { GOOD } else { BAD }, &end.minion));
        if !good && let Some(why) = highstate::first_error(&end.ret.value) {
            let _ = writeln!(text, "      {}", term::clean(&why));
        }
    }
    for (minion, state) in &job.open {
        let _ = writeln!(text, "    {}  {}", paint(BOLD, minion), paint(CHANGED, open(*state)));
    }
    text
}

/// Has no further stage start, and gives the parts that may still run.
pub async fn stop(client: &mut Client, jid: JobId) -> Result<Vec<JobId>, Error> {
    match client.answer(Query::Kill { jid }).await? {
        Reply::Stopped { jobs } => Ok(jobs),
        other => Err(client.unexpected(&other)),
    }
}
