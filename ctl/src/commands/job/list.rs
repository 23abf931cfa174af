//! `ctl job list`.

use proto::message::{JobFilter, Query};

use super::row::{call, ended, object};
use crate::{
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{self, table::Table, table::cut},
    term, times,
};

/// List jobs, the newest first
///
///   ctl job list --since tuesday --until wednesday --target gmail --operator 'a*'
///
/// Times: yesterday, tuesday, '14:00', 2h (ago), 2026-11-20, '2026-11-20 14:00'.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct List {
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

pub fn run(args: List, global: &Global) -> Outcome {
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
    // Into a pipe all of it; on a terminal the call has what the other columns leave, which is 24 of 100.
    let room = term::width().map(usize::from);
    let (narrow, wide) = room.map_or((usize::MAX, usize::MAX), |width| (12, width.saturating_sub(76).max(24)));
    let mut table = Table::new(["JID", "STARTED", "OPERATOR", "TARGET", "ENDED", "CALL"], "no such jobs");
    for row in &rows {
        table.row([
            row.jid.to_string(),
            times::show_short(row.jid.micros(), &now),
            cut(row.operator.as_str(), narrow),
            cut(&row.target, narrow),
            ended(row),
            cut(&call(row), wide),
        ]);
    }
    output::list(global.out, table, rows.iter().map(object).collect())?;
    if parts > 0 {
        global.note(&format!("{parts} stages of orchestrations are left out; --all shows them\n"));
    }
    Ok(Exit::OK)
}
