//! `ctl job …`: what was run, by whom, and what became of it.

mod orchestrated;

use std::{collections::BTreeMap, str::FromStr};

use clap::Subcommand;
use proto::{
    JobId, Outcome as Ended,
    job::PairEnd,
    message::{
        JobDetail, JobFilter, JobRow, ORCHESTRATE, PairState, Query, Reply,
        orchestration::{Orchestration, OrchestrationDetail},
    },
};
use serde_json::{Value, json};

use crate::{
    cli::Global,
    client::{Client, block_on},
    dispatch::{self, Call, Options},
    error::{Error, Exit, Outcome},
    orchestration,
    output::{self, Format, Returns, table::Table, table::cut},
    term, times,
    watch::{self, Patience, Watch},
};

/// Look at jobs, follow, stop or repeat them
///
///   ctl job list --since yesterday
///   ctl job show 20261121112754000042      who, when, what, and every answer
///   ctl job follow 20261121112754000042    after Ctrl-C, or from another terminal
///   ctl job kill 20261121112754000042
///
/// `last` stands for your latest job's id.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    /// Show one job: who, when, what, and every answer
    ///
    ///   ctl job show last
    ///   ctl job show 20261121112754000042 --out json
    #[command(verbatim_doc_comment)]
    Show(Jid),
    Follow(Follow),
    /// Stop a job wherever it has not ended
    ///
    ///   ctl job kill last
    #[command(verbatim_doc_comment)]
    Kill(Jid),
    Repeat(Repeat),
}

/// List jobs, the newest first
///
///   ctl job list --since tuesday --until wednesday --target gmail --operator 'a*'
///
/// Times: yesterday, tuesday, '14:00', 2h (ago), 2026-11-20, '2026-11-20 14:00'.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct List {
    /// Not before
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after; a day is meant whole
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// By this operator (glob)
    #[arg(long, value_name = "GLOB")]
    operator: Option<String>,
    /// Of this function (glob)
    #[arg(long, value_name = "GLOB")]
    function: Option<String>,
    /// On a minion whose id matches, or with exactly this target
    #[arg(long, value_name = "GLOB")]
    target: Option<String>,
    /// At most N of them
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// The stages of orchestrations too, each a job of its own
    #[arg(long)]
    all: bool,
}

/// Which one.
#[derive(Debug, clap::Args)]
struct Jid {
    /// Its id, or `last`
    #[arg(value_name = "JID")]
    jid: Which,
}

/// Show a job's answers, those that are there and those that come
///
///   ctl job follow last
///   ctl job follow 20261121112754000042 --timeout 5m
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Follow {
    /// Its id, or `last`
    #[arg(value_name = "JID")]
    jid: Which,
    /// How long to wait for answers
    #[arg(short, long, value_name = "TIME", value_parser = times::seconds)]
    timeout: Option<u32>,
    /// Show equal answers once
    #[arg(long)]
    fold: bool,
}

/// Run the same again, as a new job of yours
///
///   ctl job repeat last
///   ctl job repeat 20261121112754000042 --batch 10%
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Repeat {
    /// Its id, or `last`
    #[arg(value_name = "JID")]
    jid: Which,
    #[command(flatten)]
    options: Options,
}

/// A job as an operator names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// The operator's own latest.
    Last,
    Id(JobId),
}

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Self::Last),
            id => id.parse().map(Self::Id).map_err(|why| format!("{why}; `ctl job list` shows the ids")),
        }
    }
}

impl Which {
    /// The job's id.
    ///
    /// # Errors
    /// There is no latest job, or the master does not say.
    pub async fn find(&self, client: &mut Client) -> Result<JobId, Error> {
        if let Self::Id(jid) = self {
            return Ok(*jid);
        }
        let filter = JobFilter { operator: Some(client.operator().to_string()), limit: 50, ..JobFilter::default() };
        match client.answer(Query::Jobs(filter)).await? {
            Reply::Jobs(rows) => rows
                .iter()
                // What stopped a job is not the job that is meant.
                .find(|row| row.function != "saltutil.kill_job")
                // A stage is a part of what was run.
                .map(|row| row.parent.unwrap_or(row.jid))
                .ok_or_else(|| Error::nothing("you have run no job yet").hint("`ctl job list` shows those of others")),
            other => Err(client.unexpected(&other)),
        }
    }
}

pub fn run(args: Args, global: &Global) -> Outcome {
    match args.command {
        Command::List(args) => list(args, global),
        Command::Show(args) => show(&args.jid, global),
        Command::Follow(args) => follow(args, global),
        Command::Kill(args) => kill(&args.jid, global),
        Command::Repeat(args) => repeat(&args, global),
    }
}

fn list(args: List, global: &Global) -> Outcome {
    let all = args.all;
    let now = times::now();
    let (since, until) = times::range(args.since.as_deref(), args.until.as_deref(), &now).map_err(Error::nothing)?;
    let filter = JobFilter {
        since,
        until,
        operator: args.operator,
        function: args.function.map(|f| if f == "cmd" { "cmd.run".into() } else { f }),
        target: args.target,
        limit: args.limit,
    };
    let mut rows = block_on(async {
        let mut client = Client::connect(global).await?;
        match client.answer(Query::Jobs(filter)).await? {
            Reply::Jobs(rows) => Ok::<_, Error>(rows),
            other => Err(client.unexpected(&other)),
        }
    })?;
    let found = rows.len();
    rows.retain(|row| all || row.parent.is_none());
    let parts = found - rows.len();
    let mut table = Table::new(["JID", "STARTED", "OPERATOR", "TARGET", "ENDED", "CALL"], "no such jobs");
    for row in &rows {
        table.row([
            row.jid.to_string(),
            times::show_short(row.jid.micros(), &now),
            cut(row.operator.as_str(), 12),
            cut(&row.target, 12),
            ended(row),
            cut(&call(row), 24),
        ]);
    }
    output::list(global.out, table, rows.iter().map(object).collect())?;
    if parts > 0 {
        global.note(&format!("{parts} stages of orchestrations are left out; --all shows them\n"));
    }
    Ok(Exit::OK)
}

/// `cmd.run df -h cwd=/`
fn call(row: &JobRow) -> String {
    if row.function == ORCHESTRATE {
        return term::clean(&orchestrated::call(row));
    }
    let mut words = vec![row.function.clone()];
    words.extend(row.args.positional.iter().map(word));
    words.extend(row.args.named.iter().map(|(name, value)| format!("{name}={}", word(value))));
    term::clean(&words.join(" "))
}

/// An argument for people; a list of words is a command line.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(words) if words.iter().all(Value::is_string) => {
            words.iter().map(word).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// `3 of 3 ok`, or what else became of it.
fn ended(row: &JobRow) -> String {
    if row.function == ORCHESTRATE {
        return orchestrated::ended(row);
    }
    let count = |outcome| row.ends.iter().filter(|(o, _)| *o == outcome).map(|(_, n)| *n).sum::<u32>();
    let all: u32 = row.ends.iter().map(|(_, n)| *n).sum();
    if count(Ended::Ok) == row.expected {
        return format!("{} ok", row.expected);
    }
    let mut parts: Vec<String> = row.ends.iter().filter(|(_, n)| *n > 0).map(|(o, n)| format!("{n} {o}")).collect();
    let open = row.expected.saturating_sub(all);
    if open > 0 {
        parts.push(format!("{open} open"));
    }
    parts.join(", ")
}

fn object(row: &JobRow) -> Value {
    json!({
        "jid": row.jid.to_string(),
        "started": times::json(row.jid.micros()),
        "operator": row.operator,
        "from": row.from,
        "target": row.target,
        "function": row.function,
        "args": row.args.to_salt(),
        "comment": row.comment,
        "tree": row.tree.map(|tree| tree.to_string()),
        "parent": row.parent.map(|parent| parent.to_string()),
        "expected": row.expected,
        "ends": row.ends.iter().map(|(outcome, n)| (outcome.to_string(), json!(n))).collect::<serde_json::Map<_, _>>(),
    })
}

/// A job is one call, or an orchestration of many.
enum Detail {
    Call(Box<JobDetail>),
    Orchestration(Box<OrchestrationDetail>),
}

async fn detail(client: &mut Client, jid: JobId) -> Result<Detail, Error> {
    match client.answer(Query::Job { jid }).await? {
        Reply::JobDetail(detail) => Ok(Detail::Call(detail)),
        Reply::OrchestrationDetail(detail) => Ok(Detail::Orchestration(detail)),
        other => Err(client.unexpected(&other)),
    }
}

fn show(which: &Which, global: &Global) -> Outcome {
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

fn whole(detail: &JobDetail) -> Value {
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
        .map(|(env, at)| json!({"environment": env.to_string(), "root": at.root, "commit": at.commit}))
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
fn head(row: &JobRow) -> String {
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
        text += &line("commit", &format!("{:.12} of {} ({env})", at.commit, at.root));
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

fn end_to_people(end: &PairEnd, all: bool) -> String {
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

fn open(state: PairState) -> &'static str {
    match state {
        PairState::Targeted => "not sent yet",
        PairState::Sent => "sent, not confirmed yet",
        PairState::Received => "waiting to start",
        PairState::Running => "running",
    }
}

fn follow(args: Follow, global: &Global) -> Outcome {
    block_on(async {
        let mut client = Client::connect(global).await?;
        let jid = args.jid.find(&mut client).await?;
        let detail = match detail(&mut client, jid).await? {
            Detail::Orchestration(detail) => return orchestration::join(global, client, jid, detail.plan).await,
            Detail::Call(detail) => detail,
        };
        let returns = Returns::new(global.out.unwrap_or(Format::Nested), args.fold, global.verbose > 0);
        let patience = Patience { timeout: args.timeout, ttl: None };
        Watch::new(global, returns, patience).join(client, &detail).await
    })
}

/// Ends what was not sent yet, and kills a job's processes on every minion where it may run, which
/// is itself a job.
fn kill(which: &Which, global: &Global) -> Outcome {
    let (jid, parts) = block_on(async {
        let mut client = Client::connect(global).await?;
        let jid = which.find(&mut client).await?;
        let parts = match detail(&mut client, jid).await? {
            Detail::Call(_) => None,
            Detail::Orchestration(detail) if detail.outcome.is_some() => return Err(over(jid)),
            Detail::Orchestration(_) => Some(orchestrated::stop(&mut client, jid).await?),
        };
        Ok::<_, Error>((jid, parts))
    })?;
    let Some(parts) = parts else { return kill_call(jid, global) };
    global.note(&format!("{jid}: no further stage starts\n"));
    let mut exit = Exit::OK;
    for part in parts {
        match kill_call(part, global) {
            Ok(one) => exit = Exit(exit.0.max(one.0)),
            // It has just ended by itself.
            Err(error) if error.exit() == Exit(2) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(exit)
}

fn over(jid: JobId) -> Error {
    Error::nothing(format!("job {jid} has ended everywhere")).hint(format!("`ctl job show {jid}` shows how"))
}

fn kill_call(jid: JobId, global: &Global) -> Outcome {
    let (stopped, detail) = block_on(async { stop(&mut Client::connect(global).await?, jid).await })?;
    if !stopped.is_empty() {
        global.note(&format!("not sent any more: {}\n", stopped.join(", ")));
        if detail.open.is_empty() {
            return Ok(Exit::OK);
        }
    }
    if detail.open.is_empty() {
        return Err(over(jid));
    }
    let ids: BTreeMap<&str, PairState> = detail.open.iter().map(|(id, state)| (id.as_str(), *state)).collect();
    let target = format!("L@{}", ids.into_keys().collect::<Vec<_>>().join(","));
    let call = Call {
        target,
        function: dispatch::function("saltutil.kill_job")?,
        args: proto::Args::positional([Value::String(jid.to_string())]),
    };
    dispatch::carry_out(global, call, &Options::default(), Format::Nested)
}

/// Has the master end the pairs that were not sent; gives whose they were, and what is left.
async fn stop(client: &mut Client, jid: JobId) -> Result<(Vec<String>, JobDetail), Error> {
    let before = call_detail(client, jid).await?;
    if before.open.is_empty() {
        return Ok((Vec::new(), before));
    }
    let stopped = match client.answer(Query::Kill { jid }).await? {
        Reply::Changed(ids) => ids,
        other => return Err(client.unexpected(&other)),
    };
    Ok((stopped, call_detail(client, jid).await?))
}

async fn call_detail(client: &mut Client, jid: JobId) -> Result<JobDetail, Error> {
    match detail(client, jid).await? {
        Detail::Call(detail) => Ok(*detail),
        Detail::Orchestration(_) => Err(Error::nothing(format!("{jid} is an orchestration"))),
    }
}

fn repeat(args: &Repeat, global: &Global) -> Outcome {
    let (jid, found) = block_on(async {
        let mut client = Client::connect(global).await?;
        let jid = args.jid.find(&mut client).await?;
        detail(&mut client, jid).await.map(|found| (jid, found))
    })?;
    let row = match found {
        Detail::Call(detail) => detail.row,
        Detail::Orchestration(detail) => return repeat_orchestration(jid, &detail.row, args, global),
    };
    let function = dispatch::function(&row.function)?;
    let mut options = args.options.clone();
    options.comment = options.comment.or(Some(format!("repeats {}", row.jid)));
    let format = dispatch::natural_format(&function);
    dispatch::carry_out(global, Call { target: row.target, function, args: row.args }, &options, format)
}

fn repeat_orchestration(jid: JobId, row: &JobRow, args: &Repeat, global: &Global) -> Outcome {
    let again = Orchestration::from_args(&row.args)
        .map_err(|why| Error::nothing(format!("job {jid} cannot be repeated: {why}")))?;
    let comment = args.options.comment.clone().or(Some(format!("repeats {jid}")));
    block_on(async {
        let client = Client::connect(global).await?;
        orchestration::begin(global, client, again, comment, args.options.detach).await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ends: &[(Ended, u32)]) -> JobRow {
        JobRow {
            jid: JobId::from_micros(1_795_260_474_000_042),
            operator: "root".parse().unwrap(),
            from: "127.0.0.1".into(),
            target: "*".into(),
            function: "cmd.run".into(),
            args: proto::Args::positional([json!("df -h"), json!(5)]).with("cwd", "/"),
            comment: None,
            tree: None,
            parent: None,
            expected: 3,
            ends: ends.into(),
        }
    }

    #[test]
    fn a_row_says_what_was_called_and_how_it_ended() {
        assert_eq!(call(&row(&[])), "cmd.run df -h 5 cwd=/");
        assert_eq!(word(&json!(["df", "-h"])), "df -h");
        assert_eq!(word(&json!({"a": 1})), "{\"a\":1}");
        assert_eq!(ended(&row(&[(Ended::Ok, 3)])), "3 ok");
        assert_eq!(ended(&row(&[(Ended::Ok, 1), (Ended::Failed, 1)])), "1 ok, 1 failed, 1 open");
    }

    #[test]
    fn programs_get_the_same() {
        let object = object(&row(&[(Ended::Ok, 3)]));
        assert_eq!(object["jid"], "20261121112754000042");
        assert_eq!(object["args"], json!(["df -h", 5, {"__kwarg__": true, "cwd": "/"}]));
        assert_eq!(object["ends"], json!({"ok": 3}));
    }
}
