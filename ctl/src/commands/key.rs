//! `ctl key …`: which minions the master knows, by their keys.

use clap::Subcommand;
use proto::{
    MinionId,
    message::{KeyRow, KeyState, Query, RefusedRow},
};
use serde_json::{Value, json};

use super::changed;
use crate::{
    arguments,
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{self, Format, table::Table, table::cut},
    term, times,
};

/// Decide which minions belong to this master
///
///   ctl key list                          compare fingerprints with `ctl key show` there
///   ctl key accept web1
///   ctl key accept 'db*' --grain role=db  a grain that they cannot claim themselves
///   ctl key token                         lets one new minion in, without asking
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Accept(Accept),
    /// Reject keys: their minions are turned away
    ///
    ///   ctl key reject web9
    #[command(verbatim_doc_comment)]
    Reject(Names),
    /// Delete keys: their minions are disconnected, and may ask again
    ///
    ///   ctl key delete web9
    ///   ctl key delete 'test*'
    #[command(verbatim_doc_comment)]
    Delete(Names),
    Show(Show),
    Token(Token),
}

/// List keys and their states
///
///   ctl key list
///   ctl key list 'web*'
///   ctl key list --refused      who was turned away, and why
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct List {
    /// Only ids that match this glob
    glob: Option<String>,
    /// Those who were turned away: id, address, reason, how often
    #[arg(long)]
    refused: bool,
    /// All of them (as without it)
    #[arg(long, hide = true)]
    all: bool,
}

/// Accept pending keys
///
///   ctl key accept web1
///   ctl key accept 'db*' --grain role=db
///   ctl key accept --all
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Accept {
    #[command(flatten)]
    names: Names,
    /// A grain that this master fixes for them: rules and secrets can rely on it
    #[arg(long, value_name = "KEY=VALUE")]
    grain: Vec<String>,
    /// Rejected ones too
    #[arg(long)]
    include_rejected: bool,
}

/// Which keys.
#[derive(Debug, clap::Args)]
struct Names {
    /// Ids, globs or whole fingerprints
    #[arg(value_name = "ID|GLOB|FINGERPRINT", required_unless_present = "all")]
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// Show keys with their whole fingerprints; without a name, the master's own
///
///   ctl key show            for `master_fingerprint` in a minion's configuration
///   ctl key show web1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Show {
    /// Ids, globs or whole fingerprints
    #[arg(value_name = "ID|GLOB|FINGERPRINT")]
    names: Vec<String>,
    /// All of them
    #[arg(long, conflicts_with = "names")]
    all: bool,
}

/// Make a one-time token: a new minion with it as `enroll_token` is accepted
///
///   ctl key token
///   ctl key token web1 --for 1d      only for a minion of this id
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Token {
    /// Only for a minion of this id
    id: Option<MinionId>,
    /// How long it is good for
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = times::seconds)]
    valid_for: u32,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    block_on(async {
        let mut client = Client::connect(global).await?;
        match args.command {
            Command::List(args) if args.refused => refused(&mut client, global).await,
            Command::List(args) => list(&mut client, global, args.glob).await,
            Command::Accept(args) => accept(&mut client, global, args).await,
            Command::Reject(names) => each(&mut client, global, &names, "rejected", |id| Query::KeyReject { id }).await,
            Command::Delete(names) => each(&mut client, global, &names, "deleted", |id| Query::KeyDelete { id }).await,
            Command::Show(Show { names, all: false }) if names.is_empty() => show_master(&client, global),
            Command::Show(Show { names, all }) => show(&mut client, global, &Names { names, all }).await,
            Command::Token(args) => token(&mut client, global, args).await,
        }
    })
}

async fn keys(client: &mut Client) -> Result<Vec<KeyRow>, Error> {
    match client.answer(Query::Keys).await? {
        Reply::Keys(mut rows) => {
            rows.sort_by(|a, b| (order(a.state), &a.id).cmp(&(order(b.state), &b.id)));
            Ok(rows)
        }
        other => Err(client.unexpected(&other)),
    }
}

/// What wants a decision comes first.
fn order(state: KeyState) -> u8 {
    match state {
        KeyState::Pending => 0,
        KeyState::Rejected => 1,
        KeyState::Accepted => 2,
    }
}

async fn list(client: &mut Client, global: &Global, glob: Option<String>) -> Outcome {
    let rows = keys(client).await?;
    let rows: Vec<KeyRow> = match glob {
        Some(glob) => select(rows, &glob),
        None => rows,
    };
    let now = times::now();
    let mut table = Table::new(["ID", "STATE", "SINCE", "FINGERPRINT"], "no minion has shown a key yet");
    for row in &rows {
        let print = row.key.fingerprint().to_string();
        table.row([
            row.id.to_string(),
            state(row.state).into(),
            times::show(row.since, &now),
            format!("{}…", &print[..23]),
        ]);
    }
    output::list(global.out, table, rows.iter().map(object).collect())?;
    let pending = rows.iter().filter(|row| row.state == KeyState::Pending).count();
    if pending > 0 && global.out.is_none() {
        global.note(&format!("{pending} pending: compare with `ctl key show`, then `ctl key accept`\n"));
    }
    Ok(Exit::OK)
}

/// The keys whose id matches the glob, or that have exactly this fingerprint.
fn select(rows: Vec<KeyRow>, name: &str) -> Vec<KeyRow> {
    if let Ok(print) = name.parse::<proto::sign::Fingerprint>() {
        return rows.into_iter().filter(|row| row.key.fingerprint() == print).collect();
    }
    let glob = proto::Glob::new(name);
    rows.into_iter().filter(|row| glob.is_match(row.id.as_str())).collect()
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Pending => "pending",
        KeyState::Accepted => "accepted",
        KeyState::Rejected => "rejected",
    }
}

fn object(row: &KeyRow) -> Value {
    json!({
        "id": row.id,
        "state": state(row.state),
        "fingerprint": row.key.fingerprint().to_string(),
        "key": row.key.to_string(),
        "since": times::json(row.since),
        "grains": row.fixed_grains,
    })
}

async fn show(client: &mut Client, global: &Global, names: &Names) -> Outcome {
    let rows = keys(client).await?;
    let mut shown = Vec::new();
    for name in &globs(names) {
        let found = select(rows.clone(), name);
        if found.is_empty() {
            return Err(no_such_key(name, &rows));
        }
        shown.extend(found);
    }
    if global.out.is_some() {
        output::list(global.out, Table::new(["ID"], ""), shown.iter().map(object).collect())?;
        return Ok(Exit::OK);
    }
    for row in &shown {
        let grains = if row.fixed_grains.is_empty() {
            String::new()
        } else {
            format!("\n  grains      {}", Value::from(row.fixed_grains.clone()))
        };
        let since = times::show(row.since, &times::now());
        term::result(&format!(
            "{}\n  state       {} since {since}\n  fingerprint {}{grains}\n",
            term::paint(term::BOLD, &row.id),
            state(row.state),
            row.key.fingerprint(),
        ))?;
    }
    Ok(Exit::OK)
}

/// What minions pin as `master_fingerprint`.
fn show_master(client: &Client, global: &Global) -> Outcome {
    let print = client.key.fingerprint().to_string();
    match global.out {
        Some(_) => output::one(global.out, &json!({"master": print, "key": client.key.to_string()}))?,
        None => term::result(&format!("{}\n  fingerprint {print}\n", term::paint(term::BOLD, "master")))?,
    }
    Ok(Exit::OK)
}

fn no_such_key(name: &str, rows: &[KeyRow]) -> Error {
    let near = states::diag::did_you_mean(name, rows.iter().map(|row| row.id.as_str()));
    Error::nothing(format!("no key matches '{name}'"))
        .hint(near.unwrap_or_else(|| format!("{} are known: `ctl key list` shows them", rows.len())))
}

fn globs(names: &Names) -> Vec<String> {
    if names.all { vec!["*".into()] } else { names.names.clone() }
}

async fn accept(client: &mut Client, global: &Global, args: Accept) -> Outcome {
    let grains = arguments::pairs(&args.grain).map_err(Error::nothing)?;
    let include_rejected = args.include_rejected;
    each(client, global, &args.names, "accepted", |id| Query::KeyAccept {
        id,
        grains: grains.clone(),
        include_rejected,
    })
    .await
}

/// Asks one question for each name, where a fingerprint stands for the id that it belongs to.
async fn each(
    client: &mut Client,
    global: &Global,
    names: &Names,
    what: &str,
    query: impl Fn(String) -> Query,
) -> Outcome {
    let mut done = Vec::new();
    for name in globs(names) {
        let id = match name.parse::<proto::sign::Fingerprint>() {
            Err(_) => name,
            Ok(_) => match select(keys(client).await?, &name).pop() {
                Some(row) => row.id.to_string(),
                None => return Err(Error::nothing(format!("no key has the fingerprint {name}"))),
            },
        };
        match client.answer(query(id)).await? {
            Reply::Changed(ids) => done.extend(ids),
            other => return Err(client.unexpected(&other)),
        }
    }
    changed(global, what, &done)
}

async fn refused(client: &mut Client, global: &Global) -> Outcome {
    let rows: Vec<RefusedRow> = match client.answer(Query::Refused).await? {
        Reply::Refusals(rows) => rows,
        other => return Err(client.unexpected(&other)),
    };
    let now = times::now();
    let mut table = Table::new(["ID", "ADDRESS", "COUNT", "LAST", "REASON"], "nobody was turned away");
    for row in &rows {
        let cells = [cut(&term::clean(&row.id), 24), row.address.clone(), row.count.to_string()];
        let [id, address, count] = cells;
        table.row([id, address, count, times::show(row.last, &now), term::clean(&row.reason)]);
    }
    let object = |row: &RefusedRow| json!({"id": row.id, "address": row.address, "reason": row.reason, "count": row.count, "last": times::json(row.last)});
    output::list(global.out, table, rows.iter().map(object).collect())?;
    Ok(Exit::OK)
}

async fn token(client: &mut Client, global: &Global, args: Token) -> Outcome {
    let token = match client.answer(Query::Token { id: args.id.clone(), valid_for: args.valid_for }).await? {
        Reply::Token(token) => token,
        other => return Err(client.unexpected(&other)),
    };
    match global.out {
        Some(Format::Json | Format::Jsonl | Format::Yaml) => output::one(global.out, &json!({"token": token}))?,
        _ => term::result(&format!("{token}\n"))?,
    }
    let who = args.id.map_or("one minion".into(), |id| format!("the minion {id}"));
    let length = times::show_length(u64::from(args.valid_for) * 1_000_000);
    global.note(&format!("good for {who}, once, for {length}; in its configuration:  enroll_token: {token}\n"));
    Ok(Exit::OK)
}
