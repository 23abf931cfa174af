//! `ctl job …`: what was run, by whom, and what became of it.

mod kill;
mod list;
mod orchestrated;
mod row;
mod show;

use std::str::FromStr;

use clap::Subcommand;
use proto::{
    JobId,
    message::{
        JobDetail, JobFilter, JobRow, ORCHESTRATE, Query,
        orchestration::{Orchestration, OrchestrationDetail},
    },
};

use crate::{
    cli::Global,
    client::{Client, Reply, block_on},
    dispatch::{self, Call, Options},
    error::{Error, Outcome},
    orchestration,
    output::{Format, Returns},
    times,
    watch::{Patience, Watch},
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
    List(list::List),
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
        // What stopped a job is not the job that is meant.
        self.find_among(client, |row| row.function != "saltutil.kill_job", "job").await
    }

    /// The id of an orchestration that can be gone on from: a dry run has done nothing.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn find_resumable(&self, client: &mut Client) -> Result<JobId, Error> {
        let real = |row: &JobRow| {
            row.function == ORCHESTRATE && Orchestration::from_args(&row.args).is_ok_and(|about| !about.test)
        };
        self.find_among(client, real, "overstate").await
    }

    async fn find_among(
        &self,
        client: &mut Client,
        is_meant: impl Fn(&JobRow) -> bool,
        what: &str,
    ) -> Result<JobId, Error> {
        if let Self::Id(jid) = self {
            return Ok(*jid);
        }
        let filter = JobFilter { operator: Some(client.operator().to_string()), limit: 50, ..JobFilter::default() };
        match client.answer(Query::Jobs(filter)).await? {
            Reply::Jobs(rows) => rows
                .iter()
                .find(|row| is_meant(row))
                // A stage is a part of what was run.
                .map(|row| row.parent.unwrap_or(row.jid))
                .ok_or_else(|| {
                    Error::nothing(format!("you have run no {what} lately"))
                        .hint("`ctl job list` shows what was run, those of others too")
                }),
            other => Err(client.unexpected(&other)),
        }
    }
}

pub fn run(args: Args, global: &Global) -> Outcome {
    match args.command {
        Command::List(args) => list::run(args, global),
        Command::Show(args) => show::run(&args.jid, global),
        Command::Follow(args) => follow(args, global),
        Command::Kill(args) => kill::run(&args.jid, global),
        Command::Repeat(args) => repeat(&args, global),
    }
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
