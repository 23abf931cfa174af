//! `ctl event watch|send`

use clap::Subcommand;
use proto::message::Query;
use serde_json::{Value, json};

use super::changed;
use crate::{
    arguments,
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{Format, nested},
    term,
};

/// Watch the master's events, or send one
///
///   ctl event watch                          everything, until Ctrl-C
///   ctl event watch 'salt/job/*/ret/web*'    answers of web servers
///   ctl event send deploy/finished version=1.2
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Watch(Watch),
    Send(Send),
}

/// Show events as they happen, until Ctrl-C
///
///   ctl event watch 'salt/job/*/ret/*' --out jsonl
///   ctl event watch salt/presence/change -n 1     wait for the next one
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Watch {
    /// Only tags that match this glob
    #[arg(default_value = "*")]
    tag: String,
    /// Stop after N of them
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
}

/// Send an event of your own; tags beginning with salt/ or overstate/ are the master's
///
///   ctl event send deploy/finished version=1.2 hosts='[web1, web2]'
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
struct Send {
    tag: String,
    /// Its data
    #[arg(value_name = "KEY=VALUE")]
    data: Vec<String>,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    match args.command {
        Command::Watch(args) => block_on(watch(args, global)),
        Command::Send(args) => block_on(send(args, global)),
    }
}

async fn watch(args: Watch, global: &Global) -> Outcome {
    let mut client = Client::connect(global).await?;
    client.send(Query::Events { tag: args.tag }).await?;
    if term::interactive() {
        global.note("waiting for events; Ctrl-C ends it\n");
    }
    let mut left = args.count.unwrap_or(u64::MAX);
    while left > 0 {
        let answer = tokio::select! {
            answer = client.next() => answer?,
            _ = tokio::signal::ctrl_c() => return Ok(Exit::INTERRUPTED),
        };
        match answer.1 {
            Reply::Event { tag, data } => show(global.out, &tag, &data)?,
            Reply::Error(fault) => return Err(fault.into()),
            _ => continue,
        }
        left -= 1;
    }
    Ok(Exit::OK)
}

fn show(format: Option<Format>, tag: &str, data: &Value) -> Result<(), Error> {
    let tag = term::clean(tag);
    let text = match format {
        Some(Format::Json | Format::Jsonl) => json!({"tag": tag, "data": data}).to_string() + "\n",
        Some(Format::Txt) => format!("{tag}\t{data}\n"),
        Some(Format::Yaml) => "---\n".to_owned() + &crate::output::yaml(&json!({"tag": tag, "data": data})),
        Some(Format::Quiet | Format::Nagios | Format::Prometheus) => String::new(),
        Some(Format::Nested | Format::Highstate) | None => nested::render(&tag, data, true),
    };
    Ok(term::result(&text)?)
}

async fn send(args: Send, global: &Global) -> Outcome {
    let data = arguments::pairs(&args.data).map_err(Error::nothing)?;
    let mut client = Client::connect(global).await?;
    match client.answer(Query::SendEvent { tag: args.tag, data: Value::Object(data) }).await? {
        Reply::Changed(tags) => changed(global, "sent", &tags),
        other => Err(client.unexpected(&other)),
    }
}
