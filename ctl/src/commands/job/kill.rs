//! `ctl job kill`.

use std::collections::BTreeMap;

use proto::{
    JobId,
    message::{JobDetail, PairState, Query},
};
use serde_json::Value;

use super::{Detail, Which, detail, orchestrated};
use crate::{
    cli::Global,
    client::{Client, Reply, block_on},
    dispatch::{self, Call, Options},
    error::{Error, Exit, Outcome},
    output::Format,
};

/// Ends what was not sent yet, and kills a job's processes on every minion where it may run, which
/// is itself a job.
pub fn run(which: &Which, global: &Global) -> Outcome {
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
