//! `ctl minion`: the daemon; `ctl minion list|show|forget`: what the master knows of minions.

use clap::Subcommand;
use minion::config::Config;
use proto::{
    MinionId,
    message::{MinionRow, Query},
};
use serde_json::{Map, Value, json};
use tokio_util::sync::CancellationToken;

use super::changed;
use crate::{
    access::diagnosed,
    cli::Global,
    client::{Client, Reply, block_on},
    daemon::{self, Daemon},
    error::{Error, Exit, Outcome},
    logging,
    output::{self, table::Table},
    times,
};

/// Run the minion (no subcommand), or show who is here
///
///   ctl minion                   the daemon; DIR/minion names its master
///   ctl minion list --absent     who is not connected, and since when
///   ctl minion show web1
///   ctl minion forget web9       it is gone for good, and so is its key
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    daemon: Daemon,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    /// Show one minion, with its grains
    ///
    ///   ctl minion show web1
    ///   ctl minion show web1 --out json | jq .grains.os
    #[command(verbatim_doc_comment)]
    Show(Id),
    /// Forget a minion and its key
    ///
    ///   ctl minion forget web9
    #[command(verbatim_doc_comment)]
    Forget(Id),
}

/// List minions: who is connected, since when, last seen, version
///
///   ctl minion list
///   ctl minion list --absent --out jsonl
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct List {
    /// Only those that are connected
    #[arg(long)]
    connected: bool,
    /// Only those that are not
    #[arg(long, conflicts_with = "connected")]
    absent: bool,
}

/// Which one.
#[derive(Debug, clap::Args)]
struct Id {
    id: MinionId,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    match args.command {
        None => daemon(&args.daemon, global),
        Some(Command::List(args)) => block_on(list(args, global)),
        Some(Command::Show(args)) => block_on(show(args.id, global)),
        Some(Command::Forget(args)) => block_on(async {
            let mut client = Client::connect(global).await?;
            match client.answer(Query::ForgetMinion { id: args.id }).await? {
                Reply::Changed(ids) => changed(global, "forgotten", &ids),
                other => Err(client.unexpected(&other)),
            }
        }),
    }
}

async fn rows(client: &mut Client, id: Option<MinionId>) -> Result<Vec<MinionRow>, Error> {
    match client.answer(Query::Minions { id }).await? {
        Reply::Minions(rows) => Ok(rows),
        other => Err(client.unexpected(&other)),
    }
}

async fn list(args: List, global: &Global) -> Outcome {
    let mut client = Client::connect(global).await?;
    let mut rows = rows(&mut client, None).await?;
    rows.retain(|row| !(args.connected && !row.connected || args.absent && row.connected));
    rows.sort_by(|a, b| a.id.cmp(&b.id));
    let now = times::now();
    let shown = |time: Option<u64>| time.map_or("never".into(), |time| times::show(time, &now));
    let mut table = Table::new(["ID", "STATE", "SINCE", "LAST SEEN", "VERSION"], "no minion is accepted yet");
    for row in &rows {
        let version = row.version.clone().unwrap_or_default();
        table.row([row.id.to_string(), state(row).into(), shown(row.since), shown(row.last_seen), version]);
    }
    output::list(global.out, table, rows.iter().map(object).collect())?;
    for row in &rows {
        if let Some(warning) = clock_warning(row) {
            global.note(&warning);
        }
    }
    Ok(Exit::OK)
}

fn state(row: &MinionRow) -> &'static str {
    if row.connected { "connected" } else { "offline" }
}

/// A minion's clock may be this far off, in microseconds, before we speak of it.
const CLOCK: u64 = 5_000_000;

fn clock_warning(row: &MinionRow) -> Option<String> {
    let offset = row.clock_offset.filter(|offset| offset.unsigned_abs() > CLOCK)?;
    let side = if offset > 0 { "ahead" } else { "behind" };
    Some(format!("{}: its clock is {} {side}\n", row.id, times::show_length(offset.unsigned_abs())))
}

fn object(row: &MinionRow) -> Value {
    let mut object = Map::from_iter([
        ("id".into(), json!(row.id)),
        ("connected".into(), json!(row.connected)),
        ("since".into(), row.since.map_or(Value::Null, times::json)),
        ("last_seen".into(), row.last_seen.map_or(Value::Null, times::json)),
        ("address".into(), json!(row.address)),
        ("version".into(), json!(row.version)),
        ("clock_offset_seconds".into(), json!(row.clock_offset.map(|us| us as f64 / 1e6))),
    ]);
    if let Some(grains) = &row.grains {
        object.insert("grains".into(), Value::Object(grains.clone()));
    }
    Value::Object(object)
}

async fn show(id: MinionId, global: &Global) -> Outcome {
    let mut client = Client::connect(global).await?;
    let rows = rows(&mut client, Some(id.clone())).await?;
    let Some(row) = rows.first() else {
        return Err(Error::nothing(format!("there is no minion {id}")).hint("`ctl minion list` shows all"));
    };
    output::one(global.out, &object(row))?;
    if let Some(warning) = clock_warning(row) {
        global.note(&warning);
    }
    Ok(Exit::OK)
}

fn daemon(args: &Daemon, global: &Global) -> Outcome {
    daemon::die_with(args.parent)?;
    let (config, warnings) = Config::load(&global.config_dir()).map_err(diagnosed)?;
    logging::start(config.keys.log_level.as_deref(), config.keys.log_format.as_deref(), global.verbose)?;
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    match minion::daemon::run(config, CancellationToken::new()) {
        Ok(()) => Ok(Exit::OK),
        Err(error) => {
            let hint = error
                .hint()
                .unwrap_or_else(|| "`root_dir:` in the configuration says where everything is written".into());
            Err(Error::nothing(error.to_string()).hint(hint))
        }
    }
}
