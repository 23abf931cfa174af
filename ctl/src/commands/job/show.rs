//! `ctl job show`.

use proto::{
    Outcome as Ended,
    job::PairEnd,
    message::{JobDetail, JobRow, ORCHESTRATE, PairState},
};
use serde_json::{Value, json};

use super::{
    Detail, Which, detail, orchestrated,
    row::{call, object},
};
use crate::{
    cli::Global,
    client::{Client, block_on},
    error::{Error, Exit, Outcome},
    output::{self, Format},
    term, times, watch,
};

pub fn run(which: &Which, global: &Global) -> Outcome {
    block_on(async {
        let mut client = Client::connect(global).await?;
        let jid = which.find(&mut client).await?;
        match detail(&mut client, jid).await? {
            Detail::Call(detail) => show_call(*detail, global),
            Detail::Orchestration(detail) => orchestrated::show(global, &mut client, &detail).await,
        }
    })
}

fn show_call(mut detail: JobDetail, global: &Global) -> Outcome {
    detail.ends.sort_by(|a, b| a.minion.cmp(&b.minion));
    match global.out {
        None => show_to_people(global, &detail)?,
        Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) => output::one(global.out, &whole(&detail))?,
        Some(format) => {
            for end in &detail.ends {
                term::result(&output::block(
                    format,
                    end.minion.as_str(),
                    &end.ret.value,
                    end.ret.outcome == Ended::Ok,
                    global.verbose > 0,
                ))?;
            }
        }
    }
    Ok(Exit::OK)
}

/// A job with every answer, for programs.
pub fn whole(detail: &JobDetail) -> Value {
    let end = |end: &PairEnd| {
        json!({
            "outcome": end.ret.outcome,
            "return": end.ret.value,
            "retcode": end.ret.retcode,
            "started": times::json(end.ret.started),
            "duration_seconds": end.ret.duration as f64 / 1e6,
            "stored": times::json(end.at),
            "truncated": end.ret.truncated,
        })
    };
    let mut value = object(&detail.row);
    value["revisions"] = detail
        .revisions
        .iter()
        .map(|(env, at)| {
            json!({"environment": env.to_string(), "root": at.root, "commit": at.commit, "dirty": at.dirty})
        })
        .collect();
    value["minions"] =
        detail.ends.iter().map(|e| (e.minion.to_string(), end(e))).collect::<serde_json::Map<_, _>>().into();
    value["open"] =
        detail.open.iter().map(|(id, state)| (id.to_string(), json!(state))).collect::<serde_json::Map<_, _>>().into();
    value
}

fn line(name: &str, value: &str) -> String {
    format!("{name:<9} {}\n", term::clean(value))
}

/// What was asked, by whom, when.
pub fn head(row: &JobRow) -> String {
    let mut text = format!("{}\n", term::paint(term::BOLD, row.jid));
    text += &line("call", &call(row));
    if row.function != ORCHESTRATE {
        text += &line("target", &row.target);
    }
    text += &line("operator", &format!("{} from {}", row.operator, row.from));
    text += &line("started", &times::show_exact(row.jid.micros(), &times::now()));
    if let Some(parent) = &row.parent {
        text += &line("part of", &parent.to_string());
    }
    if let Some(comment) = &row.comment {
        text += &line("comment", comment);
    }
    if let Some(tree) = &row.tree {
        text += &line("tree", &format!("{tree:.16}"));
    }
    text
}

fn show_to_people(global: &Global, detail: &JobDetail) -> Result<(), Error> {
    let mut text = head(&detail.row);
    for (env, at) in &detail.revisions {
        let changed = if at.dirty == Some(true) { " + uncommitted changes" } else { "" };
        text += &line("commit", &format!("{:.12} of {} ({env}){changed}", at.commit, at.root));
    }
    text.push('\n');
    for end in &detail.ends {
        text += &end_to_people(end, global.verbose > 0);
    }
    for (minion, state) in &detail.open {
        text += &format!("{minion}: {}\n", term::paint(term::VALUE, open(*state)));
    }
    term::result(&text)?;
    global.note(&format!("{}\n", watch::account_of(detail).line(&times::now())));
    Ok(())
}

/// One minion's answer and how it ended; `all` shows what is well too.
pub fn end_to_people(end: &PairEnd, all: bool) -> String {
    let good = end.ret.outcome == Ended::Ok;
    let took = times::show_length(end.ret.duration);
    let how = match end.ret.outcome {
        Ended::Failed => format!("  {} (code {}) after {took}\n", end.ret.outcome, end.ret.retcode),
        Ended::Ok => format!("  {} after {took}\n", end.ret.outcome),
        other => format!("  {other} at {}\n", times::show(end.at, &times::now())),
    };
    let format = if output::highstate::fits(&end.ret.value) { Format::Highstate } else { Format::Nested };
    output::block(format, end.minion.as_str(), &end.ret.value, good, all)
        + &term::paint(term::DIM, how.trim_end())
        + "\n"
}

/// How far a call is that has not ended.
pub fn open(state: PairState) -> &'static str {
    match state {
        PairState::Targeted => "not sent yet",
        PairState::Sent => "sent, not confirmed yet",
        PairState::Received => "waiting to start",
        PairState::Running => "running",
    }
}
