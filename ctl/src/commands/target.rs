//! `ctl target TARGET`

use proto::message::{Absent, Query};
use serde_json::json;

use crate::{
    cli::Global,
    client::{Client, Reply, block_on},
    error::{Error, Exit, Outcome},
    output::{self, Format},
    selection::Selection,
    term, times,
};

/// Show who would match, before doing anything
///
///   ctl target 'web*'
///   ctl target 'G@os:Debian and not web*'
///   ctl target -G os:Debian --out json
///
/// The language: '*', 'web*', 'web1,web2', L@a,b, E@regex, G@grain:value, P@grain:regex,
/// I@pillar:value, J@pillar:regex, S@10.0.0.0/8, N@nodegroup, with and, or, not, ( ).
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Args {
    #[command(flatten)]
    selection: Selection,
}

pub fn run(args: Args, global: &Global) -> Outcome {
    let target = args.selection.expression()?;
    let (connected, absent) = block_on(async {
        let mut client = Client::connect(global).await?;
        match client.answer(Query::Resolve { target }).await? {
            Reply::Matched { connected, absent } => Ok::<_, Error>((connected, absent)),
            other => Err(client.unexpected(&other)),
        }
    })?;
    if let Some(Format::Json | Format::Jsonl | Format::Yaml | Format::Quiet) = global.out {
        let absent: Vec<_> =
            absent.iter().map(|a| json!({"id": a.minion, "since": a.since.map(times::json)})).collect();
        output::one(global.out, &json!({"connected": connected, "absent": absent}))?;
        return Ok(Exit::OK);
    }
    let mut lines: Vec<(String, String)> = connected.iter().map(|id| (id.to_string(), String::new())).collect();
    lines.extend(absent.iter().map(|a| (a.minion.to_string(), why(a))));
    lines.sort();
    for (id, why) in &lines {
        term::result(&format!("{id}{why}\n"))?;
    }
    global.note(&format!("{} match, {} of them not connected\n", lines.len(), absent.len()));
    Ok(Exit::OK)
}

fn why(absent: &Absent) -> String {
    let text = match absent.since {
        Some(since) => format!("offline since {}", times::show(since, &times::now())),
        None => "never seen".into(),
    };
    format!("  {}", term::paint(term::DIM, text))
}
